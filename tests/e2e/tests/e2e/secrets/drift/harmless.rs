//! Changes that mean nothing to the object, and are not told.

use anyhow::{Context as _, Result, ensure};
use aws_sdk_secretsmanager::types::{RotationRulesType, Tag};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use sharedkey_api::ExternalSecretStatus;
use sharedkey_e2e::{Hands, Stage, has, statement};

use super::{
    everywhere, good,
    scene::{COPY, NAME, Vault},
};
use crate::secrets::{Scene, VALUE, arn};

#[tokio::test]
async fn what_others_state_beside_ours_and_how_ours_is_spelled_is_no_drift() -> Result<()> {
    everywhere(async |vault| {
        nothing_is_told(vault).await?;
        vault.scene.stage.observe_secret(NAME).await?;
        nothing_is_told(vault).await
    })
    .await
}

/// One harmless change after the other.
async fn nothing_is_told(vault: &Vault) -> Result<()> {
    let stage = &vault.scene.stage;
    stage.look_at_secret(NAME).await?;
    stage.forget_calls().await?;
    for (name, change) in POLICY {
        let mut policy = vault.policy().await?;
        change(vault, &mut policy);
        vault.put_policy(&policy).await?;
        in_sync(vault).await.context(*name)?;
    }
    let tag = Tag::builder().key("cost-center").value("4711").build();
    vault.client().tag_resource().secret_id(&vault.arn).tags(tag).send().await?;
    in_sync(vault).await.context("somebody adds a tag")?;
    let foreign =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]});
    Hands::of(&stage.partner.account).put_inline(&stage.role, "of-another-team", &foreign).await?;
    in_sync(vault).await.context("somebody gives the reader another policy")?;
    let labels = json!({"metadata": {"labels": {"team": "orders"}, "annotations": {"of.another/tool": "seen"}}});
    stage.kubernetes_secrets().patch(COPY, &PatchParams::default(), &Patch::Merge(labels)).await?;
    in_sync(vault).await.context("somebody labels the target")?;
    ensure!(vault.glance().await?.shows(VALUE), "the reader reads the value");
    Ok(())
}

type Edit = fn(&Vault, &mut Value);

const POLICY: &[(&str, Edit)] = &[
    ("somebody adds a statement", |vault, policy| {
        let statement = json!({
            "Sid": format!("Others{}", policy["Statement"].as_array().map_or(0, Vec::len)), "Effect": "Allow",
            "Principal": {"AWS": vault.scene.stage.user}, "Action": "secretsmanager:GetSecretValue", "Resource": "*",
        });
        if let Some(statements) = policy["Statement"].as_array_mut() {
            statements.push(statement);
        }
    }),
    ("the statements stand in another order", |_, policy| reverse(&mut policy["Statement"])),
    ("our lists are scalars, in another order, or twice the same", |vault, policy| {
        let ours = statement(policy, &vault.sid());
        ours["Resource"] = json!(["*"]);
        ours["Principal"]["AWS"] = json!([vault.scene.stage.role, vault.scene.stage.role]);
        reverse(&mut ours["Action"]);
    }),
    ("our actions are spelled in capitals", |vault, policy| {
        let actions = statement(policy, &vault.sid())["Action"].as_array_mut();
        for action in actions.into_iter().flatten() {
            *action = json!(action.as_str().unwrap_or_default().to_uppercase());
        }
    }),
];

fn reverse(list: &mut Value) {
    if let Some(items) = list.as_array_mut() {
        items.reverse();
    }
}

/// The operator has looked, and has neither said nor done anything.
async fn in_sync(vault: &Vault) -> Result<()> {
    let (stage, before) = (&vault.scene.stage, vault.standing().await?);
    quiet(stage).await?;
    ensure!(vault.standing().await? == before, "somebody wrote");
    Ok(())
}

async fn quiet(stage: &Stage) -> Result<ExternalSecretStatus> {
    let status = stage.look_at_secret(NAME).await?;
    ensure!(good(&status), "{status:#?}");
    ensure!(status.last_correction.is_none(), "{:#?}", status.last_correction);
    stage.nothing_written().await?;
    Ok(status)
}

#[tokio::test]
async fn without_a_source_versions_of_others_and_a_rotation_are_no_drift() -> Result<()> {
    // Given a secret whose value is somebody else's
    let scene = Scene::new("aws-cn").await?;
    let mut spec = scene.owners(scene.reader());
    spec.as_object_mut().context("a spec")?.remove("source");
    let stage = &scene.stage;
    stage.keep_secret(NAME, spec).await?;
    let secret = arn(&stage.secret_ready(NAME).await?)?;
    stage.look_at_secret(NAME).await?;
    stage.forget_calls().await?;
    let client = stage.secrets_manager(&stage.owner.account);

    // When its owner puts a value, and another one, then status follows the version, and nothing is written
    for value in ["hidden-from-logs: first", "hidden-from-logs: second"] {
        let made = client.put_secret_value().secret_id(&secret).secret_string(value).send().await?;
        let status = quiet(stage).await?;
        ensure!(status.version_id == made.version_id, "{:?}, not {:?}", status.version_id, made.version_id);
    }

    // And when it rotates, by a new version that becomes the current one
    let rotation =
        client.rotate_secret().secret_id(&secret).rotation_lambda_arn("arn:aws-cn:lambda:cn-north-1:1:function:f");
    rotation.rotation_rules(RotationRulesType::builder().automatically_after_days(30).build()).send().await?;
    let before = quiet(stage).await?.version_id;
    let pending = client
        .put_secret_value()
        .secret_id(&secret)
        .secret_string("hidden-from-logs: rotated")
        .version_stages("AWSPENDING");
    let pending = pending.send().await?.version_id;
    ensure!(quiet(stage).await?.version_id == before, "it is not the current one yet");
    let label = client.update_secret_version_stage().secret_id(&secret).version_stage("AWSCURRENT");
    let label = label.set_remove_from_version_id(before).set_move_to_version_id(pending.clone());
    label.send().await?;
    let status = quiet(stage).await?;
    ensure!(status.version_id == pending && has(&status, "ValueSynced", "True"), "{status:#?}");
    Ok(())
}
