use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::{
    drift::{Drift, LastCorrection},
    halves::{Basis, HalfState, VerdictValue},
    limits,
    shared_key::collision::LastCollision,
};

/// What is known about a shared key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SharedKeyStatus {
    /// Generation of the spec that the status speaks about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, KeyAvailable, KeyPolicyApplied, DelegationApplied, AccessVerified and InSync; in addition Reconciling while work
    /// is going on, and Stalled while it cannot go on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
    /// ARN of the key. An alias is looked up once; this is what it meant then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::ARN))]
    pub key_arn: Option<String>,
    /// State of the key, in the words of KMS: Enabled, Disabled, PendingDeletion, PendingImport, Unavailable and others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub key_state: Option<String>,
    /// How AWS differs from the spec, in a stable order: at most 64 entries, of driftCount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::DRIFT))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub drift: Vec<Drift>,
    /// Number of differences.
    #[serde(default)]
    pub drift_count: i64,
    /// What was healed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_correction: Option<LastCorrection>,
    /// Where another writer of the key policy wrote at the same moment as the operator: the last time that it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_collision: Option<LastCollision>,
    /// Who can use the key, half by half.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::CONSUMERS))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub consumers: Vec<ConsumerStatus>,
    /// Value of the annotation sharedkey.dev/reconcile-requested-at (or Flux') that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::REQUEST_TOKEN))]
    pub last_handled_reconcile_at: Option<String>,
}

/// One consumer, as it is in AWS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerStatus {
    /// Name of the consumer in the spec.
    #[schemars(length(max = limits::LABEL))]
    pub name: String,
    /// Id of its account.
    #[schemars(length(max = 12))]
    pub account: String,
    /// Its principals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::PRINCIPALS_PER_CONSUMER))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub principals: Vec<PrincipalStatus>,
    /// For a consumer with accountId: the IAM policy that its administrators attach to their roles and users, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::HANDOFF_POLICY))]
    pub handoff_policy: Option<String>,
}

/// One principal: its two halves, and what comes of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrincipalStatus {
    /// ARN of the role, the user or, with trust: Account, the account.
    #[schemars(length(max = limits::ARN))]
    pub arn: String,
    /// Unique id of the role or user (AROA…, AIDA…). It changes when the role or user is deleted and created again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::UNIQUE_ID))]
    pub unique_id: Option<String>,
    /// The half in the key's policy.
    pub key_policy: HalfState,
    /// The half on the role or user.
    pub delegation: HalfState,
    /// Whether the principal can use the key: for all of its actions (Allowed), for none (Denied) or for some (Partial).
    pub verdict: VerdictValue,
    /// How the verdict was found: computed from both policies, or by a call with KMS' DryRun.
    pub basis: Basis,
    /// What the verdict rests on, and where it is not Allowed, what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::VERDICT_REASON))]
    pub reason: Option<String>,
}
