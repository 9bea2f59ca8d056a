//! Whatever the spec asks and whatever happened in AWS: one reconcile mends it, everybody else's statements stay as they are, and
//! deletion leaves nothing of ours.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*, sample::select};
use sharedkey_api::Mode;
use sharedkey_policy::PolicyDocument;

use super::Finding;
use crate::{
    compare::testing::account,
    desired::Delegation,
    ledger::{Resource, State},
    observed::{Entity, ManagedPolicy},
    secret::{
        desired::DesiredReader,
        observed::{SecretKey, SourceReading, TargetReading},
        revoke::{Deletion, unshare},
        testing::{ANNA, APP, FOREIGN, KEY, OTHER_KEY, REPLICA_KEY, World, fingerprint, key, perform, reader},
    },
};

const OWN: &str = "arn:aws:iam::111122223333:role/Own";
const ALL: [&str; 3] = [APP, ANNA, OWN];
const THEIRS: &str = "EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE";

/// What a spec can ask.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the spec")]
struct Wish {
    readers: Vec<DesiredReader>,
    described: bool,
    value: Option<char>,
    other_key: bool,
    replicated: bool,
    target: bool,
}

fn wish() -> impl Strategy<Value = Wish> {
    let one = |name: &'static str| {
        let delegation = select(vec![Delegation::InlinePolicy, Delegation::ManagedPolicy, Delegation::None]);
        let accounts = vec![("partner", "444455556666", &[APP, ANNA][..]), ("home", "111122223333", &[OWN][..])];
        (select(accounts), vec(any::<bool>(), 2), delegation).prop_map(
            move |((way, id, members), chosen, delegation)| {
                let picked: Vec<&str> =
                    members.iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|(member, _)| *member).collect();
                let picked = if picked.is_empty() { members.to_vec() } else { picked };
                DesiredReader { delegation, ..reader(name, &account(way, id), &picked) }
            },
        )
    };
    let readers = (proptest::option::of(one("a")), proptest::option::of(one("b")));
    let value = proptest::option::of(select(vec!['a', 'b', 'c']));
    (readers, any::<bool>(), value, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |((a, b), described, value, other_key, replicated, target)| Wish {
            readers: a.into_iter().chain(b).collect(),
            described,
            value,
            other_key,
            replicated,
            target,
        },
    )
}

impl Wish {
    fn make(self, world: &mut World) {
        world.desired.readers = self.readers;
        world.desired.description = self.described.then(|| "Login".to_owned());
        world.desired.has_source = self.value.is_some();
        world.source = self.value.map_or(SourceReading::NotStated, |digit| SourceReading::Value(fingerprint(digit)));
        world.desired.key = Ok(key(if self.other_key { OTHER_KEY } else { KEY }));
        world.desired.replicas.clear();
        if self.replicated {
            world.desired.replicas.insert("us-east-1".parse().unwrap(), Ok(key(REPLICA_KEY)));
        }
        world.desired.target = self.target.then(|| "db-copy".to_owned());
        if self.target && world.aws.target == TargetReading::NotStated {
            world.aws.target = TargetReading::Missing;
        }
    }
}

