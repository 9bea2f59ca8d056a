//! What was written is known from the ledger, whatever happens to objects, to their status, and to the ledger itself.

use anyhow::{Context as _, Result, ensure};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use sharedkey_api::DriftKind;
use sharedkey_e2e::{Hands, Stage, allowed, denied, has_sid, key_document};

/// A spec with the role and the user as two consumers.
fn two(stage: &Stage) -> Value {
    let consumer = |name: &str, principal: Value| json!({"name": name, "accountRef": {"name": stage.partner.name}, "principals": [principal]});
    let mut spec = stage.spec();
    spec["consumers"] = json!([
        consumer("roles", json!({"role": "ExampleRole"})),
        consumer("users", json!({"user": "team/ExampleUser"}))
    ]);
    spec
}

fn first_of(spec: &Value) -> Value {
    let mut spec = spec.clone();
    spec["consumers"] = json!([spec["consumers"][0]]);
    spec
}

#[tokio::test]
async fn a_status_that_is_wiped_comes_back_and_what_was_shared_is_still_known() -> Result<()> {
    // Given an object without a status
    let stage = Stage::new("aws-cn").await?;
    stage.share("orders", two(&stage)).await?;
    let before = stage.ready("orders").await?.status.context("a status")?;
    stage.forget_calls().await?;
    let wiped = Patch::Merge(json!({"status": null}));
    stage.keys().patch_status("orders", &PatchParams::default(), &wiped).await?;

    // Then it comes back as it was, and nothing is written for it
    let after = stage.ready("orders").await?.status.context("a status")?;
    ensure!((&after.consumers, &after.key_arn) == (&before.consumers, &before.key_arn), "{after:#?}");
    ensure!(after.drift_count == 0 && after.last_correction.is_none(), "{after:#?}");
    stage.nothing_written().await?;

    // And a consumer that leaves loses access, although its status was wiped
    stage.share("orders", first_of(&two(&stage))).await?;
    stage.ready("orders").await?;
    denied(&stage.as_user().await?, &stage.probe().await?).await?;
    allowed(&stage.as_role().await?, &stage.probe().await?).await
}

#[tokio::test]
async fn what_a_restored_object_does_not_state_any_more_is_taken_back() -> Result<()> {
    // Given an object of which a backup was made before it got a second consumer
    let stage = Stage::new("aws").await?;
    let spec = two(&stage);
    stage.share("orders", first_of(&spec)).await?;
    stage.share("orders", spec.clone()).await?;
    let old = stage.ready("orders").await?.metadata.uid;
    let (role, user, probe) = (stage.as_role().await?, stage.as_user().await?, stage.probe().await?);
    allowed(&user, &probe).await?;

    // When the cluster loses it, and it is restored
    stage.tear_out("orders").await?;
    stage.forget_calls().await?;
    stage.share("orders", first_of(&spec)).await?;
    let new = stage.ready("orders").await?.metadata.uid;
    ensure!(old != new, "it is another object to Kubernetes");

    // Then the first consumer keeps its access all the time, and the second loses it
    allowed(&role, &probe).await?;
    denied(&user, &probe).await?;
    let policy = stage.owner.account.key_policy(&stage.key).await?;
    let present = ["roles", "users"].map(|consumer| has_sid(&policy, &stage.sid("orders", consumer)));
    ensure!(present == [true, false], "{policy:#}");
    ensure!(Hands::of(&stage.partner.account).inline(&stage.user).await?.is_empty(), "the user's policy is left");
    stage.delete("orders").await?;
    denied(&role, &probe).await?;
    stage.forgotten("orders").await
}

#[tokio::test]
async fn a_consumer_that_is_renamed_is_shared_under_its_new_name_alone() -> Result<()> {
    for delegation in ["InlinePolicy", "ManagedPolicy"] {
        let stage = Stage::new("aws").await?;
        let mut spec = stage.spec();
        spec["consumers"][0]["delegation"] = json!(delegation);
        stage.share("orders", spec.clone()).await?;
        stage.ready("orders").await?;

        spec["consumers"][0]["name"] = json!("renamed");
        stage.share("orders", spec).await?;
        stage.ready("orders").await?;
        allowed(&stage.as_role().await?, &stage.probe().await?).await?;
        allowed(&stage.as_user().await?, &stage.probe().await?).await?;
        let policy = stage.owner.account.key_policy(&stage.key).await?;
        let present = ["partner", "renamed"].map(|consumer| has_sid(&policy, &stage.sid("orders", consumer)));
        ensure!(present == [false, true], "{delegation}: {policy:#}");
        let hands = Hands::of(&stage.partner.account);
        let carried = hands.inline(&stage.role).await?.len() + hands.attached(&stage.role).await?.len();
        ensure!(carried == 1, "{delegation}: the role carries {carried}");
        ensure!(hands.versions(&stage.policy_arn("orders", "partner")).await?.is_none(), "{delegation}: it is left");
    }
    Ok(())
}

#[tokio::test]
async fn a_record_that_an_administrator_deletes_or_labels_is_written_again() -> Result<()> {
    // Given a shared key whose record in the ledger somebody touched
    for (what, label) in [("deleted", false), ("labelled", true)] {
        let stage = Stage::new("aws").await?;
        stage.share("orders", two(&stage)).await?;
        stage.ready("orders").await?;
        if label {
            stage.label_record("orders").await?;
        } else {
            stage.lose_record("orders").await?;
        }

        // When something is healed, then the ledger has it again
        stage.owner.account.put_key_policy(&stage.key, &key_document(&stage.owner.account)).await?;
        stage.healed("orders", DriftKind::StatementMissing).await.context(what)?;
        stage.share("orders", first_of(&two(&stage))).await?;
        stage.ready("orders").await.context(what)?;
        ensure!(stage.record("orders").await?.is_some(), "{what}: the ledger knows nothing of it");
        denied(&stage.as_user().await?, &stage.probe().await?).await?;

        // And what was shared is taken back with the object
        stage.delete("orders").await?;
        denied(&stage.as_role().await?, &stage.probe().await?).await?;
        stage.forgotten("orders").await?;
    }
    Ok(())
}
