//! Drift as data: what differs between AWS and the spec.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::EnumMessage as _;

use crate::limits;

/// Where something differs.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::Display,
    strum::AsRefStr,
    strum::EnumIter,
    strum::EnumMessage,
)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum DriftLayer {
    /// The key itself.
    Key,
    /// The key's policy, in the owner's account.
    KeyPolicy,
    /// The policies on roles and users, in the account of the consumer or reader.
    Delegation,
    /// The secret itself, its versions, resource policy and replicas.
    Secret,
    /// The Kubernetes Secret to which the value is written.
    Target,
}

impl DriftLayer {
    /// Where it is, in a sentence for users.
    pub fn doc(&self) -> &'static str {
        self.get_documentation().unwrap_or_default()
    }
}

/// What differs: a closed list. The doc comment of each is its meaning for users, see [`DriftKind::doc`].
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::Display,
    strum::AsRefStr,
    strum::EnumIter,
    strum::EnumMessage,
)]
pub enum DriftKind {
    /// The key does not exist.
    #[strum(
        detailed_message = "Correct the key by a new object, for the field is immutable, or create the key or alias."
    )]
    KeyMissing,
    /// The key is disabled.
    #[strum(detailed_message = "Enable it with kms:EnableKey.")]
    KeyDisabled,
    /// The key is scheduled for deletion.
    #[strum(
        detailed_message = "Stop it with kms:CancelKeyDeletion before the date in the message, then kms:EnableKey."
    )]
    KeyPendingDeletion,
    /// The key cannot be used in its state.
    #[strum(detailed_message = "Import its key material, bring its key store back, or wait while it is created.")]
    KeyUnavailable,
    /// The alias points to another key than the one that it meant at first.
    #[strum(
        detailed_message = "Point the alias back, or create a new SharedKey for the other key; this one stays with its key."
    )]
    AliasMoved,
    /// A statement of the object is not in the key policy.
    #[strum(
        detailed_message = "Find out who took it away (CloudTrail, PutKeyPolicy); a tool that owns the whole policy has to keep statements of others."
    )]
    StatementMissing,
    /// A statement of the object says something else than the spec.
    #[strum(
        detailed_message = "Find out who changed it (CloudTrail, PutKeyPolicy); change the spec instead, for the statement follows it."
    )]
    StatementChanged,
    /// A statement of the object is in the key policy more than once, under its own Sid or as a copy under another one.
    #[strum(
        detailed_message = "Nothing where it stands under our own Sid; a copy in a statement of others is left, so remove it unless somebody else needs it."
    )]
    StatementDuplicated,
    /// A statement of the object no longer names a principal that it has to.
    #[strum(
        detailed_message = "Find out who took it out (CloudTrail, PutKeyPolicy); remove it from the spec if it is right that it is gone."
    )]
    PrincipalMissing,
    /// A principal was deleted and created again; the key policy trusts the old one.
    #[strum(
        detailed_message = "If the new one is to be trusted, remove it from the spec and add it again, or set healRecreatedPrincipals: true."
    )]
    PrincipalRecreated,
    // KMS puts the id in place of the ARN (D§1.4).
    /// A statement names a principal that was deleted, by its unique id.
    #[strum(
        detailed_message = "Remove the principal from the spec, and add it again to trust one that was created anew."
    )]
    OrphanedPrincipal,
    /// The key policy cannot be understood.
    #[strum(detailed_message = "Correct the key policy by hand; until then nothing is written to it.")]
    PolicyUnreadable,
    /// A policy of the object is not on its role or user.
    #[strum(
        detailed_message = "Find out who deleted it (CloudTrail, DeleteRolePolicy and its like); remove the principal from the spec if it is right."
    )]
    PolicyMissing,
    /// A policy of the object says something else than the spec.
    #[strum(detailed_message = "Change the spec instead, for the policy follows it.")]
    PolicyChanged,
    /// A managed policy of the object is not attached to its role or user.
    #[strum(
        detailed_message = "Find out who detached it (CloudTrail, DetachRolePolicy and its like); remove the principal from the spec if it is right."
    )]
    PolicyDetached,
    /// Another version of a managed policy is its default.
    #[strum(detailed_message = "Change the spec instead, for the policy follows it.")]
    DefaultVersionChanged,
    /// A role or user that has to carry a policy does not exist.
    #[strum(detailed_message = "Create it, correct its name and path, or remove it from the spec.")]
    EntityMissing,
    /// A permissions boundary keeps a principal from the key.
    #[strum(detailed_message = "Let the permissions boundary that the message names allow the actions on the key.")]
    BlockedByBoundary,
    /// A policy on a principal denies it the key.
    #[strum(detailed_message = "Remove the Deny that the message names, or make an exception in it for the key.")]
    BlockedByDeny,
    /// The secret does not exist.
    #[strum(
        detailed_message = "Find out who deleted it (CloudTrail, DeleteSecret); a new one has another ARN, which whoever names the old one has to learn."
    )]
    SecretMissing,
    /// The secret is scheduled for deletion.
    #[strum(
        detailed_message = "Restore it with secretsmanager:RestoreSecret before the date in the message, or set restoreDeleted: true."
    )]
    SecretPendingDeletion,
    /// Another key encrypts the secret.
    #[strum(
        detailed_message = "Find out who changed it (CloudTrail, UpdateSecret); to use another key name it in the spec."
    )]
    KeyChanged,
    // Silently, where the caller lacks kms:Encrypt (D§5.4).
    /// Versions of the secret that are in use are still encrypted with another key.
    #[strum(
        detailed_message = "Keep the old key until they have moved, and let the operator's role use kms:Encrypt on the new one."
    )]
    VersionsOnOldKey,
    /// The current version of the secret is one that the operator did not write.
    #[strum(
        detailed_message = "Find out who wrote it (CloudTrail, PutSecretValue); change the source instead, or remove source if the value is theirs."
    )]
    ValueChanged,
    /// The description of the secret is another one.
    #[strum(detailed_message = "Change the spec instead, for the description follows it.")]
    DescriptionChanged,
    /// A tag of the spec is missing from the secret or has another value.
    #[strum(detailed_message = "Change the spec instead, for the tags follow it.")]
    TagsChanged,
    /// A statement of the object is not in the secret's resource policy.
    #[strum(
        detailed_message = "Find out who took it away (CloudTrail, PutResourcePolicy and DeleteResourcePolicy); a tool that owns the whole policy has to keep statements of others."
    )]
    ResourcePolicyMissing,
    /// A statement of the object in the secret's resource policy says something else than the spec.
    #[strum(
        detailed_message = "Find out who changed it (CloudTrail, PutResourcePolicy); change the spec instead, for the statement follows it."
    )]
    ResourcePolicyChanged,
    /// The secret is not replicated to a Region of the spec.
    #[strum(
        detailed_message = "Find out who removed it (CloudTrail, RemoveRegionsFromReplication); remove it from the spec if it is right that it is gone."
    )]
    ReplicaMissing,
    /// A replica of the secret has another key, or AWS cannot keep it up to date.
    #[strum(
        detailed_message = "Read what AWS says in status.replicas; the operator's role has to be able to use both keys."
    )]
    ReplicaChanged,
    /// The target does not exist.
    #[strum(detailed_message = "Find out who deleted it; remove target from the spec if nobody needs it.")]
    TargetMissing,
    /// The target has other data or another type than the value and the spec say.
    #[strum(detailed_message = "Change the secret in AWS or the spec instead, for the target follows them.")]
    TargetChanged,
}

