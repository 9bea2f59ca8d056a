//! What a quiet sweep of one object computes: compare, plan. In key policies of 1, 8 and 32 KB, of which the largest names 400 principals;
//! once for an object that shares the key with eight of them, beside others that share it with the rest, and once for the largest
//! object that the API accepts.

use std::collections::BTreeMap;

use divan::{Bencher, counter::BytesCount};
use sharedkey_api::{DeletionPolicy, Mode, limits};
use sharedkey_engine::{
    compare::compare,
    desired::{Account, Conditions, Delegation, Desired, DesiredConsumer, DesiredKey, KeySource, Trust},
    ledger::{CONTENDED_WITHIN, Record, Resource, State, Target},
    names::{Names, ObjectName},
    observed::{Entity, EntityState, KeyMetadata, KeyObservation, KeyPolicy, Observed},
    plan::{Clock, plan},
};
use sharedkey_policy::{
    AttachedDocument, EntityArn, IdentityPolicies, KeyArn, NormalContext, Partition, PolicyDocument, Statement,
    document_fingerprint, fingerprint,
};

/// The operator's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const KILOBYTES: [usize; 3] = [1, 8, 32];
/// Principals of one consumer, and so of one statement.
const PRINCIPALS: usize = 8;

fn main() {
    divan::main();
}

#[divan::bench(args = KILOBYTES)]
fn one_object_of_many(bencher: Bencher<'_, '_>, kilobytes: usize) {
    measure(bencher, kilobytes, 1);
}

#[divan::bench(args = KILOBYTES)]
fn the_largest_object(bencher: Bencher<'_, '_>, kilobytes: usize) {
    measure(bencher, kilobytes, limits::PRINCIPALS / PRINCIPALS);
}

/// Compares and plans for an object with so many consumers, fewer where the policy is too small for them.
fn measure(bencher: Bencher<'_, '_>, kilobytes: usize, consumers: usize) {
    let world = World::new(kilobytes, consumers);
    let clock = Clock { now: 1_800_000_000, contended_within: CONTENDED_WITHIN };
    bencher.counter(BytesCount::new(world.bytes)).bench(|| {
        let World { desired, observed, record, .. } = divan::black_box(&world);
        let comparison = compare(desired, observed, record);
        let plan = plan(desired, observed, record, &comparison, clock);
        assert!(comparison.findings.is_empty() && plan.steps.is_empty(), "everything is in place: {comparison:?}");
    });
}

/// An object with everything in place, in a key policy that it fills together with others.
struct World {
    desired: Desired,
    observed: Observed,
    record: Record,
    bytes: usize,
}

impl World {
    fn new(kilobytes: usize, consumers: usize) -> Self {
        let key: KeyArn = parsed(KEY);
        let account = account("owner", "111122223333");
        let ours = names("orders");
        let mut statements = Vec::new();
        let mut own = Vec::new();
        while PolicyDocument::from_statements(statements.clone()).size() < kilobytes * 1024 {
            let consumer = consumer(statements.len());
            let others = names(&format!("others-{}", statements.len()));
            let of = if own.len() < consumers { &ours } else { &others };
            statements.extend(consumer.key_statements(of, Partition::Aws, &BTreeMap::new()));
            if own.len() < consumers {
                own.push(consumer);
            }
        }
        let document = PolicyDocument::from_statements(statements.clone());
        let entities = own.iter().flat_map(|consumer| holders(consumer, &ours, &key));
        Self {
            bytes: document.size(),
            record: Record { targets: targets(&own, &ours, &key, &statements), ..Record::default() },
            observed: Observed {
                key: KeyObservation {
                    arn: Ok(Some(key.clone())),
                    alias_target: None,
                    metadata: Ok(Some(metadata())),
                    policy: Ok(Some(KeyPolicy { document: Ok(document), lagging: false })),
                },
                entities: entities.map(|(arn, state)| (arn, Ok(Entity::Present(state)))).collect(),
                managed: BTreeMap::new(),
            },
            desired: Desired {
                names: ours,
                key: DesiredKey { account, region: parsed("eu-west-1"), source: KeySource::Key(key) },
                consumers: own,
                mode: Mode::Enforce,
                deletion_policy: DeletionPolicy::Revoke,
                take_over: false,
                heal_recreated: false,
                prune_foreign_orphans: false,
                quotas: BTreeMap::new(),
                refused: BTreeMap::new(),
            },
        }
    }
}

