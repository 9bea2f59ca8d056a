//! Throw-away folders that go away however the process ends.

use std::{
    path::{Path, PathBuf},
    process::Child,
};

use anyhow::{Context, Result};

use crate::{process::on_our_end, say};

/// Files may still be written into the folder while it is removed, so it is tried again until nothing is left; where the
/// folder itself is gone, nobody can write into it any more.
const REMOVE: &str = r#"tries=0
while [ -e "$1" ] && [ $tries -lt 100 ]; do rm -rf "$1" 2>/dev/null || sleep 0.1; tries=$((tries + 1)); done"#;

/// A folder that is removed when this value is dropped or when the process ends in any other way (statics are never
/// dropped, and neither is anything after SIGKILL). With `KEEP` set in the environment it stays, and is named on stderr.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    janitor: Option<Child>,
}

impl Scratch {
    /// An empty folder of its own, with `name` in its path.
    pub fn new(name: &str) -> Result<Self> {
        Self::make(name, std::env::var_os("KEEP").is_some())
    }

    fn make(name: &str, keep: bool) -> Result<Self> {
        let path = tempfile::Builder::new()
            .prefix(&format!("sharedkey-{name}-"))
            .tempdir()
            .context("no throw-away folder can be made")?
            .keep();
        if keep {
            say(format_args!("KEEP is set: {} stays", path.display()));
            return Ok(Self { path, janitor: None });
        }
        let janitor = on_our_end(REMOVE, &path)?;
        Ok(Self { path, janitor: Some(janitor) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file into it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.path.join(name);
        std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(mut janitor) = self.janitor.take() {
            drop(janitor.stdin.take());
            let _ = janitor.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_folder_is_gone_with_its_content() {
        let scratch = Scratch::make("test", false).unwrap();
        let path = scratch.path().to_owned();
        scratch.write("file", "content").unwrap();
        assert!(path.join("file").exists());
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn a_kept_folder_stays() {
        let path = Scratch::make("test", true).unwrap().path().to_owned();
        assert!(path.exists());
        std::fs::remove_dir_all(path).unwrap();
    }
}
