//! The value on its way into a Kubernetes Secret: the operator dies right before it writes it, or right after. That write is none of
//! AWS, so it dies at the call to AWS before it, which reads the value, and at the one after it, which looks what came of the plan.

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt as _, api::ListParams};
use serde_json::{Value, json};
use sharedkey_e2e::{DEADLINE, History, Home, IN_ACCOUNTS, INTERVAL, Service, Stage, merge};
use sharedkey_harness::{
    Operator,
    aws::{Fault, FaultId},
    wait_for,
};

use crate::{
    ALONE,
    blow::FOR_GOOD,
    vault::{FIRST, Kept, SECOND, Vault},
};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Write,
    /// The secret gets another value.
    Value,
    /// The target gets another name.
    Rename,
    /// It gets another type, for which it is made anew.
    Retype,
}

impl Act {
    const ALL: [Self; 4] = [Self::Write, Self::Value, Self::Rename, Self::Retype];

    /// The value, and name and type of the target.
    fn after(self) -> (&'static [u8], &'static str, &'static str) {
        match self {
            Self::Write => (FIRST, "copy", "Opaque"),
            Self::Value => (SECOND, "copy", "Opaque"),
            Self::Rename => (FIRST, "renamed", "Opaque"),
            Self::Retype => (FIRST, "copy", "stories.test/password"),
        }
    }
}

/// When the operator dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Before,
    After,
}

struct Scene {
    vault: Vault,
    act: Act,
    moment: Moment,
    faults: Vec<FaultId>,
}

/// The object, its source and its secret.
const NAME: &str = "orders";

impl Scene {
    async fn new(home: &Home, act: Act, moment: Moment) -> Result<Self> {
        let vault = Vault::new(Stage::on(home, "aws").await?, &[Kept::NEW]).await?;
        Ok(Self { vault, act, moment, faults: Vec::new() })
    }

    async fn keep(&self, name: &str, type_: &str) -> Result<()> {
        let mut spec = self.vault.spec(NAME, Kept::NEW);
        merge(&mut spec, json!({"target": {"name": name, "key": "value", "type": type_}}));
        self.vault.stage.keep_secret(NAME, spec).await.map(drop)
    }

    /// The object is as it is before, and something else is asked for; the operator waits for AWS, right before or right after it has
    /// written the target.
    async fn is_struck(&mut self) -> Result<()> {
        let stage = &self.vault.stage;
        stage.put_kubernetes_secret(NAME, &[("password", FIRST)]).await?;
        self.vault.keep(NAME, Kept::NEW).await?;
        if self.act != Act::Write {
            self.keep("copy", "Opaque").await?;
        }
        stage.secret_ready(NAME).await?;

        let reading = self.hangs("GetSecretValue").await?;
        let (value, name, type_) = self.act.after();
        self.keep(name, type_).await?;
        self.vault.stage.put_kubernetes_secret(NAME, &[("password", value)]).await?;
        self.hit(reading).await?;
        ensure!(!self.is_written().await?, "it is not written yet");
        if self.moment == Moment::After {
            let look = self.hangs("DescribeSecret").await?;
            self.vault.stage.home.world.aws.remove_fault(reading).await?;
            self.hit(look).await?;
            ensure!(self.is_written().await?, "it is written");
        }
        Ok(())
    }

    async fn hangs(&mut self, operation: &str) -> Result<FaultId> {
        let stage = &self.vault.stage;
        let fault = Fault::hang(FOR_GOOD).operation(operation).account(&stage.partner.account).principal(IN_ACCOUNTS);
        let fault = stage.home.world.aws.inject(&fault).await?;
        self.faults.push(fault);
        Ok(fault)
    }

    async fn hit(&self, fault: FaultId) -> Result<()> {
        wait_for("a call to AWS", DEADLINE, async || {
            let hits = self.vault.stage.home.world.aws.fault_hits(fault).await?;
            ensure!(hits > 0, "{:?}, {:?}: it was not made", self.act, self.moment);
            Ok(())
        })
        .await
    }

    async fn is_over(&mut self) -> Result<()> {
        for fault in self.faults.drain(..) {
            self.vault.stage.home.world.aws.remove_fault(fault).await?;
        }
        Ok(())
    }

    /// The Secrets that are the object's, as `name type value`.
    async fn written(&self) -> Result<Vec<Value>> {
        let secrets: Api<Secret> = self.vault.stage.kubernetes_secrets();
        let mut secrets = secrets.list(&ListParams::default()).await?.items;
        secrets.retain(|secret| secret.annotations().contains_key("sharedkey.dev/external-secret"));
        let told = |secret: Secret| {
            let data = secret.data.clone().unwrap_or_default().into_iter();
            let data: Vec<(String, Vec<u8>)> = data.map(|(key, bytes)| (key, bytes.0)).collect();
            json!([secret.name_any(), secret.type_, data])
        };
        Ok(secrets.into_iter().map(told).collect())
    }

    async fn is_written(&self) -> Result<bool> {
        let (value, name, type_) = self.act.after();
        Ok(self.written().await? == [json!([name, type_, [("value", value)]])])
    }

    /// The target is what was asked for, beside no other one; and when the object is deleted, nothing is left.
    async fn comes_true(&self, history: &History<sharedkey_api::ExternalSecretStatus>) -> Result<()> {
        let stage = &self.vault.stage;
        let told = format!("{:?}, {:?}", self.act, self.moment);
        wait_for("the target", DEADLINE, async || {
            ensure!(self.is_written().await?, "{told}: {:?}", self.written().await?);
            Ok(())
        })
        .await?;
        stage.secret_ready(NAME).await.with_context(|| told.clone())?;
        let (value, ..) = self.act.after();
        let kept = Kept { value, versions: if value == FIRST { 1 } else { 2 }, ..Kept::NEW };
        self.vault.stands(NAME, kept).await.with_context(|| told.clone())?;
        history.no_drift().with_context(|| told.clone())?;
        stage.delete_secret(NAME).await?;
        wait_for("the end of the target", DEADLINE, async || {
            let left = self.written().await?;
            ensure!(left.is_empty(), "{told}: {left:?}");
            Ok(())
        })
        .await?;
        self.vault.is_let_go(NAME, kept).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_is_killed_beside_its_write_of_a_target_is_followed_by_one_that_makes_it_true() -> Result<()> {
    let _alone = ALONE.lock().await;
    let Service { home, operator } = Service::start(INTERVAL, &[]).await?;
    // Given objects whose targets are written now, or were at this moment
    let scenes = Act::ALL.into_iter().flat_map(|act| [Moment::Before, Moment::After].map(|moment| (act, moment)));
    let mut scenes = try_join_all(scenes.map(|(act, moment)| Box::pin(Scene::new(&home, act, moment)))).await?;
    let histories: Vec<_> = scenes.iter().map(|scene| History::from_now_on(scene.vault.stage.secrets())).collect();
    try_join_all(scenes.iter_mut().map(|scene| Box::pin(scene.is_struck()))).await?;

    // When the operator is killed
    operator.kill9()?;
    try_join_all(scenes.iter_mut().map(Scene::is_over)).await?;

    // Then the next one writes what is missing, and takes it back when it is told to
    let _operator: Operator = home.start().await?;
    try_join_all(scenes.iter().zip(&histories).map(|(scene, history)| Box::pin(scene.comes_true(history)))).await?;
    Ok(())
}
