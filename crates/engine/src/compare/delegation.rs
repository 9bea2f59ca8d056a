//! Layer `delegation`: the policies on the principals' side stand as they have to.

use sharedkey_api::DriftKind;
use sharedkey_policy::{MalformedPolicy, PolicyDocument, document_difference, document_fingerprint};

use super::{Cause, Finding, side::Side};
use crate::{delegate::Delegate, desired::Delegation, ledger::Resource, observed::Entity};

/// `EntityMissing`: the role or user is gone, or never was.
pub(crate) fn entity_missing(side: &Side<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for delegate in side.delegates {
        for principal in delegate.principals {
            let Some(Ok(Entity::Absent { elsewhere })) = side.entities.get(principal) else { continue };
            // Whom a statement named, and whom an account let in.
            let existed = side.left_out.contains_key(principal) || side.record.unique_id(principal).is_some();
            let (observed, advice) = match elsewhere.as_ref().filter(|other| delegate.may_know(other)) {
                Some(other) => {
                    (other.to_string(), format!("; the same name exists as {other}, and the path is part of the name"))
                }
                None => ("does not exist".to_owned(), String::new()),
            };
            findings.push(Finding {
                kind: DriftKind::EntityMissing,
                cause: if existed { Cause::Drift } else { Cause::NotYet },
                account: delegate.account.clone(),
                principals: vec![principal.to_string()],
                resource: None,
                subject: principal.to_string(),
                expected: Some("exists".to_owned()),
                observed: Some(observed),
                message: format!(
                    "{principal} of {} {:?} does not exist in account {}{advice}; create it, or remove it from the spec",
                    delegate.given.entry(),
                    delegate.name,
                    delegate.account
                ),
            });
        }
    }
    findings
}

/// `PolicyMissing` and `PolicyChanged` of inline policies.
pub(crate) fn inline(side: &Side<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for delegate in side.delegating(Delegation::InlinePolicy) {
        let Some(wanted) = &delegate.document else { continue };
        let name = side.names.policy_name(delegate.name);
        for (principal, state) in side.present(delegate) {
            let policy = || OurPolicy {
                resource: Resource::InlinePolicy { entity: principal.clone(), name: name.clone() },
                label: format!("inline policy {name:?} of {principal}"),
                subject: name.clone(),
                principals: vec![principal.to_string()],
                lagging: state.lagging.contains(&name),
            };
            findings.extend(side.policy_finding(delegate, policy, wanted, state.inline.get(&name)));
        }
    }
    findings
}

/// One policy of ours on the principals' side.
pub(super) struct OurPolicy {
    pub(super) resource: Resource,
    pub(super) label: String,
    pub(super) subject: String,
    pub(super) principals: Vec<String>,
    pub(super) lagging: bool,
}

impl Side<'_> {
    /// What differs about a policy. Its names are only asked for where something does.
    pub(super) fn policy_finding(
        &self,
        delegate: &Delegate<'_>,
        policy: impl FnOnce() -> OurPolicy,
        wanted: &PolicyDocument,
        live: Option<&Result<PolicyDocument, MalformedPolicy>>,
    ) -> Option<Finding> {
        let difference = match live {
            Some(Ok(live)) => Some((live, document_difference(wanted, live, self.context)?)),
            None | Some(Err(_)) => None,
        };
        let policy = policy();
        let (kind, found, expected, observed, what) = match (live, difference) {
            (Some(Err(malformed)), _) => {
                let what = format!("cannot be read as a policy: {malformed}");
                (DriftKind::PolicyChanged, Some(String::new()), delegate.given.allows(), malformed.to_string(), what)
            }
            (_, Some((live, difference))) => {
                let what = format!("differs: {difference}");
                let found = document_fingerprint(live, self.context);
                (DriftKind::PolicyChanged, Some(found), difference.expected_text(), difference.observed_text(), what)
            }
            (_, None) => {
                let lost = policy.principals.join(", ");
                let what = format!("is missing; without it {lost} {}", delegate.given.cannot());
                (DriftKind::PolicyMissing, None, delegate.given.allows(), "no such policy".to_owned(), what)
            }
        };
        let cause = self.cause(&policy.resource, found.as_deref(), policy.lagging);
        let message = match cause {
            Cause::Conflict => format!(
                "{} is not known to have been written for this object, although it has its name, and is left as it is: remove it, or \
                 annotate this object with {}=true to replace it; it {what}",
                policy.label,
                sharedkey_api::TAKE_OVER
            ),
            _ => format!("{} {what}", policy.label),
        };
        Some(Finding {
            kind,
            cause,
            account: delegate.account.clone(),
            principals: policy.principals,
            resource: Some(policy.resource),
            subject: policy.subject,
            expected: Some(expected),
            observed: Some(observed),
            message,
        })
    }
}

#[cfg(test)]
mod tests {
    use sharedkey_api::DriftKind as K;

