//! What cluster administrators open to a namespace, and how far: guardrails, and accounts that may only be observed.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use sharedkey_api::{DriftKind, conditions::Reason};
use sharedkey_e2e::{IN_ACCOUNTS, says};
use sharedkey_harness::aws::Calls;

use super::{Scene, allowed, arn};

#[tokio::test]
async fn guardrails_of_the_secrets_account_hold_for_its_readers() -> Result<()> {
    // Given an account that trusts another one than the reader's
    let scene = Scene::new("aws-cn").await?;
    let stage = &scene.stage;
    stage.patch_account(&stage.owner.name, json!({"sharing": {"trustedAccounts": ["999999999999"]}})).await?;

    // Then the object is refused with the rule, before Secrets Manager is asked
    stage.keep_secret("db", scene.owners(scene.readers())).await?;
    let message = stage.secret_stalled("db", Reason::SharingNotAllowed.as_ref()).await?;
    says(&message, &["readers[0] (partner)", &stage.owner.name, "trustedAccounts", stage.partner.account.id()])?;
    stage.look_at_secret("db").await?;
    let calls = Calls::all().account(&stage.owner.account).principal(IN_ACCOUNTS).service("secretsmanager");
    ensure!(stage.home.world.aws.count(&calls).await? == 0, "Secrets Manager was asked");

    // And when it trusts the reader's account too, everything is made by itself
    let trusted = json!({"sharing": {"trustedAccounts": ["999999999999", stage.partner.account.id()]}});
    stage.patch_account(&stage.owner.name, trusted).await?;
    let secret = arn(&stage.secret_ready("db").await?)?;
    allowed(&scene.both().await?, &secret).await
}

#[tokio::test]
async fn an_account_that_may_only_be_observed_gets_no_secret_and_gives_no_value_away() -> Result<()> {
    // Given an account in mode Observe
    let scene = Scene::new("aws").await?;
    let stage = &scene.stage;
    stage.patch_account(&stage.owner.name, json!({"mode": "Observe"})).await?;
    stage.forget_calls().await?;

    // When an object asks for a secret with a target, then it is told what is missing, and nothing is written anywhere
    let mut fields = scene.readers();
    sharedkey_e2e::merge(&mut fields, json!({"target": {"name": "copy", "key": "all"}}));
    stage.keep_secret("db", scene.owners(fields)).await?;
    stage.secret_drift("db", DriftKind::SecretMissing).await?;
    stage.look_at_secret("db").await?;
    stage.nothing_written().await?;
    ensure!(stage.kubernetes_secrets().get_opt("copy").await?.is_none(), "the target was written");

    // And when it may be written, both are made
    stage.patch_account(&stage.owner.name, json!({"mode": "Enforce"})).await?;
    let secret = arn(&stage.secret_ready("db").await?)?;
    allowed(&scene.both().await?, &secret).await?;
    stage.kubernetes_secrets().get_opt("copy").await?.context("the target is written")?;

    // And when it may only be observed again, a value that changes stays where it is
    stage.patch_account(&stage.owner.name, json!({"mode": "Observe"})).await?;
    stage.look_at_secret("db").await?;
    stage.forget_calls().await?;
    stage.put_kubernetes_secret("source", &[("password", b"hidden-from-logs: another")]).await?;
    stage.secret_drift("db", DriftKind::ValueChanged).await?;
    stage.nothing_written().await?;
    allowed(&scene.both().await?, &secret).await
}
