//! Taking access away: which steps undo what the ledger knows.
//!
//! From the ledger and from nothing else. Whoever writes a `SharedKey` may put another one under its name tomorrow, with another key
//! and another account; what goes is what was given, through the accounts through which it was given.

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_api::Mode;
use sharedkey_policy::{Edit, KeyArn, Sid};

use crate::{
    accounts::Accounts,
    desired::Account,
    ledger::{Record, Resource, Target},
    names::OwnerId,
    plan::{Action, Step},
};

/// Every step that undoes a record: the owners' halves first (D§10.4), attachments before the policies that they attach.
pub fn unshare(record: &Record, owner: &OwnerId, prune: bool) -> Vec<Step> {
    departed(record, &[], owner, prune)
}

/// The steps that undo what was written for consumers that the spec no longer names. Nothing else has to be known of the object, so they
/// are made while it is refused, too.
pub fn departed(record: &Record, named: &[&str], owner: &OwnerId, prune: bool) -> Vec<Step> {
    let departed = || record.targets.iter().filter(|target| !named.contains(&target.consumer.as_str()));
    let mut steps = key_policies(departed(), owner, prune);
    steps.extend(policies(departed(), record));
    steps
}

/// The strictest mode of all accounts in which something was written.
pub fn mode(record: &Record, accounts: &Accounts) -> Mode {
    let observed = record.targets.iter().any(|Target { resource, .. }| {
        resource.account().is_some_and(|id| accounts.mode(resource.partition(), &id) == Mode::Observe)
    });
    if observed { Mode::Observe } else { Mode::Enforce }
}

/// One step for each key whose policy has statements among the targets.
pub(crate) fn key_policies<'a>(targets: impl Iterator<Item = &'a Target>, owner: &OwnerId, prune: bool) -> Vec<Step> {
    let mut keys: BTreeMap<&KeyArn, (Account, BTreeSet<Sid>, Vec<Resource>)> = BTreeMap::new();
    for target in targets {
        let Resource::Statement { key, sid } = &target.resource else { continue };
        let Ok(sid) = sid.parse() else { continue };
        let account = Account { name: target.account_ref.clone(), id: key.account().clone() };
        let (_, remove, forgets) = keys.entry(key).or_insert_with(|| (account, BTreeSet::new(), Vec::new()));
        remove.insert(sid);
        forgets.push(target.resource.clone());
    }
    let step = |(key, (account, remove, forgets)): (&KeyArn, (Account, BTreeSet<Sid>, Vec<Resource>))| Step {
        account,
        action: Action::PutKeyPolicy {
            key: key.clone(),
            owner: owner.clone(),
            edit: Edit { put: Vec::new(), remove },
            unique_ids: BTreeMap::new(),
            prune,
        },
        records: Vec::new(),
        forgets,
    };
    keys.into_iter().map(step).collect()
}

/// The steps in the consumers' accounts.
pub(crate) fn policies<'a>(targets: impl Iterator<Item = &'a Target>, record: &Record) -> Vec<Step> {
    let mut steps: Vec<Step> = targets.filter_map(|target| policy(target, record)).collect();
    steps.sort_by_key(|step| matches!(step.action, Action::DeleteManagedPolicy { .. }));
    steps
}

fn policy(target: &Target, record: &Record) -> Option<Step> {
    let mut forgets = vec![target.resource.clone()];
    let action = match &target.resource {
        Resource::Statement { .. }
        | Resource::Secret { .. }
        | Resource::SecretAspect { .. }
        | Resource::SecretStatement { .. }
        | Resource::Replica { .. } => return None,
        Resource::InlinePolicy { entity, name } => {
            Action::DeleteInlinePolicy { entity: entity.clone(), name: name.clone() }
        }
        Resource::Attachment { policy, entity } => {
            Action::DetachPolicy { policy: policy.clone(), entity: entity.clone() }
        }
        Resource::ManagedPolicy { policy } => {
            let attached = record.targets.iter().map(|known| &known.resource);
            forgets.extend(
                attached
                    .filter(|known| matches!(known, Resource::Attachment { policy: of, .. } if of == policy))
                    .cloned(),
            );
            Action::DeleteManagedPolicy { policy: policy.clone() }
        }
    };
    let account = Account { name: target.account_ref.clone(), id: target.resource.account()? };
    Some(Step { account, action, records: Vec::new(), forgets })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sharedkey_api::AwsAccountSpec;

    use super::*;
    use crate::compare::testing::World;

    const OTHER_KEY: &str = "arn:aws:kms:eu-west-1:777788889999:key/9999abcd-12ab-34cd-56ef-1234567890ab";

    fn written(steps: &[Step]) -> Vec<String> {
        steps.iter().map(|step| format!("{}: {}", step.account.name, step.action)).collect()
    }

    #[test]
    fn everything_goes_that_the_ledger_knows_whatever_the_key_of_the_spec() {
        let mut world = World::shared();
        let mut before = world.record.targets[0].clone();
        before.account_ref = "owner-before".into();
        before.resource =
            Resource::Statement { key: OTHER_KEY.parse().unwrap(), sid: "SharedKey/prod/team/orders/old".into() };
        world.record.targets.push(before);
        let steps = unshare(&world.record, world.desired.names.owner(), false);
        let (first, second) = (world.key(), OTHER_KEY);
        assert_eq!(
            written(&steps)[..2],
            [
                format!("owner: write the key policy of {first} -\"SharedKey/prod/team/orders/partner\""),
                format!("owner-before: write the key policy of {second} -\"SharedKey/prod/team/orders/old\""),
            ]
        );
        let forgotten = steps.iter().map(|step| step.forgets.len()).sum::<usize>();
        assert_eq!((steps.len(), forgotten), (4, world.record.targets.len()));
        assert!(steps.iter().all(|step| step.action.revokes()));
    }

    #[test]
    fn a_managed_policy_goes_after_its_attachments() {
        let world = World::managed();
        let steps = unshare(&world.record, world.desired.names.owner(), false);
        let actions: Vec<String> =
            steps.iter().filter_map(|step| step.action.to_string().split(' ').next().map(str::to_owned)).collect();
        assert_eq!(actions, ["write", "detach", "detach", "delete"]);
    }

    #[test]
    fn every_account_that_was_written_to_caps_the_mode() {
        let world = World::shared();
        let account = |id: &str, mode: &str| -> AwsAccountSpec {
            serde_json::from_value(json!({
                "accountId": id, "defaultRegion": "eu-west-1", "credentials": {"ambient": {}}, "mode": mode,
            }))
            .unwrap()
        };
        for (owner, partner, capped) in [
            ("Enforce", "Enforce", Mode::Enforce),
            ("Observe", "Enforce", Mode::Observe),
            ("Enforce", "Observe", Mode::Observe),
        ] {
            let accounts = [
                ("o".to_owned(), account("111122223333", owner)),
                ("p".to_owned(), account("444455556666", partner)),
                ("unused".to_owned(), account("999999999999", "Observe")),
            ];
            assert_eq!(mode(&world.record, &Accounts(accounts.into())), capped, "{owner}, {partner}");
        }
    }
}
