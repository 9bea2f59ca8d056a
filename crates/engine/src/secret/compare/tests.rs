//! Each out-of-band change, as it is found.

use sharedkey_api::{DriftKind as K, Mode, conditions::Reason};

use super::*;
use crate::{
    compare::testing::parse,
    names::{Names, ObjectName},
    secret::{
        observed::{Lag, ResourcePolicy, SecretKey, SourceReading, TargetReading},
        testing::{ANNA, APP, FOREIGN, KEY, OTHER_ALIAS, OTHER_KEY, World, fingerprint, unread},
    },
};

fn kinds(world: &World) -> Vec<(K, Cause)> {
    world.compare().findings.iter().map(|finding| (finding.kind, finding.cause)).collect()
}

fn messages(world: &World) -> String {
    world.compare().findings.iter().map(|finding| finding.message.clone()).collect::<Vec<_>>().join("\n")
}

fn blocked(world: &World) -> Vec<Reason> {
    world.compare().blockers.iter().map(|blocker| blocker.reason).collect()
}

/// What is found after a change to a world in which everything is in place.
fn after(change: impl Fn(&mut World)) -> Vec<(K, Cause)> {
    let mut world = World::complete();
    assert_eq!(kinds(&world), []);
    change(&mut world);
    kinds(&world)
}

#[test]
fn what_somebody_else_does_is_drift_of_its_kind() {
    let drift = |kind| vec![(kind, Cause::Drift)];
    assert_eq!(after(|world| world.secret().description = None), drift(K::DescriptionChanged));
    assert_eq!(after(|world| drop(world.secret().tags.remove("team"))), drift(K::TagsChanged));
    assert_eq!(after(|world| drop(world.secret().tags.remove("sharedkey.dev/name"))), drift(K::TagsChanged));
    assert_eq!(after(|world| world.secret().key = SecretKey::Key(OTHER_KEY.parse().unwrap())), drift(K::KeyChanged));
    assert_eq!(after(|world| world.secret().key = SecretKey::Default), drift(K::KeyChanged));
    assert_eq!(
        after(|world| world.aws.put("EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE".into())),
        [(K::ValueChanged, Cause::Drift), (K::TargetChanged, Cause::SpecChanged)]
    );
    assert_eq!(after(|world| world.aws.policy = None), drift(K::ResourcePolicyMissing));
    assert_eq!(
        after(|world| world.edit_policy("secretsmanager:GetSecretValue", "secretsmanager:ListSecretVersionIds")),
        drift(K::ResourcePolicyChanged)
    );
    assert_eq!(after(|world| world.edit_policy(&format!("{APP:?},"), "")), drift(K::ResourcePolicyChanged));
    assert_eq!(after(|world| world.entity(APP).inline.clear()), drift(K::PolicyMissing));
    assert_eq!(after(|world| world.secret().replicas.clear()), drift(K::ReplicaMissing));
    assert_eq!(
        after(|world| world.secret().replicas.values_mut().for_each(|replica| replica.status = "Failed".into())),
        drift(K::ReplicaChanged)
    );
    assert_eq!(
        after(|world| world.secret().replicas.values_mut().for_each(|replica| replica.key = SecretKey::Default)),
        drift(K::ReplicaChanged)
    );
    assert_eq!(after(|world| world.aws.target = TargetReading::Missing), drift(K::TargetMissing));
    let edited = |world: &mut World| {
        let version = world.secret().current().map(str::to_owned);
        world.aws.target = TargetReading::Found { version, as_asked: true, intact: false };
    };
    assert_eq!(after(edited), drift(K::TargetChanged));
    assert_eq!(
        after(|world| world.secret().deletion = Some("2026-12-24T00:00:00Z".into())),
        drift(K::SecretPendingDeletion)
    );
    assert_eq!(after(|world| world.aws.secret = None), drift(K::SecretMissing));
}

