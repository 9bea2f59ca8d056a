//! Who leaves the spec loses access, whatever else of the object is refused, and where the operator may write.

use anyhow::{Result, ensure};
use kube::{Api, api::DeleteParams};
use serde_json::{Value, json};
use sharedkey_api::{AwsAccount, conditions::Reason};
use sharedkey_e2e::{Hands, Side, Stage, allowed, denied, has_sid, says, spec};

/// A key that is shared with a role of each of two accounts.
struct Two {
    stage: Stage,
    second: Side,
    role: String,
}

impl Two {
    async fn shared(partition: &str) -> Result<Self> {
        let stage = Stage::new(partition).await?;
        let account = stage.home.world.aws.account(partition).await?;
        let second = Side { account, name: format!("second-{}", stage.namespace) };
        let role = second.account.create_role("/", "There").await?;
        stage.open(&second, &["consumer"], json!({})).await?;
        let two = Self { stage, second, role };
        two.stage.share("orders", two.with(&[two.first(), two.of_second()])).await?;
        two.stage.ready("orders").await?;
        Ok(two)
    }

    fn first(&self) -> Value {
        consumer("first", &self.stage.partner, "ExampleRole")
    }

    fn of_second(&self) -> Value {
        consumer("second", &self.second, "There")
    }

    fn with(&self, consumers: &[Value]) -> Value {
        let mut spec = self.stage.spec();
        spec["consumers"] = json!(consumers);
        spec
    }
}

fn consumer(name: &str, of: &Side, role: &str) -> Value {
    json!({"name": name, "accountRef": {"name": of.name}, "principals": [{"role": role}]})
}

#[tokio::test]
async fn an_account_that_may_only_be_observed_keeps_what_a_consumer_leaves_there() -> Result<()> {
    let two = Two::shared("aws-cn").await?;
    let stage = &two.stage;
    stage.patch_account(&two.second.name, json!({"mode": "Observe"})).await?;
    stage.says("orders", "Ready", "True", Reason::Observed).await?;

    // While the cap holds, nothing is written
    stage.share("orders", two.with(&[two.first()])).await?;
    stage.look("orders").await?;
    stage.look("orders").await?;
    let hands = Hands::of(&two.second.account);
    ensure!(hands.inline(&two.role).await?.len() == 1, "an account in mode Observe was written to");

    // And when it falls, what was left goes
    stage.patch_account(&two.second.name, json!({"mode": "Enforce"})).await?;
    stage.says("orders", "Ready", "True", Reason::Succeeded).await?;
    ensure!(hands.inline(&two.role).await?.is_empty(), "a policy is left");
    denied(&two.second.account.as_role(&two.role).await?, &stage.probe().await?).await
}

#[tokio::test]
async fn a_consumer_that_leaves_while_the_key_is_closed_is_unshared() -> Result<()> {
    for partition in super::sharing::PARTITIONS {
        let two = Two::shared(partition).await?;
        let (stage, probe) = (&two.stage, two.stage.probe().await?);
        let there = two.second.account.as_role(&two.role).await?;
        allowed(&there, &probe).await?;
        let closed = json!({"allow": [{"namespaces": {"names": [stage.namespace]}, "keys": ["alias/other"]}]});
        stage.patch_account(&stage.owner.name, closed).await?;
        stage.stalled("orders", Reason::NotAllowed).await?;

        stage.share("orders", two.with(&[two.first()])).await?;
        stage.look("orders").await?;
        denied(&there, &probe).await?;
        ensure!(Hands::of(&two.second.account).inline(&two.role).await?.is_empty(), "a policy is left");
        // Who is still named keeps what was given.
        allowed(&stage.as_role().await?, &probe).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_account_that_is_being_deleted_opens_nothing_new_to_an_object_that_uses_it() -> Result<()> {
    let two = Two::shared("aws").await?;
    let stage = &two.stage;
    stage.partner.account.create_role("/", "Later").await?;
    let accounts: Api<AwsAccount> = Api::all(stage.client.clone());
    accounts.delete(&stage.partner.name, &DeleteParams::default()).await?;

    // A consumer, and a principal of a consumer that is known
    let mut grown = two.first();
    grown["principals"] = json!([{"role": "ExampleRole"}, {"role": "Later"}]);
    for consumers in [vec![two.first(), consumer("new", &stage.partner, "Later")], vec![grown]] {
        stage.share("orders", two.with(&consumers)).await?;
        says(&stage.stalled("orders", Reason::NotAllowed).await?, &[&stage.partner.name, "is being deleted"])?;
        let policy = stage.owner.account.key_policy(&stage.key).await?.to_string();
        ensure!(!policy.contains("Later"), "{policy}");
    }
    allowed(&stage.as_role().await?, &stage.probe().await?).await
}

#[tokio::test]
async fn who_leaves_loses_the_key_although_kms_refuses_who_comes() -> Result<()> {
    for partition in super::sharing::PARTITIONS {
        // Given a role that has a policy of its own, so that the key's half alone decides
        let stage = Stage::new(partition).await?;
        let partner = &stage.partner.account;
        let sharing = json!({"sharing": {"trustedAccounts": [partner.id()]}});
        stage.patch_account(&stage.owner.name, sharing).await?;
        let own =
            json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]});
        Hands::of(partner).put_inline(&stage.role, "own", &own).await?;
        let (role, probe) = (stage.as_role().await?, stage.probe().await?);
        let handoff = |name: &str, role: &str| {
            let mut spec = spec(&stage, json!({"arn": stage.key.arn}), json!({"principals": [{"role": role}]}));
            spec["consumers"][0]["name"] = json!(name);
            spec["consumers"][0]["accountId"] = json!(partner.id());
            spec["consumers"][0].as_object_mut().into_iter().for_each(|consumer| drop(consumer.remove("accountRef")));
            spec
        };
        // When another consumer takes its place, or another role of the same one, that does not exist
        for (index, coming) in ["coming", "leaving"].into_iter().enumerate() {
            let name = format!("orders-{index}");
            stage.share(&name, handoff("leaving", "ExampleRole")).await?;
            stage.wait(&name, "Ready", |status| sharedkey_e2e::is(status, "Ready", "True")).await?;
            allowed(&role, &probe).await?;
            stage.share(&name, handoff(coming, "Missing")).await?;
            stage.stalled(&name, Reason::AwsRefused).await?;

            // Then the role has lost it all the same
            denied(&role, &probe).await?;
            let policy = stage.owner.account.key_policy(&stage.key).await?;
            ensure!(!has_sid(&policy, &stage.sid(&name, "leaving")), "it is still stated: {policy:#}");
        }
    }
    Ok(())
}
