use sharedkey_api::{
    Drift, DriftKind, DriftLayer,
    conditions::{ConditionType, Reason},
};

use super::{
    Course,
    fact::Fact,
    outline::{Outline, is_key_reason},
};
use crate::{
    compare::Finding,
    desired::{Delegation, DesiredConsumer},
    problem::Failure,
};

/// Every reading that failed.
fn unread<'a>(course: &Course<'a>) -> impl Iterator<Item = &'a Failure> + use<'a> {
    let key = &course.observed.key;
    let of_key = [key.arn.as_ref().err(), key.metadata.as_ref().err(), key.policy.as_ref().err()];
    let entities = course.observed.entities.values().filter_map(|reading| reading.as_ref().err());
    let managed = course.observed.managed.values().filter_map(|reading| reading.as_ref().err());
    of_key.into_iter().flatten().chain(entities).chain(managed)
}

pub(super) fn outline<'a>(course: &Course<'a>) -> Outline<'a> {
    Outline {
        mode: course.desired.mode,
        findings: &course.comparison.findings,
        blockers: course.blockers,
        failures: course.failures,
        unread: unread(course).collect(),
        troubles: Vec::new(),
        under_way: None,
        in_place: in_place(course),
        was_read: "both halves were read; the mode is Observe, so nothing is written",
    }
}

/// All conditions of a reconcile that looked at AWS.
pub(super) fn facts(course: &Course<'_>, outline: &Outline<'_>, drift: &[Drift]) -> Vec<Fact> {
    let parts = vec![
        key_available(course),
        key_policy_applied(course, outline),
        delegation_applied(course, outline),
        access_verified(course, outline),
    ];
    outline.all(parts, drift)
}

fn key_available(course: &Course<'_>) -> Fact {
    let type_ = ConditionType::KeyAvailable;
    if let Some(blocker) = course.blockers.iter().find(|blocker| is_key_reason(blocker)) {
        return Fact::no(type_, blocker.reason, &blocker.message);
    }
    match (&course.observed.key.arn, &course.observed.key.metadata) {
        (Err(failure), _) | (_, Err(failure)) => Fact::unread(type_, failure),
        _ => Fact::yes(type_, Reason::Succeeded, "the key exists and can be used"),
    }
}

fn key_policy_applied(course: &Course<'_>, outline: &Outline<'_>) -> Fact {
    let type_ = ConditionType::KeyPolicyApplied;
    match (&course.observed.key.policy, outline.obstacle()) {
        (Err(failure), _) => return Fact::unread(type_, failure),
        (Ok(None), Some(blocker)) => return Fact::no(type_, blocker.reason, &blocker.message),
        _ => {}
    }
    if let Some(failure) = course.failures.iter().find(|failure| failure.action.starts_with("kms:")) {
        return Fact::failed(type_, failure);
    }
    let of_key_policy =
        course.comparison.findings.iter().filter(|finding| finding.kind.layer() == DriftLayer::KeyPolicy);
    // A copy in somebody else's statement takes nothing from ours.
    let elsewhere = |finding: &Finding| finding.kind == DriftKind::StatementDuplicated && !finding.is_mendable();
    let open: Vec<&Finding> = of_key_policy.filter(|finding| !elsewhere(finding)).collect();
    outline.applied(type_, &open, "every statement is in the key policy", true)
}

fn delegation_applied(course: &Course<'_>, outline: &Outline<'_>) -> Fact {
    let type_ = ConditionType::DelegationApplied;
    if course.desired.consumers.iter().all(|consumer| consumer.delegation == Delegation::None) {
        return Fact::yes(type_, Reason::NotManaged, "no consumer asks for a policy on its side");
    }
    let readings = course.observed.entities.values().filter_map(|reading| reading.as_ref().err());
    let policies = course.observed.managed.values().filter_map(|reading| reading.as_ref().err());
    if let Some(failure) = readings.chain(policies).next() {
        return Fact::unread(type_, failure);
    }
    match (&course.comparison.key, outline.obstacle()) {
        (None, Some(blocker)) => Fact::unknown(type_, blocker.reason, &blocker.message),
        _ => outline.delegation("every policy is on the consumers' side"),
    }
}

fn access_verified(course: &Course<'_>, outline: &Outline<'_>) -> Fact {
    let pairs = course.desired.consumers.iter().zip(&course.comparison.verdicts);
    let managed: Vec<_> =
        pairs.filter(|(consumer, _)| !consumer.is_handoff()).flat_map(|(_, verdict)| &verdict.principals).collect();
    let has_handoff = course.desired.consumers.iter().any(DesiredConsumer::is_handoff);
    let well = "every principal can use the key, computed from both halves";
    outline.access(&managed, has_handoff, "cannot use the key", well)
}

fn in_place(course: &Course<'_>) -> &'static str {
    if course.desired.consumers.iter().any(DesiredConsumer::is_handoff) {
        "every managed half is in place; what others have to attach stands in status.consumers[].handoffPolicy"
    } else {
        "both halves are in place"
    }
}
