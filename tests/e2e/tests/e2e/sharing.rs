//! A key is shared, and is not any more: in every way in which a spec can say it, with both halves and with each half alone.

mod bounded;
mod conditions;
mod rights;
mod spec_changes;

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use serde_json::{Value, json};
use sharedkey_api::{DriftKind, HalfState, VerdictValue, conditions::Reason};
use sharedkey_e2e::{Hands, Stage, allowed, denied, foreign, has_sid, says, spec};
use sharedkey_harness::aws::{Identity, Probe};

pub(crate) const PARTITIONS: [&str; 2] = ["aws-cn", "aws"];

#[tokio::test]
async fn a_key_is_shared_by_id_and_taken_back() -> Result<()> {
    every_way("id").await
}

#[tokio::test]
async fn a_key_is_shared_by_arn_and_taken_back() -> Result<()> {
    every_way("arn").await
}

#[tokio::test]
async fn a_key_is_shared_by_alias_and_taken_back() -> Result<()> {
    every_way("alias").await
}

async fn every_way(key: &'static str) -> Result<()> {
    let mut stories = Vec::new();
    for partition in PARTITIONS {
        for trust in ["Account", "Principals"] {
            for delegation in ["InlinePolicy", "ManagedPolicy", "None"] {
                stories.push(async move {
                    let told = both_halves_and_each_alone(partition, &Way { key, trust, delegation }).await;
                    told.with_context(|| format!("{partition}, key by {key}, trust {trust}, delegation {delegation}"))
                });
            }
        }
    }
    try_join_all(stories).await?;
    Ok(())
}

/// How a spec shares a key.
struct Way {
    key: &'static str,
    trust: &'static str,
    delegation: &'static str,
}

impl Way {
    async fn named(&self, stage: &Stage) -> Result<Value> {
        Ok(match self.key {
            "id" => json!({"id": stage.key.id}),
            "alias" => {
                stage.owner.account.create_alias("alias/orders", &stage.key).await?;
                json!({"alias": "alias/orders"})
            }
            _ => json!({"arn": stage.key.arn}),
        })
    }

    fn spec(&self, stage: &Stage, key: &Value, delegation: &str) -> Value {
        let principals = json!([{"role": "ExampleRole"}, {"user": "team/ExampleUser"}, {"role": "apps/blue/Worker"}]);
        let consumer = json!({"trust": self.trust, "principals": principals, "delegation": delegation});
        spec(stage, key.clone(), consumer)
    }
}

async fn both_halves_and_each_alone(partition: &str, way: &Way) -> Result<()> {
    // Given a key of another account, which a role, a user and a role with a path cannot use
    let stage = Stage::new(partition).await?;
    let account = &stage.partner.account;
    let worker = account.create_role("/apps/blue/", "Worker").await?;
    let people = [stage.as_role().await?, stage.as_user().await?, account.as_role(&worker).await?];
    let arns = [&stage.role, &stage.user, &worker];
    let probe = stage.probe().await?;
    all_denied(&people, &probe).await?;
    let others = foreign(&account_policy(&stage).await?);

    // When the key's half is alone, then they cannot, and status names each of them and the half that is missing
    let key = way.named(&stage).await?;
    stage.share("orders", way.spec(&stage, &key, "None")).await?;
    let told = stage.says("orders", "Ready", "False", Reason::AccessDenied).await?;
    says(&told, &[&stage.role, "no identity policy", "and 2 more"])?;
    for principal in &stage.status("orders").await?.consumers[0].principals {
        assert_eq!(
            (principal.key_policy, principal.verdict),
            (HalfState::Applied, VerdictValue::Denied),
            "{principal:?}"
        );
    }
    all_denied(&people, &probe).await?;

    // When the half in their own account is there too, then they can
    match way.delegation {
        "None" => by_hand(&stage, &arns).await?,
        delegation => drop(stage.share("orders", way.spec(&stage, &key, delegation)).await?),
    }
    let ready = stage.ready("orders").await?;
    assert_eq!(ready.status.and_then(|status| status.key_arn).as_deref(), Some(&*stage.key.arn));
    all_allowed(&people, &probe).await?;

    // When the half in their account is alone, then they cannot
    stage.observe("orders").await?;
    without(&stage, &stage.sid("orders", "partner")).await?;
    stage.drift("orders", DriftKind::StatementMissing).await?;
    all_denied(&people, &probe).await?;

    // When it is enforced again, then they can again
    stage.enforce("orders").await?;
    stage.healed("orders", DriftKind::StatementMissing).await?;
    all_allowed(&people, &probe).await?;

    // When the object is deleted, then they cannot, nothing of it remains, and nothing of others has changed
    stage.delete("orders").await?;
    all_denied(&people, &probe).await?;
    assert_eq!(foreign(&account_policy(&stage).await?), others);
    assert!(!has_sid(&account_policy(&stage).await?, &stage.sid("orders", "partner")));
    nothing_remains(&stage, &arns).await
}

