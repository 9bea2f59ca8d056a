//! A namespace reaches what cluster administrators opened to it, and nothing else: AWS is not even asked.

use anyhow::{Result, ensure};
use kube::{Api, api::DeleteParams};
use serde_json::{Value, json};
use sharedkey_api::{AwsAccount, conditions::Reason};
use sharedkey_e2e::{Side, Stage, allowed, denied, merge, says, spec};
use sharedkey_harness::aws::{Calls, Count};

/// A SharedKey is refused before AWS is asked anything about it, and is shared by itself as soon as an administrator gives in.
async fn refused_until(
    stage: &Stage,
    side: &Side,
    given_in: Value,
    spec: Value,
    reason: Reason,
    parts: &[&str],
) -> Result<()> {
    stage.forget_calls().await?;
    stage.share("orders", spec).await?;
    says(&stage.stalled("orders", reason).await?, parts)?;
    stage.look("orders").await?;
    let mut asked = stage.calls(&stage.owner.account).await?;
    asked.extend(stage.calls(&stage.partner.account).await?);
    // An AwsAccount is looked at for its own sake.
    asked.retain(|call| !is_of_an_account(call));
    ensure!(asked.is_empty(), "AWS should not be asked: {asked:?}");

    stage.patch_account(&side.name, given_in).await?;
    stage.ready("orders").await?;
    allowed(&stage.as_role().await?, &stage.probe().await?).await
}

fn is_of_an_account(call: &Count) -> bool {
    ["GetCallerIdentity", "GetAccountSummary"].contains(&call.operation.as_str())
}

fn with(stage: &Stage, consumer: Value) -> Value {
    let mut fields = json!({"principals": [{"role": "ExampleRole"}]});
    merge(&mut fields, consumer);
    spec(stage, json!({"arn": stage.key.arn}), fields)
}

fn opening(stage: &Stage, keys: &[&str], principals: &[&str]) -> Value {
    json!({"allow": [{"namespaces": {"names": [stage.namespace]}, "keys": keys, "principals": principals}]})
}

#[tokio::test]
async fn a_key_that_no_rule_opens_is_not_shared() -> Result<()> {
    let stage = Stage::new("aws-cn").await?;
    let others = opening(&stage, &["alias/others/*", "arn:aws-cn:kms:*:*:key/mrk-*"], &["*"]);
    stage.patch_account(&stage.owner.name, others).await?;

    let parts = [stage.key.arn.as_str(), &stage.owner.name, &stage.namespace, "allow[].keys", "cluster administrator"];
    let opened = opening(&stage, &[&stage.key.arn], &[]);
    refused_until(&stage, &stage.owner, opened, with(&stage, json!({})), Reason::NotAllowed, &parts).await
}

#[tokio::test]
async fn a_principal_that_no_rule_opens_receives_nothing() -> Result<()> {
    let stage = Stage::new("aws").await?;
    let others = opening(&stage, &["*"], &["role/apps/*", "user/*"]);
    stage.patch_account(&stage.partner.name, others).await?;

    let parts = ["role/ExampleRole", stage.partner.name.as_str(), &stage.namespace, "allow[].principals"];
    let opened = opening(&stage, &[], &["role/Example*"]);
    refused_until(&stage, &stage.partner, opened, with(&stage, json!({})), Reason::NotAllowed, &parts).await
}

#[tokio::test]
async fn rules_of_two_namespaces_never_add_up() -> Result<()> {
    // Given one rule with this namespace and other keys, and one with the key and other namespaces
    let stage = Stage::new("aws").await?;
    let mixed = json!({"allow": [
        {"namespaces": {"names": [stage.namespace]}, "keys": ["alias/others"]},
        {"namespaces": {"names": ["another-team"]}, "keys": ["*"], "principals": ["*"]},
    ]});
    stage.patch_account(&stage.owner.name, mixed).await?;

    // Then the key stays closed, until the namespace has the label that a rule with the key selects
    let selected = json!({"allow": [
        {"namespaces": {"selector": {"matchLabels": {"kubernetes.io/metadata.name": stage.namespace}}}, "keys": ["*"]},
    ]});
    let parts = [stage.key.arn.as_str(), "no allow rule"];
    refused_until(&stage, &stage.owner, selected, with(&stage, json!({})), Reason::NotAllowed, &parts).await
}

#[tokio::test]
async fn guardrails_of_the_owner_hold_for_every_consumer() -> Result<()> {
    let stage = Stage::new("aws").await?;
    let partner = stage.partner.account.id();
    for (rule, sharing, consumer) in [
        ("trustedAccounts", json!({"trustedAccounts": ["999999999999"]}), json!({})),
        ("allowedActions", json!({"allowedActions": ["kms:Decrypt", "kms:DescribeKey"]}), json!({})),
        ("allowAccountScope", json!({"allowAccountScope": false}), json!({"trust": "Account"})),
    ] {
        stage.patch_account(&stage.owner.name, json!({"sharing": null})).await?;
        stage.patch_account(&stage.owner.name, json!({"sharing": sharing})).await?;
        let lifted =
            json!({"sharing": {"trustedAccounts": [partner], "allowedActions": ["kms:*"], "allowAccountScope": true}});
        let parts = [rule, stage.owner.name.as_str(), "consumers[0] (partner)", "forbids"];
        refused_until(&stage, &stage.owner, lifted, with(&stage, consumer), Reason::SharingNotAllowed, &parts).await?;
        stage.delete("orders").await?;
    }
    Ok(())
}

