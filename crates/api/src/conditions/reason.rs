use strum::EnumMessage;

/// Reasons of conditions: a closed list. The doc comment of each is its meaning for users, see [`Reason::doc`]; beside it stand where it
/// is found and what to do about it.
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
    #[strum(message = "every condition", detailed_message = "Nothing.")]
    Succeeded,
    /// Everything could be read; the mode is Observe, so nothing is written.
    #[strum(message = "`Ready`", detailed_message = "Nothing; set mode: Enforce to have the spec carried out.")]
    Observed,
    /// Work is going on.
    #[strum(
        message = "`KeyPolicyApplied`, `SecretApplied`, `ValueSynced`, `DelegationApplied`, `TargetSynced`: what the spec asks is not written yet",
        detailed_message = "Wait; if it stays, another condition says what stands in the way."
    )]
    Progressing,
    /// A write of the operator is not visible everywhere in AWS yet.
    #[strum(
        message = "the condition of the half that was written",
        detailed_message = "Wait a minute; AWS shows a write late, and the operator looks again by itself."
    )]
    Propagating,
    /// The object is being deleted, and what it shared is being removed.
    #[strum(
        message = "`Ready`, `Reconciling` of an object that has a deletionTimestamp",
        detailed_message = "Make the account that the message names reachable; sharedkey.dev/abandon=true lets go of what is left in AWS."
    )]
    Deleting,
    /// The other account's administrators attach their half themselves.
    #[strum(
        message = "`AccessVerified`, verdicts of a consumer or reader with accountId",
        detailed_message = "Let the administrators of the other account attach the policy in handoffPolicy of status.consumers[] or status.readers[]."
    )]
    Handoff,
    /// Nothing of this kind is asked for.
    #[strum(
        message = "`ValueSynced`, `DelegationApplied`, `AccessVerified`, `TargetSynced`",
        detailed_message = "Nothing."
    )]
    NotManaged,
    /// It could not be found out; the message says why.
    #[strum(
        message = "`AccessVerified`: a verdict could not be computed",
        detailed_message = "Allow what the message names to be read, or wait until the account can be reached."
    )]
    Unknown,

    // Drift and access.
    /// What is in AWS differs from the spec; status.drift lists how.
    #[strum(
        message = "`InSync`, and the condition of the half that differs",
        detailed_message = "Read status.drift; in Enforce, what is left there is not the operator's to mend, and its kind says what to do."
    )]
    DriftFound,
    /// At least one principal is refused by at least one half.
    #[strum(
        message = "`AccessVerified`; principals[] of status.consumers[] or status.readers[] has the reason for each principal",
        detailed_message = "Correct the policy, boundary or statement that the principal's reason names."
    )]
    AccessDenied,

    // The key.
    /// The key does not exist in this account and Region.
    #[strum(
        message = "`KeyAvailable`: the owner's account, in the Region of the spec",
        detailed_message = "Correct the key by a new object, for the field is immutable, or create the key or alias."
    )]
    KeyNotFound,
    /// The key is disabled.
    #[strum(message = "`KeyAvailable`: the key", detailed_message = "Enable it with kms:EnableKey.")]
    KeyDisabled,
    /// The key is scheduled for deletion.
    #[strum(
        message = "`KeyAvailable`: the key",
        detailed_message = "Stop it with kms:CancelKeyDeletion before the date in the message, then kms:EnableKey."
    )]
    KeyPendingDeletion,
    /// The key cannot be used in its state, for example while it waits for key material.
    #[strum(
        message = "`KeyAvailable`: the key",
        detailed_message = "Import its key material, bring its key store back, or wait while it is created."
    )]
    KeyUnavailable,
    /// The key belongs to AWS, or is of a kind that cannot be shared in this way.
    #[strum(
        message = "`KeyAvailable`: the key",
        detailed_message = "Share a customer managed key; the policy of one that AWS manages cannot be written."
    )]
    KeyNotShareable,

    /// The namespace has no SharedKey of the name that the spec gives.
    #[strum(
        message = "`KeyAvailable` of an ExternalSecret: sharedKeyRef",
        detailed_message = "Create the SharedKey, or correct sharedKeyRef; the object is looked at again as soon as there is one."
    )]
    SharedKeyNotFound,
    /// The SharedKey that the spec names is refused, has not found its key, does not let the operator use it, or is being deleted.
    #[strum(
        message = "`KeyAvailable` of an ExternalSecret: sharedKeyRef",
        detailed_message = "Read the conditions of that SharedKey; the object is looked at again as soon as they change."
    )]
    SharedKeyNotReady,

    // The secret.
    // Secrets Manager calls KMS as its caller (D§5.2).
    /// The operator's own role in the secret's account may not use the key, so AWS lets it write no value under that key.
    #[strum(
        message = "`SecretApplied`, `ValueSynced`, `TargetSynced`; the message names the role and the key",
        detailed_message = "Make that role a consumer of the SharedKey, with access: EncryptDecrypt, or let it use the key of kmsKeyArn by the key's own policy; it is never added silently."
    )]
    WriterNotConsumer,
    /// A secret of this name exists already, and this object did not make it.
    #[strum(
        message = "`SecretApplied`: the secret",
        detailed_message = "Set adopt: IfExists to take it over, or choose another name in a new object, for the field is immutable."
    )]
    SecretExists,
    /// The secret is managed by an AWS service, by another ExternalSecret or by another tool, which the message names.
    #[strum(
        message = "`SecretApplied`: the secret, its OwningService or its tags",
        detailed_message = "Leave it to its owner and choose another name in a new object, or end the owner's management of it."
    )]
    SecretOwnedElsewhere,
    /// A secret of this name is scheduled for deletion, and its name is taken until it is gone.
    #[strum(
        message = "`SecretApplied`: the secret",
        detailed_message = "Restore it with secretsmanager:RestoreSecret before the date in the message, or set restoreDeleted: true."
    )]
    SecretPendingDeletion,

    // The value, on its way from and to Kubernetes.
    /// Nobody has given the operator access to Secrets in this namespace.
    #[strum(
        message = "`ValueSynced`, `TargetSynced`: the RoleBinding that is missing",
        detailed_message = "Bind the ClusterRole there: kubectl create rolebinding sharedkey-secrets --clusterrole=sharedkey-secrets --serviceaccount=sharedkey-system:sharedkey-operator --namespace=NAMESPACE (the message has the names of this cluster)."
    )]
    SecretAccessNotGranted,
    /// The Secret or the key in it that source names does not exist.
    #[strum(
        message = "`ValueSynced`: source.secretRef",
        detailed_message = "Create it, or correct source; the secret in AWS keeps its value until then."
    )]
    SourceMissing,
    /// The source cannot be pushed as it is: it is empty, or a whole Secret has a value that is not text.
    #[strum(
        message = "`ValueSynced`: source.secretRef",
        detailed_message = "Correct the key of the Secret that the message names, or push a single key, which may be binary."
    )]
    SourceInvalid,
    /// The source is larger than AWS takes: 65,536 bytes.
    #[strum(
        message = "`ValueSynced`: source.secretRef",
        detailed_message = "Push a single key, or distribute the Secret over several; the secret in AWS keeps its value until then."
    )]
    SourceTooLarge,
    /// The secret has no value that could be read.
    #[strum(
        message = "`TargetSynced`: the secret",
        detailed_message = "Set source, or have its value written by whoever owns it."
    )]
    ValueMissing,
    /// The value does not fit the target: it is no JSON object, lacks a member or has one that cannot be a key of a Secret.
    #[strum(
        message = "`TargetSynced`: target.key, target.keys or target.type",
        detailed_message = "Take the whole value by target.key, or choose the members by target.keys."
    )]
    TargetInvalid,
    /// Kubernetes does not take the target: an admission policy, a webhook or a quota denies it.
    #[strum(
        message = "`TargetSynced`: target",
        detailed_message = "Let whoever administers the policy, webhook or quota that the message names let the Secret in, or remove target."
    )]
    TargetDenied,
    /// The Secret that target names was not made by this object.
    #[strum(
        message = "`TargetSynced`: target.name",
        detailed_message = "Choose another name, or delete that Secret; it is never written over."
    )]
    TargetNotOwned,

    // Accounts.
    /// An AwsAccount that the object names is not ready.
    #[strum(
        message = "`Ready`: an AwsAccount of the spec",
        detailed_message = "Let a cluster administrator correct accountId and partition of that AwsAccount."
    )]
    AccountNotReady,
    /// The identity behind the credentials belongs to another account than accountId says.
    #[strum(
        message = "`Ready` of the AwsAccount, and of objects that use it",
        detailed_message = "Correct accountId, or the credentials: an account is never used through the identity of another one."
    )]
    IdentityMismatch,
    /// The credentials cannot be used: a Secret or key of it is missing, or AWS refuses them.
    #[strum(
        message = "`Ready` of the AwsAccount",
        detailed_message = "Create the Secret and key that the message names in the operator's namespace, or let the role be assumed by the operator."
    )]
    InvalidCredentials,
    /// AwsAccounts name each other in a circle by via.
    #[strum(
        message = "`Ready` of the AwsAccounts in the circle",
        detailed_message = "Let one of them have credentials of its own."
    )]
    CredentialCycle,
    /// The AwsAccount overrides endpoints, and the operator was not started with the flag that allows it.
    #[strum(
        message = "`Ready` of the AwsAccount",
        detailed_message = "Remove endpoints, or start the operator with the flag that the message names."
    )]
    EndpointOverrideNotAllowed,
    /// The account cannot be used in this Region; it may have to be enabled there.
    #[strum(
        message = "the condition of the call that failed",
        detailed_message = "Enable the Region in that account (account:EnableRegion)."
    )]
    RegionDisabled,

    // What one object allows another.
    /// No allow rule of an AwsAccount lets this namespace use the key, the secret or the principal.
    #[strum(
        message = "`Ready`: the field that the message names",
        detailed_message = "Ask a cluster administrator to add it to an allow rule of the AwsAccount, or name something that is allowed."
    )]
    NotAllowed,
    /// A guardrail in sharing of the owner's AwsAccount forbids it.
    #[strum(
        message = "`Ready`: the consumer or reader that the message names",
        detailed_message = "Ask the administrator of the owner's AwsAccount to widen the rule of sharing that the message names, or change the consumer or reader."
    )]
    SharingNotAllowed,
    /// Accounts or ARNs belong to different partitions; no access crosses partitions.
    #[strum(
        message = "`Ready`: the account or ARN that the message names",
        detailed_message = "Use an account of the partition of region."
    )]
    PartitionMismatch,
    /// An ARN belongs to another account than the one that is named.
    #[strum(
        message = "`Ready`: the ARN that the message names",
        detailed_message = "Correct the ARN, or name the account that it belongs to."
    )]
    AccountMismatch,
    /// The spec cannot be carried out; the message names the field.
    #[strum(
        message = "`Ready`: the field that the message names",
        detailed_message = "Correct that field; the message says what is wrong with it, and what the key can do."
    )]
    InvalidSpec,

    // What stands in the way of a write.
    /// A principal does not exist, so AWS would refuse the whole policy.
    #[strum(
        message = "both halves: the role or user that the message names",
        detailed_message = "Create it, correct its name and path, or remove it from the spec."
    )]
    PrincipalNotFound,
    /// A role is protected by AWS and takes no policy.
    #[strum(
        message = "`Ready`: the principal that the message names",
        detailed_message = "Set delegation: None, and give the role its rights where AWS manages it."
    )]
    PrincipalProtected,
    /// A foreign statement names a principal that was deleted, so AWS would refuse the whole policy.
    #[strum(
        message = "`KeyPolicyApplied`: a statement of somebody else in the key policy",
        detailed_message = "Remove the unique id that the message names from that statement, or set pruneForeignOrphans: true."
    )]
    ForeignOrphan,
    /// The policy would exceed its size limit.
    #[strum(
        message = "`KeyPolicyApplied`: the key policy, at most 32,768 bytes; `SecretApplied`: the resource policy, at most 20,480 characters",
        detailed_message = "Name fewer principals, share with whole accounts (trust: Account), or remove statements that nobody needs."
    )]
    PolicyTooLarge,
    /// The policy would keep the owner's administrators from changing it again.
    #[strum(
        message = "`KeyPolicyApplied`: the key policy",
        detailed_message = "Add the statement that gives kms:* to the root of the owner's account, which every key has at first."
    )]
    LockoutRefused,
    /// The policy in AWS cannot be understood, and is not written over.
    #[strum(
        message = "`KeyPolicyApplied`, `SecretApplied`: the place in the policy that the message names",
        detailed_message = "Correct the policy by hand; until then nothing is written to it."
    )]
    PolicyMalformed,
    /// A statement or policy under the object's own name was written by somebody else.
    #[strum(
        message = "the half in which it stands; the message names the statement or policy",
        detailed_message = "Remove it, or annotate the object with sharedkey.dev/take-over=true to have it replaced, or removed where the spec asks for nothing."
    )]
    OwnerConflict,
    /// Somebody undoes what the operator writes.
    #[strum(
        message = "`Ready`, `Stalled`: the statement or policy that the message names",
        detailed_message = "Find out who else writes it (CloudTrail), and let one of the two go, as docs/drift.md (the way out of Contended) says for Terraform, Crossplane and ACK; the operator tries again half an hour after the first time."
    )]
    Contended,
    /// The policies on a principal would exceed an IAM quota.
    #[strum(
        message = "both halves: the role, user or policy that the message names",
        detailed_message = "Shorten or remove one of the policies that the message lists, have the quota raised, or delegate in the other way."
    )]
    DelegationQuotaExceeded,

    // AWS.
    /// AWS refuses a call of the operator; the message names the action to allow.
    #[strum(
        message = "the condition of the call that failed",
        detailed_message = "Allow the action to the role that the AwsAccount names; docs/iam has the policies."
    )]
    OperatorUnauthorised,
    /// AWS failed for a reason that passes; the operator tries again.
    #[strum(
        message = "the condition of the call that failed",
        detailed_message = "Wait; the operator tries again by itself, and what was known stays."
    )]
    AwsUnavailable,
    /// AWS refuses what was asked, and will until something changes.
    #[strum(
        message = "the condition of the call that failed",
        detailed_message = "Change what the message of AWS names."
    )]
    AwsRefused,
}

impl Reason {
    /// What the reason means, in a sentence for users.
    pub fn doc(&self) -> &'static str {
        self.get_documentation().unwrap_or_default()
    }

    /// Where the reason is found: conditions, and the thing in AWS or the spec that it is about. Markdown.
    pub fn place(&self) -> &'static str {
        self.get_message().unwrap_or_default()
    }

    /// What a person can do about it, in a sentence.
    pub fn remedy(&self) -> &'static str {
        self.get_detailed_message().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator as _;

    use super::Reason;

    #[test]
    fn every_reason_says_what_it_means_where_it_is_found_and_what_to_do() {
        for reason in Reason::iter() {
            for sentence in [reason.doc(), reason.remedy()] {
                assert!(sentence.ends_with('.') && !sentence.contains('\n'), "{reason}: {sentence:?}");
            }
            assert!(!reason.place().is_empty() && !reason.place().ends_with('.'), "{reason}");
        }
    }

    #[test]
    fn the_missing_binding_is_told_by_the_name_of_the_role() {
        let remedy = Reason::SecretAccessNotGranted.remedy();
        assert!(remedy.contains(&format!("--clusterrole={}", crate::SECRETS_ROLE)), "{remedy}");
    }
}
