//! Layer `target`: the Kubernetes Secret has what the current version has.

use sharedkey_api::{DriftKind, conditions::Reason};

use super::Case;
use crate::{
    compare::{Cause, Finding},
    problem::{Class, Trouble},
    secret::observed::TargetReading,
};

/// `TargetMissing` and `TargetChanged`
pub(super) fn target(case: &Case<'_>) -> Vec<Finding> {
    let (Some(described), Some(name)) = (case.described, &case.desired.target) else { return Vec::new() };
    let Some(current) = described.current() else { return Vec::new() };
    let written = case.record.target.as_ref().is_some_and(|written| &written.name == name);
    let (kind, cause, observed, message) = match &case.observed.target {
        TargetReading::Missing => {
            let cause = if written { Cause::Drift } else { Cause::NotYet };
            (DriftKind::TargetMissing, cause, "no such Secret", format!("Secret {name:?} does not exist"))
        }
        TargetReading::Found { intact: false, .. } => (
            DriftKind::TargetChanged,
            Cause::Drift,
            "other data or another type",
            format!("Secret {name:?} does not have the data or the type that was written to it"),
        ),
        TargetReading::Found { as_asked: false, .. } => (
            DriftKind::TargetChanged,
            Cause::SpecChanged,
            "written for another owner, type or keys",
            format!("Secret {name:?} was written for another owner, type or keys than it is to have now"),
        ),
        TargetReading::Found { version, .. } if version.as_deref() != Some(current) => (
            DriftKind::TargetChanged,
            Cause::SpecChanged,
            version.as_deref().unwrap_or("written from no known version"),
            format!("Secret {name:?} does not have the value of the current version {current}"),
        ),
        _ => return Vec::new(),
    };
    vec![Finding {
        expected: Some(format!("the value of version {current}")),
        observed: Some(observed.to_owned()),
        ..case.finding(kind, cause, None, name.clone(), message)
    }]
}

/// Why the target cannot be written.
pub(super) fn trouble(case: &Case<'_>) -> Option<Trouble> {
    match &case.observed.target {
        TargetReading::NotStated => None,
        TargetReading::NotOwned { message } => {
            Some(Trouble { reason: Reason::TargetNotOwned, message: message.clone(), class: Class::UserActionNeeded })
        }
        TargetReading::Failed(trouble) => Some(trouble.clone()),
        TargetReading::Missing | TargetReading::Found { .. } => case.value_missing(),
    }
}
