//! What happens while no operator is there is caught up with by the next one.
//!
//! A binary of its own, because the operator that the other stories share must not end. All of it happens in one absence: a start
//! takes longer than any of these stories.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use k8s_openapi::{api::core::v1::Namespace, jiff::Timestamp};
use kube::{Api, api::DeleteParams};
use serde_json::{Value, json};
use sharedkey_api::{AwsAccount, TAKE_OVER, conditions::Reason};
use sharedkey_e2e::{DEADLINE, Hands, Home, INTERVAL, Service, Stage, allowed, denied, has_sid, says, spec, statement};
use sharedkey_harness::{
    aws::{Fault, Identity, Probe},
    wait_for,
};

/// How long deletions wait for accounts of consumers, where it is an hour otherwise.
const DELETION_TIMEOUT: Duration = Duration::from_secs(20);
/// How often the SDK makes one call.
const ATTEMPTS: u32 = 3;

/// A shared key, and whether it can be used.
struct Shared {
    stage: Stage,
    probe: Probe,
    role: Identity,
    user: Identity,
}

impl Shared {
    async fn on(home: &Home) -> Result<Self> {
        let stage = Stage::on(home, "aws").await?;
        stage.share("orders", stage.spec()).await?;
        stage.ready("orders").await?;
        let (probe, role, user) = (stage.probe().await?, stage.as_role().await?, stage.as_user().await?);
        let shared = Self { stage, probe, role, user };
        shared.lasts().await?;
        Ok(shared)
    }

    /// Everybody can use the key.
    async fn lasts(&self) -> Result<()> {
        allowed(&self.role, &self.probe).await?;
        allowed(&self.user, &self.probe).await
    }

    /// Nobody can, and nothing is left.
    async fn ended(&self) -> Result<()> {
        let stage = &self.stage;
        denied(&self.role, &self.probe).await?;
        denied(&self.user, &self.probe).await?;
        let policy = stage.owner.account.key_policy(&stage.key).await?;
        ensure!(!has_sid(&policy, &stage.sid("orders", "partner")), "a statement is left: {policy:#}");
        let hands = Hands::of(&stage.partner.account);
        let left = hands.inline(&stage.role).await?.len() + hands.inline(&stage.user).await?.len();
        ensure!(left == 0, "{left} policies are left");
        stage.forgotten("orders").await
    }

    /// Somebody edits our statement by hand.
    async fn edit(&self) -> Result<()> {
        let stage = &self.stage;
        let mut policy = stage.owner.account.key_policy(&stage.key).await?;
        statement(&mut policy, &stage.sid("orders", "partner"))["Action"] = json!("kms:Decrypt");
        stage.owner.account.put_key_policy(&stage.key, &policy).await
    }

    /// The spec with the role alone.
    fn without_the_user(&self) -> Value {
        spec(&self.stage, json!({"arn": self.stage.key.arn}), json!({"principals": [{"role": "ExampleRole"}]}))
    }

    async fn only_the_role(&self) -> Result<()> {
        self.stage.ready("orders").await?;
        allowed(&self.role, &self.probe).await?;
        denied(&self.user, &self.probe).await?;
        let left = Hands::of(&self.stage.partner.account).inline(&self.stage.user).await?;
        ensure!(left.is_empty(), "the user's policy is left: {left:?}");
        Ok(())
    }
}

