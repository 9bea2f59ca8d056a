//! One sweep over everything that an object is about: concurrent, shared, never failing as a whole.
//!
//! The calls of a sweep in which nothing is shared with other objects and nothing is cached yet:
//!
//! | what | calls |
//! | --- | --- |
//! | key | `kms:DescribeKey`, `kms:GetKeyPolicy`; by alias the first one names the alias and shows its key, so it is two as well; a moved alias costs a third |
//! | secret | `secretsmanager:DescribeSecret`, `secretsmanager:GetResourcePolicy`; `secretsmanager:ListSecretVersionIds` only where it is asked for; one `kms:DescribeKey` for each alias that names its key |
//! | role | `iam:GetRole`, `iam:ListRolePolicies`, `iam:GetRolePolicy` for each, `iam:ListAttachedRolePolicies` |
//! | user | `iam:GetUser`, `iam:ListUserPolicies`, `iam:GetUserPolicy` for each, `iam:ListAttachedUserPolicies`, `iam:ListGroupsForUser` |
//! | group of a user | `iam:ListGroupPolicies`, `iam:GetGroupPolicy` for each, `iam:ListAttachedGroupPolicies` |
//! | managed policy, boundary | `iam:GetPolicy`; `iam:GetPolicyVersion` once for ever, for a version never changes |
//! | managed policy of ours whose default is not what is wanted | `iam:ListPolicyVersions`, `iam:GetPolicyVersion` for each, once for ever |
//!
//! Lists cost one call a page. A secret is one object's, and read anew each time. Keys, roles, users, groups and managed policies are read once for all objects that name them
//! through the same `AwsAccount`, for as long as the caller takes a reading for fresh, or until we write them. Two
//! `AwsAccount`s never share a reading, because they may not have the same rights.

mod entity;
mod key;
mod managed;
mod secret;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::join_all;
use moka::sync::Cache;
use sharedkey_engine::{
    delegate::Delegate,
    desired::{Account, Delegation, Desired},
    ledger::{Record, Resource},
    names::Names,
    observed::{Entity, KeyMetadata, ManagedPolicy, Observed},
    problem::Reading,
};
use sharedkey_policy::{EntityArn, KeyArn, MalformedPolicy, Partition, PolicyArn, PolicyDocument};
use tokio::time::Instant;

use self::{
    entity::{Held, RawEntity},
    managed::VersionKey,
};
use crate::{Aws, fingerprint, fresh::Fresh, recent::Subject};

pub(crate) use managed::RawManaged;

/// Documents of versions that are kept. They are small: a managed policy has at most 6,144 characters (D§4.1).
const DOCUMENTS: u64 = 10_000;

/// A document, or the place where it is malformed.
pub(crate) type Parsed = Result<PolicyDocument, MalformedPolicy>;

/// The name of the `AwsAccount` through which something was read, and what.
type Through<T> = (String, T);

/// Readings that objects share.
pub(crate) struct Caches {
    described: Fresh<Through<String>, Option<(KeyArn, KeyMetadata)>>,
    policies: Fresh<Through<KeyArn>, Option<Parsed>>,
    entities: Fresh<Through<EntityArn>, RawEntity>,
    groups: Fresh<Through<String>, Held>,
    managed: Fresh<Through<PolicyArn>, Option<RawManaged>>,
    versions: Cache<VersionKey, Parsed>,
}

impl Caches {
    pub(crate) fn new() -> Self {
        Self {
            described: Fresh::new(),
            policies: Fresh::new(),
            entities: Fresh::new(),
            groups: Fresh::new(),
            managed: Fresh::new(),
            versions: Cache::new(DOCUMENTS),
        }
    }

    /// Forgets what was read of something that we have written, through any `AwsAccount` of its account.
    pub(crate) fn forget(&self, subject: &Subject, names: &[String]) {
        for name in names {
            match subject {
                Subject::KeyPolicy(key) => self.policies.forget(&(name.clone(), key.clone())),
                Subject::Entity(entity, _) => {
                    self.entities.forget(&(name.clone(), entity.clone()));
                }
                Subject::Managed(policy) => self.managed.forget(&(name.clone(), policy.clone())),
                // Each is one object's, which reads it anew each time.
                Subject::Secret(..) => {}
            }
        }
    }

    /// Forgets what was read of every role and user: a policy was detached from all of them.
    pub(crate) fn forget_entities(&self) {
        self.entities.forget_all();
    }
}

