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

/// What was drift when the reconcile began and is mended now, or will be seen to be as soon as the write is visible. What turned into
/// another difference of the same thing meanwhile is not mended yet.
pub(crate) fn corrected(before: &[Finding], after: &[Finding]) -> Vec<Finding> {
    let still = |finding: &&Finding| {
        let same = |now: &Finding| now.kind == finding.kind && now.resource == finding.resource;
        let worse = |now: &Finding| {
            now.is_mendable() && (now.kind.layer(), &now.subject) == (finding.kind.layer(), &finding.subject)
        };
        after.iter().any(|now| now.cause != Cause::Propagating && (same(now) || worse(now)))
    };
    let mended = before.iter().filter(|finding| finding.cause == Cause::Drift && finding.is_mendable());
    mended.filter(|finding| !still(finding)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use sharedkey_api::DriftKind;

    use super::*;
    use crate::ledger::Resource;

    const POLICY: &str = "arn:aws:iam::444455556666:policy/sharedkey@prod@team@orders@partner";
    const ROLE: &str = "arn:aws:iam::444455556666:role/App";

    fn finding(kind: DriftKind, resource: Resource) -> Finding {
        Finding {
            kind,
            cause: Cause::Drift,
            account: "444455556666".parse().unwrap(),
            principals: Vec::new(),
            resource: Some(resource),
            subject: POLICY.to_owned(),
            expected: None,
            observed: None,
            message: String::new(),
        }
    }

    #[test]
    fn what_is_deleted_while_it_is_attached_again_was_not_mended() {
        let (policy, entity) = (POLICY.parse().unwrap(), ROLE.parse().unwrap());
        let detached = [finding(DriftKind::PolicyDetached, Resource::Attachment { policy, entity })];
        let mut left = [finding(DriftKind::PolicyMissing, Resource::ManagedPolicy { policy: POLICY.parse().unwrap() })];
        assert!(corrected(&detached, &left).is_empty());
        assert_eq!(corrected(&detached, &[]).len(), 1);
        left[0].cause = Cause::Propagating;
        assert_eq!(corrected(&detached, &left).len(), 1, "it is on its way");
    }
}
