//! A secret that has everything that a spec can ask for, and whoever reads it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sharedkey_api::{ExternalSecretStatus, VerdictValue};
use sharedkey_e2e::{DEADLINE, Glance, merge};
use sharedkey_engine::names::Names;
use sharedkey_harness::{
    aws::{Identity, Key, SecretsManagerClient},
    wait_for,
};

use crate::secrets::{Scene, arn, names};

/// The object.
pub(super) const NAME: &str = "db";
/// Its target.
pub(super) const COPY: &str = "copy";
/// The reader.
pub(super) const READER: &str = "partner";

/// A secret of the owner, in use by a role of the partner.
pub(super) struct Vault {
    pub(super) scene: Scene,
    pub(super) arn: String,
    /// Another key of the owner, which is shared with nobody.
    pub(super) other: Key,
    /// The Region of the replica.
    pub(super) region: String,
    names: Names,
    who: Identity,
}

impl Vault {
    /// Keeps a secret with description, tags, a reader, a target and a replica, and a foreign statement in its policy.
    pub(super) async fn open(partition: &str) -> Result<Self> {
        let scene = Scene::new(partition).await?;
        let copies = scene.share_copies().await?;
        let replicas = json!({"replicas": [{"region": copies.region, "sharedKeyRef": {"name": "copies"}}]});
        Self::keeping(scene, replicas).await
    }

    /// The same without a replica: nobody can delete a secret that has one (D§5.7).
    pub(super) async fn without_replica(partition: &str) -> Result<Self> {
        Self::keeping(Scene::new(partition).await?, json!({})).await
    }

    async fn keeping(scene: Scene, mut fields: Value) -> Result<Self> {
        merge(&mut fields, json!({"description": "orders", "tags": {"team": "orders", "stage": "test"}}));
        merge(&mut fields, json!({"target": {"name": COPY, "key": "password"}}));
        merge(&mut fields, scene.reader());
        scene.stage.keep_secret(NAME, scene.owners(fields)).await?;
        let vault = Self {
            arn: arn(&scene.stage.secret_ready(NAME).await?)?,
            other: scene.stage.owner.account.create_key(None).await?,
            region: scene.stage.other_region().to_owned(),
            names: names(&scene.stage, NAME)?,
            who: scene.stage.as_role().await?,
            scene,
        };
        vault.add_foreign_statement().await?;
        Ok(vault)
    }

    /// Secrets Manager, as the secret's owner.
    pub(super) fn client(&self) -> SecretsManagerClient {
        self.scene.stage.secrets_manager(&self.scene.stage.owner.account)
    }

    /// The Sid of the reader's statement.
    pub(super) fn sid(&self) -> String {
        self.names.secret_sid(READER).to_string()
    }

    /// The name of the reader's inline policy.
    pub(super) fn policy_name(&self) -> String {
        self.names.policy_name(READER)
    }

    /// The resource policy.
    pub(super) async fn policy(&self) -> Result<Value> {
        let answer = self.client().get_resource_policy().secret_id(&self.arn).send().await?;
        Ok(serde_json::from_str(answer.resource_policy().context("there is no resource policy")?)?)
    }

    async fn add_foreign_statement(&self) -> Result<()> {
        let mut policy = self.policy().await?;
        policy["Statement"].as_array_mut().context("statements")?.push(json!({
            "Sid": "Auditors", "Effect": "Allow", "Principal": {"AWS": self.scene.stage.owner.account.root_arn()},
            "Action": "secretsmanager:DescribeSecret", "Resource": "*",
        }));
        self.put_policy(&policy).await
    }

    pub(super) async fn status(&self) -> Result<ExternalSecretStatus> {
        self.scene.stage.secret_status(NAME).await
    }

    /// How often the operator has looked at the secret.
    pub(super) async fn looks(&self) -> Result<u64> {
        let calls = self.scene.stage.calls(&self.scene.stage.owner.account).await?;
        Ok(calls.iter().filter(|call| call.operation == "DescribeSecret").map(|call| call.count).sum())
    }

    /// What the reader sees.
    pub(super) async fn glance(&self) -> Result<Glance> {
        Glance::at(&self.who, &self.arn).await
    }

    /// Whether the secret is under a key that its object does not know, and so does not look at.
    pub(super) fn is_under_another_key(&self, status: &ExternalSecretStatus) -> bool {
        status.kms_key_arn.as_ref() == Some(&self.other.arn)
    }

    /// The reader is told to be able to read the secret if it can, and not to be if it cannot. Under a condition that only a request
    /// decides, it is told to be able to, and AWS decides.
    pub(super) async fn verdict_is_true(&self, status: &ExternalSecretStatus) -> Result<()> {
        let told = status.readers.first().and_then(|reader| reader.principals.first()).context("a verdict")?;
        let glance = self.glance().await?;
        let truth = match glance {
            Glance::Value(_) => VerdictValue::Allowed,
            _ if self.is_under_another_key(status) => VerdictValue::Unknown,
            _ => VerdictValue::Denied,
        };
        let open = told.verdict == VerdictValue::Allowed
            && told.reason.as_ref().is_some_and(|reason| reason.starts_with("if "));
        ensure!(told.verdict == truth || open, "AWS says {glance:?}, and status {told:#?}");
        Ok(())
    }

    /// Waits until there are events with all of these reasons: they are told after the status is.
    pub(super) async fn events_of(&self, reasons: impl Iterator<Item = String>) -> Result<()> {
        let reasons: BTreeSet<String> = reasons.collect();
        wait_for("events", DEADLINE, async || {
            let events = self.scene.stage.events(NAME).await?;
            let told: BTreeSet<String> = events.into_iter().filter_map(|event| event.reason).collect();
            ensure!(told.is_superset(&reasons), "told {told:?}, not {reasons:?}");
            Ok(())
        })
        .await
    }
}
