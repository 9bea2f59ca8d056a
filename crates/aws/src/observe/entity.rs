//! Roles and users, with every document that decides what they may do.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::{join_all, try_join_all};
use sharedkey_engine::{
    desired::Account,
    observed::{Entity, EntityState},
    problem::{Class, Failure, Reading},
};
use sharedkey_policy::{AttachedDocument, EntityArn, EntityKind, IdentityPolicies, PolicyArn, PolicyDocument};
use tokio::time::Instant;

use super::Parsed;
use crate::{
    Aws, class, fingerprint,
    iam::{Head, Holder, Iam},
    reach::Reach,
    recent::{Policy, Subject},
};

/// A role or user as it was read, without the documents that it shares with others.
#[derive(Clone, Debug)]
pub(super) enum RawEntity {
    Absent { elsewhere: Option<EntityArn> },
    Present { unique_id: String, boundary: Option<PolicyArn>, groups: Vec<String>, held: Held },
}

/// What a role, user or group holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    inline: BTreeMap<String, Parsed>,
    attached: BTreeSet<PolicyArn>,
}

impl Aws {
    pub(super) async fn observe_entity(
        &self,
        account: &Account,
        entity: &EntityArn,
        freshness: Duration,
    ) -> Reading<Entity> {
        let of = (account.name.clone(), entity.clone());
        let read = || async {
            let reach = self.registry.reach(account)?;
            read_entity(&reach, entity).await
        };
        let (unique_id, boundary, groups, held) = match self.caches.entities.get(&of, freshness, read).await? {
            RawEntity::Absent { elsewhere } => return Ok(Entity::Absent { elsewhere }),
            RawEntity::Present { unique_id, boundary, groups, held } => (unique_id, boundary, groups, held),
        };
        let groups = groups.iter().map(|group| self.observe_group(account, group, freshness));
        let (own, boundary, groups) = futures::join!(
            self.documents(account, &held, "", freshness),
            self.boundary(account, boundary, freshness),
            try_join_all(groups),
        );
        let mut policies = IdentityPolicies { policies: own?, boundary: boundary? };
        policies.policies.extend(groups?.into_iter().flatten());
        let lagging = self.lagging(entity, &held, &policies);
        let Held { inline, attached } = held;
        Ok(Entity::Present(EntityState { unique_id, inline, attached, policies, lagging }))
    }

    async fn observe_group(
        &self,
        account: &Account,
        group: &str,
        freshness: Duration,
    ) -> Reading<Vec<AttachedDocument>> {
        let of = (account.name.clone(), group.to_owned());
        let read = || async {
            let reach = self.registry.reach(account)?;
            // A group that went meanwhile holds nothing.
            Ok(read_held(&reach, &Holder::group(group.to_owned())).await?.unwrap_or_default())
        };
        let held = self.caches.groups.get(&of, freshness, read).await?;
        self.documents(account, &held, &format!("group {group}: "), freshness).await
    }

    /// All documents of a holder. An inline policy that is malformed stands in [`EntityState::inline`] instead.
    async fn documents(
        &self,
        account: &Account,
        held: &Held,
        whose: &str,
        freshness: Duration,
    ) -> Reading<Vec<AttachedDocument>> {
        let inline = held.inline.iter().filter_map(|(name, document)| {
            let document = document.as_ref().ok()?.clone();
            Some(AttachedDocument { name: format!("{whose}inline policy {name}"), document })
        });
        let attached = held.attached.iter().map(|policy| self.attached(account, policy, whose, freshness));
        let attached: Vec<Option<AttachedDocument>> = try_join_all(attached).await?;
        Ok(inline.chain(attached.into_iter().flatten()).collect())
    }

    async fn boundary(
        &self,
        account: &Account,
        boundary: Option<PolicyArn>,
        freshness: Duration,
    ) -> Reading<Option<AttachedDocument>> {
        match boundary {
            Some(policy) => self.attached(account, &policy, "", freshness).await,
            None => Ok(None),
        }
    }

