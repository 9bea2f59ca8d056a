use insta::assert_yaml_snapshot;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use sharedkey_api::{DriftKind, Mode, conditions::Reason};

use super::*;
use crate::{
    compare::testing::{refused, time},
    desired::Delegation,
    problem::Class,
    resolve::Refusal,
    secret::{
        observed::{SecretKey, SourceReading},
        testing::{APP, KEY, OTHER_ALIAS, OTHER_KEY, World, fingerprint, unread},
    },
    summarise::{self as common, Next, Notice},
};

fn told(summary: &Summary<ExternalSecretStatus>) -> String {
    let told = |notice: &Notice| {
        let kind = if notice.warning { "Warning" } else { "Normal" };
        format!("{kind} {}: {}", notice.reason, notice.note)
    };
    summary.notices.iter().map(told).collect::<Vec<_>>().join("\n")
}

/// The conditions in one line.
fn line(status: &ExternalSecretStatus) -> String {
    let told = |condition: &Condition| format!("{}={}/{}", condition.type_, condition.status, condition.reason);
    status.conditions.iter().map(told).collect::<Vec<_>>().join(" ")
}

/// A world that was summarised once, at 10:00.
fn settled(mut world: World) -> World {
    world.reconcile("10:00:00");
    world
}

#[test]
fn all_well() {
    let mut world = World::complete();
    let summary = world.reconcile("10:00:00");
    assert_eq!(
        (told(&summary).as_str(), summary.next),
        ("Normal Succeeded: the secret is in place, and everybody can read it who is to read it", Next::Sweep)
    );
    assert_yaml_snapshot!(summary.status);
}

#[test]
fn drift_in_observe_is_listed_and_left() {
    let mut world = World::settled();
    world.desired.mode = Mode::Observe;
    let mut world = settled(world);
    world.secret().key = SecretKey::Key(OTHER_KEY.parse().unwrap());
    world.aws.policy = None;
    let summary = world.reconcile("10:10:00");
    assert_eq!(summary.next, Next::Sweep);
    assert_yaml_snapshot!(summary.status);
}

#[test]
fn drift_in_enforce_is_healed_and_remembered() {
    let mut world = settled(World::settled());
    world.aws.put("EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE".into());
    world.entity(APP).inline.clear();
    let summary = world.reconcile("10:10:00");
    let corrected = summary.status.last_correction.clone().unwrap();
    assert_eq!(
        corrected.items.iter().map(|item| item.kind).collect::<Vec<_>>(),
        [DriftKind::ValueChanged, DriftKind::PolicyMissing]
    );
    assert_eq!(
        line(&summary.status),
        "Ready=True/Succeeded KeyAvailable=True/Succeeded SecretApplied=True/Succeeded ValueSynced=True/Succeeded \
         DelegationApplied=True/Succeeded AccessVerified=True/Succeeded TargetSynced=True/NotManaged InSync=True/Succeeded"
    );
}

#[test]
fn a_new_value_is_no_event_of_drift() {
    let mut world = settled(World::settled());
    world.source = SourceReading::Value(fingerprint('b'));
    assert_eq!(told(&world.reconcile("10:10:00")), "");
}

#[test]
fn a_writer_that_may_not_use_the_key_holds_up_the_secret_and_says_so() {
    let mut world = World::fresh();
    let message = "sharedKeyRef: add arn:aws:iam::111122223333:role/Operator".to_owned();
    world.desired.waits.push(Blocker { reason: Reason::WriterNotConsumer, message: message.clone() });
    let summary = world.reconcile("10:00:00");
    assert_eq!(summary.next, Next::Retry(Class::UserActionNeeded));
    assert_eq!(told(&summary), format!("Warning WriterNotConsumer: {message}"));
    assert_eq!(
        line(&summary.status),
        "Ready=False/WriterNotConsumer Stalled=True/WriterNotConsumer KeyAvailable=True/Succeeded \
         SecretApplied=False/WriterNotConsumer ValueSynced=False/WriterNotConsumer DelegationApplied=Unknown/WriterNotConsumer \
         AccessVerified=False/AccessDenied TargetSynced=True/NotManaged InSync=Unknown/WriterNotConsumer"
    );
}

#[test]
fn a_source_without_a_binding_says_which_and_leaves_the_rest() {
    let mut world = World::settled();
    world.source = SourceReading::Failed(Trouble {
        reason: Reason::SecretAccessNotGranted,
        message: "kubectl create rolebinding …".into(),
        class: Class::UserActionNeeded,
    });
    let summary = world.reconcile("10:00:00");
    assert_eq!(
        line(&summary.status),
        "Ready=False/SecretAccessNotGranted Stalled=True/SecretAccessNotGranted KeyAvailable=True/Succeeded \
         SecretApplied=True/Succeeded ValueSynced=False/SecretAccessNotGranted DelegationApplied=True/Succeeded \
         AccessVerified=True/Succeeded TargetSynced=True/NotManaged InSync=Unknown/SecretAccessNotGranted"
    );
}

#[test]
fn a_secret_of_others_shows_nothing_of_itself() {
    let mut world = World::fresh();
    let desired = world.desired.clone();
    world.aws.made_by_others(&desired);
    let status = world.reconcile("10:00:00").status;
    assert_eq!((status.secret_arn, status.kms_key_arn, status.version_id), (None, None, None));
    let reasons: Vec<_> =
        status.readers[0].principals.iter().filter_map(|principal| principal.reason.clone()).collect();
    assert_eq!(reasons, ["the secret is not this object's", "the secret is not this object's"]);
    // Not even under which alias it is, where that cannot be looked up.
    world.secret().key = unread(OTHER_ALIAS);
    let status = world.reconcile("10:01:00").status;
    assert!(!format!("{status:?}").contains(OTHER_ALIAS), "{status:#?}");
}

