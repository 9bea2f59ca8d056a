use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::{
    drift::{Drift, LastCorrection},
    halves::{Basis, HalfState, VerdictValue},
    limits,
};

/// What is known about a secret. It never holds a value, nor anything that is computed from one alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSecretStatus {
    /// Generation of the spec that the status speaks about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, KeyAvailable, SecretApplied, ValueSynced, DelegationApplied, AccessVerified, TargetSynced and InSync; in addition
    /// Reconciling while work is going on, and Stalled while it cannot go on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
    /// ARN of the secret. A secret that was deleted and made anew has another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::SECRET_ARN))]
    pub secret_arn: Option<String>,
    /// ARN of the key that encrypts new versions of the secret, as AWS has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::ARN))]
    pub kms_key_arn: Option<String>,
    /// Id of the current version (AWSCURRENT). It says nothing about the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::VERSION_ID))]
    pub version_id: Option<String>,
    /// How AWS and the target differ from the spec, in a stable order: at most 64 entries, of driftCount.
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
    /// Who can read the secret, half by half.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::READERS))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub readers: Vec<ReaderStatus>,
    /// The copies in other Regions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::REPLICAS))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["region".into()]))]
    pub replicas: Vec<ReplicaStatus>,
    /// Value of the annotation sharedkey.dev/reconcile-requested-at (or Flux') that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::REQUEST_TOKEN))]
    pub last_handled_reconcile_at: Option<String>,
}

/// One reader, as it is in AWS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReaderStatus {
    /// Name of the reader in the spec.
    #[schemars(length(max = limits::LABEL))]
    pub name: String,
    /// Id of its account.
    #[schemars(length(max = 12))]
    pub account: String,
    /// Its principals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::PRINCIPALS_PER_CONSUMER))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub principals: Vec<ReaderPrincipalStatus>,
    /// For a reader with accountId: the IAM policy that its administrators attach to their roles and users, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::HANDOFF_POLICY))]
    pub handoff_policy: Option<String>,
}

/// One principal: what has to let it read the secret, and what comes of that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReaderPrincipalStatus {
    /// ARN of the role or user.
    #[schemars(length(max = limits::ARN))]
    pub arn: String,
    /// Unique id of the role or user (AROA…, AIDA…). It changes when the role or user is deleted and created again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::UNIQUE_ID))]
    pub unique_id: Option<String>,
    /// The statement in the secret's resource policy.
    pub secret_policy: HalfState,
    /// The policy on the role or user.
    pub delegation: HalfState,
    /// Whether the principal can decrypt with the key: both halves of the key's sharing, which a SharedKey looks after.
    pub key: VerdictValue,
    /// Whether the principal can read the secret, which takes all three.
    pub verdict: VerdictValue,
    /// How the verdict was found: computed from the policies, or by a call with KMS' DryRun.
    pub basis: Basis,
    /// What the verdict rests on, and where it is not Allowed, what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::VERDICT_REASON))]
    pub reason: Option<String>,
}

/// The copy in one Region, as AWS has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaStatus {
    /// Its Region.
    #[schemars(length(max = limits::REGION))]
    pub region: String,
    /// State of the copy, in the words of Secrets Manager: InSync, InProgress or Failed. Absent: there is no copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub state: Option<String>,
    /// What AWS says of the state, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::REPLICA_MESSAGE))]
    pub message: Option<String>,
}
