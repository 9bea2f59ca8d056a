//! `AwsAccount`: how the operator reaches one AWS account, and who may use it for what.

mod allow;
mod credentials;
mod status;

pub use allow::{AllowRule, NamespaceRule, Sharing};
pub use credentials::{Ambient, AssumeRole, Credentials, LocalSecretRef, SecretKeyRef, WebIdentity};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
pub use status::{AwsAccountStatus, Identity, Quotas};

use crate::{cel::partition_of, limits, mode::Mode};

/// The partition of a spec, as far as it tells.
fn partition_in(spec: &str) -> String {
    let from_region = partition_of(&format!("{spec}.defaultRegion"));
    format!("(has({spec}.partition) ? {spec}.partition : has({spec}.defaultRegion) ? {from_region} : '')")
}

/// The role in one way to log in belongs to this account and its partition.
fn role_belongs(way: &str) -> String {
    let partition = partition_in("self");
    format!(
        "!has(self.credentials.{way}) || {partition} == '' || \
         self.credentials.{way}.roleArn.startsWith('arn:' + {partition} + ':iam::' + self.accountId + ':')"
    )
}

/// The patterns that spell their partition out name this one.
fn patterns_belong() -> String {
    let partition = partition_in("self");
    format!(
        "!has(self.allow) || {partition} == '' || self.allow.all(rule, !has(rule.keys) || rule.keys.all(key, \
         !key.matches('^arn:[a-z-]+:') || key.startsWith('arn:' + {partition} + ':')))"
    )
}

/// The partition stays what it was, wherever it stands: all that was shared through the account stands in it.
fn partition_stays() -> String {
    format!("{} == {}", partition_in("self"), partition_in("oldSelf"))
}

/// How the operator reaches the account, and who may use it.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "sharedkey.dev",
    version = "v1alpha1",
    kind = "AwsAccount",
    plural = "awsaccounts",
    shortname = "awsacct",
    category = "sharedkey-operator",
    status = "AwsAccountStatus",
    derive = "PartialEq",
    doc = "An AWS account that the operator can reach: how it logs in, and which namespaces may use the account for which keys, secrets and principals. Written by administrators of the cluster.",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#, description = "Whether the operator can work in the account"),
    printcolumn(name = "Account", type_ = "string", json_path = ".spec.accountId", description = "Account id"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode", description = "Enforce or Observe"),
    printcolumn(name = "Users", type_ = "integer", json_path = ".status.users", description = "Objects that use the account"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Partition", type_ = "string", json_path = ".spec.partition", priority = 1),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.defaultRegion", priority = 1),
    printcolumn(name = "Identity", type_ = "string", json_path = ".status.identity.arn", description = "Whom AWS takes the operator for", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].message"#, priority = 1),
    validation = Rule::new("!has(self.spec.credentials.assumeRole) || !has(self.spec.credentials.assumeRole.via) || self.spec.credentials.assumeRole.via.name != self.metadata.name")
        .message("credentials.assumeRole.via must name another AwsAccount"),
)]
#[x_kube(
    validation = Rule::new("has(self.partition) || has(self.defaultRegion)")
        .message("partition or defaultRegion must be set: one of them says which partition the account is in"),
    validation = Rule::new(format!("!has(self.partition) || !has(self.defaultRegion) || self.partition == {}", partition_of("self.defaultRegion")))
        .message("partition must be the one of defaultRegion, or be left out"),
    validation = Rule::new(partition_stays())
        .message("the partition is immutable, be it by partition or by defaultRegion: create another AwsAccount for another account"),
    validation = Rule::new(role_belongs("assumeRole"))
        .message("credentials.assumeRole.roleArn must be a role of accountId, in its partition"),
    validation = Rule::new(role_belongs("webIdentity"))
        .message("credentials.webIdentity.roleArn must be a role of accountId, in its partition"),
    validation = Rule::new(patterns_belong())
        .message("allow[].keys must be in the account's partition: no access crosses partitions"),
)]
#[serde(rename_all = "camelCase")]
pub struct AwsAccountSpec {
    /// Id of the account: 12 digits, in quotes. Immutable. An account whose credentials turn out to belong to another
    /// account is never used.
    #[schemars(schema_with = "crate::schema::account_id")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("accountId is immutable: create another AwsAccount for another account"))]
    pub account_id: String,

    /// Partition of the account. Default: the partition of defaultRegion. One of the two must be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::partition")]
    pub partition: Option<String>,

    /// Region for calls that name none, which is how the operator logs in: STS is asked here. Example: cn-north-1. Default:
    /// the Region in which the partition has its IAM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::region")]
    pub default_region: Option<String>,

    /// How the operator logs in: exactly one way.
    pub credentials: Credentials,

    /// URLs of AWS services, for VPC endpoints and test doubles. Signed requests go there, so they count only if the operator
    /// runs with --allow-endpoint-overrides, and plain http only with --allow-insecure-endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Endpoints>,

    /// Which namespaces may use the account, for which keys, secrets and principals. Nothing is allowed by default. At most 64 rules;
    /// what one of them allows is allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::ALLOW_RULES))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub allow: Vec<AllowRule>,

    /// Guardrails for the keys and secrets that this account owns. They bind every namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<Sharing>,

    /// Enforce: the operator may write to this account. Observe: it only reads, whatever the objects say, and read-only
    /// rights in AWS are enough.
    #[serde(default)]
    pub mode: Mode,
}

/// URLs of AWS services.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// URL of KMS, like https://vpce-0123.kms.eu-central-1.vpce.amazonaws.com. It is used for keys of every Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::endpoint")]
    pub kms: Option<String>,
    /// URL of IAM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::endpoint")]
    pub iam: Option<String>,
    /// URL of STS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::endpoint")]
    pub sts: Option<String>,
    /// URL of Secrets Manager. It is used for secrets of every Region, and receives their values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::endpoint")]
    pub secrets_manager: Option<String>,
}
