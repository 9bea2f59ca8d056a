use sharedkey_api::Mode;
use sharedkey_policy::PolicyDocument;

use super::*;
use crate::{
    compare::testing::{
        ANNA, APP, FOREIGN, KEY, OURS, POLICY, World, account, arn, consumer, document, parse, refused,
    },
    desired::{Delegation, Trust},
    observed::{Entity, ManagedPolicy},
};

/// A plan as a page to read. What is written stands below each step, and what the ledger has to know of it.
fn page(plan: &Plan) -> String {
    let mut lines = Vec::new();
    for step in &plan.steps {
        lines.push(format!("{}: {}", step.account.name, step.action));
        if let Action::PutKeyPolicy { prune: true, .. } = &step.action {
            lines.push("  takes deleted principals out of statements of others".to_owned());
        }
        lines.extend(written(&step.action).into_iter().map(|text| format!("    {}", text.replace(KEY, "KEY"))));
        for Target { resource, principals, .. } in &step.records {
            let ids: Vec<&str> = principals.values().map(String::as_str).collect();
            lines.push(format!("  records {resource} {}", ids.join(" ")).trim_end().to_owned());
        }
        lines.extend(step.forgets.iter().map(|resource| format!("  forgets {resource}")));
    }
    lines.extend(plan.adopts.iter().map(|target| format!("adopts {}", target.resource)));
    lines.extend(plan.blockers.iter().map(|blocker| format!("blocked, {}: {}", blocker.reason, blocker.message)));
    lines.join("\n").replace(&format!("the key policy of {KEY}"), "the key policy")
}

fn written(action: &Action) -> Vec<String> {
    match action {
        Action::PutKeyPolicy { edit, .. } => edit.put.iter().map(|put| put.to_json().to_owned()).collect(),
        Action::PutInlinePolicy { document, .. } => vec![document.to_json()],
        Action::PutManagedPolicy { document, tags, description, .. } => {
            let tags = tags.iter().map(|(key, value)| format!("tag {key}={value}"));
            [document.to_json(), description.clone()].into_iter().chain(tags).collect()
        }
        _ => Vec::new(),
    }
}

fn fresh(change: impl Fn(&mut World)) -> String {
    let mut world = World::fresh();
    change(&mut world);
    page(&world.plan())
}

fn changed(change: impl Fn(&mut World)) -> String {
    let mut world = World::shared();
    change(&mut world);
    page(&world.plan())
}

#[test]
fn what_is_in_place_needs_nothing() {
    assert_eq!(changed(|_| {}), "");
    assert_eq!(page(&World::managed().plan()), "");
}

#[test]
fn the_first_share_writes_the_key_policy_first() {
    insta::assert_snapshot!(fresh(|_| {}));
}

#[test]
fn the_first_share_by_a_managed_policy_creates_it_before_it_attaches_it() {
    insta::assert_snapshot!(fresh(|world| world.partner().delegation = Delegation::ManagedPolicy));
}

#[test]
fn the_first_share_with_an_account_names_its_root_and_still_delegates() {
    insta::assert_snapshot!(fresh(|world| world.partner().trust = Trust::Account));
}

#[test]
fn grants_for_aws_services_are_a_statement_of_their_own_in_both_halves() {
    insta::assert_snapshot!(fresh(|world| {
        world.partner().principals.truncate(1);
        world.partner().aws_service_grants = true;
    }));
}

#[test]
fn an_encryption_context_splits_off_what_carries_none() {
    insta::assert_snapshot!(fresh(|world| {
        let conditions = &mut world.partner().conditions;
        conditions.encryption_context.insert("tenant".into(), "a".into());
        conditions.via_services.insert("s3.eu-west-1.amazonaws.com".into());
        conditions.organization_id = Some("o-a1b2c3d4e5".into());
        world.partner().delegation = Delegation::None;
    }));
}

#[test]
fn a_handoff_writes_the_owners_half_alone() {
    insta::assert_snapshot!(fresh(|world| {
        world.partner().reach = None;
        world.partner().delegation = Delegation::None;
        world.observed.entities.clear();
    }));
}

