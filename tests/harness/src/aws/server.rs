//! The strict AWS, as a process.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    slice::from_mut,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    Scratch,
    process::{Process, Run},
    repo_root, say,
    serving::serving,
};

const START: Duration = Duration::from_mins(1);

/// A running strict AWS; many accounts and partitions in one server. Dropping it kills it.
#[derive(Debug)]
pub struct StrictAws {
    process: Process,
    url: String,
    accounts: AtomicU32,
    folder: Scratch,
}

impl StrictAws {
    /// Starts one on a free loopback port and waits until it listens. Where its Python packages were never installed on
    /// this machine, that is done first.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// With more arguments for its command line.
    pub async fn start_with(args: &[&str]) -> Result<Self> {
        let package = repo_root().join("tests/aws");
        let python = python(&package)?;
        let started = Instant::now();
        let folder = Scratch::new("aws")?;
        let port_file = folder.path().join("port");
        let mut process = Run::new("strict-aws", python)
            .args(["-m", "strict_aws", "--port", "0", "--port-file"])
            .arg(&port_file)
            .args(args)
            .env("PYTHONPATH", &package)
            .env("PYTHONUNBUFFERED", "1")
            .start(folder.path())?;
        let read_port = async || Ok(std::fs::read_to_string(&port_file)?.trim().parse::<u16>()?);
        let port = serving(from_mut(&mut process), "the strict AWS", START, read_port).await?;
        say(format_args!("strict AWS ready after {:.1} s", started.elapsed().as_secs_f32()));
        Ok(Self { process, url: format!("http://127.0.0.1:{port}"), accounts: AtomicU32::new(0), folder })
    }

    /// The endpoint of every service.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The end of its log, for the message of a failed test.
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }

    /// Where its log is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// An account id that this process has not used yet.
    pub(super) fn next_account_id(&self) -> String {
        format!("{:012}", 300_000_000_000_u64 + u64::from(self.accounts.fetch_add(1, Ordering::Relaxed)))
    }
}

/// The Python that has the packages.
fn python(package: &Path) -> Result<PathBuf> {
    let install = package.join("install.sh");
    let output = Command::new(&install)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", install.display()))?;
    ensure!(output.status.success(), "{} failed ({})", install.display(), output.status);
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}
