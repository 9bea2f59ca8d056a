//! Every status that the objects of a stage have from a moment on: for what must never be said.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Result, ensure};
use futures::StreamExt as _;
use kube::{
    ResourceExt as _,
    runtime::{WatchStreamExt as _, watcher},
};
use sharedkey_api::SharedKeyStatus;

use crate::{Stage, is};

/// The statuses, in the order in which they were written, with the names of their objects.
#[derive(Clone, Debug, Default)]
pub struct History(Arc<Mutex<Vec<(String, SharedKeyStatus)>>>);

impl History {
    /// Watches the stage's namespace until the test ends.
    pub fn from_now_on(stage: &Stage) -> Self {
        let history = Self::default();
        let (keeping, keys) = (history.clone(), stage.keys());
        tokio::spawn(async move {
            let mut changes = std::pin::pin!(watcher(keys, watcher::Config::default()).applied_objects());
            while let Some(change) = changes.next().await {
                let Ok(key) = change else { continue };
                let name = key.name_any();
                keeping.lock().extend(key.status.map(|status| (name, status)));
            }
        });
        history
    }

    /// Whether a status was ever like this.
    pub fn any(&self, which: impl Fn(&SharedKeyStatus) -> bool) -> bool {
        self.lock().iter().any(|(_, status)| which(status))
    }

    /// The statuses of each object. Those that follow each other differ.
    pub fn by_object(&self) -> BTreeMap<String, Vec<SharedKeyStatus>> {
        let mut objects: BTreeMap<String, Vec<SharedKeyStatus>> = BTreeMap::new();
        for (name, status) in self.lock().iter() {
            let known = objects.entry(name.clone()).or_default();
            // A change of the object is seen here too, and one of its metadata alone is none of its status.
            if known.last() != Some(status) {
                known.push(status.clone());
            }
        }
        objects
    }

    /// No drift was ever reported, and none was healed.
    pub fn no_drift(&self) -> Result<()> {
        let all = self.lock();
        let tells = |(_, status): &&(String, SharedKeyStatus)| {
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

    fn lock(&self) -> MutexGuard<'_, Vec<(String, SharedKeyStatus)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