impl Aws {
    /// Reads everything that a comparison looks at. What cannot be read is said in its place.
    ///
    /// Roles, users and managed policies that only the record knows are read too: what was removed from the spec is
    /// un-shared from there. A reading of others is used if it is not older than `freshness`.
    pub async fn observe(&self, desired: &Desired, record: &Record, freshness: Duration) -> Observed {
        let delegates: Vec<_> = desired.consumers.iter().map(|consumer| consumer.delegate(None)).collect();
        let (key, entities) = futures::join!(
            self.observe_key(&desired.key, freshness),
            self.observe_entities(&delegates, record, freshness),
        );
        let arn = key.arn.as_ref().ok().and_then(Option::as_ref);
        let delegates: Vec<_> = desired.consumers.iter().map(|consumer| consumer.delegate(arn)).collect();
        let managed = Managed { delegates: &delegates, names: &desired.names, partition: desired.key.partition() };
        let managed = self.observe_managed_policies(managed, record, freshness).await;
        Observed { key, entities, managed }
    }

    /// The roles and users of all delegates, and those that only the record knows.
    async fn observe_entities(
        &self,
        delegates: &[Delegate<'_>],
        record: &Record,
        freshness: Duration,
    ) -> BTreeMap<EntityArn, Reading<Entity>> {
        let entities = entities(delegates, record);
        let entities = entities.iter().map(|(account, entity)| async move {
            (entity.clone(), self.observe_entity(account, entity, freshness).await)
        });
        join_all(entities).await.into_iter().collect()
    }

    async fn observe_managed_policies(
        &self,
        managed: Managed<'_>,
        record: &Record,
        freshness: Duration,
    ) -> BTreeMap<PolicyArn, Reading<ManagedPolicy>> {
        let policies = managed.policies(record);
        let policies = policies.iter().map(|(policy, (account, wanted))| async move {
            (policy.clone(), self.observe_managed(account, policy, wanted.as_ref(), freshness).await)
        });
        join_all(policies).await.into_iter().collect()
    }

    /// Whether a reading of a document shows what we replaced a moment ago.
    pub(crate) fn document_lags(&self, subject: &Subject, partition: Partition, document: &Parsed) -> bool {
        self.recent().lags(subject, Instant::now(), || Some(fingerprint::of_parsed(document, partition)))
    }
}

/// The roles and users to read, each once.
fn entities(delegates: &[Delegate<'_>], record: &Record) -> BTreeSet<(Account, EntityArn)> {
    let reachable = delegates.iter().filter_map(|delegate| Some((delegate.reach?, delegate.principals)));
    let named = reachable.flat_map(|(account, principals)| principals.iter().map(|arn| (account.clone(), arn.clone())));
    let mut entities: BTreeSet<_> = named.collect();
    let known: BTreeSet<EntityArn> = entities.iter().map(|(_, entity)| entity.clone()).collect();
    entities.extend(record.targets.iter().filter_map(|target| match &target.resource {
        Resource::InlinePolicy { entity, .. } | Resource::Attachment { entity, .. } if !known.contains(entity) => {
            Some((Account { name: target.account_ref.clone(), id: entity.account().clone() }, entity.clone()))
        }
        _ => None,
    }));
    entities
}

/// Where managed policies may delegate.
#[derive(Clone, Copy)]
struct Managed<'a> {
    delegates: &'a [Delegate<'a>],
    names: &'a Names,
    partition: Partition,
}

impl Managed<'_> {
    /// The managed policies to read, with the document that each should have, where one is wanted.
    fn policies(self, record: &Record) -> BTreeMap<PolicyArn, (Account, Option<PolicyDocument>)> {
        let recorded = record.targets.iter().filter_map(|target| match &target.resource {
            Resource::ManagedPolicy { policy } => {
                let account = Account { name: target.account_ref.clone(), id: target.resource.account()? };
                Some((policy.clone(), (account, None)))
            }
            _ => None,
        });
        let delegating = self.delegates.iter().filter(|delegate| delegate.delegation == Delegation::ManagedPolicy);
        let wanted = delegating.filter_map(|delegate| {
            let policy = delegate.managed_policy(self.names, self.partition);
            Some((policy, (delegate.reach?.clone(), delegate.document.clone())))
        });
        recorded.chain(wanted).collect()
    }
}
