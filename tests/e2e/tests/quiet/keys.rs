//! SharedKeys over AWS as it is on a quiet day: principals in another order at each read, and reads that lag behind every write, the
//! operator's own and those of another team.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use kube::{ResourceExt as _, api::ListParams};
use serde_json::{Value, json};
use sharedkey_api::conditions::Reason;
use sharedkey_e2e::{History, Service, Stage, allowed, is_for, key_document, reconciles, spec, statuses_written};
use sharedkey_harness::wait_for;

use crate::{ALONE, INTERVAL, LONGEST, SWEEPS, asked, by_operator, end, is_about};

const KIND: &str = "SharedKey";
/// How long reads of both accounts show the past after a write.
const LAG: Duration = Duration::from_secs(2);

/// What one sweep of all objects asks: two keys, the policy of each once for all objects on it; three roles, of which the
/// first has two inline policies of ours and a managed one; a user. The version of the managed policy is known for ever.
const ONE_SWEEP: [(&str, u32); 12] = [
    ("DescribeKey", 2),
    ("GetKeyPolicy", 2),
    ("GetPolicy", 1),
    ("GetRole", 3),
    ("GetRolePolicy", 4),
    ("GetUser", 1),
    ("GetUserPolicy", 1),
    ("ListAttachedRolePolicies", 3),
    ("ListAttachedUserPolicies", 1),
    ("ListGroupsForUser", 1),
    ("ListRolePolicies", 3),
    ("ListUserPolicies", 1),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_quiet_sweeps_report_nothing_write_nothing_and_ask_what_the_docs_say() -> Result<()> {
    let _alone = ALONE.lock().await;
    // Given two keys that four objects share, in accounts whose reads lag and go to and fro
    let service = Service::start(INTERVAL, &[]).await?;
    let stage = Stage::on(&service.home, "aws-cn").await?;
    let objects = objects(&stage).await?;
    principals_are_shuffled(&stage).await?;
    for account in [&stage.owner.account, &stage.partner.account] {
        service.home.world.aws.set_lag(account, LAG, true).await?;
    }
    let seen = History::from_now_on(stage.keys());
    try_join_all(objects.iter().map(|(name, spec)| stage.share(name, spec.clone()))).await?;
    try_join_all(objects.iter().map(|(name, _)| stage.ready(name))).await?;
    allowed(&stage.as_role().await?, &stage.probe().await?).await?;
    ensure!(seen.any(|status| is_for(status, "Reconciling", "True", Reason::Propagating)), "reads have lagged");

    // When no answer shows what was before our own writes, and each object has been swept a thousand times while another team
    // writes to the key so often that reads of its policy never stop to go to and fro
    let objects = f64::from(u32::try_from(objects.len())?);
    settled(&service, &stage, objects).await?;
    let mut another_team = AnotherTeam::on(&stage).await?;
    let before = versions(&stage).await?;
    let start = service.operator.metrics().await?;
    service.home.world.aws.forget(&by_operator()).await?;
    let sweeps = wait_for("a thousand sweeps", LONGEST, async || {
        let sweeps = (reconciles(&service.operator.metrics().await?, KIND) - reconciles(&start, KIND)) / objects;
        another_team.writes_at(sweeps).await?;
        ensure!(sweeps >= f64::from(SWEEPS), "{sweeps} sweeps");
        Ok(sweeps)
    })
    .await?;

    // Then nothing was ever drift, from the first write on, and no status was written since
    another_team.has_written_often()?;
    seen.no_drift()?;
    let written = statuses_written(&service.operator.metrics().await?, KIND) - statuses_written(&start, KIND);
    ensure!(written < 0.5, "{written} statuses were written");
    assert_eq!(versions(&stage).await?, before);

    // And AWS was asked what the docs say, once for all objects that share a reading, and nothing was written
    asked_only(&stage, &ONE_SWEEP, sweeps).await?;
    end(&stage).await
}

/// AWS was asked this in each sweep, and nothing else.
async fn asked_only(stage: &Stage, one_sweep: &[(&str, u32)], sweeps: f64) -> Result<()> {
    let asked: BTreeMap<String, f64> = asked(stage).await?;
    let expected: Vec<&str> = one_sweep.iter().map(|(operation, _)| *operation).collect();
    assert_eq!(asked.keys().collect::<Vec<_>>(), expected);
    for (operation, times) in one_sweep {
        let in_a_sweep = asked[*operation] / sweeps;
        let right = is_about(in_a_sweep, *times);
        ensure!(right, "{operation}: {in_a_sweep} calls in a sweep instead of {times}; in {sweeps} sweeps: {asked:?}");
    }
    Ok(())
}

/// A team that puts a statement of its own into the policy of the shared key and takes it out again.
struct AnotherTeam<'a> {
    stage: &'a Stage,
    policies: [Value; 2],
    writes: u32,
}

