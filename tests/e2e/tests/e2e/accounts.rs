//! Accounts that cannot be reached, come late, only let themselves be observed, or go.

use anyhow::{Result, ensure};
use kube::{Api, api::DeleteParams};
use serde_json::json;
use sharedkey_api::{AwsAccount, DriftKind, VerdictValue, conditions::Reason};
use sharedkey_e2e::{
    DEADLINE, Hands, IN_ACCOUNTS, Side, Stage, allowed, denied, has_sid, is, key_document, says, spec,
};
use sharedkey_harness::{aws::Calls, wait_for, wait_for_object};

#[tokio::test]
async fn the_owners_half_is_looked_after_while_a_consumers_account_cannot_be_reached() -> Result<()> {
    // Given a shared key, and a consumer's account that lets nobody in any more
    let stage = Stage::new("aws").await?;
    let probe = stage.probe().await?;
    stage.share("orders", stage.spec()).await?;
    stage.ready("orders").await?;
    stage.shut(&stage.partner).await?;

    // Then status says so, keeps what was known, and calls nothing drift that it cannot see
    let message = stage.says("orders", "DelegationApplied", "Unknown", Reason::OperatorUnauthorised).await?;
    says(&message, &[stage.partner.account.id(), "sts:AssumeRole", "AccessDenied"])?;
    let status = stage.status("orders").await?;
    assert_eq!((is(&status, "KeyPolicyApplied", "True"), status.drift_count), (true, 0), "{status:?}");
    let verdicts = status.consumers[0].principals.iter().map(|principal| principal.verdict);
    assert!(verdicts.into_iter().all(|verdict| verdict == VerdictValue::Unknown), "{status:?}");
    says(status.consumers[0].principals[0].reason.as_deref().unwrap_or_default(), &["last known: Allowed"])?;

    // And the owner's half is healed, and given to objects that come now
    stage.owner.account.put_key_policy(&stage.key, &key_document(&stage.owner.account)).await?;
    stage.healed("orders", DriftKind::StatementMissing).await?;
    allowed(&stage.as_role().await?, &probe).await?;
    stage.share("late", stage.spec()).await?;
    stage.says("late", "KeyPolicyApplied", "True", Reason::Succeeded).await?;

    // And when the account opens again, everything is in place by itself
    stage.unshut(&stage.partner).await?;
    stage.ready("orders").await?;
    stage.ready("late").await?;
    let policies = Hands::of(&stage.partner.account).inline(&stage.role).await?;
    assert!(policies.contains_key(&stage.policy_name("late", "partner")), "{policies:?}");
    Ok(())
}

#[tokio::test]
async fn an_account_without_the_operators_role_says_so_and_recovers_with_it() -> Result<()> {
    let stage = Stage::new("aws").await?;
    let iam = stage.partner.account.root().iam();
    iam.delete_role_policy().role_name("sharedkey-operator").policy_name("consumer").send().await?;
    iam.delete_role().role_name("sharedkey-operator").send().await?;

    stage.share("orders", stage.spec()).await?;
    stage.says("orders", "KeyPolicyApplied", "True", Reason::Succeeded).await?;
    stage.says("orders", "DelegationApplied", "Unknown", Reason::OperatorUnauthorised).await?;
    denied(&stage.as_role().await?, &stage.probe().await?).await?;

    stage.open(&stage.partner, &["consumer"], json!({})).await?;
    stage.ready("orders").await?;
    allowed(&stage.as_role().await?, &stage.probe().await?).await
}

#[tokio::test]
async fn the_consumers_half_is_looked_after_while_the_owner_cannot_be_reached() -> Result<()> {
    let stage = Stage::new("aws").await?;
    stage.share("orders", stage.spec()).await?;
    stage.ready("orders").await?;
    stage.shut(&stage.owner).await?;

    let message = stage.says("orders", "KeyPolicyApplied", "Unknown", Reason::OperatorUnauthorised).await?;
    says(&message, &[stage.owner.account.id(), "sts:AssumeRole", "AccessDenied"])?;
    assert_eq!(stage.status("orders").await?.drift_count, 0);
    let hands = Hands::of(&stage.partner.account);
    hands.delete_inline(&stage.role, &stage.policy_name("orders", "partner")).await?;
    stage.healed("orders", DriftKind::PolicyMissing).await?;
    allowed(&stage.as_role().await?, &stage.probe().await?).await?;

    stage.unshut(&stage.owner).await?;
    stage.ready("orders").await?;
    Ok(())
}

#[tokio::test]
async fn an_account_that_comes_after_the_object_that_names_it_is_waited_for() -> Result<()> {
    let stage = Stage::new("aws-cn").await?;
    let late =
        Side { account: stage.home.world.aws.account("aws-cn").await?, name: format!("late-{}", stage.namespace) };
    let role = late.account.create_role("/", "Late").await?;
    let consumer = json!({"accountRef": {"name": late.name}, "principals": [{"role": "Late"}]});
    stage.share("orders", spec(&stage, json!({"arn": stage.key.arn}), consumer)).await?;
    says(&stage.stalled("orders", Reason::NotAllowed).await?, &[&late.name, "does not exist"])?;
    stage.nothing_written().await?;

    stage.open(&late, &["consumer"], json!({})).await?;
    stage.ready("orders").await?;
    allowed(&late.account.as_role(&role).await?, &stage.probe().await?).await
}

