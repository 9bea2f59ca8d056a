//! The one place where secrets are looked at.

use secrecy::{ExposeSecret, SecretString};

/// The secret's text, for the request that needs it.
pub(crate) fn reveal(secret: &SecretString) -> &str {
    secret.expose_secret()
}

/// Whether two secrets are the same, so that a rewritten Secret of equal content keeps its sessions.
pub(crate) fn same(one: Option<&SecretString>, other: Option<&SecretString>) -> bool {
    one.map(reveal) == other.map(reveal)
}
