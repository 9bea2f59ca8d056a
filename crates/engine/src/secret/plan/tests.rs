use insta::assert_snapshot;
use sharedkey_api::{Mode, conditions::Reason};
use sharedkey_policy::Region;

use super::*;
use crate::{
    compare::testing::{account, refused},
    desired::Delegation,
    ledger::CONTENDED_WITHIN,
    problem::{Class, Failure, Trouble},
    resolve::{Refusal, refuse},
    secret::{
        desired::EncryptionKey,
        observed::{SecretKey, TargetReading},
        revoke::{Deletion, departed, unshare},
        testing::{
            ANNA, APP, FOREIGN, KEY, OTHER_ALIAS, OTHER_KEY, REPLICA_KEY, World, fingerprint, key, page, reader, unread,
        },
    },
};

/// Every plan of one reconcile, with the texts that vary cut to what they are.
fn pages(plans: &[SecretPlan]) -> String {
    let text = plans.iter().map(page).collect::<Vec<_>>().join("\n--\n");
    text.replace(KEY, "KEY").replace(OTHER_KEY, "OTHER_KEY").replace(REPLICA_KEY, "REPLICA_KEY")
}

fn changed(change: impl Fn(&mut World)) -> String {
    let mut world = World::complete();
    change(&mut world);
    pages(&world.settle())
}

#[test]
fn what_is_in_place_needs_nothing() {
    let mut world = World::complete();
    // The last look at versions is remembered.
    world.settle();
    assert_eq!(pages(&[world.plan()]), "");
}

#[test]
fn the_first_time_the_secret_is_made_before_anything_names_it() {
    let mut world = World::fresh();
    world.desired.replicas.insert("us-east-1".parse().unwrap(), Ok(key(REPLICA_KEY)));
    world.desired.target = Some("db-copy".into());
    world.aws.target = TargetReading::Missing;
    assert_snapshot!(pages(&world.settle()));
}

#[test]
fn one_that_exists_is_taken_over_by_its_tags_first() {
    let mut world = World::fresh();
    let desired = world.desired.clone();
    world.aws.made_by_others(&desired);
    world.desired.adopt = true;
    world.add_foreign(FOREIGN);
    assert_snapshot!(pages(&world.settle()));
    assert!(world.policy_text().contains(FOREIGN));
}

#[test]
fn what_drifted_is_put_back_and_nothing_else() {
    assert_snapshot!("value", changed(|world| world.aws.put("EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE".into())));
    assert_snapshot!(
        "key_and_description",
        changed(|world| {
            world.secret().key = SecretKey::Key(OTHER_KEY.parse().unwrap());
            world.secret().description = None;
        })
    );
    assert_snapshot!(
        "policies",
        changed(|world| {
            world.aws.policy = None;
            world.entity(APP).inline.clear();
        })
    );
    assert_snapshot!(
        "replica",
        changed(|world| {
            world.secret().replicas.values_mut().for_each(|replica| replica.key = SecretKey::Default);
        })
    );
    assert_snapshot!("target", changed(|world| world.aws.target = TargetReading::Missing));
    assert_snapshot!(
        "secret",
        changed(|world| {
            world.aws.secret = None;
            world.aws.policy = None;
        })
    );
}

#[test]
fn a_secret_without_a_source_is_made_without_a_value() {
    let mut world = World::fresh();
    (world.source, world.desired.has_source) = (SourceReading::NotStated, false);
    world.desired.readers.clear();
    assert_snapshot!(pages(&world.settle()));
    assert_eq!(world.secret().current(), None);
}

#[test]
fn a_source_that_cannot_be_read_holds_up_the_value_and_nothing_else() {
    let trouble = Trouble {
        reason: Reason::SourceMissing,
        message: "source.secretRef: no Secret \"db\"".into(),
        class: Class::UserActionNeeded,
    };
    let mut world = World::fresh();
    world.source = SourceReading::Failed(trouble.clone());
    assert_eq!(pages(&world.settle()), "");
    let mut world = World::complete();
    world.source = SourceReading::Failed(trouble);
    world.secret().description = None;
    world.settle();
    assert_eq!(world.aws.secret.unwrap().description, world.desired.description);
}

#[test]
fn each_new_value_is_one_version_even_when_an_old_one_comes_back() {
    let mut world = World::settled();
    for (digit, versions) in [('b', 2), ('a', 3), ('b', 4)] {
        world.source = SourceReading::Value(fingerprint(digit));
        world.settle();
        world.settle();
        assert_eq!(world.aws.versions.len(), versions);
    }
}

