//! What is wrong with a key policy that is about to be written, before KMS is asked.
//!
//! KMS refuses a document as a whole, often without saying what in it is wrong (D§1.5), and accepts others that do
//! nothing or lock everybody out. Each check is one function; [`CHECKS`] is all of them.

mod conditions;
mod effect;
mod lockout;
mod orphan;
mod principals;
mod whole;

use crate::arn::{EntityArn, KeyArn};
use crate::document::{PolicyDocument, StatementName};

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
    /// KMS answers `OverlyPermissiveCondition` (D§1.5).
    #[error("{statement} puts ForAllValues on {key}, which KMS refuses: a request without the key would pass")]
    OverlyPermissiveCondition {
        /// The statement.
        statement: StatementName,
        /// The condition key.
        key: String,
    },
    /// The condition never holds for this key (D§2.4).
    #[error(
        "{statement} expects kms:ViaService {value}, which no service of the key's region has: SERVICE.{region}.amazonaws.com"
    )]
    ViaServiceEndpoint {
        /// The statement.
        statement: StatementName,
        /// The value.
        value: String,
        /// The key's Region.
        region: String,
    },
    /// The action is never allowed by this statement (D§2.4).
    #[error("{statement} allows {action} under a condition on the encryption context, which that action never has")]
    EncryptionContextWithout {
        /// The statement.
        statement: StatementName,
        /// The action as spelled.
        action: String,
    },
}

impl Lint {
    /// Whether the document must not be written: KMS would refuse it, or the owner would lose its key.
    pub fn blocks(&self) -> bool {
        match self {
            Self::TooLarge { .. }
            | Self::Character { .. }
            | Self::OrphanedPrincipal(_)
            | Self::PartitionMismatch { .. }
            | Self::InvalidPrincipal { .. }
            | Self::LocksOwnerOut { .. }
            | Self::OverlyPermissiveCondition { .. } => true,
            Self::NoEffect { .. }
            | Self::Everyone { .. }
            | Self::IneffectiveCrossAccountAction { .. }
            | Self::ViaServiceEndpoint { .. }
            | Self::EncryptionContextWithout { .. } => false,
        }
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
            | Self::IneffectiveCrossAccountAction { statement, .. }
            | Self::OverlyPermissiveCondition { statement, .. }
            | Self::ViaServiceEndpoint { statement, .. }
            | Self::EncryptionContextWithout { statement, .. } => statement.sid(),
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
const CHECKS: [Check; 11] = [
    whole::too_large,
    whole::characters,
    whole::orphaned,
    whole::locks_owner_out,
    principals::invalid,
    conditions::overly_permissive,
    effect::no_effect,
    principals::everyone,
    principals::ineffective_across_accounts,
    conditions::via_service,
    conditions::encryption_context,
];

/// Runs every check over a document for a key. `writer` is the role that will call `PutKeyPolicy`, where it is known.
pub fn preflight(document: &PolicyDocument, key: &KeyArn, writer: Option<&EntityArn>) -> Vec<Lint> {
    let subject = Subject { document, key, writer };
    CHECKS.iter().flat_map(|check| check(&subject)).collect()
}

#[cfg(test)]
mod tests;