    use super::*;
    use crate::{
        compare::testing::{ANNA, APP, POLICY, World, arn, kinds, page, parse, refused},
        desired::Trust,
        ledger::State,
    };

    type Change<'a> = &'a dyn Fn(&mut World);

    fn all(world: &World) -> Vec<Finding> {
        [world.check(|case| entity_missing(case.side)), world.check(|case| inline(case.side))].concat()
    }

    const DENY: &str =
        r#"{"Version":"2012-10-17","Statement":[{"Sid":"SharedKeyUse","Effect":"Deny","Action":"*","Resource":"*"}]}"#;

    #[test]
    fn policies_that_stand_as_they_should_are_no_finding() {
        assert_eq!(all(&World::shared()), []);
    }

    #[test]
    fn spelling_of_an_inline_policy_and_policies_of_others_are_no_finding() {
        let mut world = World::shared();
        let state = world.entity(APP);
        let text = state.inline[POLICY].as_ref().unwrap().to_json();
        let reordered = text.replace(r#""kms:Decrypt","kms:DescribeKey""#, r#""KMS:DescribeKey","kms:decrypt""#);
        state.inline.insert(POLICY.into(), Ok(parse(&reordered)));
        state.inline.insert("somebody's".into(), Ok(parse(DENY)));
        assert_eq!(all(&world), []);
    }

    #[test]
    fn an_inline_policy_is_missing_or_changed_on_each_principal_alone() {
        let mut world = World::shared();
        world.entity(APP).inline.clear();
        let changed = world.entity(ANNA).inline[POLICY].as_ref().unwrap().to_json().replace(r#""kms:Decrypt","#, "");
        world.entity(ANNA).inline.insert(POLICY.into(), Ok(parse(&changed)));
        insta::assert_snapshot!(page(&all(&world)), @r#"
        delegation PolicyMissing (Drift) in 444455556666 for [role/App], sharedkey@prod@team@orders@partner
          expected: allows kms:Decrypt, kms:DescribeKey, kms:Encrypt, kms:GenerateDataKey*, kms:ReEncrypt* on the key
          observed: no such policy
          inline policy "sharedkey@prod@team@orders@partner" of arn:aws:iam::444455556666:role/App is missing; without it arn:aws:iam::444455556666:role/App cannot use the key
        delegation PolicyChanged (Drift) in 444455556666 for [user/Anna], sharedkey@prod@team@orders@partner
          expected: actions: kms:Decrypt
          observed: actions: without kms:Decrypt
          inline policy "sharedkey@prod@team@orders@partner" of arn:aws:iam::444455556666:user/Anna differs: statement "SharedKeyUse": actions: missing kms:Decrypt
        "#);
    }

    #[test]
    fn an_inline_policy_that_is_no_policy_is_changed() {
        let mut world = World::shared();
        world.entity(APP).inline.insert(POLICY.into(), PolicyDocument::parse("{}"));
        insta::assert_snapshot!(page(&all(&world)), @r#"
        delegation PolicyChanged (Drift) in 444455556666 for [role/App], sharedkey@prod@team@orders@partner
          expected: allows kms:Decrypt, kms:DescribeKey, kms:Encrypt, kms:GenerateDataKey*, kms:ReEncrypt* on the key
          observed: malformed policy: Statement: missing
          inline policy "sharedkey@prod@team@orders@partner" of arn:aws:iam::444455556666:role/App cannot be read as a policy: malformed policy: Statement: missing
        "#);
    }

    #[test]
    fn a_principal_that_never_was_is_not_there_yet_and_blocks() {
        let mut world = World::fresh();
        world.observed.entities.insert(arn(APP), Ok(Entity::Absent { elsewhere: None }));
        insta::assert_snapshot!(page(&world.check(|case| entity_missing(case.side))), @r#"
        delegation EntityMissing (NotYet) in 444455556666 for [role/App], arn:aws:iam::444455556666:role/App
          expected: exists
          observed: does not exist
          arn:aws:iam::444455556666:role/App of consumer "partner" does not exist in account 444455556666; create it, or remove it from the spec
        "#);
        assert_eq!(world.compare().blockers[0].reason.as_ref(), "PrincipalNotFound");
    }

    #[test]
    fn a_principal_under_another_path_is_named() {
        let mut world = World::fresh();
        let elsewhere = Some(arn("arn:aws:iam::444455556666:role/team/App"));
        world.observed.entities.insert(arn(APP), Ok(Entity::Absent { elsewhere }));
        insta::assert_snapshot!(world.check(|case| entity_missing(case.side))[0].message, @r#"arn:aws:iam::444455556666:role/App of consumer "partner" does not exist in account 444455556666; the same name exists as arn:aws:iam::444455556666:role/team/App, and the path is part of the name; create it, or remove it from the spec"#);
    }

    #[test]
    fn a_principal_under_another_path_that_no_rule_opens_is_not_told_of() {
        let mut world = World::fresh();
        let elsewhere = Some(arn("arn:aws:iam::444455556666:role/team/App"));
        world.observed.entities.insert(arn(APP), Ok(Entity::Absent { elsewhere }));
        world.partner().opened = vec!["role/App".into()];
        let found = &world.check(|case| entity_missing(case.side))[0];
        assert_eq!((found.observed.as_deref(), found.message.contains("team")), (Some("does not exist"), false));
    }

    #[test]
    fn a_principal_that_vanished_after_it_was_trusted_is_drift_and_blocks_nobody() {
        for trust in [Trust::Principals, Trust::Account] {
            let mut world = World::fresh();
            world.partner().trust = trust;
            world.settle();
            world.delete(APP);
            assert_eq!(
                kinds(&world.check(|case| entity_missing(case.side))),
                [(K::EntityMissing, Cause::Drift)],
                "{trust:?}"
            );
            assert_eq!(world.compare().blockers, [], "{trust:?}");
        }
    }

    #[test]
    fn a_recreated_principal_is_not_delegated_to() {
        let mut world = World::shared();
        world.recreate(APP, "AROAAPP0000000000002");
        assert_eq!(all(&world), []);
    }

    #[test]
    fn a_principal_that_could_not_be_read_is_not_guessed_about() {
        let mut world = World::shared();
        world.observed.entities.insert(arn(APP), Err(refused("444455556666", "iam:GetRole", APP)));
        assert_eq!(all(&world), []);
    }

    #[test]
    fn what_nobody_asked_us_to_delegate_is_not_looked_at() {
        for handoff in [false, true] {
            let mut world = World::shared();
            world.entity(APP).inline.clear();
            world.partner().delegation = Delegation::None;
            if handoff {
                world.partner().reach = None;
            }
            assert_eq!(world.check(|case| inline(case.side)), []);
        }
    }

    #[test]
    fn the_cause_is_found_by_what_the_ledger_knows() {
        let gone = |world: &mut World| world.entity(APP).inline.clear();
        let edited = |world: &mut World| drop(world.entity(APP).inline.insert(POLICY.into(), Ok(parse(DENY))));
        let respecified = |world: &mut World| {
            let document = world.entity(ANNA).inline[POLICY].clone();
            world.partner().actions.clear();
            world.partner().actions.insert("kms:Decrypt".into());
            world.settle();
            world.partner().actions.insert("kms:DescribeKey".into());
            world.entity(ANNA).inline.insert(POLICY.into(), document);
        };
        let unknown = |world: &mut World| world.record.targets.clear();
        let intended =
            |world: &mut World| world.record.targets.iter_mut().for_each(|target| target.state = State::Intended);
        let lagging = |world: &mut World| assert!(world.entity(APP).lagging.insert(POLICY.into()));
        let cases: [(&[Change<'_>], K, Cause); 9] = [
            (&[&gone], K::PolicyMissing, Cause::Drift),
            (&[&edited], K::PolicyChanged, Cause::Drift),
            (&[&gone, &unknown], K::PolicyMissing, Cause::NotYet),
            (&[&respecified], K::PolicyChanged, Cause::SpecChanged),
            (&[&respecified, &intended], K::PolicyChanged, Cause::SpecChanged),
            (&[&edited, &intended], K::PolicyChanged, Cause::Drift),
            (&[&edited, &unknown], K::PolicyChanged, Cause::Conflict),
            (&[&edited, &lagging], K::PolicyChanged, Cause::Propagating),
            (&[&gone, &unknown, &lagging], K::PolicyMissing, Cause::Propagating),
        ];
        for (index, (changes, kind, cause)) in cases.into_iter().enumerate() {
            let mut world = World::shared();
            for change in changes {
                change(&mut world);
            }
            let of_app = |finding: &Finding| finding.principals == [APP];
            let found: Vec<Finding> = all(&world).into_iter().filter(of_app).collect();
            assert_eq!(kinds(&found), [(kind, cause)], "case {index}");
        }
    }

    #[test]
    fn a_policy_under_our_name_that_nobody_knows_blocks_and_says_how_to_go_on() {
        let mut world = World::shared();
        world.entity(APP).inline.insert(POLICY.into(), Ok(parse(DENY)));
        world.record.targets.clear();
        insta::assert_snapshot!(world.compare().blockers[0].message, @r#"inline policy "sharedkey@prod@team@orders@partner" of arn:aws:iam::444455556666:role/App is not known to have been written for this object, although it has its name, and is left as it is: remove it, or annotate this object with sharedkey.dev/take-over=true to replace it; it differs: statement "SharedKeyUse": effect: expected Allow, observed Deny; actions: missing [kms:Decrypt, kms:DescribeKey, kms:Encrypt, kms:GenerateDataKey*, kms:ReEncrypt*], unexpected *; resources: missing arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab, unexpected *"#);
    }
}
