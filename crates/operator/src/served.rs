//! What the shell has to know of an object that is carried out in AWS, whatever its kind.

use std::{collections::BTreeSet, fmt, fmt::Debug, time::Duration};

use k8s_openapi::NamespaceResourceScope;
use kube::{Resource, ResourceExt as _};
use serde::{Serialize, de::DeserializeOwned};
use sharedkey_api::{
    ExternalSecret, ExternalSecretStatus, FLUX_REQUESTED_AT, RECONCILE_REQUESTED_AT, SharedKey, SharedKeyStatus,
};
use sharedkey_engine::{ledger::Kind, names::ObjectName, summarise::Status};

/// An object among those of all kinds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id {
    /// Its kind.
    pub(crate) kind: Kind,
    /// Its namespace and name.
    pub(crate) name: ObjectName,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// What concerns objects when it changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Named {
    /// Their namespace.
    Namespace(String),
    /// Their namespace, of those that are leaving.
    Leaving(String),
    /// An `AwsAccount` that they name.
    Account(String),
    /// A `SharedKey` that they name.
    Key(ObjectName),
}

/// A namespaced object that names `AwsAccount`s, and that is carried out in AWS.
pub(crate) trait Served:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
    /// Its kind, as the ledger knows it.
    const KIND: Kind;
    /// What is said about it.
    type Status: Report;

    /// What was said about it last.
    fn status(&self) -> Option<&Self::Status>;

    /// Whether it is to be left alone.
    fn is_suspended(&self) -> bool;

    /// Time between two sweeps, as its spec states it.
    fn interval(&self) -> Duration;

    /// The `AwsAccount`s that it names.
    fn account_names(&self) -> Vec<&str>;

    /// Who it is.
    fn id(&self) -> Id {
        let name = ObjectName { namespace: self.namespace().unwrap_or_default(), name: self.name_any() };
        Id { kind: Self::KIND, name }
    }

    /// The `SharedKey`s of its namespace that it names.
    fn key_names(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Everything that concerns it when it changes.
    fn concerns(&self) -> BTreeSet<Named> {
        let namespace = self.namespace().unwrap_or_default();
        let accounts = self.account_names().into_iter().map(|name| Named::Account(name.to_owned()));
        let key = |name: &str| Named::Key(ObjectName { namespace: namespace.clone(), name: name.to_owned() });
        let keys = self.key_names().into_iter().map(key);
        let leaving = self.is_leaving().then(|| Named::Leaving(namespace.clone()));
        accounts.chain(keys).chain(leaving).chain([Named::Namespace(namespace.clone())]).collect()
    }

    /// The value of the annotation that asks for a look.
    fn request(&self) -> Option<&str> {
        let annotations = self.annotations();
        annotations.get(RECONCILE_REQUESTED_AT).or_else(|| annotations.get(FLUX_REQUESTED_AT)).map(String::as_str)
    }

    /// Whether somebody asks for a look that nobody has taken yet.
    fn is_requested(&self) -> bool {
        let handled = self.status().and_then(Status::last_handled);
        self.request().is_some_and(|request| handled != Some(request))
    }

    /// Whether it is going.
    fn is_leaving(&self) -> bool {
        self.meta().deletion_timestamp.is_some()
    }
}

impl Served for SharedKey {
    const KIND: Kind = Kind::SharedKey;
    type Status = SharedKeyStatus;

    fn status(&self) -> Option<&SharedKeyStatus> {
        self.status.as_ref()
    }

    fn is_suspended(&self) -> bool {
        self.spec.suspend
    }

    fn interval(&self) -> Duration {
        self.spec.interval()
    }

    fn account_names(&self) -> Vec<&str> {
        let consumers = self.spec.consumers.iter().filter_map(|consumer| consumer.account_ref.as_ref());
        consumers.chain([&self.spec.account_ref]).map(|reference| reference.name.as_str()).collect()
    }
}

impl Served for ExternalSecret {
    const KIND: Kind = Kind::ExternalSecret;
    type Status = ExternalSecretStatus;

    fn status(&self) -> Option<&ExternalSecretStatus> {
        self.status.as_ref()
    }

    fn is_suspended(&self) -> bool {
        self.spec.suspend
    }

    fn interval(&self) -> Duration {
        self.spec.interval()
    }

    fn account_names(&self) -> Vec<&str> {
        let readers = self.spec.readers.iter().filter_map(|reader| reader.account_ref.as_ref());
        readers.chain([&self.spec.account_ref]).map(|reference| reference.name.as_str()).collect()
    }

    fn key_names(&self) -> Vec<&str> {
        let keys = self.spec.replicas.iter().map(|replica| &replica.key).chain([&self.spec.key]);
        keys.filter_map(|key| key.shared_key_ref.as_ref()).map(|reference| reference.name.as_str()).collect()
    }
}

/// What every status has, beyond what it is summarised with.
pub(crate) trait Report: Status + PartialEq + Serialize + Send + Sync {
    /// How much differs.
    fn drift_count(&self) -> i64;
    /// The key, the readings of which objects share.
    fn key(&self) -> Option<&str>;
}

impl Report for SharedKeyStatus {
    fn drift_count(&self) -> i64 {
        self.drift_count
    }

    fn key(&self) -> Option<&str> {
        self.key_arn.as_deref()
    }
}

impl Report for ExternalSecretStatus {
    fn drift_count(&self) -> i64 {
        self.drift_count
    }

    fn key(&self) -> Option<&str> {
        self.kms_key_arn.as_deref()
    }
}
