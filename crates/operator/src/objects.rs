//! The objects of one kind: those that are known, and the way to have one looked at.

use std::{fmt::Debug, hash::Hash, sync::Arc};

use kube::{
    Resource,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// The objects of one kind.
pub(crate) struct Objects<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    store: Store<K>,
    wake: UnboundedSender<ObjectRef<K>>,
}

impl<K> Objects<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
    K::DynamicType: Hash + Eq + Clone,
{
    /// What a watch keeps up to date, and where those arrive that are woken.
    pub(crate) fn new(store: Store<K>) -> (Self, UnboundedReceiver<ObjectRef<K>>) {
        let (wake, woken) = mpsc::unbounded_channel();
        (Self { store, wake }, woken)
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<K>> {
        self.store.state()
    }

    /// One of them.
    pub(crate) fn get(&self, reference: &ObjectRef<K>) -> Option<Arc<K>> {
        self.store.get(reference)
    }

    /// What a watch keeps up to date.
    pub(crate) fn store(&self) -> Store<K> {
        self.store.clone()
    }

    /// Waits until all of them are known.
    pub(crate) async fn listed(&self) {
        // An error means that the watch ended, and then the process does.
        let _ = self.store.wait_until_ready().await;
    }

    /// Has one looked at.
    pub(crate) fn wake(&self, object: &K) {
        // The receiver lives as long as the controller.
        let _ = self.wake.send(ObjectRef::from_obj(object));
    }

    /// What has one looked at by its name, from wherever.
    pub(crate) fn waker(&self) -> impl Fn(ObjectRef<K>) + Send + Sync + 'static {
        let wake = self.wake.clone();
        // The receiver lives as long as the controller.
        move |object| drop(wake.send(object))
    }

    /// Has all looked at for which something holds.
    pub(crate) fn wake_where(&self, which: impl Fn(&K) -> bool) {
        self.all().iter().filter(|object| which(object)).for_each(|object| self.wake(object));
    }
}
