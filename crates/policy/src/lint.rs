//! What is wrong with a key policy that is about to be written, before KMS is asked.
//!
//! KMS refuses a document as a whole, often without saying what in it is wrong (D§1.5), and accepts others that do
//! nothing or lock everybody out. Each check is one function; [`CHECKS`] is all of them.

mod lockout;
mod orphan;

use crate::actions::{is_cross_account, is_known};
use crate::arn::{EntityArn, KeyArn, is_account_id, principal_parts};
use crate::document::{Effect, PolicyDocument, Statement, StatementName};
use crate::sid::is_key_policy_character;

pub use lockout::locks_out;
pub use orphan::{Orphan, is_unique_id, orphans};

/// The size above which KMS refuses a key policy (D§1.1). The SDK would let four times as much through.
pub const MAX_KEY_POLICY_BYTES: usize = 32_768;

/// Something wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::AsRefStr)]
pub enum Lint {
    /// KMS answers `LimitExceededException`.
    #[error("the key policy would have {bytes} bytes; KMS takes at most {MAX_KEY_POLICY_BYTES}")]
    TooLarge {
        /// Bytes of the document.
        bytes: usize,
    },
    /// A key policy is Latin-1.
    #[error("{statement} contains {character:?}; a key policy may contain only Latin-1 characters")]
    Character {
        /// Where it stands.
        statement: StatementName,
        /// The first refused character.
        character: char,
    },
    /// KMS refuses the whole document, whoever wrote the statement (D§1.4).
    #[error("{0}")]
    OrphanedPrincipal(Orphan),
    /// A principal of another partition can never be valid (D§7).
    #[error("{statement} names {principal}, which is of another partition than the key")]
    PartitionMismatch {
        /// The statement.
        statement: StatementName,
        /// The principal.
        principal: String,
    },
    /// Groups and partial wildcards are no principals (D§1.2).
    #[error(
        "{statement} names {principal}, which KMS does not accept as a principal: no groups, and no wildcard but \"*\""
    )]
    InvalidPrincipal {
        /// The statement.
        statement: StatementName,
        /// The principal.
        principal: String,
    },
    /// Nobody is left who may change the policy (D§1.5).
    #[error("no statement would leave kms:PutKeyPolicy to account {owner}: it would be locked out of its key")]
    LocksOwnerOut {
        /// The owner account.
        owner: String,
    },
    /// KMS accepts the statement and ignores it (D§1.1).
    #[error("{statement} has no {element} and so no effect")]
    NoEffect {
        /// The statement.
        statement: StatementName,
        /// The element that is absent.
        element: &'static str,
    },
    /// Everyone in every account, as far as their own account lets them (D§1.2).
    #[error("{statement} allows everyone (\"*\") without a condition")]
    Everyone {
        /// The statement.
        statement: StatementName,
    },
    /// The action does nothing for a principal of another account (D§2.1).
    #[error("{statement} allows {action} to {principal}, but the action has no effect across accounts")]
    IneffectiveCrossAccountAction {
        /// The statement.
        statement: StatementName,
        /// The action as spelled.
        action: String,
        /// The first foreign principal.
        principal: String,
    },
}

impl Lint {
    /// Whether the document must not be written: KMS would refuse it, or the owner would lose its key.
    pub fn blocks(&self) -> bool {
        !matches!(self, Self::NoEffect { .. } | Self::Everyone { .. } | Self::IneffectiveCrossAccountAction { .. })
    }

    /// The stable name of the check, such as `TooLarge`.
    pub fn reason(&self) -> &str {
        self.as_ref()
    }

    /// The Sid of the statement, if the finding is about one that has it.
    pub fn sid(&self) -> Option<&str> {
        match self {
            Self::TooLarge { .. } | Self::LocksOwnerOut { .. } => None,
            Self::OrphanedPrincipal(orphan) => orphan.statement.sid(),
            Self::Character { statement, .. }
            | Self::PartitionMismatch { statement, .. }
            | Self::InvalidPrincipal { statement, .. }
            | Self::NoEffect { statement, .. }
            | Self::Everyone { statement }
            | Self::IneffectiveCrossAccountAction { statement, .. } => statement.sid(),
        }
    }
}

/// A document that is about to become the policy of a key.
struct Subject<'a> {
    document: &'a PolicyDocument,
    key: &'a KeyArn,
    writer: Option<&'a EntityArn>,
}

