//! What was read of a secret and its surroundings in one sweep.

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_policy::{EntityArn, KeyArn, MalformedPolicy, PolicyArn, PolicyDocument, Region, SecretArn};

use super::value::ValueFingerprint;
use crate::{
    observed::{Entity, KeyMetadata, KeyPolicy, ManagedPolicy},
    problem::{Failure, Reading, Trouble},
};

/// Everything that a comparison looks at. `source` and `target` are Kubernetes' and filled in by the shell.
#[derive(Clone, Debug)]
pub struct ObservedSecret {
    /// `DescribeSecret`.
    pub secret: Reading<SecretState>,
    /// `GetResourcePolicy`; none where the secret has none, or does not exist.
    pub policy: Reading<Option<ResourcePolicy>>,
    /// `ListSecretVersionIds`, of versions with labels; none where it was not asked for (`secret::versions_due`).
    pub versions: Option<Reading<Vec<Version>>>,
    /// The keys of the secret and its replicas, by ARN. A key whose account cannot be entered is absent.
    pub keys: BTreeMap<KeyArn, ObservedKey>,
    /// The roles and users of all accounts that have an `AwsAccount`.
    pub entities: BTreeMap<EntityArn, Reading<Entity>>,
    /// The managed policies that delegate for us.
    pub managed: BTreeMap<PolicyArn, Reading<ManagedPolicy>>,
    /// The value that the secret is to have.
    pub source: SourceReading,
    /// The Kubernetes Secret to which the value is written.
    pub target: TargetReading,
}

/// A key as KMS shows it.
#[derive(Clone, Debug)]
pub struct ObservedKey {
    /// `DescribeKey`; none when KMS knows no such key.
    pub metadata: Reading<Option<KeyMetadata>>,
    /// `GetKeyPolicy`; none when KMS knows no such key.
    pub policy: Reading<Option<KeyPolicy>>,
}

/// Whether there is a secret of the name.
#[derive(Clone, Debug)]
pub enum SecretState {
    /// There is none.
    Absent {
        /// We made it less than a minute ago.
        lagging: bool,
    },
    /// There is one.
    Present(Box<Described>),
}

/// What matters of `DescribeSecret` (D§5.5).
#[derive(Clone, Debug)]
pub struct Described {
    /// Its ARN.
    pub arn: SecretArn,
    /// Its description.
    pub description: Option<String>,
    /// The key that encrypts new versions of it.
    pub key: SecretKey,
    /// When it was scheduled for deletion and will be gone, in RFC 3339.
    pub deletion: Option<String>,
    /// The AWS service that manages it.
    pub owning_service: Option<String>,
    /// The Region of its primary, where it is a replica itself or has any.
    pub primary_region: Option<Region>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its labelled versions and their labels.
    pub stages: BTreeMap<String, BTreeSet<String>>,
    /// Its copies in other Regions.
    pub replicas: BTreeMap<Region, ReplicaState>,
    /// What of the reading equals what we replaced less than a minute ago.
    pub lagging: BTreeSet<Lag>,
}

/// A part of a reading that can be older than our last write (D§1.5).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lag {
    /// That it is scheduled for deletion.
    Deletion,
    /// Its description.
    Description,
    /// Its key.
    Key,
    /// Its tags.
    Tags,
    /// Its current version.
    Value,
    /// Its copy in a Region.
    Replica(Region),
}

/// The key of a secret, resolved: AWS shows what was given, be it an id, an ARN or an alias (D§5.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretKey {
    /// `aws/secretsmanager`, which nobody of another account can ever use (D§5.1).
    Default,
    /// This key.
    Key(KeyArn),
    /// What AWS shows is no key, or an alias that there is not.
    Unresolved {
        /// As AWS shows it.
        text: String,
        /// Why.
        message: String,
    },
    /// An alias that could not be asked for: it may mean any key.
    Unread {
        /// As AWS shows it.
        text: String,
        /// Why.
        failure: Failure,
    },
}

/// A copy as AWS shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaState {
    /// Its key.
    pub key: SecretKey,
    /// `InSync`, `InProgress`, `Failed`.
    pub status: String,
    /// What AWS says of the status.
    pub message: Option<String>,
}

/// A version with labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its id.
    pub id: String,
    /// Its labels: `AWSCURRENT`, …
    pub stages: BTreeSet<String>,
    /// The keys that encrypt it.
    pub keys: Vec<SecretKey>,
}

/// A resource policy as it was read.
#[derive(Clone, Debug)]
pub struct ResourcePolicy {
    /// The document, or the place where it is malformed.
    pub document: Result<PolicyDocument, MalformedPolicy>,
    /// It equals what we replaced less than a minute ago.
    pub lagging: bool,
}

/// What the source says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceReading {
    /// The spec has none: the value is somebody else's.
    NotStated,
    /// A value.
    Value(ValueFingerprint),
    /// None could be taken.
    Failed(Trouble),
}

/// What stands in the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetReading {
    /// The spec has none.
    NotStated,
    /// There is no such Secret.
    Missing,
    /// There is one that this object did not make.
    NotOwned {
        /// Whose it is, and what to do.
        message: String,
    },
    /// There is ours.
    Found {
        /// The version of the secret that it was written from.
        version: Option<String>,
        /// Its owner, type and mapping are the ones that it is to have.
        as_asked: bool,
        /// Its data is what was written.
        intact: bool,
    },
    /// It could not be read.
    Failed(Trouble),
}

impl SecretKey {
    /// Whether it is known to be another key than the one that is wanted.
    pub fn is_other(&self, wanted: &KeyArn) -> bool {
        match self {
            Self::Key(key) => key != wanted,
            Self::Default | Self::Unresolved { .. } => true,
            Self::Unread { .. } => false,
        }
    }

    /// Why it is not known which key it is.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Unread { failure, .. } => Some(failure),
            Self::Default | Self::Key(_) | Self::Unresolved { .. } => None,
        }
    }
}

impl Described {
    /// The version that carries a label.
    pub fn version(&self, stage: &str) -> Option<&str> {
        self.stages.iter().find(|(_, stages)| stages.contains(stage)).map(|(id, _)| id.as_str())
    }

    /// The version that readers get.
    pub fn current(&self) -> Option<&str> {
        self.version("AWSCURRENT")
    }
}

impl ObservedSecret {
    /// The secret, if it exists and could be read.
    pub fn described(&self) -> Option<&Described> {
        match &self.secret {
            Ok(SecretState::Present(described)) => Some(described),
            _ => None,
        }
    }

    /// Its ARN, if it exists.
    pub fn arn(&self) -> Option<&SecretArn> {
        self.described().map(|described| &described.arn)
    }

    /// The resource policy, when it was read and is well formed. A secret without one has an empty one.
    pub fn document(&self) -> Option<PolicyDocument> {
        match (&self.policy, self.described()) {
            (Ok(None), Some(_)) => Some(PolicyDocument::empty()),
            (Ok(Some(policy)), Some(_)) => policy.document.as_ref().ok().cloned(),
            _ => None,
        }
    }
}
