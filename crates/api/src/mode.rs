use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether the operator writes to AWS. The strictest mode among an object and the accounts that it uses holds; the order of
/// the variants says which is stricter.
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
pub enum Mode {
    /// Differences are reported and healed.
    #[default]
    Enforce,
    /// Differences are reported; nothing is written to AWS.
    Observe,
}
