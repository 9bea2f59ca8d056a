//! From what happened to what the user of an `ExternalSecret` sees.

mod conditions;
mod readers;

use sharedkey_api::{Drift, DriftKind, DriftLayer, ExternalSecretStatus, ReplicaStatus};
use sharedkey_policy::EntityArn;

use super::{
    compare::SecretComparison,
    desired::DesiredSecret,
    observed::{Described, ObservedSecret, SecretKey, TargetReading},
};
use crate::{
    compare::Finding,
    plan::Blocker,
    problem::{Failure, Trouble},
    summarise::{Context, Summary, drift, fact, finish, last_correction},
};

/// How a reconcile went.
#[derive(Clone, Copy, Debug)]
pub struct SecretCourse<'a> {
    /// What was wanted.
    pub desired: &'a DesiredSecret,
    /// What was read last.
    pub observed: &'a ObservedSecret,
    /// How the two compare.
    pub comparison: &'a SecretComparison,
    /// What stood in the way.
    pub blockers: &'a [Blocker],
    /// Writes that failed.
    pub failures: &'a [Failure],
    /// Why the target was not written, if that was tried.
    pub target: Option<&'a Trouble>,
    /// What differed when the reconcile began.
    pub before: &'a [Finding],
}

impl<'a> SecretCourse<'a> {
    /// The secret, as far as it may be told of: nothing of one that is somebody else's.
    fn told(&self) -> Option<&'a Described> {
        self.observed.described().filter(|_| !self.comparison.is_others)
    }
}

/// Summarises a reconcile that looked at AWS.
pub fn summarise(
    context: &Context<'_, ExternalSecretStatus>,
    course: &SecretCourse<'_>,
) -> Summary<ExternalSecretStatus> {
    let corrected = drift::corrected(course.before, &course.comparison.findings);
    let is_unread = |entry: &Drift| is_unread(course, entry);
    let drift = drift::outstanding(context, &course.comparison.findings, course.desired.mode, &is_unread);
    let outline = conditions::outline(course);
    let facts = conditions::facts(course, &outline, &drift);
    let described = course.told();
    let status = ExternalSecretStatus {
        conditions: fact::build(facts, &context.since(), Vec::new()),
        secret_arn: described.map(|described| described.arn.to_string()),
        kms_key_arn: described.and_then(|described| match &described.key {
            SecretKey::Key(key) => Some(key.to_string()),
            SecretKey::Default | SecretKey::Unresolved { .. } | SecretKey::Unread { .. } => None,
        }),
        version_id: described.and_then(|described| described.current().map(str::to_owned)),
        drift_count: i64::try_from(drift.len()).unwrap_or(i64::MAX),
        drift,
        last_correction: last_correction(context, &corrected),
        readers: readers::readers(context, course),
        replicas: replicas(course),
        ..ExternalSecretStatus::default()
    };
    finish(context, status, &corrected, outline.next())
}

fn replicas(course: &SecretCourse<'_>) -> Vec<ReplicaStatus> {
    let known = course.told();
    let regions = course.desired.replicas.keys();
    regions
        .map(|region| {
            let found = known.and_then(|described| described.replicas.get(region));
            ReplicaStatus {
                region: region.as_str().to_owned(),
                state: found.map(|found| found.status.clone()),
                message: found.and_then(|found| found.message.clone()),
            }
        })
        .collect()
}

/// Whether what an entry is about could not be read.
fn is_unread(course: &SecretCourse<'_>, entry: &Drift) -> bool {
    let ObservedSecret { secret, policy, keys, entities, managed, target, .. } = course.observed;
    match entry.layer {
        DriftLayer::Key => keys.values().any(|key| key.metadata.is_err()),
        DriftLayer::Secret => {
            secret.is_err()
                || (policy.is_err() && entry.kind.to_string().starts_with("ResourcePolicy"))
                || is_of_unread_key(course, entry)
        }
        DriftLayer::Target => secret.is_err() || matches!(target, TargetReading::Failed(_)),
        DriftLayer::Delegation => {
            let of_entry = |arn: &EntityArn| drift::names(entry, arn);
            entities.iter().any(|(arn, reading)| reading.is_err() && of_entry(arn))
                || managed
                    .values()
                    .any(|reading| reading.as_ref().is_err_and(|failure| failure.account.as_str() == entry.account))
        }
        // What an ExternalSecret has none of.
        DriftLayer::KeyPolicy => false,
    }
}

/// Whether an entry tells of a key that could not be looked up this time.
fn is_of_unread_key(course: &SecretCourse<'_>, entry: &Drift) -> bool {
    let Some(described) = course.observed.described() else { return false };
    let is_unread = |key: &SecretKey| key.failure().is_some();
    match entry.kind {
        DriftKind::KeyChanged | DriftKind::VersionsOnOldKey => is_unread(&described.key),
        DriftKind::ReplicaChanged => {
            let copy = described.replicas.iter().find(|(region, _)| region.as_str() == entry.subject);
            copy.is_some_and(|(_, copy)| is_unread(&copy.key))
        }
        _ => false,
    }
}

#[cfg(test)]
mod situations;
#[cfg(test)]
mod tests;