#[test]
fn the_key_half_that_is_missing_is_told_with_the_fix() {
    let mut world = World::settled();
    world.entity(APP).policies.policies.clear();
    let status = world.reconcile("10:00:00").status;
    let access = common::condition(&status.conditions, sharedkey_api::ConditionType::AccessVerified).unwrap();
    assert_eq!((access.status.as_str(), access.reason.as_str()), ("False", "AccessDenied"));
    assert!(
        access.message.contains("add it to a consumer of SharedKey \"orders\" with access: Decrypt"),
        "{}",
        access.message
    );
}

#[test]
fn a_handoff_shows_what_the_other_side_attaches() {
    let mut world = World::settled();
    world.partner().reach = None;
    world.partner().delegation = Delegation::None;
    let arn = world.arn();
    let status = world.reconcile("10:00:00").status;
    assert_eq!(
        status.readers[0].handoff_policy.clone().unwrap(),
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"SharedKeyRead","Effect":"Allow","Action":["secretsmanager:DescribeSecret","secretsmanager:GetSecretValue"],"Resource":"{arn}"}},{{"Sid":"SharedKeyDecrypt","Effect":"Allow","Action":"kms:Decrypt","Resource":"{KEY}"}}]}}"#
        )
    );
}

#[test]
fn a_replica_that_is_under_way_is_waited_for() {
    let mut world = World::complete();
    world.secret().replicas.values_mut().for_each(|replica| replica.status = "InProgress".into());
    let summary = world.reconcile("10:00:00");
    assert_eq!(summary.next, Next::Retry(Class::Propagating));
    assert!(
        line(&summary.status).starts_with("Ready=True/Succeeded Reconciling=True/Progressing"),
        "{}",
        line(&summary.status)
    );
}

#[test]
fn a_key_that_cannot_be_looked_up_leaves_what_was_known_of_it() {
    let mut world = settled(World::settled());
    world.desired.mode = Mode::Observe;
    world.secret().key = SecretKey::Key(OTHER_KEY.parse().unwrap());
    let known = world.reconcile("10:10:00").status.drift;
    assert_eq!(known.iter().map(|drift| drift.kind).collect::<Vec<_>>(), [DriftKind::KeyChanged]);
    world.secret().key = unread(OTHER_ALIAS);
    let status = world.reconcile("10:20:00").status;
    assert_eq!((status.drift, status.kms_key_arn), (known, None));
}

#[test]
fn what_is_unread_keeps_what_was_known() {
    let mut world = settled(World::settled());
    world.desired.mode = Mode::Observe;
    world.secret().description = None;
    let known = world.reconcile("10:10:00").status.drift;
    assert_eq!(known.len(), 1);
    let plan = world.plan();
    let mut observed = world.seen();
    observed.secret = Err(refused("111122223333", "secretsmanager:DescribeSecret", "team/db"));
    let comparison = crate::secret::compare::compare(&world.desired, &observed, &world.record);
    let now = time("10:20:00");
    let context = Context { generation: Some(1), now: &now, previous: world.status.as_ref(), request: None };
    let course = SecretCourse {
        desired: &world.desired,
        observed: &observed,
        comparison: &comparison,
        blockers: &plan.plan.blockers,
        failures: &[],
        target: None,
        before: &[],
    };
    let status = summarise(&context, &course).status;
    assert_eq!(status.drift, known);
    assert!(line(&status).contains("SecretApplied=Unknown/OperatorUnauthorised"), "{}", line(&status));
    let reason = status.readers[0].principals[0].reason.clone().unwrap();
    assert!(
        reason.starts_with("last known: Allowed, before 2026-11-24T10:20:00Z; the secret could not be read"),
        "{reason}"
    );
}

#[test]
fn a_shared_key_that_is_not_there_is_told_where_the_key_is() {
    let world = settled(World::settled());
    let now = time("10:10:00");
    let context = Context { generation: Some(2), now: &now, previous: world.status.as_ref(), request: None };
    let refusal = Refusal { reason: Reason::SharedKeyNotFound, message: "sharedKeyRef: there is no SharedKey".into() };
    let status = common::refused(&context, &refusal).status;
    assert_eq!(
        line(&status),
        "Ready=False/SharedKeyNotFound Stalled=True/SharedKeyNotFound KeyAvailable=False/SharedKeyNotFound \
         SecretApplied=True/Succeeded ValueSynced=True/Succeeded DelegationApplied=True/Succeeded AccessVerified=True/Succeeded \
         TargetSynced=True/NotManaged InSync=Unknown/SharedKeyNotFound"
    );
}

#[test]
fn an_object_that_is_being_deleted_tells_of_nothing_that_is_no_longer_so() {
    let world = settled(World::complete());
    let now = time("10:10:00");
    let context = Context { generation: Some(2), now: &now, previous: world.status.as_ref(), request: None };
    let status = common::deleting(&context, Reason::Deleting, "being deleted").status;
    assert_eq!(line(&status), "Ready=False/Deleting Reconciling=True/Deleting");
    assert!(status.readers.is_empty() && status.replicas.is_empty());
}
