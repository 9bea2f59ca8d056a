use insta::assert_yaml_snapshot;
use sharedkey_api::{DriftKind, Mode, VerdictValue};

use super::*;
use crate::{
    compare::testing::{
        ANNA, APP, APP_ID, BOB, FOREIGN, OURS, POLICY, World, account, arn, consumer, refused, statement, time,
    },
    desired::{Delegation, Trust},
    meanwhile::Meanwhile,
    observed::Entity,
    plan::Plan,
};

/// A world that was summarised once, at 10:00.
fn settled(mut world: World) -> World {
    world.reconcile("10:00:00");
    world
}

fn observing(mut world: World) -> World {
    world.desired.mode = Mode::Observe;
    settled(world)
}

fn status(summary: Summary) -> SharedKeyStatus {
    summary.status
}

fn told(summary: &Summary) -> String {
    let told = |notice: &Notice| {
        let kind = if notice.warning { "Warning" } else { "Normal" };
        format!("{kind} {}: {}", notice.reason, notice.note)
    };
    summary.notices.iter().map(told).collect::<Vec<_>>().join("\n")
}

/// The conditions in one line.
fn line(status: &SharedKeyStatus) -> String {
    let told = |condition: &Condition| format!("{}={}/{}", condition.type_, condition.status, condition.reason);
    status.conditions.iter().map(told).collect::<Vec<_>>().join(" ")
}

fn unreachable(world: &mut World) {
    for principal in [APP, ANNA] {
        let failure = Failure {
            class: Class::Transient,
            code: "Timeout".into(),
            ..refused("444455556666", "iam:GetRole", principal)
        };
        world.observed.entities.insert(arn(principal), Err(failure));
    }
}

