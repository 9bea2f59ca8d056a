//! What we have written in AWS, remembered outside of AWS and outside of what a tenant can write.
//!
//! A target is recorded before its first write and forgotten after it is gone. Un-sharing, lost status, restored backups and
//! crashes all work from here (design §5). The fingerprint of what was last written tells drift from a changed spec.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use sharedkey_api::SecretDeletionPolicy;
use sharedkey_policy::{AccountId, AliasArn, EntityArn, KeyArn, Partition, PolicyArn, Region, SecretName};

use crate::names::ObjectName;

/// So many times a write is made again before the operator stops to fight for it.
const CONTENDED_TIMES: usize = 3;
/// In so many seconds (design §5).
pub const CONTENDED_WITHIN: i64 = 30 * 60;

/// What kind of object has written something.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
pub enum Kind {
    /// A `SharedKey`. Records that name no kind are older than the other kinds.
    #[default]
    SharedKey,
    /// An `ExternalSecret`.
    ExternalSecret,
}

impl Kind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// All that one object has written, and the key that it is bound to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The kind of the object.
    #[serde(default, skip_serializing_if = "Kind::is_default")]
    pub kind: Kind,
    /// The object, so that a record found under a hashed name says whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectName>,
    /// The key that the object's alias meant when it was first resolved. Kept here and not only in status, because a tenant
    /// may write status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyArn>,
    /// The alias that meant it. An object that was deleted and created again may name another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<AliasArn>,
    /// What was written, in no particular order; one entry per resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Target>,
    /// Unique ids of principals that the spec names and that no statement of ours names any more: its consumer was renamed, or lost
    /// them to another. Whoever is created under such an ARN is still somebody else (D§1.4).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub principals: BTreeMap<EntityArn, String>,
    /// Fingerprint of the secret's key and labelled versions when all of them were found to be encrypted with it: they are listed
    /// again when either has changed. Known of an `ExternalSecret`, and nothing that was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<String>,
    /// The Kubernetes Secret to which the value was written last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<WrittenTarget>,
}

/// A Kubernetes Secret to which a value was written, and what becomes of it when the object no longer names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WrittenTarget {
    /// Its name.
    pub name: String,
    /// As the spec said when it was written.
    pub deletion_policy: SecretDeletionPolicy,
}

/// One thing of ours in AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// What it is.
    pub resource: Resource,
    /// The consumer or reader of the spec that it was written for; empty for the secret itself.
    pub consumer: String,
    /// The `AwsAccount` through which it was written, and through which it is removed.
    pub account_ref: String,
    /// Whether the write is known to have happened.
    pub state: State,
    /// Fingerprint of what was last written. For a target that is only intended: of what was about to be written. For a secret its
    /// ARN, once it is known; for a value the id of its version.
    pub fingerprint: String,
    /// The unique ids behind the principals when they were last written (statements only): a role that was deleted and
    /// created again has another (D§1.4).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub principals: BTreeMap<EntityArn, String>,
    /// When we last found our write undone and made it again, in seconds since the epoch; the last three times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<i64>,
}

impl Target {
    /// Whether it is known to be written, and as the other one says.
    pub(crate) fn states(&self, other: &Self) -> bool {
        let Self { resource, consumer, account_ref, state, fingerprint, principals, undone: _ } = self;
        *state == State::Applied
            && (resource, fingerprint, consumer) == (&other.resource, &other.fingerprint, &other.consumer)
            && (account_ref, principals) == (&other.account_ref, &other.principals)
    }

    /// Whether it goes before the other one is there: a secret of the same name, which has another ARN (and none yet, where it is about to
    /// be made), or a copy under another key (D§5.7).
    fn makes_room_for(&self, other: &Self) -> bool {
        matches!(self.resource, Resource::Secret { .. } | Resource::Replica { .. })
            && self.resource == other.resource
            && self.fingerprint != other.fingerprint
    }

