//! Layer `keyPolicy`: our statements stand in the key policy as they have to, and name the principals that were trusted.

use std::collections::BTreeSet;

use sharedkey_api::DriftKind;
use sharedkey_policy::{Difference, EntityArn, NormalContext, Statement, difference, fingerprint, is_unique_id};

use super::{Case, Cause, Finding, WantedStatement, side::Side};
use crate::{desired::Trust, ledger::Resource, names::Part};

impl Case<'_> {
    pub(super) fn statement_finding(
        &self,
        kind: DriftKind,
        cause: Cause,
        wanted: &WantedStatement,
        message: String,
    ) -> Finding {
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

    pub(super) fn policy_lags(&self) -> bool {
        matches!(&self.observed.key.policy, Ok(Some(policy)) if policy.lagging)
    }

    pub(super) fn key_name(&self) -> String {
        self.key.map(ToString::to_string).unwrap_or_default()
    }
}

impl WantedStatement {
    pub(crate) fn principals(&self) -> Vec<String> {
        self.statement.aws_principals().map(str::to_owned).collect()
    }

    pub(crate) fn actions(&self) -> &[String] {
        self.statement.actions().map(|actions| actions.patterns.as_slice()).unwrap_or_default()
    }

    pub(crate) fn sid(&self) -> &str {
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
            expected: Some(format!("allows {}", wanted.actions().join(", "))),
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
        let Some(difference) = case.side.real_difference(&wanted.statement, live) else { continue };
        let found = case.side.as_written(&wanted.resource, live);
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
            "statement {:?} in the key policy of {} is not known to have been written for this object, although it has its name, and is \
             left as it is: remove it, or annotate this object with {}=true to replace it; it differs: {difference}",
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

/// `StatementChanged`, where all principals of the spec are left out and the statement still names others.
pub(super) fn emptied(case: &Case<'_>) -> Vec<Finding> {
    let (Some(key), Some(document)) = (case.key, case.document()) else { return Vec::new() };
    let mut findings = Vec::new();
    for consumer in case.desired.consumers.iter().filter(|consumer| consumer.trust == Trust::Principals) {
        for sid in Part::ALL.map(|part| case.desired.names.sid(&consumer.name, part)) {
            let resource = Resource::Statement { key: key.clone(), sid: sid.to_string() };
            let live = document.with_sid(sid.as_str()).next().filter(|_| case.side.names_nobody(&consumer.principals));
            let Some((live, others)) =
                live.map(|live| (live, case.side.others(live))).filter(|(_, others)| !others.is_empty())
            else {
                continue;
            };
            let named = others.join(", ");
            findings.push(Finding {
                kind: DriftKind::StatementChanged,
                cause: case.cause(&resource, Some(&case.side.as_written(&resource, live)), case.policy_lags()),
                account: case.owner().clone(),
                principals: others,
                resource: Some(resource),
                subject: sid.to_string(),
                expected: Some("names nobody".to_owned()),
                observed: Some(format!("names {named}")),
                message: format!(
                    "statement \"{sid}\" in the key policy of {key} names {named}, and of the principals in the spec none can be named"
                ),
            });
        }
    }
    findings
}

impl Side<'_> {
    /// The difference that matters: another spelling of the same actions does not, and principals that were deleted since we named
    /// them have kinds of their own. One that was created again and is named is a difference: nobody asked to trust it.
    pub(crate) fn real_difference(&self, wanted: &Statement, live: &Statement) -> Option<Difference> {
        let mut difference = difference(wanted, live, self.context)?;
        let deleted = self.left_out.iter().filter(|(principal, _)| self.entity(principal).is_none());
        let deleted: BTreeSet<String> = deleted.map(|(principal, _)| principal.to_string()).collect();
        let orphans: BTreeSet<&String> = self.left_out.values().chain(self.healing.values()).collect();
        let healing: BTreeSet<String> = self.healing.keys().map(ToString::to_string).collect();
        let gone = |principal: &String| deleted.contains(principal) || orphans.contains(principal);
        difference.principals.unexpected.retain(|principal| !gone(principal));
        difference.principals.missing.retain(|principal| !healing.contains(principal));
        (!difference.is_empty() && !difference.equivalent).then_some(difference)
    }

    /// The fingerprint of a statement as it was when we wrote it, before KMS put ids for those who were deleted since (D§1.4):
    /// with their names, or without them if the ledger knows that they were left out.
    pub(crate) fn as_written(&self, resource: &Resource, live: &Statement) -> String {
        let known = self.record.get(resource).map(|target| target.fingerprint.as_str());
        let without = live.without_principals(is_unique_id).map(|statement| fingerprint(&statement, self.context));
        if let Some(without) = without.filter(|without| Some(without.as_str()) == known) {
            return without;
        }
        let mut unique_ids = self.record.unique_ids();
        unique_ids.extend(self.context.unique_ids.clone());
        fingerprint(live, &NormalContext { partition: self.context.partition, unique_ids })
    }

    pub(crate) fn names_nobody(&self, principals: &[EntityArn]) -> bool {
        principals.iter().all(|principal| self.left_out.contains_key(principal))
    }

    /// Whom a statement names beside those who were deleted.
    pub(crate) fn others(&self, live: &Statement) -> Vec<String> {
        let gone = |name: &str| {
            let deleted = |arn: EntityArn| self.left_out.contains_key(&arn) && self.entity(&arn).is_none();
            self.left_out.values().any(|id| id == name) || name.parse().is_ok_and(deleted)
        };
        live.aws_principals().filter(|name| !gone(name)).map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use sharedkey_api::DriftKind as K;

    use super::*;
    use crate::{
        compare::testing::{ANNA, APP, APP_ID, FOREIGN, OURS, SID, World, kinds, page},
        ledger::State,
    };

    type Change<'a> = &'a dyn Fn(&mut World);

    fn all(world: &World) -> Vec<Finding> {
        [unreadable, missing, changed, emptied].into_iter().flat_map(|check| world.check(check)).collect()
    }

    /// Our statement with one piece of its text replaced.
    fn edited(from: &str, to: &str) -> World {
        let mut world = World::shared();
        world.put_statements(&[FOREIGN[0], OURS, FOREIGN[1]]);
        world.edit_policy(from, to);
        world
    }

    #[test]
    fn what_kms_and_others_may_do_to_a_statement_is_no_finding() {
        let added = format!("{},{}", FOREIGN[1].replace("Auditor", "Other"), FOREIGN[1]);
        for (case, from, to) in [
            ("order of principals", &format!("{APP:?},{ANNA:?}")[..], &format!("{ANNA:?},{APP:?}")[..]),
            ("order of actions", r#""kms:Decrypt","kms:DescribeKey""#, r#""kms:DescribeKey","kms:Decrypt""#),
            ("a list of one", r#""kms:ReEncrypt*"],"Resource":"*""#, r#""kms:ReEncrypt*"],"Resource":["*"]"#),
            ("letter case", r#""Effect":"Allow","Principal":{"AWS":["#, r#""Effect":"allow","Principal":{"AWS":["#),
            ("letter case of actions", "kms:Encrypt", "KMS:encrypt"),
            ("duplicates", &format!("{APP:?}"), &format!("{APP:?},{APP:?}")),
            ("the id of who exists", &format!("{APP:?}"), &format!("{APP_ID:?}")),
            ("wildcards spelled out", r#""kms:ReEncrypt*""#, r#""kms:ReEncryptFrom","kms:ReEncryptTo""#),
            ("an empty Condition", r#","Action":["kms:Decrypt""#, r#","Condition":{},"Action":["kms:Decrypt""#),
            ("a statement of others more", FOREIGN[1], &added),
            ("a statement of others less", &format!(",{}", FOREIGN[1]), ""),
            ("order of statements", &format!("{},{OURS}", FOREIGN[0]), &format!("{OURS},{}", FOREIGN[0])),
        ] {
            assert_eq!(page(&all(&edited(from, to))), "", "{case}");
        }
        assert_eq!(page(&all(&World::shared())), "");
    }

    #[test]
    fn an_account_id_and_its_root_are_the_same_account() {
        let mut world = World::fresh();
        world.partner().trust = Trust::Account;
        world.settle();
        world.edit_policy("arn:aws:iam::444455556666:root", "444455556666");
        assert_eq!(page(&all(&world)), "");
        world.edit_policy("\"444455556666\"", "\"arn:aws-cn:iam::444455556666:root\"");
        assert_eq!(kinds(&all(&world)), [(K::StatementChanged, Cause::Drift)]);
    }

    #[test]
    fn a_statement_that_is_gone_is_missing() {
        let mut world = World::shared();
        world.put_statements(&FOREIGN);
        insta::assert_snapshot!(page(&all(&world)), @r#"
        keyPolicy StatementMissing (Drift) in 111122223333 for [role/App, user/Anna], SharedKey/prod/team/orders/partner
          expected: allows kms:Decrypt, kms:DescribeKey, kms:Encrypt, kms:GenerateDataKey*, kms:ReEncrypt*
          observed: no such statement
          statement "SharedKey/prod/team/orders/partner" is not in the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab; without it arn:aws:iam::444455556666:role/App, arn:aws:iam::444455556666:user/Anna cannot use the key
        "#);
    }

    #[test]
    fn every_edit_is_named_by_what_it_changed() {
        let action = edited(r#""kms:Decrypt","#, "");
        let more = edited(r#""kms:Decrypt","#, r#""kms:Decrypt","kms:PutKeyPolicy","#);
        let condition = edited(
            r#"*"],"Resource":"*""#,
            r#"*"],"Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}"#,
        );
        let effect = edited(r#"partner","Effect":"Allow""#, r#"partner","Effect":"Deny""#);
        let principal = edited(APP, "arn:aws:iam::444455556666:role/Eve");
        let everyone = edited(&format!("[{APP:?},{ANNA:?}]"), r#""*""#);
        let pages = [action, more, condition, effect, principal, everyone].map(|world| page(&all(&world)));
        insta::assert_snapshot!(pages.join("\n\n"), @r#"
        keyPolicy StatementChanged (Drift) in 111122223333 for [role/App, user/Anna], SharedKey/prod/team/orders/partner
          expected: actions: kms:Decrypt
          observed: actions: without kms:Decrypt
          statement "SharedKey/prod/team/orders/partner" in the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab differs: actions: missing kms:Decrypt

        keyPolicy StatementChanged (Drift) in 111122223333 for [role/App, user/Anna], SharedKey/prod/team/orders/partner
          expected: actions: without kms:PutKeyPolicy
          observed: actions: kms:PutKeyPolicy
          statement "SharedKey/prod/team/orders/partner" in the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab differs: actions: unexpected kms:PutKeyPolicy

        keyPolicy StatementChanged (Drift) in 111122223333 for [role/App, user/Anna], SharedKey/prod/team/orders/partner
          expected: condition StringEquals aws:PrincipalOrgID: absent
          observed: condition StringEquals aws:PrincipalOrgID: [o-1]
          statement "SharedKey/prod/team/orders/partner" in the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab differs: condition StringEquals aws:PrincipalOrgID: expected absent, observed [o-1]

        keyPolicy StatementChanged (Drift) in 111122223333 for [role/App, user/Anna], SharedKey/prod/team/orders/partner
          expected: effect: Allow
          observed: effect: Deny
          statement "SharedKey/prod/team/orders/partner" in the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab differs: effect: expected Allow, observed Deny

        keyPolicy StatementChanged (Drift) in 111122223333 for [role/App, user/Anna, role/Eve], SharedKey/prod/team/orders/partner
          expected: principals: arn:aws:iam::444455556666:role/App, without arn:aws:iam::444455556666:role/Eve
          observed: principals: arn:aws:iam::444455556666:role/Eve, without arn:aws:iam::444455556666:role/App
          statement "SharedKey/prod/team/orders/partner" in the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab differs: principals: missing arn:aws:iam::444455556666:role/App, unexpected arn:aws:iam::444455556666:role/Eve

        keyPolicy StatementChanged (Drift) in 111122223333 for [role/App, user/Anna, *], SharedKey/prod/team/orders/partner
          expected: principals: [arn:aws:iam::444455556666:role/App, arn:aws:iam::444455556666:user/Anna], without *
          observed: principals: *, without [arn:aws:iam::444455556666:role/App, arn:aws:iam::444455556666:user/Anna]
          statement "SharedKey/prod/team/orders/partner" in the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab differs: principals: missing [arn:aws:iam::444455556666:role/App, arn:aws:iam::444455556666:user/Anna], unexpected *
        "#);
    }

    #[test]
    fn a_principal_that_was_taken_out_is_named() {
        insta::assert_snapshot!(page(&all(&edited(&format!("{APP:?},"), ""))), @r#"
        keyPolicy PrincipalMissing (Drift) in 111122223333 for [role/App], SharedKey/prod/team/orders/partner
          expected: arn:aws:iam::444455556666:role/App
          observed: not named
          statement "SharedKey/prod/team/orders/partner" in the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab no longer names arn:aws:iam::444455556666:role/App, which cannot use the key without it
        "#);
    }

    #[test]
    fn a_document_that_is_no_policy_is_named_and_not_judged_further() {
        let world = edited(r#""Effect":"Allow""#, r#""Effect":"Perhaps""#);
        insta::assert_snapshot!(page(&all(&world)), @r#"
        keyPolicy PolicyUnreadable (Drift) in 111122223333 for [], arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
          expected: a policy document
          observed: malformed policy: statement 1 ("Enable IAM User Permissions"), Effect: expected "Allow" or "Deny"
          the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab cannot be read as a policy (malformed policy: statement 1 ("Enable IAM User Permissions"), Effect: expected "Allow" or "Deny"); it is left as it is, correct it by hand
        "#);
    }

    #[test]
    fn a_policy_that_could_not_be_read_is_not_guessed_about() {
        let mut world = World::shared();
        world.observed.key.policy =
            Err(crate::compare::testing::refused("111122223333", "kms:GetKeyPolicy", "the key"));
        assert_eq!(all(&world), []);
    }

    /// What the ledger knows decides why something differs.
    #[test]
    fn the_cause_is_found_by_what_the_ledger_knows() {
        let gone = |world: &mut World| world.put_statements(&FOREIGN);
        let edited = |world: &mut World| world.edit_policy(r#""kms:Decrypt","#, "");
        let respecified = |world: &mut World| assert!(world.partner().actions.remove("kms:Decrypt"));
        let unknown = |world: &mut World| world.record.targets.clear();
        let intended = |world: &mut World| world.record.targets[0].state = State::Intended;
        let lagging = |world: &mut World| world.key_policy().lagging = true;
        let taken_over = |world: &mut World| world.desired.take_over = true;
        let cases: [(&[Change<'_>], K, Cause); 12] = [
            (&[&gone], K::StatementMissing, Cause::Drift),
            (&[&edited], K::StatementChanged, Cause::Drift),
            (&[&gone, &unknown], K::StatementMissing, Cause::NotYet),
            (&[&gone, &intended], K::StatementMissing, Cause::NotYet),
            (&[&respecified], K::StatementChanged, Cause::SpecChanged),
            (&[&respecified, &gone], K::StatementMissing, Cause::Drift),
            // The answer to the write was lost, and then the spec or AWS was changed.
            (&[&intended, &respecified], K::StatementChanged, Cause::SpecChanged),
            (&[&intended, &edited], K::StatementChanged, Cause::Drift),
            (&[&unknown, &edited], K::StatementChanged, Cause::Conflict),
            (&[&unknown, &edited, &taken_over], K::StatementChanged, Cause::NotYet),
            (&[&edited, &lagging], K::StatementChanged, Cause::Propagating),
            (&[&gone, &unknown, &lagging], K::StatementMissing, Cause::Propagating),
        ];
        for (index, (changes, kind, cause)) in cases.into_iter().enumerate() {
            let mut world = World::shared();
            for change in changes {
                change(&mut world);
            }
            assert_eq!(kinds(&all(&world)), [(kind, cause)], "case {index}");
        }
    }

    #[test]
    fn a_statement_under_our_name_that_says_what_the_spec_asks_is_taken_over_in_silence() {
        let mut world = World::shared();
        world.record.targets.clear();
        assert_eq!(all(&world), []);
        assert_eq!(world.compare().blockers, []);
    }

    #[test]
    fn a_statement_under_our_name_that_nobody_knows_blocks_and_says_how_to_go_on() {
        let mut world = World::shared();
        world.record.targets.clear();
        world.edit_policy(&format!("{APP:?},"), "");
        insta::assert_snapshot!(world.compare().blockers[0].message, @r#"statement "SharedKey/prod/team/orders/partner" in the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab is not known to have been written for this object, although it has its name, and is left as it is: remove it, or annotate this object with sharedkey.dev/take-over=true to replace it; it differs: principals: missing arn:aws:iam::444455556666:role/App"#);
        assert_eq!(kinds(&all(&world)), [(K::StatementChanged, Cause::Conflict)]);
        assert!(world.check(changed)[0].subject == SID);
    }

    #[test]
    fn a_statement_that_has_nobody_left_to_name_goes_and_whom_it_trusted_stays_known() {
        let mut world = World::shared();
        world.recreate(APP, "AROAAPP0000000000002");
        world.partner().principals.pop();
        insta::assert_snapshot!(page(&all(&world)), @r#"
        keyPolicy StatementChanged (SpecChanged) in 111122223333 for [user/Anna], SharedKey/prod/team/orders/partner
          expected: names nobody
          observed: names arn:aws:iam::444455556666:user/Anna
          statement "SharedKey/prod/team/orders/partner" in the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab names arn:aws:iam::444455556666:user/Anna, and of the principals in the spec none can be named
        "#);
        world.settle();
        assert!(!world.policy_text().contains(SID));
        assert!(world.compare().left_out.contains_key(&APP.parse().unwrap()));
        assert_eq!(page(&all(&world)), "");
    }

    #[test]
    fn a_principal_that_the_spec_adds_is_missing_because_the_spec_changed() {
        let mut world = World::shared();
        world.exists("arn:aws:iam::444455556666:role/Bob", "AROABOB0000000000001");
        world.partner().principals.push("arn:aws:iam::444455556666:role/Bob".parse().unwrap());
        assert_eq!(kinds(&all(&world)), [(K::PrincipalMissing, Cause::SpecChanged)]);
    }
}
