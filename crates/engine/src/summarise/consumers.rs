use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use sharedkey_api::{Basis, ConsumerStatus, DriftKind, DriftLayer, HalfState, PrincipalStatus, VerdictValue, limits};
use sharedkey_policy::{EntityArn, root_arn};

use super::{Context, Course};
use crate::{
    compare::{Cause, Finding},
    delegate::Delegate,
    desired::{Delegation, DesiredConsumer, Trust},
    ledger::Resource,
    names::Names,
    observed::{Entity, EntityState, entity},
    problem::Reading,
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
    let before = context.previous.into_iter().flat_map(|previous| &previous.consumers);
    let before = before.filter(|status| status.name == consumer.name).flat_map(|status| &status.principals);
    let before = before.into_iter().find(|before| before.arn == arn);
    let before = before.map(|before| (before.verdict, before.reason.as_deref()));
    let delegate = consumer.delegate(None);
    let delegated = Delegated {
        names: &course.desired.names,
        delegate: &delegate,
        entities: &course.observed.entities,
        findings: &course.comparison.findings,
    };
    PrincipalStatus {
        unique_id: verdict.unique_id.clone(),
        key_policy: if course.comparison.left_out.contains_key(&verdict.arn) {
            HalfState::Missing
        } else {
            key_policy_half(course, consumer, &arn)
        },
        delegation: delegated.half(&verdict.arn),
        verdict: verdict.value,
        basis: Basis::Computed,
        reason: match verdict.value {
            VerdictValue::Unknown => Some(with_last_known(context.now, before, verdict.reason.as_deref())),
            _ => verdict.reason.clone(),
        },
        arn,
    }
}

/// What was known before stays known, marked as old. It stands in front, where the bound of the text does not cut it off.
pub(crate) fn with_last_known(
    now: &Time,
    before: Option<(VerdictValue, Option<&str>)>,
    reason: Option<&str>,
) -> String {
    let reason = reason.unwrap_or_default();
    let known = match before {
        None => return reason.to_owned(),
        Some((VerdictValue::Unknown, reason)) => reason.and_then(last_known).map(str::to_owned),
        Some((known, _)) => Some(format!("{known}, before {}", now.0.strftime("%Y-%m-%dT%H:%M:%SZ"))),
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

/// The half of one consumer or reader on the principals' side, as it was read and compared.
pub(crate) struct Delegated<'a> {
    pub(crate) names: &'a Names,
    pub(crate) delegate: &'a Delegate<'a>,
    pub(crate) entities: &'a BTreeMap<EntityArn, Reading<Entity>>,
    pub(crate) findings: &'a [Finding],
}

impl Delegated<'_> {
    /// The half of one principal.
    pub(crate) fn half(&self, principal: &EntityArn) -> HalfState {
        if self.delegate.delegation == Delegation::None {
            return HalfState::NotManaged;
        }
        if !matches!(self.entities.get(principal), Some(Ok(_))) {
            return HalfState::Unknown;
        }
        let resources = self.delegate.delegated_by(self.names, principal);
        let about = |finding: &&Finding| finding.resource.as_ref().is_some_and(|resource| resources.contains(resource));
        let findings: Vec<&Finding> = self.findings.iter().filter(about).collect();
        match entity(self.entities, principal) {
            None => HalfState::Missing,
            // What a principal that is left out should carry is no finding.
            Some(state) if findings.is_empty() && !resources.iter().all(|resource| carries(state, resource)) => {
                HalfState::Missing
            }
            Some(_) => half(findings.into_iter()),
        }
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
pub(crate) fn half<'a>(findings: impl Iterator<Item = &'a Finding>) -> HalfState {
    use DriftKind as K;
    let states = findings.map(|finding| match (finding.cause, finding.kind) {
        (Cause::Propagating, _) => HalfState::Propagating,
        (
            _,
            K::StatementMissing | K::PrincipalMissing | K::ResourcePolicyMissing | K::PolicyMissing | K::PolicyDetached,
        ) => HalfState::Missing,
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
