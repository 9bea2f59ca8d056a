//! Watches over the Kubernetes Secrets that values come from: each by its name, where its namespace grants it, for as long as an
//! object needs it.
//!
//! Only metadata is watched, so no value is sent or kept for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt as _,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use sharedkey_engine::names::ObjectName;
use tokio::task::AbortHandle;
use tracing::{instrument::WithSubscriber as _, subscriber::NoSubscriber};

/// So many Secrets are watched at most: each costs a connection's stream. Others are looked at when their object's interval is over.
const MOST: usize = 2_000;

/// Tells that a Secret of an object changed.
pub(crate) type Changed = Arc<dyn Fn(&ObjectName) + Send + Sync>;

/// The watches of all objects.
pub(crate) struct Watches {
    client: Client,
    changed: Changed,
    watched: Arc<Mutex<BTreeMap<ObjectName, Watched>>>,
}

/// One Secret that is watched.
struct Watched {
    /// The objects that need it, with the version of the Secret that each has seen; none where it saw that there is none.
    seen: BTreeMap<ObjectName, Option<String>>,
    watch: AbortHandle,
}

impl Watches {
    /// `changed` is called for each object of which a Secret has another version than it has seen.
    pub(crate) fn new(client: Client, changed: Changed) -> Self {
        Self { client, changed, watched: Arc::default() }
    }

    /// An object needs this Secret, of which it has seen a version, and no other.
    pub(crate) fn need(&self, object: &ObjectName, secret: &str, version: Option<String>) {
        let secret = ObjectName { namespace: object.namespace.clone(), name: secret.to_owned() };
        let mut watched = lock(&self.watched);
        release(&mut watched, object, Some(&secret));
        if let Some(known) = watched.get_mut(&secret) {
            known.seen.insert(object.clone(), version);
        } else if watched.len() < MOST {
            let watch = watch(self.client.clone(), secret.clone(), self.watched.clone(), self.changed.clone());
            // kubectl keeps what it applied in an annotation, and at the level of tracing clients print what they get.
            let watch = tokio::spawn(watch.with_subscriber(NoSubscriber::default()));
            let seen = BTreeMap::from([(object.clone(), version)]);
            watched.insert(secret, Watched { seen, watch: watch.abort_handle() });
        }
    }

    /// An object needs no Secret, or may not have it.
    pub(crate) fn release(&self, object: &ObjectName) {
        release(&mut lock(&self.watched), object, None);
    }
}

fn lock(watched: &Mutex<BTreeMap<ObjectName, Watched>>) -> MutexGuard<'_, BTreeMap<ObjectName, Watched>> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the watches that only this object needed, but for the one that is kept.
fn release(watched: &mut BTreeMap<ObjectName, Watched>, object: &ObjectName, kept: Option<&ObjectName>) {
    watched.retain(|secret, entry| {
        if Some(secret) != kept {
            entry.seen.remove(object);
        }
        let needed = !entry.seen.is_empty();
        if !needed {
            entry.watch.abort();
        }
        needed
    });
}

async fn watch(
    client: Client,
    secret: ObjectName,
    watched: Arc<Mutex<BTreeMap<ObjectName, Watched>>>,
    changed: Changed,
) {
    let api: Api<PartialObjectMeta<Secret>> = Api::namespaced(client, &secret.namespace);
    let config = watcher::Config::default().fields(&format!("metadata.name={}", secret.name));
    let mut events = std::pin::pin!(watcher(api, config).default_backoff());
    while let Some(event) = events.next().await {
        // An error comes again after a pause; without the right to watch, until the object sees that it may not read either.
        let Ok(event) = event else { continue };
        let version = match event {
            Event::Apply(secret) | Event::InitApply(secret) => secret.resource_version(),
            Event::Delete(_) => None,
            Event::Init | Event::InitDone => continue,
        };
        let others: BTreeSet<ObjectName> = {
            let watched = lock(&watched);
            let Some(entry) = watched.get(&secret) else { return };
            entry.seen.iter().filter(|(_, seen)| **seen != version).map(|(object, _)| object.clone()).collect()
        };
        for object in &others {
            changed(object);
        }
    }
}
