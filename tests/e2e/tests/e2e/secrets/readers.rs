//! Who may be a reader, and what others state in the resource policy.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sharedkey_api::ReaderStatus;
use sharedkey_e2e::{has, says, told};

use super::{Scene, allowed, arn, denied};

/// The only reader of a secret's status.
async fn reader(scene: &Scene) -> Result<ReaderStatus> {
    let secret = scene.stage.secret_ready("db").await?;
    let mut readers = secret.status.unwrap_or_default().readers;
    ensure!(readers.len() == 1, "{readers:?}");
    readers.pop().context("there is one")
}

#[tokio::test]
async fn users_and_principals_by_their_arn_are_readers_as_well() -> Result<()> {
    let scene = Scene::new("aws").await?;
    let who = [scene.stage.as_user().await?, scene.stage.as_role().await?];
    let principals = json!([{"user": "team/ExampleUser"}, {"arn": scene.stage.role}]);
    let readers =
        json!([{"name": "partner", "accountRef": {"name": scene.stage.partner.name}, "principals": principals}]);
    scene.stage.keep_secret("db", scene.owners(json!({"readers": readers}))).await?;
    let secret = arn(&scene.stage.secret_ready("db").await?)?;
    allowed(&who, &secret).await?;
    let told: Vec<String> = reader(&scene).await?.principals.into_iter().map(|principal| principal.arn).collect();
    ensure!(told == [scene.stage.user.clone(), scene.stage.role.clone()], "{told:?}");
    scene.stage.keep_secret("db", scene.owners(json!({}))).await?;
    scene.stage.secret_ready("db").await?;
    denied(&who, &secret).await
}

#[tokio::test]
async fn an_account_that_the_operator_cannot_enter_attaches_its_half_itself() -> Result<()> {
    let scene = Scene::new("aws-cn").await?;
    let stage = &scene.stage;
    let (partner, who) = (&stage.partner.account, [stage.as_role().await?]);
    let trusted = json!({"sharing": {"allowAccountScope": true, "trustedAccounts": [partner.id()]}});
    let readers = json!([{"name": "partner", "accountId": partner.id(), "principals": [{"role": "ExampleRole"}]}]);
    stage.keep_secret("db", scene.owners(json!({"readers": readers}))).await?;
    let message = stage.secret_stalled("db", "SharingNotAllowed").await?;
    says(&message, &["trustedAccounts", partner.id()])?;

    // Once the owner lists the account, its half is written, and status has the other
    stage.patch_account(&stage.owner.name, trusted).await?;
    let secret = arn(&stage.secret_ready("db").await?)?;
    denied(&who, &secret).await?;
    let reader = reader(&scene).await?;
    let policy: Value = serde_json::from_str(reader.handoff_policy.as_deref().unwrap_or_default())?;
    partner.put_role_policy("ExampleRole", "from-the-owner", &policy).await?;
    allowed(&who, &secret).await?;

    // And the owner's half is enough to end it
    stage.delete_secret("db").await?;
    denied(&who, &secret).await
}

#[tokio::test]
async fn a_statement_of_others_that_opens_the_secret_to_all_keeps_us_from_writing_and_is_told() -> Result<()> {
    let scene = Scene::new("aws").await?;
    let stage = &scene.stage;
    stage.keep_secret("db", scene.owners(json!({}))).await?;
    let secret = arn(&stage.secret_ready("db").await?)?;
    let client = stage.owner.account.root().in_region(&stage.key.region).secrets_manager();
    let public = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "ForAll", "Effect": "Allow", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*",
    }]});
    client.put_resource_policy().secret_id(&secret).resource_policy(public.to_string()).send().await?;
    stage.keep_secret("db", scene.owners(scene.readers())).await?;
    let refused = |status: &_| has(status, "SecretApplied", "False");
    let object = stage.wait_secret("db", "SecretApplied=False", refused).await?;
    let message = told(object.status.as_ref().context("it has a status")?, "SecretApplied", "AwsRefused")?;
    says(&message, &["secretsmanager:PutResourcePolicy", "PublicPolicyException", &secret])?;

    // Once it is gone, everybody gets in who is to
    client.delete_resource_policy().secret_id(&secret).send().await?;
    stage.secret_ready("db").await?;
    allowed(&scene.both().await?, &secret).await
}
