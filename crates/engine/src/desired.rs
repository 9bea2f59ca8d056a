//! What the spec asks for, validated: building statements and policies from it cannot fail.

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_api::{DeletionPolicy, Mode, Quotas};
use sharedkey_policy::{
    AccountId, AliasArn, EntityArn, KeyArn, Partition, PolicyArn, PolicyDocument, Region, Statement, StatementBuilder,
    root_arn,
};

use crate::{
    delegate::{Delegate, Given},
    ledger::Resource,
    names::{Names, Part},
    resolve::Refusal,
};

/// One `SharedKey`, resolved against the accounts that it names.
#[derive(Clone, Debug)]
pub struct Desired {
    /// How what the object writes is named.
    pub names: Names,
    /// The key, and how its account is reached.
    pub key: DesiredKey,
    /// Who may use it, in the order of the spec.
    pub consumers: Vec<DesiredConsumer>,
    /// The strictest of the object's own mode and the modes of all accounts that it uses.
    pub mode: Mode,
    /// Consumers of the spec that are refused. What was shared with them stays as it is.
    pub refused: BTreeMap<String, Refusal>,
    /// What becomes of the halves when the object is deleted.
    pub deletion_policy: DeletionPolicy,
    /// Whether a statement under our Sid that the ledger does not know may be replaced.
    pub take_over: bool,
    /// Whether a role or user that was deleted and created again is trusted again (D§1.4).
    pub heal_recreated: bool,
    /// Whether deleted principals are taken out of statements of others when the policy is written.
    pub prune_foreign_orphans: bool,
    /// Live quotas of the accounts by the name of their `AwsAccount`, as far as they are known.
    pub quotas: BTreeMap<String, Quotas>,
}

/// An AWS account that has an `AwsAccount`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    /// The name of the `AwsAccount`: the way in.
    pub name: String,
    /// The account's id.
    pub id: AccountId,
}

/// The key of the object.
#[derive(Clone, Debug)]
pub struct DesiredKey {
    /// The owner.
    pub account: Account,
    /// The key's Region.
    pub region: Region,
    /// How the spec names the key.
    pub source: KeySource,
}

impl DesiredKey {
    /// The key's partition.
    pub fn partition(&self) -> Partition {
        self.region.partition()
    }
}

/// How a key is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// By id or ARN: it can only ever mean this key.
    Key(KeyArn),
    /// By alias: it means the key that it first pointed to.
    Alias {
        /// The alias.
        alias: AliasArn,
        /// The key that it meant when it was first resolved.
        pinned: Option<KeyArn>,
    },
}

/// One consumer of the spec.
#[derive(Clone, Debug)]
pub struct DesiredConsumer {
    /// Its name in the spec.
    pub name: String,
    /// The account that uses the key.
    pub account: AccountId,
    /// The way into that account; none for a handoff, where only the key's half is ours.
    pub reach: Option<Account>,
    /// Whom the key policy names.
    pub trust: Trust,
    /// The roles and users that are to use the key.
    pub principals: Vec<EntityArn>,
    /// Patterns over the principals of its account of which the object's namespace may know that they exist.
    pub opened: Vec<String>,
    /// What they may do.
    pub actions: BTreeSet<String>,
    /// Under which conditions.
    pub conditions: Conditions,
    /// Whether AWS services may take grants for them.
    pub aws_service_grants: bool,
    /// What stands on their side.
    pub delegation: Delegation,
}

/// Whom the key policy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Each role and user.
    Principals,
    /// The consumer's account: its own administrators choose who.
    Account,
}

/// The half that lives with the principals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delegation {
    /// An inline policy on each role and user.
    InlinePolicy,
    /// One customer managed policy, attached to each.
    ManagedPolicy,
    /// Not ours.
    None,
}

/// Conditions of the key policy's statement, in AWS' own terms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Values of `kms:ViaService`.
    pub via_services: BTreeSet<String>,
    /// Pairs of the encryption context.
    pub encryption_context: BTreeMap<String, String>,
    /// Value of `aws:PrincipalOrgID`.
    pub organization_id: Option<String>,
}

/// What AWS services need for grants on behalf of a principal (D§2.3).
const GRANT_ACTIONS: [&str; 3] = ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"];

impl Conditions {
    /// The statement of a part, under these conditions.
    fn restrict(&self, part: Part, mut statement: StatementBuilder) -> StatementBuilder {
        if !self.via_services.is_empty() {
            statement = statement.condition("StringEquals", "kms:ViaService", self.via_services.iter().cloned());
        }
        if let Some(id) = &self.organization_id {
            statement = statement.condition("StringEquals", "aws:PrincipalOrgID", [id.as_str()]);
        }
        if part == Part::Use {
            for (key, value) in &self.encryption_context {
                statement =
                    statement.condition("StringEquals", format!("kms:EncryptionContext:{key}"), [value.as_str()]);
            }
        }
        match part {
            Part::Grants => statement.condition("Bool", "kms:GrantIsForAWSResource", ["true"]),
            Part::Use | Part::Describe => statement,
        }
    }
}

