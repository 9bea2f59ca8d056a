//! Writes on the principals' side, be it for a key or for a secret.

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_policy::{EntityArn, NormalContext, PolicyArn, PolicyDocument, document_fingerprint};

use super::{Action, Step};
use crate::{
    delegate::Delegate,
    desired::Account,
    ledger::{Resource, State, Target},
    names::Names,
    observed::{Entity, ManagedPolicy, entity},
    problem::Reading,
};

/// What it takes to write there.
pub(crate) struct Delegating<'a> {
    pub(crate) names: &'a Names,
    pub(crate) delegates: &'a [Delegate<'a>],
    pub(crate) entities: &'a BTreeMap<EntityArn, Reading<Entity>>,
    pub(crate) managed: &'a BTreeMap<PolicyArn, Reading<ManagedPolicy>>,
    /// The context in which what we write is fingerprinted.
    pub(crate) context: NormalContext,
}

impl Delegating<'_> {
    /// The steps that mend what is broken, on principals that exist.
    pub(crate) fn steps(&self, broken: &BTreeSet<&Resource>) -> Vec<Step> {
        let mut steps = Vec::new();
        for delegate in self.delegates {
            let (Some(account), Some(document)) = (delegate.reach, &delegate.document) else { continue };
            let mut done = BTreeSet::new();
            for resource in self.resources(delegate) {
                if broken.contains(&resource) && done.insert(resource.clone()) {
                    let fingerprint = document_fingerprint(document, &self.context);
                    let target = target(account, delegate, resource, fingerprint);
                    steps.push(self.step(account, delegate, target, document));
                }
            }
        }
        steps
    }

    /// Everything that stands there once nothing is broken, as far as it was read.
    pub(crate) fn standing(&self) -> Vec<Target> {
        let mut standing = Vec::new();
        for delegate in self.delegates {
            let (Some(account), Some(document)) = (delegate.reach, &delegate.document) else { continue };
            let fingerprint = document_fingerprint(document, &self.context);
            let resources = self.resources(delegate).filter(|resource| self.was_read(resource));
            let resources: BTreeSet<Resource> = resources.collect();
            let target = |resource| target(account, delegate, resource, fingerprint.clone());
            standing.extend(resources.into_iter().map(target));
        }
        standing
    }

    fn resources(&self, delegate: &Delegate<'_>) -> impl Iterator<Item = Resource> {
        let present = delegate.principals.iter().filter(|arn| entity(self.entities, arn).is_some());
        present.flat_map(|arn| delegate.delegated_by(self.names, arn))
    }

    fn step(&self, account: &Account, delegate: &Delegate<'_>, target: Target, document: &PolicyDocument) -> Step {
        let action = match &target.resource {
            Resource::ManagedPolicy { policy } => Action::PutManagedPolicy {
                policy: policy.clone(),
                document: document.clone(),
                tags: self.names.tags(Some(delegate.name)),
                description: delegate.given.description(self.names.object()),
            },
            Resource::Attachment { policy, entity } => {
                Action::AttachPolicy { policy: policy.clone(), entity: entity.clone() }
            }
            Resource::InlinePolicy { entity, name } => {
                Action::PutInlinePolicy { entity: entity.clone(), name: name.clone(), document: document.clone() }
            }
            _ => unreachable!("principals are given policies"),
        };
        Step { account: account.clone(), action, records: vec![target], forgets: Vec::new() }
    }

    /// Whether it is known how a resource of a principal that was read stands.
    fn was_read(&self, resource: &Resource) -> bool {
        match resource {
            Resource::ManagedPolicy { policy } | Resource::Attachment { policy, .. } => {
                matches!(self.managed.get(policy), Some(Ok(ManagedPolicy::Present { .. })))
            }
            _ => true,
        }
    }
}

fn target(account: &Account, delegate: &Delegate<'_>, resource: Resource, fingerprint: String) -> Target {
    Target {
        resource,
        consumer: delegate.name.to_owned(),
        account_ref: account.name.clone(),
        state: State::Intended,
        fingerprint,
        principals: BTreeMap::new(),
        undone: Vec::new(),
    }
}
