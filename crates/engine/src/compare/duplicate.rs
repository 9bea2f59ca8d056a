//! Layer `keyPolicy`: what a statement of ours says stands in the key policy once.

use std::collections::BTreeMap;

use sharedkey_api::DriftKind;
use sharedkey_policy::{Effect, NormalStatement, Statement, normal};

use super::{Case, Cause, Finding, WantedStatement};

/// `StatementDuplicated`: under our own Sid.
pub(super) fn same_sid(case: &Case<'_>) -> Vec<Finding> {
    let Some(document) = case.document() else { return Vec::new() };
    let counted = case.statements.iter().map(|wanted| (wanted, document.with_sid(wanted.sid()).count()));
    counted
        .filter(|(_, count)| *count > 1)
        .map(|(wanted, count)| {
            let message =
                format!("{count} statements in the key policy of {} have the Sid {:?}", case.key_name(), wanted.sid());
            Finding {
                expected: Some("1 statement".to_owned()),
                observed: Some(format!("{count} statements")),
                ..case.statement_finding(DriftKind::StatementDuplicated, case.copy_cause(), wanted, message)
            }
        })
        .collect()
}

/// `StatementDuplicated`: copied, or moved, into a statement that is not ours. Such a copy is named and never touched, because nobody
/// can tell it from one that somebody else needs.
pub(super) fn copied(case: &Case<'_>) -> Vec<Finding> {
    let Some(document) = case.document() else { return Vec::new() };
    let nameless = |statement: &Statement| normal(statement, case.context).without_sid();
    let wanted: BTreeMap<NormalStatement, &WantedStatement> =
        case.statements.iter().map(|wanted| (nameless(&wanted.statement), wanted)).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let ours = |statement: &Statement| statement.sid().is_some_and(|sid| case.desired.names.owner().wrote(sid));
    let foreign = document.named().filter(|(_, one)| one.effect() == Effect::Allow && !ours(one));
    foreign
        .filter_map(|(name, statement)| {
            let wanted = wanted.get(&nameless(statement))?;
            let message = format!(
                "{name} in the key policy of {} says the same as {:?}, which is ours: the access that it gives stays when this object is \
                 changed or deleted; remove it, unless somebody else needs it",
                case.key_name(),
                wanted.sid(),
            );
            Some(Finding {
                resource: None,
                subject: name.sid().map_or_else(|| name.to_string(), str::to_owned),
                expected: Some(format!("stands under {:?} alone", wanted.sid())),
                observed: Some(format!("stands in {name} too")),
                ..case.statement_finding(DriftKind::StatementDuplicated, case.copy_cause(), wanted, message)
            })
        })
        .collect()
}

impl Case<'_> {
    fn copy_cause(&self) -> Cause {
        if self.policy_lags() { Cause::Propagating } else { Cause::Drift }
    }
}

#[cfg(test)]
mod tests {
    use sharedkey_api::DriftKind as K;

    use super::*;
    use crate::compare::testing::{ANNA, APP, APP_ID, FOREIGN, OURS, SID, World, kinds, page};

    fn with(statements: &[&str]) -> World {
        let mut world = World::shared();
        world.put_statements(statements);
        world
    }

    #[test]
    fn a_statement_that_stands_twice_is_duplicated_whether_equal_or_not() {
        for second in [OURS.to_owned(), OURS.replace("Allow", "Deny")] {
            let world = with(&[FOREIGN[0], OURS, &second]);
            assert_eq!(kinds(&world.check(same_sid)), [(K::StatementDuplicated, Cause::Drift)]);
        }
        insta::assert_snapshot!(page(&with(&[FOREIGN[0], OURS, OURS, OURS]).check(same_sid)), @r#"
        keyPolicy StatementDuplicated (Drift) in 111122223333 for [role/App, user/Anna], SharedKey/prod/team/orders/partner
          expected: 1 statement
          observed: 3 statements
          3 statements in the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab have the Sid "SharedKey/prod/team/orders/partner"
        "#);
    }

    #[test]
    fn a_copy_is_found_however_it_is_spelled_and_called() {
        let renamed = OURS.replace(SID, "Allow use of the key");
        let nameless = OURS.replace(&format!(r#""Sid":"{SID}","#), "");
        let respelled = renamed.replace(&format!("{APP:?},{ANNA:?}"), &format!("{ANNA:?},{APP_ID:?}"));
        let copies = [FOREIGN[0], OURS, &renamed, &nameless, &respelled.replace("kms:Decrypt", "KMS:decrypt")];
        let found = with(&copies).check(copied);
        assert_eq!(
            found.iter().map(|finding| finding.subject.as_str()).collect::<Vec<_>>(),
            ["Allow use of the key", "statement 4", "Allow use of the key",]
        );
        insta::assert_snapshot!(page(&found[..1]), @r#"
        keyPolicy StatementDuplicated (Drift) in 111122223333 for [role/App, user/Anna], Allow use of the key
          expected: stands under "SharedKey/prod/team/orders/partner" alone
          observed: stands in statement "Allow use of the key" too
          statement "Allow use of the key" in the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab says the same as "SharedKey/prod/team/orders/partner", which is ours: the access that it gives stays when this object is changed or deleted; remove it, unless somebody else needs it
        "#);
    }

    #[test]
    fn what_says_something_else_or_belongs_to_a_shared_key_is_no_copy() {
        let other = OURS.replace(SID, "Theirs");
        for statement in [
            other.replace(r#""kms:Decrypt","#, ""),
            other.replace("Allow", "Deny"),
            other.replace(&format!("{APP:?},"), ""),
            other.replace(r#""Resource":"*""#, r#""Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}"#),
            OURS.replace("orders/partner", "invoices/partner"),
        ] {
            assert_eq!(with(&[FOREIGN[0], OURS, &statement]).check(copied), [], "{statement}");
        }
    }

    #[test]
    fn a_statement_that_was_moved_is_put_back_and_where_it_went_is_left_alone() {
        let moved = OURS.replace(SID, "Theirs");
        let mut world = with(&[FOREIGN[0], &moved]);
        world.settle();
        assert!(world.policy_text().contains(&moved) && world.policy_text().contains(OURS));
        assert_eq!(kinds(&world.compare().findings), [(K::StatementDuplicated, Cause::Drift)]);
        assert_eq!(world.settle().steps.len(), 0);
    }

    #[test]
    fn a_copy_in_an_old_answer_is_waited_for() {
        let mut world = with(&[FOREIGN[0], OURS, &OURS.replace(SID, "Theirs")]);
        world.key_policy().lagging = true;
        assert_eq!(kinds(&world.check(copied)), [(K::StatementDuplicated, Cause::Propagating)]);
    }
}
