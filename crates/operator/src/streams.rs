//! Watches that one bad object cannot stop, and what wakes reconciles beside them.

use std::{collections::HashSet, fmt::Debug, hash::Hash, time::Duration};

use futures::{Stream, StreamExt as _, stream};
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
use tokio::sync::mpsc::UnboundedReceiver;

/// Objects of one page of a list. Pages come one after the other, so a start with thousands of objects waits for each.
pub(crate) const PAGE: u32 = 1000;

/// Watches all objects of a kind into a store, and gives each that was added, changed or removed. An object that does not fit the type, because it is
/// older than a rule or newer than this operator, is logged and passed over. `told` hears of everything before the store does.
pub(crate) fn watch<K>(
    client: Client,
    told: impl Fn(&Event<K>) + Send,
) -> (Store<K>, impl Stream<Item = Result<K, watcher::Error>> + Send)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (reader, writer) = reflector::store();
    let events = watcher::watcher(Api::<DeserializeGuard<K>>::all(client), watcher::Config::default().page_size(PAGE));
    let events = events.default_backoff().filter_map(|event| async { event.map(admit).transpose() });
    let events = events.inspect(move |event| {
        if let Ok(event) = event {
            told(event);
        }
    });
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
        Ok(mut object) => {
            // Who wrote which field is of no interest here, and takes as much memory as the fields.
            object.managed_fields_mut().clear();
            Some(object)
        }
        Err(error) => {
            let kind = K::kind(&());
            tracing::warn!(%kind, namespace, name, %error, "an object cannot be read and is passed over");
            None
        }
    }
}

/// What is sent, as it comes.
pub(crate) fn received<T>(mut receiver: UnboundedReceiver<T>) -> impl Stream<Item = T> {
    stream::poll_fn(move |task| receiver.poll_recv(task))
}

/// What is sent, each once in `time`: whatever else comes until then is gathered.
pub(crate) fn gathered<T: Eq + Hash>(receiver: UnboundedReceiver<T>, time: Duration) -> impl Stream<Item = T> {
    let batches = stream::unfold(receiver, move |mut receiver| async move {
        let mut batch = HashSet::from([receiver.recv().await?]);
        tokio::time::sleep(time).await;
        while let Ok(more) = receiver.try_recv() {
            batch.insert(more);
        }
        Some((stream::iter(batch), receiver))
    });
    batches.flatten()
}

#[cfg(test)]
mod tests {
    use tokio::{sync::mpsc, time::Instant};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_sent_often_comes_once_and_in_time() {
        let (sender, receiver) = mpsc::unbounded_channel();
        let began = Instant::now();
        for _ in 0..1000 {
            sender.send("account").unwrap();
        }
        let mut gathered = std::pin::pin!(gathered(receiver, Duration::from_secs(1)));
        assert_eq!(gathered.next().await, Some("account"));
        assert_eq!(began.elapsed(), Duration::from_secs(1));
        sender.send("account").unwrap();
        drop(sender);
        assert_eq!(gathered.collect::<Vec<_>>().await, ["account"]);
    }
}
