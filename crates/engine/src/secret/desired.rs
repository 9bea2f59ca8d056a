//! What the spec of an `ExternalSecret` asks for, validated: building statements and policies from it cannot fail.

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_api::{Mode, Quotas, Reader};
use sharedkey_policy::{
    AccountId, EntityArn, KeyArn, Partition, PolicyDocument, Region, SecretArn, SecretName, Statement, StatementBuilder,
};

use crate::{
    delegate::{Delegate, Given},
    desired::{Account, Delegation},
    ledger::{Aspect, Resource},
    names::Names,
    plan::Blocker,
    resolve::Refusal,
};

/// One `ExternalSecret`, resolved against the accounts and keys that it names.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the spec")]
pub struct DesiredSecret {
    /// How what the object writes is named.
    pub names: Names,
    /// The way into the secret's account.
    pub account: Account,
    /// The role or user as whom the operator writes it; none before the account was entered. A session does not show a role's path.
    pub writer: Option<String>,
    /// The secret.
    pub secret: SecretName,
    /// Its description; none where it is not ours.
    pub description: Option<String>,
    /// Tags that it has to have, beside those that say whose it is.
    pub tags: BTreeMap<String, String>,
    /// Whether one that exists already may be taken over.
    pub adopt: bool,
    /// Whether one that is scheduled for deletion is restored.
    pub restore: bool,
    /// The key that encrypts it, or why the spec names none that may be used.
    pub key: Result<EncryptionKey, Refusal>,
    /// Whether its value is ours.
    pub has_source: bool,
    /// Who may read it, in the order of the spec.
    pub readers: Vec<DesiredReader>,
    /// Readers of the spec that are refused. What they were given stays as it is.
    pub refused: BTreeMap<String, Refusal>,
    /// The Regions to which it is copied, each with its key.
    pub replicas: BTreeMap<Region, Result<EncryptionKey, Refusal>>,
    /// The Kubernetes Secret to which its value is written.
    pub target: Option<String>,
    /// The strictest of the object's own mode and the modes of all accounts that it uses.
    pub mode: Mode,
    /// Whether a statement under our Sid that the ledger does not know may be replaced.
    pub take_over: bool,
    /// What keeps anything from being written that needs the keys: the operator's own role may not use one.
    pub waits: Vec<Blocker>,
    /// Live quotas of the accounts by the name of their `AwsAccount`, as far as they are known.
    pub quotas: BTreeMap<String, Quotas>,
}

/// A key that encrypts a secret or a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptionKey {
    /// The key.
    pub arn: KeyArn,
    /// The way into its account, to read its policy; none where the namespace may not use any.
    pub reach: Option<Account>,
    /// The `SharedKey` that the spec names.
    pub shared_key: Option<String>,
}

/// One reader of the spec.
#[derive(Clone, Debug)]
pub struct DesiredReader {
    /// Its name in the spec.
    pub name: String,
    /// The account that reads the secret.
    pub account: AccountId,
    /// The way into that account; none for a handoff, where only the secret's half is ours.
    pub reach: Option<Account>,
    /// The roles and users that are to read the secret.
    pub principals: Vec<EntityArn>,
    /// Patterns over the principals of its account of which the object's namespace may know that they exist.
    pub opened: Vec<String>,
    /// What stands on their side.
    pub delegation: Delegation,
}

impl DesiredReader {
    /// Our statement in the secret's resource policy. `left_out` are principals that must not be named, because they do not exist or
    /// are not the ones that were trusted (D§1.4); a statement that would name nobody is not stated.
    ///
    /// In a resource policy `*` is the secret itself, whatever its ARN is after it was made anew.
    pub fn statement(&self, names: &Names, left_out: &BTreeMap<EntityArn, String>) -> Option<Statement> {
        let named = self.principals.iter().filter(|arn| !left_out.contains_key(*arn)).map(ToString::to_string);
        let named: BTreeSet<String> = named.collect();
        let statement = StatementBuilder::allow().sid(names.secret_sid(&self.name).to_string());
        (!named.is_empty()).then(|| statement.principals(named).actions(Reader::ACTIONS).resource("*").build())
    }