impl<'a> AnotherTeam<'a> {
    async fn on(stage: &'a Stage) -> Result<Self> {
        let without = stage.owner.account.key_policy(&stage.key).await?;
        let mut with = without.clone();
        let statement = json!({
            "Sid": "Another team", "Effect": "Allow", "Principal": {"AWS": stage.owner.account.root_arn()},
            "Action": "kms:ListKeyRotations", "Resource": "*",
        });
        with["Statement"].as_array_mut().context("statements")?.push(statement);
        Ok(Self { stage, policies: [with, without], writes: 0 })
    }

    /// Writes as soon as the reads of the last write may agree again, at the latest.
    async fn writes_at(&mut self, sweeps: f64) -> Result<()> {
        let every = LAG.as_secs_f64() / INTERVAL.as_secs_f64();
        if sweeps >= f64::from(self.writes) * every {
            let policy = &self.policies[usize::from(self.writes % 2 == 1)];
            self.stage.owner.account.put_key_policy(&self.stage.key, policy).await?;
            self.writes += 1;
        }
        Ok(())
    }

    fn has_written_often(&self) -> Result<()> {
        ensure!(self.writes > 20, "{} writes of another team", self.writes);
        Ok(())
    }
}

/// Waits until no object has changed for longer than reads lag: while they go to and fro, so does what status says.
async fn settled(service: &Service, stage: &Stage, objects: f64) -> Result<()> {
    let sweeps = 2.0 * LAG.as_secs_f64() / INTERVAL.as_secs_f64() * objects;
    let mut since = (versions(stage).await?, reconciles(&service.operator.metrics().await?, KIND));
    wait_for("answers that no longer go to and fro", LONGEST, async || {
        let now = (versions(stage).await?, reconciles(&service.operator.metrics().await?, KIND));
        if now.0 != since.0 {
            since = now;
            anyhow::bail!("an object has changed");
        }
        ensure!(now.1 - since.1 >= sweeps, "{} of {sweeps} reconciles without a change", now.1 - since.1);
        Ok(())
    })
    .await
}

/// Four objects on two keys: every way to name a key, two ways to delegate.
async fn objects(stage: &Stage) -> Result<Vec<(&'static str, Value)>> {
    let (owner, partner) = (&stage.owner.account, &stage.partner.account);
    for role in ["Second", "Third"] {
        partner.create_role("/", role).await?;
    }
    let others =
        try_join_all((0..8).map(|n| async move { owner.create_role("/others/", &format!("Other{n}")).await })).await?;
    let mut document = key_document(owner);
    let statement = json!({
        "Sid": MANY, "Effect": "Allow", "Principal": {"AWS": others}, "Action": ["kms:Decrypt", "kms:DescribeKey"], "Resource": "*",
    });
    document["Statement"].as_array_mut().context("statements")?.push(statement);
    owner.put_key_policy(&stage.key, &document).await?;
    let second = owner.create_key(Some(&document)).await?;
    owner.create_alias("alias/second", &second).await?;
    let roles =
        |roles: &[&str]| json!({"principals": roles.iter().map(|role| json!({"role": role})).collect::<Vec<_>>()});
    let managed = json!({"principals": [{"role": "ExampleRole"}], "delegation": "ManagedPolicy", "access": "Decrypt"});
    Ok(vec![
        ("by-arn", stage.spec()),
        ("by-id", spec(stage, json!({"id": stage.key.id}), roles(&["Second", "ExampleRole"]))),
        ("managed", spec(stage, json!({"arn": stage.key.arn}), managed)),
        ("by-alias", spec(stage, json!({"alias": "alias/second"}), roles(&["Third"]))),
    ])
}

/// The Sid of a statement of others with principals enough to be shuffled.
const MANY: &str = "Many of another team";

/// The strict AWS does to a key policy what AWS does (D§1.4).
async fn principals_are_shuffled(stage: &Stage) -> Result<()> {
    let mut orders = BTreeSet::new();
    for _ in 0..10 {
        let policy = stage.owner.account.key_policy(&stage.key).await?;
        let statements = policy["Statement"].as_array().context("statements")?;
        let many = statements.iter().find(|statement| statement["Sid"] == MANY).context("the statement")?;
        orders.insert(many["Principal"]["AWS"].to_string());
    }
    ensure!(orders.len() > 1, "principals are in the same order at each read");
    Ok(())
}

/// Versions of the objects: any write, of status too, makes a new one.
async fn versions(stage: &Stage) -> Result<BTreeMap<String, Option<String>>> {
    let keys = stage.keys().list(&ListParams::default()).await?;
    Ok(keys.into_iter().map(|key| (key.name_any(), key.resource_version())).collect())
}