#[tokio::test]
async fn an_account_that_may_only_be_observed_caps_every_object_that_uses_it() -> Result<()> {
    for capped_side in [|stage: &Stage| stage.owner.name.clone(), |stage: &Stage| stage.partner.name.clone()] {
        // Given an account in mode Observe, and an object in mode Enforce
        let stage = Stage::new("aws").await?;
        let capped = capped_side(&stage);
        stage.patch_account(&capped, json!({"mode": "Observe"})).await?;
        stage.share("orders", stage.spec()).await?;

        // Then what would have to be written is told, and nothing is
        let key = stage.wait("orders", "drift is told", |status| status.drift_count > 0).await?;
        let status = key.status.unwrap_or_default();
        let kinds: Vec<DriftKind> = status.drift.iter().map(|drift| drift.kind).collect();
        assert_eq!(kinds, [DriftKind::StatementMissing, DriftKind::PolicyMissing, DriftKind::PolicyMissing]);
        stage.says("orders", "Ready", "True", Reason::Observed).await?;
        stage.says("orders", "InSync", "False", Reason::DriftFound).await?;
        stage.look("orders").await?;
        stage.nothing_written().await?;

        // And when the cap is lifted, it is shared
        stage.patch_account(&capped, json!({"mode": "Enforce"})).await?;
        stage.ready("orders").await?;
        allowed(&stage.as_role().await?, &stage.probe().await?).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_suspended_object_is_left_alone_until_it_is_resumed() -> Result<()> {
    // Given a shared key that is suspended, and another object that shows when the operator has been around
    let stage = Stage::new("aws").await?;
    let other = stage.owner.account.create_key(None).await?;
    let consumer = json!({"principals": [{"user": "team/ExampleUser"}]});
    stage.share("orders", stage.spec()).await?;
    stage.share("canary", spec(&stage, json!({"arn": other.arn}), consumer)).await?;
    stage.ready("orders").await?;
    stage.ready("canary").await?;
    stage.patch("orders", json!({"spec": {"suspend": true}})).await?;
    stage.look("canary").await?;
    stage.look("canary").await?;
    let about_the_key = Calls::all().resource(&format!("*{}*", stage.key.id)).principal(IN_ACCOUNTS);
    stage.home.world.aws.forget(&about_the_key).await?;

    // When its statement is deleted, then nobody looks, and nobody writes
    let before = stage.keys().get("orders").await?;
    stage.owner.account.put_key_policy(&stage.key, &key_document(&stage.owner.account)).await?;
    stage.annotate("orders", "sharedkey.dev/reconcile-requested-at", "now").await?;
    for _ in 0..3 {
        stage.look("canary").await?;
    }
    assert_eq!(stage.home.world.aws.count(&about_the_key).await?, 0);
    assert_eq!(stage.keys().get("orders").await?.status, before.status);

    // And when it is resumed, it is healed
    stage.patch("orders", json!({"spec": {"suspend": false}})).await?;
    stage.healed("orders", DriftKind::StatementMissing).await?;
    allowed(&stage.as_role().await?, &stage.probe().await?).await
}

#[tokio::test]
async fn an_account_goes_when_nothing_uses_it_any_more() -> Result<()> {
    // Given an account through which a key is shared
    let stage = Stage::new("aws").await?;
    let accounts: Api<AwsAccount> = Api::all(stage.client.clone());
    stage.share("orders", stage.spec()).await?;
    stage.ready("orders").await?;

    // When it is deleted, then it stays, says why, and is still the way in
    let name = &stage.partner.name;
    accounts.delete(name, &DeleteParams::default()).await?;
    let told = |account: &AwsAccount| {
        let conditions = account.status.iter().flat_map(|status| &status.conditions);
        conditions.into_iter().any(|condition| condition.reason == Reason::Deleting.as_ref())
    };
    let account = wait_for_object(&accounts, name, "it says that it is being deleted", DEADLINE, told).await?;
    let status = account.status.unwrap_or_default();
    says(&status.conditions[0].message, &["being deleted", "still used by 1 object"])?;
    assert_eq!(status.users, Some(1));
    let hands = Hands::of(&stage.partner.account);
    hands.delete_inline(&stage.role, &stage.policy_name("orders", "partner")).await?;
    stage.healed("orders", DriftKind::PolicyMissing).await?;

    // And when the object is deleted, its halves go through it, and then it goes
    stage.delete("orders").await?;
    assert_eq!(hands.inline(&stage.role).await?.len(), 0);
    let policy = stage.owner.account.key_policy(&stage.key).await?;
    assert!(!has_sid(&policy, &stage.sid("orders", "partner")), "{policy}");
    wait_for("the AwsAccount's end", DEADLINE, async || {
        let left = accounts.get_opt(name).await?;
        ensure!(left.is_none(), "it is still there: {left:?}");
        Ok(())
    })
    .await
}
