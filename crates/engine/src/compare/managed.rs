//! Layer `delegation`, by one managed policy for all principals of a consumer or reader: it exists, says in its default version what it has to,
//! and is attached (D§4.2).

use sharedkey_api::DriftKind;
use sharedkey_policy::{PolicyArn, PolicyDocument, document_difference};

use super::{Cause, Finding, delegation::OurPolicy, side::Side};
use crate::{delegate::Delegate, desired::Delegation, ledger::Resource, observed::ManagedPolicy};

/// `PolicyMissing`, `PolicyChanged`, `DefaultVersionChanged` and `PolicyDetached` of managed policies.
pub(crate) fn managed(side: &Side<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for delegate in side.delegating(Delegation::ManagedPolicy) {
        let Some(wanted) = &delegate.document else { continue };
        let arn = delegate.managed_policy(side.names, side.context.partition);
        let Some(Ok(live)) = side.managed.get(&arn) else { continue };
        // A policy that nobody could have attached changes nothing for anybody.
        if side.present(delegate).next().is_none() {
            continue;
        }
        findings.extend(side.managed_document(delegate, &arn, wanted, live));
        findings.extend(side.detached(delegate, &arn, live));
    }
    findings
}

impl Side<'_> {
    fn managed_document(
        &self,
        delegate: &Delegate<'_>,
        arn: &PolicyArn,
        wanted: &PolicyDocument,
        live: &ManagedPolicy,
    ) -> Option<Finding> {
        let (document, lagging) = match live {
            ManagedPolicy::Absent { lagging } => (None, *lagging),
            ManagedPolicy::Present { document, lagging, .. } => (Some(document), *lagging),
        };
        let policy = || OurPolicy {
            resource: Resource::ManagedPolicy { policy: arn.clone() },
            label: format!("managed policy {arn}"),
            subject: arn.to_string(),
            principals: self.present(delegate).map(|(principal, _)| principal.to_string()).collect(),
            lagging,
        };
        let finding = self.policy_finding(delegate, policy, wanted, document)?;
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
        let ManagedPolicy::Present { default_version, others, document: Ok(document), .. } = live else { return None };
        if finding.cause != Cause::Drift {
            return None;
        }
        let (right, _) =
            others.iter().find(|(_, document)| document_difference(wanted, document, self.context).is_none())?;
        let difference = document_difference(wanted, document, self.context)?;
        Some(Finding {
            kind: DriftKind::DefaultVersionChanged,
            expected: Some(right.clone()),
            observed: Some(default_version.clone()),
            message: format!(
                "the default version of {arn} was switched from {right} to {default_version}, which differs: {difference}"
            ),
            ..finding.clone()
        })
    }

    fn detached(&self, delegate: &Delegate<'_>, arn: &PolicyArn, live: &ManagedPolicy) -> Vec<Finding> {
        let loose = self.present(delegate).filter(|(_, state)| !state.attached.contains(arn));
        loose
            .map(|(principal, state)| {
                let resource = Resource::Attachment { policy: arn.clone(), entity: principal.clone() };
                // A policy that is gone is one finding, not one for each principal that it was attached to.
                let cause = match live {
                    ManagedPolicy::Absent { lagging: true } => Cause::Propagating,
                    ManagedPolicy::Absent { lagging: false } => Cause::Follows,
                    ManagedPolicy::Present { .. } => {
                        self.cause(&resource, None, state.lagging.contains(&arn.to_string()))
                    }
                };
                Finding {
                    kind: DriftKind::PolicyDetached,
                    cause,
                    account: delegate.account.clone(),
                    principals: vec![principal.to_string()],
                    resource: Some(resource),
                    subject: arn.to_string(),
                    expected: Some("attached".to_owned()),
                    observed: Some("not attached".to_owned()),
                    message: format!(
                        "{arn} is not attached to {principal}, which {} without it",
                        delegate.given.cannot()
                    ),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use sharedkey_api::{DriftKind as K, Mode};

    use super::*;
    use crate::{
        compare::testing::{ANNA, APP, POLICY, World, kinds, page, parse},
        desired::Trust,
    };

    fn managed_arn() -> PolicyArn {
        format!("arn:aws:iam::444455556666:policy/{POLICY}").parse().unwrap()
    }

    /// Puts another document in force under another version.
    fn put_in_force(world: &mut World, version: &str, text: &str) {
        let before = world.observed.managed.get_mut(&managed_arn()).unwrap().as_mut().unwrap();
        let ManagedPolicy::Present { default_version, document, others, .. } = before else { panic!("{before:?}") };
        others.insert(std::mem::replace(default_version, version.to_owned()), document.clone().unwrap());
        *document = Ok(parse(text));
    }

    const DENY: &str =
        r#"{"Version":"2012-10-17","Statement":[{"Sid":"SharedKeyUse","Effect":"Deny","Action":"*","Resource":"*"}]}"#;

    #[test]
    fn a_policy_that_stands_as_it_should_is_no_finding() {
        assert_eq!(World::managed().check(|case| managed(case.side)), []);
    }

    #[test]
    fn a_managed_policy_is_missing_once_and_not_detached_besides() {
        let mut world = World::managed();
        world.observed.managed.insert(managed_arn(), Ok(ManagedPolicy::Absent { lagging: false }));
        world.entity(APP).attached.clear();
        world.entity(ANNA).attached.clear();
        let told = |finding: &Finding| finding.is_drift(Mode::Enforce) || finding.is_drift(Mode::Observe);
        let drift: Vec<Finding> = world.check(|case| managed(case.side)).into_iter().filter(told).collect();
        insta::assert_snapshot!(page(&drift), @"
        delegation PolicyMissing (Drift) in 444455556666 for [role/App, user/Anna], arn:aws:iam::444455556666:policy/sharedkey@prod@team@orders@partner
          expected: allows kms:Decrypt, kms:DescribeKey, kms:Encrypt, kms:GenerateDataKey*, kms:ReEncrypt* on the key
          observed: no such policy
          managed policy arn:aws:iam::444455556666:policy/sharedkey@prod@team@orders@partner is missing; without it arn:aws:iam::444455556666:role/App, arn:aws:iam::444455556666:user/Anna cannot use the key
        ");
        assert_eq!(
            kinds(&world.check(|case| managed(case.side)))[1..],
            [(K::PolicyDetached, Cause::Follows), (K::PolicyDetached, Cause::Follows)]
        );
    }

    #[test]
    fn a_managed_policy_that_was_detached_is_found_on_its_principal() {
        let mut world = World::managed();
        world.entity(ANNA).attached.clear();
        insta::assert_snapshot!(page(&world.check(|case| managed(case.side))), @"
        delegation PolicyDetached (Drift) in 444455556666 for [user/Anna], arn:aws:iam::444455556666:policy/sharedkey@prod@team@orders@partner
          expected: attached
          observed: not attached
          arn:aws:iam::444455556666:policy/sharedkey@prod@team@orders@partner is not attached to arn:aws:iam::444455556666:user/Anna, which cannot use the key without it
        ");
    }

    #[test]
    fn a_switched_default_version_names_both_versions_and_what_that_means() {
        let mut world = World::managed();
        put_in_force(&mut world, "v2", DENY);
        insta::assert_snapshot!(page(&world.check(|case| managed(case.side))), @r#"
        delegation DefaultVersionChanged (Drift) in 444455556666 for [role/App, user/Anna], arn:aws:iam::444455556666:policy/sharedkey@prod@team@orders@partner
          expected: v1
          observed: v2
          the default version of arn:aws:iam::444455556666:policy/sharedkey@prod@team@orders@partner was switched from v1 to v2, which differs: statement "SharedKeyUse": effect: expected Allow, observed Deny; actions: missing [kms:Decrypt, kms:DescribeKey, kms:Encrypt, kms:GenerateDataKey*, kms:ReEncrypt*], unexpected *; resources: missing arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab, unexpected *
        "#);
    }

    #[test]
    fn a_managed_policy_without_the_right_version_is_changed() {
        let mut world = World::managed();
        put_in_force(&mut world, "v2", DENY);
        put_in_force(&mut world, "v3", &DENY.replace("Deny", "Allow"));
        let Some(Ok(ManagedPolicy::Present { others, .. })) = world.observed.managed.get_mut(&managed_arn()) else {
            panic!("there is a policy")
        };
        others.remove("v1");
        assert_eq!(kinds(&world.check(|case| managed(case.side))), [(K::PolicyChanged, Cause::Drift)]);
    }

    #[test]
    fn a_managed_policy_that_nobody_is_to_carry_is_not_asked_for() {
        let mut world = World::managed();
        world.partner().trust = Trust::Account;
        world.partner().principals.clear();
        world.settle();
        assert_eq!(world.compare().findings, []);
        assert!(matches!(world.observed.managed[&managed_arn()], Ok(ManagedPolicy::Absent { .. })));
    }
}