    /// The policy on the reader's side: on this secret and nothing else.
    pub fn document(&self, secret: &SecretArn) -> PolicyDocument {
        let statement = StatementBuilder::allow().sid("SharedKeyRead").actions(Reader::ACTIONS);
        PolicyDocument::from_statements(vec![statement.resource(secret.to_string()).build()])
    }

    /// What the other account's administrators attach: theirs is the key's half, too.
    pub fn handoff_document(&self, secret: &SecretArn, key: &KeyArn) -> PolicyDocument {
        let decrypt = StatementBuilder::allow().sid("SharedKeyDecrypt").actions(["kms:Decrypt"]);
        self.document(secret).with_added(vec![decrypt.resource(key.to_string()).build()])
    }

    /// Whether the other account's administrators attach their half themselves.
    pub fn is_handoff(&self) -> bool {
        self.reach.is_none()
    }

    /// What stands on its side, once the secret's ARN is known.
    pub fn delegate(&self, secret: Option<&SecretArn>) -> Delegate<'_> {
        Delegate {
            name: &self.name,
            account: &self.account,
            reach: self.reach.as_ref(),
            principals: &self.principals,
            opened: &self.opened,
            delegation: self.delegation,
            document: secret.map(|secret| self.document(secret)),
            given: Given::Secret,
        }
    }
}

impl DesiredSecret {
    /// The partition of everything that the object is about.
    pub fn partition(&self) -> Partition {
        self.secret.partition()
    }

    /// The key that encrypts the secret, as far as the spec names one that may be used.
    pub fn key_arn(&self) -> Option<&KeyArn> {
        self.key.as_ref().ok().map(|key| &key.arn)
    }

    /// The keys of the secret and its replicas, and why the spec names none that may be used.
    pub fn keys(&self) -> impl Iterator<Item = &Result<EncryptionKey, Refusal>> {
        std::iter::once(&self.key).chain(self.replicas.values())
    }

    /// Those that may be used.
    pub fn usable_keys(&self) -> impl Iterator<Item = &EncryptionKey> {
        self.keys().filter_map(|key| key.as_ref().ok())
    }

    /// The tags that say whose the secret is.
    pub fn owner_tags(&self) -> BTreeMap<String, String> {
        self.names.tags(None)
    }

    /// The tags that are compared. One that is only watched carries none of ours.
    pub fn expected_tags(&self, is_ours: bool) -> BTreeMap<String, String> {
        if is_ours || self.mode == Mode::Enforce { self.all_tags() } else { self.tags.clone() }
    }

    /// Every tag that the secret has to have.
    pub fn all_tags(&self) -> BTreeMap<String, String> {
        self.tags.clone().into_iter().chain(self.owner_tags()).collect()
    }

    /// The secret, as the ledger knows it.
    pub fn resource(&self) -> Resource {
        Resource::Secret { secret: self.secret.clone() }
    }

    /// A part of it.
    pub fn aspect(&self, aspect: Aspect) -> Resource {
        Resource::SecretAspect { secret: self.secret.clone(), aspect }
    }

    /// The secret and its parts, as far as they are ours.
    pub fn itself(&self) -> Vec<Resource> {
        let description = self.description.is_some().then_some(Aspect::Description);
        let value = self.has_source.then_some(Aspect::Value);
        let aspects = [Aspect::Key, Aspect::Tags].into_iter().chain(description).chain(value);
        std::iter::once(self.resource()).chain(aspects.map(|aspect| self.aspect(aspect))).collect()
    }

    /// A reader's statement.
    pub fn statement_of(&self, reader: &str) -> Resource {
        let sid = self.names.secret_sid(reader).to_string();
        Resource::SecretStatement { secret: self.secret.clone(), sid }
    }

    /// The copy in a Region.
    pub fn replica_in(&self, region: &Region) -> Resource {
        Resource::Replica { secret: self.secret.clone(), region: region.clone() }
    }

    /// What stands on the readers' side, once the secret's ARN is known.
    pub fn delegates(&self, secret: Option<&SecretArn>) -> Vec<Delegate<'_>> {
        self.readers.iter().map(|reader| reader.delegate(secret)).collect()
    }

    /// Whether a reader of the spec names the principal, for all that is known: a refused one may.
    pub fn asks_for(&self, principal: &EntityArn) -> bool {
        !self.refused.is_empty() || self.readers.iter().any(|reader| reader.principals.contains(principal))
    }
}