#[tokio::test]
async fn no_access_crosses_partitions() -> Result<()> {
    let (china, stage) = (Stage::new("aws-cn").await?, Stage::new("aws").await?);
    let everywhere = json!({"allow": [{"namespaces": {"selector": {}}, "keys": ["*"], "principals": ["*"]}]});
    stage.patch_account(&stage.partner.name, everywhere).await?;
    let mut spec = china.spec();
    spec["consumers"][0]["accountRef"]["name"] = json!(stage.partner.name);
    spec["consumers"][0]["principals"] = json!([{"role": "ExampleRole"}]);

    china.share("orders", spec).await?;
    let message = china.stalled("orders", Reason::PartitionMismatch).await?;
    says(&message, &["consumers[0] (partner).accountRef", &stage.partner.name, "partition aws,", "aws-cn"])?;
    china.nothing_written().await
}

#[tokio::test]
async fn an_account_that_is_closed_to_a_namespace_is_like_one_that_does_not_exist() -> Result<()> {
    // Given an account that is opened to another namespace, and looked at for the last time
    let stage = Stage::new("aws").await?;
    let hidden =
        Side { account: stage.home.world.aws.account("aws").await?, name: format!("hidden-{}", stage.namespace) };
    let others = json!({"allow": [{"namespaces": {"names": ["another-team"]}, "keys": ["*"], "principals": ["*"]}]});
    stage.open(&hidden, &["owner", "consumer"], others).await?;
    stage.home.world.aws.forget(&Calls::all().account(&hidden.account)).await?;

    // When a SharedKey names it as owner or as consumer, and others name one that does not exist in its place
    let role = json!({"role": "ExampleRole"});
    let mut messages = Vec::new();
    for (name, account) in [("hidden", hidden.name.as_str()), ("missing", "missing")] {
        let mut as_owner = with(&stage, json!({}));
        as_owner["accountRef"]["name"] = json!(account);
        let as_consumer = with(&stage, json!({"accountRef": {"name": account}, "principals": [role]}));
        for (part, spec) in [("owner", as_owner), ("consumer", as_consumer)] {
            let object = format!("{name}-{part}");
            stage.share(&object, spec).await?;
            let message = stage.stalled(&object, Reason::NotAllowed).await?;
            stage.look(&object).await?;
            messages.push((part, message.replace(account, "ACCOUNT")));
        }
    }

    // Then nobody can tell the one from the other, and the account was not entered for it
    assert_eq!(messages[..2], messages[2..]);
    let asked = stage.calls(&hidden.account).await?;
    ensure!(asked.is_empty(), "the credentials of a closed account are not used: {asked:?}");

    // And objects that may not use an account do not keep its administrators from removing it
    let accounts: Api<AwsAccount> = Api::all(stage.client.clone());
    accounts.delete(&hidden.name, &DeleteParams::default()).await?;
    assert_eq!(accounts.get_opt(&hidden.name).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_handoff_needs_a_listed_account_and_works_when_the_other_side_attaches_its_policy() -> Result<()> {
    // Given an account without a way into it, and an owner who does not list it
    let stage = Stage::new("aws-cn").await?;
    let partner = stage.home.world.aws.account("aws-cn").await?;
    let role = partner.create_role("/apps/", "Reader").await?;
    let mut handoff = stage.spec();
    handoff["consumers"] =
        json!([{"name": "partner", "accountId": partner.id(), "principals": [{"role": "apps/Reader"}]}]);
    stage.share("orders", handoff).await?;
    let message = stage.stalled("orders", Reason::SharingNotAllowed).await?;
    says(&message, &["trustedAccounts", partner.id(), "accountId alone", &stage.owner.name])?;
    stage.nothing_written().await?;

    // When the owner lists it, then its half is written, and status has the other
    stage.patch_account(&stage.owner.name, json!({"sharing": {"trustedAccounts": [partner.id()]}})).await?;
    let key = stage.ready("orders").await?;
    let status = key.status.unwrap_or_default();
    let [consumer] = &status.consumers[..] else { panic!("one consumer: {status:?}") };
    let [principal] = &consumer.principals[..] else { panic!("one principal: {consumer:?}") };
    assert_eq!((principal.arn.as_str(), principal.verdict.to_string().as_str()), (role.as_str(), "Unknown"));
    says(principal.reason.as_deref().unwrap_or_default(), &["Handoff", partner.id(), "handoffPolicy"])?;
    let policy: Value = serde_json::from_str(consumer.handoff_policy.as_deref().unwrap_or_default())?;

    // And when the other side attaches it, then its role can use the key
    let (reader, probe) = (partner.as_role(&role).await?, stage.probe().await?);
    denied(&reader, &probe).await?;
    partner.put_role_policy("Reader", "from-the-owner", &policy).await?;
    allowed(&reader, &probe).await?;

    // And when the object goes, the owner's half is enough to end it
    stage.delete("orders").await?;
    denied(&reader, &probe).await
}
