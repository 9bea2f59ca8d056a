//! Which key encrypts a secret or a replica.

use std::collections::BTreeMap;

use sharedkey_api::{self as api, AwsAccountSpec, conditions::Reason};
use sharedkey_policy::{KeyArn, Region, SecretArn};

use super::{Input, Referenced};
use crate::{
    accounts::{Wanted, account_id, allows, opens, partition},
    desired::{Account, Desired, KeySource},
    ledger::Resource,
    names::ObjectName,
    plan::Blocker,
    resolve::{self, Refusal, parse, refuse, scope::Scope},
    secret::{desired::EncryptionKey, writer},
};

/// Finds keys for the secret of one account.
pub(super) struct Keys<'a> {
    pub(super) input: &'a Input<'a>,
    pub(super) scope: &'a Scope<'a>,
    pub(super) account: &'a Account,
    pub(super) spec: &'a AwsAccountSpec,
}

impl Keys<'_> {
    /// The key of a Region, and in `waits` what keeps the operator from using it. `field` is what stands before the field's name.
    pub(super) fn resolve(
        &self,
        field: &str,
        key: &api::EncryptionKey,
        region: &Region,
        waits: &mut Vec<Blocker>,
    ) -> Result<EncryptionKey, Refusal> {
        let key = match (&key.shared_key_ref, &key.kms_key_arn) {
            (Some(reference), None) => self.shared(&format!("{field}sharedKeyRef"), &reference.name, waits)?,
            (None, Some(arn)) => self.plain(&format!("{field}kmsKeyArn"), arn)?,
            _ => {
                return refuse(
                    Reason::InvalidSpec,
                    format!("{field}sharedKeyRef: exactly one of sharedKeyRef and kmsKeyArn"),
                );
            }
        };
        if key.arn.region() != region {
            let (field, name) = match &key.shared_key {
                Some(name) => (format!("{field}sharedKeyRef"), format!("SharedKey {name:?} is about {}", key.arn)),
                None => (format!("{field}kmsKeyArn"), key.arn.to_string()),
            };
            return refuse(
                Reason::InvalidSpec,
                format!(
                    "{field}: {name}, which is not in Region {region}; AWS encrypts a secret with a key of the secret's own Region"
                ),
            );
        }
        Ok(key)
    }

    /// The key of a `SharedKey` of the namespace, which has asked for the right to it.
    fn shared(&self, field: &str, name: &str, waits: &mut Vec<Blocker>) -> Result<EncryptionKey, Refusal> {
        let namespace = &self.input.object.namespace;
        let Some(referenced) = self.input.shared_keys.get(name) else {
            return refuse(
                Reason::SharedKeyNotFound,
                format!(
                    "{field}: there is no SharedKey {name:?} in namespace {namespace:?}; create it, or correct {field}"
                ),
            );
        };
        if referenced.deleting {
            return refuse(
                Reason::SharedKeyNotReady,
                format!("{field}: SharedKey {name:?} is being deleted; name another one"),
            );
        }
        let desired = self.desired(name, referenced).map_err(|refusal| Refusal {
            reason: Reason::SharedKeyNotReady,
            message: format!("{field}: SharedKey {name:?} is refused itself: {}", refusal.message),
        })?;
        let Some(arn) = key_of(&desired) else {
            return refuse(
                Reason::SharedKeyNotReady,
                format!("{field}: SharedKey {name:?} has not found its key yet; see its conditions"),
            );
        };
        let secret = self.secret().filter(|secret| secret.region() == arn.region());
        let writer = writer::Writer { identity: self.input.identity, account: self.account, secret, field, name };
        waits.extend(writer::obstacle(&writer, &desired, &arn, referenced.status));
        Ok(EncryptionKey { arn, reach: Some(desired.key.account), shared_key: Some(name.to_owned()) })
    }

    /// The secret, once the ledger has learnt its ARN.
    fn secret(&self) -> Option<SecretArn> {
        let known = self.input.record.targets.iter().find(|target| matches!(target.resource, Resource::Secret { .. }));
        known?.fingerprint.parse().ok()
    }

    fn desired(&self, name: &str, referenced: &Referenced<'_>) -> Result<Desired, Refusal> {
        resolve::resolve(&resolve::Input {
            object: &ObjectName { namespace: self.input.object.namespace.clone(), name: name.to_owned() },
            spec: referenced.spec,
            annotations: &BTreeMap::new(),
            namespace_labels: self.input.namespace_labels,
            accounts: self.input.accounts,
            record: referenced.record,
            leaving: self.input.leaving,
            owner_id: self.input.owner_id,
        })
    }

    /// A key by its ARN. The secret's account has to open it to the namespace, be it of that account or not.
    fn plain(&self, field: &str, arn: &str) -> Result<EncryptionKey, Refusal> {
        let arn: KeyArn = parse(field, arn)?;
        self.scope.allowed_key(field, self.account, self.spec, &arn.to_string())?;
        Ok(EncryptionKey { reach: self.reach(&arn), arn, shared_key: None })
    }

    /// The way into the key's account, if the namespace may use one for this key.
    fn reach(&self, key: &KeyArn) -> Option<Account> {
        if key.account() == &self.account.id {
            return Some(self.account.clone());
        }
        let Scope { accounts, namespace, leaving, .. } = self.scope;
        let text = key.to_string();
        let open = |name: &String, spec: &AwsAccountSpec| {
            partition(spec) == Some(key.partition())
                && account_id(spec).as_ref() == Some(key.account())
                && !leaving.contains(name)
                && opens(spec, namespace)
                && allows(spec, namespace, Wanted::Key(&text))
        };
        let (name, _) = accounts.0.iter().find(|(name, spec)| open(name, spec))?;
        Some(Account { name: name.clone(), id: key.account().clone() })
    }
}

/// The key that a `SharedKey` is bound to, if it has found it.
fn key_of(desired: &Desired) -> Option<KeyArn> {
    match &desired.key.source {
        KeySource::Key(key) => Some(key.clone()),
        KeySource::Alias { pinned, .. } => pinned.clone(),
    }
}
