//! From the spec and the accounts that admins opened to what is wanted, or to an error that a person has to fix.
//!
//! Everything here happens before the first AWS call: an object that is refused makes none.

pub(crate) mod scope;

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_api::{self as api, AwsAccountSpec, SharedKeySpec, conditions::Reason};
use sharedkey_policy::{AliasArn, AliasName, EntityArn, KeyArn, Region, glob_match, is_cross_account, is_known};

use self::scope::Scope;
use crate::{
    accounts::{Accounts, Namespace, opened_principals},
    desired::{Account, Conditions, Desired, DesiredConsumer, DesiredKey, KeySource, Trust},
    ledger::Record,
    names::{Names, ObjectName, OwnerId, Part},
    verdict::expanded,
};

/// Everything that decides about an object before AWS is asked.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The object.
    pub object: &'a ObjectName,
    /// Its spec.
    pub spec: &'a SharedKeySpec,
    /// Its annotations.
    pub annotations: &'a BTreeMap<String, String>,
    /// Labels of its namespace.
    pub namespace_labels: &'a BTreeMap<String, String>,
    /// All accounts.
    pub accounts: &'a Accounts,
    /// What the object has written so far.
    pub record: &'a Record,
    /// Accounts that an administrator has deleted: they open nothing new.
    pub leaving: &'a BTreeSet<String>,
    /// The operator.
    pub owner_id: &'a OwnerId,
}

/// Why an object is not carried out at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The condition's reason.
    pub reason: Reason,
    /// Which field, why, and what to do.
    pub message: String,
}

pub(crate) fn refuse<T>(reason: Reason, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { reason, message: message.into() })
}

/// Resolves an object. One that is refused in part after it has shared something is resolved without the consumers that are refused.
pub fn resolve(input: &Input<'_>) -> Result<Desired, Refusal> {
    let scope = Scope {
        namespace: Namespace { name: &input.object.namespace, labels: input.namespace_labels },
        accounts: input.accounts,
        record: input.record,
        leaving: input.leaving,
        owned: "key",
    };
    let resolver = Resolver { input, scope };
    let region: Region = parse("region", &input.spec.region)?;
    let (owner, owner_spec) = resolver.scope.account("accountRef", &input.spec.account_ref.name, region.partition())?;
    let key = resolver.key(&owner, owner_spec, region)?;
    let (mut consumers, mut refused) = (Vec::new(), BTreeMap::new());
    for (index, consumer) in input.spec.consumers.iter().enumerate() {
        let field = format!("consumers[{index}] ({})", consumer.name);
        match resolver.consumer(&field, consumer, &key) {
            Ok(consumer) => consumers.push(consumer),
            Err(refusal) if input.record.targets.is_empty() => return Err(refusal),
            // What was shared before is still looked after: nothing is given, and what is no longer asked for is taken back.
            Err(refusal) => drop(refused.insert(consumer.name.clone(), refusal)),
        }
    }
    let names = Names::new(input.owner_id.clone(), input.object.clone());
    distinct(&names, &consumers)?;
    let used = consumers.iter().filter_map(|consumer| consumer.reach.as_ref()).chain([&key.account]);
    Ok(Desired {
        mode: resolver.scope.mode(input.spec.mode, key.partition(), used),
        names,
        deletion_policy: input.spec.deletion_policy,
        take_over: input.annotations.get(api::TAKE_OVER).is_some_and(|value| value == "true"),
        heal_recreated: input.spec.heal_recreated_principals,
        prune_foreign_orphans: input.spec.prune_foreign_orphans,
        quotas: BTreeMap::new(),
        key,
        consumers,
        refused,
    })
}

fn distinct(names: &Names, consumers: &[DesiredConsumer]) -> Result<(), Refusal> {
    let taken = |name: &str| {
        let sids = Part::ALL.map(|part| names.sid(name, part).to_string());
        sids.into_iter().chain([names.policy_name(name)]).collect()
    };
    let entries = consumers.iter().map(|consumer| (consumer.name.as_str(), taken(&consumer.name)));
    scope::distinct("consumers", "consumer", entries)
}

pub(crate) fn parse<T: std::str::FromStr>(field: &str, text: &str) -> Result<T, Refusal>
where
    T::Err: std::fmt::Display,
{
    text.parse().or_else(|error: T::Err| refuse(Reason::InvalidSpec, format!("{field}: {error}")))
}

struct Resolver<'a> {
    input: &'a Input<'a>,
    scope: Scope<'a>,
}

