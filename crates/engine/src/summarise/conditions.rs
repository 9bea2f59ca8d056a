use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use sharedkey_api::{
    Drift, DriftKind, DriftLayer, Mode, VerdictValue,
    conditions::{ConditionType, Reason},
};

use super::{Course, failure_reason};
use crate::{
    compare::{Cause, Finding},
    desired::{Delegation, DesiredConsumer},
    plan::Blocker,
    problem::{Class, Failure},
};

/// One condition before it has a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    type_: ConditionType,
    status: Truth,
    reason: Reason,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
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
    fn new(type_: ConditionType, status: Truth, reason: Reason, message: impl Into<String>) -> Self {
        Self { type_, status, reason, message: message.into() }
    }

    pub(super) fn yes(type_: ConditionType, reason: Reason, message: impl Into<String>) -> Self {
        Self::new(type_, Truth::True, reason, message)
    }

    pub(super) fn no(type_: ConditionType, reason: Reason, message: impl Into<String>) -> Self {
        Self::new(type_, Truth::False, reason, message)
    }

    pub(super) fn unknown(type_: ConditionType, reason: Reason, message: impl Into<String>) -> Self {
        Self::new(type_, Truth::Unknown, reason, message)
    }

    fn unread(type_: ConditionType, failure: &Failure) -> Self {
        Self::unknown(type_, failure_reason(failure), failure.to_string())
    }
}

/// Whether a condition tells of AWS, and so outlives a spec that is refused.
pub(super) fn is_about_aws(condition: &Condition) -> bool {
    use ConditionType as C;
    [C::KeyAvailable, C::KeyPolicyApplied, C::DelegationApplied, C::AccessVerified]
        .iter()
        .any(|type_| type_.as_ref() == condition.type_)
}

/// What conditions are built upon.
#[derive(Clone, Copy)]
pub(super) struct Since<'a> {
    pub(super) before: &'a [Condition],
    pub(super) now: &'a Time,
    pub(super) generation: Option<i64>,
}

/// Conditions as Kubernetes has them: the time moves only when the status does. `kept` are taken over as they are.
pub(super) fn build(facts: Vec<Fact>, since: &Since<'_>, kept: Vec<Condition>) -> Vec<Condition> {
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
        C::DelegationApplied,
        C::AccessVerified,
        C::InSync,
    ];
    order.iter().position(|known| known.as_ref() == type_).unwrap_or(order.len())
}

/// Every reading that failed.
pub(super) fn unread<'a>(course: &Course<'a>) -> impl Iterator<Item = &'a Failure> + use<'a> {
    let key = &course.observed.key;
    let of_key = [key.arn.as_ref().err(), key.metadata.as_ref().err(), key.policy.as_ref().err()];
    let entities = course.observed.entities.values().filter_map(|reading| reading.as_ref().err());
    let managed = course.observed.managed.values().filter_map(|reading| reading.as_ref().err());
    of_key.into_iter().flatten().chain(entities).chain(managed)
}

/// All conditions of a reconcile that looked at AWS.
pub(super) fn facts(course: &Course<'_>, drift: &[Drift]) -> Vec<Fact> {
    let halves =
        vec![key_available(course), key_policy_applied(course), delegation_applied(course), access_verified(course)];
    let in_sync = in_sync(course, drift);
    let ready = ready(course, &halves);
    let mut facts = Vec::from_iter(reconciling(course));
    facts.extend(stalled(course, &ready));
    facts.push(ready);
    facts.extend(halves);
    facts.push(in_sync);
    facts
}

fn key_available(course: &Course<'_>) -> Fact {
    let type_ = ConditionType::KeyAvailable;
    if let Some(blocker) = course.blockers.iter().find(|blocker| KEY_REASONS.contains(&blocker.reason)) {
        return Fact::no(type_, blocker.reason, &blocker.message);
    }
    match (&course.observed.key.arn, &course.observed.key.metadata) {
        (Err(failure), _) | (_, Err(failure)) => Fact::unread(type_, failure),
        _ => Fact::yes(type_, Reason::Succeeded, "the key exists and can be used"),
    }
}

const KEY_REASONS: [Reason; 5] = [
    Reason::KeyNotFound,
    Reason::KeyDisabled,
    Reason::KeyPendingDeletion,
    Reason::KeyUnavailable,
    Reason::KeyNotShareable,
];

/// Reasons that stand in the way of both halves, told where the halves are told.
fn obstacle<'a>(course: &Course<'a>) -> Option<&'a Blocker> {
    course.blockers.first()
}

