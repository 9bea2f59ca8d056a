//! The real operator, as a process.

use std::{
    path::{Path, PathBuf},
    process::ExitStatus,
    slice::from_mut,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{
    Scratch, http,
    hush::Watch,
    metrics::Metrics,
    ports,
    process::{Process, Run},
    serving::serving,
    wait_for,
};

const BINARY: &str = "sharedkey-operator";
const START: Duration = Duration::from_mins(1);
/// The grace period that Kubernetes gives a pod.
const STOP: Duration = Duration::from_secs(30);

/// How the operator is started.
#[derive(Debug, Clone)]
pub struct OperatorOptions {
    kubeconfig: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl OperatorOptions {
    /// With the identity in `kubeconfig` (see [`crate::cluster::kubeconfig_for`]).
    pub fn new(kubeconfig: impl Into<PathBuf>) -> Self {
        Self { kubeconfig: kubeconfig.into(), args: Vec::new(), env: Vec::new() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }
}

/// A running operator. Dropping it kills it; where a failing test drops it, the end of its log is shown. Where its log shows a value that a
/// story has put into a secret ([`crate::MARK`]), all stories end.
#[derive(Debug)]
pub struct Operator {
    process: Process,
    url: String,
    folder: Scratch,
    /// Reads to the end of the log after the process has ended.
    _watch: Watch,
}

impl Operator {
    /// Starts it and waits until it is ready. `--health-addr` is added with a free port; the environment holds no AWS
    /// settings but the given ones, so that nothing of the developer's machine leaks in.
    pub async fn start(options: &OperatorOptions) -> Result<Self> {
        Self::start_program(&Self::program()?, options).await
    }

    /// The program itself, for what needs no cluster.
    pub fn program() -> Result<PathBuf> {
        binary()
    }

    /// Starts another build of it.
    pub async fn start_program(program: &Path, options: &OperatorOptions) -> Result<Self> {
        let address = format!("127.0.0.1:{}", ports::free()?);
        let folder = Scratch::new("operator")?;
        let mut run = Run::new("operator", "env");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
            run = run.arg("-u").arg(name);
        }
        run = options.env.iter().fold(run, |run, (name, value)| run.arg(format!("{name}={value}")));
        let run = run
            .arg(program)
            .args(&options.args)
            .args(["--health-addr", &address])
            .env("KUBECONFIG", &options.kubeconfig);
        let mut process = run.start(folder.path())?;
        let watch = Watch::on(process.log())?;
        let url = format!("http://{address}");
        let ready = async || http::get_text(&format!("{url}/readyz")).await;
        serving(from_mut(&mut process), "the operator's readiness", START, ready).await?;
        Ok(Self { process, url, folder, _watch: watch })
    }

    /// Where it serves health and metrics: no other process has the same.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// What it has logged.
    pub fn log(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(self.process.log())?).into_owned())
    }

    /// The file with its log.
    pub fn log_path(&self) -> &Path {
        self.process.log()
    }

    /// Where throw-away files for it may be put.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its log's end, for the message of a failed test.
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }

    /// Fails, with the end of the log, if it has ended.
    pub fn check(&mut self) -> Result<()> {
        self.process.check()
    }

    /// What it answers under a path; anything but success is an error.
    pub async fn get(&self, path: &str) -> Result<String> {
        http::get_text(&format!("{}{path}", self.url)).await
    }

    /// Scrapes its metrics.
    pub async fn metrics(&self) -> Result<Metrics> {
        Ok(Metrics::parse(&self.get("/metrics").await?))
    }

    /// Ends it between two instructions, as a lost node would.
    pub fn kill9(mut self) -> Result<()> {
        self.process.kill()?;
        Ok(())
    }

    /// Ends it as Kubernetes ends a pod, and says how it went.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        self.process.terminate()?;
        let process = &mut self.process;
        wait_for("the operator's end after SIGTERM", STOP, async || process.ended()?.context("it still runs")).await
    }
}

impl Drop for Operator {
    #[expect(clippy::print_stderr, reason = "libtest captures it and shows it with the test that failed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.process.log_tail());
        }
    }
}

/// The operator lies beside the test's own binary: tests are in `target/PROFILE/deps`, programs in `target/PROFILE`.
fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("our own binary is nowhere")?;
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let binary = folder.join(BINARY);
    ensure!(binary.is_file(), "{} is missing: run cargo build -p sharedkey-operator", binary.display());
    Ok(binary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo_root;

    fn options() -> OperatorOptions {
        OperatorOptions::new("/kube/config").args(["--owner-id", "test"]).env("AWS_REGION", "eu-west-1")
    }

    #[tokio::test]
    async fn it_is_ready_and_measurable_when_started_and_ends_when_asked_to() {
        let stand_in = repo_root().join("tests/harness/tests/stand-in-operator");
        let operator = Operator::start_program(&stand_in, &options()).await.unwrap();
        let sum = operator.metrics().await.unwrap().sum("reconciles_total", &[("kind", "SharedKey")]);
        assert!((sum - 7.0).abs() < f64::EPSILON, "{sum}");
        let log = operator.log().unwrap();
        let first = log.lines().next().unwrap();
        assert_eq!(first, "['--owner-id', 'test', '--health-addr'] {'AWS_REGION': 'eu-west-1'} /kube/config");
        assert_eq!(operator.stop().await.unwrap().code(), Some(3));
    }

    #[tokio::test]
    async fn one_that_ends_by_itself_is_shown_with_its_log() {
        let error = Operator::start_program(Path::new("ls"), &options()).await.unwrap_err();
        let message = format!("{error:#}");
        assert!(message.contains("exit status: 2") && message.contains("option '--owner-id'"), "{message}");
    }
}
