//! Taking access to secrets away, and secrets themselves: which steps undo what the ledger knows, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_api::ExternalSecretSpec;
use sharedkey_policy::{Edit, Region, SecretArn, SecretName, Sid};

use crate::{
    desired::Account,
    ledger::{Record, Resource, Target},
    names::Names,
    plan::{Action, Step},
};

/// What becomes of the secret itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It stays, and is nobody's.
    Retain,
    /// It is scheduled for deletion.
    Delete {
        /// Days for which it can be restored.
        window_days: i32,
    },
}

/// What the end of an object is to a secret. Only the one that the spec names is deleted: an object of the same name may have had another
/// one before.
pub fn deletion(spec: &ExternalSecretSpec, target: &Target) -> Deletion {
    let is_named = |secret: &SecretName| secret.name() == spec.secret_name && secret.region().as_str() == spec.region;
    let is_named = target.account_ref == spec.account_ref.name && target.resource.secret().is_some_and(is_named);
    match spec.recovery_window_days().filter(|_| is_named) {
        Some(window_days) => Deletion::Delete { window_days },
        None => Deletion::Retain,
    }
}

/// Every step that undoes a record: the owner's half first (D§10.4), so that nobody reads any longer even where the readers' accounts
/// cannot be reached. `deletion` says what becomes of a secret, by what was written of it.
pub fn unshare(record: &Record, names: &Names, deletion: impl Fn(&Target) -> Deletion) -> Vec<Step> {
    let mut steps = secrets(record.targets.iter(), record, names, deletion);
    steps.extend(crate::revoke::policies(record.targets.iter(), record));
    steps
}

/// The steps that undo what was written for readers that the spec no longer names. Nothing else has to be known of the object, so they
/// are made while it is refused, too.
pub fn departed(record: &Record, named: &[&str], names: &Names) -> Vec<Step> {
    // What is written for no reader is the secret itself.
    let is_gone = |target: &&Target| !target.consumer.is_empty() && !named.contains(&target.consumer.as_str());
    let departed = || record.targets.iter().filter(is_gone);
    let mut steps = secrets(departed(), record, names, |_| Deletion::Retain);
    steps.extend(crate::revoke::policies(departed(), record));
    steps
}

/// The steps in the accounts of the secrets among the targets.
pub(super) fn secrets<'a>(
    targets: impl Iterator<Item = &'a Target>,
    record: &Record,
    names: &Names,
    deletion: impl Fn(&Target) -> Deletion,
) -> Vec<Step> {
    let mut secrets: BTreeMap<&SecretName, Vec<&Target>> = BTreeMap::new();
    for target in targets {
        if let Some(secret) = target.resource.secret() {
            secrets.entry(secret).or_default().push(target);
        }
    }
    let ending = |(secret, targets): (_, Vec<&Target>)| {
        let deletion = targets.first().map_or(Deletion::Retain, |target| deletion(target));
        Ending { secret, arn: arn(secret, record), targets, names, deletion }.steps()
    };
    secrets.into_iter().flat_map(ending).collect()
}

/// The ARN of a secret, if the ledger has learnt it. What carries the same name under another ARN is not what was written to.
fn arn(secret: &SecretName, record: &Record) -> Option<SecretArn> {
    record.get(&Resource::Secret { secret: secret.clone() })?.fingerprint.parse().ok()
}

/// The end of what one secret is to an object.
struct Ending<'a> {
    secret: &'a SecretName,
    arn: Option<SecretArn>,
    targets: Vec<&'a Target>,
    names: &'a Names,
    deletion: Deletion,
}

impl Ending<'_> {
    fn steps(&self) -> Vec<Step> {
        let statements = self.arn.as_ref().and_then(|arn| self.statements(arn));
        statements.into_iter().chain(self.itself()).collect()
    }

    fn step(&self, action: Action, forgets: Vec<Resource>) -> Option<Step> {
        let account_ref = &self.targets.first()?.account_ref;
        let account = Account { name: account_ref.clone(), id: self.secret.account().clone() };
        Some(Step { account, action, records: Vec::new(), forgets })
    }

    fn resources(&self, is: impl Fn(&Resource) -> bool) -> Vec<Resource> {
        self.targets.iter().map(|target| &target.resource).filter(|resource| is(resource)).cloned().collect()
    }

    fn statements(&self, arn: &SecretArn) -> Option<Step> {
        let statements = self.resources(|resource| matches!(resource, Resource::SecretStatement { .. }));
        let sid = |resource: &Resource| match resource {
            Resource::SecretStatement { sid, .. } => sid.parse::<Sid>().ok(),
            _ => None,
        };
        let remove: BTreeSet<Sid> = statements.iter().filter_map(sid).collect();
        if remove.is_empty() {
            return None;
        }
        let action = Action::PutResourcePolicy {
            secret: arn.clone(),
            owner: self.names.owner().clone(),
            edit: Edit { put: Vec::new(), remove },
            unique_ids: BTreeMap::new(),
        };
        self.step(action, statements)
    }

    fn replicas(&self) -> BTreeSet<Region> {
        let region = |target: &&Target| match &target.resource {
            Resource::Replica { region, .. } => Some(region.clone()),
            _ => None,
        };
        self.targets.iter().filter_map(region).collect()
    }

    /// The secret, with all that goes with it or is nobody's business any longer. Copies stay known until it is gone: one that AWS makes
    /// late keeps it from being deleted.
    fn itself(&self) -> Option<Step> {
        let is_ours = self.targets.iter().any(|target| matches!(target.resource, Resource::Secret { .. }));
        let tags = self.names.tags(None);
        if !is_ours {
            return None;
        }
        let (secret, arn) = (self.secret.clone(), self.arn.clone());
        let action = match self.deletion {
            Deletion::Delete { window_days } => {
                Action::DeleteSecret { secret, arn, tags, replicas: self.replicas(), window_days }
            }
            Deletion::Retain => Action::UntagSecret { secret, arn, tags },
        };
        let stays = |resource: &Resource| self.arn.is_some() && matches!(resource, Resource::SecretStatement { .. });
        let mut forgets = self.resources(|resource| !stays(resource));
        // Last, for it stays known while something stands on it.
        forgets.sort_by_key(|resource| matches!(resource, Resource::Secret { .. }));
        self.step(action, forgets)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_secret_that_the_spec_names_is_deleted() {
        let target = json!({
            "resource": {"type": "secret", "secret": "arn:aws:secretsmanager:eu-west-1:444455556666:secret:team/db"},
            "consumer": "", "accountRef": "partner", "state": "Applied", "fingerprint": "",
        });
        let target: Target = serde_json::from_value(target).unwrap();
        let named = json!({
            "accountRef": {"name": "partner"}, "region": "eu-west-1", "secretName": "team/db", "kmsKeyArn": "k",
            "deletionPolicy": "Delete", "recoveryWindowDays": 7,
        });
        let decided = |field: &str, value: &str| {
            let mut spec = named.clone();
            spec[field] = if field == "accountRef" { json!({"name": value}) } else { json!(value) };
            deletion(&serde_json::from_value(spec).unwrap(), &target)
        };
        assert_eq!(decided("region", "eu-west-1"), Deletion::Delete { window_days: 7 });
        for (field, value) in [
            ("deletionPolicy", "Retain"),
            ("secretName", "team/other"),
            ("region", "eu-west-2"),
            ("accountRef", "another"),
        ] {
            assert_eq!(decided(field, value), Deletion::Retain, "{field}");
        }
    }
}
