//! What a statement of ours may still say while something keeps the object from being shared: what it says now, without what the spec
//! no longer asks for. It never gives anything that the live statement does not give.

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_policy::{
    AccountId, Condition, Edit, Effect, EntityArn, NormalContext, PolicyDocument, Selection, Sid, Statement,
    StatementBuilder, action_matches, difference, expand, is_unique_id, normal, root_arn,
};

use crate::{observed::Entity, problem::Reading};

/// What is left of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Narrowed {
    /// There is nothing to take out.
    Same,
    /// This is left.
    Statement(Statement),
    /// Nobody is left who may do anything.
    Nothing,
}

/// What it takes to know.
pub(crate) struct Narrowing<'a> {
    pub(crate) context: &'a NormalContext,
    /// The key's account.
    pub(crate) owner: &'a AccountId,
    pub(crate) entities: &'a BTreeMap<EntityArn, Reading<Entity>>,
}

impl Narrowing<'_> {
    /// An edit that leaves of each wanted statement what stands of it.
    pub(crate) fn reduce<'a>(
        &self,
        mut edit: Edit,
        document: &PolicyDocument,
        wanted: impl Iterator<Item = &'a Statement>,
    ) -> Edit {
        for wanted in wanted {
            let sid = wanted.sid().unwrap_or_default();
            let Some(live) = document.with_sid(sid).next() else { continue };
            match self.of(live, wanted) {
                Narrowed::Same => {}
                Narrowed::Statement(left) => edit.put.push(left),
                Narrowed::Nothing => edit.remove.extend(sid.parse::<Sid>()),
            }
        }
        edit
    }

    /// What is left of `live`, which stands where `wanted` is to stand. One that is no plain Allow stays: taking names out of anything
    /// else would give access.
    fn of(&self, live: &Statement, wanted: &Statement) -> Narrowed {
        let orphan = |name: &str| is_unique_id(name) && !self.context.unique_ids.contains_key(name);
        let Some(live) = live.without_principals(orphan) else { return Narrowed::Same };
        let (Some(difference), Some((actions, resources))) = (difference(wanted, &live, self.context), plain(&live))
        else {
            return Narrowed::Same;
        };
        let missing = &difference.principals.missing;
        let let_in = |name: &&str| !missing.contains(*name) || self.covers(&live, name);
        let principals: Vec<&str> =
            wanted.aws_principals().filter(let_in).filter(|name| !self.is_absent(name)).collect();
        let actions = common(actions, wanted.actions().map(|wanted| wanted.patterns.as_slice()).unwrap_or_default());
        if principals.is_empty() || actions.is_empty() {
            return Narrowed::Nothing;
        }
        let mut left =
            StatementBuilder::allow().sid(live.sid().unwrap_or_default()).principals(principals).actions(actions);
        for resource in resources {
            left = left.resource(resource);
        }
        for Condition { operator, key, values } in live.conditions() {
            left = left.condition(operator, key, values.iter().cloned());
        }
        let left = left.build();
        if normal(&left, self.context) == normal(&live, self.context) {
            Narrowed::Same
        } else {
            Narrowed::Statement(left)
        }
    }

    /// Whether a statement lets somebody in without naming him. In the key's own account a name gives more than the account does,
    /// because it needs no policy beside it (D§1.3).
    fn covers(&self, live: &Statement, name: &str) -> bool {
        let Ok(principal) = name.parse::<EntityArn>() else { return false };
        let root = root_arn(principal.partition(), principal.account());
        let account = [root.as_str(), principal.account().as_str()];
        let foreign = principal.account() != self.owner;
        live.aws_principals().any(|listed| listed == "*" || foreign && account.contains(&listed))
    }

    /// KMS refuses a document that names somebody who does not exist (D§1.5).
    fn is_absent(&self, name: &str) -> bool {
        name.parse().is_ok_and(|arn: EntityArn| matches!(self.entities.get(&arn), Some(Ok(Entity::Absent { .. }))))
    }
}

/// Actions and resources of an Allow without negations and without elements that nobody knows.
fn plain(statement: &Statement) -> Option<(&[String], &[String])> {
    let listed = |selection: Option<&Selection>| selection.is_some_and(|selection| !selection.negated);
    let known = statement.effect() == Effect::Allow && statement.unknown().is_empty();
    let named = statement.principals().is_some_and(|principals| !principals.negated);
    let plain = known && named && listed(statement.actions()) && listed(statement.resources());
    plain.then_some((statement.actions()?.patterns.as_slice(), statement.resources()?.patterns.as_slice()))
}