/// Something that somebody else does, or that a crash does to the ledger.
#[derive(Clone, Copy, Debug)]
enum Damage {
    DropPolicy,
    Reword(&'static str, &'static str),
    DropInline(&'static str),
    DropManaged,
    Describe,
    Untag,
    ChangeKey,
    PutValue,
    RemoveReplica,
    EditTarget,
    DropTarget,
    DeleteSecret,
    LoseConfirmations,
    LoseLedger,
}

fn damage() -> impl Strategy<Value = Damage> {
    let words = select(vec![
        (r#""Effect":"Allow","Principal":{"AWS":"#, r#""Effect":"Deny","Principal":{"AWS":"#),
        ("secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"),
        ("role/App", "role/Mallory"),
    ]);
    prop_oneof![
        Just(Damage::DropPolicy),
        words.prop_map(|(from, to)| Damage::Reword(from, to)),
        select(ALL.to_vec()).prop_map(Damage::DropInline),
        Just(Damage::DropManaged),
        Just(Damage::Describe),
        Just(Damage::Untag),
        Just(Damage::ChangeKey),
        Just(Damage::PutValue),
        Just(Damage::RemoveReplica),
        Just(Damage::EditTarget),
        Just(Damage::DropTarget),
        Just(Damage::DeleteSecret),
        Just(Damage::LoseConfirmations),
        Just(Damage::LoseLedger),
    ]
}

impl Damage {
    /// Whether statements and policies of ours still are what the ledger, or a comparison with the spec, knows them to be.
    fn is_forgetful(self) -> bool {
        matches!(self, Self::LoseLedger)
    }

    fn inflict(self, world: &mut World) {
        match self {
            Self::DropPolicy => keep(world, |statement| (!is_ours(statement)).then(|| statement.to_owned())),
            Self::Reword(from, to) => keep(world, |statement| {
                Some(if is_ours(statement) { statement.replace(from, to) } else { statement.to_owned() })
            }),
            Self::DropInline(who) => world.entity(who).inline.clear(),
            Self::DropManaged => {
                world.aws.managed.clear();
                for entity in world.aws.entities.values_mut() {
                    if let Ok(Entity::Present(state)) = entity {
                        state.attached.clear();
                    }
                }
            }
            Self::LoseConfirmations => {
                world.record.targets.iter_mut().for_each(|target| target.state = State::Intended);
            }
            Self::LoseLedger => world.record.targets.clear(),
            Self::EditTarget => {
                if let TargetReading::Found { intact, .. } = &mut world.aws.target {
                    *intact = false;
                }
            }
            Self::DropTarget => {
                if world.aws.target != TargetReading::NotStated {
                    world.aws.target = TargetReading::Missing;
                }
            }
            Self::DeleteSecret => (world.aws.secret, world.aws.policy) = (None, None),
            of_secret => {
                if world.aws.secret.is_some() {
                    of_secret.to_secret(world);
                }
            }
        }
    }

    fn to_secret(self, world: &mut World) {
        match self {
            Self::Describe => world.secret().description = Some("Theirs".into()),
            Self::Untag => world.secret().tags.clear(),
            Self::ChangeKey => {
                world.secret().key = SecretKey::Key("arn:aws:kms:eu-west-1:111122223333:key/x".parse().unwrap());
            }
            Self::PutValue => world.aws.put(THEIRS.into()),
            Self::RemoveReplica => world.secret().replicas.clear(),
            other => unreachable!("{other:?} is no damage to the secret"),
        }
    }
}

fn is_ours(statement: &str) -> bool {
    statement.contains(r#""Sid":"SharedKey"#)
}

fn statements(world: &World) -> Vec<String> {
    let policy = world.aws.policy.iter();
    policy.flat_map(PolicyDocument::statements).map(|statement| statement.to_json().to_owned()).collect()
}

fn keep(world: &mut World, change: impl Fn(&str) -> Option<String>) {
    let kept: Vec<String> = statements(world).iter().filter_map(|statement| change(statement)).collect();
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, kept.join(","));
    world.aws.policy = (!kept.is_empty()).then(|| PolicyDocument::parse(&text).unwrap());
}

fn foreign(world: &World) -> Vec<String> {
    statements(world).into_iter().filter(|statement| !is_ours(statement)).collect()
}

fn world(wish: Wish) -> World {
    let mut world = World::fresh();
    world.aws.exists(OWN, "AROAOWN0000000000001");
    wish.make(&mut world);
    world.settle();
    world.add_foreign(FOREIGN);
    world
}

fn damaged(before: Wish, damages: Vec<Damage>) -> World {
    let mut world = world(before);
    // Whose a secret is without tags and without a ledger, nobody can tell.
    let untagged = damages.iter().any(|damage| matches!(damage, Damage::Untag));
    for damage in damages.into_iter().filter(|damage| !(untagged && damage.is_forgetful())) {
        damage.inflict(&mut world);
    }
    // A statement that the ledger does not know and that says something else needs somebody's decision.
    world.desired.take_over = true;
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn one_reconcile_mends_what_a_write_of_ours_mends(
        before in wish(),
        damages in vec(damage(), 0..6),
        after in wish(),
    ) {
        let mut world = damaged(before, damages);
        let theirs = foreign(&world);
        after.make(&mut world);
        let plans = world.settle();
        prop_assert_eq!(foreign(&world), theirs);
        prop_assert_eq!(&plans.last().unwrap().plan.blockers, &vec![]);
        // A target is written after the value, and versions are looked at after they were moved.
        world.settle();
        let compared = world.compare();
        prop_assert!(!compared.findings.iter().any(Finding::is_mendable), "{:?}", compared.findings);
        let quiet = world.plan();
        prop_assert_eq!((quiet.plan.steps.len(), quiet.plan.adopts.len(), quiet.target), (0, 0, None));
    }

    #[test]
    fn a_reconcile_that_dies_after_any_step_is_finished_by_the_next(before in wish(), after in wish(), died in 0_usize..8) {
        let mut world = world(before);
        after.make(&mut world);
        let plan = world.plan();
        plan.plan.adopts.iter().for_each(|target| world.record.confirm(target.clone()));
        for target in plan.plan.steps.iter().flat_map(|step| &step.records) {
            world.record.intend(target.clone());
        }
        for step in plan.plan.steps.iter().take(died) {
            perform(&mut world, &step.action);
        }
        let versions = world.aws.versions.len();
        world.settle();
        world.settle();
        let compared = world.compare();
        prop_assert!(!compared.findings.iter().any(Finding::is_mendable), "{:?}", compared.findings);
        prop_assert!(world.aws.versions.len() <= versions + 1);
    }

    #[test]
    fn observe_finds_the_same_and_writes_nothing(before in wish(), damages in vec(damage(), 0..6)) {
        let mut world = damaged(before, damages);
        let kinds = |world: &World| world.compare().findings.iter().map(|finding| finding.kind).collect::<BTreeSet<_>>();
        let enforced = kinds(&world);
        world.desired.mode = Mode::Observe;
        let plan = world.plan();
        prop_assert_eq!((plan.plan.steps.len(), plan.target), (0, None));
        let mut watched = kinds(&world);
        // Tags of ours are asked for in Enforce alone, where they say whose it is.
        watched.extend(enforced.contains(&sharedkey_api::DriftKind::TagsChanged).then_some(sharedkey_api::DriftKind::TagsChanged));
        prop_assert_eq!(watched, enforced);
    }

    #[test]
    fn deletion_leaves_nothing_of_ours(before in wish(), damages in vec(damage(), 0..6), delete in any::<bool>()) {
        let mut world = damaged(before, damages);
        world.settle();
        let theirs = foreign(&world);
        let deletion = if delete { Deletion::Delete { window_days: 7 } } else { Deletion::Retain };
        for step in unshare(&world.record, &world.desired.names, |_| deletion) {
            perform(&mut world, &step.action);
            step.forgets.iter().for_each(|resource| world.record.forget(resource));
        }
        prop_assert_eq!(statements(&world), theirs);
        for entity in world.aws.entities.values() {
            if let Ok(Entity::Present(state)) = entity {
                prop_assert!(state.inline.is_empty() && state.attached.is_empty(), "{:?}", state);
            }
        }
        let gone = |managed: &_| matches!(managed, &Ok(ManagedPolicy::Absent { .. }));
        prop_assert!(world.aws.managed.values().all(gone));
        let left: Vec<&Resource> = world.record.targets.iter().map(|target| &target.resource).collect();
        prop_assert!(left.is_empty(), "{left:?}");
        let secret = world.secret();
        prop_assert_eq!(secret.deletion.is_some(), delete);
        prop_assert!(delete || !secret.tags.keys().any(|key| key.starts_with("sharedkey.dev/")));
    }
}
