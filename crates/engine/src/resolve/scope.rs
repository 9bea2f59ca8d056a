//! What an object may name, by the accounts that admins opened to its namespace: the same for every kind.
//!
//! A message tells the writer of the object nothing about accounts that his namespace may not use, not even whether they exist.

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_api::{self as api, AwsAccountSpec, Mode, conditions::Reason};
use sharedkey_policy::{AccountId, EntityArn, EntityKind, Partition};

use super::{Refusal, parse, refuse};
use crate::{
    accounts::{Accounts, Namespace, Wanted, account_id, allows, opens, partition},
    delegate::Delegate,
    desired::{Account, Delegation},
    ledger::Record,
    revoke,
};

/// The object's namespace among the accounts.
pub(crate) struct Scope<'a> {
    pub(crate) namespace: Namespace<'a>,
    pub(crate) accounts: &'a Accounts,
    /// What the object has written so far.
    pub(crate) record: &'a Record,
    /// Accounts that an administrator has deleted: they open nothing new.
    pub(crate) leaving: &'a BTreeSet<String>,
    /// What the object is about, for messages: key or secret.
    pub(crate) owned: &'static str,
}

/// An account, and the way into it unless it is a handoff.
pub(crate) type EntryAccount<'a> = (AccountId, Option<(Account, &'a AwsAccountSpec)>);

impl<'a> Scope<'a> {
    /// An account that the namespace may use, of the object's partition.
    pub(crate) fn account(
        &self,
        field: &str,
        name: &str,
        wanted: Partition,
    ) -> Result<(Account, &'a AwsAccountSpec), Refusal> {
        let spec = self.accounts.0.get(name).filter(|spec| opens(spec, &self.namespace));
        let used = self.record.targets.iter().any(|target| target.account_ref == name);
        let spec = spec.filter(|_| used || !self.leaving.contains(name));
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
                    "{field}: AwsAccount {name:?} is in partition {found}, the {}'s Region in {wanted}; no access crosses partitions",
                    self.owned
                ),
            );
        }
        Ok((Account { name: name.to_owned(), id }, spec))
    }

    /// The account of a consumer or reader. `home` is the one of the key or secret.
    pub(crate) fn entry_account(
        &self,
        field: &str,
        account_ref: Option<&api::AccountRef>,
        account_id: Option<&str>,
        home: &AccountId,
        partition: Partition,
    ) -> Result<EntryAccount<'a>, Refusal> {
        match (account_ref, account_id) {
            (Some(reference), None) => {
                let reach = self.account(&format!("{field}.accountRef"), &reference.name, partition)?;
                Ok((reach.0.id.clone(), Some(reach)))
            }
            // Its own roles need no other half: they are a matter of its allow rules.
            (None, Some(id)) if id == home.as_str() => refuse(
                Reason::NotAllowed,
                format!(
                    "{field}.accountId: {id} is the {}'s own account; name its AwsAccount by accountRef instead",
                    self.owned
                ),
            ),
            (None, Some(id)) => Ok((parse(&format!("{field}.accountId"), id)?, None)),
            _ => refuse(Reason::InvalidSpec, format!("{field}: exactly one of accountRef and accountId")),
        }
    }

    /// Whether the account opens all of them to the namespace: `role/path/Name`, `user/path/Name`, `root`.
    pub(crate) fn allowed_principals(
        &self,
        field: &str,
        way: &Account,
        spec: &AwsAccountSpec,
        asked: &[String],
    ) -> Result<(), Refusal> {
        self.opened(field, &format!("AwsAccount {:?}", way.name), &[spec], asked)
    }

    /// The same for an entry that names an id alone, once the owner trusts that account: where the account has `AwsAccount`s, nobody
    /// gets past their rules: each of them has to be opened by one. It tells that the account has some, to a namespace that may share
    /// with it.
    pub(crate) fn allowed_handoff(
        &self,
        field: &str,
        partition: Partition,
        account: &AccountId,
        asked: &[String],
    ) -> Result<(), Refusal> {
        let described: Vec<&AwsAccountSpec> = self.accounts.of(partition, account).map(|(_, spec)| spec).collect();
        if described.is_empty() {
            return Ok(());
        }
        self.opened(field, &format!("account {account}"), &described, asked)
    }

    fn opened(&self, field: &str, of: &str, rules: &[&AwsAccountSpec], asked: &[String]) -> Result<(), Refusal> {
        let open = |asked: &str| rules.iter().any(|spec| allows(spec, &self.namespace, Wanted::Principal(asked)));
        let Some(refused) = asked.iter().find(|asked| !open(asked)) else { return Ok(()) };
        refuse(
            Reason::NotAllowed,
            format!(
                "{field}: no allow rule of {of} opens {refused} to namespace {:?}; ask a cluster administrator to add it to \
                 allow[].principals",
                self.namespace.name
            ),
        )
    }

    /// Whether the account opens a key to the namespace: by its ARN, or by the name of an alias.
    pub(crate) fn allowed_key(
        &self,
        field: &str,
        way: &Account,
        spec: &AwsAccountSpec,
        key: &str,
    ) -> Result<(), Refusal> {
        if allows(spec, &self.namespace, Wanted::Key(key)) {
            return Ok(());
        }
        refuse(
            Reason::NotAllowed,
            format!(
                "{field}: no allow rule of AwsAccount {:?} opens {key} to namespace {:?}; ask a cluster administrator to add it to allow[].keys",
                way.name, self.namespace.name
            ),
        )
    }

    /// The guardrails of every `AwsAccount` of the owner's account, all of which hold (design §3.1), and how a message names each.
    pub(crate) fn rules(&self, partition: Partition, owner: &'a AccountId) -> Vec<(String, &'a api::Sharing)> {
        let owners = self.accounts.of(partition, owner);
        owners.filter_map(|(name, spec)| Some((self.named(name, spec), spec.sharing.as_ref()?))).collect()
    }

    /// An account that is being deleted opens nothing new, and is needed for what was shared.
    pub(crate) fn stays(&self, field: &str, home: &Account, delegate: &Delegate<'_>) -> Result<(), Refusal> {
        let mut accounts = [Some(home), delegate.reach].into_iter().flatten();
        let Some(leaving) = accounts.find(|account| self.leaving.contains(&account.name)) else { return Ok(()) };
        let shared: Vec<_> = self.record.targets.iter().filter(|target| target.consumer == delegate.name).collect();
        let known = |principal: &EntityArn| shared.iter().any(|target| target.concerns(principal));
        let is_handoff = delegate.reach.is_none();
        let new = match delegate.principals.iter().find(|principal| !is_handoff && !known(principal)) {
            _ if shared.is_empty() => format!("this {}", delegate.given.entry()),
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

    /// The strictest of the object's own mode and the modes of all accounts that it uses.
    pub(crate) fn mode<'b>(
        &self,
        own: Mode,
        partition: Partition,
        used: impl IntoIterator<Item = &'b Account>,
    ) -> Mode {
        let capped = used.into_iter().any(|account| self.accounts.mode(partition, &account.id) == Mode::Observe);
        // What leaves the spec is taken back in its account too.
        let capped = capped || revoke::mode(self.record, self.accounts) == Mode::Observe;
        if capped { Mode::Observe } else { own }
    }
}

