//! What takes things of others along: they do not come back with ours.

use anyhow::{Context as _, Result, ensure};
use futures::FutureExt as _;
use serde_json::json;
use sharedkey_api::{DriftKind, DriftLayer, ExternalSecretStatus};
use sharedkey_e2e::{Glance, Hands, has, statement};

use super::{
    change::{Change, in_policy},
    everywhere, everywhere_without_replica, good,
    scene::{COPY, NAME, Vault},
    watched,
};
use crate::{
    drift::seen::{Seen, kinds, named, wanted},
    secrets::{OWNERS, VALUE, arn},
};

const WHOLE_POLICY: &[Change] = &[Change {
    name: "the whole resource policy is deleted",
    make: |vault| delete_policy(vault).boxed(),
    seen: |vault| {
        let seen = in_policy(vault, DriftKind::ResourcePolicyMissing);
        vec![seen.difference(&["allows", "secretsmanager:GetSecretValue"], &["no such statement"])]
    },
}];

async fn delete_policy(vault: &Vault) -> Result<()> {
    vault.client().delete_resource_policy().secret_id(&vault.arn).send().await?;
    Ok(())
}

#[tokio::test]
async fn a_resource_policy_that_is_deleted_is_written_anew_with_ours_alone() -> Result<()> {
    everywhere(async |vault| {
        watched(vault, WHOLE_POLICY).await?;
        let mut before = vault.policy().await?;
        delete_policy(vault).await?;
        vault.scene.stage.secret_drift(NAME, DriftKind::ResourcePolicyMissing).await?;
        enforced(vault, DriftKind::ResourcePolicyMissing).await?;
        let mut after = vault.policy().await?;
        ensure!(statement(&mut after, &vault.sid()) == statement(&mut before, &vault.sid()), "{after}, not {before}");
        ensure!(after["Statement"].as_array().context("statements")?.len() == 1, "{after}");
        ensure!(vault.glance().await?.shows(VALUE), "the reader reads the value");
        Ok(())
    })
    .await
}

/// Lets the object write again, and waits until drift of a kind is healed.
async fn enforced(vault: &Vault, kind: DriftKind) -> Result<()> {
    vault.scene.stage.patch_secret(NAME, json!({"spec": {"mode": "Enforce"}})).await?;
    vault.scene.stage.secret_healed(NAME, kind).await?;
    vault.scene.stage.secret_ready(NAME).await.map(drop)
}

/// Deletes the secret for good.
async fn deleted(vault: &Vault) -> Result<()> {
    let current = arn(&vault.scene.stage.secrets().get(NAME).await?)?;
    vault.client().delete_secret().secret_id(current).force_delete_without_recovery(true).send().await?;
    Ok(())
}

#[tokio::test]
async fn a_secret_that_is_deleted_is_made_anew_for_its_readers() -> Result<()> {
    everywhere_without_replica(async |vault| {
        let stage = &vault.scene.stage;

        // When it is deleted in Enforce, then it is made anew, and readers and target have its value
        deleted(vault).await?;
        stage.secret_healed(NAME, DriftKind::SecretMissing).await?;
        let anew = arn(&stage.secret_ready(NAME).await?)?;
        ensure!(anew != vault.arn, "it has another ARN");
        is_whole(vault, &anew).await?;

        // When it is deleted in Observe, then that is named, and nothing is done about it
        stage.observe_secret(NAME).await?;
        stage.forget_calls().await?;
        deleted(vault).await?;
        let seen = [secret_missing(vault)];
        let all = |status: &ExternalSecretStatus| kinds(&status.drift) == wanted(&seen);
        let status = stage.wait_secret(NAME, "drift", all).await?.status.context("a status")?;
        named(&seen, &status.drift)?;
        ensure!(has(&status, "InSync", "False") && status.secret_arn.is_none(), "{status:#?}");
        let again = stage.look_at_secret(NAME).await?;
        ensure!(again.drift == status.drift, "{:#?}, then {:#?}", status.drift, again.drift);
        stage.nothing_written().await?;

        // And when the object may write again, then so is this one
        enforced(vault, DriftKind::SecretMissing).await?;
        is_whole(vault, &arn(&stage.secret_ready(NAME).await?)?).await
    })
    .await
}

fn secret_missing(vault: &Vault) -> Seen {
    let owner = vault.scene.stage.owner.account.id();
    let seen = Seen::new(DriftKind::SecretMissing, DriftLayer::Secret, owner, OWNERS);
    seen.difference(&["exists"], &["does not exist"]).saying(OWNERS).saying("was deleted")
}

/// Whoever is to read the secret does, under its own ARN and no other.
async fn is_whole(vault: &Vault, arn: &str) -> Result<()> {
    let stage = &vault.scene.stage;
    let glance = Glance::at(&stage.as_role().await?, arn).await?;
    ensure!(glance.shows(VALUE), "{glance:?}");
    let policies = Hands::of(&stage.partner.account).inline(&stage.role).await?;
    let resource = &policies[&vault.policy_name()]["Statement"][0]["Resource"];
    ensure!(resource == arn, "{resource}, not {arn}");
    let copy = stage.kubernetes_secrets().get(COPY).await?.data.context("data")?;
    ensure!(copy["password"].0 == VALUE, "the target has the value");
    ensure!(good(&vault.status().await?), "in sync");
    Ok(())
}
