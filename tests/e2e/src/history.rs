//! Every status that the objects of a stage have from a moment on: for what must never be said.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, ensure};
use futures::StreamExt as _;
use kube::runtime::{WatchStreamExt as _, watcher};
use sharedkey_api::{SharedKey, SharedKeyStatus};

use crate::{Stage, is};

/// The statuses, in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub struct History(Arc<Mutex<Vec<SharedKeyStatus>>>);

impl History {
    /// Watches the stage's namespace until the test ends.
    pub fn from_now_on(stage: &Stage) -> Self {
        let history = Self::default();
        let (keeping, keys) = (history.clone(), stage.keys());
        tokio::spawn(async move {
            let mut changes = std::pin::pin!(watcher(keys, watcher::Config::default()).applied_objects());
            while let Some(change) = changes.next().await {
                keeping.lock().extend(change.ok().and_then(|key: SharedKey| key.status));
            }
        });
        history
    }

    /// Whether a status was ever like this.
    pub fn any(&self, which: impl Fn(&SharedKeyStatus) -> bool) -> bool {
        self.lock().iter().any(which)
    }

    /// No drift was ever reported, and none was healed.
    pub fn no_drift(&self) -> Result<()> {
        let all = self.lock();
        let tells = |status: &&SharedKeyStatus| {
            status.drift_count > 0 || is(status, "InSync", "False") || status.last_correction.is_some()
        };
        let drifted: Vec<_> = all.iter().filter(tells).collect();
        ensure!(
            !all.is_empty() && drifted.is_empty(),
            "of {} statuses, none should tell of drift: {drifted:?}",
            all.len()
        );
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<SharedKeyStatus>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