#[tokio::test]
async fn an_account_is_trusted_as_a_whole_and_its_administrators_choose_who_uses_the_key() -> Result<()> {
    for partition in PARTITIONS {
        let stage = Stage::new(partition).await?;
        let (role, user) = (stage.as_role().await?, stage.as_user().await?);
        let probe = stage.probe().await?;

        // Given a key that is shared with an account, and with nobody in it
        stage.share("orders", spec(&stage, json!({"arn": stage.key.arn}), json!({"trust": "Account"}))).await?;
        let key = stage.ready("orders").await?;
        let principals = &key.status.context("a status")?.consumers[0].principals;
        assert_eq!(principals[0].arn, stage.partner.account.root_arn());
        assert_eq!((principals[0].key_policy, principals[0].delegation), (HalfState::Applied, HalfState::NotManaged));
        all_denied(&[role.clone(), user.clone()], &probe).await?;

        // When its administrators let one of them, then that one can, and the other cannot
        by_hand(&stage, &[&stage.role]).await?;
        allowed(&role, &probe).await?;
        denied(&user, &probe).await?;

        // When the object is deleted, then nobody can, whatever they were given
        stage.delete("orders").await?;
        denied(&role, &probe).await?;
    }
    Ok(())
}

async fn account_policy(stage: &Stage) -> Result<Value> {
    stage.owner.account.key_policy(&stage.key).await
}

/// The partner's administrators let people use the key, as far as it is theirs to let.
async fn by_hand(stage: &Stage, arns: &[&String]) -> Result<()> {
    let actions = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"];
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": stage.key.arn});
    let document = json!({"Version": "2012-10-17", "Statement": [statement]});
    for arn in arns {
        Hands::of(&stage.partner.account).put_inline(arn, "by-hand", &document).await?;
    }
    Ok(())
}

/// The owner's administrators remove a statement.
async fn without(stage: &Stage, sid: &str) -> Result<()> {
    let mut document = account_policy(stage).await?;
    let statements = document["Statement"].as_array_mut().context("a key policy has statements")?;
    statements.retain(|statement| statement["Sid"] != sid);
    stage.owner.account.put_key_policy(&stage.key, &document).await
}

/// No policy of the operator is left in the partner's account.
async fn nothing_remains(stage: &Stage, arns: &[&String]) -> Result<()> {
    let hands = Hands::of(&stage.partner.account);
    for arn in arns {
        assert!(!hands.inline(arn).await?.contains_key(&stage.policy_name("orders", "partner")), "{arn}");
        assert_eq!(hands.attached(arn).await?, [].into(), "{arn}");
    }
    assert_eq!(hands.versions(&stage.policy_arn("orders", "partner")).await?, None);
    Ok(())
}

async fn all_allowed(people: &[Identity], probe: &Probe) -> Result<()> {
    try_join_all(people.iter().map(|who| allowed(who, probe))).await.map(drop)
}

async fn all_denied(people: &[Identity], probe: &Probe) -> Result<()> {
    try_join_all(people.iter().map(|who| denied(who, probe))).await.map(drop)
}