type Check = fn(&Subject<'_>) -> Vec<Lint>;

/// All checks, those that block first.
const CHECKS: [Check; 8] =
    [too_large, characters, orphaned, principals, locks_owner_out, no_effect, everyone, ineffective_across_accounts];

/// Runs every check over a document for a key. `writer` is the role that will call `PutKeyPolicy`, where it is known.
pub fn preflight(document: &PolicyDocument, key: &KeyArn, writer: Option<&EntityArn>) -> Vec<Lint> {
    let subject = Subject { document, key, writer };
    CHECKS.iter().flat_map(|check| check(&subject)).collect()
}

fn too_large(subject: &Subject<'_>) -> Vec<Lint> {
    let bytes = subject.document.size();
    if bytes > MAX_KEY_POLICY_BYTES { vec![Lint::TooLarge { bytes }] } else { Vec::new() }
}

fn characters(subject: &Subject<'_>) -> Vec<Lint> {
    let refused = |statement: &Statement| statement.to_json().chars().find(|&c| !is_key_policy_character(c));
    let found = subject.document.named().filter_map(|(name, statement)| Some((name, refused(statement)?)));
    found.map(|(statement, character)| Lint::Character { statement, character }).collect()
}

fn orphaned(subject: &Subject<'_>) -> Vec<Lint> {
    orphans(subject.document).into_iter().map(Lint::OrphanedPrincipal).collect()
}

fn principals(subject: &Subject<'_>) -> Vec<Lint> {
    let partition = subject.key.partition().to_string();
    let judge = |statement: StatementName, principal: &str| {
        let principal = principal.to_owned();
        match principal_parts(&principal) {
            _ if principal == "*" || is_account_id(&principal) || is_unique_id(&principal) => None,
            Some((found, ..)) if found != partition => Some(Lint::PartitionMismatch { statement, principal }),
            Some((_, account, resource)) if is_account_id(account) && is_principal_resource(resource) => None,
            _ => Some(Lint::InvalidPrincipal { statement, principal }),
        }
    };
    let named = subject.document.named();
    named
        .flat_map(|(name, statement)| {
            statement.aws_principals().filter_map(move |principal| judge(name.clone(), principal)).collect::<Vec<_>>()
        })
        .collect()
}

/// The resources of IAM and STS that are principals of a key policy (D§1.2).
fn is_principal_resource(resource: &str) -> bool {
    let kind = resource.split_once('/').map_or(resource, |(kind, _)| kind);
    matches!(kind, "root" | "role" | "user" | "assumed-role" | "federated-user") && !resource.contains(['*', '?'])
}

fn locks_owner_out(subject: &Subject<'_>) -> Vec<Lint> {
    let owner = subject.key.account().to_string();
    if locks_out(subject.document, subject.key, subject.writer) {
        vec![Lint::LocksOwnerOut { owner }]
    } else {
        Vec::new()
    }
}

fn no_effect(subject: &Subject<'_>) -> Vec<Lint> {
    let absent = |statement: &Statement| match (statement.actions(), statement.resources()) {
        (None, _) => Some("Action"),
        (_, None) => Some("Resource"),
        _ => None,
    };
    let found = subject.document.named().filter_map(|(name, statement)| Some((name, absent(statement)?)));
    found.map(|(statement, element)| Lint::NoEffect { statement, element }).collect()
}

fn everyone(subject: &Subject<'_>) -> Vec<Lint> {
    let is_open = |statement: &Statement| {
        let everyone = statement.aws_principals().any(|principal| principal == "*");
        let negated = statement.principals().is_some_and(|principals| principals.negated);
        statement.effect() == Effect::Allow && everyone != negated && statement.conditions().is_empty()
    };
    let found = subject.document.named().filter(|(_, statement)| is_open(statement));
    found.map(|(statement, _)| Lint::Everyone { statement }).collect()
}

fn ineffective_across_accounts(subject: &Subject<'_>) -> Vec<Lint> {
    let owner = subject.key.account().as_str();
    let is_foreign = |principal: &&str| match principal_parts(principal) {
        Some((_, account, _)) => account != owner,
        None => is_account_id(principal) && *principal != owner,
    };
    let mut found = Vec::new();
    for (name, statement) in subject.document.named().filter(|(_, statement)| statement.effect() == Effect::Allow) {
        let Some(principals) = statement.principals().filter(|principals| !principals.negated) else { continue };
        let Some(principal) = principals.aws().find(is_foreign) else { continue };
        let actions =
            statement.actions().filter(|actions| !actions.negated).map_or(&[][..], |actions| &actions.patterns);
        let inert = actions.iter().filter(|action| is_known(action) && !is_cross_account(action));
        found.extend(inert.map(|action| Lint::IneffectiveCrossAccountAction {
            statement: name.clone(),
            action: action.clone(),
            principal: principal.to_owned(),
        }));
    }
    found
}

#[cfg(test)]
mod tests;
