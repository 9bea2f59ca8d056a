//! Watches that one bad object cannot stop.

use std::fmt::Debug;

use futures::{Stream, StreamExt as _};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt as _, reflector,
        reflector::Store,
        watcher::{self, Event},
    },
};
use serde::de::DeserializeOwned;

/// Watches all objects of a kind into a store, and gives each that was added, changed or removed. An object that does not fit the type, because it is
/// older than a rule or newer than this operator, is logged and passed over.
pub(crate) fn watch<K>(client: Client) -> (Store<K>, impl Stream<Item = Result<K, watcher::Error>> + Send)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (reader, writer) = reflector::store();
    let events = watcher::watcher(Api::<DeserializeGuard<K>>::all(client), watcher::Config::default());
    let events = events.default_backoff().filter_map(|event| async { event.map(admit).transpose() });
    (reader, reflector(writer, events).touched_objects())
}

fn admit<K: Resource<DynamicType = ()>>(event: Event<DeserializeGuard<K>>) -> Option<Event<K>> {
    match event {
        Event::Apply(object) => open(object).map(Event::Apply),
        Event::Delete(object) => open(object).map(Event::Delete),
        Event::Init => Some(Event::Init),
        Event::InitApply(object) => open(object).map(Event::InitApply),
        Event::InitDone => Some(Event::InitDone),
    }
}

fn open<K: Resource<DynamicType = ()>>(object: DeserializeGuard<K>) -> Option<K> {
    let (namespace, name) = (object.namespace(), object.name_any());
    match object.0 {
        Ok(object) => Some(object),
        Err(error) => {
            let kind = K::kind(&());
            tracing::warn!(%kind, namespace, name, %error, "an object cannot be read and is passed over");
            None
        }
    }
}