#[test]
fn a_key_that_cannot_be_looked_up_is_not_known_and_no_change() {
    // Given aliases of which AWS does not say what they mean
    assert_eq!(after(|world| world.secret().key = unread(OTHER_ALIAS)), []);
    assert_eq!(
        after(|world| world.secret().replicas.values_mut().for_each(|replica| replica.key = unread(OTHER_ALIAS))),
        []
    );
    // Then it is said of the secret's own what keeps everything else from being given, and what to do
    let mut world = World::complete();
    world.secret().key = unread(OTHER_ALIAS);
    let blockers = world.compare().blockers;
    assert_eq!(blocked(&world), [Reason::OperatorUnauthorised]);
    for part in [OTHER_ALIAS, "kms:DescribeKey", "allow it to the role", "or name the key of the secret by its ARN"] {
        assert!(blockers[0].message.contains(part), "{} should say {part}", blockers[0].message);
    }
    // And one that there is not means no key
    let gone = SecretKey::Unresolved { text: OTHER_ALIAS.into(), message: "there is none".into() };
    assert_eq!(after(|world| world.secret().key = gone.clone()), [(K::KeyChanged, Cause::Drift)]);
}

#[test]
fn a_version_of_which_the_key_cannot_be_looked_up_is_neither_old_nor_checked() {
    let mut world = World::settled();
    world.record.versions = None;
    let mut observed = world.seen();
    for version in observed.versions.as_mut().unwrap().as_mut().unwrap() {
        version.keys = vec![unread(OTHER_ALIAS)];
    }
    let compared = compare(&world.desired, &observed, &world.record);
    assert_eq!((compared.findings, compared.versions), (vec![], None));
}

#[test]
fn what_others_state_beside_ours_is_no_drift() {
    assert_eq!(after(|world| world.add_foreign(FOREIGN)), []);
    assert_eq!(after(|world| drop(world.secret().tags.insert("cost".into(), "4711".into()))), []);
    assert_eq!(after(|world| world.edit_policy(&format!("[{APP:?},{ANNA:?}]"), &format!("[{ANNA:?},{APP:?}]"))), []);
}

#[test]
fn versions_on_an_old_key_are_named_with_their_labels() {
    let mut world = World::settled();
    world.aws.put("EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE".into());
    world.aws.versions.values_mut().for_each(|key| *key = OTHER_KEY.parse().unwrap());
    world.source = SourceReading::NotStated;
    let found = world.compare().findings;
    assert_eq!(found.iter().map(|finding| finding.kind).collect::<Vec<_>>(), [K::VersionsOnOldKey]);
    let first = world.record.get(&world.desired.aspect(crate::ledger::Aspect::Value)).unwrap().fingerprint.clone();
    assert_eq!(
        found[0].message,
        format!(
            "let the operator's role use kms:Encrypt on {KEY}, and keep the old key until then: versions \
             EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE (AWSCURRENT), {first} (AWSPREVIOUS) of secret {} are still encrypted with {OTHER_KEY}",
            world.arn()
        )
    );
}

#[test]
fn versions_are_listed_only_when_key_or_versions_are_new() {
    let mut world = World::settled();
    let due = |world: &World| versions_due(&world.desired, world.aws.secret.as_ref().unwrap(), &world.record);
    assert!(!due(&world));
    world.record.versions = None;
    assert!(due(&world));
    world.settle();
    assert!(!due(&world));
    world.aws.put("EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE".into());
    assert!(due(&world));
    // Whatever it shows, it follows that the key is another one.
    world.secret().key = SecretKey::Default;
    assert!(!due(&world));
}

#[test]
fn without_a_source_the_value_is_nobodys_business() {
    let mut world = World::settled();
    (world.source, world.desired.has_source) = (SourceReading::NotStated, false);
    world.aws.put("EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE".into());
    world.secret().stages.entry("EXAMPLE2-90ab-cdef-fedc-ba987EXAMPLE".into()).or_default().insert("AWSPENDING".into());
    world.aws.versions.insert("EXAMPLE2-90ab-cdef-fedc-ba987EXAMPLE".into(), KEY.parse().unwrap());
    assert_eq!(kinds(&world), []);
}

#[test]
fn a_new_value_of_the_source_is_no_drift() {
    let mut world = World::settled();
    world.source = SourceReading::Value(fingerprint('b'));
    assert_eq!(kinds(&world), [(K::ValueChanged, Cause::SpecChanged)]);
    assert!(!messages(&world).contains(&"b".repeat(64)));
}

#[test]
fn a_lost_ledger_knows_its_own_again() {
    let mut world = World::settled();
    world.record = Record::default();
    assert_eq!(kinds(&world), []);
    world.settle();
    assert_eq!(world.record.targets.len(), World::settled().record.targets.len());
    assert_eq!(world.plan().plan.steps.len(), 0);
}

