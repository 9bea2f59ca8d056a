use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

/// A write of the operator and one of somebody else that met: PutKeyPolicy replaces the whole document, and the API has no
/// compare-and-set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastCollision {
    /// When it was seen.
    pub time: Time,
    /// Statements of others that it concerns: at most 4 entries.
    #[schemars(length(max = limits::COLLISIONS))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub items: Vec<Collision>,
}

/// What became of one statement of somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Collision {
    /// What became of it.
    pub outcome: CollisionOutcome,
    /// Its Sid, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::DRIFT_SUBJECT))]
    pub sid: Option<String>,
    /// The statement as JSON, or as much of it as fits.
    #[schemars(length(max = limits::COLLISION_STATEMENT))]
    pub statement: String,
}

/// What became of a statement of somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum CollisionOutcome {
    /// Somebody added it at the moment of the operator's write, which took it away. It is in the history of the key policy.
    Lost,
    /// Somebody removed it at the moment of the operator's write, which brought it back.
    Revived,
    /// Somebody took it away right after the operator's write: no loss by the operator.
    Gone,
}