fn key_policy_applied(course: &Course<'_>) -> Fact {
    let type_ = ConditionType::KeyPolicyApplied;
    match (&course.observed.key.policy, obstacle(course)) {
        (Err(failure), _) => return Fact::unread(type_, failure),
        (Ok(None), Some(blocker)) => return Fact::no(type_, blocker.reason, &blocker.message),
        _ => {}
    }
    if let Some(failure) = course.failures.iter().find(|failure| failure.action.starts_with("kms:")) {
        return failed(type_, failure);
    }
    let of_key_policy =
        course.comparison.findings.iter().filter(|finding| finding.kind.layer() == DriftLayer::KeyPolicy);
    // A copy in somebody else's statement takes nothing from ours.
    let elsewhere = |finding: &Finding| finding.kind == DriftKind::StatementDuplicated && !finding.is_mendable();
    let open: Vec<&Finding> = of_key_policy.filter(|finding| !elsewhere(finding)).collect();
    applied(course, type_, &open, "every statement is in the key policy")
}

fn delegation_applied(course: &Course<'_>) -> Fact {
    let type_ = ConditionType::DelegationApplied;
    let managed = |delegation: Delegation| delegation != Delegation::None;
    if !course.desired.consumers.iter().any(|consumer| managed(consumer.delegation)) {
        return Fact::yes(type_, Reason::NotManaged, "no consumer asks for a policy on its side");
    }
    let readings = course.observed.entities.values().filter_map(|reading| reading.as_ref().err());
    let policies = course.observed.managed.values().filter_map(|reading| reading.as_ref().err());
    if let Some(failure) = readings.chain(policies).next() {
        return Fact::unread(type_, failure);
    }
    if let (None, Some(blocker)) = (&course.comparison.key, obstacle(course)) {
        return Fact::unknown(type_, blocker.reason, &blocker.message);
    }
    if let Some(failure) = course.failures.iter().find(|failure| failure.action.starts_with("iam:")) {
        return failed(type_, failure);
    }
    let blocked = |kind| matches!(kind, DriftKind::BlockedByBoundary | DriftKind::BlockedByDeny);
    let open = course.comparison.findings.iter().filter(|finding| finding.kind.layer() == DriftLayer::Delegation);
    let open: Vec<&Finding> = open.filter(|finding| !blocked(finding.kind)).collect();
    applied(course, type_, &open, "every policy is on the consumers' side")
}

fn failed(type_: ConditionType, failure: &Failure) -> Fact {
    match failure.class {
        Class::Transient | Class::Propagating => Fact::unknown(type_, failure_reason(failure), failure.to_string()),
        _ => Fact::no(type_, failure_reason(failure), failure.to_string()),
    }
}

fn applied(course: &Course<'_>, type_: ConditionType, open: &[&Finding], well: &str) -> Fact {
    let Some(first) = open.iter().find(|finding| finding.cause != Cause::Propagating).or(open.first()) else {
        return match obstacle(course) {
            // Nothing differs, and still something has to change before anything else may be written.
            Some(blocker) if !is_key_reason(blocker) && type_ == ConditionType::KeyPolicyApplied => {
                Fact::no(type_, blocker.reason, &blocker.message)
            }
            _ => Fact::yes(type_, Reason::Succeeded, well),
        };
    };
    match (first.cause, obstacle(course)) {
        (Cause::Propagating, _) => Fact::unknown(type_, Reason::Propagating, not_visible_yet(&first.message)),
        (_, Some(blocker)) => Fact::no(type_, blocker.reason, &blocker.message),
        (Cause::NotYet | Cause::SpecChanged, None) if course.desired.mode == Mode::Enforce => {
            Fact::no(type_, Reason::Progressing, &first.message)
        }
        _ => Fact::no(type_, Reason::DriftFound, more(&first.message, open.len())),
    }
}

fn not_visible_yet(what: &str) -> String {
    format!("a write is not visible everywhere yet: {what}")
}

fn is_key_reason(blocker: &Blocker) -> bool {
    KEY_REASONS.contains(&blocker.reason)
}

fn more(message: &str, count: usize) -> String {
    if count > 1 { format!("{message} (and {} more)", count - 1) } else { message.to_owned() }
}

fn access_verified(course: &Course<'_>) -> Fact {
    let type_ = ConditionType::AccessVerified;
    let pairs = course.desired.consumers.iter().zip(&course.comparison.verdicts);
    let managed: Vec<_> =
        pairs.filter(|(consumer, _)| !consumer.is_handoff()).flat_map(|(_, verdict)| &verdict.principals).collect();
    if managed.is_empty() {
        let handoff = course.desired.consumers.iter().any(DesiredConsumer::is_handoff);
        let reason = if handoff { Reason::Handoff } else { Reason::NotManaged };
        return Fact::yes(type_, reason, "the spec names no principal whose access can be computed");
    }
    let refused: Vec<_> = managed
        .iter()
        .filter(|principal| matches!(principal.value, VerdictValue::Denied | VerdictValue::Partial))
        .collect();
    let propagating = course.comparison.findings.iter().any(|finding| finding.cause == Cause::Propagating);
    if let Some(first) = refused.first() {
        let message = format!("{} cannot use the key: {}", first.arn, first.reason.as_deref().unwrap_or_default());
        if propagating {
            return Fact::unknown(type_, Reason::Propagating, not_visible_yet(&message));
        }
        return Fact::no(type_, Reason::AccessDenied, more(&message, refused.len()));
    }
    match managed.iter().find(|principal| principal.value == VerdictValue::Unknown) {
        Some(unknown) => {
            let reason = unknown.reason.clone().unwrap_or_default();
            Fact::unknown(type_, Reason::Unknown, format!("{}: {reason}", unknown.arn))
        }
        None => Fact::yes(type_, Reason::Succeeded, "every principal can use the key, computed from both halves"),
    }
}