#[test]
fn what_was_written_a_moment_ago_is_waited_for() {
    for (lag, change) in [
        (Lag::Description, (|world| world.secret().description = None) as Change),
        (Lag::Tags, |world| drop(world.secret().tags.remove("team"))),
        (Lag::Key, |world| world.secret().key = SecretKey::Default),
        (Lag::Value, |world| world.aws.put("EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE".into())),
        (Lag::Deletion, |world| world.secret().deletion = Some("2026-12-24T00:00:00Z".into())),
    ] {
        let mut world = World::settled();
        change(&mut world);
        world.secret().lagging.insert(lag.clone());
        assert_eq!(kinds(&world).iter().map(|(_, cause)| *cause).collect::<Vec<_>>(), [Cause::Propagating], "{lag:?}");
    }
}

type Change = fn(&mut World);

fn taken(change: impl Fn(&mut World)) -> World {
    let mut world = World::fresh();
    let desired = world.desired.clone();
    world.aws.made_by_others(&desired);
    change(&mut world);
    world
}

fn another() -> Names {
    Names::of_secret("prod".parse().unwrap(), ObjectName { namespace: "a".into(), name: "b".into() })
}

#[test]
fn a_secret_of_others_is_left_alone_and_the_reason_is_said() {
    let world = taken(|_| {});
    assert_eq!((kinds(&world), blocked(&world)), (vec![], vec![Reason::SecretExists]));
    let foreign: [(Change, &str); 4] = [
        (|world| world.secret().owning_service = Some("rds".into()), "managed by the AWS service rds"),
        (
            |world| drop(world.secret().tags.insert("managed-by".into(), "external-secrets".into())),
            "its tag managed-by is external-secrets",
        ),
        (|world| world.secret().tags.extend(another().tags(None)), "managed by another ExternalSecret,"),
        (
            |world| world.secret().primary_region = Some("us-east-1".parse().unwrap()),
            "a replica, which only the secret in Region us-east-1 changes",
        ),
    ];
    for (change, why) in foreign {
        for adopt in [false, true] {
            let world = taken(|world| {
                change(world);
                world.desired.adopt = adopt;
            });
            let blockers = world.compare().blockers;
            assert_eq!(blockers[0].reason, Reason::SecretOwnedElsewhere);
            assert!(blockers[0].message.contains(why), "{}", blockers[0].message);
            assert_eq!(world.plan().plan.steps.len(), 0);
        }
    }
}

#[test]
fn what_was_only_to_be_taken_over_may_be_somebody_elses_by_now() {
    // The ledger knows that it was to be tagged as ours, and somebody else was faster.
    let mut world = taken(|world| world.desired.adopt = true);
    let plan = world.plan();
    plan.plan.steps.iter().flat_map(|step| &step.records).for_each(|target| world.record.intend(target.clone()));
    assert_eq!((blocked(&world), plan.more, plan.target), (vec![], true, None));
    world.secret().tags.extend(another().tags(None));
    assert_eq!(blocked(&world), [Reason::SecretOwnedElsewhere]);
    // Once it is known to be ours, somebody else's tags are drift.
    world.record.confirm(world.record.get(&world.desired.resource()).unwrap().clone());
    assert_eq!(blocked(&world), []);
}

#[test]
fn a_secret_of_others_can_be_watched() {
    let world = taken(|world| world.desired.mode = Mode::Observe);
    assert_eq!(blocked(&world), []);
    assert_eq!(
        kinds(&world).iter().map(|(kind, _)| *kind).collect::<Vec<_>>(),
        [
            K::KeyChanged,
            K::ValueChanged,
            K::DescriptionChanged,
            K::TagsChanged,
            K::ResourcePolicyMissing,
            K::PolicyMissing,
            K::PolicyMissing
        ]
    );
}

#[test]
fn one_that_was_deleted_is_made_anew_unless_it_is_only_watched() {
    let mut world = World::settled();
    world.aws.secret = None;
    assert!(messages(&world).contains("was deleted; it is made anew under another ARN"));
    world.desired.mode = Mode::Observe;
    assert!(messages(&world).ends_with("was deleted"));
}

#[test]
fn one_that_is_scheduled_for_deletion_is_somebodys_decision() {
    let mut world = World::settled();
    world.secret().deletion = Some("2026-12-24T00:00:00Z".into());
    assert_eq!(blocked(&world), [Reason::SecretPendingDeletion]);
    world.desired.restore = true;
    assert_eq!(blocked(&world), []);
    // Nor is one restored that would not be ours then.
    let mut world = taken(|world| world.desired.restore = true);
    world.secret().deletion = Some("2026-12-24T00:00:00Z".into());
    assert_eq!(blocked(&world), [Reason::SecretExists, Reason::SecretPendingDeletion]);
}

