//! From what happened to what the user sees: the only code that builds conditions.

mod account;
mod conditions;
mod consumers;
mod drift;

pub use account::{AccountCourse, Reached, Trouble, account};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use sharedkey_api::{
    LastCollision, LastCorrection, SharedKeyStatus,
    conditions::{ConditionType, Reason},
};

use crate::{
    compare::{Cause, Comparison, Finding},
    desired::Desired,
    meanwhile::Meanwhile,
    observed::Observed,
    plan::Blocker,
    problem::{Class, Failure},
    resolve::Refusal,
};

/// What a reconcile knows when it ends.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Generation of the spec that was carried out.
    pub generation: Option<i64>,
    /// Now.
    pub now: &'a Time,
    /// The status before.
    pub previous: Option<&'a SharedKeyStatus>,
    /// Value of the annotation that asked for this reconcile.
    pub request: Option<&'a str>,
}

impl Context<'_> {
    fn since(&self) -> conditions::Since<'_> {
        let before = self.previous.map(|previous| previous.conditions.as_slice()).unwrap_or_default();
        conditions::Since { before, now: self.now, generation: self.generation }
    }
}

/// How a reconcile went.
#[derive(Clone, Copy, Debug)]
pub struct Course<'a> {
    /// What was wanted.
    pub desired: &'a Desired,
    /// What was read last.
    pub observed: &'a Observed,
    /// How the two compare.
    pub comparison: &'a Comparison,
    /// What stood in the way of sharing.
    pub blockers: &'a [Blocker],
    /// Writes that failed.
    pub failures: &'a [Failure],
    /// What differed when the reconcile began.
    pub before: &'a [Finding],
    /// What others wrote at the same moment.
    pub meanwhile: &'a Meanwhile,
}

/// The result of a reconcile, for Kubernetes.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The status, ready to be written.
    pub status: SharedKeyStatus,
    /// What is worth an event.
    pub notices: Vec<Notice>,
    /// When to look again.
    pub next: Next,
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At the next sweep.
    Sweep,
    /// After a wait for what this class waits for.
    Retry(Class),
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whether something is wrong.
    pub warning: bool,
    /// CamelCase, from the vocabulary of conditions or drift.
    pub reason: String,
    /// For people.
    pub note: String,
}

/// Summarises an object that was refused before AWS was asked. What was known of AWS stays as it was.
pub fn refused(context: &Context<'_>, refusal: &Refusal) -> Summary {
    let mut status = context.previous.cloned().unwrap_or_default();
    let facts = vec![
        conditions::Fact::unknown(ConditionType::InSync, refusal.reason, &refusal.message),
        conditions::Fact::no(ConditionType::Ready, refusal.reason, &refusal.message),
        conditions::Fact::yes(ConditionType::Stalled, refusal.reason, &refusal.message),
    ];
    let kept = status.conditions.drain(..).filter(conditions::is_about_aws).collect();
    status.conditions = conditions::build(facts, &context.since(), kept);
    finish(context, status, &[], Next::Retry(Class::UserActionNeeded))
}

/// Summarises a deletion that waits for something. What the halves were before is no longer so, and what is left is in the message.
pub fn deleting(context: &Context<'_>, reason: Reason, message: &str) -> Summary {
    let mut status = context.previous.cloned().unwrap_or_default();
    let facts = vec![
        conditions::Fact::no(ConditionType::Ready, reason, message),
        conditions::Fact::yes(ConditionType::Reconciling, reason, message),
    ];
    status.conditions = conditions::build(facts, &context.since(), Vec::new());
    status.consumers.clear();
    status.drift.clear();
    status.drift_count = 0;
    finish(context, status, &[], Next::Retry(Class::Transient))
}

/// Summarises a reconcile that looked at AWS.
pub fn summarise(context: &Context<'_>, course: &Course<'_>) -> Summary {
    let corrected = drift::corrected(course);
    let drift = drift::outstanding(context, course);
    let facts = conditions::facts(course, &drift);
    let status = SharedKeyStatus {
        conditions: conditions::build(facts, &context.since(), Vec::new()),
        key_arn: course.comparison.key.as_ref().map(ToString::to_string),
        key_state: course.observed.key.metadata.as_ref().ok().and_then(Option::as_ref).map(|key| key.state.clone()),
        drift_count: i64::try_from(drift.len()).unwrap_or(i64::MAX),
        drift,
        last_correction: last_correction(context, &corrected),
        last_collision: last_collision(context, course.meanwhile),
        consumers: consumers::consumers(context, course),
        ..SharedKeyStatus::default()
    };
    finish(context, status, &corrected, next(course))
}

