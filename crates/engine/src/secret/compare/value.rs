//! The value: whether the current version is the one that was made from the source. It is never read for that.

use sharedkey_api::{DriftKind, conditions::Reason};

use super::Case;
use crate::{
    compare::{Cause, Finding},
    ledger::{Aspect, State},
    problem::Trouble,
    secret::observed::{Lag, SourceReading},
};

/// `ValueChanged`
pub(super) fn changed(case: &Case<'_>) -> Vec<Finding> {
    let (Some(described), SourceReading::Value(value)) = (case.described, &case.observed.source) else {
        return Vec::new();
    };
    let resource = case.desired.aspect(Aspect::Value);
    let known = case.record.get(&resource);
    let recorded = known.map(|known| known.fingerprint.as_str());
    let current = described.current();
    if current.is_some_and(|current| value.is_of(current, recorded, described.version("AWSPREVIOUS"))) {
        return Vec::new();
    }
    let applied = known.filter(|known| known.state == State::Applied);
    let cause = match (applied, current) {
        _ if described.lagging.contains(&Lag::Value) => Cause::Propagating,
        (None, _) => Cause::NotYet,
        (Some(applied), Some(current)) if applied.fingerprint == current => Cause::SpecChanged,
        (Some(_), _) => Cause::Drift,
    };
    let arn = &described.arn;
    let message = match (cause, current) {
        (Cause::Drift, Some(current)) => format!(
            "the current version of secret {arn} is {current}, which this object did not write; readers get another value than the source has"
        ),
        (_, Some(_)) => format!("the current version of secret {arn} does not have the value of the source"),
        (_, None) => format!("secret {arn} has no current version, and so no value"),
    };
    vec![Finding {
        expected: Some("the version that was made from the source".to_owned()),
        observed: Some(current.unwrap_or("no current version").to_owned()),
        ..case.finding(DriftKind::ValueChanged, cause, Some(resource), "AWSCURRENT", message)
    }]
}

/// Why the source cannot be pushed.
pub(super) fn trouble(case: &Case<'_>) -> Option<Trouble> {
    match &case.observed.source {
        SourceReading::Failed(trouble) => Some(trouble.clone()),
        _ => None,
    }
}

impl Case<'_> {
    /// A target has nothing to take before there is a value.
    pub(super) fn value_missing(&self) -> Option<Trouble> {
        let described = self.described?;
        described.current().is_none().then(|| Trouble {
            reason: Reason::ValueMissing,
            message: format!("secret {} has no current version, so there is no value to read", described.arn),
            class: crate::problem::Class::UserActionNeeded,
        })
    }
}
