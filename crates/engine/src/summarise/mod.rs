//! From what happened to what the user sees: the only code that builds conditions.

mod account;
mod conditions;
pub(crate) mod consumers;
pub(crate) mod drift;
pub(crate) mod fact;
pub(crate) mod outline;
mod status;

pub use account::{AccountCourse, Reached, account};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use sharedkey_api::{
    Drift, LastCollision, LastCorrection, SharedKeyStatus,
    conditions::{ConditionType, Reason},
};

use self::fact::{Fact, Since};
pub use self::status::Status;
pub use crate::problem::Trouble;
use crate::{
    compare::{Comparison, Finding},
    desired::Desired,
    meanwhile::Meanwhile,
    observed::Observed,
    plan::Blocker,
    problem::{Class, Failure},
    resolve::Refusal,
};

/// What a reconcile knows when it ends.
#[derive(Debug)]
pub struct Context<'a, S = SharedKeyStatus> {
    /// Generation of the spec that was carried out.
    pub generation: Option<i64>,
    /// Now.
    pub now: &'a Time,
    /// The status before.
    pub previous: Option<&'a S>,
    /// Value of the annotation that asked for this reconcile.
    pub request: Option<&'a str>,
}

impl<S> Clone for Context<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Context<'_, S> {}

impl<'a, S: Status> Context<'a, S> {
    pub(crate) fn since(&self) -> Since<'a> {
        let before = self.previous.map(Status::conditions).unwrap_or_default();
        Since { before, now: self.now, generation: self.generation }
    }

    /// What differed before.
    pub(crate) fn known(&self) -> &'a [Drift] {
        self.previous.map(Status::drift).unwrap_or_default()
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
pub struct Summary<S = SharedKeyStatus> {
    /// The status, ready to be written.
    pub status: S,
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
pub fn refused<S: Status>(context: &Context<'_, S>, refusal: &Refusal) -> Summary<S> {
    let mut status = context.previous.cloned().unwrap_or_default();
    let mut facts = vec![
        Fact::unknown(ConditionType::InSync, refusal.reason, &refusal.message),
        Fact::no(ConditionType::Ready, refusal.reason, &refusal.message),
        Fact::yes(ConditionType::Stalled, refusal.reason, &refusal.message),
    ];
    if matches!(refusal.reason, Reason::SharedKeyNotFound | Reason::SharedKeyNotReady) {
        facts.push(Fact::no(ConditionType::KeyAvailable, refusal.reason, &refusal.message));
    }
    let told = |condition: &Condition| facts.iter().any(|fact| fact.type_.as_ref() == condition.type_);
    let known = status.conditions_mut().drain(..);
    let kept = known.filter(|condition| fact::is_about_aws(condition) && !told(condition)).collect();
    *status.conditions_mut() = fact::build(facts, &context.since(), kept);
    finish(context, status, &[], Next::Retry(Class::UserActionNeeded))
}

/// Summarises a deletion that waits for something. What the halves were before is no longer so, and what is left is in the message.
pub fn deleting<S: Status>(context: &Context<'_, S>, reason: Reason, message: &str) -> Summary<S> {
    let mut status = context.previous.cloned().unwrap_or_default();
    let facts =
        vec![Fact::no(ConditionType::Ready, reason, message), Fact::yes(ConditionType::Reconciling, reason, message)];
    *status.conditions_mut() = fact::build(facts, &context.since(), Vec::new());
    status.clear();
    finish(context, status, &[], Next::Retry(Class::Transient))
}

/// Summarises a reconcile that looked at AWS.
pub fn summarise(context: &Context<'_>, course: &Course<'_>) -> Summary {
    let corrected = drift::corrected(course.before, &course.comparison.findings);
    let is_unread = |entry: &Drift| drift::is_unread(course, entry);
    let drift = drift::outstanding(context, &course.comparison.findings, course.desired.mode, &is_unread);
    let outline = conditions::outline(course);
    let facts = conditions::facts(course, &outline, &drift);
    let status = SharedKeyStatus {
        conditions: fact::build(facts, &context.since(), Vec::new()),
        key_arn: course.comparison.key.as_ref().map(ToString::to_string),
        key_state: course.observed.key.metadata.as_ref().ok().and_then(Option::as_ref).map(|key| key.state.clone()),
        drift_count: i64::try_from(drift.len()).unwrap_or(i64::MAX),
        drift,
        last_correction: last_correction(context, &corrected),
        last_collision: last_collision(context, course.meanwhile),
        consumers: consumers::consumers(context, course),
        ..SharedKeyStatus::default()
    };
    finish(context, status, &corrected, outline.next())
}

pub(crate) fn last_correction<S: Status>(context: &Context<'_, S>, corrected: &[Finding]) -> Option<LastCorrection> {
    if corrected.is_empty() {
        return context.previous.and_then(|previous| previous.last_correction().cloned());
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

pub(crate) fn finish<S: Status>(
    context: &Context<'_, S>,
    mut status: S,
    corrected: &[Finding],
    next: Next,
) -> Summary<S> {
    let before = context.previous.and_then(|previous| previous.last_handled().map(ToOwned::to_owned));
    status.handled(context.generation, context.request.map(ToOwned::to_owned).or(before));
    let status = status.bounded();
    let notices = notices(context.previous, &status, corrected);
    Summary { status, notices, next }
}

/// Events tell transitions, not states.
fn notices<S: Status>(previous: Option<&S>, status: &S, corrected: &[Finding]) -> Vec<Notice> {
    let mut notices = Vec::new();
    let known = previous.map(Status::drift).unwrap_or_default();
    for new in status.drift().iter().filter(|entry| !known.iter().any(|old| drift::same(old, entry))) {
        notices.push(Notice { warning: true, reason: new.kind.to_string(), note: new.message.clone() });
    }
    for finding in corrected {
        let note = format!("healed: {}", finding.message);
        notices.push(Notice { warning: false, reason: format!("Corrected{}", finding.kind), note });
    }
    notices.extend(readiness(previous, status));
    notices
}

fn readiness<S: Status>(previous: Option<&S>, status: &S) -> Option<Notice> {
    let ready = |status: &S| condition(status.conditions(), ConditionType::Ready).cloned();
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
