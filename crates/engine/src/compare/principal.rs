//! Layer `keyPolicy`: a principal that was deleted stays behind in a statement as an id, and one that was created again under the
//! same ARN is somebody else (D§1.4).

use std::collections::BTreeMap;

use sharedkey_api::DriftKind;
use sharedkey_policy::{EntityArn, Statement, is_unique_id};

use super::{Case, Cause, Finding};
use crate::{
    desired::{Desired, DesiredConsumer, Trust},
    ledger::{Record, Resource},
    names::Part,
    observed::{Entity, Observed, entity, unique_ids},
    problem::Reading,
};

/// Principals that are not the ones that were trusted, with the id of the one that was (D§1.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Strangers {
    /// Those that our statements must not name: deleted since, or created again by somebody. Naming the ARN again would trust
    /// whoever created it.
    pub(crate) left_out: BTreeMap<EntityArn, String>,
    /// Those that were created again and are trusted again, because the spec says so.
    pub(crate) healing: BTreeMap<EntityArn, String>,
}

/// Principals that the spec names in one statement of ours, and the statement as it stands.
pub(crate) struct Named<'a> {
    pub(crate) principals: &'a [EntityArn],
    pub(crate) statement: Option<&'a Statement>,
    /// Whether the ledger knows the statement.
    pub(crate) recorded: bool,
}

/// Finds them. `heal` says whether one that was created again is trusted again.
pub(crate) fn strangers(
    named: &[Named<'_>],
    entities: &BTreeMap<EntityArn, Reading<Entity>>,
    record: &Record,
    heal: bool,
) -> Strangers {
    let mut strangers = Strangers::default();
    let trusted = record.trusted();
    for Named { principals, statement, recorded } in named {
        for principal in *principals {
            let read = matches!(entities.get(principal), Some(Ok(_)));
            let known = trusted.get(principal).map(|&id| id.to_owned());
            // Where the ledger tells who was trusted, whom it does not name was not.
            let guessed =
                || if *recorded && read { None } else { orphan_for(principal, (*statement)?, entities, record) };
            let Some(trusted) = known.or_else(guessed) else { continue };
            let named = statement.is_some_and(|statement| names(statement, principal));
            let gone = match entities.get(principal) {
                Some(Ok(Entity::Present(state))) => trusted != state.unique_id,
                Some(Ok(Entity::Absent { .. })) => true,
                // Nobody can look who is behind the ARN now: what our statement does not name stays out of it until somebody can.
                Some(Err(_)) => statement.is_some() && !named,
                None => !named,
            };
            let recreated = entity(entities, principal).is_some();
            match gone {
                false => None,
                true if recreated && heal => strangers.healing.insert(principal.clone(), trusted),
                true => strangers.left_out.insert(principal.clone(), trusted),
            };
        }
    }
    strangers
}

/// Those of a `SharedKey`.
pub(super) fn of_key(desired: &Desired, observed: &Observed, record: &Record) -> Strangers {
    let by_name = desired.consumers.iter().filter(|consumer| consumer.trust == Trust::Principals);
    let named: Vec<Named<'_>> = by_name
        .map(|consumer| {
            let sid = desired.names.sid(&consumer.name, Part::Use);
            Named {
                principals: &consumer.principals,
                statement: statement_of(desired, consumer, observed),
                recorded: record.targets.iter().any(|target| target.resource.is_statement(sid.as_str())),
            }
        })
        .collect();
    strangers(&named, &observed.entities, record, desired.heal_recreated)
}

fn statement_of<'a>(desired: &Desired, consumer: &DesiredConsumer, observed: &'a Observed) -> Option<&'a Statement> {
    observed.document()?.with_sid(desired.names.sid(&consumer.name, Part::Use).as_str()).next()
}

fn names(statement: &Statement, principal: &EntityArn) -> bool {
    let arn = principal.to_string();
    statement.aws_principals().any(|name| name == arn)
}