impl DriftKind {
    /// What the kind means, in a sentence for users.
    pub fn doc(&self) -> &'static str {
        self.get_documentation().unwrap_or_default()
    }

    /// What a person can do about it, in a sentence.
    pub fn remedy(&self) -> &'static str {
        self.get_detailed_message().unwrap_or_default()
    }

    /// The layer that the kind belongs to.
    pub fn layer(self) -> DriftLayer {
        match self {
            Self::KeyMissing
            | Self::KeyDisabled
            | Self::KeyPendingDeletion
            | Self::KeyUnavailable
            | Self::AliasMoved => DriftLayer::Key,
            Self::StatementMissing
            | Self::StatementChanged
            | Self::StatementDuplicated
            | Self::PrincipalMissing
            | Self::PrincipalRecreated
            | Self::OrphanedPrincipal
            | Self::PolicyUnreadable => DriftLayer::KeyPolicy,
            Self::PolicyMissing
            | Self::PolicyChanged
            | Self::PolicyDetached
            | Self::DefaultVersionChanged
            | Self::EntityMissing
            | Self::BlockedByBoundary
            | Self::BlockedByDeny => DriftLayer::Delegation,
            Self::SecretMissing
            | Self::SecretPendingDeletion
            | Self::KeyChanged
            | Self::VersionsOnOldKey
            | Self::ValueChanged
            | Self::DescriptionChanged
            | Self::TagsChanged
            | Self::ResourcePolicyMissing
            | Self::ResourcePolicyChanged
            | Self::ReplicaMissing
            | Self::ReplicaChanged => DriftLayer::Secret,
            Self::TargetMissing | Self::TargetChanged => DriftLayer::Target,
        }
    }

    /// Whether the operator heals it under `mode: Enforce`. The rest needs a decision that is not the operator's: enabling a
    /// key, trusting whoever created a role again (D§1.4), or taking back a deletion.
    pub fn healed(self) -> bool {
        matches!(
            self,
            Self::StatementMissing
                | Self::StatementChanged
                | Self::StatementDuplicated
                | Self::PrincipalMissing
                | Self::PolicyMissing
                | Self::PolicyChanged
                | Self::PolicyDetached
                | Self::DefaultVersionChanged
                | Self::SecretMissing
                | Self::KeyChanged
                | Self::VersionsOnOldKey
                | Self::ValueChanged
                | Self::DescriptionChanged
                | Self::TagsChanged
                | Self::ResourcePolicyMissing
                | Self::ResourcePolicyChanged
                | Self::ReplicaMissing
                | Self::ReplicaChanged
                | Self::TargetMissing
                | Self::TargetChanged
        )
    }
}

