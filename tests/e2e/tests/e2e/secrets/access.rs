//! What the operator does with Kubernetes Secrets, where it may.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::{core::v1::Secret, rbac::v1::RoleBinding};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;
use sharedkey_api::{ExternalSecretStatus, SECRETS_ROLE};
use sharedkey_e2e::{Glance, has, merge, says, told};

use super::{Scene, VALUE, arn};

/// What a Kubernetes Secret holds.
async fn data(scene: &Scene, name: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let secret = scene.stage.kubernetes_secrets().get(name).await?;
    Ok(secret.data.unwrap_or_default().into_iter().map(|(key, bytes)| (key, bytes.0)).collect())
}

#[tokio::test]
async fn a_namespace_that_grants_nothing_is_told_what_to_grant() -> Result<()> {
    let scene = Scene::new("aws").await?;
    let bindings: Api<RoleBinding> = Api::namespaced(scene.stage.client.clone(), &scene.stage.namespace);
    bindings.delete(SECRETS_ROLE, &DeleteParams::default()).await?;
    scene.stage.keep_secret("db", scene.owners(json!({}))).await?;
    let refused = |status: &_| has(status, "ValueSynced", "False");
    let secret = scene.stage.wait_secret("db", "ValueSynced=False", refused).await?;
    let message = told(secret.status.as_ref().context("it has a status")?, "ValueSynced", "SecretAccessNotGranted")?;
    let command = format!("kubectl -n {} create rolebinding {SECRETS_ROLE}", scene.stage.namespace);
    says(&message, &[&command, "--serviceaccount=sharedkey-system:sharedkey-operator"])?;
    scene.stage.grant_secrets().await?;
    scene.stage.secret_ready("db").await?;
    Ok(())
}

#[tokio::test]
async fn a_changed_source_is_pushed_at_once_and_makes_one_version() -> Result<()> {
    let scene = Scene::new("aws-cn").await?;
    scene.stage.keep_secret("db", scene.owners(json!({"interval": "24h"}))).await?;
    let before = scene.stage.secret_ready("db").await?;
    let secret = arn(&before)?;
    scene.stage.put_kubernetes_secret("source", &[("password", b"hidden-from-logs: second")]).await?;
    let version = before.status.and_then(|status| status.version_id);
    scene.stage.wait_secret("db", "another version", |status| status.version_id != version).await?;
    let owner = scene.stage.owner.account.root();
    let glance = Glance::at(owner, &secret).await?;
    ensure!(glance.shows(b"hidden-from-logs: second"), "{glance:?}");
    let client = owner.in_region(&scene.stage.key.region).secrets_manager();
    let versions = client.list_secret_version_ids().secret_id(&secret).include_deprecated(true).send().await?;
    ensure!(versions.versions().len() == 2, "{versions:?}");
    Ok(())
}

#[tokio::test]
async fn the_value_is_written_to_the_target_and_an_edit_of_it_is_undone() -> Result<()> {
    let scene = Scene::new("aws-cn").await?;
    scene.stage.keep_secret("db", scene.owners(json!({"target": {"name": "copy", "key": "all"}}))).await?;
    scene.stage.secret_ready("db").await?;
    ensure!(data(&scene, "copy").await? == BTreeMap::from([("all".to_owned(), VALUE.to_vec())]));
    let edit = json!({"stringData": {"all": "hidden-from-logs: edited", "more": "added"}});
    let secrets = scene.stage.kubernetes_secrets();
    secrets.patch("copy", &PatchParams::default(), &Patch::Merge(&edit)).await?;
    scene.stage.secret_healed("db", sharedkey_api::DriftKind::TargetChanged).await?;
    ensure!(data(&scene, "copy").await? == BTreeMap::from([("all".to_owned(), VALUE.to_vec())]));
    secrets.delete("copy", &DeleteParams::default()).await?;
    scene.stage.secret_healed("db", sharedkey_api::DriftKind::TargetMissing).await?;
    ensure!(data(&scene, "copy").await?.contains_key("all"));
    Ok(())
}

#[tokio::test]
async fn a_target_that_a_policy_or_a_quota_denies_is_told_by_whose_denial_it_is_and_without_its_words() -> Result<()> {
    let scene = Scene::new("aws-cn").await?;
    let stage = &scene.stage;
    let target = |name: &str| scene.owners(json!({"target": {"name": name, "key": "all"}}));
    let denied = async |object: &str, who: &str, name: &str| {
        let denied = |status: &ExternalSecretStatus| told(status, "TargetSynced", "TargetDenied").is_ok();
        let status = stage.wait_secret(object, "TargetDenied", denied).await?.status.context("it has a status")?;
        let place = format!("create Secret {name:?} in namespace {:?}", stage.namespace);
        let message = told(&status, "TargetSynced", "TargetDenied")?;
        says(&message, &[who, &place, "ask whoever administers that"])?;
        ensure!(!message.contains("not with") && has(&status, "ValueSynced", "True"), "{status:#?}");
        anyhow::Ok(())
    };

    // When an admission policy denies the target, whatever code it answers with
    for (name, reason) in [("forbidden", "Forbidden"), ("invalid", "Invalid"), ("large", "RequestEntityTooLarge")] {
        let guard = stage.guard_secret(name, reason).await?;
        stage.keep_secret("db", target(name)).await?;
        denied("db", &format!("ValidatingAdmissionPolicy {guard:?}"), name).await?;

        // Then it is written as soon as it may be
        stage.unguard_secret(&guard).await?;
        stage.secret_ready("db").await?;
    }

    // And so it is with a quota: the source and the last target are all that fits
    stage.limit_secrets("few", 2).await?;
    let mut other = target("second");
    merge(&mut other, json!({"secretName": "quickstart/other"}));
    stage.keep_secret("other", other).await?;
    denied("other", "ResourceQuota \"few\"", "second").await?;
    stage.limit_secrets("few", 3).await?;
    stage.secret_ready("other").await.map(drop)
}

#[tokio::test]
async fn a_target_follows_the_spec_and_one_of_somebody_else_is_left_alone() -> Result<()> {
    let scene = Scene::new("aws").await?;
    scene.stage.put_kubernetes_secret("theirs", &[("all", b"hidden-from-logs: theirs")]).await?;
    scene.stage.keep_secret("db", scene.owners(json!({"target": {"name": "theirs", "key": "all"}}))).await?;
    let refused = |status: &_| has(status, "TargetSynced", "False");
    let secret = scene.stage.wait_secret("db", "TargetSynced=False", refused).await?;
    told(secret.status.as_ref().context("it has a status")?, "TargetSynced", "TargetNotOwned")?;
    ensure!(
        data(&scene, "theirs").await? == BTreeMap::from([("all".to_owned(), b"hidden-from-logs: theirs".to_vec())])
    );
    scene.stage.keep_secret("db", scene.owners(json!({"target": {"name": "first", "key": "all"}}))).await?;
    scene.stage.secret_ready("db").await?;
    scene.stage.keep_secret("db", scene.owners(json!({"target": {"name": "second", "key": "one"}}))).await?;
    scene.stage.secret_ready("db").await?;
    let secrets = scene.stage.kubernetes_secrets();
    let left: Vec<String> =
        secrets.list(&kube::api::ListParams::default()).await?.iter().map(Secret::name_any).collect();
    ensure!(left == ["second", "source", "theirs"], "{left:?}");
    Ok(())
}
