//! `SharedKey`: one key, and who in which accounts may use it.

mod bounds;
mod collision;
mod consumer;
mod status;

use std::time::Duration;

pub use collision::{Collision, CollisionOutcome, LastCollision};
pub use consumer::{Access, Consumer, ConsumerConditions, Trust};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use status::{ConsumerStatus, PrincipalStatus, SharedKeyStatus};

use crate::{
    cel::{exactly_one_of, key_of_region},
    interval, limits,
    mode::Mode,
    principals,
    reference::AccountRef,
};

/// What is shared, with whom, and how it is looked after.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "sharedkey.dev",
    version = "v1alpha1",
    kind = "SharedKey",
    plural = "sharedkeys",
    shortname = "shk",
    category = "sharedkey-operator",
    namespaced,
    status = "SharedKeyStatus",
    derive = "PartialEq",
    doc = "A KMS key that is shared with roles and users of other AWS accounts. It states both halves of that access: the statements in the key's policy, and the policies on the roles and users. The operator makes them true and keeps them true, or only reports how they differ (mode: Observe).",
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
    printcolumn(name = "Key", type_ = "string", json_path = ".spec.key.*", description = "Key, as the spec names it"),
    printcolumn(
        name = "Account",
        type_ = "string",
        json_path = ".spec.accountRef.name",
        description = "AwsAccount that owns the key"
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
        name = "KeyState",
        type_ = "string",
        json_path = ".status.keyState",
        description = "State of the key, in the words of KMS",
        priority = 1
    ),
    printcolumn(name = "KeyArn", type_ = "string", json_path = ".status.keyArn", priority = 1),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspend", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    )
)]
#[x_kube(
    validation = Rule::new(key_of_region("self.key.arn"))
        .message("key.arn must be a key of region, in the partition of region"),
    validation = principals::of_the_partition("consumers", "a key"),
    validation = principals::at_most_in_all("consumers", "use a second SharedKey for the same key, or trust: Account"),
)]
#[serde(rename_all = "camelCase")]
pub struct SharedKeySpec {
    /// The AwsAccount that owns the key. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("accountRef is immutable: create another SharedKey for a key of another account"))]
    pub account_ref: AccountRef,

    /// Region of the key, like eu-central-1 or cn-north-1. Immutable. It says which partition the key and everybody who uses
    /// it are in.
    #[schemars(schema_with = "crate::schema::region")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("region is immutable: create another SharedKey for a key of another Region"))]
    pub region: String,

    /// The key: exactly one of id, arn and alias. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("key is immutable: create another SharedKey for another key"))]
    pub key: KeySource,

    /// Who may use the key: at most 32 consumers with 96 principals in all. Removing a consumer removes its access; an empty
    /// list shares the key with nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::CONSUMERS))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub consumers: Vec<Consumer>,

    /// Enforce: differences are reported and healed. Observe: they are reported, and nothing is written to AWS. An
    /// AwsAccount in mode Observe makes every object that uses it Observe.
    #[serde(default)]
    pub mode: Mode,

    /// What happens in AWS when this object is deleted. Revoke: everything that it shared is removed. Retain: it stays, and
    /// nobody looks after it any longer.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// true: a role or user that was deleted and created again under the same name is trusted again. Whoever may create roles in
    /// the consumer's account can then step into the place of a deleted one. Default: false, and the new one is reported
    /// (PrincipalRecreated) and left out.
    #[serde(default)]
    pub heal_recreated_principals: bool,

    /// true: when the key policy has to be written and statements of others name principals that were deleted, those are taken
    /// out of them, because KMS refuses every write while they stand there. Default: false, and they are reported
    /// (ForeignOrphan) and nothing is written.
    #[serde(default)]
    pub prune_foreign_orphans: bool,

    /// How often AWS is compared with the spec, like 90s, 10m or 1h30m: 30s at least, 24h at most. Default: 10m. The operator
    /// spreads the times a little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::interval")]
    pub interval: Option<String>,

    /// true: the operator leaves AWS and this object's status alone until it is false again. Deleting a suspended object leaves
    /// everything that it shared in AWS; an event (Remains) lists it.
    #[serde(default)]
    pub suspend: bool,
}

impl SharedKeySpec {
    /// Time between two sweeps. A text that the API server would have refused counts as absent.
    pub fn interval(&self) -> Duration {
        interval::of(self.interval.as_deref())
    }
}

/// A key that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new(exactly_one_of(&["id", "arn", "alias"])).message("key must have exactly one of id, arn and alias"))]
#[serde(rename_all = "camelCase")]
pub struct KeySource {
    /// Id of the key: 1234abcd-12ab-34cd-56ef-1234567890ab, or mrk- and 32 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::key_id")]
    pub id: Option<String>,
    /// ARN of the key: arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::key_arn")]
    pub arn: Option<String>,
    /// Alias of the key, like alias/orders. It is looked up once, and status.keyArn keeps the answer; if the alias is pointed
    /// elsewhere later, that is reported as drift (AliasMoved) and the sharing stays where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::key_alias")]
    pub alias: Option<String>,
}

/// What happens in AWS when the object is deleted.
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
pub enum DeletionPolicy {
    /// Everything that the object shared is removed.
    #[default]
    Revoke,
    /// What the object shared stays.
    Retain,
}