#[test]
fn an_account_that_cannot_be_reached_does_not_hold_up_the_owners_half() {
    insta::assert_snapshot!(fresh(|world| {
        for principal in [APP, ANNA] {
            world.observed.entities.insert(arn(principal), Err(refused("444455556666", "iam:GetRole", principal)));
        }
    }));
}

#[test]
fn what_drifted_is_put_back_and_nothing_else() {
    let gone = changed(|world| world.put_statements(&FOREIGN));
    let edited = changed(|world| world.edit_policy(r#""kms:Decrypt","#, ""));
    let principal = changed(|world| world.edit_policy(&format!("{APP:?},"), ""));
    let twice = changed(|world| world.put_statements(&[FOREIGN[0], OURS, OURS]));
    for page in [&gone, &edited, &principal, &twice] {
        assert_eq!(page, &gone);
    }
    let inline = changed(|world| world.entity(APP).inline.clear());
    let other = changed(|world| drop(world.entity(APP).inline.insert(POLICY.into(), Ok(PolicyDocument::empty()))));
    assert_eq!(inline, other);
    insta::assert_snapshot!([gone, inline].join("\n\n"));
}

#[test]
fn what_drifted_of_a_managed_policy_is_put_back_and_nothing_else() {
    let managed = |change: &dyn Fn(&mut World, &PolicyArn)| {
        let mut world = World::managed();
        let policy = world.desired.consumers[0].managed_policy(&world.desired.names, "aws".parse().unwrap());
        change(&mut world, &policy);
        page(&world.plan())
    };
    let detached = managed(&|world, policy| assert!(world.entity(APP).attached.remove(policy)));
    let switched = managed(&|world, policy| {
        let Some(Ok(ManagedPolicy::Present { document, .. })) = world.observed.managed.get_mut(policy) else {
            panic!("there is a policy")
        };
        *document = Ok(PolicyDocument::empty());
    });
    let deleted = managed(&|world, policy| {
        world.observed.managed.remove(policy);
        world.entity(APP).attached.clear();
        world.entity(ANNA).attached.clear();
    });
    insta::assert_snapshot!([detached, switched, deleted].join("\n\n"));
}

#[test]
fn a_consumer_that_left_the_spec_is_unshared_key_policy_first() {
    insta::assert_snapshot!(changed(|world| world.desired.consumers.clear()));
}

#[test]
fn a_managed_policy_is_detached_and_deleted_last() {
    let mut world = World::managed();
    world.desired.consumers.clear();
    insta::assert_snapshot!(page(&world.plan()));
}

#[test]
fn a_renamed_consumer_is_shared_anew_and_unshared_under_its_old_name() {
    insta::assert_snapshot!(changed(|world| world.partner().name = "friend".into()));
}

#[test]
fn another_way_to_delegate_stands_before_the_old_one_goes() {
    insta::assert_snapshot!(changed(|world| world.partner().delegation = Delegation::ManagedPolicy));
}

#[test]
fn an_object_without_consumers_leaves_nothing_of_it() {
    let mut world = World::shared();
    world.desired.consumers.clear();
    world.settle();
    assert_eq!(world.observed.document(), Some(&document(&FOREIGN)));
    assert!(world.entity(APP).inline.is_empty() && world.entity(ANNA).inline.is_empty());
    assert_eq!(world.record.targets, []);
    assert_eq!(page(&world.plan()), "");
}

#[test]
fn what_stands_as_it_has_to_and_is_not_known_is_adopted_without_a_write() {
    insta::assert_snapshot!(changed(|world| world.record.targets.clear()));
}

#[test]
fn observe_writes_nothing_whatever_differs() {
    for change in [
        |world: &mut World| world.put_statements(&FOREIGN),
        |world: &mut World| world.entity(APP).inline.clear(),
        |world: &mut World| world.desired.consumers.clear(),
        |world: &mut World| world.record.targets.clear(),
    ] {
        let page = changed(|world| {
            change(world);
            world.desired.mode = Mode::Observe;
        });
        assert_eq!(page, "");
    }
}

/// A second consumer that left the spec, so that there is something to revoke, and a change that asks for a write.
fn blocked(block: impl Fn(&mut World)) -> (Plan, World) {
    let mut world = World::shared();
    let other = account("other", "777788889999");
    world.exists("arn:aws:iam::777788889999:role/Old", "AROAOLD0000000000001");
    world.desired.consumers.push(consumer("old", &other, &["arn:aws:iam::777788889999:role/Old"]));
    world.settle();
    world.desired.consumers.pop();
    world.entity(APP).inline.clear();
    block(&mut world);
    (world.plan(), world)
}

#[test]
fn while_something_blocks_access_is_taken_away_and_none_is_given() {
    type Block<'a> = &'a dyn Fn(&mut World);
    let no_such_principal = |world: &mut World| {
        let missing = "arn:aws:iam::444455556666:role/Missing";
        world.partner().principals.push(arn(missing));
        world.observed.entities.insert(arn(missing), Ok(Entity::Absent { elsewhere: None }));
    };
    let conflict = |world: &mut World| {
        world.desired.consumers[0].name = "friend".into();
        let foreign = OURS.replace("orders/partner", "orders/friend").replace("kms:Decrypt", "kms:Verify");
        let ours = world.policy_text();
        let at = ours.find(r#"{"Sid":"SharedKey"#).unwrap();
        world.key_policy().document = Ok(parse(&format!("{}{foreign},{}", &ours[..at], &ours[at..])));
    };
    let cases: [(&str, Block<'_>); 6] = [
        ("KeyDisabled", &|world| world.metadata().state = "Disabled".into()),
        ("KeyPendingDeletion", &|world| world.metadata().state = "PendingDeletion".into()),
        ("KeyUnavailable", &|world| world.metadata().state = "PendingImport".into()),
        ("KeyNotShareable", &|world| world.metadata().aws_managed = true),
        ("PrincipalNotFound", &no_such_principal),
        ("OwnerConflict", &conflict),
    ];
    let mut pages = Vec::new();
    for (reason, block) in cases {
        let (plan, _) = blocked(block);
        assert_eq!(plan.blockers[0].reason.as_ref(), reason);
        assert!(plan.steps.iter().all(|step| step.action.revokes()), "{reason}");
        assert!(plan.steps.iter().any(|step| matches!(step.action, Action::PutKeyPolicy { .. })), "{reason}");
        assert!(plan.steps.iter().any(|step| matches!(step.action, Action::DeleteInlinePolicy { .. })), "{reason}");
        pages.push(page(&plan));
    }
    insta::assert_snapshot!(pages.join("\n\n"));
}

/// Somebody else's statement, whose role was deleted.
const ORPHAN: &str =
    r#"{"Sid":"Theirs","Effect":"Allow","Principal":{"AWS":"AROAXYZ0000000000001"},"Action":"kms:*","Resource":"*"}"#;

#[test]
fn a_key_policy_that_would_be_refused_stops_the_other_half_too() {
    let plan = {
        let mut world = World::fresh();
        world.put_statements(&[FOREIGN[0], ORPHAN]);
        world.plan()
    };
    assert!(plan.steps.is_empty());
    insta::assert_snapshot!(page(&plan));
}

#[test]
fn a_foreign_orphan_does_not_keep_the_other_half_from_being_unshared() {
    insta::assert_snapshot!(changed(|world| {
        world.put_statements(&[FOREIGN[0], ORPHAN, OURS]);
        world.desired.consumers.clear();
    }));
}

#[test]
fn what_a_write_of_ours_may_still_show_is_waited_for() {
    assert_eq!(
        changed(|world| {
            world.put_statements(&FOREIGN);
            world.key_policy().lagging = true;
            world.entity(APP).inline.clear();
            assert!(world.entity(APP).lagging.insert(POLICY.into()));
        }),
        ""
    );
}

const NEW_ID: &str = "AROAAPP0000000000002";

#[test]
fn a_recreated_principal_is_trusted_again_where_the_spec_says_so() {
    let healing = |world: &mut World| {
        world.recreate(APP, NEW_ID);
        world.desired.heal_recreated = true;
    };
    // IAM deletes inline policies with their role, so the other half is written again too (D§4.2).
    insta::assert_snapshot!(changed(healing));
    let mut world = World::shared();
    healing(&mut world);
    world.settle();
    assert_eq!(world.compare().findings, []);
    assert_eq!(world.record.unique_id(&arn(APP)), Some(NEW_ID));
}

#[test]
fn who_is_gone_cannot_be_trusted_again() {
    for heal_recreated in [false, true] {
        let mut world = World::shared();
        world.delete(APP);
        world.desired.heal_recreated = heal_recreated;
        assert_eq!(world.settle().steps.len(), 0);
        assert!(world.compare().left_out.contains_key(&arn(APP)));
    }
}

#[test]
fn foreign_orphans_go_with_a_write_where_the_spec_says_so_and_never_on_their_own() {
    let orphaned = |prune: bool, gone: bool| {
        let mut world = World::shared();
        let both = ORPHAN.replace(
            "\"AROAXYZ0000000000001\"",
            "[\"AROAXYZ0000000000001\",\"arn:aws:iam::111122223333:role/Auditor\"]",
        );
        let ours = if gone { vec![FOREIGN[0], &both, ORPHAN] } else { vec![FOREIGN[0], &both, ORPHAN, OURS] };
        world.put_statements(&ours);
        world.desired.prune_foreign_orphans = prune;
        world
    };
    assert_eq!(page(&orphaned(true, false).plan()), "");
    assert_eq!(orphaned(false, true).plan().blockers[0].reason, Reason::ForeignOrphan);
    let mut world = orphaned(true, true);
    insta::assert_snapshot!(page(&world.settle()));
    let texts: Vec<_> =
        world.observed.document().unwrap().statements().iter().map(|one| one.to_json().to_owned()).collect();
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn after_a_lost_ledger_what_stands_is_adopted_and_the_rest_is_written() {
    let lost = |change: &dyn Fn(&mut World)| {
        let mut world = World::shared();
        world.record = Record::default();
        change(&mut world);
        world
    };
    insta::assert_snapshot!(page(&lost(&|world| world.entity(ANNA).inline.clear()).plan()));
    let mut world = lost(&|_| {});
    let before = World::shared().record;
    world.settle();
    assert_eq!(world.record, before);
    world.entity(APP).inline.clear();
    assert_eq!(world.compare().findings[0].cause, Cause::Drift);
}

#[test]
fn a_managed_policy_is_adopted_with_its_attachments() {
    let mut world = World::managed();
    let before = std::mem::take(&mut world.record);
    let plan = world.settle();
    assert_eq!((plan.steps.len(), plan.adopts.len()), (0, before.targets.len()));
    let resources =
        |record: &Record| record.targets.iter().map(|target| target.resource.clone()).collect::<BTreeSet<_>>();
    assert_eq!(resources(&world.record), resources(&before));
}

#[test]
fn while_one_consumer_is_refused_nothing_is_given_what_it_has_stays_and_what_left_the_spec_goes() {
    let refusal =
        crate::resolve::Refusal { reason: Reason::NotAllowed, message: "no allow rule opens role/App".into() };
    let mut world = World::shared();
    world.desired.consumers.clear();
    assert!(!world.plan().steps.is_empty());
    world.desired.refused.insert("partner".into(), refusal.clone());
    assert_eq!(world.plan().steps.iter().map(|step| step.action.to_string()).collect::<Vec<_>>(), Vec::<String>::new());
    let mut world = World::shared();
    world.desired.consumers.clear();
    world.desired.refused.insert("another".into(), refusal);
    let plan = world.plan();
    assert_eq!(plan.blockers[0].reason, Reason::NotAllowed);
    assert!(plan.steps.len() == 3 && plan.steps.iter().all(|step| step.action.revokes()));
}