/// The id that was trusted under this ARN, to all appearances: our statement names a deleted principal, whom nobody else accounts
/// for, and does not name this one.
fn orphan_for(
    principal: &EntityArn,
    statement: &Statement,
    entities: &BTreeMap<EntityArn, Reading<Entity>>,
    record: &Record,
) -> Option<String> {
    if names(statement, principal) {
        return None;
    }
    let (present, recorded) = (unique_ids(entities), record.unique_ids());
    let accounted = |id: &str| present.contains_key(id) || recorded.contains_key(id);
    statement.aws_principals().find(|name| is_unique_id(name) && !accounted(name)).map(str::to_owned)
}

/// `PrincipalRecreated`
pub(super) fn recreated(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let left_out = case.by_consumer(case.left_out).map(|stranger| (stranger, false));
    let healing = case.by_consumer(case.healing).map(|stranger| (stranger, true));
    for ((consumer, principal, before), heals) in left_out.chain(healing) {
        let Some(state) = case.observed.entity(principal) else { continue };
        let sid = case.desired.names.sid(&consumer.name, Part::Use).to_string();
        let so = if heals {
            "the new one is trusted again, because healRecreatedPrincipals is true"
        } else {
            "the new one is not; to trust it, remove it from the spec and add it again, or set healRecreatedPrincipals: true"
        };
        findings.push(Finding {
            kind: DriftKind::PrincipalRecreated,
            cause: Cause::Drift,
            account: case.owner().clone(),
            principals: vec![principal.to_string()],
            resource: case.key.filter(|_| heals).map(|key| Resource::Statement { key: key.clone(), sid: sid.clone() }),
            subject: sid,
            expected: Some(before.to_owned()),
            observed: Some(state.unique_id.clone()),
            message: format!(
                "{principal} was deleted and created again: it is {} now, and {before} was trusted; {so}",
                state.unique_id
            ),
        });
    }
    findings
}

/// `OrphanedPrincipal`: a statement of ours names a principal that was deleted. It leaves the statement at the next write.
pub(super) fn orphaned(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (consumer, principal, id) in case.by_consumer(case.left_out) {
        let statement = statement_of(case.desired, consumer, case.observed);
        let named = statement.is_some_and(|statement| statement.aws_principals().any(|name| name == id));
        if !named || case.observed.entity(principal).is_some() {
            continue;
        }
        let sid = case.desired.names.sid(&consumer.name, Part::Use).to_string();
        findings.push(Finding {
            kind: DriftKind::OrphanedPrincipal,
            cause: Cause::Drift,
            account: case.owner().clone(),
            principals: vec![principal.to_string()],
            resource: None,
            expected: Some(principal.to_string()),
            observed: Some(id.to_owned()),
            message: format!(
                "statement {sid:?} names {id} in place of {principal}, which was deleted; that opens the key to nobody; remove {principal} from \
                 the spec, and add it again to trust one that was created anew"
            ),
            subject: sid,
        });
    }
    findings
}

impl<'a> Case<'a> {
    fn by_consumer(
        &self,
        strangers: &'a BTreeMap<EntityArn, String>,
    ) -> impl Iterator<Item = (&'a DesiredConsumer, &'a EntityArn, &'a str)> + use<'a> {
        let by_name = self.desired.consumers.iter().filter(|consumer| consumer.trust == Trust::Principals);
        by_name.flat_map(move |consumer| {
            let principals = consumer.principals.iter();
            principals.filter_map(move |arn| Some((consumer, arn, strangers.get(arn)?.as_str())))
        })
    }
}

#[cfg(test)]
mod tests {
    use sharedkey_api::DriftKind as K;

    use super::*;
    use crate::compare::testing::{ANNA, APP, APP_ID, SID, World, account, arn, consumer, kinds, page, refused};

    const NEW_ID: &str = "AROAAPP0000000000002";
    const BOB: &str = "arn:aws:iam::444455556666:role/Bob";

    fn all(world: &World) -> Vec<Finding> {
        [recreated, orphaned].into_iter().flat_map(|check| world.check(check)).collect()
    }

    fn named(world: &World) -> Vec<String> {
        let statements = world.observed.document().unwrap().with_sid(SID);
        statements.flat_map(|statement| statement.aws_principals().map(str::to_owned)).collect()
    }

