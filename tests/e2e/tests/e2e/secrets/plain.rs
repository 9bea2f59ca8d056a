//! A key that the spec names by its ARN: nobody shares it, and its own policy decides who writes and who reads.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sharedkey_e2e::{ROLE, Side, has, says};
use sharedkey_harness::aws::{Account, Key};

use super::{OWNERS, Scene, allowed, arn};

/// The object.
const NAME: &str = "db";

/// A secret with the value under a key by its ARN, read by a role of its own account.
fn under(side: &Side, key: &Key, role: &str) -> Value {
    json!({
        "accountRef": {"name": side.name}, "region": key.region, "secretName": OWNERS, "kmsKeyArn": key.arn,
        "source": {"secretRef": {"name": "source", "key": "password"}},
        "readers": [{"name": "own", "accountRef": {"name": side.name}, "principals": [{"role": role}]}],
    })
}

/// Lets a role decrypt with a key, by its own account.
async fn let_decrypt(account: &Account, role: &str, key: &Key) -> Result<()> {
    let decrypt = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key.arn},
    ]});
    account.put_role_policy(role, "decrypt", &decrypt).await
}

#[tokio::test]
async fn a_secret_under_a_key_of_its_own_account_by_its_arn_is_made_and_read() -> Result<()> {
    // Given a key that no SharedKey is about, with the policy that every key has at first
    let scene = Scene::new("aws-cn").await?;
    let (stage, owner) = (&scene.stage, &scene.stage.owner);
    let key = owner.account.create_key(None).await?;
    let_decrypt(&owner.account, "Reader", &key).await?;

    // When a secret is to be under it
    stage.keep_secret(NAME, under(owner, &key, "Reader")).await?;
    let secret = stage.secret_ready(NAME).await?;

    // Then it is, and its reader reads it
    let status = secret.status.clone().context("a status")?;
    ensure!(status.kms_key_arn.as_ref() == Some(&key.arn) && has(&status, "AccessVerified", "True"), "{status:#?}");
    allowed(&[owner.account.as_role(&scene.reader).await?], &arn(&secret)?).await
}

#[tokio::test]
async fn a_secret_under_a_key_of_another_account_by_its_arn_is_made_when_the_keys_policy_lets_the_operators_role_in()
-> Result<()> {
    // Given a key of the owner, whose policy lets a reader of the partner in, and not the operator's role there
    let scene = Scene::new("aws").await?;
    let (stage, partner) = (&scene.stage, &scene.stage.partner);
    let root = stage.owner.account.root_arn();
    let mut policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": stage.role}, "Action": "kms:Decrypt", "Resource": "*"},
    ]});
    let key = stage.owner.account.create_key(Some(&policy)).await?;
    let_decrypt(&partner.account, "ExampleRole", &key).await?;

    // When a secret of the partner is to be under it
    stage.keep_secret(NAME, under(partner, &key, "ExampleRole")).await?;

    // Then it is said who lacks what on which key, and nothing is made
    let writer = partner.account.arn(&format!("role/{ROLE}"));
    let message = stage.secret_stalled(NAME, "WriterNotConsumer").await?;
    says(&message, &[&writer, &key.arn, "kms:GenerateDataKey", "in the policy of the key", "docs/iam/secrets.json"])?;
    let status = stage.secret_status(NAME).await?;
    ensure!(status.secret_arn.is_none() && has(&status, "SecretApplied", "False"), "{status:#?}");

    // And when the key's policy lets the role in, then it is made with its value, and read
    let writes = json!(["kms:GenerateDataKey", "kms:Decrypt", "kms:Encrypt"]);
    let statement = json!({"Effect": "Allow", "Principal": {"AWS": writer}, "Action": writes, "Resource": "*"});
    policy["Statement"].as_array_mut().context("statements")?.push(statement);
    stage.owner.account.put_key_policy(&key, &policy).await?;
    stage.look_at_secret(NAME).await?;
    let secret = stage.secret_ready(NAME).await?;
    let status = secret.status.clone().context("a status")?;
    ensure!(status.kms_key_arn.as_ref() == Some(&key.arn) && has(&status, "AccessVerified", "True"), "{status:#?}");
    allowed(&[stage.as_role().await?], &arn(&secret)?).await
}
