//! What conditions say in which situation, in both modes: the table of docs/conditions.md.

use insta::assert_snapshot;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use sharedkey_api::{ExternalSecretStatus, Mode, conditions::Reason};

use crate::{
    compare::testing::refused,
    plan::Blocker,
    problem::{Class, Trouble},
    resolve::refuse,
    secret::{
        observed::{SecretKey, SourceReading, TargetReading},
        testing::{APP, KEY, OTHER_ALIAS, OTHER_KEY, World, unread},
    },
};

const NOBODY: &str = "arn:aws:iam::444455556666:role/Nobody";

type Situation = (&'static str, fn() -> World);

/// A change of what is in place.
fn in_place(change: fn(&mut World)) -> World {
    let mut world = World::complete();
    world.reconcile("10:00:00");
    change(&mut world);
    world
}

/// A change of what is to be made.
fn fresh(change: fn(&mut World)) -> World {
    let mut world = World::fresh();
    world.desired.target = Some("db-copy".into());
    world.aws.target = TargetReading::Missing;
    change(&mut world);
    world
}

fn made_by_others(world: &mut World) {
    let desired = world.desired.clone();
    world.aws.made_by_others(&desired);
}

fn no_source(world: &mut World) {
    world.source = SourceReading::Failed(trouble(Reason::SecretAccessNotGranted));
}

fn trouble(reason: Reason) -> Trouble {
    Trouble { reason, message: "as told".into(), class: Class::UserActionNeeded }
}

fn disable_the_key(world: &mut World) {
    let key = world.aws.keys.get_mut(&KEY.parse().unwrap()).unwrap();
    key.metadata.as_mut().unwrap().as_mut().unwrap().state = "Disabled".into();
}

#[rustfmt::skip]
const SITUATIONS: &[Situation] = &[
    ("all is well", || in_place(|_| {})),
    ("there is no secret yet", || fresh(|_| {})),
    ("key, value, policy and target were changed", || in_place(|world| {
        world.secret().key = SecretKey::Key(OTHER_KEY.parse().unwrap());
        world.aws.put("EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE".into());
        world.aws.policy = None;
        world.entity(APP).inline.clear();
        world.aws.target = TargetReading::Missing;
    })),
    ("the secret was deleted", || in_place(|world| { world.aws.secret = None; world.aws.policy = None; })),
    ("the secret is scheduled for deletion", || in_place(|world| world.secret().deletion = Some("2026-12-01T00:00:00Z".into()))),
    ("the same, with restoreDeleted", || in_place(|world| { world.desired.restore = true; world.secret().deletion = Some("2026-12-01T00:00:00Z".into()); })),
    ("it cannot be found out which key encrypts the secret", || in_place(|world| world.secret().key = unread(OTHER_ALIAS))),
    ("a secret of the name exists", || fresh(made_by_others)),
    ("a secret of the name exists, with adopt: IfExists", || fresh(|world| { world.desired.adopt = true; made_by_others(world); })),
    ("a secret of the name is somebody else's", || fresh(|world| { world.desired.adopt = true; made_by_others(world); world.secret().owning_service = Some("rds".into()); })),
    ("the SharedKey does not exist, and the secret does", || in_place(|world| world.desired.key = refuse(Reason::SharedKeyNotFound, "as told"))),
    ("the operator's role is no consumer of the key", || fresh(|world| world.desired.waits.push(Blocker { reason: Reason::WriterNotConsumer, message: "as told".into() }))),
    ("the same, and the secret exists", || in_place(|world| world.desired.waits.push(Blocker { reason: Reason::WriterNotConsumer, message: "as told".into() }))),
    ("the SharedKey does not let it use the key yet", || fresh(|world| world.desired.waits.push(Blocker { reason: Reason::SharedKeyNotReady, message: "as told".into() }))),
    ("the key is disabled", || in_place(disable_the_key)),
    ("the source cannot be read, and there is no secret yet", || fresh(no_source)),
    ("the source cannot be read", || in_place(no_source)),
    ("the target is somebody else's", || in_place(|world| world.aws.target = TargetReading::NotOwned { message: "as told".into() })),
    ("there is no value to write to the target", || fresh(|world| { world.desired.has_source = false; world.source = SourceReading::NotStated; })),
    ("a reader does not exist and never read", || fresh(|world| world.delete(APP))),
    ("the same, and the secret exists", || in_place(|world| { world.partner().principals.push(NOBODY.parse().unwrap()); world.delete(NOBODY); })),
    ("a reader was deleted", || in_place(|world| world.delete(APP))),
    ("a reader was deleted and created again", || in_place(|world| world.recreate(APP, "AROAEXAMPLE0000000009"))),
    ("a reader may not use the key", || in_place(|world| world.entity(APP).policies.policies.retain(|_| false))),
    ("AWS refuses the operator a reader", || in_place(|world| { world.aws.entities.insert(APP.parse().unwrap(), Err(refused("444455556666", "iam:GetRole", APP))); })),
    ("AWS replicates", || in_place(|world| world.secret().replicas.values_mut().for_each(|replica| replica.status = "InProgress".into()))),
    ("AWS could not replicate", || in_place(|world| { world.secret().replicas.values_mut().for_each(|replica| replica.status = "Failed".into()); })),
    ("versions stay on another key", || in_place(|world| { world.aws.may_encrypt = false; world.secret().key = SecretKey::Key(OTHER_KEY.parse().unwrap()); world.aws.versions.values_mut().for_each(|key| *key = OTHER_KEY.parse().unwrap()); })),
];

/// `Ready`, and of the others what does not say that all is well.
fn told(status: &ExternalSecretStatus) -> String {
    let well = |condition: &&Condition| {
        condition.type_ == "Ready"
            || condition.status != "True"
            || ["Reconciling", "Stalled"].contains(&&*condition.type_)
    };
    let told = |condition: &Condition| format!("{}={}/{}", condition.type_, condition.status, condition.reason);
    status.conditions.iter().filter(well).map(told).collect::<Vec<_>>().join(" ")
}

#[test]
fn situations_are_told_as_the_docs_say() {
    let mut page = Vec::new();
    for (name, situation) in SITUATIONS {
        page.push(format!("{name}:"));
        for mode in [Mode::Enforce, Mode::Observe] {
            let mut world = situation();
            world.desired.mode = mode;
            page.push(format!("  {mode}: {}", told(&world.reconcile("10:10:00").status)));
        }
    }
    assert_snapshot!(page.join("\n"));
}
