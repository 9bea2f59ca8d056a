//! Nothing that the harness starts outlives the process that started it, however that process ends.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use sharedkey_harness::wait_for;

const SOON: Duration = Duration::from_secs(10);

/// A parent that runs a command which would go on for an hour, and whose own children would too.
struct Parent {
    process: Child,
    child: u32,
    grandchild: u32,
    folder: PathBuf,
}

impl Parent {
    async fn start() -> Result<Self> {
        let mut process = Command::new(env!("CARGO_BIN_EXE_guarded"))
            .args(["sh", "-c", "sleep 3600 & echo grandchild $!; wait"])
            .env_remove("KEEP")
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(process.stdout.take().context("no stdout")?).lines();
        let child = lines.next().context("no process id")??.parse()?;
        let folder = PathBuf::from(lines.next().context("no folder")??);
        let grandchild = wait_for("the grandchild's id", SOON, async || {
            let log = std::fs::read_to_string(folder.join("guarded.log"))?;
            let id = log.strip_prefix("grandchild ").and_then(|rest| rest.strip_suffix('\n'));
            Ok(id.with_context(|| format!("the log is {log:?}"))?.parse()?)
        })
        .await?;
        Ok(Self { process, child, grandchild, folder })
    }

    fn signal(&mut self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.process), signal)?;
        let status = self.process.wait()?;
        ensure!(status.signal() == Some(signal.as_raw()), "the parent ended by {status}");
        Ok(())
    }

    async fn nothing_is_left(&self) -> Result<()> {
        wait_for("the end of all that it started", SOON, async || {
            ensure!(!running(self.child)?, "the command {} runs", self.child);
            ensure!(!running(self.grandchild)?, "the command's child {} runs", self.grandchild);
            ensure!(!self.folder.exists(), "{} exists", self.folder.display());
            Ok(())
        })
        .await
    }
}

/// Whether the process runs; one that has ended and was not yet collected by its parent does not.
fn running(id: u32) -> Result<bool> {
    let ps = Command::new("ps").args(["-o", "stat=", "-p", &id.to_string()]).output()?;
    let state = String::from_utf8(ps.stdout)?;
    Ok(!state.trim().is_empty() && !state.trim().starts_with('Z'))
}

#[tokio::test]
async fn all_of_it_ends_with_a_killed_parent() {
    let mut parent = Parent::start().await.unwrap();
    assert!(running(parent.child).unwrap() && running(parent.grandchild).unwrap() && parent.folder.exists());
    parent.signal(Signal::KILL).unwrap();
    parent.nothing_is_left().await.unwrap();
}

#[tokio::test]
async fn all_of_it_ends_with_an_interrupted_parent() {
    let mut parent = Parent::start().await.unwrap();
    parent.signal(Signal::INT).unwrap();
    parent.nothing_is_left().await.unwrap();
}

#[tokio::test]
async fn the_parent_ends_with_its_command_and_tidies_up() {
    let mut parent = Parent::start().await.unwrap();
    kill_process(Pid::from_raw(i32::try_from(parent.child).unwrap()).unwrap(), Signal::KILL).unwrap();
    parent.process.wait().unwrap();
    parent.nothing_is_left().await.unwrap();
}
