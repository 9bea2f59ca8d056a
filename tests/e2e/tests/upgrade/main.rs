//! What an older operator wrote is served by this one as it is: nothing is written to AWS, and nothing is taken for drift.
//!
//! `recorded/COMMIT.json` is what the operator of a commit wrote: its ledger, the statuses, and what stands in AWS. To record another
//! one, put its program in the place of this one's and run
//! `RECORD_INTO=… cargo test --package sharedkey-e2e --test upgrade -- --ignored`.

mod recorded;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use serde_json::{Value, json};
use sharedkey_e2e::{History, Home, INTERVAL, Service, Side, Stage, allowed, foreign, key_document, spec};

use crate::recorded::Recorded;

/// The commit before the one that this story is about, and what it wrote.
const BEFORE: &str = include_str!("recorded/e9d83f1.json");

#[tokio::test]
async fn objects_of_the_operator_before_are_served_without_a_change_in_aws() -> Result<()> {
    // Given what the operator before has left: objects, statuses, ledger, and both halves in AWS
    let Service { home, operator } = Service::start(INTERVAL, &[]).await?;
    let stage = fixed(&home).await?;
    operator.kill9()?;
    let recorded = Recorded::read(BEFORE, &stage).await?;
    recorded.put(&stage).await?;
    let others = foreign(&stage.owner.account.key_policy(&stage.key).await?);
    let live = try_join_all(recorded.names().map(|name| stage.live(name))).await?;
    stage.forget_calls().await?;
    let history = History::from_now_on(stage.keys());

    // When this operator starts, then it looks at them, writes nothing, and says what was said
    let _operator = home.start().await?;
    for name in recorded.names() {
        stage.look(name).await?;
        let status = stage.ready(name).await?.status.context("a status")?;
        assert_eq!(status.conditions, recorded.status(name)?.conditions, "{name}");
        assert_eq!(status.consumers, recorded.status(name)?.consumers, "{name}");
    }
    stage.nothing_written().await?;
    assert_eq!(try_join_all(recorded.names().map(|name| stage.live(name))).await?, live);
    allowed(&stage.as_role().await?, &stage.probe().await?).await?;

    // And when a spec changes, what stands there is known as its own, and is changed and taken back in full
    for name in recorded.names() {
        stage.share(name, changed(&recorded.spec(name)?)).await?;
        stage.ready(name).await?;
    }
    history.no_drift()?;
    try_join_all(recorded.names().map(|name| stage.delete(name))).await?;
    for name in recorded.names() {
        let left = stage.live(name).await?;
        assert_eq!(left.managed, None, "{name}");
        assert!(left.inline.values().all(BTreeMap::is_empty), "{name}: {left:?}");
        assert!(left.attached.values().all(BTreeSet::is_empty), "{name}: {left:?}");
    }
    let document = stage.owner.account.key_policy(&stage.key).await?;
    assert_eq!(document["Statement"].as_array().map(Vec::len), Some(others.len()), "{document}");
    Ok(())
}

#[tokio::test]
#[ignore = "records what an operator writes, for the story above"]
async fn record() -> Result<()> {
    let Service { home, operator: _operator } = Service::start(INTERVAL, &[]).await?;
    let stage = fixed(&home).await?;
    let objects = objects(&stage);
    for (name, spec) in &objects {
        stage.share(name, spec.clone()).await?;
        stage.ready(name).await?;
    }
    let recorded = Recorded::of(&stage, objects).await?;
    std::fs::write(std::env::var("RECORD_INTO")?, recorded.text(&stage).await?)?;
    Ok(())
}

/// A namespace, accounts and a key whose names and ids are the same in every world: they are in every fingerprint.
async fn fixed(home: &Home) -> Result<Stage> {
    let client = home.world.control_plane.client().await?;
    let namespace = "upgrade".to_owned();
    let metadata = ObjectMeta { name: Some(namespace.clone()), ..ObjectMeta::default() };
    let object = Namespace { metadata, ..Namespace::default() };
    Api::all(client.clone()).create(&PostParams::default(), &object).await?;
    let owner = home.world.aws.account_with_id("111122223333", "aws").await?;
    let partner = home.world.aws.account_with_id("444455556666", "aws").await?;
    let key = owner.create_key(Some(&key_document(&owner))).await?;
    let key = home.world.aws.set_key_id(&key, "1234abcd-12ab-34cd-56ef-1234567890ab").await?;
    owner.create_alias("alias/orders", &key).await?;
    let role = partner.create_role("/", "ExampleRole").await?;
    let user = partner.create_user("/team/", "ExampleUser").await?;
    let stage = Stage {
        home: home.clone(),
        client,
        owner: Side { name: format!("owner-{namespace}"), account: owner },
        partner: Side { name: format!("partner-{namespace}"), account: partner },
        namespace,
        key,
        role,
        user,
        via: None,
    };
    stage.open(&stage.owner, &["owner", "consumer"], json!({"sharing": {"allowAccountScope": true}})).await?;
    stage.open(&stage.partner, &["consumer"], json!({})).await?;
    Ok(stage)
}

/// An object for each kind of thing that the ledger knows.
fn objects(stage: &Stage) -> Vec<(&'static str, Value)> {
    let principals = json!([{"role": "ExampleRole"}, {"user": "team/ExampleUser"}]);
    let parts = json!({
        "principals": principals, "awsServiceGrants": true, "conditions": {"encryptionContext": {"team": "orders"}},
    });
    let by_alias = json!({"principals": principals, "delegation": "ManagedPolicy", "access": "Decrypt"});
    vec![
        ("inline", stage.spec()),
        ("managed", spec(stage, json!({"alias": "alias/orders"}), by_alias)),
        ("parts", spec(stage, json!({"id": stage.key.id}), parts)),
        ("account", spec(stage, json!({"arn": stage.key.arn}), json!({"trust": "Account", "delegation": "None"}))),
    ]
}

/// The spec with other actions.
fn changed(spec: &Value) -> Value {
    let mut spec = spec.clone();
    spec["consumers"][0]["access"] = json!("Encrypt");
    spec
}
