//! Ends that come together with other ends.

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, api::DeleteParams};
use serde_json::json;
use sharedkey_api::AwsAccount;
use sharedkey_e2e::{DEADLINE, IN_ACCOUNTS, allowed, denied, says};
use sharedkey_harness::{aws::Fault, wait_for};

use super::{has_statement, policies, shared, what_remains};

#[tokio::test]
async fn the_end_of_a_key_does_not_keep_what_was_shared_of_it() -> Result<()> {
    // Given a shared key that KMS does not know any more
    let (stage, _) = shared("aws").await?;
    let gone = Fault::error("NotFoundException", "there is no such key").service("kms");
    let gone = gone.resource(&format!("*{}", stage.key.id)).principal(IN_ACCOUNTS);
    let gone = stage.home.world.aws.inject(&gone).await?;

    // When the object is deleted, then it goes, and the other half with it
    stage.delete("orders").await?;
    stage.home.world.aws.remove_fault(gone).await?;
    ensure!(policies(&stage).await? == 0, "policies are left");
    stage.forgotten("orders").await
}

#[tokio::test]
async fn a_namespace_ends_with_everything_that_was_shared_from_it() -> Result<()> {
    // Given two shared objects in a namespace
    let (stage, probe) = shared("aws-cn").await?;
    stage.share("invoices", stage.spec()).await?;
    stage.ready("invoices").await?;
    allowed(&stage.as_role().await?, &probe).await?;

    // When the namespace is deleted, then it ends, and nobody can use the key
    let namespaces: Api<Namespace> = Api::all(stage.client.clone());
    namespaces.delete(&stage.namespace, &DeleteParams::default()).await?;
    wait_for("the end of the namespace", DEADLINE, async || {
        let left = namespaces.get_opt(&stage.namespace).await?;
        ensure!(left.is_none(), "it is still there: {:?}", left.and_then(|namespace| namespace.status));
        Ok(())
    })
    .await?;
    denied(&stage.as_role().await?, &probe).await?;
    ensure!((has_statement(&stage).await?, policies(&stage).await?) == (false, 0), "something is left");
    stage.forgotten("orders").await?;
    stage.forgotten("invoices").await
}

#[tokio::test]
async fn what_is_to_stay_does_not_wait_for_accounts() -> Result<()> {
    for change in [json!({"deletionPolicy": "Retain"}), json!({"mode": "Observe"}), json!({"suspend": true})] {
        // Given an object that may not take anything back, and accounts that let nobody in any more
        let (stage, _) = shared("aws").await?;
        stage.patch("orders", json!({"spec": change})).await?;
        stage.shut(&stage.owner).await?;
        stage.shut(&stage.partner).await?;

        // When it is deleted, then it goes at once, and says what stays
        stage.delete("orders").await?;
        says(&what_remains(&stage).await?, &[&stage.sid("orders", "partner"), &stage.role, &stage.user])?;
        ensure!((has_statement(&stage).await?, policies(&stage).await?) == (true, 2), "something was taken back");
        stage.forgotten("orders").await?;
    }
    Ok(())
}

#[tokio::test]
async fn accounts_that_are_deleted_first_wait_for_the_object() -> Result<()> {
    // Given accounts that are to go, and are in use
    let (stage, probe) = shared("aws").await?;
    let accounts: Api<AwsAccount> = Api::all(stage.client.clone());
    for name in [&stage.owner.name, &stage.partner.name] {
        accounts.delete(name, &DeleteParams::default()).await?;
    }

    // When the namespace's objects end, then both halves go through them, and then they go
    stage.delete("orders").await?;
    denied(&stage.as_role().await?, &probe).await?;
    ensure!((has_statement(&stage).await?, policies(&stage).await?) == (false, 0), "something is left");
    for name in [&stage.owner.name, &stage.partner.name] {
        wait_for("the end of an AwsAccount", DEADLINE, async || {
            let left = accounts.get_opt(name).await?;
            ensure!(left.is_none(), "it is still there: {left:?}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}
