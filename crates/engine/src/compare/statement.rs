//! Layer `keyPolicy`: our statements stand in the key policy as they have to, and name the principals that were trusted.

use std::collections::BTreeSet;

use sharedkey_api::DriftKind;
use sharedkey_policy::{Difference, EntityArn, Statement, difference, fingerprint, is_unique_id};

use super::{Case, Cause, Finding, WantedStatement};
use crate::{
    desired::{Desired, DesiredConsumer, Trust},
    ledger::Record,
    names::Part,
    observed::{Entity, Observed},
};

impl Case<'_> {
    fn statement_finding(&self, kind: DriftKind, cause: Cause, wanted: &WantedStatement, message: String) -> Finding {
        let resource = wanted.resource.clone();
        Finding {
            kind,
            cause,
            account: self.owner().clone(),
            principals: wanted.principals(),
            resource: Some(resource),
            subject: wanted.sid().to_owned(),
            expected: None,
            observed: None,
            message,
        }
    }

    fn policy_lags(&self) -> bool {
        matches!(&self.observed.key.policy, Ok(Some(policy)) if policy.lagging)
    }

    fn key_name(&self) -> String {
        self.key.map(ToString::to_string).unwrap_or_default()
    }
}

impl WantedStatement {
    fn principals(&self) -> Vec<String> {
        self.statement.aws_principals().map(str::to_owned).collect()
    }

    fn sid(&self) -> &str {
        self.statement.sid().unwrap_or_default()
    }
}

/// `PolicyUnreadable`: a document that is not a policy is never written over.
pub(super) fn unreadable(case: &Case<'_>) -> Vec<Finding> {
    let Ok(Some(policy)) = &case.observed.key.policy else { return Vec::new() };
    let Err(malformed) = &policy.document else { return Vec::new() };
    vec![Finding {
        kind: DriftKind::PolicyUnreadable,
        cause: Cause::Drift,
        account: case.owner().clone(),
        principals: Vec::new(),
        resource: None,
        subject: case.key_name(),
        expected: Some("a policy document".to_owned()),
        observed: Some(malformed.to_string()),
        message: format!(
            "the key policy of {} cannot be read as a policy ({malformed}); it is left as it is, correct it by hand",
            case.key_name()
        ),
    }]
}

/// `StatementMissing`
pub(super) fn missing(case: &Case<'_>) -> Vec<Finding> {
    let Some(document) = case.document() else { return Vec::new() };
    let gone = case.statements.iter().filter(|wanted| document.with_sid(wanted.sid()).next().is_none());
    gone.map(|wanted| {
        let cause = case.cause(&wanted.resource, None, case.policy_lags());
        let principals = wanted.principals().join(", ");
        let message = format!(
            "statement {:?} is not in the key policy of {}; without it {principals} cannot use the key",
            wanted.sid(),
            case.key_name()
        );
        Finding {
            expected: Some(wanted.statement.to_json().to_owned()),
            observed: Some("no such statement".to_owned()),
            ..case.statement_finding(DriftKind::StatementMissing, cause, wanted, message)
        }
    })
    .collect()
}

/// `StatementChanged`, and `PrincipalMissing` where nothing but principals were taken out.
pub(super) fn changed(case: &Case<'_>) -> Vec<Finding> {
    let Some(document) = case.document() else { return Vec::new() };
    let mut findings = Vec::new();
    for wanted in case.statements {
        let Some(live) = document.with_sid(wanted.sid()).next() else { continue };
        let Some(difference) = case.real_difference(&wanted.statement, live) else { continue };
        let found = fingerprint(live, case.context);
        let cause = case.cause(&wanted.resource, Some(&found), case.policy_lags());
        if cause != Cause::Conflict && difference.is_only_missing_principals() {
            findings.extend(principals_missing(case, wanted, &difference, cause));
        } else {
            findings.push(statement_changed(case, wanted, &difference, cause));
        }
    }
    findings
}

fn principals_missing<'a>(
    case: &'a Case<'_>,
    wanted: &'a WantedStatement,
    difference: &'a Difference,
    cause: Cause,
) -> impl Iterator<Item = Finding> + 'a {
    difference.principals.missing.iter().map(move |principal| {
        let message = format!(
            "statement {:?} in the key policy of {} no longer names {principal}, which cannot use the key without it",
            wanted.sid(),
            case.key_name()
        );
        Finding {
            principals: vec![principal.clone()],
            expected: Some(principal.clone()),
            observed: Some("not named".to_owned()),
            ..case.statement_finding(DriftKind::PrincipalMissing, cause, wanted, message)
        }
    })
}

fn statement_changed(case: &Case<'_>, wanted: &WantedStatement, difference: &Difference, cause: Cause) -> Finding {
    let message = if cause == Cause::Conflict {
        format!(
            "statement {:?} stands in the key policy of {} under this object's name, is not known to have been written for it and differs \
             from the spec ({difference}); it is left as it is: remove it, or annotate this object with {}=true to replace it",
            wanted.sid(),
            case.key_name(),
            sharedkey_api::TAKE_OVER
        )
    } else {
        format!("statement {:?} in the key policy of {} differs: {difference}", wanted.sid(), case.key_name())
    };
    let mut principals = wanted.principals();
    principals.extend(difference.principals.unexpected.iter().cloned());
    Finding {
        principals,
        expected: Some(difference.expected_text()),
        observed: Some(difference.observed_text()),
        ..case.statement_finding(DriftKind::StatementChanged, cause, wanted, message)
    }
}