    /// Whether it gives something to the role or user.
    pub(crate) fn concerns(&self, principal: &EntityArn) -> bool {
        match &self.resource {
            Resource::InlinePolicy { entity, .. } | Resource::Attachment { entity, .. } => entity == principal,
            _ => self.principals.contains_key(principal),
        }
    }
}

/// Whether a write is known to have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Recorded before the write; whether it was performed is not known.
    Intended,
    /// AWS confirmed the write.
    Applied,
}

/// A thing of ours in AWS, by its identity there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "type")]
pub enum Resource {
    /// A statement in a key policy.
    Statement {
        /// The key.
        key: KeyArn,
        /// The statement's Sid.
        sid: String,
    },
    /// An inline policy of a role or user.
    InlinePolicy {
        /// The role or user.
        entity: EntityArn,
        /// The policy's name.
        name: String,
    },
    /// A customer managed policy.
    ManagedPolicy {
        /// The policy.
        policy: PolicyArn,
    },
    /// A managed policy on a role or user.
    Attachment {
        /// The policy.
        policy: PolicyArn,
        /// The role or user.
        entity: EntityArn,
    },
    /// A secret that was made or taken over, with the tags that say so.
    Secret {
        /// The secret.
        secret: SecretName,
    },
    /// What a secret is, beside that it exists. It goes with the secret.
    SecretAspect {
        /// The secret.
        secret: SecretName,
        /// Which part of it.
        aspect: Aspect,
    },
    /// A statement in the resource policy of a secret.
    SecretStatement {
        /// The secret.
        secret: SecretName,
        /// The statement's Sid.
        sid: String,
    },
    /// The copy of a secret in another Region.
    Replica {
        /// The secret.
        secret: SecretName,
        /// Where the copy is.
        region: Region,
    },
}

/// A part of a secret that is written and compared on its own.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, strum::Display, strum::EnumIter,
)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "lowercase")]
pub enum Aspect {
    /// The key that encrypts it.
    Key,
    /// Its description.
    Description,
    /// The tags that the spec asks for.
    Tags,
    /// Its value.
    Value,
}

impl Resource {
    /// Whether it is the statement with this Sid.
    pub fn is_statement(&self, sid: &str) -> bool {
        matches!(self, Self::Statement { sid: known, .. } | Self::SecretStatement { sid: known, .. } if known == sid)
    }

    /// The secret that it is, or is a part of.
    pub fn secret(&self) -> Option<&SecretName> {
        match self {
            Self::Secret { secret }
            | Self::SecretAspect { secret, .. }
            | Self::SecretStatement { secret, .. }
            | Self::Replica { secret, .. } => Some(secret),
            Self::Statement { .. }
            | Self::InlinePolicy { .. }
            | Self::ManagedPolicy { .. }
            | Self::Attachment { .. } => None,
        }
    }

    /// Whether it is what a secret is, and goes with it.
    pub fn is_aspect(&self) -> bool {
        matches!(self, Self::SecretAspect { .. })
    }

    /// The partition in which the resource lives.
    pub fn partition(&self) -> Partition {
        match self {
            Self::Statement { key, .. } => key.partition(),
            Self::InlinePolicy { entity, .. } => entity.partition(),
            Self::ManagedPolicy { policy } | Self::Attachment { policy, .. } => policy.partition(),
            Self::Secret { secret }
            | Self::SecretAspect { secret, .. }
            | Self::SecretStatement { secret, .. }
            | Self::Replica { secret, .. } => secret.partition(),
        }
    }

