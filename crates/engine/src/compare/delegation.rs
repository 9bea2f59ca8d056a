//! Layer `delegation`: the policies on the consumers' side stand as they have to.

use sharedkey_api::DriftKind;
use sharedkey_policy::{EntityArn, MalformedPolicy, PolicyArn, PolicyDocument, document_difference, document_fingerprint};

use super::{Case, Cause, Finding};
use crate::{
    desired::{Delegation, DesiredConsumer, Trust},
    ledger::Resource,
    observed::{Entity, EntityState, ManagedPolicy},
};

impl<'a> Case<'a> {
    /// Consumers whose half in their own account is ours.
    fn delegating(&self, delegation: Delegation) -> impl Iterator<Item = &'a DesiredConsumer> {
        self.desired.consumers.iter().filter(move |consumer| consumer.delegation == delegation && consumer.reach.is_some())
    }

    /// The consumer's principals that exist and are the ones that were trusted.
    fn present(&self, consumer: &'a DesiredConsumer) -> impl Iterator<Item = (&'a EntityArn, &'a EntityState)> {
        let (observed, left_out) = (self.observed, self.left_out);
        let trusted = consumer.principals.iter().filter(move |principal| !left_out.contains(*principal));
        trusted.filter_map(move |principal| Some((principal, observed.entity(principal)?)))
    }
}

/// `EntityMissing`: the role or user is gone, or never was.
pub(super) fn entity_missing(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for consumer in &case.desired.consumers {
        for principal in &consumer.principals {
            let Some(Ok(Entity::Absent { elsewhere })) = case.observed.entities.get(principal) else { continue };
            let existed = case.left_out.contains(principal)
                || consumer.trust == Trust::Account && case.record.unique_id(principal).is_some();
            let (observed, advice) = match elsewhere {
                Some(other) => (other.to_string(), format!("; the same name exists as {other}, and the path is part of the name")),
                None => ("does not exist".to_owned(), String::new()),
            };
            findings.push(Finding {
                kind: DriftKind::EntityMissing,
                cause: if existed { Cause::Drift } else { Cause::NotYet },
                account: consumer.account.clone(),
                principals: vec![principal.to_string()],
                resource: None,
                subject: principal.to_string(),
                expected: Some("exists".to_owned()),
                observed: Some(observed),
                message: format!(
                    "{principal} of consumer {:?} does not exist in account {}{advice}; create it, or remove it from the spec",
                    consumer.name, consumer.account
                ),
            });
        }
    }
    findings
}

/// `PolicyMissing` and `PolicyChanged` of inline policies.
pub(super) fn inline(case: &Case<'_>) -> Vec<Finding> {
    let Some(key) = case.key else { return Vec::new() };
    let mut findings = Vec::new();
    for consumer in case.delegating(Delegation::InlinePolicy) {
        let wanted = consumer.delegation_document(key);
        let name = case.desired.names.policy_name(&consumer.name);
        for (principal, state) in case.present(consumer) {
            let resource = Resource::InlinePolicy { entity: principal.clone(), name: name.clone() };
            let policy = OurPolicy {
                resource,
                label: format!("inline policy {name:?} of {principal}"),
                subject: name.clone(),
                principals: vec![principal.to_string()],
                lagging: state.lagging.contains(&name),
            };
            findings.extend(case.policy_finding(consumer, policy, &wanted, state.inline.get(&name)));
        }
    }
    findings
}

/// One policy of ours on the consumers' side.
struct OurPolicy {
    resource: Resource,
    label: String,
    subject: String,
    principals: Vec<String>,
    lagging: bool,
}

