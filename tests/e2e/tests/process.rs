//! The operator as a process: its command line, its end, and what the next one finds.
//!
//! A binary of its own, because the operator that the other stories share must not end.

use std::{collections::BTreeSet, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use k8s_openapi::jiff::Timestamp;
use serde_json::json;
use sharedkey_api::{DriftKind, SharedKeyStatus};
use sharedkey_e2e::{
    DEADLINE, Hands, History, INTERVAL, Service, Stage, allowed, is, key_document, merge, says, statement,
};
use sharedkey_harness::{Operator, aws::Fault, wait_for};
use tokio::sync::Mutex;

/// One operator at a time works under the owner id of this world.
static ALONE: Mutex<()> = Mutex::const_new(());

#[test]
fn help_tells_every_flag_its_variable_and_its_default() -> Result<()> {
    let output = Command::new(Operator::program()?).arg("--help").output()?;
    ensure!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let help = String::from_utf8(output.stdout)?;
    let flags: BTreeSet<&str> = help.lines().map(str::trim).filter(|line| line.starts_with("--")).map(name).collect();
    let known = [
        "allow-endpoint-overrides",
        "allow-insecure-endpoints",
        "concurrency",
        "deletion-timeout-seconds",
        "health-addr",
        "iam-reads-per-second",
        "iam-writes-per-second",
        "log",
        "log-format",
        "operator-namespace",
        "owner-id",
        "service-account",
    ];
    assert_eq!(flags, BTreeSet::from(known));
    for flag in known {
        says(&help, &[&format!("[env: SHAREDKEY_{}", flag.to_uppercase().replace('-', "_"))])?;
    }
    says(&help, &["[default: sharedkey-system]", "Possible values:", "Examples:", "--version"])
}

/// `--owner-id <OWNER_ID>` is called `owner-id`.
fn name(line: &str) -> &str {
    line.trim_start_matches("--").split([' ', '=']).next().unwrap_or_default()
}

#[test]
fn a_mistake_on_the_command_line_is_named() -> Result<()> {
    for (args, what) in [
        (&["--owner-id", "No"][..], "3 to 32 characters"),
        (&[], "--owner-id"),
        (&["--owner-id", "prod", "--allow-insecure-endpoints"], "--allow-endpoint-overrides"),
        (&["--owner-id", "prod", "--log", "sharedkey=loud"], "--log"),
    ] {
        let output = Command::new(Operator::program()?).args(args).env_remove("SHAREDKEY_OWNER_ID").output()?;
        assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
        says(&String::from_utf8(output.stderr)?, &[what])?;
    }
    Ok(())
}

#[tokio::test]
async fn an_operator_that_is_told_to_stop_ends_what_it_does_and_the_next_one_goes_on() -> Result<()> {
    let _alone = ALONE.lock().await;
    // Given an operator in the middle of a share, because AWS takes its time
    let Service { home, operator } = Service::start(INTERVAL, &[]).await?;
    let stage = Stage::on(&home, "aws").await?;
    let history = History::from_now_on(stage.keys());
    let slow =
        Fault::hang(Duration::from_secs(2)).service("kms").operation("PutKeyPolicy").account(&stage.owner.account);
    let slow = home.world.aws.inject(&slow.times(1)).await?;
    stage.share("orders", stage.spec()).await?;
    wait_for("the write that takes its time", DEADLINE, async || {
        ensure!(home.world.aws.fault_hits(slow).await? == 1, "it has not begun");
        Ok(())
    })
    .await?;

    // When it is told to stop, then it ends well, and what it did is whole
    let ended = operator.stop().await?;
    assert_eq!(ended.code(), Some(0));
    let status = stage.status("orders").await?;
    ensure!(is(&status, "Ready", "True") && is(&status, "InSync", "True"), "{status:?}");
    allowed(&stage.as_role().await?, &stage.probe().await?).await?;

    // And the next one knows its own, and has nothing to do
    stage.forget_calls().await?;
    let operator = home.start().await?;
    stage.look("orders").await?;
    stage.ready("orders").await?;
    ensure!(!stage.calls(&stage.owner.account).await?.is_empty(), "it has looked");
    stage.nothing_written().await?;
    history.no_drift()?;
    assert_eq!(operator.stop().await?.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn with_the_clocks_of_a_cluster_an_object_is_swept_at_its_own_interval() -> Result<()> {
    let _alone = ALONE.lock().await;
    // Given two keys that are shared, one in Enforce and one in Observe, with the shortest interval that a spec can have
    let service = Service::as_shipped().await?;
    let stages = try_join_all(["aws-cn", "aws"].map(|partition| Stage::on(&service.home, partition))).await?;
    for stage in &stages {
        let mut spec = stage.spec();
        merge(&mut spec, json!({"interval": "30s"}));
        stage.share("orders", spec).await?;
        stage.ready("orders").await?;
    }
    stages[1].observe("orders").await?;

    // When somebody takes an action from our statement, and nobody asks for a look
    for stage in &stages {
        let mut policy = stage.owner.account.key_policy(&stage.key).await?;
        statement(&mut policy, &stage.sid("orders", "partner"))["Action"] = json!("kms:Decrypt");
        stage.owner.account.put_key_policy(&stage.key, &policy).await?;
    }

    // Then it is named, and healed where the spec says so
    let [enforced, observed] = &stages[..] else { anyhow::bail!("two") };
    let healed = enforced.healed("orders", DriftKind::StatementChanged).await?;
    says(&healed.message, &["kms:Encrypt", enforced.owner.account.id()])?;
    allowed(&enforced.as_role().await?, &enforced.probe().await?).await?;
    let drift = observed.drift("orders", DriftKind::StatementChanged).await?;
    says(&drift.message, &["kms:Encrypt"])?;
    Ok(())
}

#[tokio::test]
async fn drift_is_known_since_the_same_moment_to_the_next_operator() -> Result<()> {
    let _alone = ALONE.lock().await;
    // Given drift that one operator has told of, in a layer of each account
    let Service { home, operator } = Service::start(INTERVAL, &["--read-lag-override-ms", "0"]).await?;
    let stage = Stage::on(&home, "aws-cn").await?;
    stage.share("orders", stage.spec()).await?;
    stage.ready("orders").await?;
    stage.observe("orders").await?;
    stage.forget_calls().await?;
    stage.owner.account.put_key_policy(&stage.key, &key_document(&stage.owner.account)).await?;
    let hands = Hands::of(&stage.partner.account);
    hands.delete_inline(&stage.role, &stage.policy_name("orders", "partner")).await?;
    let both = |status: &SharedKeyStatus| status.drift_count == 2;
    let told = stage.wait("orders", "drift in both accounts", both).await?.status.unwrap_or_default();
    assert_eq!(operator.stop().await?.code(), Some(0));

    // When the next one looks, in another second at the earliest
    let since = told.drift.iter().filter_map(|drift| drift.first_observed_time.clone()).max().context("a time")?;
    wait_for("another second", DEADLINE, async || {
        ensure!(Timestamp::now().as_second() > since.0.as_second(), "it is not over");
        Ok(())
    })
    .await?;
    let _next = home.start().await?;
    let again = stage.look("orders").await?.status.unwrap_or_default();

    // Then it tells the same drift, since the same moment
    assert_eq!(again.drift, told.drift);
    stage.nothing_written().await
}
