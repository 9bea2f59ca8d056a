//! Conditions, from what they say to how Kubernetes has them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use sharedkey_api::conditions::{ConditionType, Reason};

use super::failure_reason;
use crate::problem::{Class, Failure};

/// One condition before it has a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) type_: ConditionType,
    pub(crate) status: Truth,
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl Fact {
    pub(crate) fn new(type_: ConditionType, status: Truth, reason: Reason, message: impl Into<String>) -> Self {
        Self { type_, status, reason, message: message.into() }
    }

    pub(crate) fn yes(type_: ConditionType, reason: Reason, message: impl Into<String>) -> Self {
        Self::new(type_, Truth::True, reason, message)
    }

    pub(crate) fn no(type_: ConditionType, reason: Reason, message: impl Into<String>) -> Self {
        Self::new(type_, Truth::False, reason, message)
    }

    pub(crate) fn unknown(type_: ConditionType, reason: Reason, message: impl Into<String>) -> Self {
        Self::new(type_, Truth::Unknown, reason, message)
    }

    pub(crate) fn unread(type_: ConditionType, failure: &Failure) -> Self {
        Self::unknown(type_, failure_reason(failure), failure.to_string())
    }

    /// A write that failed: whether it was made is not known where AWS could not be asked.
    pub(crate) fn failed(type_: ConditionType, failure: &Failure) -> Self {
        Self::of_class(type_, failure.class, failure_reason(failure), failure.to_string())
    }

    /// Something that is in the way, and whether it passes by itself.
    pub(crate) fn of_class(type_: ConditionType, class: Class, reason: Reason, message: impl Into<String>) -> Self {
        match class {
            Class::Transient | Class::Propagating => Self::unknown(type_, reason, message),
            Class::UserActionNeeded | Class::OperatorUnauthorised => Self::no(type_, reason, message),
        }
    }
}

/// Whether a condition tells of AWS, and so outlives a spec that is refused.
pub(crate) fn is_about_aws(condition: &Condition) -> bool {
    use ConditionType as C;
    let about = [
        C::KeyAvailable,
        C::KeyPolicyApplied,
        C::SecretApplied,
        C::ValueSynced,
        C::DelegationApplied,
        C::AccessVerified,
        C::TargetSynced,
    ];
    about.iter().any(|type_| type_.as_ref() == condition.type_)
}

/// What conditions are built upon.
#[derive(Clone, Copy)]
pub(crate) struct Since<'a> {
    pub(crate) before: &'a [Condition],
    pub(crate) now: &'a Time,
    pub(crate) generation: Option<i64>,
}

/// Conditions as Kubernetes has them: the time moves only when the status does. `kept` are taken over as they are.
pub(crate) fn build(facts: Vec<Fact>, since: &Since<'_>, kept: Vec<Condition>) -> Vec<Condition> {
    let mut conditions = kept;
    conditions.extend(facts.into_iter().map(|fact| {
        let old = super::condition(since.before, fact.type_).filter(|old| old.status == fact.status.as_str());
        Condition {
            last_transition_time: old.map_or_else(|| since.now.clone(), |old| old.last_transition_time.clone()),
            type_: fact.type_.to_string(),
            status: fact.status.as_str().to_owned(),
            reason: fact.reason.to_string(),
            message: fact.message,
            observed_generation: since.generation,
        }
    }));
    conditions.sort_by_key(|condition| rank(&condition.type_));
    conditions
}

/// Conditions stand in the order in which a reader asks: is it ready, is it moving, then why.
fn rank(type_: &str) -> usize {
    use ConditionType as C;
    let order = [
        C::Ready,
        C::Reconciling,
        C::Stalled,
        C::KeyAvailable,
        C::KeyPolicyApplied,
        C::SecretApplied,
        C::ValueSynced,
        C::DelegationApplied,
        C::AccessVerified,
        C::TargetSynced,
        C::InSync,
    ];
    order.iter().position(|known| known.as_ref() == type_).unwrap_or(order.len())
}
