use strum::EnumMessage;

/// Reasons of conditions: a closed list. The doc comment of each is its meaning for users, see [`Reason::doc`].
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::AsRefStr,
    strum::EnumIter,
    strum::EnumMessage,
)]
pub enum Reason {
    // What goes well.
    /// Everything that the spec asks is in place.
    Succeeded,
    /// Everything could be read; the mode is Observe, so nothing is written.
    Observed,
    /// Work is going on.
    Progressing,
    /// A write of the operator is not visible everywhere in AWS yet.
    Propagating,
    /// The object is being deleted, and what it shared is being removed.
    Deleting,
    /// The other account's administrators attach their half themselves.
    Handoff,
    /// Nothing of this kind is asked for.
    NotManaged,
    /// It could not be found out; the message says why.
    Unknown,

    // Drift and access.
    /// What is in AWS differs from the spec; status.drift lists how.
    DriftFound,
    /// At least one principal is refused by at least one half.
    AccessDenied,

    // The key.
    /// The key does not exist in this account and Region.
    KeyNotFound,
    /// The key is disabled.
    KeyDisabled,
    /// The key is scheduled for deletion.
    KeyPendingDeletion,
    /// The key cannot be used in its state, for example while it waits for key material.
    KeyUnavailable,
    /// The key belongs to AWS, or is of a kind that cannot be shared in this way.
    KeyNotShareable,

    // Accounts.
    /// An AwsAccount that the object names is not ready.
    AccountNotReady,
    /// The identity behind the credentials belongs to another account than accountId says.
    IdentityMismatch,
    /// The credentials cannot be used: a Secret or key of it is missing, or AWS refuses them.
    InvalidCredentials,
    /// AwsAccounts name each other in a circle by via.
    CredentialCycle,
    /// The AwsAccount overrides endpoints, and the operator was not started with the flag that allows it.
    EndpointOverrideNotAllowed,
    /// The account cannot be used in this Region; it may have to be enabled there.
    RegionDisabled,

    // What one object allows another.
    /// No allow rule of an AwsAccount lets this namespace use the key or the principal.
    NotAllowed,
    /// A guardrail in sharing of the owner's AwsAccount forbids it.
    SharingNotAllowed,
    /// Accounts or ARNs belong to different partitions; no access crosses partitions.
    PartitionMismatch,
    /// An ARN belongs to another account than the one that is named.
    AccountMismatch,
    /// The spec cannot be carried out; the message names the field.
    InvalidSpec,

    // What stands in the way of a write.
    /// A principal does not exist, so AWS would refuse the whole policy.
    PrincipalNotFound,
    /// A role is protected by AWS and takes no policy.
    PrincipalProtected,
    /// A foreign statement names a principal that was deleted, so AWS would refuse the whole policy.
    ForeignOrphan,
    /// The policy would exceed its size limit.
    PolicyTooLarge,
    /// The policy would keep the owner's administrators from changing it again.
    LockoutRefused,
    /// The policy in AWS cannot be understood, and is not written over.
    PolicyMalformed,
    /// A statement or policy under the object's own name was written by somebody else.
    OwnerConflict,
    /// Somebody undoes what the operator writes.
    Contended,
    /// The policies on a principal would exceed an IAM quota.
    DelegationQuotaExceeded,

    // AWS.
    /// AWS refuses a call of the operator; the message names the action to allow.
    OperatorUnauthorised,
    /// AWS failed for a reason that passes; the operator tries again.
    AwsUnavailable,
    /// AWS refuses what was asked, and will until something changes.
    AwsRefused,
}

impl Reason {
    /// What the reason means, in a sentence for users.
    pub fn doc(&self) -> &'static str {
        self.get_documentation().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator as _;

    use super::Reason;

    #[test]
    fn every_reason_is_documented_in_one_sentence() {
        for reason in Reason::iter() {
            let doc = reason.doc();
            assert!(doc.ends_with('.') && !doc.contains('\n'), "{reason}: {doc:?}");
        }
    }
}