fn last_correction(context: &Context<'_>, corrected: &[Finding]) -> Option<LastCorrection> {
    if corrected.is_empty() {
        return context.previous.and_then(|previous| previous.last_correction.clone());
    }
    let items = corrected.iter().map(|finding| drift::entry(finding, None)).collect();
    Some(LastCorrection { time: context.now.clone(), items })
}

fn last_collision(context: &Context<'_>, meanwhile: &Meanwhile) -> Option<LastCollision> {
    if meanwhile.is_quiet() {
        return context.previous.and_then(|previous| previous.last_collision.clone());
    }
    Some(LastCollision { time: context.now.clone(), items: meanwhile.collisions() })
}

fn next(course: &Course<'_>) -> Next {
    let unread = conditions::unread(course);
    let classes = course.failures.iter().chain(unread).map(|failure| failure.class);
    let lagging = course.comparison.findings.iter().any(|finding| finding.cause == Cause::Propagating);
    let lagging = lagging.then_some(Class::Propagating);
    let blocked = (!course.blockers.is_empty()).then_some(Class::UserActionNeeded);
    // The soonest of all that there is to wait for.
    match classes.chain(lagging).chain(blocked).min() {
        None => Next::Sweep,
        Some(class) => Next::Retry(class),
    }
}

fn finish(context: &Context<'_>, mut status: SharedKeyStatus, corrected: &[Finding], next: Next) -> Summary {
    status.observed_generation = context.generation;
    let handled = context.previous.and_then(|previous| previous.last_handled_reconcile_at.clone());
    status.last_handled_reconcile_at = context.request.map(ToOwned::to_owned).or(handled);
    let status = status.bounded();
    let notices = notices(context.previous, &status, corrected);
    Summary { status, notices, next }
}

/// Events tell transitions, not states.
fn notices(previous: Option<&SharedKeyStatus>, status: &SharedKeyStatus, corrected: &[Finding]) -> Vec<Notice> {
    let mut notices = Vec::new();
    let known = previous.map(|previous| previous.drift.as_slice()).unwrap_or_default();
    for new in status.drift.iter().filter(|entry| !known.iter().any(|old| drift::same(old, entry))) {
        notices.push(Notice { warning: true, reason: new.kind.to_string(), note: new.message.clone() });
    }
    for finding in corrected {
        let note = format!("healed: {}", finding.message);
        notices.push(Notice { warning: false, reason: format!("Corrected{}", finding.kind), note });
    }
    notices.extend(readiness(previous, status));
    notices
}

fn readiness(previous: Option<&SharedKeyStatus>, status: &SharedKeyStatus) -> Option<Notice> {
    let ready = |status: &SharedKeyStatus| condition(&status.conditions, ConditionType::Ready).cloned();
    let now = ready(status)?;
    let before = previous.and_then(ready);
    if before.is_some_and(|before| before.status == now.status && before.reason == now.reason) {
        return None;
    }
    let note = if now.message.is_empty() { format!("Ready is {}", now.status) } else { now.message };
    Some(Notice { warning: now.status == "False", reason: now.reason, note })
}

/// The condition of a type.
pub fn condition(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == type_.as_ref())
}

/// The reason under which a failed call of the operator is told.
pub fn failure_reason(failure: &Failure) -> Reason {
    match failure.class {
        Class::Transient => Reason::AwsUnavailable,
        Class::Propagating => Reason::Propagating,
        Class::OperatorUnauthorised if failure.code == "RegionDisabledException" => Reason::RegionDisabled,
        Class::OperatorUnauthorised => Reason::OperatorUnauthorised,
        Class::UserActionNeeded => match failure.code.as_str() {
            "IdentityMismatch" => Reason::IdentityMismatch,
            "AccountCycle" => Reason::CredentialCycle,
            "NoCredentials" => Reason::InvalidCredentials,
            _ => Reason::AwsRefused,
        },
    }
}

#[cfg(test)]
mod tests;