fn in_sync(course: &Course<'_>, drift: &[Drift]) -> Fact {
    let type_ = ConditionType::InSync;
    if let Some(first) = drift.first() {
        return Fact::no(type_, Reason::DriftFound, more(&first.message, drift.len()));
    }
    if let Some(failure) = unread(course).next() {
        return Fact::unread(type_, failure);
    }
    let lagging = course.comparison.findings.iter().find(|finding| finding.cause == Cause::Propagating);
    if let Some(finding) = lagging {
        return Fact::unknown(type_, Reason::Propagating, &finding.message);
    }
    match (course.blockers.first(), course.failures.first()) {
        (Some(blocker), _) => Fact::unknown(type_, blocker.reason, &blocker.message),
        (None, Some(failure)) => Fact::unknown(type_, failure_reason(failure), failure.to_string()),
        (None, None) => Fact::yes(type_, Reason::Succeeded, "AWS is as the spec asks"),
    }
}

/// Enforce: every half is in place and everybody can use the key. Observe: everything could be read, and the key can be used.
fn ready(course: &Course<'_>, halves: &[Fact]) -> Fact {
    let type_ = ConditionType::Ready;
    let told = |fact: &Fact| Fact::new(type_, fact.status, fact.reason, fact.message.clone());
    if course.desired.mode == Mode::Observe {
        let key = halves.iter().find(|fact| fact.type_ == ConditionType::KeyAvailable && fact.status != Truth::True);
        let unread = halves.iter().find(|fact| fact.status == Truth::Unknown && fact.reason != Reason::Propagating);
        let unreadable = course.blockers.iter().find(|blocker| blocker.reason == Reason::PolicyMalformed);
        return match (key, unreadable, unread) {
            (None, Some(blocker), _) => Fact::no(type_, blocker.reason, &blocker.message),
            (Some(fact), ..) | (None, None, Some(fact)) => told(fact),
            (None, None, None) => {
                Fact::yes(type_, Reason::Observed, "both halves were read; the mode is Observe, so nothing is written")
            }
        };
    }
    let worst = |status: Truth| halves.iter().find(|fact| fact.status == status);
    match (worst(Truth::False).or_else(|| worst(Truth::Unknown)), course.failures.first()) {
        // What is not there yet is missing because of this.
        (Some(fact), Some(failure)) if OUTCOMES.contains(&fact.reason) => {
            Fact::new(type_, fact.status, failure_reason(failure), failure.to_string())
        }
        (Some(fact), _) => told(fact),
        (None, _) => Fact::yes(type_, Reason::Succeeded, in_place(course)),
    }
}

/// Reasons that tell what came of something, and not what it was.
const OUTCOMES: [Reason; 3] = [Reason::Progressing, Reason::DriftFound, Reason::AccessDenied];

fn in_place(course: &Course<'_>) -> &'static str {
    if course.desired.consumers.iter().any(DesiredConsumer::is_handoff) {
        "every managed half is in place; what others have to attach stands in status.consumers[].handoffPolicy"
    } else {
        "both halves are in place"
    }
}

/// Work that goes on by itself.
fn reconciling(course: &Course<'_>) -> Option<Fact> {
    let type_ = ConditionType::Reconciling;
    let lagging = course.comparison.findings.iter().find(|finding| finding.cause == Cause::Propagating);
    if let Some(finding) = lagging {
        return Some(Fact::yes(type_, Reason::Propagating, not_visible_yet(&finding.message)));
    }
    let passing = |failure: &&Failure| matches!(failure.class, Class::Transient | Class::Propagating);
    let failure = course.failures.iter().chain(unread(course)).find(passing)?;
    Some(Fact::yes(type_, failure_reason(failure), failure.to_string()))
}

/// What only a person can end.
fn stalled(course: &Course<'_>, ready: &Fact) -> Option<Fact> {
    let type_ = ConditionType::Stalled;
    if let Some(blocker) =
        course.blockers.first().filter(|_| course.desired.mode == Mode::Enforce || ready.status != Truth::True)
    {
        return Some(Fact::yes(type_, blocker.reason, &blocker.message));
    }
    let lasting = |failure: &&Failure| matches!(failure.class, Class::UserActionNeeded | Class::OperatorUnauthorised);
    if let Some(failure) = course.failures.iter().chain(unread(course)).find(lasting) {
        return Some(Fact::yes(type_, failure_reason(failure), failure.to_string()));
    }
    // What is left after every write has succeeded is not the operator's to mend.
    let left = ready.status == Truth::False && matches!(ready.reason, Reason::AccessDenied | Reason::DriftFound);
    (left && course.failures.is_empty()).then(|| Fact::yes(type_, ready.reason, &ready.message))
}