fn edit_statement(world: &mut World) {
    world.edit_policy(r#""kms:Decrypt","#, "");
}

#[test]
fn all_well() {
    let mut world = World::fresh();
    let summary = world.reconcile("10:00:00");
    assert_eq!((told(&summary).as_str(), summary.next), ("Normal Succeeded: both halves are in place", Next::Sweep));
    assert_yaml_snapshot!(status(summary));
}

#[test]
fn drift_in_observe_is_listed_and_left() {
    let mut world = observing(World::shared());
    edit_statement(&mut world);
    world.entity(ANNA).inline.clear();
    let summary = world.reconcile("10:10:00");
    insta::assert_snapshot!(told(&summary), @r#"
    Warning StatementChanged: statement "SharedKey/prod/team/orders/partner" in the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab differs: actions: missing kms:Decrypt
    Warning PolicyMissing: inline policy "sharedkey@prod@team@orders@partner" of arn:aws:iam::444455556666:user/Anna is missing; without it arn:aws:iam::444455556666:user/Anna cannot use the key
    "#);
    assert_eq!(summary.next, Next::Sweep);
    assert_yaml_snapshot!(status(summary));
}

#[test]
fn drift_in_enforce_is_healed_and_remembered() {
    let mut world = settled(World::shared());
    edit_statement(&mut world);
    world.entity(ANNA).inline.clear();
    let summary = world.reconcile("10:10:00");
    insta::assert_snapshot!(told(&summary), @r#"
    Normal CorrectedStatementChanged: healed: statement "SharedKey/prod/team/orders/partner" in the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab differs: actions: missing kms:Decrypt
    Normal CorrectedPolicyMissing: healed: inline policy "sharedkey@prod@team@orders@partner" of arn:aws:iam::444455556666:user/Anna is missing; without it arn:aws:iam::444455556666:user/Anna cannot use the key
    "#);
    assert_yaml_snapshot!(status(summary));
    assert!(world.reconcile("10:20:00").status.last_correction.is_some());
}

#[test]
fn a_write_that_is_not_visible_yet_is_no_drift() {
    let mut world = settled(World::shared());
    world.put_statements(&FOREIGN);
    world.key_policy().lagging = true;
    let summary = world.reconcile("10:10:00");
    assert_eq!((told(&summary).lines().count(), summary.next), (1, Next::Retry(Class::Propagating)));
    assert_yaml_snapshot!(status(summary));
}

#[test]
fn a_refusal_keeps_what_is_known_of_aws() {
    let world = settled(World::shared());
    let now = time("10:10:00");
    let context = Context { generation: Some(2), now: &now, previous: world.status.as_ref(), request: Some("please") };
    let refusal = Refusal { reason: Reason::NotAllowed, message: "key: ask a cluster administrator".into() };
    let summary = super::refused(&context, &refusal);
    assert_eq!(summary.next, Next::Retry(Class::UserActionNeeded));
    assert_yaml_snapshot!(status(summary));
}

#[test]
fn a_principal_that_does_not_exist_blocks_and_is_named_wherever_somebody_looks() {
    let mut world = World::fresh();
    world.observed.entities.insert(arn(ANNA), Ok(Entity::Absent { elsewhere: None }));
    let summary = world.reconcile("10:00:00");
    assert_eq!(summary.next, Next::Retry(Class::UserActionNeeded));
    assert_yaml_snapshot!(status(summary));
}

#[test]
fn an_account_that_cannot_be_reached_leaves_the_owners_half_applied_and_what_was_known() {
    let mut world = settled(World::shared());
    unreachable(&mut world);
    world.put_statements(&FOREIGN);
    let summary = world.reconcile("10:10:00");
    assert_eq!(summary.next, Next::Retry(Class::Transient));
    assert_yaml_snapshot!(status(summary));
}

#[test]
fn a_handoff_shows_what_the_other_side_has_to_attach() {
    let mut world = World::fresh();
    world.partner().reach = None;
    world.partner().delegation = Delegation::None;
    world.observed.entities.clear();
    assert_yaml_snapshot!(status(world.reconcile("10:00:00")));
}

#[test]
fn an_account_that_is_trusted_as_a_whole_is_its_own_principal() {
    let mut world = World::fresh();
    world.partner().trust = Trust::Account;
    world.partner().principals.clear();
    assert_yaml_snapshot!(status(world.reconcile("10:00:00")));
}

#[test]
fn a_recreated_principal_is_denied_and_the_way_back_is_told() {
    let mut world = settled(World::shared());
    world.recreate(APP, "AROAAPP0000000000002");
    assert_yaml_snapshot!(status(world.reconcile("10:10:00")));
}

#[test]
fn a_deletion_that_waits_says_for_what() {
    let world = settled(World::shared());
    let now = time("10:10:00");
    let context = Context { generation: Some(2), now: &now, previous: world.status.as_ref(), request: None };
    let summary = deleting(&context, Reason::Deleting, "being deleted, still in AWS: a statement");
    assert_eq!(summary.next, Next::Retry(Class::Transient));
    assert_yaml_snapshot!(status(summary));
}

/// Everything that can go on, and the conditions that tell of it.
#[test]
fn conditions_by_mode() {
    type Change<'a> = &'a dyn Fn(&mut World);
    let changes: [(&str, Change<'_>); 17] = [
        ("nothing happened", &|_| {}),
        ("nothing was written before", &|world| *world = World::fresh()),
        ("statement edited", &edit_statement),
        ("policy deleted", &|world| world.entity(APP).inline.clear()),
        ("spec changed", &|world| assert!(world.partner().actions.remove("kms:Decrypt"))),
        ("key disabled", &|world| world.metadata().state = "Disabled".into()),
        ("key unknown", &|world| {
            world.observed.key.metadata = Ok(None);
            world.observed.key.policy = Ok(None);
        }),
        ("alias unknown", &|world| {
            world.record = crate::ledger::Record::default();
            world.observed.key.arn = Ok(None);
            world.observed.key.metadata = Ok(None);
            world.observed.key.policy = Ok(None);
        }),
        ("principal never was", &|world| {
            world.partner().principals.push(arn(BOB));
            world.observed.entities.insert(arn(BOB), Ok(Entity::Absent { elsewhere: None }));
        }),
        ("principal deleted", &|world| world.delete(APP)),
        ("principal recreated", &|world| world.recreate(APP, "AROAAPP0000000000002")),
        ("policy unreadable", &|world| world.edit_policy(r#""Effect":"Allow""#, r#""Effect":"Perhaps""#)),
        ("statement of others under our name", &|world| {
            world.record.targets.clear();
            edit_statement(world);
        }),
        ("statement that nobody asks for under our name", &|world| {
            let stray = OURS.replace("orders/partner", "orders/old");
            world.put_statements(&[FOREIGN[0], OURS, &stray, FOREIGN[1]]);
        }),
        ("statement copied by others", &|world| {
            let copy = OURS.replace("SharedKey/prod/team/orders/partner", "Theirs");
            world.put_statements(&[FOREIGN[0], OURS, &copy, FOREIGN[1]]);
        }),
        ("foreign orphan", &|world| {
            world.edit_policy("arn:aws:iam::111122223333:role/Auditor", "AROAGONE000000000001");
            edit_statement(world);
        }),
        ("account unreachable", &unreachable),
    ];
    let mut page = Vec::new();
    for (name, change) in changes {
        page.push(name.to_owned());
        for mode in [Mode::Enforce, Mode::Observe] {
            let mut world = World::shared();
            change(&mut world);
            world.desired.mode = mode;
            page.push(format!("  {mode}: {}", line(&world.reconcile("10:00:00").status)));
        }
    }
    insta::assert_snapshot!(page.join("\n"));
}

#[test]
fn a_write_that_failed_is_told_by_the_half_that_it_was_for() {
    let mut page = Vec::new();
    for (action, class) in [
        ("kms:PutKeyPolicy", Class::Transient),
        ("kms:PutKeyPolicy", Class::OperatorUnauthorised),
        ("iam:PutRolePolicy", Class::UserActionNeeded),
        ("iam:PutRolePolicy", Class::Propagating),
    ] {
        let mut world = World::fresh();
        let before = world.compare().findings;
        let failure = Failure { class, ..refused("111122223333", action, "it") };
        let summary = world.summarise("10:00:00", &Plan::default(), &before, &[failure]);
        assert_eq!(summary.next, Next::Retry(class));
        page.push(format!("{action} {class}: {}", line(&summary.status)));
    }
    insta::assert_snapshot!(page.join("\n"), @"
    kms:PutKeyPolicy Transient: Ready=False/AwsUnavailable Reconciling=True/AwsUnavailable KeyAvailable=True/Succeeded KeyPolicyApplied=Unknown/AwsUnavailable DelegationApplied=False/Progressing AccessVerified=False/AccessDenied InSync=Unknown/AwsUnavailable
    kms:PutKeyPolicy OperatorUnauthorised: Ready=False/OperatorUnauthorised Stalled=True/OperatorUnauthorised KeyAvailable=True/Succeeded KeyPolicyApplied=False/OperatorUnauthorised DelegationApplied=False/Progressing AccessVerified=False/AccessDenied InSync=Unknown/OperatorUnauthorised
    iam:PutRolePolicy UserActionNeeded: Ready=False/AwsRefused Stalled=True/AwsRefused KeyAvailable=True/Succeeded KeyPolicyApplied=False/Progressing DelegationApplied=False/AwsRefused AccessVerified=False/AccessDenied InSync=Unknown/AwsRefused
    iam:PutRolePolicy Propagating: Ready=False/Propagating Reconciling=True/Propagating KeyAvailable=True/Succeeded KeyPolicyApplied=False/Progressing DelegationApplied=Unknown/Propagating AccessVerified=False/AccessDenied InSync=Unknown/Propagating
    ");
}

#[test]
fn a_status_of_which_nothing_changed_is_the_same_an_hour_later() {
    let still: [fn(&mut World); 5] = [
        |_| {},
        |world| world.metadata().state = "Disabled".into(),
        |world| world.delete(APP),
        unreachable,
        |world| {
            world.desired.mode = Mode::Observe;
            edit_statement(world);
        },
    ];
    for change in still {
        let mut world = settled(World::shared());
        change(&mut world);
        let first = world.reconcile("10:10:00").status;
        let second = world.reconcile("11:10:00");
        assert_eq!(second.status, first);
        assert_eq!(told(&second), "");
    }
}

#[test]
fn a_refusal_and_a_deletion_are_the_same_an_hour_later_too() {
    let world = settled(World::shared());
    let told = |previous: &SharedKeyStatus, now: &str, is_refusal: bool| {
        let now = time(now);
        let context = Context { generation: Some(1), now: &now, previous: Some(previous), request: None };
        let refusal = Refusal { reason: Reason::NotAllowed, message: "no".into() };
        if is_refusal { super::refused(&context, &refusal) } else { deleting(&context, Reason::Deleting, "waits") }
            .status
    };
    for is_refusal in [true, false] {
        let first = told(world.status.as_ref().unwrap(), "10:10:00", is_refusal);
        assert_eq!(told(&first, "11:10:00", is_refusal), first);
    }
}

#[test]
fn the_time_of_a_condition_moves_with_its_status_alone() {
    let mut world = observing(World::shared());
    let at =
        |status: &SharedKeyStatus, type_| condition(&status.conditions, type_).unwrap().last_transition_time.clone();
    edit_statement(&mut world);
    let drifted = world.reconcile("10:10:00").status;
    assert_eq!(at(&drifted, ConditionType::Ready), time("10:00:00"));
    assert_eq!(at(&drifted, ConditionType::InSync), time("10:10:00"));
    world.entity(ANNA).inline.clear();
    let more = world.reconcile("10:20:00").status;
    let message =
        |status: &SharedKeyStatus| condition(&status.conditions, ConditionType::InSync).unwrap().message.clone();
    assert_ne!(message(&more), message(&drifted));
    assert_eq!(at(&more, ConditionType::InSync), time("10:10:00"));
}

#[test]
fn drift_keeps_the_time_at_which_it_was_seen_first() {
    let mut world = observing(World::shared());
    edit_statement(&mut world);
    world.reconcile("10:10:00");
    world.edit_policy(r#""kms:DescribeKey","#, "");
    world.entity(ANNA).inline.clear();
    let drift = world.reconcile("10:20:00").status.drift;
    let seen: Vec<_> = drift.iter().map(|entry| (entry.kind, entry.first_observed_time.clone())).collect();
    assert_eq!(
        seen,
        [(DriftKind::StatementChanged, Some(time("10:10:00"))), (DriftKind::PolicyMissing, Some(time("10:20:00"))),]
    );
}

#[test]
fn drift_that_cannot_be_read_again_stays_until_it_can() {
    let mut world = observing(World::shared());
    world.entity(ANNA).inline.clear();
    world.entity(APP).inline.clear();
    world.reconcile("10:10:00");
    let app = world.observed.entities[&arn(APP)].clone();
    world.observed.entities.insert(arn(APP), Err(refused("444455556666", "iam:GetRole", APP)));
    let document = crate::compare::testing::parse(crate::compare::testing::DELEGATION);
    world.entity(ANNA).inline.insert(POLICY.into(), Ok(document.clone()));
    let unread = world.reconcile("10:20:00").status;
    let of =
        |status: &SharedKeyStatus| status.drift.iter().filter_map(|entry| entry.principal.clone()).collect::<Vec<_>>();
    assert_eq!((of(&unread), unread.drift_count), (vec![APP.to_owned()], 1));
    assert_eq!(unread.drift[0].first_observed_time, Some(time("10:10:00")));
    world.observed.entities.insert(arn(APP), app);
    assert_eq!(of(&world.reconcile("10:30:00").status), [APP]);
    world.entity(APP).inline.insert(POLICY.into(), Ok(document));
    assert_eq!(of(&world.reconcile("10:40:00").status), Vec::<String>::new());
}

#[test]
fn what_was_known_of_a_principal_stays_known_with_the_time_until_when() {
    let mut world = settled(World::shared());
    unreachable(&mut world);
    world.reconcile("10:10:00");
    let principal = world.reconcile("11:10:00").status.consumers[0].principals[0].clone();
    assert_eq!(principal.verdict, VerdictValue::Unknown);
    let reason = principal.reason.unwrap();
    assert!(reason.starts_with("last known: Allowed, before 2026-11-24T10:10:00Z; "), "{reason}");
}

#[test]
fn each_half_of_each_principal_has_its_own_state() {
    type Change<'a> = &'a dyn Fn(&mut World);
    let cases: [(&str, Change<'_>, &str); 9] = [
        ("in place", &|_| {}, "Applied Applied Allowed"),
        ("statement gone", &|world| world.put_statements(&FOREIGN), "Missing Applied Denied"),
        ("taken out", &|world| world.edit_policy(&format!("{APP:?},"), ""), "Missing Applied Denied"),
        ("statement edited", &edit_statement, "Drifted Applied Partial"),
        ("policy gone", &|world| world.entity(APP).inline.clear(), "Applied Missing Denied"),
        ("recreated", &|world| world.recreate(APP, "AROAAPP0000000000002"), "Missing Missing Denied"),
        ("deleted", &|world| world.delete(APP), "Missing Missing Denied"),
        ("unreachable", &unreachable, "Applied Unknown Unknown"),
        ("key disabled", &|world| world.metadata().state = "Disabled".into(), "Applied Applied Denied"),
    ];
    for (name, change, expected) in cases {
        let mut world = World::shared();
        world.desired.mode = Mode::Observe;
        change(&mut world);
        let principal = world.reconcile("10:00:00").status.consumers[0].principals[0].clone();
        let found = format!("{} {} {}", principal.key_policy, principal.delegation, principal.verdict);
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_request_counts_as_handled_once_it_was_looked_at_and_stays_so() {
    let world = settled(World::shared());
    let now = time("10:10:00");
    let refusal = Refusal { reason: Reason::NotAllowed, message: "no".into() };
    let context = Context { generation: None, now: &now, previous: world.status.as_ref(), request: Some("one") };
    let handled = super::refused(&context, &refusal).status;
    assert_eq!(handled.last_handled_reconcile_at.as_deref(), Some("one"));
    let context = Context { previous: Some(&handled), request: None, ..context };
    assert_eq!(super::refused(&context, &refusal).status.last_handled_reconcile_at.as_deref(), Some("one"));
}

#[test]
fn two_consumers_are_told_apart() {
    let mut world = World::shared();
    world.exists(BOB, APP_ID.replace("APP", "BOB").as_str());
    world.desired.consumers.push(consumer("second", &account("partner", "444455556666"), &[BOB]));
    world.desired.mode = Mode::Observe;
    let status = world.reconcile("10:00:00").status;
    let verdicts: Vec<_> =
        status.consumers.iter().map(|consumer| (consumer.name.as_str(), consumer.principals[0].verdict)).collect();
    assert_eq!(verdicts, [("partner", VerdictValue::Allowed), ("second", VerdictValue::Denied)]);
}

#[test]
fn what_met_a_write_of_ours_stays_in_status_until_something_else_does() {
    let mut world = World::fresh();
    world.meanwhile = Meanwhile { lost: vec![statement(FOREIGN[0])], ..Meanwhile::default() };
    let told = world.reconcile("10:00:00").status.last_collision.unwrap();
    assert_eq!((&told.time, told.items[0].sid.as_deref()), (&time("10:00:00"), Some("Enable IAM User Permissions")));
    assert_eq!(world.reconcile("10:10:00").status.last_collision, Some(told));
    world.meanwhile = Meanwhile { gone: vec![statement(FOREIGN[0])], ..Meanwhile::default() };
    assert_eq!(world.reconcile("10:20:00").status.last_collision.unwrap().time, time("10:20:00"));
}
