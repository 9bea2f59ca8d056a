use sharedkey_api::{Basis, ConsumerStatus, DriftKind, DriftLayer, HalfState, PrincipalStatus, VerdictValue, limits};
use sharedkey_policy::root_arn;

use super::{Context, Course};
use crate::{
    compare::{Cause, Finding},
    desired::{Delegation, DesiredConsumer, Trust},
    ledger::Resource,
    observed::EntityState,
    verdict::{ConsumerVerdict, PrincipalVerdict},
};

/// Who can use the key, half by half.
pub(super) fn consumers(context: &Context<'_>, course: &Course<'_>) -> Vec<ConsumerStatus> {
    let pairs = course.desired.consumers.iter().zip(&course.comparison.verdicts);
    pairs.map(|(consumer, verdict)| status(context, course, consumer, verdict)).collect()
}

fn status(
    context: &Context<'_>,
    course: &Course<'_>,
    consumer: &DesiredConsumer,
    verdict: &ConsumerVerdict,
) -> ConsumerStatus {
    let mut principals: Vec<PrincipalStatus> =
        verdict.principals.iter().map(|principal| principal_status(context, course, consumer, principal)).collect();
    if consumer.trust == Trust::Account && principals.is_empty() {
        principals.push(account_status(course, consumer));
    }
    ConsumerStatus {
        name: consumer.name.clone(),
        account: consumer.account.to_string(),
        principals,
        handoff_policy: handoff_policy(course, consumer),
    }
}

/// What the other account's administrators attach. A text that was cut would be no policy, so one that is too long is left out;
/// the bounds of the spec keep it from happening.
fn handoff_policy(course: &Course<'_>, consumer: &DesiredConsumer) -> Option<String> {
    let key = course.comparison.key.as_ref().filter(|_| consumer.is_handoff())?;
    let policy = consumer.delegation_document(key).to_json();
    (policy.len() <= limits::HANDOFF_POLICY).then_some(policy)
}

fn account_status(course: &Course<'_>, consumer: &DesiredConsumer) -> PrincipalStatus {
    let arn = root_arn(course.desired.key.partition(), &consumer.account);
    PrincipalStatus {
        key_policy: key_policy_half(course, consumer, &arn),
        arn,
        unique_id: None,
        delegation: HalfState::NotManaged,
        verdict: VerdictValue::Unknown,
        basis: Basis::Computed,
        reason: Some(format!("administrators of account {} choose who uses the key", consumer.account)),
    }
}

fn principal_status(
    context: &Context<'_>,
    course: &Course<'_>,
    consumer: &DesiredConsumer,
    verdict: &PrincipalVerdict,
) -> PrincipalStatus {
    let arn = verdict.arn.to_string();
    PrincipalStatus {
        unique_id: verdict.unique_id.clone(),
        key_policy: if course.comparison.left_out.contains_key(&verdict.arn) {
            HalfState::Missing
        } else {
            key_policy_half(course, consumer, &arn)
        },
        delegation: delegation_half(course, consumer, verdict),
        verdict: verdict.value,
        basis: Basis::Computed,
        reason: match verdict.value {
            VerdictValue::Unknown => Some(with_last_known(context, consumer, &arn, verdict.reason.as_deref())),
            _ => verdict.reason.clone(),
        },
        arn,
    }
}

/// What was known before stays known, marked as old. It stands in front, where the bound of the text does not cut it off.
fn with_last_known(context: &Context<'_>, consumer: &DesiredConsumer, arn: &str, reason: Option<&str>) -> String {
    let reason = reason.unwrap_or_default();
    let before = context.previous.into_iter().flat_map(|previous| &previous.consumers);
    let before = before.filter(|status| status.name == consumer.name).flat_map(|status| &status.principals);
    let Some(before) = before.into_iter().find(|principal| principal.arn == arn) else { return reason.to_owned() };
    let known = match before.verdict {
        VerdictValue::Unknown => before.reason.as_deref().and_then(last_known).map(str::to_owned),
        known => Some(format!("{known}, before {}", context.now.0.strftime("%Y-%m-%dT%H:%M:%SZ"))),
    };
    known.map_or_else(|| reason.to_owned(), |known| format!("{LAST_KNOWN}{known}; {reason}"))
}

const LAST_KNOWN: &str = "last known: ";

/// What a reason remembers.
fn last_known(reason: &str) -> Option<&str> {
    Some(reason.strip_prefix(LAST_KNOWN)?.split_once("; ")?.0)
}

fn key_policy_half(course: &Course<'_>, consumer: &DesiredConsumer, arn: &str) -> HalfState {
    if course.observed.document().is_none() {
        return HalfState::Unknown;
    }
    let sids: Vec<&str> = course
        .comparison
        .statements
        .iter()
        .filter(|wanted| wanted.consumer == consumer.name)
        .filter_map(|wanted| wanted.statement.sid())
        .collect();
    let about = |finding: &&Finding| {
        finding.kind.layer() == DriftLayer::KeyPolicy
            && sids.contains(&finding.subject.as_str())
            && (finding.principals.is_empty() || finding.principals.iter().any(|principal| principal == arn))
    };
    half(course.comparison.findings.iter().filter(about))
}

fn delegation_half(course: &Course<'_>, consumer: &DesiredConsumer, verdict: &PrincipalVerdict) -> HalfState {
    if consumer.delegation == Delegation::None {
        return HalfState::NotManaged;
    }
    if !matches!(course.observed.entities.get(&verdict.arn), Some(Ok(_))) {
        return HalfState::Unknown;
    }
    let resources = consumer.delegated_by(&course.desired.names, &verdict.arn);
    let about = |finding: &&Finding| finding.resource.as_ref().is_some_and(|resource| resources.contains(resource));
    let findings: Vec<&Finding> = course.comparison.findings.iter().filter(about).collect();
    match course.observed.entity(&verdict.arn) {
        None => HalfState::Missing,
        // What a principal that is left out should carry is no finding.
        Some(state) if findings.is_empty() && !resources.iter().all(|resource| carries(state, resource)) => {
            HalfState::Missing
        }
        Some(_) => half(findings.into_iter()),
    }
}

fn carries(state: &EntityState, resource: &Resource) -> bool {
    match resource {
        Resource::InlinePolicy { name, .. } => state.inline.contains_key(name),
        Resource::Attachment { policy, .. } => state.attached.contains(policy),
        _ => true,
    }
}

/// The state that findings about one half add up to.
fn half<'a>(findings: impl Iterator<Item = &'a Finding>) -> HalfState {
    use DriftKind as K;
    let states = findings.map(|finding| match (finding.cause, finding.kind) {
        (Cause::Propagating, _) => HalfState::Propagating,
        (_, K::StatementMissing | K::PrincipalMissing | K::PolicyMissing | K::PolicyDetached) => HalfState::Missing,
        _ => HalfState::Drifted,
    });
    states
        .min_by_key(|state| match state {
            HalfState::Missing => 0,
            HalfState::Drifted => 1,
            _ => 2,
        })
        .unwrap_or(HalfState::Applied)
}
