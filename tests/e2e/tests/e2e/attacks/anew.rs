//! An object that is torn out of the cluster, finalizer and all, and put there again under its name with something else in it: what
//! was given under the name is remembered, and is no way to anything else.

use anyhow::{Result, ensure};
use serde_json::json;
use sharedkey_api::conditions::Reason;
use sharedkey_e2e::{allowed, denied, has_sid};
use sharedkey_harness::aws::Probe;

use super::siege::Siege;

#[tokio::test]
async fn an_account_that_is_not_opened_is_not_entered_to_take_something_back() -> Result<()> {
    // Given a shared key whose object was torn out
    let siege = Siege::lay().await?;
    siege.stage.share("orders", siege.spec()).await?;
    siege.stage.ready("orders").await?;
    siege.stage.tear_out("orders").await?;

    // When one of the same name names a key of an account that is not opened, and is deleted
    let mut spec = siege.with(json!({"arn": siege.hidden_key.arn}), json!({}));
    spec["accountRef"]["name"] = json!(siege.hidden.name);
    siege.refused("orders", spec, Reason::NotAllowed, &["does not exist, or no allow rule"]).await?;
    siege.stage.delete("orders").await?;

    // Then what the first one gave is taken back, where it was given
    denied(&siege.stage.as_role().await?, &siege.stage.probe().await?).await?;
    ensure!(siege.ours().await? == (0, 0), "something is left");
    siege.holds().await
}

#[tokio::test]
async fn a_key_that_was_pinned_for_one_alias_is_not_given_under_another() -> Result<()> {
    // Given an object that is bound to a key by an alias, which is closed since, and another alias that is opened
    let siege = Siege::lay().await?;
    siege.stage.share("orders", siege.with(json!({"alias": "alias/orders"}), json!({}))).await?;
    siege.stage.ready("orders").await?;
    let owner = &siege.stage.owner.account;
    let team = owner.create_key(None).await?;
    owner.create_alias("alias/team-key", &team).await?;
    let rules = json!({"allow": [{"namespaces": {"names": [siege.stage.namespace]}, "keys": ["alias/team-*"]}]});
    siege.patch_account(&siege.stage.owner.name, rules).await?;
    siege.stage.stalled("orders", Reason::NotAllowed).await?;

    // When the object is torn out, and one of its name names the other alias
    let probe = siege.stage.probe().await?;
    siege.stage.tear_out("orders").await?;
    siege.stage.share("orders", siege.with(json!({"alias": "alias/team-key"}), json!({}))).await?;
    let key = siege.stage.ready("orders").await?;

    // Then the other alias' key is shared, and the first one is taken back
    ensure!(key.status.unwrap_or_default().key_arn.as_deref() == Some(&team.arn), "the other alias' key is shared");
    allowed(&siege.stage.as_role().await?, &Probe::new(owner, &team).await?).await?;
    denied(&siege.stage.as_role().await?, &probe).await?;
    ensure!(!has_sid(&owner.key_policy(&siege.stage.key).await?, &siege.stage.sid("orders", "partner")), "it is left");
    siege.holds().await
}

#[tokio::test]
async fn another_key_under_the_same_name_ends_the_first_one() -> Result<()> {
    // Given an object that was torn out, and one of its name with another key that is opened
    let siege = Siege::lay().await?;
    siege.stage.share("orders", siege.spec()).await?;
    siege.stage.ready("orders").await?;
    let owner = &siege.stage.owner.account;
    let team = owner.create_key(None).await?;
    owner.create_alias("alias/team-key", &team).await?;
    let probes = [siege.stage.probe().await?, Probe::new(owner, &team).await?];
    siege.stage.tear_out("orders").await?;
    siege.stage.share("orders", siege.with(json!({"alias": "alias/team-key"}), json!({}))).await?;
    siege.stage.ready("orders").await?;

    // Then the second key is shared in place of the first, and nothing is left of either in the end
    let role = siege.stage.as_role().await?;
    denied(&role, &probes[0]).await?;
    allowed(&role, &probes[1]).await?;
    ensure!(siege.ours().await? == (0, 1), "the first key's policy has a statement");
    siege.stage.delete("orders").await?;
    denied(&role, &probes[1]).await?;
    ensure!(!has_sid(&owner.key_policy(&team).await?, &siege.stage.sid("orders", "partner")), "something is left");
    siege.holds().await
}

#[tokio::test]
async fn a_finalizer_that_is_taken_away_is_put_back() -> Result<()> {
    let siege = Siege::lay().await?;
    siege.stage.share("orders", siege.spec()).await?;
    siege.stage.ready("orders").await?;

    siege.stage.patch("orders", json!({"metadata": {"finalizers": null}})).await?;
    siege.stage.look("orders").await?;
    siege.stage.delete("orders").await?;
    denied(&siege.stage.as_role().await?, &siege.stage.probe().await?).await?;
    ensure!(siege.ours().await? == (0, 0), "something is left");
    siege.holds().await
}

#[tokio::test]
async fn an_object_that_outlives_its_accounts_goes_without_them() -> Result<()> {
    // Given an object that was refused, and an owner's AwsAccount that is closed to everybody and then gone
    let siege = Siege::lay().await?;
    siege.refused("orders", siege.with(json!({"arn": siege.secret.arn}), json!({})), Reason::NotAllowed, &[]).await?;
    siege.remove_account(&siege.stage.owner.name).await?;

    // When it is deleted after it, then it goes, and nobody is asked
    siege.stage.delete("orders").await?;
    siege.holds().await
}
