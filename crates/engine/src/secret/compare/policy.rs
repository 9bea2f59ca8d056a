//! The secret's resource policy: our statements stand in it as they have to, once, and name the principals that were trusted.

use std::collections::BTreeSet;

use sharedkey_api::{DriftKind, TAKE_OVER};
use sharedkey_policy::Statement;

use super::Case;
use crate::{
    compare::{Cause, Finding, WantedStatement, stray},
    ledger::Resource,
    secret::observed::ResourcePolicy,
    text::few,
};

/// Principals that a message names.
const NAMED: usize = 5;

impl Case<'_> {
    fn lags(&self) -> bool {
        matches!(&self.observed.policy, Ok(Some(ResourcePolicy { lagging: true, .. })))
    }

    fn named(&self) -> String {
        self.described.map(|described| format!("the resource policy of {}", described.arn)).unwrap_or_default()
    }

    fn statement(&self, kind: DriftKind, cause: Cause, wanted: &WantedStatement, message: String) -> Finding {
        let finding = self.finding(kind, cause, Some(wanted.resource.clone()), wanted.sid(), message);
        Finding { principals: wanted.principals(), ..finding }
    }
}

pub(super) fn is_unreadable(case: &Case<'_>) -> bool {
    case.described.is_some() && matches!(&case.observed.policy, Ok(Some(ResourcePolicy { document: Err(_), .. })))
}

/// `ResourcePolicyChanged` where it is no policy: such a document is never written over.
pub(super) fn unreadable(case: &Case<'_>) -> Vec<Finding> {
    let (Some(_), Ok(Some(ResourcePolicy { document: Err(malformed), .. }))) = (case.described, &case.observed.policy)
    else {
        return Vec::new();
    };
    let message =
        format!("{} cannot be read as a policy ({malformed}); it is left as it is, correct it by hand", case.named());
    vec![Finding {
        expected: Some("a policy document".to_owned()),
        observed: Some(malformed.to_string()),
        ..case.finding(DriftKind::ResourcePolicyChanged, Cause::Drift, None, "resource policy", message)
    }]
}

/// `ResourcePolicyMissing`
pub(super) fn missing(case: &Case<'_>) -> Vec<Finding> {
    let Some(document) = case.document else { return Vec::new() };
    let gone = case.statements.iter().filter(|wanted| document.with_sid(wanted.sid()).next().is_none());
    gone.map(|wanted| {
        let cause = case.side.cause(&wanted.resource, None, case.lags());
        let message = format!(
            "statement {:?} of reader {:?} is not in {}; without it {} cannot read the secret",
            wanted.sid(),
            wanted.consumer,
            case.named(),
            few(&wanted.principals(), NAMED)
        );
        Finding {
            expected: Some(format!("allows {}", wanted.actions().join(", "))),
            observed: Some("no such statement".to_owned()),
            ..case.statement(DriftKind::ResourcePolicyMissing, cause, wanted, message)
        }
    })
    .collect()
}

/// `ResourcePolicyChanged`
pub(super) fn changed(case: &Case<'_>) -> Vec<Finding> {
    let Some(document) = case.document else { return Vec::new() };
    let mut findings = Vec::new();
    for wanted in case.statements {
        let standing: Vec<&Statement> = document.with_sid(wanted.sid()).collect();
        let Some(live) = standing.first() else { continue };
        let found = case.side.as_written(&wanted.resource, live);
        let cause = case.side.cause(&wanted.resource, Some(&found), case.lags());
        if let Some(difference) = case.side.real_difference(&wanted.statement, live) {
            let conflict = if cause == Cause::Conflict { conflict() } else { String::new() };
            let message = format!(
                "statement {:?} of reader {:?} in {} differs: {difference}{conflict}",
                wanted.sid(),
                wanted.consumer,
                case.named()
            );
            let mut principals = wanted.principals();
            principals.extend(difference.principals.unexpected.iter().cloned());
            findings.push(Finding {
                principals,
                expected: Some(difference.expected_text()),
                observed: Some(difference.observed_text()),
                ..case.statement(DriftKind::ResourcePolicyChanged, cause, wanted, message)
            });
        } else if standing.len() > 1 {
            let message = format!("{} statements in {} have the Sid {:?}", standing.len(), case.named(), wanted.sid());
            let cause = if case.lags() { Cause::Propagating } else { Cause::Drift };
            findings.push(Finding {
                expected: Some("1 statement".to_owned()),
                observed: Some(format!("{} statements", standing.len())),
                ..case.statement(DriftKind::ResourcePolicyChanged, cause, wanted, message)
            });
        }
    }
    findings.extend(recreated(case));
    findings
}

