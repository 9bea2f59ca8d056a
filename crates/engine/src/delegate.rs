//! The half that lives with roles and users of one account: a policy on each of them, be it for a key or for a secret.

use std::collections::BTreeSet;

use sharedkey_policy::{AccountId, EntityArn, Partition, PolicyArn, PolicyDocument, glob_match};

use crate::{
    desired::{Account, Delegation},
    ledger::Resource,
    names::{Names, ObjectName},
};

/// What stands on the side of one consumer or reader.
#[derive(Clone, Debug)]
pub struct Delegate<'a> {
    /// Its name in the spec.
    pub name: &'a str,
    /// Its account.
    pub account: &'a AccountId,
    /// The way into that account; none for a handoff.
    pub reach: Option<&'a Account>,
    /// Its roles and users.
    pub principals: &'a [EntityArn],
    /// Patterns over the principals of its account of which the object's namespace may know that they exist.
    pub opened: &'a [String],
    /// Which kind of policy delegates.
    pub delegation: Delegation,
    /// What the policy says, once it is known what it is about.
    pub document: Option<PolicyDocument>,
    /// What it gives, for messages.
    pub given: Given<'a>,
}

/// What is given.
#[derive(Clone, Copy, Debug)]
pub enum Given<'a> {
    /// Actions on the key.
    Key(&'a BTreeSet<String>),
    /// To read the secret.
    Secret,
}

impl Given<'_> {
    /// What the entry of the spec is called.
    pub(crate) fn entry(self) -> &'static str {
        match self {
            Self::Key(_) => "consumer",
            Self::Secret => "reader",
        }
    }

    /// What nobody can do without it.
    pub(crate) fn cannot(self) -> &'static str {
        match self {
            Self::Key(_) => "cannot use the key",
            Self::Secret => "cannot read the secret",
        }
    }

    /// The description of a managed policy.
    pub(crate) fn description(self, object: &ObjectName) -> String {
        let (what, kind) = match self {
            Self::Key(_) => ("a shared KMS key", "SharedKey"),
            Self::Secret => ("a secret", "ExternalSecret"),
        };
        format!("Delegates {what} to principals of this account, for {kind} {object}")
    }

    /// What a policy that is missing would say.
    pub(crate) fn allows(self) -> String {
        match self {
            Self::Key(actions) => {
                format!("allows {} on the key", actions.iter().cloned().collect::<Vec<_>>().join(", "))
            }
            Self::Secret => format!("allows {} on the secret", sharedkey_api::Reader::ACTIONS.join(", ")),
        }
    }
}

impl Delegate<'_> {
    /// The managed policy that delegates to its principals.
    ///
    /// # Panics
    /// Never: our policy names keep to IAM's alphabet and length.
    pub fn managed_policy(&self, names: &Names, partition: Partition) -> PolicyArn {
        #[expect(clippy::expect_used, reason = "our policy names keep to IAM's alphabet and length")]
        PolicyArn::new(partition, self.account.clone(), &names.policy_name(self.name)).expect("a legal policy name")
    }

    /// The resources that delegate to one principal, as they are known to the ledger.
    pub fn delegated_by(&self, names: &Names, principal: &EntityArn) -> Vec<Resource> {
        match self.delegation {
            Delegation::None => Vec::new(),
            Delegation::InlinePolicy => {
                vec![Resource::InlinePolicy { entity: principal.clone(), name: names.policy_name(self.name) }]
            }
            Delegation::ManagedPolicy => {
                let policy = self.managed_policy(names, principal.partition());
                vec![
                    Resource::ManagedPolicy { policy: policy.clone() },
                    Resource::Attachment { policy, entity: principal.clone() },
                ]
            }
        }
    }

    /// Whether the object may be told of a principal that its spec does not name.
    pub fn may_know(&self, principal: &EntityArn) -> bool {
        self.opened.iter().any(|pattern| glob_match(pattern, &principal.resource()))
    }
}
