//! Attacks by what an attacker writes beside the specs of ExternalSecrets, and by names that could be taken for others.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use sharedkey_api::ExternalSecret;
use sharedkey_e2e::{Glance, Hands};
use sharedkey_harness::aws::Identity;

use super::vault::{VALUE, Vault};

fn arn(secret: &ExternalSecret) -> Result<String> {
    secret.status.as_ref().and_then(|status| status.secret_arn.clone()).context("status names the secret")
}

async fn reads(who: &Identity, secret: &str) -> Result<bool> {
    Ok(Glance::at(who, secret).await?.shows(VALUE))
}

#[tokio::test]
async fn a_forged_status_of_a_secret_leads_nowhere_and_does_not_last() -> Result<()> {
    // Given a secret that is to go with its object
    let vault = Vault::lay().await?;
    vault.stage.keep_secret("db", vault.secret(json!({"deletionPolicy": "Delete"}))).await?;
    let honest = vault.stage.secret_ready("db").await?;
    let (own, mut honest) = (arn(&honest)?, honest.status.context("it has a status")?);

    // When its status is forged: another secret under another key, another version, and a reader that nobody named
    let reader = json!({"name": "partner", "account": vault.hidden.account.id(), "principals": [{
        "arn": vault.hidden_role, "secretPolicy": "Applied", "delegation": "Applied", "key": "Allowed", "verdict": "Allowed",
        "basis": "DryRun",
    }]});
    let drift = json!({"layer": "secret", "kind": "SecretMissing", "account": vault.hidden.account.id(), "subject": "x", "message": "y"});
    let forged = json!({"status": {
        "secretArn": vault.buried, "kmsKeyArn": vault.secret.arn, "versionId": "f".repeat(64), "readers": [reader],
        "observedGeneration": 999, "driftCount": 7, "drift": [drift], "lastHandledReconcileAt": "9999-01-01T00:00:00Z",
    }});
    vault.stage.forget_calls().await?;
    vault.stage.secrets().patch_status("db", &PatchParams::default(), &Patch::Merge(&forged)).await?;

    // Then looks tell the truth again, and nothing was written for it
    vault.stage.look_at_secret("db").await?;
    let seen = vault.stage.look_at_secret("db").await?;
    honest.last_handled_reconcile_at.clone_from(&seen.last_handled_reconcile_at);
    ensure!(seen == honest, "{seen:#?}");
    vault.stage.nothing_written().await?;

    // And what goes with the object is its own secret
    vault.stage.secrets().patch_status("db", &PatchParams::default(), &Patch::Merge(&forged)).await?;
    vault.stage.delete_secret("db").await?;
    let client = vault.stage.owner.account.root().in_region(&vault.stage.key.region).secrets_manager();
    let gone = client.describe_secret().secret_id(own).send().await?;
    ensure!(gone.deleted_date.is_some(), "it is to go");
    vault.holds().await
}

/// Objects and readers whose names are one text when they are joined with a character that names may hold, or cut where names become
/// too long.
fn pairs() -> Vec<(String, Vec<String>)> {
    let (long, longer) = ("n".repeat(253), format!("{}-x", "n".repeat(251)));
    let (label, other) = ("r".repeat(63), format!("{}x", "r".repeat(62)));
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    vec![
        (long, names(&[&label, &other])),
        (longer, names(&[&label])),
        ("a.b".to_owned(), names(&["c"])),
        ("a-b".to_owned(), names(&["c"])),
        ("a".to_owned(), names(&["b-c", "b"])),
    ]
}

#[tokio::test]
async fn names_that_would_be_one_if_they_were_joined_stay_several_for_secrets() -> Result<()> {
    // Given secrets for one role under such names, and a SharedKey that has the name of an object and of its reader
    let vault = Vault::lay().await?;
    let role = vault.stage.as_role().await?;
    let mut key = vault.spec();
    key["consumers"][0]["name"] = json!("b");
    vault.stage.share("a", key).await?;
    vault.stage.ready("a").await?;
    let before = policies(&vault).await?;
    let mut secrets = Vec::new();
    for (index, (object, readers)) in pairs().into_iter().enumerate() {
        let count = readers.len();
        let readers: Vec<Value> = readers.iter().map(|name| vault.reader(json!({"name": name}))).collect();
        let fields = json!({"secretName": format!("team/{index}"), "readers": readers});
        vault.stage.keep_secret(&object, vault.secret(fields)).await?;
        let arn = arn(&vault.stage.secret_ready(&object).await?)?;
        ensure!(statements(&vault, &arn).await?.len() == count, "one statement for each reader");
        secrets.push((object, count, arn));
    }

    // Then each has policies of its own, which go with it and with nothing else
    for gone in 0..secrets.len() {
        let left: usize = secrets[gone..].iter().map(|(_, count, _)| count).sum();
        let policies = policies(&vault).await?;
        ensure!(policies.len() == before.len() + left && policies.is_superset(&before), "{policies:?}");
        for (index, (_, _, arn)) in secrets.iter().enumerate() {
            ensure!(reads(&role, arn).await? == (index >= gone), "{arn} with {gone} gone");
        }
        vault.stage.delete_secret(&secrets[gone].0).await?;
    }
    ensure!(policies(&vault).await? == before, "those of the SharedKeys are left");
    vault.holds().await
}

async fn policies(vault: &Vault) -> Result<BTreeSet<String>> {
    Ok(Hands::of(&vault.stage.partner.account).inline(&vault.stage.role).await?.into_keys().collect())
}

/// The Sids in the resource policy of a secret.
async fn statements(vault: &Vault, secret: &str) -> Result<BTreeSet<String>> {
    let client = vault.stage.owner.account.root().in_region(&vault.stage.key.region).secrets_manager();
    let policy = client.get_resource_policy().secret_id(secret).send().await?.resource_policy.context("a policy")?;
    let policy: Value = serde_json::from_str(&policy)?;
    let sids = policy["Statement"].as_array().into_iter().flatten().filter_map(|statement| statement["Sid"].as_str());
    Ok(sids.map(str::to_owned).collect())
}

#[tokio::test]
async fn one_value_in_two_objects_and_under_one_name_again_is_no_one_version() -> Result<()> {
    // Given one value for two secrets, and for the first once more after its object was made anew
    let vault = Vault::lay().await?;
    let mut versions = BTreeSet::new();
    let mut keep = async |object: &str, name: &str| -> Result<()> {
        vault.stage.keep_secret(object, vault.secret(json!({"secretName": name, "adopt": "IfExists"}))).await?;
        let status = vault.stage.secret_ready(object).await?.status.context("it has a status")?;
        versions.insert(status.version_id.context("it has a version")?);
        Ok(())
    };
    keep("one", "team/one").await?;
    keep("two", "team/two").await?;
    vault.stage.delete_secret("one").await?;
    keep("one", "team/one").await?;

    // Then nobody who sees the ids can tell that the value is the same
    ensure!(versions.len() == 3, "{versions:?}");
    vault.holds().await
}
