//! An account that lets the operator in no more: that is no drift, and what was last known stays.

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use serde_json::json;
use sharedkey_api::conditions::Reason;
use sharedkey_e2e::{Side, allowed, condition, is, is_for, says};

use super::{
    everywhere,
    scene::{NAME, Scene},
};

#[tokio::test]
async fn a_role_of_the_operator_that_cannot_be_assumed_any_more_is_told_and_is_no_drift() -> Result<()> {
    everywhere(&json!({}), async |scene| {
        for observes in [false, true] {
            if observes {
                scene.stage.observe(NAME).await?;
            }
            scene.stage.forget_calls().await?;
            for (side, half) in sides(scene) {
                let trust = scene.stage.distrust(side).await?;
                locked_out(scene, side, half).await.with_context(|| format!("{half}, observes: {observes}"))?;
                scene.stage.trust_as(side, &trust).await?;
                as_before(scene).await?;
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_external_id_that_was_changed_is_told_and_is_no_drift() -> Result<()> {
    let told = ["aws-cn", "aws"].map(async |partition| {
        let scene = Scene::entered_by_roles(partition).await?;
        for observes in [false, true] {
            if observes {
                scene.stage.observe(NAME).await?;
            }
            scene.stage.forget_calls().await?;
            for (side, half) in sides(&scene) {
                scene.stage.shut(side).await?;
                let told = locked_out(&scene, side, half).await;
                told.with_context(|| format!("{partition}, {half}, observes: {observes}"))?;
                scene.stage.unshut(side).await?;
                as_before(&scene).await?;
            }
        }
        anyhow::Ok(())
    });
    try_join_all(told).await.map(drop)
}

fn sides(scene: &Scene) -> [(&Side, &'static str); 2] {
    [(&scene.stage.owner, "KeyPolicyApplied"), (&scene.stage.partner, "DelegationApplied")]
}

/// The half of the account is not known, and who is to do what is said; nothing is called drift, and nothing is written.
async fn locked_out(scene: &Scene, side: &Side, half: &str) -> Result<()> {
    let told = |status: &_| is_for(status, half, "Unknown", Reason::OperatorUnauthorised);
    let status = scene.stage.wait(NAME, "the account cannot be entered", told).await?.status.context("a status")?;
    let message = condition(&status, half).map(|condition| condition.message.clone()).unwrap_or_default();
    says(&message, &[side.account.id(), "sts:AssumeRole", "AccessDenied"])?;
    ensure!(
        status.drift_count == 0 && is(&status, "InSync", "Unknown") && is(&status, "Ready", "Unknown"),
        "{status:#?}"
    );
    ensure!(status.consumers[0].principals.len() == 2, "{status:#?}");
    scene.stage.nothing_written().await
}

async fn as_before(scene: &Scene) -> Result<()> {
    scene.stage.wait(NAME, "in sync again", super::good).await?;
    scene.stage.nothing_written().await?;
    // Sessions of others ended too.
    allowed(&scene.stage.as_role().await?, &scene.stage.probe().await?).await
}
