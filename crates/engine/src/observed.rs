//! What was read from AWS in one sweep: an immutable snapshot, with what could not be read and why.

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_policy::{EntityArn, IdentityPolicies, KeyArn, MalformedPolicy, PolicyArn, PolicyDocument};

use crate::problem::Reading;

/// Everything that a comparison looks at.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The key and its policy.
    pub key: KeyObservation,
    /// The roles and users of all accounts that have an `AwsAccount`.
    pub entities: BTreeMap<EntityArn, Reading<Entity>>,
    /// The managed policies that delegate for us.
    pub managed: BTreeMap<PolicyArn, Reading<ManagedPolicy>>,
}

/// The key as KMS shows it.
#[derive(Clone, Debug)]
pub struct KeyObservation {
    /// The key that the object is bound to.
    pub arn: Reading<Option<KeyArn>>,
    /// Where the alias points now, for objects that name one.
    pub alias_target: Option<AliasTarget>,
    /// `DescribeKey`; none when KMS knows no such key.
    pub metadata: Reading<Option<KeyMetadata>>,
    /// `GetKeyPolicy`; none when KMS knows no such key.
    pub policy: Reading<Option<KeyPolicy>>,
}

/// Where an alias points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AliasTarget {
    /// KMS knows no such alias.
    Missing,
    /// To this key.
    Key(KeyArn),
}

/// What matters of `DescribeKey`. States and specs are strings: KMS adds new ones (D§0.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMetadata {
    /// `Enabled`, `Disabled`, `PendingDeletion`, … (D§1.6)
    pub state: String,
    /// Whether AWS manages the key: such a policy can be read and never written (D§1.5).
    pub aws_managed: bool,
    /// `ENCRYPT_DECRYPT`, … (D§2.2)
    pub usage: String,
    /// `SYMMETRIC_DEFAULT`, … (D§2.2)
    pub spec: String,
    /// When a key that is pending deletion goes, in RFC 3339.
    pub deletion_date: Option<String>,
}

/// A key policy as it was read.
#[derive(Clone, Debug)]
pub struct KeyPolicy {
    /// The document, or the place where it is malformed.
    pub document: Result<PolicyDocument, MalformedPolicy>,
    /// The document equals one that we replaced less than a minute ago: an old answer of an eventually consistent
    /// service (D§1.5), not a change.
    pub lagging: bool,
}

/// A role or user.
#[derive(Clone, Debug)]
pub enum Entity {
    /// There is none of this name and path.
    Absent {
        /// One of the same name under another path, a common cause of an invalid principal (D§4.3).
        elsewhere: Option<EntityArn>,
    },
    /// It exists.
    Present(EntityState),
}

/// What matters of a role or user that exists.
#[derive(Clone, Debug, Default)]
pub struct EntityState {
    /// `AROA…` or `AIDA…`: another one after deletion and recreation (D§1.4).
    pub unique_id: String,
    /// Its inline policies by name.
    pub inline: BTreeMap<String, Result<PolicyDocument, MalformedPolicy>>,
    /// The managed policies attached to it.
    pub attached: BTreeSet<PolicyArn>,
    /// Every document that decides what it may do: inline, attached, of its groups, and its boundary.
    pub policies: IdentityPolicies,
    /// Names of inline policies and ARNs of managed ones whose reading equals what we replaced less than a minute ago.
    pub lagging: BTreeSet<String>,
}

/// A customer managed policy.
#[derive(Clone, Debug)]
pub enum ManagedPolicy {
    /// There is none.
    Absent {
        /// We created it less than a minute ago.
        lagging: bool,
    },
    /// It exists.
    Present {
        /// `v3`
        default_version: String,
        /// The document of the default version: the one in force.
        document: Result<PolicyDocument, MalformedPolicy>,
        /// The other versions; read only when the default is not what is wanted.
        others: BTreeMap<String, PolicyDocument>,
        /// The default version equals what we replaced less than a minute ago.
        lagging: bool,
    },
}

impl EntityState {
    /// An inline policy that says nobody knows what.
    pub(crate) fn malformed(&self) -> Option<(&str, &MalformedPolicy)> {
        self.inline.iter().find_map(|(name, document)| Some((name.as_str(), document.as_ref().err()?)))
    }
}

/// A role or user that exists and could be read.
pub(crate) fn entity<'a>(
    entities: &'a BTreeMap<EntityArn, Reading<Entity>>,
    arn: &EntityArn,
) -> Option<&'a EntityState> {
    match entities.get(arn) {
        Some(Ok(Entity::Present(state))) => Some(state),
        _ => None,
    }
}

/// Unique ids and the principals that they stand for.
pub(crate) fn unique_ids(entities: &BTreeMap<EntityArn, Reading<Entity>>) -> BTreeMap<String, String> {
    entities.keys().filter_map(|arn| Some((entity(entities, arn)?.unique_id.clone(), arn.to_string()))).collect()
}

impl Observed {
    /// A role or user that exists and could be read.
    pub fn entity(&self, arn: &EntityArn) -> Option<&EntityState> {
        entity(&self.entities, arn)
    }

    /// Whether it is known that there is no such role or user.
    pub fn is_absent(&self, arn: &EntityArn) -> bool {
        matches!(self.entities.get(arn), Some(Ok(Entity::Absent { .. })))
    }

    /// The key policy, when it was read and is well formed.
    pub fn document(&self) -> Option<&PolicyDocument> {
        self.key.policy.as_ref().ok()?.as_ref()?.document.as_ref().ok()
    }

    /// Unique ids and the principals that they stand for.
    pub fn unique_ids(&self) -> BTreeMap<String, String> {
        unique_ids(&self.entities)
    }
}