fn parsed<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| unreachable!("{text} is well formed"))
}

fn account(name: &str, id: &str) -> Account {
    Account { name: name.to_owned(), id: parsed(id) }
}

fn names(object: &str) -> Names {
    Names::new(parsed("prod"), ObjectName { namespace: "team".to_owned(), name: object.to_owned() })
}

fn consumer(number: usize) -> DesiredConsumer {
    let principals =
        (0..PRINCIPALS).map(|one| parsed(&format!("arn:aws:iam::444455556666:role/team-{number}/App{one}")));
    let actions = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"];
    let reach = account("partner", "444455556666");
    DesiredConsumer {
        name: format!("c{number}"),
        account: reach.id.clone(),
        reach: Some(reach),
        trust: Trust::Principals,
        principals: principals.collect(),
        opened: vec!["*".to_owned()],
        actions: actions.map(str::to_owned).into(),
        conditions: Conditions::default(),
        aws_service_grants: false,
        delegation: Delegation::InlinePolicy,
    }
}

fn metadata() -> KeyMetadata {
    KeyMetadata {
        state: "Enabled".to_owned(),
        aws_managed: false,
        usage: "ENCRYPT_DECRYPT".to_owned(),
        spec: "SYMMETRIC_DEFAULT".to_owned(),
        deletion_date: None,
    }
}

fn unique_id(principal: &EntityArn) -> String {
    let name: String = principal.resource().chars().filter(char::is_ascii_alphanumeric).collect();
    format!("AROA{:0>17}", name.to_ascii_uppercase())
}

/// The principals of a consumer, with our policy on each.
fn holders(consumer: &DesiredConsumer, names: &Names, key: &KeyArn) -> Vec<(EntityArn, EntityState)> {
    let document = consumer.delegation_document(key);
    let name = names.policy_name(&consumer.name);
    let state = |principal: &EntityArn| EntityState {
        unique_id: unique_id(principal),
        inline: BTreeMap::from([(name.clone(), Ok(document.clone()))]),
        policies: IdentityPolicies {
            policies: vec![AttachedDocument { name: format!("inline policy {name}"), document: document.clone() }],
            boundary: None,
        },
        ..EntityState::default()
    };
    consumer.principals.iter().map(|principal| (principal.clone(), state(principal))).collect()
}

/// What the ledger knows of all that.
fn targets(consumers: &[DesiredConsumer], names: &Names, key: &KeyArn, statements: &[Statement]) -> Vec<Target> {
    let context = NormalContext::new(Partition::Aws);
    let mut targets = Vec::new();
    for (consumer, statement) in consumers.iter().zip(statements) {
        let target = |resource: Resource, account_ref: &str, fingerprint: String| Target {
            resource,
            consumer: consumer.name.clone(),
            account_ref: account_ref.to_owned(),
            state: State::Applied,
            fingerprint,
            principals: BTreeMap::new(),
            undone: Vec::new(),
        };
        let sid = statement.sid().unwrap_or_default().to_owned();
        let ids = consumer.principals.iter().map(|principal| (principal.clone(), unique_id(principal))).collect();
        let stated = target(Resource::Statement { key: key.clone(), sid }, "owner", fingerprint(statement, &context));
        targets.push(Target { principals: ids, ..stated });
        let delegated = document_fingerprint(&consumer.delegation_document(key), &context);
        let resources = consumer.principals.iter().flat_map(|principal| consumer.delegated_by(names, principal));
        targets.extend(resources.map(|resource| target(resource, "partner", delegated.clone())));
    }
    targets
}