#[test]
fn versions_that_aws_did_not_move_are_tried_again_and_not_for_ever() {
    let mut world = World::settled();
    world.aws.may_encrypt = false;
    world.desired.key = Ok(key(OTHER_KEY));
    world.settle();
    for _ in 0..3 {
        world.now += 60;
        let plan = world.settle().remove(0);
        assert!(page(&plan).contains("update secret"), "{}", page(&plan));
    }
    let plan = world.plan();
    assert_eq!((plan.plan.steps.len(), plan.plan.blockers), (0, vec![]));
    world.now += CONTENDED_WITHIN;
    world.aws.may_encrypt = true;
    world.settle();
    assert_eq!(world.compare().findings, []);
}

#[test]
fn while_something_blocks_only_what_left_the_spec_is_taken_away() {
    let mut world = World::complete();
    world.desired.readers.push(reader("second", &account("partner", "444455556666"), &[APP]));
    world.settle();
    world.desired.readers.remove(0);
    world.desired.replicas.clear();
    world.source = SourceReading::Value(fingerprint('b'));
    world.desired.waits.push(Blocker { reason: Reason::WriterNotConsumer, message: "sharedKeyRef: …".into() });
    assert_snapshot!(pages(&world.settle()));
}

#[test]
fn a_principal_that_left_a_reader_is_taken_out_while_something_blocks() {
    let mut world = World::settled();
    world.partner().principals.remove(0);
    world.desired.waits.push(Blocker { reason: Reason::WriterNotConsumer, message: String::new() });
    world.settle();
    assert!(!world.policy_text().contains(APP), "{}", world.policy_text());
    assert!(world.entity(APP).inline.is_empty());
}

/// A SharedKey that the spec names is missing.
fn no_key() -> Result<EncryptionKey, Refusal> {
    refuse(Reason::SharedKeyNotFound, "sharedKeyRef: …")
}

#[test]
fn while_the_key_is_refused_what_left_the_spec_is_taken_away_and_nothing_is_given() {
    let mut world = World::complete();
    let region: Region = "us-east-1".parse().unwrap();
    (world.desired.key, world.desired.description) = (no_key(), Some("Another one".into()));
    world.desired.replicas.insert(region.clone(), no_key());
    world.source = SourceReading::Value(fingerprint('b'));
    world.partner().principals.remove(0);
    world.settle();
    assert!(!world.policy_text().contains(APP) && world.policy_text().contains(ANNA), "{}", world.policy_text());
    assert!(world.entity(APP).inline.is_empty() && !world.entity(ANNA).inline.is_empty());
    // The copy is still asked for, and value and description wait for the key.
    let before = World::complete();
    assert!(world.secret().replicas.contains_key(&region));
    assert_eq!(world.secret().stages, before.aws.secret.as_ref().unwrap().stages);
    assert_eq!(world.secret().description, before.desired.description);

    world.desired.replicas.clear();
    world.settle();
    assert_eq!(world.secret().replicas.len(), 0);
    assert_eq!(world.plan().plan.blockers.first().map(|blocker| blocker.reason), Some(Reason::SharedKeyNotFound));
}

#[test]
fn while_it_is_not_known_which_key_encrypts_the_secret_it_is_not_touched() {
    for class in [Class::OperatorUnauthorised, Class::Transient] {
        // Given a secret under an alias that cannot be looked up, and a spec that gives and takes
        let mut world = World::settled();
        let before = world.secret().clone();
        let SecretKey::Unread { text, failure } = unread(OTHER_ALIAS) else { panic!("an alias") };
        world.secret().key = SecretKey::Unread { text, failure: Failure { class, ..failure } };
        world.source = SourceReading::Value(fingerprint('b'));
        world.partner().principals.remove(0);
        world.record.forget(&world.desired.aspect(Aspect::Key));

        // Then what is taken is taken, no value is written, and nothing is known of the key
        let pages = pages(&world.settle());
        assert!(!world.policy_text().contains(APP), "{pages}");
        assert_eq!((&world.secret().stages, pages.contains("update secret")), (&before.stages, false), "{pages}");
        assert_eq!(world.record.get(&world.desired.aspect(Aspect::Key)), None);

        // And the value is written as soon as it is known that the alias means the key
        world.secret().key = before.key;
        world.settle();
        assert!(world.secret().stages != before.stages && world.compare().findings.is_empty());
        assert!(world.record.get(&world.desired.aspect(Aspect::Key)).is_some());
    }
}

