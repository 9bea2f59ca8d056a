//! Every status that objects have from a moment on: for what must never be said.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Result, ensure};
use futures::StreamExt as _;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Api, Resource, ResourceExt as _,
    core::object::HasStatus,
    runtime::{WatchStreamExt as _, watcher},
};
use serde::de::DeserializeOwned;
use sharedkey_api::conditions::Reason;
use sharedkey_engine::summarise::Status;

use crate::is;

/// The statuses, in the order in which they were written, with the names of their objects.
#[derive(Clone, Debug)]
pub struct History<S>(Arc<Mutex<Vec<(String, S)>>>);

impl<S: Status + PartialEq + Debug + Send + 'static> History<S> {
    /// Watches the objects until the test ends.
    pub fn from_now_on<K>(objects: Api<K>) -> Self
    where
        K: Resource + HasStatus<Status = S> + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let history = Self(Arc::default());
        let keeping = history.clone();
        tokio::spawn(async move {
            let mut changes = std::pin::pin!(watcher(objects, watcher::Config::default()).applied_objects());
            while let Some(change) = changes.next().await {
                let Ok(object) = change else { continue };
                let status = object.status().cloned();
                keeping.lock().extend(status.map(|status| (object.name_any(), status)));
            }
        });
        history
    }

    /// Whether a status was ever like this.
    pub fn any(&self, which: impl Fn(&S) -> bool) -> bool {
        self.lock().iter().any(|(_, status)| which(status))
    }

    /// The statuses of each object. Those that follow each other differ.
    pub fn by_object(&self) -> BTreeMap<String, Vec<S>> {
        let mut objects: BTreeMap<String, Vec<S>> = BTreeMap::new();
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
        let tells = |(_, status): &&(String, S)| {
            !status.drift().is_empty() || is(status, "InSync", "False") || status.last_correction().is_some()
        };
        let drifted: Vec<_> = all.iter().filter(tells).collect();
        ensure!(
            !all.is_empty() && drifted.is_empty(),
            "of {} statuses, none should tell of drift: {drifted:?}",
            all.len()
        );
        Ok(())
    }

    /// It was never said that somebody undoes what the operator writes.
    pub fn no_contention(&self) -> Result<()> {
        let contended = |condition: &Condition| condition.reason == Reason::Contended.as_ref();
        let said = self.any(|status| status.conditions().iter().any(contended));
        ensure!(!said, "nobody else has written, and it was said that somebody did");
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, S)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
