//! The words of conditions: their types and their reasons.

mod reason;

pub use reason::Reason;
use strum::EnumMessage as _;

/// Types of conditions. All but `Reconciling` and `Stalled` are good when they are `True`; those two are the abnormal
/// conditions of kstatus, and are absent in normal times. The doc comment of each is its meaning for users, see
/// [`ConditionType::doc`].
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::AsRefStr,
    strum::EnumIter,
    strum::EnumMessage,
)]
pub enum ConditionType {
    /// The object does what its spec asks.
    Ready,
    /// The spec or AWS is ahead of the status, and the operator is working on it.
    Reconciling,
    /// The operator cannot go on until somebody changes something.
    Stalled,
    /// The key exists, is enabled and can be shared.
    KeyAvailable,
    /// The key policy has what the spec asks.
    KeyPolicyApplied,
    /// The secret exists, with the key, description, tags, resource policy and replicas that the spec asks.
    SecretApplied,
    /// The current version of the secret has the value of the source.
    ValueSynced,
    /// The policies on the side of the consumers or readers are what the spec asks.
    DelegationApplied,
    /// Every managed principal is allowed by all halves.
    AccessVerified,
    /// The target has the value of the secret's current version.
    TargetSynced,
    /// Nothing in AWS, and nothing in the target, differs from the spec.
    InSync,
}

impl ConditionType {
    /// What the condition says where it is True, in a sentence for users.
    pub fn doc(&self) -> &'static str {
        self.get_documentation().unwrap_or_default()
    }
}