/// Whether the owner trusts the account. Without a list it is enough that an `AwsAccount` of it allows the namespace.
pub(crate) fn trusted(
    field: &str,
    rules: &[(String, &api::Sharing)],
    home: &Account,
    account: &AccountId,
    is_handoff: bool,
) -> Result<(), Refusal> {
    let untrusting = rules.iter().find(|(_, sharing)| {
        sharing.trusted_accounts.as_ref().is_some_and(|trusted| !trusted.iter().any(|id| id == account.as_str()))
    });
    if let Some((name, _)) = untrusting {
        return broken(field, name, &format!("trustedAccounts does not list account {account}"));
    }
    if is_handoff && !rules.iter().any(|(_, sharing)| sharing.trusted_accounts.is_some()) {
        return broken(
            field,
            &format!("{:?}", home.name),
            &format!("trustedAccounts has to list account {account}, which is named by accountId alone"),
        );
    }
    Ok(())
}

/// A guardrail that an entry of the spec breaks.
pub(crate) fn broken(field: &str, account: &str, rule: &str) -> Result<(), Refusal> {
    refuse(Reason::SharingNotAllowed, format!("{field}: sharing of AwsAccount {account} forbids it: {rule}"))
}

/// The roles and users of an entry, each once.
pub(crate) fn principals(
    field: &str,
    spec: &[api::PrincipalRef],
    entry: &str,
    partition: Partition,
    account: &AccountId,
) -> Result<Vec<EntityArn>, Refusal> {
    let mut principals = Vec::new();
    for (index, principal) in spec.iter().enumerate() {
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
                format!("{field}: {arn} is not of the {entry}'s account {account}"),
            );
        }
        if !principals.contains(&arn) {
            principals.push(arn);
        }
    }
    Ok(principals)
}

/// Names that are too long are cut and end in a digest, and an entry can be named like another one after that.
pub(crate) fn distinct<'a>(
    list: &str,
    entry: &str,
    entries: impl Iterator<Item = (&'a str, Vec<String>)>,
) -> Result<(), Refusal> {
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    for (index, (name, taken)) in entries.enumerate() {
        for taken in taken {
            if let Some(other) = known.insert(taken, name).filter(|other| *other != name) {
                return refuse(
                    Reason::InvalidSpec,
                    format!(
                        "{list}[{index}] ({name}): its name in AWS is that of {entry} {other:?}; choose another name"
                    ),
                );
            }
        }
    }
    Ok(())
}

/// Nobody but AWS can write policies on these roles (D§4.4).
pub(crate) fn protected(field: &str, principals: &[EntityArn], delegation: Delegation) -> Result<(), Refusal> {
    let reserved = |arn: &&EntityArn| arn.is_service_linked() || arn.is_sso_reserved();
    match principals.iter().find(reserved) {
        Some(arn) if delegation != Delegation::None => refuse(
            Reason::PrincipalProtected,
            format!(
                "{field}: only AWS can write policies on {arn}; set delegation: None and give it its rights where AWS manages it"
            ),
        ),
        _ => Ok(()),
    }
}

/// What stands on the side of an entry. `enough` says that its principals need nothing there.
pub(crate) fn delegation(asked: Option<api::Delegation>, is_handoff: bool, enough: bool) -> Delegation {
    match asked {
        _ if is_handoff => Delegation::None,
        Some(api::Delegation::ManagedPolicy) => Delegation::ManagedPolicy,
        Some(api::Delegation::None) => Delegation::None,
        None if enough => Delegation::None,
        Some(api::Delegation::InlinePolicy) | None => Delegation::InlinePolicy,
    }
}
