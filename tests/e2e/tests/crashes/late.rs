//! A write that AWS performs long after the operator gave up waiting for it, when what it makes is no longer asked for.

use anyhow::{Context as _, Result, ensure};
use futures::{FutureExt as _, future::try_join_all};
use kube::api::DeleteParams;
use serde_json::json;
use sharedkey_api::conditions::Reason;
use sharedkey_e2e::{DEADLINE, Home, IN_ACCOUNTS, INTERVAL, Service, Stage, denied, has_sid, is, is_for, says, told};
use sharedkey_harness::{
    aws::{Calls, Fault, FaultId},
    wait_for,
};

use crate::{
    ALONE,
    blow::FOR_GOOD,
    vault::{COPY, FIRST, Kept, Vault},
};

/// The operator waits ten seconds for an answer, and here twenty more for a write that got none.
const ARGS: [&str; 4] = ["--read-lag-override-ms", "0", "--write-lag-override-ms", "30000"];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_late_write_brings_back_is_taken_away_again() -> Result<()> {
    let _alone = ALONE.lock().await;
    let Service { home, operator: _operator } = Service::start(INTERVAL, &ARGS).await?;
    let home = &home;
    // So many at once do not fit on the stack.
    let stories = ["aws-cn", "aws"].into_iter().flat_map(|partition| {
        [
            when_the_object_is_deleted(home, partition).boxed_local(),
            when_a_consumer_leaves(home, partition).boxed_local(),
            when_a_secret_was_never_seen(home, partition, false).boxed_local(),
            when_a_secret_was_never_seen(home, partition, true).boxed_local(),
            when_a_copy_leaves(home, partition).boxed_local(),
            when_a_copy_comes_before_the_end(home, partition).boxed_local(),
        ]
    });
    try_join_all(stories).await.map(drop)
}

async fn when_a_secret_was_never_seen(home: &Home, partition: &str, goes_along: bool) -> Result<()> {
    // Given an object whose secret is not made: the first call hangs, and no further one arrives
    let kept = Kept { goes_along, ..Kept::NEW };
    let vault = Vault::new(Stage::on(home, partition).await?, &[kept]).await?;
    let stage = &vault.stage;
    let creates = |fault: Fault| calls(stage, fault, "CreateSecret");
    let late = home.world.aws.inject(&creates(Fault::hang(FOR_GOOD)).times(1)).await?;
    let lost = home.world.aws.inject(&creates(Fault::reset())).await?;
    stage.put_kubernetes_secret("orders", &[("password", FIRST)]).await?;
    vault.keep("orders", kept).await?;
    struck(home, lost).await?;

    // When it is deleted, then it waits for what may still come
    stage.leave_secret("orders").await?;
    let deleting = |status: &_| is_for(status, "Ready", "False", Reason::Deleting);
    let secret = stage.wait_secret("orders", "the end waits", deleting).await?;
    let message = told(secret.status.as_ref().context("it has a status")?, "Ready", "Deleting")?;
    says(&message, &["gone from AWS", "has not answered", "sharedkey.dev/abandon=true"])?;

    // And when the first call is performed after all, the secret goes, or is nobody's, before the object does
    home.world.aws.remove_fault(late).await?;
    stage.secret_gone("orders").await?;
    vault.is_let_go("orders", kept).await
}

/// A secret that is to have a copy, and a first call for it that hangs; no further one arrives.
async fn waiting_for_a_copy(home: &Home, partition: &str, kept: Kept) -> Result<(Vault, FaultId)> {
    let copied = Kept { copy: Some(COPY), ..kept };
    let vault = Vault::new(Stage::on(home, partition).await?, &[copied]).await?;
    let stage = &vault.stage;
    stage.put_kubernetes_secret("orders", &[("password", FIRST)]).await?;
    vault.keep("orders", kept).await?;
    stage.secret_ready("orders").await?;
    let copies = |fault: Fault| calls(stage, fault, "ReplicateSecretToRegions");
    let late = home.world.aws.inject(&copies(Fault::hang(FOR_GOOD)).times(1)).await?;
    let lost = home.world.aws.inject(&copies(Fault::reset())).await?;
    vault.keep("orders", copied).await?;
    struck(home, lost).await?;
    Ok((vault, late))
}

async fn when_a_copy_leaves(home: &Home, partition: &str) -> Result<()> {
    // Given a copy that nobody has seen, and that the spec no longer names
    let (vault, late) = waiting_for_a_copy(home, partition, Kept::NEW).await?;
    vault.keep("orders", Kept::NEW).await?;
    vault.stage.secret_ready("orders").await?;
    vault.stands("orders", Kept::NEW).await?;

    // When it is made after all, then a sweep takes it away
    home.world.aws.remove_fault(late).await?;
    let removals = Calls::all().account(&vault.stage.partner.account).operation("RemoveRegionsFromReplication");
    wait_for("the end of what came late", DEADLINE, async || {
        let count = home.world.aws.count(&removals).await?;
        ensure!(count == 1, "{count} removals");
        Ok(())
    })
    .await?;
    vault.stage.secret_ready("orders").await?;
    vault.stands("orders", Kept::NEW).await
}

