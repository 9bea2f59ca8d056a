//! What status says of an access: the state of each half, and what comes of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// State of one half of an access.
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
)]
pub enum HalfState {
    /// As the spec asks.
    Applied,
    /// Not there.
    Missing,
    /// There, but different.
    Drifted,
    /// Not looked after by the operator.
    NotManaged,
    /// Written, and not visible everywhere yet.
    Propagating,
    /// Could not be read.
    Unknown,
}

/// Whether a principal has the access.
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
)]
pub enum VerdictValue {
    /// For all actions.
    Allowed,
    /// For no action.
    Denied,
    /// For some actions.
    Partial,
    /// It could not be found out.
    Unknown,
}

/// How a verdict was found.
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
)]
pub enum Basis {
    /// From the policies of both halves.
    Computed,
    /// By a call with KMS' `DryRun`.
    DryRun,
}
