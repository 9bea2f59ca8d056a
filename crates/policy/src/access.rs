//! Whether a principal may use a key or read a secret, computed from both halves (D§1.3, D§5.1).
//!
//! What only a request decides (`kms:ViaService`, the encryption context) is stated, never guessed: an Allow under such a
//! condition is Allowed with the condition, a Deny under one is a condition of everything that is Allowed. Organisation
//! policies, session policies and grants are not documents that this crate sees.

mod condition;
mod identity;
mod key_policy;
mod question;
mod statement;
mod subject;
mod verdict;

use crate::actions::expand;
use crate::arn::{EntityArn, KeyArn};
use crate::document::PolicyDocument;

pub(crate) use key_policy::key_policy_answer;
pub use question::Tells;
pub(crate) use question::{Answer, OF_ALL, Parties};
pub(crate) use statement::selects_key;
pub(crate) use subject::Subject;
pub use verdict::{Access, Half, Verdict, verdict};

/// Who calls.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The role or user.
    pub arn: &'a EntityArn,
    /// Its `RoleId` or `UserId` where it was read: a stored policy may name it by that (D§1.4).
    pub unique_id: Option<&'a str>,
}

/// A policy document of an identity, with the name that messages use for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedDocument {
    /// Such as `inline policy X`, a policy ARN, or `group G: inline policy Y`.
    pub name: String,
    /// The document in force: of a managed policy, its default version.
    pub document: PolicyDocument,
}

/// Everything in the caller's account that decides about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdentityPolicies {
    /// Inline and attached policies, those of its groups included.
    pub policies: Vec<AttachedDocument>,
    /// The permissions boundary.
    pub boundary: Option<AttachedDocument>,
}

/// What one half says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Allowed, as long as every condition holds.
    Allowed {
        /// The statement, and how it means the caller.
        by: String,
        /// Conditions that only a request decides.
        conditions: Vec<String>,
    },
    /// Denied, whatever allows.
    ExplicitDeny {
        /// The statement.
        by: String,
        /// Its conditions, all of which hold.
        conditions: Vec<String>,
    },
    /// The identity policies allow, the permissions boundary does not.
    BoundaryDeny {
        /// The boundary.
        by: String,
    },
    /// Nothing allows.
    NotAllowed {
        /// The statement that comes closest, and what it lacks.
        near_miss: Option<String>,
    },
}

/// What the key policy says about a caller and an action.
///
/// A pattern such as `kms:ReEncrypt*` asks about all known actions that it covers; the strictest decision is the answer.
pub fn key_policy_decision(document: &PolicyDocument, key: &KeyArn, caller: &Caller<'_>, action: &str) -> Decision {
    let parties = Parties::new(caller, Subject::Key { key, within: None }, OF_ALL);
    strictest(action, |action| {
        let question = parties.about(action);
        Decision::of(&key_policy_answer(document, question), || key_policy::near_miss(document, question))
    })
}

/// What the caller's own account says about it, its permissions boundary included.
///
/// A pattern such as `kms:ReEncrypt*` asks about all known actions that it covers; the strictest decision is the answer.
pub fn identity_decision(policies: &IdentityPolicies, key: &KeyArn, caller: &Caller<'_>, action: &str) -> Decision {
    let parties = Parties::new(caller, Subject::Key { key, within: None }, OF_ALL);
    strictest(action, |action| identity::decision(policies, parties.about(action)))
}

impl Decision {
    /// What a document says. The closest statement is only asked for where nothing allows.
    fn of(answer: &Answer, near_miss: impl FnOnce() -> Option<String>) -> Self {
        match (&answer.denied, answer.allows.iter().min_by_key(|allow| allow.conditions.len())) {
            (Some(deny), _) => Self::ExplicitDeny { by: deny.by.to_string(), conditions: deny.conditions.clone() },
            (None, Some(best)) => Self::Allowed { by: best.by.to_string(), conditions: answer.conditions() },
            (None, None) => Self::NotAllowed { near_miss: near_miss() },
        }
    }

    fn severity(&self) -> u8 {
        match self {
            Self::ExplicitDeny { .. } => 3,
            Self::BoundaryDeny { .. } => 2,
            Self::NotAllowed { .. } => 1,
            Self::Allowed { .. } => 0,
        }
    }
}

fn is_pattern(action: &str) -> bool {
    action.contains(['*', '?'])
}

/// The actions that a question is about.
fn actions_of(pattern: &str) -> Vec<&str> {
    let expanded = if is_pattern(pattern) { expand(pattern) } else { Vec::new() };
    if expanded.is_empty() { vec![pattern] } else { expanded }
}

fn strictest(pattern: &str, decide: impl Fn(&str) -> Decision) -> Decision {
    let mut strictest = None;
    for action in actions_of(pattern) {
        strictest = Some(match (strictest, decide(action)) {
            (Some(Decision::Allowed { by, mut conditions }), Decision::Allowed { conditions: further, .. }) => {
                add_new(&mut conditions, further);
                Decision::Allowed { by, conditions }
            }
            (Some(so_far), decision) if so_far.severity() >= decision.severity() => so_far,
            (_, decision) => decision,
        });
    }
    strictest.unwrap_or(Decision::NotAllowed { near_miss: None })
}

/// Adds what is not stated yet, in its order.
fn add_new<T: PartialEq>(stated: &mut Vec<T>, further: Vec<T>) {
    for one in further {
        if !stated.contains(&one) {
            stated.push(one);
        }
    }
}

#[cfg(test)]
mod laws;
