//! Where the control plane's binaries come from.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::repo_root;

/// The folder with `etcd`, `kube-apiserver`, `kube-controller-manager` and `kubectl`. Where they were never built on this
/// machine, this builds them (minutes; progress goes to stderr).
pub(super) fn folder() -> Result<PathBuf> {
    let build = repo_root().join("tests/controlplane/build.sh");
    let output = Command::new(&build)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", build.display()))?;
    ensure!(output.status.success(), "{} failed ({})", build.display(), output.status);
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}