impl Resolver<'_> {
    fn key(&self, owner: &Account, spec: &AwsAccountSpec, region: Region) -> Result<DesiredKey, Refusal> {
        let source = match &self.input.spec.key {
            api::KeySource { arn: Some(arn), .. } => KeySource::Key(parse("key.arn", arn)?),
            api::KeySource { id: Some(id), .. } => match KeyArn::new(region.clone(), owner.id.clone(), id) {
                Ok(key) => KeySource::Key(key),
                Err(error) => return refuse(Reason::InvalidSpec, format!("key.id: {error}")),
            },
            api::KeySource { alias, .. } => {
                let alias: AliasName = parse("key.alias", alias.as_deref().unwrap_or_default())?;
                let alias = AliasArn::new(region.clone(), owner.id.clone(), alias);
                let pinned = self.input.record.pinned(&alias).cloned();
                KeySource::Alias { alias, pinned }
            }
        };
        let asked = match &source {
            KeySource::Key(key) if key.account() != &owner.id || key.region() != &region => {
                return refuse(
                    Reason::AccountMismatch,
                    format!("key.arn: {key} is not a key of account {} in Region {region}", owner.id),
                );
            }
            KeySource::Key(key) => key.to_string(),
            KeySource::Alias { alias, .. } => alias.alias().to_string(),
        };
        self.scope.allowed_key("key", owner, spec, &asked)?;
        Ok(DesiredKey { account: owner.clone(), region, source })
    }

    fn consumer(&self, field: &str, spec: &api::Consumer, key: &DesiredKey) -> Result<DesiredConsumer, Refusal> {
        let (account_ref, account_id) = (spec.account_ref.as_ref(), spec.account_id.as_deref());
        let (account, reach) =
            self.scope.entry_account(field, account_ref, account_id, &key.account.id, key.partition())?;
        let principals = scope::principals(field, &spec.principals, "consumer", key.partition(), &account)?;
        let trust = match spec.trust {
            api::Trust::Principals => Trust::Principals,
            api::Trust::Account => Trust::Account,
        };
        let mut asked: Vec<String> = principals.iter().map(EntityArn::resource).collect();
        asked.extend((trust == Trust::Account).then(|| "root".to_owned()));
        if let Some((way, account_spec)) = &reach {
            self.scope.allowed_principals(field, way, account_spec, &asked)?;
        }
        // A principal of the owner's own account that the key policy names needs nothing else (D§1.3).
        let enough = account == key.account.id && trust == Trust::Principals;
        let consumer = DesiredConsumer {
            name: spec.name.clone(),
            delegation: scope::delegation(spec.delegation, spec.account_id.is_some(), enough),
            account,
            opened: reach.as_ref().map(|(_, spec)| opened_principals(spec, &self.scope.namespace)).unwrap_or_default(),
            reach: reach.map(|(way, _)| way),
            trust,
            principals,
            actions: actions(spec),
            conditions: conditions(spec, &key.region),
            aws_service_grants: spec.aws_service_grants,
        };
        self.scope.stays(field, &key.account, &consumer.delegate(None))?;
        self.guardrails(field, key, &consumer)?;
        if consumer.is_handoff() {
            self.scope.allowed_handoff(field, key.partition(), &consumer.account, &asked)?;
        }
        effective(field, key, &consumer)?;
        scope::protected(field, &consumer.principals, consumer.delegation)?;
        Ok(consumer)
    }

    /// The owner's guardrails.
    fn guardrails(&self, field: &str, key: &DesiredKey, consumer: &DesiredConsumer) -> Result<(), Refusal> {
        if consumer.account == key.account.id {
            return Ok(());
        }
        let rules = self.scope.rules(key.partition(), &key.account.id);
        scope::trusted(field, &rules, &key.account, &consumer.account, consumer.is_handoff())?;
        let permits_scope = |(_, sharing): &(String, &api::Sharing)| sharing.allow_account_scope;
        let account_scope = rules.iter().any(permits_scope) && rules.iter().all(permits_scope);
        if consumer.trust == Trust::Account && !account_scope {
            return scope::broken(
                field,
                &format!("{:?}", key.account.name),
                "allowAccountScope is not true, and trust is Account",
            );
        }
        for (name, sharing) in &rules {
            if let Some(action) = sharing.allowed_actions.as_deref().and_then(|allowed| excess(consumer, allowed)) {
                return scope::broken(field, name, &format!("allowedActions does not list {action}"));
            }
        }
        Ok(())
    }
}

/// The first action of a consumer that no pattern covers.
fn excess(consumer: &DesiredConsumer, allowed: &[String]) -> Option<String> {
    let mut asked = consumer.actions.clone();
    if consumer.aws_service_grants {
        asked.extend(["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"].map(String::from));
    }
    let covered =
        |action: &String| allowed.iter().any(|pattern| glob_match(&pattern.to_lowercase(), &action.to_lowercase()));
    expanded(&asked).into_iter().find(|action| !covered(action))
}

/// Most actions do nothing for a principal of another account, whatever both halves say (D§2.1). One that is not known is newer than
/// this operator, and not judged.
fn effective(field: &str, key: &DesiredKey, consumer: &DesiredConsumer) -> Result<(), Refusal> {
    let inert = |action: &&String| is_known(action) && !is_cross_account(action);
    let inert: Vec<&str> = consumer.actions.iter().filter(inert).map(String::as_str).collect();
    if consumer.account == key.account.id || inert.is_empty() {
        return Ok(());
    }
    refuse(
        Reason::InvalidSpec,
        format!(
            "{field}.actions: IneffectiveCrossAccountAction: AWS gives {} to nobody outside of the key's account {}, and this consumer is of \
             account {}; take it out",
            inert.join(", "),
            key.account.id,
            consumer.account
        ),
    )
}

/// Presets and actions add up; only where both are absent it is everything. Decided here and not as a default of the schema, so
/// that `actions: [kms:Decrypt]` never gains Encrypt.
fn actions(spec: &api::Consumer) -> BTreeSet<String> {
    let preset = match spec.access {
        None if spec.actions.is_empty() => Some(api::Access::EncryptDecrypt),
        preset => preset,
    };
    let preset = preset.map(api::Access::actions).unwrap_or_default();
    preset.iter().map(ToString::to_string).chain(spec.actions.iter().cloned()).collect()
}

fn conditions(spec: &api::Consumer, region: &Region) -> Conditions {
    let Some(conditions) = &spec.conditions else { return Conditions::default() };
    // The suffix is the same in all partitions, although endpoints differ (D§2.4).
    let via = |service: &String| format!("{service}.{region}.amazonaws.com");
    Conditions {
        via_services: conditions.via_services.iter().map(via).collect(),
        encryption_context: conditions.encryption_context.clone(),
        organization_id: conditions.organization_id.clone(),
    }
}

#[cfg(test)]
mod tests;
