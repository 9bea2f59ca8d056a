//! An object whose key is refused: what left its spec is taken back all the same, and nothing is given.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use sharedkey_api::conditions::Reason;
use sharedkey_e2e::{Hands, merge, says};

use super::{OWNERS, Scene, allowed, arn, denied};

#[tokio::test]
async fn what_left_the_spec_is_taken_back_while_its_key_is_refused() -> Result<()> {
    // Given a secret that a role and a user of the partner read, with a copy in another Region
    let scene = Scene::new("aws-cn").await?;
    let stage = &scene.stage;
    let copies = scene.share_copies().await?;
    let mut spec = scene.owners(scene.reader());
    spec["readers"][0]["principals"] = json!([{"role": "ExampleRole"}, {"user": "team/ExampleUser"}]);
    merge(&mut spec, json!({"replicas": [{"region": copies.region, "sharedKeyRef": {"name": "copies"}}]}));
    stage.keep_secret("db", spec.clone()).await?;
    let status = stage.secret_ready("db").await?.status.context("it has a status")?;
    let (secret, version) = (status.secret_arn.context("an ARN")?, status.version_id);
    let who = [stage.as_role().await?, stage.as_user().await?];
    allowed(&who, &secret).await?;

    // When the spec names a SharedKey that there is not, and the role and the copy no longer
    let mut without = spec.clone();
    without["readers"][0]["principals"] = json!([{"user": "team/ExampleUser"}]);
    merge(&mut without, json!({"replicas": [], "sharedKeyRef": {"name": "nowhere"}}));
    stage.keep_secret("db", without.clone()).await?;
    stage.put_kubernetes_secret("source", &[("password", b"hidden-from-logs: another")]).await?;
    says(&stage.secret_stalled("db", Reason::SharedKeyNotFound.as_ref()).await?, &["nowhere", "create it"])?;

    // Then both are gone, the user reads as before, and the new value waits for the key
    denied(&who[..1], &secret).await?;
    allowed(&who[1..], &secret).await?;
    let policies = Hands::of(&stage.partner.account).inline(&stage.role).await?;
    ensure!(!policies.keys().any(|name| name.contains("@secret=db@")), "{policies:?}");
    let there = stage.owner.account.root().in_region(&copies.region).secrets_manager();
    let copy = there.describe_secret().secret_id(OWNERS).send().await;
    ensure!(copy.is_err(), "the copy is still there: {copy:?}");
    let status = stage.look_at_secret("db").await?;
    ensure!(status.version_id == version, "{status:#?}");
    let blocked = status.conditions.iter().find(|condition| condition.type_ == "ValueSynced");
    ensure!(blocked.is_some_and(|it| (&*it.status, &*it.reason) == ("False", "SharedKeyNotFound")), "{status:#?}");

    // And with the key, everything is given again
    stage.put_kubernetes_secret("source", &[("password", super::VALUE)]).await?;
    stage.keep_secret("db", spec).await?;
    stage.secret_ready("db").await?;
    allowed(&who, &secret).await
}

#[tokio::test]
async fn a_shared_key_goes_as_soon_as_its_last_secret_has_moved_to_another_one() -> Result<()> {
    // Given a SharedKey that is being deleted and waits for a secret, for so long that it hardly looks any more
    let scene = Scene::new("aws").await?;
    let stage = &scene.stage;
    scene.share_invoices().await?;
    stage.keep_secret("db", scene.owners(scene.readers())).await?;
    let secret = arn(&stage.secret_ready("db").await?)?;
    let (both, user) = (scene.both().await?, stage.as_user().await?);
    stage.leave("orders").await?;
    stage
        .wait("orders", "it waits for the secret", |status| {
            status.conditions.iter().any(|condition| condition.reason == "Deleting" && condition.message.contains("db"))
        })
        .await?;
    for _ in 0..9 {
        stage.look("orders").await?;
    }

    // Then the secret stays as it is, nobody is added, and who leaves its spec is taken out
    let mut readers = scene.readers();
    readers["readers"][0]["principals"] = json!([{"user": "team/ExampleUser"}]);
    stage.patch_secret("db", json!({"spec": readers})).await?;
    says(&stage.secret_stalled("db", Reason::SharedKeyNotReady.as_ref()).await?, &["is being deleted"])?;
    stage.look_at_secret("db").await?;
    denied(&[both[0].clone(), user.clone()], &secret).await?;
    allowed(&both[1..], &secret).await?;

    // And when it has moved to another key, then the SharedKey is gone within seconds, and everybody reads
    scene.move_to("invoices").await?;
    stage.secret_ready("db").await?;
    stage.gone("orders").await?;
    allowed(&[both[1].clone(), user], &secret).await
}