impl Case<'_> {
    fn policy_finding(
        &self,
        consumer: &DesiredConsumer,
        policy: OurPolicy,
        wanted: &PolicyDocument,
        live: Option<&Result<PolicyDocument, MalformedPolicy>>,
    ) -> Option<Finding> {
        let (kind, found, expected, observed, what) = match live {
            None => {
                let lost = policy.principals.join(", ");
                let what = format!("{} is missing; without it {lost} cannot use the key", policy.label);
                (DriftKind::PolicyMissing, None, wanted.to_json(), "no such policy".to_owned(), what)
            }
            Some(Err(malformed)) => {
                let what = format!("{} cannot be read as a policy: {malformed}", policy.label);
                (DriftKind::PolicyChanged, Some(String::new()), wanted.to_json(), malformed.to_string(), what)
            }
            Some(Ok(live)) => {
                let difference = document_difference(wanted, live, self.context)?;
                let what = format!("{} differs: {difference}", policy.label);
                let found = document_fingerprint(live, self.context);
                (DriftKind::PolicyChanged, Some(found), difference.expected_text(), difference.observed_text(), what)
            }
        };
        let cause = self.cause(&policy.resource, found.as_deref(), policy.lagging);
        let message = match cause {
            Cause::Conflict => format!(
                "{what}; it is not known to have been written for this object and is left as it is: remove it, or annotate this object with {}=true to \
                 replace it",
                sharedkey_api::TAKE_OVER
            ),
            _ => what,
        };
        Some(Finding {
            kind,
            cause,
            account: consumer.account.clone(),
            principals: policy.principals,
            resource: Some(policy.resource),
            subject: policy.subject,
            expected: Some(expected),
            observed: Some(observed),
            message,
        })
    }
}

/// `PolicyMissing`, `PolicyChanged`, `DefaultVersionChanged` and `PolicyDetached` of managed policies.
pub(super) fn managed(case: &Case<'_>) -> Vec<Finding> {
    let Some(key) = case.key else { return Vec::new() };
    let mut findings = Vec::new();
    for consumer in case.delegating(Delegation::ManagedPolicy) {
        let arn = consumer.managed_policy(&case.desired.names, case.context.partition);
        let Some(Ok(live)) = case.observed.managed.get(&arn) else { continue };
        let wanted = consumer.delegation_document(key);
        findings.extend(case.managed_document(consumer, &arn, &wanted, live));
        findings.extend(case.detached(consumer, &arn, live));
    }
    findings
}

impl Case<'_> {
    fn managed_document(
        &self,
        consumer: &DesiredConsumer,
        arn: &PolicyArn,
        wanted: &PolicyDocument,
        live: &ManagedPolicy,
    ) -> Option<Finding> {
        let (document, lagging) = match live {
            ManagedPolicy::Absent { lagging } => (None, *lagging),
            ManagedPolicy::Present { document, lagging, .. } => (Some(document), *lagging),
        };
        let policy = OurPolicy {
            resource: Resource::ManagedPolicy { policy: arn.clone() },
            label: format!("managed policy {arn}"),
            subject: arn.to_string(),
            principals: self.present(consumer).map(|(principal, _)| principal.to_string()).collect(),
            lagging,
        };
        let finding = self.policy_finding(consumer, policy, wanted, document)?;
        Some(self.default_version(arn, wanted, live, &finding).unwrap_or(finding))
    }

    /// A changed policy whose right document is still there under another version number: somebody switched the default.
    fn default_version(
        &self,
        arn: &PolicyArn,
        wanted: &PolicyDocument,
        live: &ManagedPolicy,
        finding: &Finding,
    ) -> Option<Finding> {
        let ManagedPolicy::Present { default_version, others, .. } = live else { return None };
        if finding.cause != Cause::Drift {
            return None;
        }
        let (right, _) =
            others.iter().find(|(_, document)| document_difference(wanted, document, self.context).is_none())?;
        Some(Finding {
            kind: DriftKind::DefaultVersionChanged,
            expected: Some(right.clone()),
            observed: Some(default_version.clone()),
            message: format!(
                "the default version of {arn} was switched from {right} to {default_version}, and {}",
                finding.message
            ),
            ..finding.clone()
        })
    }

    fn detached(&self, consumer: &DesiredConsumer, arn: &PolicyArn, live: &ManagedPolicy) -> Vec<Finding> {
        let absent = matches!(live, ManagedPolicy::Absent { .. });
        let loose = self.present(consumer).filter(|(_, state)| !state.attached.contains(arn));
        loose
            .map(|(principal, state)| {
                let resource = Resource::Attachment { policy: arn.clone(), entity: principal.clone() };
                // A policy that is gone is one finding, not one for each principal that it was attached to.
                let known = if absent { Cause::NotYet } else { self.cause(&resource, None, state.lagging.contains(&arn.to_string())) };
                Finding {
                    kind: DriftKind::PolicyDetached,
                    cause: known,
                    account: consumer.account.clone(),
                    principals: vec![principal.to_string()],
                    resource: Some(resource),
                    subject: arn.to_string(),
                    expected: Some("attached".to_owned()),
                    observed: Some("not attached".to_owned()),
                    message: format!("{arn} is not attached to {principal}, which cannot use the key without it"),
                }
            })
            .collect()
    }
}