    /// The document in force of a managed policy. One that nobody can read would make any verdict a guess, so it is a
    /// failure; one that went meanwhile decides nothing.
    async fn attached(
        &self,
        account: &Account,
        policy: &PolicyArn,
        whose: &str,
        freshness: Duration,
    ) -> Reading<Option<AttachedDocument>> {
        let Some(managed) = self.managed(account, policy, freshness).await? else { return Ok(None) };
        let document = managed.document.map_err(|malformed| Failure {
            class: Class::UserActionNeeded,
            account: account.id.clone(),
            action: "iam:GetPolicyVersion".into(),
            resource: policy.to_string(),
            code: "MalformedPolicy".into(),
            message: malformed.to_string(),
        })?;
        Ok(Some(AttachedDocument { name: format!("{whose}{policy}"), document }))
    }

    /// What of an entity equals what we replaced a moment ago.
    fn lagging(&self, entity: &EntityArn, held: &Held, policies: &IdentityPolicies) -> BTreeSet<String> {
        let (mut recent, now, partition) = (self.recent(), Instant::now(), entity.partition());
        let mut lagging = BTreeSet::new();
        for part in recent.of_entity(entity) {
            let (name, read) = match &part {
                Policy::Inline(name) => {
                    let document = held.inline.get(name);
                    (name.clone(), document.map(|document| fingerprint::of_parsed(document, partition)))
                }
                Policy::Attached(policy) => {
                    (policy.to_string(), held.attached.contains(policy).then(|| policy.to_string()))
                }
            };
            if recent.lags(&Subject::Entity(entity.clone(), part), now, || read) {
                lagging.insert(name);
            }
        }
        for policy in &held.attached {
            let name = policy.to_string();
            let Some(document) = policies.policies.iter().find(|document| document.name == name) else { continue };
            let read = || Some(fingerprint::of(&document.document, partition));
            if recent.lags(&Subject::Managed(policy.clone()), now, read) {
                lagging.insert(name);
            }
        }
        lagging
    }
}

async fn read_entity(reach: &Reach, entity: &EntityArn) -> Reading<RawEntity> {
    let iam = Iam::new(reach);
    let Some(head) = iam.head(entity).await? else { return Ok(RawEntity::Absent { elsewhere: None }) };
    if head.arn != entity.to_string() {
        return Ok(RawEntity::Absent { elsewhere: head.arn.parse().ok() });
    }
    let holder = Holder::from(entity);
    let groups = async {
        match entity.kind() {
            EntityKind::Role => Ok(Vec::new()),
            EntityKind::User => iam.groups(entity).await,
        }
    };
    let (held, groups) = futures::try_join!(read_held(reach, &holder), groups)?;
    let Some(held) = held else { return Ok(RawEntity::Absent { elsewhere: None }) };
    let Head { unique_id, boundary, .. } = head;
    let boundary = boundary.map(|arn| policy_arn(reach, entity, &arn)).transpose()?;
    Ok(RawEntity::Present { unique_id, boundary, groups, held })
}

/// What a holder holds; none if it went meanwhile.
async fn read_held(reach: &Reach, holder: &Holder) -> Reading<Option<Held>> {
    let iam = Iam::new(reach);
    let lists = futures::try_join!(iam.inline_names(holder), iam.attached(holder));
    let Some((names, attached)) = class::or_absent(lists)? else { return Ok(None) };
    let documents = join_all(names.into_iter().map(|name| async {
        let document = iam.inline(holder, &name).await?;
        // One that went between the list and the reading is gone.
        Ok(document.map(|text| (name, PolicyDocument::parse_encoded(&text))))
    }));
    let inline: Reading<Vec<Option<(String, Parsed)>>> = documents.await.into_iter().collect();
    let attached: Reading<BTreeSet<PolicyArn>> = attached.iter().map(|arn| policy_arn(reach, holder, arn)).collect();
    Ok(Some(Held { inline: inline?.into_iter().flatten().collect(), attached: attached? }))
}

fn policy_arn(reach: &Reach, of: &impl ToString, arn: &str) -> Reading<PolicyArn> {
    arn.parse().map_err(|error: sharedkey_policy::ArnError| Failure {
        class: Class::Transient,
        account: reach.access().account_id.clone(),
        action: "iam:ListAttachedRolePolicies".into(),
        resource: of.to_string(),
        code: "UnreadableAnswer".into(),
        message: error.to_string(),
    })
}
