//! Changes that mean nothing to the object, and are not told.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sharedkey_e2e::{Hands, is, statement};

use super::{
    everywhere,
    scene::{NAME, Scene},
};

#[tokio::test]
async fn what_others_do_and_how_things_are_spelled_is_no_drift() -> Result<()> {
    everywhere(&json!({"delegation": "InlinePolicy"}), async |scene| {
        nothing_is_told(scene).await?;
        scene.stage.observe(NAME).await?;
        nothing_is_told(scene).await
    })
    .await
}

#[tokio::test]
async fn a_version_that_is_not_in_force_is_no_drift() -> Result<()> {
    everywhere(&json!({"delegation": "ManagedPolicy"}), async |scene| {
        let request = scene.stage.partner.account.root().iam().create_policy_version().policy_arn(scene.policy_arn());
        let document =
            json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]});
        request.policy_document(document.to_string()).send().await?;
        scene.stage.forget_calls().await?;
        in_sync(scene).await
    })
    .await
}

/// One harmless change after the other.
async fn nothing_is_told(scene: &Scene) -> Result<()> {
    let stage = &scene.stage;
    stage.forget_calls().await?;
    for (name, change) in KEY_POLICY {
        let mut document = stage.owner.account.key_policy(&stage.key).await?;
        change(scene, &mut document);
        stage.owner.account.put_key_policy(&stage.key, &document).await?;
        in_sync(scene).await.context(*name)?;
    }
    // Whitespace is no matter of documents, so this one is a text.
    let text =
        serde_json::to_string_pretty(&stage.owner.account.key_policy(&stage.key).await?)?.replace('\n', "\r\n\t ");
    scene.kms().put_key_policy().key_id(&stage.key.id).policy(text).send().await?;
    in_sync(scene).await.context("the document has other whitespace")?;
    let hands = Hands::of(&stage.partner.account);
    let (own, foreign) = (
        scene.policy_name(),
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        ]}),
    );
    let mut document = hands.inline(&stage.role).await?[&own].clone();
    let mut statement = document["Statement"].pointer("/0").unwrap_or(&document["Statement"]).clone();
    statement["Resource"] = json!([stage.key.arn]);
    reverse(&mut statement["Action"]);
    document["Statement"] = statement;
    hands.put_inline(&stage.role, &own, &document).await?;
    in_sync(scene).await.context("our inline policy is spelled otherwise")?;
    hands.put_inline(&stage.role, "of-another-team", &foreign).await?;
    in_sync(scene).await.context("somebody gives the role another policy")?;
    scene.everybody_is_allowed().await
}

type Edit = fn(&Scene, &mut Value);

/// An account by its id is no case here: AWS answers with the root ARN (D§1.4), whatever was written. That both are the same to the
/// operator is shown in `sharedkey-policy` (`what_kms_rewrites_is_equal`).
const KEY_POLICY: &[(&str, Edit)] = &[
    ("somebody adds a statement", |scene, document| {
        let statement = json!({
            "Sid": "Allow auditors", "Effect": "Allow", "Principal": {"AWS": scene.stage.owner.account.root_arn()},
            "Action": "kms:DescribeKey", "Resource": "*",
        });
        if let Some(statements) = document["Statement"].as_array_mut() {
            statements.push(statement);
        }
    }),
    ("a foreign statement allows what ours allows, and everything else", |scene, document| {
        let statement = json!({
            "Sid": "Break glass", "Effect": "Allow", "Principal": {"AWS": [scene.stage.role, scene.stage.user]},
            "Action": ["kms:Encrypt", "kms:*"], "Resource": "*",
        });
        if let Some(statements) = document["Statement"].as_array_mut() {
            statements.push(statement);
        }
    }),
    ("the statements stand in another order", |_, document| reverse(&mut document["Statement"])),
    ("our lists are scalars, in another order, or twice the same", |scene, document| {
        let ours = statement(document, &scene.sid());
        ours["Resource"] = json!(["*"]);
        ours["Principal"]["AWS"] = json!([scene.stage.user, scene.stage.role, scene.stage.user]);
        reverse(&mut ours["Action"]);
    }),
    ("our actions are spelled in capitals", |scene, document| {
        let actions = statement(document, &scene.sid())["Action"].as_array_mut();
        for action in actions.into_iter().flatten() {
            *action = json!(action.as_str().unwrap_or_default().replace("kms:", "KMS:"));
        }
    }),
];

fn reverse(list: &mut Value) {
    if let Some(items) = list.as_array_mut() {
        items.reverse();
    }
}

/// The operator has looked, and has neither said nor done anything.
async fn in_sync(scene: &Scene) -> Result<()> {
    let before = scene.live().await?;
    let status = scene.stage.look(NAME).await?.status.context("a status")?;
    ensure!(status.drift_count == 0 && status.drift.is_empty(), "{:#?}", status.drift);
    ensure!(is(&status, "InSync", "True") && is(&status, "Ready", "True"), "{:#?}", status.conditions);
    ensure!(status.last_correction.is_none(), "{:#?}", status.last_correction);
    scene.stage.nothing_written().await?;
    ensure!(scene.live().await? == before, "somebody wrote");
    Ok(())
}