#[test]
fn nothing_else_is_found_of_one_that_is_scheduled_for_deletion() {
    let mut world = World::complete();
    world.secret().deletion = Some("2026-12-24T00:00:00Z".into());
    world.secret().description = None;
    world.aws.policy = None;
    assert_eq!(kinds(&world), [(K::SecretPendingDeletion, Cause::Drift)]);
}

#[test]
fn a_key_that_cannot_be_used_blocks_with_its_state() {
    for (state, kind, reason) in [
        ("Disabled", K::KeyDisabled, Reason::KeyDisabled),
        ("PendingDeletion", K::KeyPendingDeletion, Reason::KeyPendingDeletion),
        ("PendingImport", K::KeyUnavailable, Reason::KeyUnavailable),
    ] {
        let mut world = World::settled();
        let key = world.aws.keys.get_mut(&KEY.parse().unwrap()).unwrap();
        key.metadata.as_mut().unwrap().as_mut().unwrap().state = state.into();
        assert_eq!((kinds(&world), blocked(&world)), (vec![(kind, Cause::Drift)], vec![reason]));
    }
    let mut world = World::settled();
    world.aws.keys.get_mut(&KEY.parse().unwrap()).unwrap().metadata = Ok(None);
    assert_eq!(blocked(&world), [Reason::KeyNotFound]);
}

#[test]
fn secrets_manager_takes_symmetric_keys_only() {
    let mut world = World::settled();
    let key = world.aws.keys.get_mut(&KEY.parse().unwrap()).unwrap();
    key.metadata.as_mut().unwrap().as_mut().unwrap().spec = "RSA_2048".into();
    assert_eq!(blocked(&world), [Reason::InvalidSpec]);
}

#[test]
fn a_recreated_reader_is_named_and_left_out() {
    let mut world = World::settled();
    world.recreate(APP, "AROAAPP0000000000002");
    assert_eq!(kinds(&world), [(K::ResourcePolicyChanged, Cause::Drift)]);
    assert!(messages(&world).contains("it is AROAAPP0000000000002 now, and AROAAPP0000000000001 was trusted"));
    assert_eq!(world.plan().plan.steps.len(), 0);
    // Nor does somebody bring it in by its name.
    world.edit_policy("AROAAPP0000000000001", APP);
    world.settle();
    assert!(!world.policy_text().contains(APP), "{}", world.policy_text());
}

#[test]
fn a_statement_under_our_name_that_nobody_knows_is_left_until_somebody_decides() {
    let mut world = World::settled();
    let stray = world.desired.names.secret_sid("gone").to_string();
    world.add_foreign(&FOREIGN.replace("Auditors", &stray));
    assert_eq!(
        (kinds(&world), blocked(&world)),
        (vec![(K::ResourcePolicyChanged, Cause::Conflict)], vec![Reason::OwnerConflict])
    );
    world.desired.take_over = true;
    world.settle();
    assert!(!world.policy_text().contains(&stray));
}

#[test]
fn a_document_that_is_no_policy_is_never_written_over() {
    let world = World::settled();
    let mut observed = world.seen();
    let malformed = PolicyDocument::parse("{}").unwrap_err();
    observed.policy = Ok(Some(ResourcePolicy { document: Err(malformed), lagging: false }));
    let comparison = compare(&world.desired, &observed, &world.record);
    assert_eq!(comparison.findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(), [K::ResourcePolicyChanged]);
    assert_eq!(comparison.blockers.iter().map(|blocker| blocker.reason).collect::<Vec<_>>(), [Reason::PolicyMalformed]);
}

#[test]
fn what_could_not_be_read_is_no_finding() {
    let mut world = World::complete();
    let refused = crate::compare::testing::refused("111122223333", "secretsmanager:DescribeSecret", "team/db");
    let mut observed = world.seen();
    observed.secret = Err(refused.clone());
    observed.policy = Err(refused);
    world.aws.policy = Some(parse(r#"{"Version":"2012-10-17","Statement":[]}"#));
    let comparison = compare(&world.desired, &observed, &world.record);
    assert_eq!((comparison.findings, comparison.blockers), (vec![], vec![]));
}
