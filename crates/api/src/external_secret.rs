//! `ExternalSecret`: one secret of AWS Secrets Manager, the key that encrypts it, and who in which accounts may read it.

mod bounds;
mod key;
mod reader;
mod source;
mod status;
mod target;

use std::{collections::BTreeMap, time::Duration};

pub use key::{EncryptionKey, Replica};
use kube::{CustomResource, KubeSchema};
pub use reader::Reader;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use source::{Source, SourceSecretRef};
pub use status::{ExternalSecretStatus, ReaderPrincipalStatus, ReaderStatus, ReplicaStatus};
pub use target::Target;

use crate::{
    cel::{key_of_region, partition_of},
    interval, limits,
    mode::Mode,
    principals,
    reference::AccountRef,
};

/// How long AWS keeps a deleted secret where the spec does not say (D§5.7).
const RECOVERY_WINDOW_DAYS: i32 = 30;

/// A list of replicas has another Region for each than the spec, in the same partition.
fn replicas(rule: &str) -> String {
    format!("!has(self.replicas) || self.replicas.all(replica, {rule})")
}

/// What is in AWS, who reads it, and how it is looked after.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "sharedkey.dev",
    version = "v1alpha1",
    kind = "ExternalSecret",
    plural = "externalsecrets",
    shortname = "xsec",
    category = "sharedkey-operator",
    namespaced,
    status = "ExternalSecretStatus",
    derive = "PartialEq",
    doc = "A secret of AWS Secrets Manager that is encrypted with a shared KMS key, and the roles and users, of its own account and of others, who read it. The operator makes it so and keeps it so, or only reports how it differs (mode: Observe). The value comes from a Kubernetes Secret (source), is written to one (target), or is none of the operator's business. The External Secrets Operator has another kind of the same name: name this one by its short name xsec, or in full, externalsecrets.sharedkey.dev.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the object does what its spec asks"
    ),
    printcolumn(
        name = "InSync",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="InSync")].status"#,
        description = "Whether AWS is as the spec asks; False means drift"
    ),
    printcolumn(
        name = "Drift",
        type_ = "integer",
        json_path = ".status.driftCount",
        description = "Number of differences"
    ),
    printcolumn(
        name = "Secret",
        type_ = "string",
        json_path = ".spec.secretName",
        description = "Name in Secrets Manager"
    ),
    printcolumn(
        name = "Account",
        type_ = "string",
        json_path = ".spec.accountRef.name",
        description = "AwsAccount that owns the secret"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Mode",
        type_ = "string",
        json_path = ".spec.mode",
        description = "Enforce or Observe",
        priority = 1
    ),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.region", priority = 1),
    printcolumn(
        name = "SharedKey",
        type_ = "string",
        json_path = ".spec.sharedKeyRef.name",
        description = "SharedKey whose key encrypts the secret",
        priority = 1
    ),
    printcolumn(name = "SecretArn", type_ = "string", json_path = ".status.secretArn", priority = 1),
    printcolumn(name = "KeyArn", type_ = "string", json_path = ".status.kmsKeyArn", priority = 1),
    printcolumn(
        name = "Version",
        type_ = "string",
        json_path = ".status.versionId",
        description = "Id of the current version",
        priority = 1
    ),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspend", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    )
)]
#[x_kube(
    validation = Rule::new(key_of_region("self.kmsKeyArn"))
        .message("kmsKeyArn must be a key of region, in the partition of region"),
    validation = principals::of_the_partition("readers", "a secret"),
    validation = principals::at_most_in_all("readers", "let several of them assume one role"),
    validation = Rule::new(replicas("replica.region != self.region"))
        .message("replicas[].region must be another Region than region, where the secret itself is"),
    validation = Rule::new(replicas(&format!("{} == {}", partition_of("replica.region"), partition_of("self.region"))))
        .message("replicas[].region must be in the partition of region: no secret is replicated into another one"),
    validation = Rule::new("!has(self.target) || !has(self.source) || self.target.name != self.source.secretRef.name")
        .message("target.name must be another Secret than source.secretRef.name: a Secret cannot be both"),
    validation = Rule::new("!has(self.target) || has(self.source) || (has(self.adopt) && self.adopt == 'IfExists')")
        .message("target needs a value to read: set source, or adopt: IfExists for a secret whose value others write"),
    validation = Rule::new("!has(self.recoveryWindowDays) || (has(self.deletionPolicy) && self.deletionPolicy == 'Delete')")
        .message("recoveryWindowDays must be absent unless deletionPolicy is Delete"),
)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecretSpec {
    /// The AwsAccount that owns the secret. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("accountRef is immutable: create another ExternalSecret for a secret of another account"))]
    pub account_ref: AccountRef,

    /// Region of the secret, like eu-central-1 or cn-north-1. Immutable. It says which partition the secret, its key and its
    /// readers are in.
    #[schemars(schema_with = "crate::schema::region")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("region is immutable: create another ExternalSecret for a secret of another Region"))]
    pub region: String,

    /// Name of the secret in Secrets Manager, like orders/db: letters, digits and /_+=.@-. Immutable.
    #[schemars(schema_with = "crate::schema::secret_name")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("secretName is immutable: create another ExternalSecret for another secret"))]
    pub secret_name: String,

    /// Description of the secret. Absent: whatever it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::DESCRIPTION))]
    pub description: Option<String>,

    /// Tags that the secret has to have: at most 46, because AWS takes 50 and the operator adds four that say whose it is. Other tags
    /// of it are left alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::schema::tags")]
    pub tags: BTreeMap<String, String>,

    /// What is done with a secret of this name that exists already and that this object did not make. Never: it is left alone,
    /// and reported (SecretExists). IfExists: it becomes what the spec asks; tags and policy statements of others stay, and its
    /// value is replaced only where there is a source.
    #[serde(default)]
    pub adopt: Adopt,

    /// The key that encrypts the secret.
    #[serde(flatten)]
    pub key: EncryptionKey,

    /// Where the value comes from. Absent: it is somebody else's, and is never written; a secret that the operator makes has none
    /// at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,

    /// Who may read the secret: at most 24 readers with 96 principals in all. Removing a reader removes its access. To decrypt,
    /// each of them has to be a consumer of the key as well (access: Decrypt).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::READERS))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub readers: Vec<Reader>,

    /// Other Regions to which Secrets Manager copies the secret, each with a key of its own: at most 32. Removing one deletes
    /// the copy there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::REPLICAS))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["region".into()]))]
    pub replicas: Vec<Replica>,

    /// A Kubernetes Secret to which the value is written, and refreshed at every interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,

    /// Enforce: differences are reported and healed. Observe: they are reported, and nothing is written, neither to AWS nor to
    /// the target. An AwsAccount in mode Observe makes every object that uses it Observe.
    #[serde(default)]
    pub mode: Mode,

    /// What happens in AWS when this object is deleted. The access of the readers is removed in any case. Retain: the secret stays,
    /// with its replicas and what others have stated in its policy, and nobody looks after it any longer. Delete: it is scheduled
    /// for deletion, its replicas first.
    #[serde(default)]
    pub deletion_policy: SecretDeletionPolicy,

    /// With deletionPolicy: Delete, the days for which AWS keeps the secret so that it can be restored: 7 to 30. Default: 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::recovery_window_days")]
    pub recovery_window_days: Option<i32>,

    /// true: the secret is restored when it is found scheduled for deletion. Default: false, and it is reported
    /// (SecretPendingDeletion) and left alone.
    #[serde(default)]
    pub restore_deleted: bool,

    /// How often AWS is compared with the spec, like 90s, 10m or 1h30m: 30s at least, 24h at most. Default: 10m. The operator
    /// spreads the times a little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::interval")]
    pub interval: Option<String>,

    /// true: the operator leaves AWS, the target and this object's status alone until it is false again. Deleting a suspended
    /// object leaves everything in AWS; an event (Remains) lists it.
    #[serde(default)]
    pub suspend: bool,
}

