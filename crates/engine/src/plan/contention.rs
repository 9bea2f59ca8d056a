//! Somebody undoes what the operator writes, each time.

use sharedkey_api::{
    SharedKeyStatus,
    conditions::{ConditionType, Reason},
};

use super::{Action, Plan};
use crate::{
    compare::testing::{ANNA, APP, FOREIGN, SID, World, account, consumer},
    ledger::CONTENDED_WITHIN,
    summarise::{Next, condition},
};

fn undo(world: &mut World) {
    world.put_statements(&FOREIGN);
}

/// Undone so many times, so many seconds apart, and corrected each time; then undone once more.
fn fought(times: usize, apart: i64) -> World {
    let mut world = World::shared();
    for _ in 0..times {
        undo(&mut world);
        assert_eq!(world.settle().blockers, []);
        assert!(world.policy_text().contains(SID));
        world.now += apart;
    }
    undo(&mut world);
    world
}

fn reasons(plan: &Plan) -> Vec<Reason> {
    plan.blockers.iter().map(|blocker| blocker.reason).collect()
}

fn told(status: &SharedKeyStatus, type_: ConditionType) -> (String, String) {
    let told = condition(&status.conditions, type_).unwrap();
    (told.status.clone(), told.reason.clone())
}

#[test]
fn three_undone_corrections_in_half_an_hour_stop_it_and_fewer_or_slower_ones_do_not() {
    for (times, apart, stops) in [
        (2, 60, false),
        (3, 60, true),
        (3, CONTENDED_WITHIN / 3 - 1, true),
        (3, CONTENDED_WITHIN / 3, false),
        (7, CONTENDED_WITHIN / 2, false),
    ] {
        let plan = fought(times, apart).plan();
        assert_eq!(reasons(&plan), vec![Reason::Contended; usize::from(stops)], "{times} times, {apart} s apart");
        assert_eq!(plan.steps.is_empty(), stops);
    }
}

#[test]
fn the_message_says_what_is_fought_about_and_how_it_ends() {
    insta::assert_snapshot!(fought(3, 60).plan().blockers[0].message, @r#"somebody undid what the operator wrote three times within 30 minutes, so it waits as long before it tries again: statement "SharedKey/prod/team/orders/partner" is not in the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab; without it arn:aws:iam::444455556666:role/App, arn:aws:iam::444455556666:user/Anna cannot use the key; find out who else manages it and let one of the two go (mode: Observe here, or ignore it there)"#);
}

#[test]
fn it_is_told_as_stalled_and_as_drift() {
    let mut world = fought(3, 60);
    let summary = world.reconcile("10:00:00");
    let contended = |status: &str| (status.to_owned(), "Contended".to_owned());
    assert_eq!(told(&summary.status, ConditionType::Ready), contended("False"));
    assert_eq!(told(&summary.status, ConditionType::Stalled), contended("True"));
    assert_eq!(told(&summary.status, ConditionType::InSync), ("False".to_owned(), "DriftFound".to_owned()));
    assert_eq!((summary.status.drift.len(), summary.status.last_correction), (1, None));
    assert!(matches!(summary.next, Next::Retry(_)));
}

#[test]
fn it_recovers_by_itself_when_the_window_has_passed() {
    let mut world = fought(3, 60);
    world.now += CONTENDED_WITHIN - 3 * 60 - 1;
    assert_eq!(reasons(&world.plan()), [Reason::Contended]);
    world.now += 1;
    let summary = world.reconcile("10:00:00");
    assert_eq!(told(&summary.status, ConditionType::Ready), ("True".to_owned(), "Succeeded".to_owned()));
    // Undone again at once: two of the three are still young.
    undo(&mut world);
    assert_eq!(reasons(&world.plan()), [Reason::Contended]);
    // Nobody undoes it any more.
    world.now += CONTENDED_WITHIN;
    world.settle();
    assert_eq!(world.compare().findings, []);
}

#[test]
fn whoever_put_it_back_ends_it() {
    let mut world = fought(3, 60);
    let mut before = World::shared();
    world.key_policy().document = before.key_policy().document.clone();
    assert_eq!(reasons(&world.plan()), []);
}

/// The object waits as a whole: half of what it shares would be a share that nobody asked for. What takes access away goes on.
#[test]
fn meanwhile_nothing_is_given_and_what_left_the_spec_is_taken_away() {
    let mut world = fought(3, 60);
    world.entity(ANNA).inline.clear();
    assert_eq!(world.plan().steps.len(), 0);
    world.partner().principals.remove(0);
    let plan = world.settle();
    assert_eq!(reasons(&plan), [Reason::Contended]);
    assert!(
        matches!(&plan.steps[..], [step] if matches!(&step.action, Action::DeleteInlinePolicy { entity, .. } if entity.to_string() == APP))
    );
}

#[test]
fn a_policy_on_the_other_side_is_fought_about_in_the_same_way() {
    let mut world = World::shared();
    for _ in 0..3 {
        world.entity(APP).inline.clear();
        assert_eq!(world.settle().blockers, []);
        world.now += 60;
    }
    world.entity(APP).inline.clear();
    assert_eq!(reasons(&world.plan()), [Reason::Contended]);
}

#[test]
fn other_objects_on_the_same_key_go_on() {
    let mut world = fought(3, 60);
    world.record = crate::ledger::Record::default();
    world.desired.names = crate::names::Names::new(
        "prod".parse().unwrap(),
        crate::names::ObjectName { namespace: "team".into(), name: "invoices".into() },
    );
    world.desired.consumers = vec![consumer("partner", &account("partner", "444455556666"), &[APP])];
    assert_eq!(world.settle().blockers, []);
    assert!(world.policy_text().contains("SharedKey/prod/team/invoices/partner"));
}

#[test]
fn a_spec_that_changes_is_no_fight() {
    let mut world = World::shared();
    for action in ["kms:Decrypt", "kms:Encrypt", "kms:ReEncrypt*", "kms:DescribeKey"] {
        assert!(world.partner().actions.remove(action));
        assert_eq!(world.settle().blockers, []);
    }
}