async fn when_a_copy_comes_before_the_end(home: &Home, partition: &str) -> Result<()> {
    // Given a copy that nobody has seen, and a secret that is about to be deleted
    let kept = Kept { goes_along: true, ..Kept::NEW };
    let (vault, late) = waiting_for_a_copy(home, partition, kept).await?;
    let end = calls(&vault.stage, Fault::hang(FOR_GOOD).times(1), "DeleteSecret");
    let end = home.world.aws.inject(&end).await?;
    vault.stage.leave_secret("orders").await?;
    struck(home, end).await?;

    // When the copy is made at this moment, so that AWS does not delete the secret, then both go all the same
    home.world.aws.remove_fault(late).await?;
    wait_for("the late copy", DEADLINE, async || {
        let copies = vault.copies("orders").await?;
        ensure!(!copies.is_empty(), "it was not made");
        Ok(())
    })
    .await?;
    home.world.aws.remove_fault(end).await?;
    vault.stage.secret_gone("orders").await?;
    vault.is_let_go("orders", kept).await
}

/// A fault in calls of the operator for the partner's secret.
fn calls(stage: &Stage, fault: Fault, operation: &str) -> Fault {
    fault.operation(operation).account(&stage.partner.account).principal(IN_ACCOUNTS)
}

async fn struck(home: &Home, fault: FaultId) -> Result<()> {
    wait_for("a call", DEADLINE, async || {
        ensure!(home.world.aws.fault_hits(fault).await? > 0, "it was not made yet");
        Ok(())
    })
    .await
}

async fn when_the_object_is_deleted(home: &Home, partition: &str) -> Result<()> {
    // Given an object whose first write hangs, and whose second attempt made it ready
    let stage = Stage::on(home, partition).await?;
    let late = hanging(&stage).await?;
    stage.share("orders", stage.spec()).await?;
    stage.ready("orders").await?;

    // When it is deleted, then it is unshared at once, and waits for what may still come
    stage.keys().delete("orders", &DeleteParams::default()).await?;
    let told = stage.says("orders", "Ready", "False", Reason::Deleting).await?;
    says(&told, &["gone from AWS", "has not answered", "sharedkey.dev/abandon=true"])?;
    ensure!(!stated(&stage, "partner").await?, "{told}");

    // And when the first write is performed after all, what it brings back is gone with the object
    home.world.aws.remove_fault(late).await?;
    returned(&stage, "partner").await?;
    stage.gone("orders").await?;
    ensure!(!stated(&stage, "partner").await?, "the late write was left behind");
    denied(&stage.as_role().await?, &stage.probe().await?).await
}

async fn when_a_consumer_leaves(home: &Home, partition: &str) -> Result<()> {
    // Given two consumers whose statements a write has that hangs
    let stage = Stage::on(home, partition).await?;
    let late = hanging(&stage).await?;
    let mut spec = stage.spec();
    let consumer = |name: &str, principal| json!({"name": name, "accountRef": {"name": stage.partner.name}, "principals": [principal]});
    let stays = consumer("stays", json!({"user": "team/ExampleUser"}));
    spec["consumers"] = json!([stays, consumer("leaves", json!({"role": "ExampleRole"}))]);
    stage.share("orders", spec.clone()).await?;
    stage.ready("orders").await?;

    // When one leaves, and the write is performed after that
    spec["consumers"] = json!([stays]);
    stage.share("orders", spec).await?;
    stage.ready("orders").await?;
    ensure!(!stated(&stage, "leaves").await?, "it has not left");
    home.world.aws.remove_fault(late).await?;

    // Then the next sweep takes it away again, and nobody is blamed for it
    // Two writes of the share, and two that take the statement away.
    let writes = Calls::all().account(&stage.owner.account).operation("PutKeyPolicy");
    wait_for("the end of what came back", DEADLINE, async || {
        let count = home.world.aws.count(&writes).await?;
        ensure!(count == 4 && !stated(&stage, "leaves").await?, "{count} writes");
        Ok(())
    })
    .await?;
    stage.look("orders").await?;
    let status = stage.status("orders").await?;
    ensure!(is(&status, "Ready", "True") && is(&status, "InSync", "True"), "{:#?}", status.conditions);
    denied(&stage.as_role().await?, &stage.probe().await?).await
}

/// The first write of the key policy gets no answer, and is performed when the fault is removed.
async fn hanging(stage: &Stage) -> Result<FaultId> {
    let fault = Fault::hang(FOR_GOOD).operation("PutKeyPolicy").account(&stage.owner.account).times(1);
    stage.home.world.aws.inject(&fault.principal(IN_ACCOUNTS)).await
}

async fn stated(stage: &Stage, consumer: &str) -> Result<bool> {
    Ok(has_sid(&stage.owner.account.key_policy(&stage.key).await?, &stage.sid("orders", consumer)))
}

async fn returned(stage: &Stage, consumer: &str) -> Result<()> {
    wait_for("the late write", DEADLINE, async || {
        ensure!(stated(stage, consumer).await?, "it was not performed");
        Ok(())
    })
    .await
}
