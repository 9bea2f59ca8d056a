use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What is known about an account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsAccountStatus {
    /// Generation of the spec that the status speaks about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, and while something is wrong Reconciling or Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Whom AWS takes the operator for in this account (sts:GetCallerIdentity).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Number of objects that use the account. It cannot be deleted while there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<i64>,
    /// IAM quotas of the account (iam:GetAccountSummary), absent where they cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quotas: Option<Quotas>,
}

/// An identity, as AWS sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Id of the account that the identity belongs to.
    #[schemars(length(max = 12))]
    pub account: String,
    /// ARN of the session or user.
    #[schemars(length(max = 2048))]
    pub arn: String,
    /// Unique id of the session or user.
    #[schemars(length(max = 256))]
    pub user_id: String,
}

/// Quotas of IAM that bound what can be delegated, in characters without white space or in pieces (D§4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Quotas {
    /// Characters of all inline policies of one role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_policy_size: Option<i64>,
    /// Characters of all inline policies of one user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_policy_size: Option<i64>,
    /// Characters of one managed policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_size: Option<i64>,
    /// Managed policies that can be attached to one role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached_policies_per_role: Option<i64>,
    /// Managed policies that can be attached to one user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached_policies_per_user: Option<i64>,
    /// Versions of one managed policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions_per_policy: Option<i64>,
    /// Customer managed policies that the account can have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<i64>,
    /// Customer managed policies that the account has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies_in_use: Option<i64>,
}
