//! Whose a secret is that stands there under the name: this object's, anybody's who takes it, or somebody else's.

use sharedkey_api::{DriftKind, Mode, conditions::Reason};

use super::Case;
use crate::{
    compare::{Cause, Finding},
    ledger::{Record, Resource, State},
    plan::Blocker,
    secret::{
        desired::DesiredSecret,
        observed::{Described, Lag, ObservedSecret, SecretState},
    },
};

/// The tag with which others mark what they manage, and those of them that are known to undo what somebody else writes.
const MANAGED_BY: &str = "managed-by";
const MANAGERS: [&str; 1] = ["external-secrets"];
const OWNER_ID: &str = "sharedkey.dev/owner-id";

/// Whose a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// There is none, or it could not be read.
    Nobody,
    /// This object has made it or taken it over.
    Us,
    /// It exists, and the spec says that it may be taken over.
    Adoptable,
    /// It is left alone.
    Others(Blocker),
}

impl Owner {
    pub(super) fn of(desired: &DesiredSecret, observed: &ObservedSecret, record: &Record) -> Self {
        let Some(described) = observed.described() else { return Self::Nobody };
        let recorded = recorded(desired, described, record);
        if recorded == Some(State::Applied) {
            return Self::Us;
        }
        if let Some(who) = manager(desired, described) {
            return Self::Others(Blocker {
                reason: Reason::SecretOwnedElsewhere,
                message: format!(
                    "secretName: {} is {who}, and is left alone; choose another name in a new object, or end that",
                    described.arn
                ),
            });
        }
        // What was only to be taken over may have become somebody else's: then it has an owner by now.
        let tags = desired.owner_tags();
        if recorded.is_some() || tags.iter().all(|(key, value)| described.tags.get(key) == Some(value)) {
            return Self::Us;
        }
        if desired.adopt {
            return Self::Adoptable;
        }
        Self::Others(Blocker {
            reason: Reason::SecretExists,
            message: format!(
                "secretName: {} exists already, and this object did not make it; set adopt: IfExists to take it over, or choose another \
                 name in a new object",
                described.arn
            ),
        })
    }

    pub(super) fn may_write(&self) -> bool {
        matches!(self, Self::Us | Self::Adoptable)
    }

    pub(super) fn blocker(&self) -> Option<&Blocker> {
        match self {
            Self::Others(blocker) => Some(blocker),
            _ => None,
        }
    }
}

/// What the ledger knows of this very secret. Another one of the name has another ARN (D§5.7).
fn recorded(desired: &DesiredSecret, described: &Described, record: &Record) -> Option<State> {
    let known = record.get(&desired.resource())?;
    (known.fingerprint == described.arn.to_string()).then_some(known.state)
}

/// Who manages the secret, if that is known. Of another `ExternalSecret` it is not said which: its namespace may be none of ours.
fn manager(desired: &DesiredSecret, described: &Described) -> Option<String> {
    if let Some(service) = &described.owning_service {
        return Some(format!("managed by the AWS service {service}"));
    }
    if let Some(primary) = described.primary_region.as_ref().filter(|primary| *primary != desired.secret.region()) {
        return Some(format!("a replica, which only the secret in Region {primary} changes"));
    }
    let ours = desired.owner_tags();
    if described.tags.contains_key(OWNER_ID) && ours.iter().any(|(key, value)| described.tags.get(key) != Some(value)) {
        return Some("managed by another ExternalSecret".to_owned());
    }
    let manager = described.tags.get(MANAGED_BY).filter(|manager| MANAGERS.contains(&manager.as_str()))?;
    Some(format!("managed by another tool: its tag {MANAGED_BY} is {manager}"))
}

/// `SecretMissing`
pub(super) fn missing(case: &Case<'_>) -> Vec<Finding> {
    let Ok(SecretState::Absent { lagging }) = &case.observed.secret else { return Vec::new() };
    let (resource, secret) = (case.desired.resource(), &case.desired.secret);
    let cause = case.side.cause(&resource, None, *lagging);
    let lost = if case.desired.has_source { "" } else { ", without a value, for there is no source" };
    let message = match cause {
        Cause::Drift if case.desired.mode == Mode::Enforce => {
            format!("secret {secret} was deleted; it is made anew under another ARN{lost}")
        }
        Cause::Drift => format!("secret {secret} was deleted"),
        _ => format!("secret {secret} does not exist{}", if *lagging { " yet" } else { "" }),
    };
    vec![Finding {
        expected: Some("exists".to_owned()),
        observed: Some("does not exist".to_owned()),
        ..case.finding(DriftKind::SecretMissing, cause, Some(resource), secret.name(), message)
    }]
}

/// `SecretPendingDeletion`: whoever asks for it has it restored; otherwise its deletion is somebody's decision (design §3.3).
pub(super) fn pending_deletion(case: &Case<'_>) -> Vec<Finding> {
    let Some((described, date)) = case.observed.described().and_then(|one| Some((one, one.deletion.as_ref()?))) else {
        return Vec::new();
    };
    let resource = case.desired.resource();
    let known = recorded(case.desired, described, case.record).is_some();
    let cause = match described.lagging.contains(&Lag::Deletion) {
        true => Cause::Propagating,
        false if known => Cause::Drift,
        false => Cause::NotYet,
    };
    let restores = case.desired.restore && case.desired.mode == Mode::Enforce && case.owner.may_write();
    let advice = if restores {
        "it is restored, because restoreDeleted is true"
    } else {
        "restore it with secretsmanager:RestoreSecret, or set restoreDeleted: true"
    };
    let message = format!("secret {} is scheduled for deletion and gone on {date}; {advice}", described.arn);
    vec![Finding {
        expected: Some("not deleted".to_owned()),
        observed: Some(format!("deleted on {date}")),
        ..case.finding(
            DriftKind::SecretPendingDeletion,
            cause,
            restores.then(|| Resource::clone(&resource)),
            case.desired.secret.name(),
            message,
        )
    }]
}
