//! Credentials that lead nowhere: the `AwsAccount` says which, and what is missing.

use anyhow::{Context as _, Result};
use kube::Api;
use serde_json::{Value, json};
use sharedkey_api::{AwsAccount, conditions::Reason};
use sharedkey_e2e::{DEADLINE, Stage, says};
use sharedkey_harness::{aws::Fault, wait_for_object};

#[tokio::test]
async fn a_secret_that_is_missing_or_lacks_its_key_is_named() -> Result<()> {
    let stage = Stage::new("aws").await?;
    let namespace = stage.home.world.operator_account.namespace.as_str();
    for (credentials, parts) in [
        (json!({"secretRef": {"name": "nowhere"}}), ["nowhere", "does not exist", namespace]),
        // There is one of this name, for roles that are assumed.
        (json!({"secretRef": {"name": "external-id"}}), ["external-id", "accessKeyId", namespace]),
    ] {
        let name = account(&stage, "keys", credentials).await?;
        says(&not_ready(&stage, &name, Reason::InvalidCredentials).await?, &parts)?;
    }
    Ok(())
}

#[tokio::test]
async fn accounts_that_lead_into_each_other_are_named() -> Result<()> {
    let stage = Stage::new("aws").await?;
    let via = |end: &str| {
        let other = format!("{end}-{}", stage.namespace);
        json!({"assumeRole": {"roleArn": stage.partner.account.arn("role/sharedkey-operator"), "via": {"name": other}}})
    };
    let there = account(&stage, "there", via("back")).await?;
    let back = account(&stage, "back", via("there")).await?;
    for name in [&there, &back] {
        let message = not_ready(&stage, name, Reason::CredentialCycle).await?;
        says(&message, &["lead into each other", &there, &back])?;
    }
    Ok(())
}

#[tokio::test]
async fn a_region_that_is_not_enabled_is_told_with_the_account() -> Result<()> {
    let stage = Stage::new("aws").await?;
    let disabled = Fault::error("RegionDisabledException", "STS is not activated in this region for account");
    stage.home.world.aws.inject(&disabled.service("sts").account(&stage.partner.account)).await?;
    let role = json!({"roleArn": stage.partner.account.arn("role/sharedkey-operator"), "externalIdSecretRef": {"name": "external-id", "key": "value"}});
    let name = account(&stage, "disabled", json!({"assumeRole": role})).await?;
    let message = not_ready(&stage, &name, Reason::RegionDisabled).await?;
    says(&message, &[stage.partner.account.id(), "RegionDisabledException", "not activated in this region"])
}

/// Another `AwsAccount` of the partner. Returns its name.
async fn account(stage: &Stage, name: &str, credentials: Value) -> Result<String> {
    let (name, account) = (format!("{name}-{}", stage.namespace), &stage.partner.account);
    let spec = json!({
        "accountId": account.id(), "defaultRegion": account.root().region(), "credentials": credentials,
        "endpoints": stage.endpoints(account.root().region()),
        "allow": [{"namespaces": {"names": [stage.namespace]}, "keys": ["*"], "principals": ["*"]}],
    });
    stage.put_account(&name, &spec).await?;
    Ok(name)
}

/// Waits until an account is not ready for a reason that belongs to its newest generation, and returns its message.
async fn not_ready(stage: &Stage, name: &str, reason: Reason) -> Result<String> {
    let api: Api<AwsAccount> = Api::all(stage.client.clone());
    let said = |account: &AwsAccount| {
        let status =
            account.status.as_ref().filter(|status| status.observed_generation == account.metadata.generation)?;
        let mut conditions = status.conditions.iter();
        let told =
            conditions.find(|told| told.type_ == "Ready" && told.status != "True" && told.reason == reason.as_ref());
        told.map(|told| told.message.clone())
    };
    let what = format!("Ready is not True, {reason}");
    let account = wait_for_object(&api, name, &what, DEADLINE, |account| said(account).is_some()).await?;
    said(&account).context("it was there a moment ago")
}
