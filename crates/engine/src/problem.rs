//! A failure, as plain data: what failed, on which account and resource, why, and whose turn it is.

use std::fmt;

use serde::{Deserialize, Serialize};
use sharedkey_api::conditions::Reason;
use sharedkey_policy::AccountId;

/// Who has to act on a failure, and so how soon it is worth another try (D§6.3).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, strum::Display, strum::AsRefStr,
)]
pub enum Class {
    /// AWS or the network will recover by itself: back off and try again.
    Transient,
    /// A write of ours is not visible everywhere yet: look again soon.
    Propagating,
    /// The spec or the world has to change first.
    UserActionNeeded,
    /// The operator's own credentials or rights do not suffice.
    OperatorUnauthorised,
}

impl Class {
    /// Whether it passes only when somebody does something.
    pub fn is_lasting(self) -> bool {
        matches!(self, Self::UserActionNeeded | Self::OperatorUnauthorised)
    }
}

/// One AWS call, or one step before it, that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose turn it is.
    pub class: Class,
    /// The account on whose resource the call worked.
    pub account: AccountId,
    /// `kms:GetKeyPolicy`, as IAM names the action.
    pub action: String,
    /// The ARN or name that the call was about.
    pub resource: String,
    /// AWS' error code, or a word of ours where no answer came (`Timeout`, `ConnectionReset`).
    pub code: String,
    /// AWS' own text, without request ids.
    pub message: String,
}

impl Failure {
    /// Whether a write was refused because the secret is scheduled for deletion: until it is gone or restored nobody can write it, and
    /// nobody can read it (D§5.7).
    pub fn is_of_leaving_secret(&self) -> bool {
        self.code == "InvalidRequestException" && self.message.contains("marked for deletion")
    }

    /// Whether Secrets Manager was asked by somebody who may not use the key of the secret. Which half is missing it does not say (D§9).
    pub fn is_of_key(&self) -> bool {
        self.code == "AccessDeniedException" && self.message.contains("Access to KMS is not allowed")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, action, resource, code, message, class } = self;
        write!(f, "{action} on {resource} in account {account} failed: {code}")?;
        if !message.is_empty() {
            write!(f, ": {message}")?;
        }
        if *class == Class::OperatorUnauthorised {
            let advice = if action.starts_with("sts:AssumeRole") {
                "check the trust policy of the role that the AwsAccount names, and its external id, issuer and audience"
            } else {
                "allow it to the role that the AwsAccount names"
            };
            write!(f, " ({advice})")?;
        }
        Ok(())
    }
}

/// What keeps something from being done that is no single call to AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The condition's reason.
    pub reason: Reason,
    /// What failed, and what to do.
    pub message: String,
    /// Whose turn it is.
    pub class: Class,
}

/// What was read, or why it could not be.
pub type Reading<T> = Result<T, Failure>;