    /// The account in which the resource lives.
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::Statement { key, .. } => Some(key.account().clone()),
            Self::InlinePolicy { entity, .. } | Self::Attachment { entity, .. } => Some(entity.account().clone()),
            Self::ManagedPolicy { policy } => policy.account().cloned(),
            Self::Secret { secret }
            | Self::SecretAspect { secret, .. }
            | Self::SecretStatement { secret, .. }
            | Self::Replica { secret, .. } => Some(secret.account().clone()),
        }
    }
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Statement { key, sid } => write!(f, "statement {sid:?} in the key policy of {key}"),
            Self::InlinePolicy { entity, name } => write!(f, "inline policy {name:?} of {entity}"),
            Self::ManagedPolicy { policy } => write!(f, "managed policy {policy}"),
            Self::Attachment { policy, entity } => write!(f, "{policy} attached to {entity}"),
            Self::Secret { secret } => write!(f, "secret {secret}"),
            Self::SecretAspect { secret, aspect } => write!(f, "{aspect} of secret {secret}"),
            Self::SecretStatement { secret, sid } => write!(f, "statement {sid:?} in the resource policy of {secret}"),
            Self::Replica { secret, region } => write!(f, "replica of {secret} in Region {region}"),
        }
    }
}

impl Record {
    /// The target for a resource.
    pub fn get(&self, resource: &Resource) -> Option<&Target> {
        self.targets.iter().find(|target| &target.resource == resource)
    }

    /// Whether AWS has confirmed a write of the resource.
    pub fn applied(&self, resource: &Resource) -> Option<&Target> {
        self.get(resource).filter(|target| target.state == State::Applied)
    }

    /// The key that an alias meant when it was first resolved for this object. A record that does not know the alias is older than
    /// that field, and the key is immutable.
    pub fn pinned(&self, alias: &AliasArn) -> Option<&KeyArn> {
        self.key.as_ref().filter(|_| self.alias.as_ref().is_none_or(|known| known == alias))
    }

    /// Binds the object to what an alias means.
    pub fn pin(&mut self, alias: AliasArn, key: KeyArn) {
        (self.alias, self.key) = (Some(alias), Some(key));
    }

    /// Records a target before its write. One that is already applied keeps its state and fingerprint until the new write is
    /// confirmed, so that a crash in between still tells drift from our own work. A secret that is made or taken over in the place of
    /// another one is searched by the new one's ARN or, until that is known, by its name and tags.
    pub fn intend(&mut self, target: Target) {
        let target = Target { state: State::Intended, ..target };
        let before = match self.targets.iter_mut().find(|known| known.resource == target.resource) {
            None => return self.targets.push(target),
            Some(known) if known.state == State::Intended => std::mem::replace(known, target).principals,
            Some(known) => {
                if known.makes_room_for(&target) {
                    // What was confirmed of the one before says nothing of it, but that there was a secret.
                    known.state = if target.fingerprint.is_empty() { State::Applied } else { State::Intended };
                    known.fingerprint = target.fingerprint;
                }
                return known.account_ref = target.account_ref;
            }
        };
        self.keep(before);
    }

    /// Records that AWS confirmed a write. How often it was undone before stays known, and so does whom it no longer names.
    pub fn confirm(&mut self, target: Target) {
        let target = Target { state: State::Applied, ..target };
        let before = match self.targets.iter_mut().find(|known| known.resource == target.resource) {
            None => {
                self.targets.push(target);
                BTreeMap::new()
            }
            Some(known) => {
                let undone = std::mem::take(&mut known.undone);
                std::mem::replace(known, Target { undone, ..target }).principals
            }
        };
        self.keep(before);
    }

    /// Keeps ids that no target knows.
    fn keep(&mut self, principals: BTreeMap<EntityArn, String>) {
        let Self { targets, principals: kept, .. } = self;
        kept.extend(principals);
        kept.retain(|principal, _| !targets.iter().any(|target| target.principals.contains_key(principal)));
    }

    /// Records that a write of ours was found undone, and is made again at `now`.
    pub fn note_undone(&mut self, resource: &Resource, now: i64) {
        if let Some(known) = self.targets.iter_mut().find(|known| &known.resource == resource) {
            known.undone.push(now);
            let surplus = known.undone.len().saturating_sub(CONTENDED_TIMES);
            known.undone.drain(..surplus);
        }
    }

