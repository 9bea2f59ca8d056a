//! A secret moves to another key: every version that is in use goes along, or status says which did not.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sharedkey_api::{DriftKind, DriftLayer};
use sharedkey_e2e::{Glance, ROLE, Side, merge, says};
use sharedkey_harness::aws::Key;

use super::{Scene, VALUE, allowed, arn};

/// The object.
const NAME: &str = "db";

impl Scene {
    /// Another key of the owner, shared as `invoices` like the one of the secrets.
    pub(super) async fn share_invoices(&self) -> Result<Key> {
        let key = self.stage.owner.account.create_key(None).await?;
        let mut spec = self.stage.spec_for_secrets(&["Reader"]);
        merge(&mut spec, json!({"key": {"arn": key.arn}}));
        self.stage.share("invoices", spec).await?;
        self.stage.ready("invoices").await?;
        Ok(key)
    }

    /// Names another SharedKey for the secret.
    pub(super) async fn move_to(&self, name: &str) -> Result<()> {
        self.stage.patch_secret(NAME, json!({"spec": {"sharedKeyRef": {"name": name}}})).await
    }
}

/// The key of a secret, and those of its versions by their labels; `None` for versions that have none any more.
async fn keys(
    scene: &Scene,
    side: &Side,
    secret: &str,
) -> Result<(Option<String>, BTreeMap<Option<String>, Vec<String>>)> {
    let client = scene.stage.secrets_manager(&side.account);
    let described = client.describe_secret().secret_id(secret).send().await?;
    let versions = client.list_secret_version_ids().secret_id(secret).include_deprecated(true).send().await?.versions;
    let by_label = versions.into_iter().flatten().map(|version| {
        let label = version.version_stages.unwrap_or_default().into_iter().next();
        (label, version.kms_key_ids.unwrap_or_default())
    });
    Ok((described.kms_key_id, by_label.collect()))
}

/// Pushes another value, and waits until it is the current one.
async fn push(scene: &Scene, value: &[u8]) -> Result<()> {
    let version = scene.stage.secret_status(NAME).await?.version_id;
    scene.stage.put_kubernetes_secret("source", &[("password", value)]).await?;
    scene.stage.wait_secret(NAME, "another version", |status| status.version_id != version).await?;
    Ok(())
}

#[tokio::test]
async fn a_secret_moves_to_another_key_with_all_its_versions_in_use() -> Result<()> {
    // Given a secret with a current, a previous and an older version
    let scene = Scene::new("aws-cn").await?;
    let stage = &scene.stage;
    let invoices = scene.share_invoices().await?;
    stage.keep_secret(NAME, scene.owners(scene.readers())).await?;
    let secret = arn(&stage.secret_ready(NAME).await?)?;
    push(&scene, b"hidden-from-logs: second").await?;
    push(&scene, VALUE).await?;
    stage.secret_ready(NAME).await?;

    // When it is to be under another key, then those with a label move, and everybody reads it as before
    scene.move_to("invoices").await?;
    let status = stage.secret_ready(NAME).await?.status.context("a status")?;
    ensure!(status.kms_key_arn.as_ref() == Some(&invoices.arn) && status.last_correction.is_none(), "{status:#?}");
    let (key, versions) = keys(&scene, &stage.owner, &secret).await?;
    let label = |label: &str| Some(label.to_owned());
    let (old, new) = (vec![stage.key.arn.clone()], vec![invoices.arn.clone()]);
    let wanted = [(None, old), (label("AWSCURRENT"), new.clone()), (label("AWSPREVIOUS"), new)];
    ensure!(key.as_ref() == Some(&invoices.arn) && versions == wanted.into(), "{key:?}, {versions:#?}");
    allowed(&scene.both().await?, &secret).await?;

    // And nobody needs the old key for it any longer
    stage.delete("orders").await?;
    allowed(&scene.both().await?, &secret).await?;
    stage.secret_ready(NAME).await.map(drop)
}

/// Somebody forbids the operator to encrypt with the new key. AWS takes the new key all the same, and leaves every version on the old one
/// without a word (D§5.4).
async fn left_behind(scene: Scene, side: fn(&Scene) -> &Side, spec: Value) -> Result<()> {
    let stage = &scene.stage;
    let side = side(&scene);
    let invoices = scene.share_invoices().await?;
    stage.keep_secret(NAME, spec).await?;
    let secret = arn(&stage.secret_ready(NAME).await?)?;
    let deny = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Action": "kms:Encrypt", "Resource": invoices.arn},
    ]});
    side.account.put_role_policy(ROLE, "no-encrypt", &deny).await?;

    // When the secret is to be under the new key, then the version that stayed behind is named
    scene.move_to("invoices").await?;
    let drift = stage.secret_drift(NAME, DriftKind::VersionsOnOldKey).await?;
    let version = stage.secret_status(NAME).await?.version_id.context("a version")?;
    ensure!((drift.layer, drift.account.as_str()) == (DriftLayer::Secret, side.account.id()), "{drift:#?}");
    ensure!(drift.subject == version && drift.expected.as_ref() == Some(&invoices.arn), "{drift:#?}");
    ensure!(drift.observed.as_ref() == Some(&stage.key.arn), "{drift:#?}");
    says(
        &drift.message,
        &[&version, "AWSCURRENT", "let the operator's role use kms:Encrypt", &invoices.arn, "keep the old key"],
    )?;
    let (key, versions) = keys(&scene, side, &secret).await?;
    let left: BTreeSet<&String> = versions.values().flatten().collect();
    ensure!(key.as_ref() == Some(&invoices.arn) && left == [&stage.key.arn].into(), "{key:?}, {versions:#?}");

    // And in Observe it is named, too, and nothing is written
    stage.observe_secret(NAME).await?;
    stage.forget_calls().await?;
    stage.look_at_secret(NAME).await?;
    stage.secret_drift(NAME, DriftKind::VersionsOnOldKey).await?;
    stage.nothing_written().await?;

    // And when the operator may encrypt, then it moves
    let request = side.account.root().iam().delete_role_policy().role_name(ROLE).policy_name("no-encrypt");
    request.send().await?;
    stage.patch_secret(NAME, json!({"spec": {"mode": "Enforce"}})).await?;
    stage.secret_healed(NAME, DriftKind::VersionsOnOldKey).await?;
    stage.secret_ready(NAME).await?;
    let (key, versions) = keys(&scene, side, &secret).await?;
    let moved: BTreeSet<&String> = versions.values().flatten().collect();
    ensure!(key.as_ref() == Some(&invoices.arn) && moved == [&invoices.arn].into(), "{key:?}, {versions:#?}");
    let glance = Glance::at(&stage.owner.account.as_role(&scene.reader).await?, &secret).await?;
    ensure!(glance.shows(VALUE), "{glance:?}");
    Ok(())
}

#[tokio::test]
async fn versions_of_the_owner_that_aws_leaves_on_the_old_key_are_named_until_they_move() -> Result<()> {
    let scene = Scene::new("aws").await?;
    let spec = scene.owners(scene.readers());
    left_behind(scene, |scene| &scene.stage.owner, spec).await
}

#[tokio::test]
async fn versions_of_the_partner_that_aws_leaves_on_the_old_key_are_named_until_they_move() -> Result<()> {
    let scene = Scene::new("aws-cn").await?;
    let mut spec = scene.partners(scene.readers());
    merge(&mut spec, json!({"source": {"secretRef": {"name": "source", "key": "password"}}}));
    left_behind(scene, |scene| &scene.stage.partner, spec).await
}
