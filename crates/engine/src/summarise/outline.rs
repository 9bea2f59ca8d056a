//! A reconcile as conditions see it, whatever the kind.

use sharedkey_api::{
    Drift, DriftKind, DriftLayer, Mode, VerdictValue,
    conditions::{ConditionType, Reason},
};

use super::{
    Next,
    fact::{Fact, Truth},
    failure_reason,
};
use crate::{
    compare::{Cause, Finding},
    plan::Blocker,
    problem::{Class, Failure, Trouble},
    verdict::PrincipalVerdict,
};

/// What went on, in the terms of every kind.
pub(crate) struct Outline<'a> {
    pub(crate) mode: Mode,
    pub(crate) findings: &'a [Finding],
    pub(crate) blockers: &'a [Blocker],
    /// Writes that failed.
    pub(crate) failures: &'a [Failure],
    /// Readings that failed.
    pub(crate) unread: Vec<&'a Failure>,
    /// What Kubernetes keeps from being done.
    pub(crate) troubles: Vec<&'a Trouble>,
    /// Something of AWS is under way that is no difference.
    pub(crate) under_way: Option<String>,
    /// What `Ready` says when all is well.
    pub(crate) in_place: &'static str,
    /// The same in mode Observe.
    pub(crate) was_read: &'static str,
}

const KEY_REASONS: [Reason; 5] = [
    Reason::KeyNotFound,
    Reason::KeyDisabled,
    Reason::KeyPendingDeletion,
    Reason::KeyUnavailable,
    Reason::KeyNotShareable,
];

/// Reasons that tell what came of something, and not what it was.
const OUTCOMES: [Reason; 3] = [Reason::Progressing, Reason::DriftFound, Reason::AccessDenied];

pub(crate) fn is_key_reason(blocker: &Blocker) -> bool {
    KEY_REASONS.contains(&blocker.reason)
}

pub(crate) fn not_visible_yet(what: &str) -> String {
    format!("a write is not visible everywhere yet: {what}")
}

pub(crate) fn more(message: &str, count: usize) -> String {
    if count > 1 { format!("{message} (and {} more)", count - 1) } else { message.to_owned() }
}