fn conflict() -> String {
    format!(
        "; it is not known to have been written for this object, although it has its name, and is left as it is: remove it, or annotate \
         this object with {TAKE_OVER}=true to replace it"
    )
}

/// Principals that were deleted since they were trusted, or created again by somebody (D§1.4). Nothing is written for them.
fn recreated(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for reader in &case.desired.readers {
        let sid = case.desired.names.secret_sid(&reader.name).to_string();
        for (principal, trusted) in reader.principals.iter().filter_map(|arn| Some((arn, case.side.left_out.get(arn)?)))
        {
            let Some(state) = case.side.entity(principal) else { continue };
            let message = format!(
                "{principal} was deleted and created again: it is {} now, and {trusted} was trusted to read the secret; the new one is \
                 not; to trust it, remove it from the spec and add it again",
                state.unique_id
            );
            findings.push(Finding {
                principals: vec![principal.to_string()],
                expected: Some(trusted.clone()),
                observed: Some(state.unique_id.clone()),
                ..case.finding(DriftKind::ResourcePolicyChanged, Cause::Drift, None, sid.clone(), message)
            });
        }
    }
    findings
}

/// `ResourcePolicyChanged`, where all principals of the spec are left out and the statement still names others.
pub(super) fn emptied(case: &Case<'_>) -> Vec<Finding> {
    let Some(document) = case.document else { return Vec::new() };
    let mut findings = Vec::new();
    for reader in case.desired.readers.iter().filter(|reader| case.side.names_nobody(&reader.principals)) {
        let sid = case.desired.names.secret_sid(&reader.name).to_string();
        let Some(live) = document.with_sid(&sid).next() else { continue };
        let others = case.side.others(live);
        if others.is_empty() {
            continue;
        }
        let resource = case.desired.statement_of(&reader.name);
        let cause = case.side.cause(&resource, Some(&case.side.as_written(&resource, live)), case.lags());
        let message = format!(
            "statement {sid:?} of reader {:?} in {} names {}, and of the principals in the spec none can be named",
            reader.name,
            case.named(),
            few(&others, NAMED)
        );
        findings.push(Finding {
            expected: Some("names nobody".to_owned()),
            observed: Some(format!("names {}", few(&others, NAMED))),
            principals: others,
            ..case.finding(DriftKind::ResourcePolicyChanged, cause, Some(resource), sid, message)
        });
    }
    findings
}

/// `ResourcePolicyChanged` of statements under this object's name that neither the spec nor the ledger knows.
pub(super) fn strays(case: &Case<'_>) -> Vec<Finding> {
    let Some(document) = case.document else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let own = document.statements().iter().filter_map(|statement| Some((statement.sid()?, statement)));
    let own = own.filter(|(sid, _)| case.desired.names.own_sid(sid) && seen.insert(*sid));
    own.filter_map(|(sid, statement)| {
        let resource = Resource::SecretStatement { secret: case.desired.secret.clone(), sid: sid.to_owned() };
        if !case.side.is_stray(&resource) {
            return None;
        }
        let principals: Vec<String> = statement.aws_principals().map(str::to_owned).collect();
        let message = format!(
            "statement {sid:?} in {} has the name of this object, and neither its spec nor the ledger knows it; it names {}; {}",
            case.named(),
            few(&principals, NAMED),
            stray::advice(),
        );
        Some(Finding {
            principals,
            expected: Some("no such statement".to_owned()),
            observed: Some("stands in the resource policy".to_owned()),
            ..case.finding(
                DriftKind::ResourcePolicyChanged,
                case.side.stray_cause(case.lags()),
                Some(resource),
                sid,
                message,
            )
        })
    })
    .collect()
}
