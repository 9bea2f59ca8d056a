//! The manifests that the documentation shows are accepted as they stand.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use sharedkey_harness::cluster::documents;

use crate::apiserver::control_plane;

#[tokio::test]
async fn the_api_server_accepts_every_example() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut examples = 0;
    for file in std::fs::read_dir(&folder)? {
        examples += documents(&std::fs::read_to_string(file?.path())?)?.len();
    }
    ensure!(examples > 0, "there are no examples");
    let folder = folder.to_str().context("a path that is not text")?;
    let applied = control_plane().await.kubectl(&["apply", "--dry-run=server", "--filename", folder])?;
    assert_eq!(applied.lines().count(), examples, "{applied}");
    Ok(())
}
