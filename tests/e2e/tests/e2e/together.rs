//! Several objects, several consumers, one key, one role: each owns what it wrote and nothing else.

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};
use sharedkey_e2e::{Hands, Side, Stage, allowed, denied, foreign, has_sid, spec};
use sharedkey_harness::aws::{Key, Probe};

#[tokio::test]
async fn objects_that_share_one_key_at_the_same_time_all_end_up_in_its_policy() -> Result<()> {
    const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
    let stage = Stage::new("aws-cn").await?;
    let (owner, probe) = (&stage.owner.account, stage.probe().await?);
    let before = foreign(&owner.key_policy(&stage.key).await?);

    // When they are all created at once
    try_join_all(NAMES.map(|name| stage.share(name, stage.spec()))).await?;
    try_join_all(NAMES.map(|name| stage.ready(name))).await?;

    // Then each has its statement and its policies, and others have what they had
    let policy = owner.key_policy(&stage.key).await?;
    ensure!(NAMES.iter().all(|name| has_sid(&policy, &stage.sid(name, "partner"))), "all are in {policy}");
    assert_eq!(foreign(&policy), before);
    let policies = Hands::of(&stage.partner.account).inline(&stage.role).await?;
    assert_eq!(policies.len(), NAMES.len(), "{policies:?}");

    // When some go at once, then the others stay
    let (going, staying) = NAMES.split_at(4);
    try_join_all(going.iter().map(|name| stage.delete(name))).await?;
    let policy = owner.key_policy(&stage.key).await?;
    ensure!(going.iter().all(|name| !has_sid(&policy, &stage.sid(name, "partner"))), "these are not in {policy}");
    ensure!(staying.iter().all(|name| has_sid(&policy, &stage.sid(name, "partner"))), "these are in {policy}");
    for name in staying {
        stage.look(name).await?;
        ensure!(stage.status(name).await?.last_correction.is_none(), "{name} lost nothing that had to be put back");
    }
    allowed(&stage.as_role().await?, &probe).await?;

    // And with the last one, access ends
    try_join_all(staying.iter().map(|name| stage.delete(name))).await?;
    denied(&stage.as_role().await?, &probe).await?;
    assert_eq!(foreign(&owner.key_policy(&stage.key).await?), before);
    assert_eq!(Hands::of(&stage.partner.account).inline(&stage.role).await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn one_role_uses_several_keys_until_each_is_taken_back() -> Result<()> {
    // Given a role with policies of its own account
    let stage = Stage::new("aws").await?;
    let (owner, partner) = (&stage.owner.account, &stage.partner.account);
    let own =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]});
    partner.put_role_policy("ExampleRole", "its-own", &own).await?;
    partner.attach_role_policy("ExampleRole", &partner.create_policy("of-its-team", &own).await?).await?;

    // When three keys are shared with it, in both ways to delegate
    let keys = try_join_all((0..3).map(|_| owner.create_key(None))).await?;
    let delegations = ["InlinePolicy", "ManagedPolicy", "ManagedPolicy"];
    let objects: Vec<(&str, &Key, Value)> = ["inline", "managed", "managed-too"]
        .into_iter()
        .zip(&keys)
        .zip(delegations)
        .map(|((name, key), delegation)| {
            let consumer = json!({"principals": [{"role": "ExampleRole"}], "delegation": delegation});
            (name, key, spec(&stage, json!({"id": key.id}), consumer))
        })
        .collect();
    try_join_all(objects.iter().map(|(name, _, spec)| stage.share(name, spec.clone()))).await?;
    try_join_all(objects.iter().map(|(name, ..)| stage.ready(name))).await?;
    let role = stage.as_role().await?;
    let probes = try_join_all(keys.iter().map(|key| Probe::new(owner, key))).await?;
    for probe in &probes {
        allowed(&role, probe).await?;
    }

    // Then each that is taken back ends its own access and nobody else's
    for (gone, (name, ..)) in objects.iter().enumerate() {
        stage.delete(name).await?;
        for (at, probe) in probes.iter().enumerate() {
            if at <= gone { denied(&role, probe).await? } else { allowed(&role, probe).await? }
        }
    }
    let hands = Hands::of(partner);
    assert_eq!(hands.inline(&stage.role).await?.into_keys().collect::<Vec<_>>(), ["its-own"]);
    assert_eq!(hands.attached(&stage.role).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_consumer_that_leaves_the_spec_loses_access_and_the_others_keep_it() -> Result<()> {
    // Given a key that is shared with two accounts, and with a role of the owner's own
    let stage = Stage::new("aws").await?;
    let owner = &stage.owner.account;
    let second =
        Side { account: stage.home.world.aws.account("aws").await?, name: format!("second-{}", stage.namespace) };
    let role_there = second.account.create_role("/", "There").await?;
    stage.open(&second, &["consumer"], json!({})).await?;
    let role_here = owner.create_role("/", "Here").await?;
    let consumer = |name: &str, account: &Side, role: &str| json!({"name": name, "accountRef": {"name": account.name}, "principals": [{"role": role}]});
    let first = consumer("first", &stage.partner, "ExampleRole");
    let all = [first.clone(), consumer("second", &second, "There"), consumer("own", &stage.owner, "Here")];
    let mut spec = stage.spec();
    spec["consumers"] = json!(all);
    stage.share("orders", spec.clone()).await?;
    stage.ready("orders").await?;
    let (there, here, probe) =
        (second.account.as_role(&role_there).await?, owner.as_role(&role_here).await?, stage.probe().await?);
    for who in [&stage.as_role().await?, &there, &here] {
        allowed(who, &probe).await?;
    }

    // For a role of the owner's account, the owner's half is enough
    assert_eq!(Hands::of(owner).inline(&role_here).await?.len(), 0);

    // When two leave the spec, then their halves go, and the third has both
    spec["consumers"] = json!([first]);
    stage.share("orders", spec).await?;
    stage.ready("orders").await?;
    allowed(&stage.as_role().await?, &probe).await?;
    denied(&there, &probe).await?;
    denied(&here, &probe).await?;
    let policy = owner.key_policy(&stage.key).await?;
    let present = ["first", "second", "own"].map(|consumer| has_sid(&policy, &stage.sid("orders", consumer)));
    assert_eq!(present, [true, false, false], "{policy}");
    assert_eq!(Hands::of(&second.account).inline(&role_there).await?.len(), 0);
    Ok(())
}
