//! Secrets under a shared key, in the owner's account and in the external one, and who reads them.

mod access;
mod drift;
mod ending;
mod existing;
mod halves;
mod keys;
mod opened;
mod plain;
mod readers;
mod refused;
mod replicas;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sharedkey_api::ExternalSecret;
use sharedkey_e2e::{Glance, OWNER_ID, Stage, merge};
use sharedkey_engine::names::{Names, ObjectName};
use sharedkey_harness::aws::{Identity, Key};

const VALUE: &[u8] = b"hidden-from-logs: correct horse battery staple";
/// The secrets' names.
const OWNERS: &str = "quickstart/MyCustomTypeSecret";
const PARTNERS: &str = "quickstart/ExternalCMKSecret";

/// A shared key under which both accounts keep secrets, a role of the owner that reads, and a value in Kubernetes.
struct Scene {
    stage: Stage,
    /// `Reader` of the owner.
    reader: String,
}

impl Scene {
    async fn new(partition: &str) -> Result<Self> {
        let stage = Stage::with_secrets(partition).await?;
        let reader = stage.owner.account.create_role("/", "Reader").await?;
        stage.grant_secrets().await?;
        stage.put_kubernetes_secret("source", &[("password", VALUE)]).await?;
        stage.share("orders", stage.spec_for_secrets(&["Reader"])).await?;
        stage.ready("orders").await?;
        Ok(Self { stage, reader })
    }

    /// A secret of the owner with the value, read by nobody.
    fn owners(&self, fields: Value) -> Value {
        let mut spec = json!({
            "accountRef": {"name": self.stage.owner.name}, "region": self.stage.key.region, "secretName": OWNERS,
            "sharedKeyRef": {"name": "orders"}, "source": {"secretRef": {"name": "source", "key": "password"}},
        });
        merge(&mut spec, fields);
        spec
    }

    /// A secret of the partner, the value of which is its own.
    fn partners(&self, fields: Value) -> Value {
        let mut spec = json!({
            "accountRef": {"name": self.stage.partner.name}, "region": self.stage.key.region, "secretName": PARTNERS,
            "sharedKeyRef": {"name": "orders"},
        });
        merge(&mut spec, fields);
        spec
    }

    /// Both accounts as readers: `ExampleRole` of the partner, and `Reader` of the owner.
    fn readers(&self) -> Value {
        json!({"readers": [
            {"name": "partner", "accountRef": {"name": self.stage.partner.name}, "principals": [{"role": "ExampleRole"}]},
            {"name": "owner", "accountRef": {"name": self.stage.owner.name}, "principals": [{"role": "Reader"}]},
        ]})
    }

    /// `ExampleRole` of the partner alone.
    fn reader(&self) -> Value {
        json!({"readers": [
            {"name": "partner", "accountRef": {"name": self.stage.partner.name}, "principals": [{"role": "ExampleRole"}]},
        ]})
    }

    /// A key of the owner in another Region, shared as `copies` like the one of the secrets.
    async fn share_copies(&self) -> Result<Key> {
        self.stage.share_another("copies", self.stage.other_region(), &["Reader"]).await
    }

    async fn both(&self) -> Result<[Identity; 2]> {
        Ok([self.stage.as_role().await?, self.stage.owner.account.as_role(&self.reader).await?])
    }
}

/// How what an object writes is named.
fn names(stage: &Stage, name: &str) -> Result<Names> {
    let object = ObjectName { namespace: stage.namespace.clone(), name: name.to_owned() };
    Ok(Names::of_secret(OWNER_ID.parse()?, object))
}

fn arn(secret: &ExternalSecret) -> Result<String> {
    secret.status.as_ref().and_then(|status| status.secret_arn.clone()).context("status names the secret")
}

async fn allowed(who: &[Identity], secret: &str) -> Result<()> {
    for who in who {
        let glance = Glance::at(who, secret).await?;
        ensure!(glance.shows(VALUE), "{} should read {secret}: {glance:?}", who.arn().await?);
    }
    Ok(())
}

async fn denied(who: &[Identity], secret: &str) -> Result<()> {
    for who in who {
        let glance = Glance::at(who, secret).await?;
        ensure!(glance.is_denied(), "{} should not read {secret}: {glance:?}", who.arn().await?);
    }
    Ok(())
}

#[tokio::test]
async fn a_secret_of_the_owner_is_read_in_both_accounts_until_its_object_goes() -> Result<()> {
    let scene = Scene::new("aws-cn").await?;
    let who = scene.both().await?;
    scene.stage.keep_secret("db", scene.owners(json!({}))).await?;
    let secret = arn(&scene.stage.secret_ready("db").await?)?;
    denied(&who, &secret).await?;
    scene.stage.keep_secret("db", scene.owners(scene.readers())).await?;
    scene.stage.secret_ready("db").await?;
    allowed(&who, &secret).await?;
    scene.stage.delete_secret("db").await?;
    denied(&who, &secret).await
}

#[tokio::test]
async fn a_secret_that_the_operator_makes_in_the_external_account_is_read_in_both_accounts() -> Result<()> {
    let scene = Scene::new("aws-cn").await?;
    let who = scene.both().await?;
    let source = json!({"source": {"secretRef": {"name": "source", "key": "password"}}});
    scene.stage.keep_secret("db", scene.partners(source.clone())).await?;
    let secret = arn(&scene.stage.secret_ready("db").await?)?;
    denied(&who, &secret).await?;
    let mut fields = source;
    merge(&mut fields, scene.readers());
    scene.stage.keep_secret("db", scene.partners(fields)).await?;
    scene.stage.secret_ready("db").await?;
    allowed(&who, &secret).await?;
    scene.stage.delete_secret("db").await?;
    denied(&who, &secret).await
}

#[tokio::test]
async fn a_secret_that_a_user_of_the_external_account_made_before_is_taken_over() -> Result<()> {
    let scene = Scene::new("aws-cn").await?;
    let who = scene.both().await?;
    let secret = scene.stage.create_as_user(PARTNERS, VALUE).await?;
    denied(&who, &secret).await?;
    let mut fields = scene.readers();
    scene.stage.keep_secret("db", scene.partners(fields.clone())).await?;
    scene.stage.secret_stalled("db", "SecretExists").await?;
    denied(&who, &secret).await?;
    merge(&mut fields, json!({"adopt": "IfExists"}));
    scene.stage.keep_secret("db", scene.partners(fields)).await?;
    ensure!(arn(&scene.stage.secret_ready("db").await?)? == secret, "it is the same secret");
    allowed(&who, &secret).await?;
    scene.stage.delete_secret("db").await?;
    denied(&who, &secret).await
}