impl ExternalSecretSpec {
    /// Time between two sweeps. A text that the API server would have refused counts as absent.
    pub fn interval(&self) -> Duration {
        interval::of(self.interval.as_deref())
    }

    /// Days for which a deleted secret can be restored; `None` where it is not to be deleted.
    pub fn recovery_window_days(&self) -> Option<i32> {
        match self.deletion_policy {
            SecretDeletionPolicy::Retain => None,
            SecretDeletionPolicy::Delete => Some(self.recovery_window_days.unwrap_or(RECOVERY_WINDOW_DAYS)),
        }
    }
}

/// Whether a secret that exists already may be taken over.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
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
)]
pub enum Adopt {
    /// It is left alone.
    #[default]
    Never,
    /// It becomes what the spec asks.
    IfExists,
}

/// What happens to a secret, be it in AWS or in Kubernetes, when the object is deleted.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
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
)]
pub enum SecretDeletionPolicy {
    /// It stays.
    #[default]
    Retain,
    /// It is deleted.
    Delete,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_can_be_restored_for_as_long_as_the_spec_says_or_aws_by_default() {
        for (deletion_policy, stated, days) in [
            (SecretDeletionPolicy::Retain, None, None),
            (SecretDeletionPolicy::Delete, None, Some(30)),
            (SecretDeletionPolicy::Delete, Some(7), Some(7)),
        ] {
            let spec = ExternalSecretSpec { deletion_policy, recovery_window_days: stated, ..Default::default() };
            assert_eq!(spec.recovery_window_days(), days, "{deletion_policy} {stated:?}");
        }
    }
}
