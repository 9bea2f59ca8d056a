//! The objects of one kind: those that are known, and the way to have one looked at.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kube::{
    Resource,
    runtime::{
        reflector::{ObjectRef, Store},
        watcher::Event,
    },
};
use sharedkey_engine::names::ObjectName;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::{
    index::Index,
    served::{Named, Served},
};

/// Who names what, as a watch tells it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Concerned(Arc<Mutex<Listing>>);

#[derive(Debug, Default)]
struct Listing {
    index: Index<ObjectName, Named>,
    /// Those of the list that is being read.
    listed: BTreeSet<ObjectName>,
}

impl Concerned {
    fn lock(&self) -> MutexGuard<'_, Listing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has to hear everything that the watch tells.
    pub(crate) fn told<K: Served>(&self) -> impl Fn(&Event<K>) + Send + use<K> {
        let concerned = self.clone();
        move |event| concerned.take(event)
    }

    fn take<K: Served>(&self, event: &Event<K>) {
        let Listing { index, listed } = &mut *self.lock();
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(object) => {
                listed.insert(object.id().name);
                index.set(object.id().name, object.concerns());
            }
            Event::InitDone => index.keep(&std::mem::take(listed)),
            Event::Apply(object) => index.set(object.id().name, object.concerns()),
            Event::Delete(object) => index.remove(&object.id().name),
        }
    }

    /// In their order.
    fn naming(&self, named: &Named) -> Vec<ObjectName> {
        self.lock().index.naming(named).cloned().collect()
    }
}

/// The objects of one kind.
pub(crate) struct Objects<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    store: Store<K>,
    concerned: Concerned,
    wake: UnboundedSender<ObjectRef<K>>,
}

impl<K> Objects<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
    K::DynamicType: Hash + Eq + Clone,
{
    /// What a watch keeps up to date, and where those arrive that are woken.
    pub(crate) fn new(store: Store<K>, concerned: Concerned) -> (Self, UnboundedReceiver<ObjectRef<K>>) {
        let (wake, woken) = mpsc::unbounded_channel();
        (Self { store, concerned, wake }, woken)
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
    pub(crate) fn waker(&self) -> impl Fn(&ObjectName) + Send + Sync + use<K>
    where
        K: Served,
    {
        let wake = self.wake.clone();
        // The receiver lives as long as the controller.
        move |object| drop(wake.send(reference(object)))
    }
}

impl<K: Served> Objects<K> {
    /// The names of those that something concerns, in their order.
    pub(crate) fn names_naming(&self, named: &Named) -> Vec<ObjectName> {
        self.concerned.naming(named)
    }

    /// Those that something concerns.
    pub(crate) fn naming(&self, named: &Named) -> Vec<Arc<K>> {
        self.names_naming(named).iter().filter_map(|name| self.get(&reference(name))).collect()
    }

    /// Has those looked at that something concerns.
    pub(crate) fn wake_naming(&self, named: &Named) {
        self.naming(named).iter().for_each(|object| self.wake(object));
    }
}

/// An object of a namespace, as stores know it.
pub(crate) fn reference<K: Served>(name: &ObjectName) -> ObjectRef<K> {
    ObjectRef::new(&name.name).within(&name.namespace)
}