    /// Whether somebody undoes a write of ours each time that we make it: three times in `within` seconds. When the first of
    /// them is so long ago, it is worth another try.
    pub fn is_contended(&self, resource: &Resource, now: i64, within: i64) -> bool {
        let undone = self.get(resource).map(|target| target.undone.as_slice()).unwrap_or_default();
        undone.iter().filter(|then| now - **then < within).count() >= CONTENDED_TIMES
    }

    /// Forgets a resource that is gone. Whom it trusted stays known for as long as the spec names them.
    ///
    /// A secret stays known for as long as something that stands on it does: without its ARN that could not be taken away any more.
    pub fn forget(&mut self, resource: &Resource) {
        if matches!(resource, Resource::Secret { secret } if self.stands_on(secret)) {
            return;
        }
        let gone = self.targets.extract_if(.., |target| &target.resource == resource).next();
        self.keep(gone.map(|target| target.principals).unwrap_or_default());
    }

    fn stands_on(&self, secret: &SecretName) -> bool {
        let mut known = self.targets.iter().map(|target| &target.resource);
        known.any(|resource| {
            let stands = matches!(resource, Resource::SecretStatement { .. } | Resource::Replica { .. });
            stands && resource.secret() == Some(secret)
        })
    }

    /// Forgets the ids of principals that are not kept.
    pub fn keep_principals(&mut self, kept: impl Fn(&EntityArn) -> bool) {
        self.principals.retain(|principal, _| kept(principal));
        for target in &mut self.targets {
            target.principals.retain(|principal, _| kept(principal));
        }
    }

    /// Unique ids and the principals that they stood for when one of our statements last named them.
    pub fn unique_ids(&self) -> BTreeMap<String, String> {
        self.all_trusted().map(|(principal, id)| (id.to_owned(), principal.to_string())).collect()
    }

    /// The unique id that stood behind a principal when one of our statements last named it.
    pub fn unique_id(&self, principal: &EntityArn) -> Option<&str> {
        self.all_trusted().find(|(known, _)| *known == principal).map(|(_, id)| id)
    }

    /// The same for everybody.
    pub(crate) fn trusted(&self) -> HashMap<&EntityArn, &str> {
        let mut trusted = HashMap::new();
        self.all_trusted().for_each(|(principal, id)| {
            trusted.entry(principal).or_insert(id);
        });
        trusted
    }

