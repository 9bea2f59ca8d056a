//! Endpoints receive signed requests, so an `AwsAccount` may override them only where whoever started the operator said so.
//!
//! A binary of its own, because the operator that the other stories share was started with both flags.

use anyhow::{Context as _, Result, ensure};
use kube::Api;
use serde_json::json;
use sharedkey_api::{AwsAccount, conditions::Reason};
use sharedkey_e2e::{DEADLINE, ENDPOINT_FLAGS, Home, Login, Service, says};
use sharedkey_harness::{aws::Calls, cluster::apply, wait_for_object};

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_are_called_only_by_an_operator_that_was_started_with_the_flags_for_them() -> Result<()> {
    let [overrides, insecure] = ENDPOINT_FLAGS;
    for (flags, missing) in [(&[][..], Some(overrides)), (&[overrides], Some(insecure)), (&[overrides, insecure], None)]
    {
        // Given an operator with some of the flags, and an account whose endpoints are overridden, without TLS
        let Service { home, operator } = Service::allowing(flags).await?;
        let account = overriding(&home).await?;

        // Then the flag that is missing is named, and nobody is called; with both of them it is ready
        let (ready, reason, message) = told(&home, &account).await?;
        let calls = home.world.aws.count(&Calls::all().principal(&home.user)).await?;
        match missing {
            Some(flag) => {
                assert_eq!((ready.as_str(), reason.as_str()), ("False", Reason::EndpointOverrideNotAllowed.as_ref()));
                says(&message, &[flag])?;
                assert_eq!(calls, 0, "without {flag}");
            }
            None => ensure!(ready == "True" && calls > 0, "{ready} {reason} {message}, {calls} calls"),
        }
        operator.stop().await?;
    }
    Ok(())
}

/// An account that the operator could enter. Returns the `AwsAccount`'s name.
async fn overriding(home: &Home) -> Result<String> {
    let account = home.world.aws.account("aws").await?;
    let name = format!("account-{}", account.id());
    let credentials = Login::AssumeRole { from: &home.user, via: None }.open(&account, &["consumer"]).await?;
    let url = home.world.aws.url();
    let object = json!({
        "apiVersion": "sharedkey.dev/v1alpha1", "kind": "AwsAccount", "metadata": {"name": name},
        "spec": {
            "accountId": account.id(), "defaultRegion": account.root().region(), "credentials": credentials,
            "endpoints": {"kms": url, "iam": url, "sts": url},
            "allow": [{"namespaces": {"names": ["default"]}, "keys": ["*"], "principals": ["*"]}],
        },
    });
    apply(&home.world.control_plane.client().await?, "default", &object.to_string()).await?;
    Ok(name)
}

/// What status says of it: `Ready`, its reason and its message.
async fn told(home: &Home, name: &str) -> Result<(String, String, String)> {
    let api: Api<AwsAccount> = Api::all(home.world.control_plane.client().await?);
    let said = |account: &AwsAccount| {
        let conditions = account.status.iter().flat_map(|status| &status.conditions);
        let ready =
            conditions.into_iter().find(|condition| condition.type_ == "Ready" && condition.status != "Unknown");
        ready.map(|ready| (ready.status.clone(), ready.reason.clone(), ready.message.clone()))
    };
    let account = wait_for_object(&api, name, "Ready is known", DEADLINE, |account| said(account).is_some()).await?;
    said(&account).context("it was there a moment ago")
}
