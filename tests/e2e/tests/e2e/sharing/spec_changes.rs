//! The spec is changed, and what stands in AWS follows. Nobody changed anything behind the operator's back, so none of it is drift.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sharedkey_api::DriftKind;
use sharedkey_e2e::{Hands, Side, Stage, allowed, denied, has_sid, spec};
use sharedkey_harness::aws::Operation;

use super::{PARTITIONS, account_policy};

const DELEGATIONS: [&str; 2] = ["InlinePolicy", "ManagedPolicy"];

#[tokio::test]
async fn a_consumer_that_leaves_the_spec_is_unshared() -> Result<()> {
    for (partition, delegation) in everywhere() {
        // Given a key that is shared with two accounts
        let stage = Stage::new(partition).await?;
        let other = Side {
            name: format!("other-{}", stage.namespace),
            account: stage.home.world.aws.account(partition).await?,
        };
        stage.open(&other, &["consumer"], json!({})).await?;
        let app = other.account.create_role("/", "App").await?;
        let leaving = json!({
            "name": "other", "accountRef": {"name": other.name}, "principals": [{"role": "App"}], "delegation": delegation,
        });
        let staying = wanted(&stage, delegation, &json!({}));
        let mut both = staying.clone();
        both["consumers"].as_array_mut().context("consumers")?.push(leaving);
        stage.share("orders", both).await?;
        stage.ready("orders").await?;
        let probe = stage.probe().await?;
        let (app_session, role) = (other.account.as_role(&app).await?, stage.as_role().await?);
        allowed(&app_session, &probe).await?;

        // When one of them leaves the spec
        stage.share("orders", staying).await?;
        stage.ready("orders").await?;

        // Then both halves of it are gone, and the other one can still use the key
        denied(&app_session, &probe).await?;
        assert!(!has_sid(&account_policy(&stage).await?, &stage.sid("orders", "other")));
        let hands = Hands::of(&other.account);
        assert_eq!((hands.inline(&app).await?.len(), hands.attached(&app).await?.len()), (0, 0));
        let policy = other.account.arn(&format!("policy/{}", stage.policy_name("orders", "other")));
        assert_eq!(hands.versions(&policy).await?, None);
        allowed(&role, &probe).await?;
        no_drift_was_told(&stage).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_principal_that_leaves_the_spec_is_unshared() -> Result<()> {
    for (partition, delegation) in everywhere() {
        let stage = Stage::new(partition).await?;
        let probe = stage.probe().await?;
        let (role, user) = (stage.as_role().await?, stage.as_user().await?);
        stage.share("orders", wanted(&stage, delegation, &json!({}))).await?;
        stage.ready("orders").await?;
        allowed(&user, &probe).await?;

        // When the user leaves the spec, then it cannot use the key any more, and the role can
        let only_role = json!({"principals": [{"role": "ExampleRole"}]});
        stage.share("orders", wanted(&stage, delegation, &only_role)).await?;
        stage.ready("orders").await?;
        denied(&user, &probe).await?;
        let hands = Hands::of(&stage.partner.account);
        assert_eq!((hands.inline(&stage.user).await?.len(), hands.attached(&stage.user).await?.len()), (0, 0));
        allowed(&role, &probe).await?;

        // When it comes back, then it can
        stage.share("orders", wanted(&stage, delegation, &json!({}))).await?;
        stage.ready("orders").await?;
        allowed(&user, &probe).await?;
        no_drift_was_told(&stage).await?;
    }
    Ok(())
}

#[tokio::test]
async fn actions_follow_the_spec() -> Result<()> {
    for (partition, delegation) in everywhere() {
        let stage = Stage::new(partition).await?;
        let probe = stage.probe().await?;
        let role = stage.as_role().await?;
        stage.share("orders", wanted(&stage, delegation, &json!({}))).await?;
        stage.ready("orders").await?;
        allowed(&role, &probe).await?;

        // When only reading is left in the spec, then only reading is left in AWS
        stage.share("orders", wanted(&stage, delegation, &json!({"access": "Decrypt"}))).await?;
        stage.ready("orders").await?;
        assert!(role.attempt(Operation::Encrypt, &probe).await?.is_denied());
        assert!(role.attempt(Operation::Decrypt, &probe).await?.is_allowed());

        // When a condition comes in, then it counts
        let via = json!({"access": "Decrypt", "conditions": {"viaServices": ["s3"]}});
        stage.share("orders", wanted(&stage, delegation, &via)).await?;
        stage.ready("orders").await?;
        denied(&role, &probe).await?;
        no_drift_was_told(&stage).await?;
    }
    Ok(())
}

#[tokio::test]
async fn another_way_of_delegation_replaces_the_one_before() -> Result<()> {
    for partition in PARTITIONS {
        let stage = Stage::new(partition).await?;
        let probe = stage.probe().await?;
        let (role, user) = (stage.as_role().await?, stage.as_user().await?);
        let hands = Hands::of(&stage.partner.account);
        for delegation in ["InlinePolicy", "ManagedPolicy", "InlinePolicy"] {
            stage.share("orders", wanted(&stage, delegation, &json!({}))).await?;
            stage.ready("orders").await?;
            allowed(&role, &probe).await?;
            allowed(&user, &probe).await?;
            let inline = usize::from(delegation == "InlinePolicy");
            for entity in [&stage.role, &stage.user] {
                let found = (hands.inline(entity).await?.len(), hands.attached(entity).await?.len());
                assert_eq!(found, (inline, 1 - inline), "{entity}, {delegation}");
            }
        }
        no_drift_was_told(&stage).await?;
    }
    Ok(())
}

fn everywhere() -> impl Iterator<Item = (&'static str, &'static str)> {
    PARTITIONS.into_iter().flat_map(|partition| DELEGATIONS.map(|delegation| (partition, delegation)))
}

fn wanted(stage: &Stage, delegation: &str, fields: &Value) -> Value {
    let mut consumer =
        json!({"principals": [{"role": "ExampleRole"}, {"user": "team/ExampleUser"}], "delegation": delegation});
    sharedkey_e2e::merge(&mut consumer, fields.clone());
    spec(stage, json!({"arn": stage.key.arn}), consumer)
}

/// No event has named drift so far, and nothing was healed.
async fn no_drift_was_told(stage: &Stage) -> Result<()> {
    assert_eq!(stage.status("orders").await?.last_correction, None);
    let names_drift = |reason: &String| serde_json::from_value::<DriftKind>(json!(reason)).is_ok();
    let mut told = stage.events("orders").await?;
    told.retain(|event| event.reason.as_ref().is_some_and(names_drift));
    assert!(told.is_empty(), "{told:?}");
    Ok(())
}
