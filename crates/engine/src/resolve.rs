//! From the spec and the accounts that admins opened to what is wanted, or to an error that a person has to fix.
//!
//! Everything here happens before the first AWS call: an object that is refused makes none. A message tells the writer of the object
//! nothing about accounts that his namespace may not use, not even whether they exist.

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_api::{self as api, AwsAccountSpec, Mode, SharedKeySpec, conditions::Reason};
use sharedkey_policy::{
    AccountId, AliasArn, AliasName, EntityArn, EntityKind, KeyArn, Partition, Region, glob_match, is_cross_account,
    is_known,
};

use crate::{
    accounts::{Accounts, Namespace, Wanted, account_id, allows, opened_principals, opens, partition},
    desired::{Account, Conditions, Delegation, Desired, DesiredConsumer, DesiredKey, KeySource, Trust},
    ledger::Record,
    names::{Names, ObjectName, OwnerId, Part},
    revoke,
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

fn refuse<T>(reason: Reason, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { reason, message: message.into() })
}

/// Resolves an object. One that is refused in part after it has shared something is resolved without the consumers that are refused.
pub fn resolve(input: &Input<'_>) -> Result<Desired, Refusal> {
    let namespace = Namespace { name: &input.object.namespace, labels: input.namespace_labels };
    let resolver = Resolver { input, namespace };
    let region: Region = parse("region", &input.spec.region)?;
    let (owner, owner_spec) = resolver.account("accountRef", &input.spec.account_ref.name, region.partition())?;
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
    let capped =
        used.map(|account| input.accounts.mode(key.partition(), &account.id)).any(|mode| mode == Mode::Observe);
    // What leaves the spec is taken back in its account too.
    let capped = capped || revoke::mode(input.record, input.accounts) == Mode::Observe;
    Ok(Desired {
        names,
        mode: if capped { Mode::Observe } else { input.spec.mode },
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

fn parse<T: std::str::FromStr>(field: &str, text: &str) -> Result<T, Refusal>
where
    T::Err: std::fmt::Display,
{
    text.parse().or_else(|error: T::Err| refuse(Reason::InvalidSpec, format!("{field}: {error}")))
}

struct Resolver<'a> {
    input: &'a Input<'a>,
    namespace: Namespace<'a>,
}

impl<'a> Resolver<'a> {
    /// An account that the namespace may use, of the key's partition.
    fn account(&self, field: &str, name: &str, wanted: Partition) -> Result<(Account, &'a AwsAccountSpec), Refusal> {
        let spec = self.input.accounts.0.get(name).filter(|spec| opens(spec, &self.namespace));
        let used = self.input.record.targets.iter().any(|target| target.account_ref == name);
        let spec = spec.filter(|_| used || !self.input.leaving.contains(name));
        let Some(spec) = spec else {
            return refuse(
                Reason::NotAllowed,
                format!(
                    "{field}: AwsAccount {name:?} does not exist, or no allow rule of it names namespace {:?}; ask a cluster administrator",
                    self.namespace.name
                ),
            );
        };
        let (Some(id), Some(found)) = (account_id(spec), partition(spec)) else {
            return refuse(
                Reason::AccountNotReady,
                format!("{field}: AwsAccount {name:?} has no valid accountId and partition"),
            );
        };
        if found != wanted {
            return refuse(
                Reason::PartitionMismatch,
                format!(
                    "{field}: AwsAccount {name:?} is in partition {found}, the key's Region in {wanted}; no access crosses partitions"
                ),
            );
        }
        Ok((Account { name: name.to_owned(), id }, spec))
    }

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
        if !allows(spec, &self.namespace, Wanted::Key(&asked)) {
            return refuse(
                Reason::NotAllowed,
                format!(
                    "key: no allow rule of AwsAccount {:?} opens {asked} to namespace {:?}; ask a cluster administrator to add it to allow[].keys",
                    owner.name, self.namespace.name
                ),
            );
        }
        Ok(DesiredKey { account: owner.clone(), region, source })
    }

    fn consumer(&self, field: &str, spec: &api::Consumer, key: &DesiredKey) -> Result<DesiredConsumer, Refusal> {
        let (account, reach) = self.consumer_account(field, spec, key)?;
        let principals = principals(field, spec, key.partition(), &account)?;
        let trust = match spec.trust {
            api::Trust::Principals => Trust::Principals,
            api::Trust::Account => Trust::Account,
        };
        if let Some((way, account_spec)) = &reach {
            self.allowed_principals(field, way, account_spec, trust, &principals)?;
        }
        let consumer = DesiredConsumer {
            name: spec.name.clone(),
            delegation: delegation(spec, key, &account, trust),
            account,
            opened: reach.as_ref().map(|(_, spec)| opened_principals(spec, &self.namespace)).unwrap_or_default(),
            reach: reach.map(|(way, _)| way),
            trust,
            principals,
            actions: actions(spec),
            conditions: conditions(spec, &key.region),
            aws_service_grants: spec.aws_service_grants,
        };
        self.stays(field, key, &consumer)?;
        self.guardrails(field, key, &consumer)?;
        effective(field, key, &consumer)?;
        protected(field, &consumer)?;
        Ok(consumer)
    }

    #[expect(clippy::type_complexity, reason = "an account and, unless it is a handoff, the way into it")]
    fn consumer_account(
        &self,
        field: &str,
        spec: &api::Consumer,
        key: &DesiredKey,
    ) -> Result<(AccountId, Option<(Account, &'a AwsAccountSpec)>), Refusal> {
        match (&spec.account_ref, &spec.account_id) {
            (Some(reference), None) => {
                let reach = self.account(&format!("{field}.accountRef"), &reference.name, key.partition())?;
                Ok((reach.0.id.clone(), Some(reach)))
            }
            // Its own roles need no other half: they are a matter of its allow rules.
            (None, Some(id)) if id == key.account.id.as_str() => refuse(
                Reason::NotAllowed,
                format!("{field}.accountId: {id} is the key's own account; name its AwsAccount by accountRef instead"),
            ),
            (None, Some(id)) => Ok((parse(&format!("{field}.accountId"), id)?, None)),
            _ => refuse(Reason::InvalidSpec, format!("{field}: exactly one of accountRef and accountId")),
        }
    }

    fn allowed_principals(
        &self,
        field: &str,
        way: &Account,
        spec: &AwsAccountSpec,
        trust: Trust,
        principals: &[EntityArn],
    ) -> Result<(), Refusal> {
        let mut asked: Vec<String> = principals.iter().map(EntityArn::resource).collect();
        if trust == Trust::Account {
            asked.push("root".to_owned());
        }
        let Some(refused) = asked.iter().find(|asked| !allows(spec, &self.namespace, Wanted::Principal(asked))) else {
            return Ok(());
        };
        refuse(
            Reason::NotAllowed,
            format!(
                "{field}: no allow rule of AwsAccount {:?} opens {refused} to namespace {:?}; ask a cluster administrator to add it to \
                 allow[].principals",
                way.name, self.namespace.name
            ),
        )
    }

    /// An account that is being deleted opens nothing new, and is needed for what was shared.
    fn stays(&self, field: &str, key: &DesiredKey, consumer: &DesiredConsumer) -> Result<(), Refusal> {
        let mut accounts = [Some(&key.account), consumer.reach.as_ref()].into_iter().flatten();
        let Some(leaving) = accounts.find(|account| self.input.leaving.contains(&account.name)) else { return Ok(()) };
        let shared: Vec<_> =
            self.input.record.targets.iter().filter(|target| target.consumer == consumer.name).collect();
        let known = |principal: &EntityArn| shared.iter().any(|target| target.concerns(principal));
        let new = match consumer.principals.iter().find(|principal| !consumer.is_handoff() && !known(principal)) {
            _ if shared.is_empty() => "this consumer".to_owned(),
            Some(principal) => principal.to_string(),
            None => return Ok(()),
        };
        refuse(
            Reason::NotAllowed,
            format!(
                "{field}: AwsAccount {:?} is being deleted and opens nothing new: {new} has no share yet",
                leaving.name
            ),
        )
    }

    /// How a message names one of several `AwsAccount`s of the owner: by its account where the namespace may not know it.
    fn named(&self, name: &str, spec: &AwsAccountSpec) -> String {
        if opens(spec, &self.namespace) { format!("{name:?}") } else { format!("(of account {})", spec.account_id) }
    }

    /// The owner's guardrails. Those of every `AwsAccount` of the owner's account hold (design §3.1).
    fn guardrails(&self, field: &str, key: &DesiredKey, consumer: &DesiredConsumer) -> Result<(), Refusal> {
        if consumer.account == key.account.id {
            return Ok(());
        }
        let owners: Vec<_> = self.input.accounts.of(key.partition(), &key.account.id).collect();
        let rules = || owners.iter().filter_map(|(name, spec)| Some((self.named(name, spec), spec.sharing.as_ref()?)));
        let account = &consumer.account;
        let untrusting = rules().find(|(_, sharing)| {
            sharing.trusted_accounts.as_ref().is_some_and(|trusted| !trusted.iter().any(|id| id == account.as_str()))
        });
        if let Some((name, _)) = untrusting {
            return broken(field, &name, &format!("trustedAccounts does not list account {account}"));
        }
        if consumer.is_handoff() && !rules().any(|(_, sharing)| sharing.trusted_accounts.is_some()) {
            return broken(
                field,
                &format!("{:?}", key.account.name),
                &format!("trustedAccounts has to list account {account}, which is named by accountId alone"),
            );
        }
        let permits_scope = |sharing: &api::Sharing| sharing.allow_account_scope;
        let scope =
            rules().any(|(_, sharing)| permits_scope(sharing)) && rules().all(|(_, sharing)| permits_scope(sharing));
        if consumer.trust == Trust::Account && !scope {
            return broken(
                field,
                &format!("{:?}", key.account.name),
                "allowAccountScope is not true, and trust is Account",
            );
        }
        for (name, sharing) in rules() {
            if let Some(action) = sharing.allowed_actions.as_deref().and_then(|allowed| excess(consumer, allowed)) {
                return broken(field, &name, &format!("allowedActions does not list {action}"));
            }
        }
        Ok(())
    }
}

fn broken(field: &str, account: &str, rule: &str) -> Result<(), Refusal> {
    refuse(Reason::SharingNotAllowed, format!("{field}: sharing of AwsAccount {account} forbids it: {rule}"))
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

fn principals(
    field: &str,
    spec: &api::Consumer,
    partition: Partition,
    account: &AccountId,
) -> Result<Vec<EntityArn>, Refusal> {
    let mut principals = Vec::new();
    for (index, principal) in spec.principals.iter().enumerate() {
        let field = format!("{field}.principals[{index}]");
        let named = |kind, name: &str| {
            EntityArn::new(partition, account.clone(), kind, name)
                .or_else(|error| refuse(Reason::InvalidSpec, format!("{field}: {error}")))
        };
        let arn = match principal {
            api::PrincipalRef { role: Some(role), .. } => named(EntityKind::Role, role)?,
            api::PrincipalRef { user: Some(user), .. } => named(EntityKind::User, user)?,
            api::PrincipalRef { arn, .. } => parse::<EntityArn>(&field, arn.as_deref().unwrap_or_default())?,
        };
        if arn.partition() != partition {
            return refuse(Reason::PartitionMismatch, format!("{field}: {arn} is not in partition {partition}"));
        }
        if arn.account() != account {
            return refuse(
                Reason::AccountMismatch,
                format!("{field}: {arn} is not of the consumer's account {account}"),
            );
        }
        if !principals.contains(&arn) {
            principals.push(arn);
        }
    }
    Ok(principals)
}

/// Names that are too long are cut and end in a digest, and a consumer can be named like another one after that.
fn distinct(names: &Names, consumers: &[DesiredConsumer]) -> Result<(), Refusal> {
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    for (index, DesiredConsumer { name, .. }) in consumers.iter().enumerate() {
        let sids = Part::ALL.map(|part| names.sid(name, part).to_string());
        for taken in sids.into_iter().chain([names.policy_name(name)]) {
            if let Some(other) = known.insert(taken, name).filter(|other| other != name) {
                return refuse(
                    Reason::InvalidSpec,
                    format!(
                        "consumers[{index}] ({name}): its name in AWS is that of consumer {other:?}; choose another name"
                    ),
                );
            }
        }
    }
    Ok(())
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

/// Nobody but AWS can write policies on these roles (D§4.4).
fn protected(field: &str, consumer: &DesiredConsumer) -> Result<(), Refusal> {
    let reserved = |arn: &&EntityArn| arn.is_service_linked() || arn.is_sso_reserved();
    match consumer.principals.iter().find(reserved) {
        Some(arn) if consumer.delegation != Delegation::None => refuse(
            Reason::PrincipalProtected,
            format!(
                "{field}: only AWS can write policies on {arn}; set delegation: None and give it its rights where AWS manages it"
            ),
        ),
        _ => Ok(()),
    }
}

/// A principal of the owner's own account that the key policy names needs nothing else (D§1.3).
fn delegation(spec: &api::Consumer, key: &DesiredKey, account: &AccountId, trust: Trust) -> Delegation {
    match spec.delegation {
        _ if spec.account_id.is_some() => Delegation::None,
        Some(api::Delegation::ManagedPolicy) => Delegation::ManagedPolicy,
        Some(api::Delegation::None) => Delegation::None,
        None if account == &key.account.id && trust == Trust::Principals => Delegation::None,
        Some(api::Delegation::InlinePolicy) | None => Delegation::InlinePolicy,
    }
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