    #[test]
    fn principals_that_are_who_they_were_are_no_finding() {
        assert_eq!(all(&World::shared()), []);
        assert_eq!(World::shared().compare().left_out, BTreeMap::new());
    }

    #[test]
    fn a_recreated_principal_is_named_with_both_ids() {
        let mut world = World::shared();
        world.recreate(APP, NEW_ID);
        insta::assert_snapshot!(page(&all(&world)), @"
        keyPolicy PrincipalRecreated (Drift) in 111122223333 for [role/App], SharedKey/prod/team/orders/partner
          expected: AROAAPP0000000000001
          observed: AROAAPP0000000000002
          arn:aws:iam::444455556666:role/App was deleted and created again: it is AROAAPP0000000000002 now, and AROAAPP0000000000001 was trusted; the new one is not; to trust it, remove it from the spec and add it again, or set healRecreatedPrincipals: true
        ");
    }

    #[test]
    fn a_deleted_principal_is_named_with_the_id_that_it_left() {
        let mut world = World::shared();
        world.delete(APP);
        insta::assert_snapshot!(page(&all(&world)), @r#"
        keyPolicy OrphanedPrincipal (Drift) in 111122223333 for [role/App], SharedKey/prod/team/orders/partner
          expected: arn:aws:iam::444455556666:role/App
          observed: AROAAPP0000000000001
          statement "SharedKey/prod/team/orders/partner" names AROAAPP0000000000001 in place of arn:aws:iam::444455556666:role/App, which was deleted; that opens the key to nobody; remove arn:aws:iam::444455556666:role/App from the spec, and add it again to trust one that was created anew
        "#);
    }

    #[test]
    fn neither_is_written_for_on_its_own() {
        for change in [|world: &mut World| world.delete(APP), |world: &mut World| world.recreate(APP, NEW_ID)] {
            let mut world = World::shared();
            change(&mut world);
            let plan = world.plan();
            assert_eq!((plan.steps.len(), plan.blockers), (0, vec![]));
        }
    }

    #[test]
    fn a_recreated_principal_stays_left_out_after_our_statement_was_rewritten() {
        let mut world = World::shared();
        world.recreate(APP, NEW_ID);
        world.edit_policy(r#""kms:Decrypt","#, "");
        world.settle();
        assert_eq!(named(&world), [ANNA]);
        assert_eq!(kinds(&world.compare().findings)[..1], [(K::PrincipalRecreated, Cause::Drift)]);
        assert_eq!(world.compare().left_out, BTreeMap::from([(arn(APP), APP_ID.to_owned())]));
        world.put_statements(&crate::compare::testing::FOREIGN);
        world.settle();
        assert_eq!(named(&world), [ANNA]);
    }

    #[test]
    fn a_recreated_principal_that_somebody_names_in_our_statement_is_taken_out() {
        let mut world = World::shared();
        world.recreate(APP, NEW_ID);
        world.edit_policy(APP_ID, APP);
        // The text is what we wrote, and it means somebody else now.
        assert_eq!(
            kinds(&world.compare().findings),
            [(K::StatementChanged, Cause::SpecChanged), (K::PrincipalRecreated, Cause::Drift)]
        );
        world.settle();
        assert_eq!(named(&world), [ANNA]);
    }

    #[test]
    fn removed_from_the_spec_and_added_again_it_is_trusted() {
        let mut world = World::shared();
        world.recreate(APP, NEW_ID);
        world.partner().principals.remove(0);
        world.settle();
        assert_eq!(named(&world), [ANNA]);
        world.partner().principals.push(arn(APP));
        world.settle();
        assert_eq!(named(&world), [APP, ANNA]);
        assert_eq!(world.compare().findings, []);
    }

    /// Whom the key policy names in statements of the object, whatever its consumers are called.
    fn named_by_anybody(world: &World) -> Vec<String> {
        let ours = world.observed.document().unwrap().statements().iter();
        let ours = ours.filter(|statement| statement.sid().is_some_and(|sid| sid.starts_with("SharedKey/")));
        let named = ours.flat_map(|statement| statement.aws_principals().map(str::to_owned));
        named.filter(|name| !is_unique_id(name)).collect()
    }

    #[test]
    fn who_was_recreated_stays_left_out_when_its_consumer_is_renamed() {
        for principals in [vec![arn(APP), arn(ANNA)], vec![arn(APP)]] {
            let mut world = World::shared();
            world.partner().principals.clone_from(&principals);
            world.settle();
            world.recreate(APP, NEW_ID);
            world.partner().name = "friend".into();
            world.settle();
            assert_eq!(named_by_anybody(&world).contains(&ANNA.to_owned()), principals.len() == 2);
            assert!(!named_by_anybody(&world).contains(&APP.to_owned()));
            let left_out = BTreeMap::from([(arn(APP), APP_ID.to_owned())]);
            assert_eq!(world.compare().left_out, left_out);
            // A crash between the write and the next look changes nothing, nor does a second name.
            world.partner().name = "ally".into();
            world.settle();
            assert_eq!(world.compare().left_out, left_out);
            assert_eq!(world.settle().steps.len(), 0);
        }
    }

    #[test]
    fn who_was_recreated_stays_left_out_when_another_consumer_names_it() {
        let mut world = World::shared();
        world.desired.consumers.push(consumer("second", &account("partner", "444455556666"), &[APP]));
        world.partner().principals.remove(0);
        world.recreate(APP, NEW_ID);
        world.settle();
        assert_eq!(named_by_anybody(&world), [ANNA]);
        assert_eq!(world.settle().steps.len(), 0);
        assert_eq!(world.compare().left_out, BTreeMap::from([(arn(APP), APP_ID.to_owned())]));
    }

    #[test]
    fn who_was_recreated_stays_left_out_when_something_blocks_the_new_name() {
        let mut world = World::shared();
        world.recreate(APP, NEW_ID);
        world.partner().name = "friend".into();
        world.metadata().state = "Disabled".into();
        world.settle();
        assert_eq!(named_by_anybody(&world), Vec::<String>::new());
        world.metadata().state = "Enabled".into();
        world.settle();
        assert_eq!(named_by_anybody(&world), [ANNA]);
    }

    #[test]
    fn without_a_ledger_the_orphan_in_our_statement_still_tells() {
        let mut world = World::shared();
        world.recreate(APP, NEW_ID);
        world.record.targets.clear();
        assert_eq!(kinds(&all(&world)), [(K::PrincipalRecreated, Cause::Drift)]);
    }

    #[test]
    fn an_orphan_that_the_ledger_accounts_for_says_nothing_about_others() {
        let mut world = World::shared();
        world.delete(APP);
        world.exists(BOB, "AROABOB0000000000001");
        world.partner().principals.push(arn(BOB));
        assert_eq!(kinds(&world.check(super::super::statement::changed)), [(K::PrincipalMissing, Cause::SpecChanged)]);
        world.settle();
        assert_eq!(named(&world), [BOB, ANNA]);
    }

    #[test]
    fn where_nobody_can_look_an_orphan_keeps_the_name_out() {
        for handoff in [false, true] {
            let mut world = World::shared();
            world.delete(APP);
            for principal in [APP, ANNA] {
                let unread = refused("444455556666", "iam:GetRole", principal);
                world.observed.entities.insert(arn(principal), Err(unread));
            }
            if handoff {
                world.partner().reach = None;
                world.observed.entities.clear();
                world.record.targets.clear();
                world.desired.take_over = true;
            }
            assert_eq!(kinds(&all(&world)), [(K::OrphanedPrincipal, Cause::Drift)], "handoff: {handoff}");
            world.edit_policy(r#""kms:Decrypt","#, "");
            world.settle();
            assert_eq!(named(&world), [ANNA], "handoff: {handoff}");
            world.edit_policy(r#""kms:Decrypt","#, "");
            world.settle();
            assert_eq!(named(&world), [ANNA], "handoff: {handoff}");
        }
    }

    #[test]
    fn an_account_that_cannot_be_reached_does_not_keep_its_principals_out() {
        let mut world = World::fresh();
        for principal in [APP, ANNA] {
            world.observed.entities.insert(arn(principal), Err(refused("444455556666", "iam:GetRole", principal)));
        }
        world.settle();
        assert_eq!(named(&world), [APP, ANNA]);
    }
}
