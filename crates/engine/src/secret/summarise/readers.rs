use sharedkey_api::{
    Basis, DriftLayer, ExternalSecretStatus, HalfState, ReaderPrincipalStatus, ReaderStatus, VerdictValue, limits,
};
use sharedkey_policy::EntityArn;

use super::SecretCourse;
use crate::{
    compare::Finding,
    secret::{
        compare::{ReaderVerdict, SecretVerdict},
        desired::DesiredReader,
    },
    summarise::{
        Context,
        consumers::{Delegated, half, with_last_known},
    },
    verdict::PrincipalVerdict,
};

/// Who can read the secret, half by half.
pub(super) fn readers(context: &Context<'_, ExternalSecretStatus>, course: &SecretCourse<'_>) -> Vec<ReaderStatus> {
    let pairs = course.desired.readers.iter().zip(&course.comparison.verdicts);
    pairs.map(|(reader, verdict)| status(context, course, reader, verdict)).collect()
}

fn status(
    context: &Context<'_, ExternalSecretStatus>,
    course: &SecretCourse<'_>,
    reader: &DesiredReader,
    verdict: &ReaderVerdict,
) -> ReaderStatus {
    let principals = verdict.principals.iter();
    ReaderStatus {
        name: reader.name.clone(),
        account: reader.account.to_string(),
        principals: principals.map(|principal| principal_status(context, course, reader, principal)).collect(),
        handoff_policy: handoff_policy(course, reader),
    }
}

/// What the other account's administrators attach. A text that was cut would be no policy, so one that is too long is left out;
/// the bounds of the spec keep it from happening.
fn handoff_policy(course: &SecretCourse<'_>, reader: &DesiredReader) -> Option<String> {
    let secret = course.comparison.arn.as_ref().filter(|_| reader.is_handoff())?;
    let policy = reader.handoff_document(secret, course.desired.key_arn()?).to_json();
    (policy.len() <= limits::HANDOFF_POLICY).then_some(policy)
}

fn principal_status(
    context: &Context<'_, ExternalSecretStatus>,
    course: &SecretCourse<'_>,
    reader: &DesiredReader,
    SecretVerdict { principal, key }: &SecretVerdict,
) -> ReaderPrincipalStatus {
    let arn = principal.arn.to_string();
    let before = context.previous.into_iter().flat_map(|previous| &previous.readers);
    let before = before.filter(|status| status.name == reader.name).flat_map(|status| &status.principals);
    let before = before.into_iter().find(|before| before.arn == arn);
    let before = before.map(|before| (before.verdict, before.reason.as_deref()));
    ReaderPrincipalStatus {
        unique_id: principal.unique_id.clone(),
        secret_policy: secret_policy_half(course, reader, &arn, &principal.arn),
        delegation: delegation_half(course, reader, principal),
        key: *key,
        verdict: principal.value,
        basis: Basis::Computed,
        reason: match principal.value {
            VerdictValue::Unknown => Some(with_last_known(context.now, before, principal.reason.as_deref())),
            _ => principal.reason.clone(),
        },
        arn,
    }
}

fn secret_policy_half(course: &SecretCourse<'_>, reader: &DesiredReader, arn: &str, entity: &EntityArn) -> HalfState {
    if course.comparison.left_out.contains_key(entity) {
        return HalfState::Missing;
    }
    match (&course.observed.secret, course.observed.document()) {
        (Ok(_), None) if course.observed.described().is_none() => return HalfState::Missing,
        (_, None) => return HalfState::Unknown,
        (_, Some(_)) => {}
    }
    let sid = course.desired.names.secret_sid(&reader.name).to_string();
    let about = |finding: &&Finding| {
        finding.kind.layer() == DriftLayer::Secret
            && finding.subject == sid
            && (finding.principals.is_empty() || finding.principals.iter().any(|principal| principal == arn))
    };
    half(course.comparison.findings.iter().filter(about))
}

fn delegation_half(course: &SecretCourse<'_>, reader: &DesiredReader, principal: &PrincipalVerdict) -> HalfState {
    let delegate = reader.delegate(None);
    let delegated = Delegated {
        names: &course.desired.names,
        delegate: &delegate,
        entities: &course.observed.entities,
        findings: &course.comparison.findings,
    };
    delegated.half(&principal.arn)
}
