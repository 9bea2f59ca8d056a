//! Processes that end with us, and only those.
//!
//! Each runs in a process group of its own, beside a small shell that holds the reading end of a pipe whose writing end only
//! we have. The kernel closes that end when we end: normally, by a panic, by Ctrl-C or by SIGKILL, none of which gives us a
//! chance to tidy up (statics are not even dropped at a normal end). The shell then kills its own group. No process id is
//! remembered outside of the process's own parent, so nothing else can ever be hit by a recycled one. A group of its own
//! also means that Ctrl-C on the terminal reaches us alone, and the rest in order through the pipe.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// The shell leaves a watcher on the pipe behind and becomes the program, so the child that we know is the program itself.
const LEASHED: &str = r#"exec 3<&0 </dev/null
(while read -r _ <&3; do :; done; kill -9 0) >/dev/null 2>&1 &
exec 3<&-
exec "$@""#;

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// What it is called in messages and in the name of its log.
    pub name: String,
    /// The binary.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Added to our own environment.
    pub env: Vec<(OsString, OsString)>,
    /// Where it runs; `None` for our own folder.
    pub cwd: Option<PathBuf>,
}

impl Run {
    /// `program`, called `name`.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), program: program.into(), ..Self::default() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Starts it, with both its outputs going to `NAME.log` in `logs` (appended, so that a restart keeps the first part).
    pub fn start(&self, logs: &Path) -> Result<Process> {
        let log = logs.join(format!("{}.log", self.name));
        let out = File::options().create(true).append(true).open(&log)?;
        let mut command = Command::new("sh");
        command.args(["-c", LEASHED, "sh"]).arg(&self.program).args(&self.args);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        command.stdin(Stdio::piped()).stdout(out.try_clone()?).stderr(out).process_group(0);
        let child = command.spawn().with_context(|| format!("cannot start {}", self.name))?;
        Ok(Process { name: self.name.clone(), child, log })
    }
}

/// A running process of ours. Dropping it kills it: SIGTERM takes a control plane seconds, and nobody needs its goodbye.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The file with its output.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Fails with the end of its log if it is not running any more.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended by itself ({status})\n{}", self.name, self.log_tail()),
        }
    }

    /// Kills it at once, as a crash of the machine would.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.child.kill()?;
        self.wait()
    }

    /// Asks it to end (SIGTERM) and does not wait.
    pub fn terminate(&self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).with_context(|| format!("cannot end {}", self.name))
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Blocks until it has ended.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        // `Child::wait` would close its stdin first, and with it the leash.
        let leash = self.child.stdin.take();
        let status = self.child.wait()?;
        self.child.stdin = leash;
        Ok(status)
    }

    /// The last lines of its log, under a heading, for a message.
    pub fn log_tail(&self) -> String {
        const LINES: usize = 40;
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(LINES)..].join("\n");
        format!("--- end of {} ---\n{tail}\n---", self.log.display())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The id is ours until `wait` has collected it, so the group can be named safely here.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        }
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Runs a shell script, with `argument` as `$1`, when we have ended or close the child's stdin, whichever is first.
pub(crate) fn on_our_end(script: &str, argument: &Path) -> Result<Child> {
    Command::new("sh")
        .args(["-c", &format!("while read -r _; do :; done\n{script}"), "sh"])
        .arg(argument)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        .process_group(0)
        .spawn()
        .context("cannot start a shell")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scratch;

    #[test]
    fn a_process_that_ends_by_itself_is_reported_with_its_log() {
        let scratch = Scratch::new("process").unwrap();
        let mut process =
            Run::new("brief", "sh").args(["-c", "echo told you so; exit 3"]).start(scratch.path()).unwrap();
        process.wait().unwrap();
        let error = process.check().unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("told you so"), "{error}");
    }

    #[test]
    fn a_missing_program_is_named_in_the_log() {
        let scratch = Scratch::new("process").unwrap();
        let mut process = Run::new("missing", "/no/such/program").start(scratch.path()).unwrap();
        process.wait().unwrap();
        assert!(process.check().unwrap_err().to_string().contains("/no/such/program"));
    }
}