    /// Everybody whom our statements trust or trusted, with the id at that time. A statement that stands knows better.
    fn all_trusted(&self) -> impl Iterator<Item = (&EntityArn, &str)> {
        let all = self.targets.iter().flat_map(|target| &target.principals).chain(&self.principals);
        all.map(|(principal, id)| (principal, id.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/k";

    fn target(fingerprint: &str) -> Target {
        Target {
            resource: Resource::InlinePolicy {
                entity: "arn:aws:iam::444455556666:role/app".parse().unwrap(),
                name: "sharedkey@prod@team@orders@partner".into(),
            },
            consumer: "partner".into(),
            account_ref: "partner".into(),
            state: State::Intended,
            fingerprint: fingerprint.into(),
            principals: BTreeMap::new(),
            undone: Vec::new(),
        }
    }

    #[test]
    fn an_intention_does_not_hide_what_is_known_to_be_applied() {
        let mut record = Record::default();
        record.intend(target("one"));
        record.confirm(target("one"));
        record.intend(target("two"));
        assert_eq!(record.targets.len(), 1);
        assert_eq!((record.targets[0].state, record.targets[0].fingerprint.as_str()), (State::Applied, "one"));
    }

    #[test]
    fn a_secret_in_the_place_of_another_one_is_not_searched_by_the_old_ones_arn() {
        let secret: SecretName = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db".parse().unwrap();
        let itself = |arn: &str| Target { resource: Resource::Secret { secret: secret.clone() }, ..target(arn) };
        let intended = |arn| {
            let mut record = Record::default();
            record.confirm(itself("old"));
            record.note_undone(&itself("old").resource, 7);
            record.intend(itself(arn));
            record.targets.remove(0)
        };
        assert_eq!(intended("old"), Target { state: State::Applied, undone: vec![7], ..itself("old") });
        // One that is made: that there was one before is known, so that it is told that it was deleted.
        assert_eq!(intended(""), Target { state: State::Applied, undone: vec![7], ..itself("") });
        // One that is taken over may become another object's.
        assert_eq!(intended("new"), Target { state: State::Intended, undone: vec![7], ..itself("new") });
    }

    #[test]
    fn a_copy_that_is_moved_is_not_missed_on_the_way() {
        let secret: SecretName = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db".parse().unwrap();
        let copy = |key: &str| {
            let region = "us-east-1".parse().unwrap();
            Target { resource: Resource::Replica { secret: secret.clone(), region }, ..target(key) }
        };
        let mut record = Record::default();
        record.confirm(copy("one"));
        record.intend(copy("one"));
        assert_eq!(record.targets[0].state, State::Applied);
        record.intend(copy("two"));
        assert_eq!(record.targets, [copy("two")]);
    }

    #[test]
    fn a_record_survives_its_json() {
        let mut record = Record { key: Some(KEY.parse().unwrap()), ..Record::default() };
        record.confirm(target("one"));
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record);
    }

    #[test]
    fn a_record_without_a_kind_is_a_shared_keys() {
        let record: Record = serde_json::from_str(r#"{"object": {"namespace": "team", "name": "orders"}}"#).unwrap();
        assert_eq!(record.kind, Kind::SharedKey);
        assert!(!serde_json::to_string(&record).unwrap().contains("kind"));
        let record = Record { kind: Kind::ExternalSecret, ..record };
        assert!(serde_json::to_string(&record).unwrap().contains(r#""kind":"ExternalSecret""#));
    }

    #[test]
    fn a_secret_stays_known_until_nothing_stands_on_it() {
        let secret: SecretName = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db".parse().unwrap();
        let itself = Resource::Secret { secret: secret.clone() };
        let statement = Resource::SecretStatement { secret, sid: "SharedKey1".into() };
        let mut record = Record::default();
        for resource in [&itself, &statement] {
            record.confirm(Target { resource: resource.clone(), ..target("one") });
        }
        record.forget(&itself);
        assert!(record.get(&itself).is_some());
        record.forget(&statement);
        record.forget(&itself);
        assert_eq!(record.targets, []);
    }

    #[test]
    fn whom_a_statement_trusted_stays_known_until_another_one_knows_better() {
        let app: EntityArn = "arn:aws:iam::444455556666:role/app".parse().unwrap();
        let trusting = |consumer: &str, id: Option<&str>| Target {
            resource: Resource::Statement { key: KEY.parse().unwrap(), sid: consumer.into() },
            principals: id.map(|id| (app.clone(), id.to_owned())).into_iter().collect(),
            ..target("one")
        };
        let mut record = Record::default();
        record.intend(trusting("a", Some("AROA1")));
        record.intend(trusting("a", None));
        assert_eq!(record.unique_id(&app), Some("AROA1"));
        record.confirm(trusting("a", Some("AROA1")));
        record.confirm(trusting("a", None));
        assert_eq!(record.unique_id(&app), Some("AROA1"));
        record.confirm(trusting("b", Some("AROA2")));
        assert_eq!((record.unique_id(&app), record.principals.len()), (Some("AROA2"), 0));
        record.forget(&trusting("b", None).resource);
        assert_eq!(record.unique_id(&app), Some("AROA2"));
        record.keep_principals(|_| false);
        assert_eq!(record.unique_id(&app), None);
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let mut record = Record::default();
        record.intend(target("one"));
        record.forget(&target("one").resource);
        assert_eq!(record.targets, vec![]);
    }
}