/// One difference between AWS and the spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// Where it differs: the key, the key's policy, the delegation, the secret or the target.
    pub layer: DriftLayer,
    /// What differs, in one word of a closed list.
    pub kind: DriftKind,
    /// Id of the account in which it differs.
    #[schemars(length(max = 12))]
    pub account: String,
    /// ARN of the role or user that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::ARN))]
    pub principal: Option<String>,
    /// Sid, policy or field that differs.
    #[schemars(length(max = limits::DRIFT_SUBJECT))]
    pub subject: String,
    /// What the spec asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::DRIFT_VALUE))]
    pub expected: Option<String>,
    /// What AWS has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::DRIFT_VALUE))]
    pub observed: Option<String>,
    /// The difference and what it means, in full.
    #[schemars(length(max = limits::DRIFT_MESSAGE))]
    pub message: String,
    /// When it was seen first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_observed_time: Option<Time>,
}

/// What was healed last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastCorrection {
    /// When it was healed.
    pub time: Time,
    /// What had differed: at most 16 entries.
    #[schemars(length(max = limits::CORRECTIONS))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub items: Vec<Drift>,
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator as _;

    use super::*;

    #[test]
    fn kinds_are_listed_by_layer() {
        let layers: Vec<DriftLayer> = DriftKind::iter().map(DriftKind::layer).collect();
        assert!(layers.is_sorted(), "{layers:?}");
        assert!(DriftLayer::iter().all(|layer| layers.contains(&layer)));
    }

    #[test]
    fn no_key_is_changed_to_heal_something() {
        assert!(!DriftKind::iter().any(|kind| kind.layer() == DriftLayer::Key && kind.healed()));
    }

    #[test]
    fn every_kind_and_layer_says_what_it_means_and_every_kind_what_to_do() {
        let kinds = DriftKind::iter().flat_map(|kind| [kind.doc(), kind.remedy()]);
        for sentence in kinds.chain(DriftLayer::iter().map(|layer| layer.doc())) {
            assert!(sentence.ends_with('.') && !sentence.contains('\n'), "{sentence:?}");
        }
    }

    #[test]
    fn names_are_the_same_in_json_and_in_text() {
        for kind in DriftKind::iter() {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.to_string());
        }
        for layer in DriftLayer::iter() {
            assert_eq!(serde_json::to_value(layer).unwrap(), layer.to_string());
        }
    }
}
