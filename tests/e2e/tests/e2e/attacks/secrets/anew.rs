//! An ExternalSecret that is torn out of the cluster, finalizer and all, and put there again under its name with something else in it.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use sharedkey_api::conditions::Reason;
use sharedkey_e2e::{Glance, Hands};

use super::vault::{VALUE, Vault};

/// An object that looks after a secret is torn out. Returns the secret's ARN.
async fn torn_out(vault: &Vault) -> Result<String> {
    let stage = &vault.stage;
    stage.keep_secret("db", vault.secret(json!({}))).await?;
    let secret = arn(vault).await?;
    // The operator sees the end coming, and takes nothing back for as long as it is not let in.
    let sides = [&stage.owner, &stage.partner];
    for side in sides {
        stage.shut(side).await?;
    }
    stage.tear_out_secret("db").await?;
    for side in sides {
        stage.unshut(side).await?;
    }
    ensure!(reads(vault, &secret).await?, "it is read as before");
    Ok(secret)
}

async fn arn(vault: &Vault) -> Result<String> {
    let status = vault.stage.secret_ready("db").await?.status;
    status.and_then(|status| status.secret_arn).context("status names the secret")
}

async fn reads(vault: &Vault, secret: &str) -> Result<bool> {
    Ok(Glance::at(&vault.stage.as_role().await?, secret).await?.shows(VALUE))
}

/// Whether a secret is to go.
async fn goes(vault: &Vault, secret: &str) -> Result<bool> {
    let client = vault.stage.owner.account.root().in_region(&vault.stage.key.region).secrets_manager();
    Ok(client.describe_secret().secret_id(secret).send().await?.deleted_date.is_some())
}

#[tokio::test]
async fn another_secret_under_the_same_name_ends_the_first_one_and_deletes_it_not() -> Result<()> {
    // Given an object that was torn out, and one of its name with another secret, which is to be deleted with it
    let vault = Vault::lay().await?;
    let first = torn_out(&vault).await?;
    vault
        .stage
        .keep_secret("db", vault.secret(json!({"secretName": "team/other", "deletionPolicy": "Delete"})))
        .await?;
    let second = arn(&vault).await?;

    // Then the second is read in place of the first, and goes alone in the end
    ensure!((reads(&vault, &first).await?, reads(&vault, &second).await?) == (false, true), "one is read");
    vault.stage.delete_secret("db").await?;
    ensure!((goes(&vault, &first).await?, goes(&vault, &second).await?) == (false, true), "one is to go");
    let policies = Hands::of(&vault.stage.partner.account).inline(&vault.stage.role).await?;
    ensure!(!policies.keys().any(|name| name.contains("@secret=")), "{policies:?}");
    vault.holds().await
}

#[tokio::test]
async fn an_account_that_is_not_opened_is_not_entered_to_take_a_secret_back() -> Result<()> {
    // Given an object that was torn out
    let vault = Vault::lay().await?;
    let secret = torn_out(&vault).await?;

    // When one of its name names a secret of an account that is not opened, to be deleted, and is deleted itself
    let hidden = json!({"accountRef": {"name": vault.hidden.name}, "secretName": "hidden/vault", "adopt": "IfExists", "deletionPolicy": "Delete"});
    let parts = ["accountRef", "does not exist, or no allow rule"];
    vault.secret_refused("db", vault.secret(hidden), Reason::NotAllowed, &parts).await?;
    vault.stage.delete_secret("db").await?;

    // Then what the first one gave is taken back, where it was given, and nothing else
    ensure!(!reads(&vault, &secret).await? && !goes(&vault, &secret).await?, "it stays, and nobody reads it");
    vault.holds().await
}
