//! What a question is about, and how the service that owns it evaluates policies.

use crate::arn::{AccountId, KeyArn, SecretArn};
use crate::partition::{Partition, Region};

/// A key or a secret.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// A key. Its policy always has a say, in its own account too (D§1.3).
    Key {
        key: &'a KeyArn,
        /// The secret on whose behalf Secrets Manager uses it (D§5.3). None: nothing is known of the request.
        within: Option<&'a SecretArn>,
    },
    /// A secret. Within its own account an identity policy is enough (D§5.1).
    Secret(&'a SecretArn),
}

impl<'a> Subject<'a> {
    pub(crate) fn partition(self) -> Partition {
        match self {
            Self::Key { key, .. } => key.partition(),
            Self::Secret(secret) => secret.partition(),
        }
    }

    pub(crate) fn account(self) -> &'a AccountId {
        match self {
            Self::Key { key, .. } => key.account(),
            Self::Secret(secret) => secret.account(),
        }
    }

    pub(crate) fn region(self) -> &'a Region {
        match self {
            Self::Key { key, .. } => key.region(),
            Self::Secret(secret) => secret.region(),
        }
    }

    pub(crate) fn arn(self) -> String {
        match self {
            Self::Key { key, .. } => key.to_string(),
            Self::Secret(secret) => secret.to_string(),
        }
    }

    /// What messages call it.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Key { .. } => "key",
            Self::Secret(_) => "secret",
        }
    }

    /// What messages call its policy.
    pub(crate) fn policy(self) -> &'static str {
        match self {
            Self::Key { .. } => "key policy",
            Self::Secret(_) => "resource policy",
        }
    }

    /// The secret on whose behalf a key is used.
    pub(crate) fn within(self) -> Option<&'a SecretArn> {
        match self {
            Self::Key { within, .. } => within,
            Self::Secret(_) => None,
        }
    }
}