#[tokio::test]
async fn an_absence_is_caught_up_with() -> Result<()> {
    let timeout = DELETION_TIMEOUT.as_secs().to_string();
    let options = ["--read-lag-override-ms", "0", "--deletion-timeout-seconds", &timeout];
    let Service { home, operator } = Service::start(INTERVAL, &options).await?;
    let shared = try_join_all((0..9).map(|_| Shared::on(&home))).await?;
    let [deleted, namespace, accounts, lost, conflict, rebuilt, restored, changed, edited] = &shared[..] else {
        anyhow::bail!("nine")
    };

    // While nobody is there, objects, namespaces and accounts are deleted
    ensure!(operator.stop().await?.code() == Some(0), "the operator did not end well");
    deleted.stage.keys().delete("orders", &DeleteParams::default()).await?;
    let namespaces: Api<Namespace> = Api::all(namespace.stage.client.clone());
    namespaces.delete(&namespace.stage.namespace, &DeleteParams::default()).await?;
    let all: Api<AwsAccount> = Api::all(accounts.stage.client.clone());
    for name in [&accounts.stage.owner.name, &accounts.stage.partner.name] {
        all.delete(name, &DeleteParams::default()).await?;
    }
    accounts.stage.keys().delete("orders", &DeleteParams::default()).await?;
    // The ledger of some is lost: alone, together with an edit by hand, and together with the cluster
    lost.stage.lose_record("orders").await?;
    conflict.stage.lose_record("orders").await?;
    conflict.edit().await?;
    rebuilt.stage.tear_out("orders").await?;
    rebuilt.stage.lose_record("orders").await?;
    rebuilt.stage.share("orders", rebuilt.stage.spec()).await?;
    // An object is restored as it was before the user came, another is changed to that, and a third one is edited in AWS
    restored.stage.tear_out("orders").await?;
    restored.stage.share("orders", restored.without_the_user()).await?;
    changed.stage.share("orders", changed.without_the_user()).await?;
    edited.edit().await?;
    for Shared { stage, .. } in &shared {
        stage.forget_calls().await?;
    }

    // And it has been longer than a deletion waits for a consumer's account, which fails when it is asked for the first time
    wait_for("a deletion that is old", DEADLINE, async || {
        let left = deleted.stage.keys().get("orders").await?.metadata.deletion_timestamp.context("no deletion")?;
        let age = Timestamp::now().duration_since(left.0);
        ensure!(age.unsigned_abs() > DELETION_TIMEOUT, "it is {age:#} old");
        Ok(())
    })
    .await?;
    let moment =
        Fault::status(500).account(&deleted.stage.partner.account).operation("DeleteRolePolicy").times(ATTEMPTS);
    home.world.aws.inject(&moment).await?;

    // When the next one comes, then what was deleted ends in AWS too
    let operator = home.start().await?;
    deleted.stage.gone("orders").await?;
    deleted.ended().await?;
    wait_for("the end of the namespace", DEADLINE, async || {
        ensure!(namespaces.get_opt(&namespace.stage.namespace).await?.is_none(), "it is still there");
        Ok(())
    })
    .await?;
    namespace.ended().await?;
    accounts.stage.gone("orders").await?;
    accounts.ended().await?;
    wait_for("the end of the accounts", DEADLINE, async || {
        for name in [&accounts.stage.owner.name, &accounts.stage.partner.name] {
            ensure!(all.get_opt(name).await?.is_none(), "{name} is still there");
        }
        Ok(())
    })
    .await?;

    // What stands as it has to is taken over without a write, and ends with the object
    for (what, Shared { stage, .. }) in [("lost", lost), ("rebuilt", rebuilt)] {
        stage.ready("orders").await.context(what)?;
        stage.nothing_written().await.context(what)?;
        ensure!(stage.record("orders").await?.is_some(), "{what}: the ledger does not know it again");
    }
    lost.lasts().await?;
    rebuilt.lasts().await?;
    rebuilt.stage.delete("orders").await?;
    rebuilt.ended().await?;

    // What does not, and is not known, is left to a person
    let message = conflict.stage.stalled("orders", Reason::OwnerConflict).await?;
    says(&message, &[&conflict.stage.sid("orders", "partner"), TAKE_OVER])?;
    conflict.stage.nothing_written().await?;
    conflict.stage.annotate("orders", TAKE_OVER, "true").await?;
    conflict.stage.ready("orders").await?;
    conflict.lasts().await?;
    conflict.stage.delete("orders").await?;
    conflict.ended().await?;

    // And what changed, in the spec or in AWS, is carried out and healed
    restored.only_the_role().await?;
    changed.only_the_role().await?;
    edited.stage.healed("orders", sharedkey_api::DriftKind::StatementChanged).await?;
    edited.lasts().await?;
    ensure!(operator.stop().await?.code() == Some(0), "the operator did not end well");
    Ok(())
}