/// The actions that both sides allow: what is wanted as far as it is there, and what is there as far as it is wanted.
fn common(live: &[String], wanted: &[String]) -> BTreeSet<String> {
    // A pattern without `?` that matches another one's text matches everything that the other one does.
    let contains = |pattern: &String, other: &String| {
        pattern.eq_ignore_ascii_case(other) || !pattern.contains('?') && action_matches(pattern, other)
    };
    let there = wanted.iter().filter(|wanted| live.iter().any(|live| contains(live, wanted)));
    let asked = live.iter().filter(|live| match expand(live) {
        known if known.is_empty() => wanted.iter().any(|wanted| contains(wanted, live)),
        known => known.iter().all(|action| wanted.iter().any(|wanted| action_matches(wanted, action))),
    });
    there.chain(asked).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        compare::testing::{ANNA, APP, APP_ID, BOB, OURS, SID, World, account, arn, consumer, statement},
        observed::Entity,
        plan::Plan,
    };

    fn of(live: &str, wanted: &str) -> Narrowed {
        let mut world = World::fresh();
        world.observed.entities.insert(arn(BOB), Ok(Entity::Absent { elsewhere: None }));
        let mut context = NormalContext::new("aws".parse().unwrap());
        context.unique_ids = BTreeMap::from([(APP_ID.to_owned(), APP.to_owned())]);
        let owner = "111122223333".parse().unwrap();
        Narrowing { context: &context, owner: &owner, entities: &world.observed.entities }
            .of(&statement(live), &statement(wanted))
    }

    fn named(principals: &str) -> String {
        OURS.replace(&format!("[{APP:?},{ANNA:?}]"), principals)
    }

    fn acting(actions: &str) -> String {
        let (begin, end) = (OURS.find(r#""Action":"#).unwrap() + 9, OURS.find(r#","Resource""#).unwrap());
        format!("{}{actions}{}", &OURS[..begin], &OURS[end..])
    }

    #[test]
    fn what_is_no_longer_asked_for_is_taken_out_and_nothing_is_put_in() {
        let both = format!("[{APP:?},{ANNA:?}]");
        for (live, wanted, left) in [
            (&both[..], &format!("{ANNA:?}")[..], Some(format!("{ANNA:?}"))),
            (&format!("{ANNA:?}"), &both, None),
            (&format!("[{APP:?},{BOB:?}]"), &both, Some(format!("{APP:?}"))),
            (&format!("{APP_ID:?}"), &both, None),
            (r#""AROAGONE000000000001""#, &both, None),
            // Whom the statement lets in without his name may be named; who does not exist may not.
            (r#""arn:aws:iam::444455556666:root""#, &format!("[{APP:?},{BOB:?}]"), Some(format!("{APP:?}"))),
            (r#""444455556666""#, &format!("{APP:?}"), Some(format!("{APP:?}"))),
            (r#""*""#, &both, Some(both.clone())),
        ] {
            let left = left.map_or(Narrowed::Same, |left| Narrowed::Statement(statement(&named(&left))));
            assert_eq!(of(&named(live), &named(wanted)), left, "{live} to {wanted}");
        }
        for (live, wanted) in [
            (format!("{APP:?}"), format!("{ANNA:?}")),
            (r#""arn:aws:iam::111122223333:root""#.to_owned(), r#""arn:aws:iam::111122223333:role/Own""#.to_owned()),
            (r#"{"Service":"logs.amazonaws.com"}"#.to_owned(), format!("{ANNA:?}")),
        ] {
            let live = named(&live).replace(r#"{"AWS":{"#, "{").replace("}}", "}");
            assert_eq!(of(&live, &named(&wanted)), Narrowed::Nothing, "{live} to {wanted}");
        }
    }

    #[test]
    fn actions_are_taken_out_whichever_way_they_are_spelled() {
        for (live, wanted, left) in [
            (r#"["kms:Decrypt","kms:Encrypt"]"#, r#""kms:Decrypt""#, Some(r#""kms:Decrypt""#)),
            (r#""kms:Decrypt""#, r#"["kms:Decrypt","kms:Encrypt"]"#, None),
            (
                r#""kms:*""#,
                r#"["kms:Decrypt","kms:GenerateDataKey*"]"#,
                Some(r#"["kms:Decrypt","kms:GenerateDataKey*"]"#),
            ),
            (r#""kms:ReEncrypt*""#, r#""kms:ReEncryptFrom""#, Some(r#""kms:ReEncryptFrom""#)),
            (r#""kms:ReEncryptFrom""#, r#""kms:ReEncrypt*""#, None),
            (r#"["kms:Sign","KMS:decrypt"]"#, r#""kms:Decrypt""#, Some(r#"["KMS:decrypt","kms:Decrypt"]"#)),
            (r#"["kms:New","kms:Newer"]"#, r#""kms:New*""#, None),
        ] {
            let left = left.map_or(Narrowed::Same, |left| Narrowed::Statement(statement(&acting(left))));
            assert_eq!(of(&acting(live), &acting(wanted)), left, "{live} to {wanted}");
        }
        assert_eq!(of(&acting(r#""kms:Sign""#), &acting(r#""kms:Decrypt""#)), Narrowed::Nothing);
    }

    #[test]
    fn conditions_stay_as_they_are() {
        let condition = r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}}"#;
        let with = |text: String| text.replace(r#""Resource":"*"}"#, &format!(r#""Resource":"*"{condition}"#));
        let (live, left) = (with(OURS.to_owned()), with(named(&format!("{APP:?}"))));
        assert_eq!(of(&live, &named(&format!("{APP:?}"))), Narrowed::Statement(statement(&left)));
    }

    #[test]
    fn what_is_no_plain_allow_is_left_alone() {
        for (from, to) in [
            ("Allow", "Deny"),
            ("Principal", "NotPrincipal"),
            (r#""Action""#, r#""NotAction""#),
            (r#""Resource""#, r#""NotResource""#),
            (r#""Sid""#, r#""Future":1,"Sid""#),
        ] {
            assert_eq!(of(&OURS.replace(from, to), &named(&format!("{APP:?}"))), Narrowed::Same, "{to}");
        }
    }

    /// Something that does not concern the consumer keeps the object from being shared.
    fn blocked() -> World {
        let mut world = World::shared();
        let missing = "arn:aws:iam::444455556666:role/Missing";
        world.desired.consumers.push(consumer("other", &account("partner", "444455556666"), &[missing]));
        world.observed.entities.insert(arn(missing), Ok(Entity::Absent { elsewhere: None }));
        world
    }

    fn puts(plan: &Plan) -> usize {
        plan.steps.iter().filter(|step| !step.action.revokes()).count()
    }

    #[test]
    fn while_something_blocks_the_live_statement_is_narrowed_once() {
        let mut world = blocked();
        world.partner().principals.remove(0);
        assert!(world.partner().actions.remove("kms:Encrypt"));
        let plan = world.settle();
        assert_eq!((plan.blockers.len(), puts(&plan)), (1, 1));
        let left: Vec<_> = world.observed.document().unwrap().with_sid(SID).map(Statement::to_json).collect();
        insta::assert_snapshot!(left.join("\n"), @r#"{"Sid":"SharedKey/prod/team/orders/partner","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:user/Anna"},"Action":["kms:Decrypt","kms:DescribeKey","kms:GenerateDataKey*","kms:ReEncrypt*"],"Resource":"*"}"#);
        assert_eq!(world.settle().steps.len(), 0);
        world.desired.consumers.pop();
        world.settle();
        assert_eq!(world.compare().findings, []);
    }

    #[test]
    fn a_statement_that_is_left_with_nobody_goes_and_is_no_drift() {
        let mut world = blocked();
        world.exists("arn:aws:iam::444455556666:role/New", "AROANEW0000000000001");
        world.partner().principals = vec![arn("arn:aws:iam::444455556666:role/New")];
        let plan = world.settle();
        assert_eq!((plan.blockers.len(), puts(&plan)), (1, 0));
        assert!(!world.policy_text().contains(SID));
        let causes: Vec<_> = world.compare().findings.iter().map(|finding| finding.cause).collect();
        assert!(!causes.contains(&crate::compare::Cause::Drift), "{causes:?}");
    }

    #[test]
    fn what_somebody_fights_about_or_may_not_be_ours_is_not_narrowed() {
        let mut world = blocked();
        world.partner().principals.remove(0);
        world.record.targets[0].undone = vec![world.now; 3];
        assert_eq!(puts(&world.plan()), 0);
        let mut world = blocked();
        world.partner().principals.remove(0);
        world.record.targets.clear();
        assert_eq!(puts(&world.plan()), 0);
    }
}