impl<'a> Outline<'a> {
    /// Reasons that stand in the way of everything, told where it is told.
    pub(crate) fn obstacle(&self) -> Option<&'a Blocker> {
        self.blockers.first()
    }

    /// What the differences of one part come to. `is_main` says whether what blocks without any difference is told here.
    pub(crate) fn applied(&self, type_: ConditionType, open: &[&Finding], well: &str, is_main: bool) -> Fact {
        let Some(first) = open.iter().find(|finding| finding.cause != Cause::Propagating).or(open.first()) else {
            return match self.obstacle() {
                // Nothing differs, and still something has to change before anything else may be written.
                Some(blocker) if !is_key_reason(blocker) && is_main => {
                    Fact::no(type_, blocker.reason, &blocker.message)
                }
                _ => Fact::yes(type_, Reason::Succeeded, well),
            };
        };
        match (first.cause, self.obstacle()) {
            (Cause::Propagating, _) => Fact::unknown(type_, Reason::Propagating, not_visible_yet(&first.message)),
            (_, Some(blocker)) => Fact::no(type_, blocker.reason, &blocker.message),
            (Cause::NotYet | Cause::SpecChanged, None) if self.mode == Mode::Enforce => {
                Fact::no(type_, Reason::Progressing, &first.message)
            }
            _ => Fact::no(type_, Reason::DriftFound, more(&first.message, open.len())),
        }
    }

    /// `DelegationApplied`, once it is known that something is delegated, and that all of it could be read.
    pub(crate) fn delegation(&self, well: &str) -> Fact {
        let type_ = ConditionType::DelegationApplied;
        if let Some(failure) = self.failures.iter().find(|failure| failure.action.starts_with("iam:")) {
            return Fact::failed(type_, failure);
        }
        let blocked = |kind| matches!(kind, DriftKind::BlockedByBoundary | DriftKind::BlockedByDeny);
        let open = self.findings.iter().filter(|finding| finding.kind.layer() == DriftLayer::Delegation);
        let open: Vec<&Finding> = open.filter(|finding| !blocked(finding.kind)).collect();
        self.applied(type_, &open, well, false)
    }

    /// `AccessVerified` over the principals whose access can be computed. `cannot` is what the others cannot do.
    pub(crate) fn access(&self, managed: &[&PrincipalVerdict], has_handoff: bool, cannot: &str, well: &str) -> Fact {
        let type_ = ConditionType::AccessVerified;
        if managed.is_empty() {
            let reason = if has_handoff { Reason::Handoff } else { Reason::NotManaged };
            return Fact::yes(type_, reason, "the spec names no principal whose access can be computed");
        }
        let is_refused =
            |principal: &&&PrincipalVerdict| matches!(principal.value, VerdictValue::Denied | VerdictValue::Partial);
        let refused: Vec<_> = managed.iter().filter(is_refused).collect();
        let propagating = self.findings.iter().any(|finding| finding.cause == Cause::Propagating);
        if let Some(first) = refused.first() {
            let message = format!("{} {cannot}: {}", first.arn, first.reason.as_deref().unwrap_or_default());
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
            None => Fact::yes(type_, Reason::Succeeded, well),
        }
    }

    /// `Ready`, `Reconciling`, `Stalled`, the parts themselves, and `InSync`.
    pub(crate) fn all(&self, parts: Vec<Fact>, drift: &[Drift]) -> Vec<Fact> {
        let (in_sync, ready) = (self.in_sync(drift), self.ready(&parts));
        let mut facts = Vec::from_iter(self.reconciling());
        facts.extend(self.stalled(&ready));
        facts.push(ready);
        facts.extend(parts);
        facts.push(in_sync);
        facts
    }

    fn lagging(&self) -> Option<&'a Finding> {
        self.findings.iter().find(|finding| finding.cause == Cause::Propagating)
    }

    fn in_sync(&self, drift: &[Drift]) -> Fact {
        let type_ = ConditionType::InSync;
        if let Some(first) = drift.first() {
            return Fact::no(type_, Reason::DriftFound, more(&first.message, drift.len()));
        }
        if let Some(failure) = self.unread.first() {
            return Fact::unread(type_, failure);
        }
        if let Some(finding) = self.lagging() {
            return Fact::unknown(type_, Reason::Propagating, &finding.message);
        }
        match (self.blockers.first(), self.failures.first(), self.troubles.first()) {
            (Some(blocker), ..) => Fact::unknown(type_, blocker.reason, &blocker.message),
            (None, Some(failure), _) => Fact::unknown(type_, failure_reason(failure), failure.to_string()),
            (None, None, Some(trouble)) => Fact::unknown(type_, trouble.reason, &trouble.message),
            (None, None, None) => Fact::yes(type_, Reason::Succeeded, "AWS is as the spec asks"),
        }
    }

    /// Enforce: every part is in place and everybody has access. Observe: everything could be read, and the key can be used.
    fn ready(&self, parts: &[Fact]) -> Fact {
        let type_ = ConditionType::Ready;
        let told = |fact: &Fact| Fact::new(type_, fact.status, fact.reason, fact.message.clone());
        if self.mode == Mode::Observe {
            let key = parts.iter().find(|fact| fact.type_ == ConditionType::KeyAvailable && fact.status != Truth::True);
            let unread = parts.iter().find(|fact| fact.status == Truth::Unknown && fact.reason != Reason::Propagating);
            let unreadable = self.blockers.iter().find(|blocker| blocker.reason == Reason::PolicyMalformed);
            return match (key, unreadable, unread, self.troubles.first()) {
                (None, Some(blocker), ..) => Fact::no(type_, blocker.reason, &blocker.message),
                (Some(fact), ..) | (None, None, Some(fact), _) => told(fact),
                (None, None, None, Some(trouble)) => {
                    Fact::of_class(type_, trouble.class, trouble.reason, &trouble.message)
                }
                (None, None, None, None) => Fact::yes(type_, Reason::Observed, self.was_read),
            };
        }
        let worst = |status: Truth| parts.iter().find(|fact| fact.status == status);
        match (worst(Truth::False).or_else(|| worst(Truth::Unknown)), self.failures.first()) {
            // What is not there yet is missing because of this.
            (Some(fact), Some(failure)) if OUTCOMES.contains(&fact.reason) => {
                Fact::new(type_, fact.status, failure_reason(failure), failure.to_string())
            }
            (Some(fact), _) => told(fact),
            (None, _) => Fact::yes(type_, Reason::Succeeded, self.in_place),
        }
    }

    /// Work that goes on by itself.
    fn reconciling(&self) -> Option<Fact> {
        let type_ = ConditionType::Reconciling;
        if let Some(finding) = self.lagging() {
            return Some(Fact::yes(type_, Reason::Propagating, not_visible_yet(&finding.message)));
        }
        let mut failures = self.failures.iter().chain(self.unread.iter().copied());
        let failure = failures.find(|failure| !failure.class.is_lasting());
        if let Some(failure) = failure {
            return Some(Fact::yes(type_, failure_reason(failure), failure.to_string()));
        }
        if let Some(trouble) = self.troubles.iter().find(|trouble| !trouble.class.is_lasting()) {
            return Some(Fact::yes(type_, trouble.reason, &trouble.message));
        }
        self.under_way.as_ref().map(|what| Fact::yes(type_, Reason::Progressing, what))
    }

    /// What only a person can end.
    fn stalled(&self, ready: &Fact) -> Option<Fact> {
        let type_ = ConditionType::Stalled;
        if let Some(blocker) =
            self.blockers.first().filter(|_| self.mode == Mode::Enforce || ready.status != Truth::True)
        {
            return Some(Fact::yes(type_, blocker.reason, &blocker.message));
        }
        let mut failures = self.failures.iter().chain(self.unread.iter().copied());
        let failure = failures.find(|failure| failure.class.is_lasting());
        if let Some(failure) = failure {
            return Some(Fact::yes(type_, failure_reason(failure), failure.to_string()));
        }
        if let Some(trouble) = self.troubles.iter().find(|trouble| trouble.class.is_lasting()) {
            return Some(Fact::yes(type_, trouble.reason, &trouble.message));
        }
        // What is left after every write has succeeded is not the operator's to mend.
        let left = ready.status == Truth::False && matches!(ready.reason, Reason::AccessDenied | Reason::DriftFound);
        (left && self.failures.is_empty()).then(|| Fact::yes(type_, ready.reason, &ready.message))
    }

    /// When to look again: the soonest of all that there is to wait for.
    pub(crate) fn next(&self) -> Next {
        let failures = self.failures.iter().chain(self.unread.iter().copied()).map(|failure| failure.class);
        let troubles = self.troubles.iter().map(|trouble| trouble.class);
        let lagging = (self.lagging().is_some() || self.under_way.is_some()).then_some(Class::Propagating);
        let blocked = (!self.blockers.is_empty()).then_some(Class::UserActionNeeded);
        match failures.chain(troubles).chain(lagging).chain(blocked).min() {
            None => Next::Sweep,
            Some(class) => Next::Retry(class),
        }
    }
}