#[test]
fn a_reader_that_left_takes_its_halves_along() {
    let mut world = World::settled();
    world.add_foreign(FOREIGN);
    world.desired.readers.clear();
    assert_snapshot!(pages(&world.settle()));
    assert!(world.policy_text().contains(FOREIGN));
}

#[test]
fn a_value_and_a_description_that_are_no_longer_ours_are_forgotten_and_stay() {
    let mut world = World::settled();
    (world.source, world.desired.has_source) = (SourceReading::NotStated, false);
    world.desired.description = None;
    assert_snapshot!(pages(&world.settle()));
    assert!(world.secret().current().is_some() && world.secret().description.is_some());
}

#[test]
fn one_that_was_deleted_is_restored_where_the_spec_says_so() {
    let mut world = World::settled();
    world.secret().deletion = Some("2026-12-24T00:00:00Z".into());
    assert_eq!(world.plan().plan.steps.len(), 0);
    world.desired.restore = true;
    assert_snapshot!(pages(&world.settle()));
    // A key that cannot be looked up is no obstacle, or the secret would be gone in the end.
    world.secret().deletion = Some("2026-12-24T00:00:00Z".into());
    world.secret().key = unread(OTHER_ALIAS);
    world.settle();
    assert_eq!(world.secret().deletion, None);
}

#[test]
fn observe_writes_nothing_and_still_remembers_which_versions_were_checked() {
    let mut world = World::settled();
    world.desired.mode = Mode::Observe;
    world.secret().description = None;
    let plan = world.settle().remove(0);
    assert_eq!((plan.plan.steps.len(), plan.plan.adopts.len(), plan.target.is_none()), (0, 0, true));
    assert!(world.record.versions.is_some());
}

#[test]
fn somebody_who_undoes_it_each_time_is_not_fought_for_ever() {
    let mut world = World::settled();
    for _ in 0..3 {
        world.now += 60;
        world.secret().description = None;
        world.settle();
    }
    world.secret().description = None;
    let plan = world.plan();
    assert_eq!(plan.plan.steps.len(), 0);
    assert_eq!(plan.plan.blockers.iter().map(|blocker| blocker.reason).collect::<Vec<_>>(), [Reason::Contended]);
}

#[test]
fn a_reader_whose_account_cannot_be_read_does_not_hold_up_the_secrets_half() {
    let mut world = World::fresh();
    let failure = refused("444455556666", "iam:GetRole", APP);
    world.aws.entities.values_mut().for_each(|entity| *entity = Err(failure.clone()));
    world.settle();
    assert!(world.policy_text().contains(APP));
}

fn end(world: &World, deletion: Deletion) -> String {
    let steps = unshare(&world.record, &world.desired.names, |_| deletion);
    let plan = SecretPlan { plan: Plan { steps, ..Plan::default() }, ..SecretPlan::default() };
    pages(&[plan])
}

#[test]
fn a_copy_that_only_makes_room_goes_when_the_new_one_may_be_made() {
    let revokes = |change: fn(&mut World)| {
        let mut world = World::complete();
        change(&mut world);
        let steps = world.plan().plan.steps;
        let removal = steps.iter().find(|step| matches!(step.action, Action::RemoveReplicas { .. })).unwrap();
        removal.action.revokes()
    };
    assert!(!revokes(|world| {
        let copy = world.secret().replicas.values_mut().next().unwrap();
        copy.key = SecretKey::Key(OTHER_KEY.parse().unwrap());
    }));
    assert!(revokes(|world| world.desired.replicas.clear()));
}

#[test]
fn deletion_takes_the_access_first_and_the_copies_before_the_secret() {
    let world = World::complete();
    assert_snapshot!("retain", end(&world, Deletion::Retain));
    assert_snapshot!("delete", end(&world, Deletion::Delete { window_days: 7 }));
}

#[test]
fn who_left_the_spec_of_an_object_that_is_refused_loses_access_too() {
    let mut world = World::complete();
    world.desired.readers[0].delegation = Delegation::ManagedPolicy;
    world.settle();
    assert_eq!(departed(&world.record, &["partner"], &world.desired.names).len(), 0);
    let steps = departed(&world.record, &[], &world.desired.names);
    let written: Vec<String> = steps.iter().map(|step| step.action.to_string()).collect();
    assert!(written[0].starts_with("write the resource policy of") && written.len() > 1, "{written:?}");
    assert!(!written.iter().any(|text| text.contains("replicas") || text.contains("untag")), "{written:?}");
}
