//! Layer `delegation`, seen from the outcome: both halves may stand, and somebody's boundary or explicit deny still decides.

use sharedkey_api::DriftKind;
use sharedkey_policy::Half;

use super::{Case, Cause, Finding};

/// `BlockedByBoundary` and `BlockedByDeny`
pub(super) fn blocked(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for consumer in case.verdicts {
        for principal in &consumer.principals {
            for block in &principal.blocks {
                let kind = match block.half {
                    Half::Boundary => DriftKind::BlockedByBoundary,
                    _ => DriftKind::BlockedByDeny,
                };
                let actions = block.actions.iter().cloned().collect::<Vec<_>>().join(", ");
                findings.push(Finding {
                    kind,
                    cause: Cause::Drift,
                    account: consumer.account.clone(),
                    principals: vec![principal.arn.to_string()],
                    resource: None,
                    subject: principal.arn.to_string(),
                    expected: Some(format!("{actions} allowed")),
                    observed: Some(block.reason.clone()),
                    message: format!("{} cannot use {actions}: {}", principal.arn, block.reason),
                });
            }
        }
    }
    findings
}
