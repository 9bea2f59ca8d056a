//! Whatever the spec asks and whatever happened in AWS: one plan mends it, everybody else's statements stay as they are, and
//! deletion leaves nothing of ours.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*, sample::select};
use sharedkey_api::{DriftKind, Mode};
use sharedkey_policy::{Effect, EntityArn, PolicyDocument, expand, root_arn};

use crate::{
    compare::testing::{ANNA, APP, FOREIGN, World, account, arn, consumer, parse},
    desired::{Delegation, DesiredConsumer, Trust},
    ledger::State,
    names::Part,
    observed::{Entity, ManagedPolicy},
};

const BOB: &str = "arn:aws:iam::444455556666:role/team/Bob";
const EVE: &str = "arn:aws:iam::777788889999:role/Eve";
const OWN: &str = "arn:aws:iam::111122223333:role/Own";
const ALL: [&str; 5] = [APP, ANNA, BOB, EVE, OWN];

/// A consumer, as the bits of a spec.
fn consumers() -> impl Strategy<Value = Vec<DesiredConsumer>> {
    let accounts = [
        ("partner", "444455556666", &[APP, ANNA, BOB][..]),
        ("other", "777788889999", &[EVE]),
        ("owner", "111122223333", &[OWN]),
    ];
    let one = |name: &'static str| {
        let delegation = select(vec![Delegation::InlinePolicy, Delegation::ManagedPolicy, Delegation::None]);
        let condition = (any::<bool>(), any::<bool>(), any::<bool>());
        (select(accounts.to_vec()), vec(any::<bool>(), 3), any::<bool>(), delegation, any::<bool>(), condition)
            .prop_map(
                move |((reference, id, members), chosen, whole, delegation, decrypt, (context, grants, handoff))| {
                    let mut wanted = consumer(name, &account(reference, id), &[]);
                    let picked = members.iter().zip(chosen).filter_map(|(member, chosen)| chosen.then_some(*member));
                    wanted.principals = picked.map(arn).collect();
                    if whole || wanted.principals.is_empty() {
                        wanted.trust = Trust::Account;
                    }
                    wanted.delegation = delegation;
                    wanted.aws_service_grants = grants;
                    if decrypt {
                        wanted.actions = ["kms:Decrypt".to_owned(), "kms:DescribeKey".to_owned()].into();
                    }
                    if context {
                        wanted.conditions.encryption_context.insert("tenant".into(), "a".into());
                    }
                    if handoff && !grants {
                        wanted.reach = None;
                        wanted.delegation = Delegation::None;
                    }
                    wanted
                },
            )
    };
    (proptest::option::of(one("a")), proptest::option::of(one("b"))).prop_map(|(a, b)| a.into_iter().chain(b).collect())
}

