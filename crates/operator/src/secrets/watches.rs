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

/// What a watch shows of the one Secret that it is about.
#[derive(Default)]
struct View {
    /// Whether the Secret was listed since the watch began anew.
    listed: bool,
}

impl View {
    /// Whether an event tells of the Secret. A watch that begins anew lists what there is: what went while it was away is told by nothing
    /// but that it is not listed.
    fn tells(&mut self, event: &Event<PartialObjectMeta<Secret>>) -> bool {
        match event {
            Event::Apply(_) | Event::Delete(_) => true,
            Event::Init => {
                self.listed = false;
                false
            }
            Event::InitApply(_) => {
                self.listed = true;
                true
            }
            Event::InitDone => !self.listed,
        }
    }
}

/// The version that there is by such an event.
fn version(event: Event<PartialObjectMeta<Secret>>) -> Option<String> {
    match event {
        Event::Apply(secret) | Event::InitApply(secret) => secret.resource_version(),
        Event::Delete(_) | Event::Init | Event::InitDone => None,
    }
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
    let mut view = View::default();
    while let Some(event) = events.next().await {
        // An error comes again after a pause; without the right to watch, until the object sees that it may not read either.
        let Some(event) = event.ok().filter(|event| view.tells(event)) else { continue };
        let version = version(event);
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

#[cfg(test)]
mod tests {
    use kube::api::ObjectMeta;

    use super::*;

    fn secret(version: &str) -> PartialObjectMeta<Secret> {
        let metadata = ObjectMeta { resource_version: Some(version.to_owned()), ..ObjectMeta::default() };
        PartialObjectMeta { metadata, ..PartialObjectMeta::default() }
    }

    #[test]
    fn a_secret_that_went_while_nobody_watched_is_told_when_the_watch_begins_anew() {
        let mut view = View::default();
        let mut told = |event| view.tells(&event).then(|| version(event));
        let (some, gone) = (|version: &str| Some(Some(version.to_owned())), Some(None));
        // Given a Secret that is there when the watch begins, and is changed
        assert_eq!(told(Event::Init), None);
        assert_eq!(told(Event::InitApply(secret("1"))), some("1"));
        assert_eq!(told(Event::InitDone), None);
        assert_eq!(told(Event::Apply(secret("2"))), some("2"));
        // When the watch begins anew and it is still there, then nothing but its version is told
        assert_eq!(told(Event::Init), None);
        assert_eq!(told(Event::InitApply(secret("2"))), some("2"));
        assert_eq!(told(Event::InitDone), None);
        // And when it is not listed any more, then it is gone
        assert_eq!(told(Event::Init), None);
        assert_eq!(told(Event::InitDone), gone);
        assert_eq!(told(Event::Delete(secret("3"))), gone);
    }
}