impl Case<'_> {
    /// The difference that matters: another spelling of the same actions does not, and principals that are left out on purpose, or
    /// that KMS shows as ids because they were deleted, have kinds of their own.
    fn real_difference(&self, wanted: &Statement, live: &Statement) -> Option<Difference> {
        let mut difference = difference(wanted, live, self.context)?;
        let left_out: BTreeSet<String> = self.left_out.iter().map(ToString::to_string).collect();
        difference.principals.unexpected.retain(|principal| !is_unique_id(principal) && !left_out.contains(principal));
        (!difference.is_empty() && !difference.equivalent).then_some(difference)
    }
}

/// `StatementDuplicated`
pub(super) fn duplicated(case: &Case<'_>) -> Vec<Finding> {
    let Some(document) = case.document() else { return Vec::new() };
    let counted = case.statements.iter().map(|wanted| (wanted, document.with_sid(wanted.sid()).count()));
    counted
        .filter(|(_, count)| *count > 1)
        .map(|(wanted, count)| {
            let message = format!("{count} statements in the key policy of {} have the Sid {:?}", case.key_name(), wanted.sid());
            let cause = if case.policy_lags() { Cause::Propagating } else { Cause::Drift };
            Finding {
                expected: Some("1 statement".to_owned()),
                observed: Some(format!("{count} statements")),
                ..case.statement_finding(DriftKind::StatementDuplicated, cause, wanted, message)
            }
        })
        .collect()
}

/// Principals that our statements must not name at the moment: those that were deleted after they had been trusted, and those
/// that somebody has created again since (D§1.4). Naming the ARN again would trust whoever created it.
pub(super) fn left_out(desired: &Desired, observed: &Observed, record: &Record) -> BTreeSet<EntityArn> {
    let mut left_out = BTreeSet::new();
    for consumer in desired.consumers.iter().filter(|consumer| consumer.trust == Trust::Principals) {
        for principal in &consumer.principals {
            let trusted = trusted_id(desired, consumer, principal, observed, record);
            let gone = match observed.entities.get(principal) {
                Some(Ok(Entity::Present(state))) => trusted.is_some_and(|id| id != state.unique_id),
                Some(Ok(Entity::Absent { .. })) => trusted.is_some(),
                Some(Err(_)) | None => false,
            };
            if gone {
                left_out.insert(principal.clone());
            }
        }
    }
    left_out
}

/// The id that was trusted under this ARN, as far as it is known: from the ledger, or because our statement names a deleted
/// principal in the place where this one should stand.
fn trusted_id(
    desired: &Desired,
    consumer: &DesiredConsumer,
    principal: &EntityArn,
    observed: &Observed,
    record: &Record,
) -> Option<String> {
    if let Some(id) = record.unique_id(principal) {
        return Some(id.to_owned());
    }
    let sid = desired.names.sid(&consumer.name, Part::Use);
    let statement = observed.document()?.with_sid(sid.as_str()).next()?;
    if statement.aws_principals().any(|name| name == principal.to_string()) {
        return None;
    }
    let known = observed.unique_ids();
    let mut orphans = statement.aws_principals().filter(|name| is_unique_id(name) && !known.contains_key(*name));
    orphans.next().map(str::to_owned)
}

/// `PrincipalRecreated`
pub(super) fn recreated(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for wanted in case.desired.consumers.iter().filter(|consumer| consumer.trust == Trust::Principals) {
        for principal in wanted.principals.iter().filter(|principal| case.left_out.contains(*principal)) {
            let Some(state) = case.observed.entity(principal) else { continue };
            let before = trusted_id(case.desired, wanted, principal, case.observed, case.record).unwrap_or_default();
            findings.push(Finding {
                kind: DriftKind::PrincipalRecreated,
                cause: Cause::Drift,
                account: case.owner().clone(),
                principals: vec![principal.to_string()],
                resource: None,
                subject: case.desired.names.sid(&wanted.name, Part::Use).to_string(),
                message: format!(
                    "{principal} was deleted and created again: it is {} now, and {before} was trusted; the key policy does not trust the new one; \
                     remove the principal from the spec and add it again to trust it",
                    state.unique_id
                ),
                expected: Some(before),
                observed: Some(state.unique_id.clone()),
            });
        }
    }
    findings
}

/// `OrphanedPrincipal`: a statement of ours names a principal that was deleted. It leaves the statement at the next write.
pub(super) fn orphaned(case: &Case<'_>) -> Vec<Finding> {
    let Some(document) = case.document() else { return Vec::new() };
    let mut findings = Vec::new();
    for consumer in &case.desired.consumers {
        let absent: Vec<String> =
            consumer.principals.iter().filter(|arn| case.observed.is_absent(arn)).map(ToString::to_string).collect();
        if absent.is_empty() {
            continue;
        }
        let sid = case.desired.names.sid(&consumer.name, Part::Use);
        let named = document.with_sid(sid.as_str()).flat_map(Statement::aws_principals);
        for id in named.filter(|name| is_unique_id(name) && !case.context.unique_ids.contains_key(*name)) {
            findings.push(Finding {
                kind: DriftKind::OrphanedPrincipal,
                cause: Cause::Drift,
                account: case.owner().clone(),
                principals: absent.clone(),
                resource: None,
                subject: sid.to_string(),
                expected: Some(absent.join(", ")),
                message: format!(
                    "statement \"{sid}\" in the key policy of {} names {id}, a principal that was deleted; of the spec's principals these do not exist: {}",
                    case.key_name(),
                    absent.join(", ")
                ),
                observed: Some(id.to_owned()),
            });
        }
    }
    findings
}