/// Something that somebody else does, or that a crash does to the ledger.
#[derive(Clone, Debug)]
enum Damage {
    DropStatements,
    ReplacePolicy,
    Reword(&'static str, &'static str),
    Duplicate,
    TakeOut(&'static str),
    DropInline(&'static str),
    EditInline(&'static str),
    Detach(&'static str),
    DropManaged,
    SwitchVersion,
    Delete(&'static str),
    Recreate(&'static str),
    LoseConfirmations,
}

fn damage() -> impl Strategy<Value = Damage> {
    let who = || select(ALL.to_vec());
    let words = select(vec![
        (r#""Effect":"Allow","Principal":{"AWS":"#, r#""Effect":"Deny","Principal":{"AWS":"#),
        (r#""kms:Decrypt""#, r#""kms:Verify""#),
        (r#"["kms:Decrypt""#, r#"["kms:PutKeyPolicy","kms:Decrypt""#),
        ("role/App", "role/Mallory"),
        (r#""kms:EncryptionContext:tenant":"a""#, r#""kms:EncryptionContext:tenant":"b""#),
        (r#""kms:ReEncrypt*""#, r#""kms:ReEncryptFrom","kms:ReEncryptTo""#),
    ]);
    prop_oneof![
        Just(Damage::DropStatements),
        Just(Damage::ReplacePolicy),
        words.prop_map(|(from, to)| Damage::Reword(from, to)),
        Just(Damage::Duplicate),
        who().prop_map(Damage::TakeOut),
        who().prop_map(Damage::DropInline),
        who().prop_map(Damage::EditInline),
        who().prop_map(Damage::Detach),
        Just(Damage::DropManaged),
        Just(Damage::SwitchVersion),
        who().prop_map(Damage::Delete),
        who().prop_map(Damage::Recreate),
        Just(Damage::LoseConfirmations),
    ]
}

impl Damage {
    fn inflict(self, world: &mut World, serial: usize) {
        let every_inline = |world: &mut World, who: &str, change: &dyn Fn(&mut PolicyDocument)| {
            if let Some(Ok(Entity::Present(state))) = world.observed.entities.get_mut(&arn(who)) {
                state.inline.values_mut().flatten().for_each(change);
            }
        };
        match self {
            Self::DropStatements => reword(world, |statement| (!is_ours(statement)).then(|| statement.to_owned())),
            Self::ReplacePolicy => world.put_statements(&FOREIGN[..1]),
            Self::Reword(from, to) => reword(world, |statement| {
                Some(if is_ours(statement) { statement.replace(from, to) } else { statement.to_owned() })
            }),
            Self::Duplicate => {
                let ours: Vec<String> = statements(world).into_iter().filter(|statement| is_ours(statement)).collect();
                let all: Vec<String> = statements(world).into_iter().chain(ours).collect();
                world.put_statements(&all.iter().map(String::as_str).collect::<Vec<_>>());
            }
            Self::TakeOut(who) => reword(world, |statement| {
                let shorter = statement.replace(&format!("{who:?},"), "");
                Some(if is_ours(statement) { shorter } else { statement.to_owned() })
            }),
            Self::DropInline(who) => {
                if let Some(Ok(Entity::Present(state))) = world.observed.entities.get_mut(&arn(who)) {
                    state.inline.clear();
                }
            }
            Self::EditInline(who) => {
                let edited =
                    |document: &mut PolicyDocument| *document = parse(&document.to_json().replace("Allow", "Deny"));
                every_inline(world, who, &edited);
            }
            Self::Detach(who) => {
                if let Some(Ok(Entity::Present(state))) = world.observed.entities.get_mut(&arn(who)) {
                    state.attached.clear();
                }
            }
            Self::DropManaged => {
                world.observed.managed.clear();
                for entity in world.observed.entities.values_mut() {
                    if let Ok(Entity::Present(state)) = entity {
                        state.attached.clear();
                    }
                }
            }
            Self::SwitchVersion => {
                for managed in world.observed.managed.values_mut() {
                    if let Ok(ManagedPolicy::Present { document, .. }) = managed {
                        *document = Ok(PolicyDocument::empty());
                    }
                }
            }
            Self::Delete(who) => world.delete(who),
            Self::Recreate(who) => world.recreate(who, &format!("AROANEW{serial:013}")),
            Self::LoseConfirmations => {
                world.record.targets.iter_mut().for_each(|target| target.state = State::Intended);
            }
        }
    }
}

fn is_ours(statement: &str) -> bool {
    statement.contains("SharedKey/prod/")
}

fn statements(world: &World) -> Vec<String> {
    world.observed.document().unwrap().statements().iter().map(|statement| statement.to_json().to_owned()).collect()
}

fn reword(world: &mut World, change: impl Fn(&str) -> Option<String>) {
    let changed: Vec<String> = statements(world).iter().filter_map(|statement| change(statement)).collect();
    world.put_statements(&changed.iter().map(String::as_str).collect::<Vec<_>>());
}

fn foreign(world: &World) -> Vec<String> {
    statements(world).into_iter().filter(|statement| !is_ours(statement)).collect()
}

fn world(consumers: Vec<DesiredConsumer>) -> World {
    let mut world = World::fresh();
    world.desired.consumers = consumers;
    for (index, who) in [BOB, EVE, OWN].into_iter().enumerate() {
        world.exists(who, &format!("AROAOTHER{index:011}"));
    }
    world
}

/// Whom our statements name although the spec does not, or although the ledger trusted another one.
fn named_without_trust(world: &World) -> Vec<EntityArn> {
    let ours = world.observed.document().unwrap().statements().iter().filter(|one| is_ours(one.to_json()));
    let left_out = world.compare().left_out;
    let strangers = ours.flat_map(|statement| {
        let of_sid = |consumer: &&DesiredConsumer| {
            Part::ALL
                .iter()
                .any(|part| statement.sid() == Some(world.desired.names.sid(&consumer.name, *part).as_str()))
        };
        let asked = world.desired.consumers.iter().find(of_sid).map_or(&[][..], |consumer| &consumer.principals);
        let exists = |name: &EntityArn| world.observed.entity(name).is_some();
        let named = statement.aws_principals().filter_map(|name| name.parse::<EntityArn>().ok()).filter(exists);
        named.filter(|name| left_out.contains_key(name) || !asked.contains(name)).collect::<Vec<_>>()
    });
    strangers.collect()
}

/// What our statements let somebody do, and under which conditions.
type Given = BTreeSet<(String, &'static str, String)>;

fn given(world: &World) -> Given {
    let ours = world.observed.document().unwrap().statements().iter().filter(|one| is_ours(one.to_json()));
    let mut given = Given::new();
    for statement in ours.filter(|statement| statement.effect() == Effect::Allow) {
        let actions = statement.actions().unwrap().patterns.iter().flat_map(|pattern| expand(pattern));
        let conditions = format!("{:?}", statement.conditions());
        for action in actions {
            given.extend(statement.aws_principals().map(|name| (name.to_owned(), action, conditions.clone())));
        }
    }
    given
}

/// Whether somebody could do it before: by his name, or with his whole account.
fn stood(before: &Given, (name, action, conditions): &(String, &'static str, String)) -> bool {
    let account = name.parse::<EntityArn>().map(|arn| root_arn(arn.partition(), arn.account()));
    let ways = [Some(name.clone()), account.ok(), Some("*".to_owned())];
    ways.into_iter().flatten().any(|way| before.contains(&(way, action, conditions.clone())))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn one_plan_mends_what_a_write_of_ours_mends(
        before in consumers(),
        damages in vec(damage(), 0..6),
        after in consumers(),
        died in any::<bool>(),
    ) {
        let mut world = world(before);
        world.settle();
        for (serial, damage) in damages.into_iter().enumerate() {
            damage.inflict(&mut world, serial);
        }
        let theirs = foreign(&world);
        world.desired.consumers = after;
        if died {
            // A reconcile that ended before its first write.
            world.forget_who_left();
        }
        let before = given(&world);
        let plan = world.settle();
        prop_assert_eq!(foreign(&world), theirs);
        if plan.blockers.is_empty() {
            let compared = world.compare();
            prop_assert!(!compared.findings.iter().any(super::Finding::is_mendable), "{:?}", compared.findings);
            prop_assert_eq!(world.plan().steps.len(), 0);
            prop_assert_eq!(named_without_trust(&world), vec![]);
        } else {
            for after in given(&world) {
                prop_assert!(stood(&before, &after), "{after:?}");
            }
            let never_was = |reason: &super::Reason| *reason == super::Reason::PrincipalNotFound;
            prop_assert!(plan.blockers.iter().all(|blocker| never_was(&blocker.reason)), "{:?}", plan.blockers);
            prop_assert!(world.compare().findings.iter().any(|finding| finding.kind == DriftKind::EntityMissing));
        }
    }

    #[test]
    fn observe_finds_the_same_and_writes_nothing(before in consumers(), damages in vec(damage(), 0..6)) {
        let mut world = world(before);
        world.settle();
        for (serial, damage) in damages.into_iter().enumerate() {
            damage.inflict(&mut world, serial);
        }
        let enforced = world.compare().findings;
        world.desired.mode = Mode::Observe;
        prop_assert_eq!(world.plan().steps.len(), 0);
        prop_assert_eq!(world.compare().findings, enforced);
    }

    #[test]
    fn deletion_leaves_nothing_of_ours(before in consumers(), damages in vec(damage(), 0..6)) {
        let mut world = world(before);
        world.settle();
        for (serial, damage) in damages.into_iter().enumerate() {
            damage.inflict(&mut world, serial);
        }
        let theirs = foreign(&world);
        world.desired.consumers.clear();
        world.settle();
        prop_assert_eq!(statements(&world), theirs);
        for entity in world.observed.entities.values() {
            if let Ok(Entity::Present(state)) = entity {
                prop_assert!(state.inline.is_empty() && state.attached.is_empty(), "{:?}", state);
            }
        }
        let gone = |managed: &_| matches!(managed, &Ok(ManagedPolicy::Absent { .. }));
        prop_assert!(world.observed.managed.values().all(gone));
        prop_assert_eq!(&world.record.targets, &vec![]);
    }
}