/// Whether a request of this action carries an encryption context. A condition on the context refuses every other action,
/// `DescribeKey` first (D§2.4).
fn carries_encryption_context(action: &str) -> bool {
    let verb = action.strip_prefix("kms:").unwrap_or(action);
    ["Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey"].iter().any(|prefix| verb.starts_with(prefix))
}

impl DesiredConsumer {
    /// The parts that the consumer needs, with the actions of each.
    fn parts(&self) -> Vec<(Part, BTreeSet<String>)> {
        let split = !self.conditions.encryption_context.is_empty();
        let (described, used): (BTreeSet<_>, BTreeSet<_>) =
            self.actions.iter().cloned().partition(|action| split && !carries_encryption_context(action));
        let grants = if self.aws_service_grants { GRANT_ACTIONS.map(String::from).into() } else { BTreeSet::new() };
        [(Part::Use, used), (Part::Describe, described), (Part::Grants, grants)]
            .into_iter()
            .filter(|(_, actions)| !actions.is_empty())
            .collect()
    }

    /// Our statements in the key policy. `left_out` are principals that must not be named, because they do not exist or are
    /// not the ones that were trusted (D§1.4); a statement that would name nobody is not stated.
    pub fn key_statements(
        &self,
        names: &Names,
        partition: Partition,
        left_out: &BTreeMap<EntityArn, String>,
    ) -> Vec<Statement> {
        let principals: Vec<String> = match self.trust {
            Trust::Account => vec![root_arn(partition, &self.account)],
            Trust::Principals => {
                self.principals.iter().filter(|arn| !left_out.contains_key(*arn)).map(ToString::to_string).collect()
            }
        };
        if principals.is_empty() {
            return Vec::new();
        }
        self.parts()
            .into_iter()
            .map(|(part, actions)| {
                let statement = StatementBuilder::allow().sid(names.sid(&self.name, part).to_string());
                let statement = statement.principals(principals.iter().cloned()).actions(actions).resource("*");
                self.conditions.restrict(part, statement).build()
            })
            .collect()
    }

    /// The policy on the consumer's side: the same actions, on this key and nothing else. A wildcard resource would trust
    /// every foreign key (D§1.3). The key policy's own conditions decide the rest.
    pub fn delegation_document(&self, key: &KeyArn) -> PolicyDocument {
        let allow = |part: Part| StatementBuilder::allow().sid(part.iam_sid()).resource(key.to_string());
        let mut statements = vec![allow(Part::Use).actions(self.actions.iter().cloned()).build()];
        if self.aws_service_grants {
            let grants = allow(Part::Grants).actions(GRANT_ACTIONS);
            statements.push(Conditions::default().restrict(Part::Grants, grants).build());
        }
        PolicyDocument::from_statements(statements)
    }

    /// What stands on its side, once the key is known.
    pub fn delegate(&self, key: Option<&KeyArn>) -> Delegate<'_> {
        Delegate {
            name: &self.name,
            account: &self.account,
            reach: self.reach.as_ref(),
            principals: &self.principals,
            opened: &self.opened,
            delegation: self.delegation,
            document: key.map(|key| self.delegation_document(key)),
            given: Given::Key(&self.actions),
        }
    }

    /// The managed policy that delegates to the consumer's principals.
    pub fn managed_policy(&self, names: &Names, partition: Partition) -> PolicyArn {
        self.delegate(None).managed_policy(names, partition)
    }

    /// The resources that delegate to one principal, as they are known to the ledger.
    pub fn delegated_by(&self, names: &Names, principal: &EntityArn) -> Vec<Resource> {
        self.delegate(None).delegated_by(names, principal)
    }

    /// Whether the other account's administrators attach their half themselves.
    pub fn is_handoff(&self) -> bool {
        self.reach.is_none()
    }
}

impl Desired {
    /// Whether a consumer of the spec names the principal, for all that is known: a refused one may.
    pub fn asks_for(&self, principal: &EntityArn) -> bool {
        !self.refused.is_empty() || self.consumers.iter().any(|consumer| consumer.principals.contains(principal))
    }

    /// What stands on the consumers' side, once the key is known.
    pub fn delegates(&self, key: Option<&KeyArn>) -> Vec<Delegate<'_>> {
        self.consumers.iter().map(|consumer| consumer.delegate(key)).collect()
    }

    /// Every principal that is read: those of all consumers whose account can be reached.
    pub fn readable_principals(&self) -> impl Iterator<Item = (&Account, &EntityArn)> {
        self.consumers
            .iter()
            .filter_map(|consumer| Some((consumer.reach.as_ref()?, consumer)))
            .flat_map(|(account, consumer)| consumer.principals.iter().map(move |principal| (account, principal)))
    }
}

impl std::fmt::Display for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::Alias { alias, .. } => alias.fmt(f),
        }
    }
}
