use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use sharedkey_api::{Drift, DriftLayer, Mode};
use sharedkey_policy::EntityArn;

use super::{Context, Course, Status};
use crate::{
    compare::{Cause, Finding},
    observed::Observed,
    problem::Failure,
};

/// What status lists as drift, in a stable order. What could not be read this time stays as it was last known.
pub(crate) fn outstanding<S: Status>(
    context: &Context<'_, S>,
    findings: &[Finding],
    mode: Mode,
    is_unread: &dyn Fn(&Drift) -> bool,
) -> Vec<Drift> {
    let known = context.known();
    let found = findings.iter().filter(|finding| finding.is_drift(mode));
    let mut drift: Vec<Drift> = found
        .map(|finding| {
            let new = entry(finding, Some(context.now.clone()));
            let since = known.iter().find(|old| same(old, &new)).and_then(|old| old.first_observed_time.clone());
            Drift { first_observed_time: since.or(new.first_observed_time.clone()), ..new }
        })
        .collect();
    drift.extend(known.iter().filter(|old| is_unread(old)).cloned());
    drift.sort_by(|a, b| order(a).cmp(&order(b)));
    drift.dedup_by(|a, b| same(a, b));
    drift
}

fn order(entry: &Drift) -> (DriftLayer, sharedkey_api::DriftKind, &str, Option<&str>, &str) {
    (entry.layer, entry.kind, &entry.account, entry.principal.as_deref(), &entry.subject)
}

/// Whether two entries tell of the same difference.
pub(crate) fn same(a: &Drift, b: &Drift) -> bool {
    order(a) == order(b)
}

/// Whether what an entry is about could not be read.
pub(super) fn is_unread(course: &Course<'_>, entry: &Drift) -> bool {
    let Observed { key, entities, managed } = course.observed;
    match entry.layer {
        DriftLayer::Key => key.metadata.is_err(),
        DriftLayer::KeyPolicy => key.policy.is_err(),
        DriftLayer::Delegation => {
            let of_entry = |arn: &EntityArn| names(entry, arn);
            let unread = |failure: &Failure| failure.account.as_str() == entry.account;
            entities.iter().any(|(arn, reading)| reading.is_err() && of_entry(arn))
                || managed.values().any(|reading| reading.as_ref().is_err_and(unread))
        }
        // What a SharedKey has none of.
        DriftLayer::Secret | DriftLayer::Target => false,
    }
}

/// Whether an entry is about a principal.
pub(crate) fn names(entry: &Drift, arn: &EntityArn) -> bool {
    let arn = arn.to_string();
    entry.principal.iter().flat_map(|principals| principals.split(", ")).any(|principal| principal == arn)
}

/// A finding as status shows it.
pub(crate) fn entry(finding: &Finding, first_observed_time: Option<Time>) -> Drift {
    Drift {
        layer: finding.kind.layer(),
        kind: finding.kind,
        account: finding.account.to_string(),
        principal: (!finding.principals.is_empty()).then(|| finding.principals.join(", ")),
        subject: finding.subject.clone(),
        expected: finding.expected.clone(),
        observed: finding.observed.clone(),
        message: finding.message.clone(),
        first_observed_time,
    }
}

/// What was drift when the reconcile began and is mended now, or will be seen to be as soon as the write is visible.
pub(crate) fn corrected(before: &[Finding], after: &[Finding]) -> Vec<Finding> {
    let still = |finding: &&Finding| {
        let same = |now: &Finding| now.kind == finding.kind && now.resource == finding.resource;
        after.iter().any(|now| same(now) && now.cause != Cause::Propagating)
    };
    let mended = before.iter().filter(|finding| finding.cause == Cause::Drift && finding.is_mendable());
    mended.filter(|finding| !still(finding)).cloned().collect()
}
