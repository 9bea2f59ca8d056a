//! Copies of a secret in other Regions, each under the SharedKey of its own Region.

use anyhow::{Context as _, Result, bail, ensure};
use aws_sdk_secretsmanager::types::ReplicaRegionType;
use serde_json::{Value, json};
use sharedkey_api::{DriftKind, ExternalSecretStatus, ReplicaStatus};
use sharedkey_e2e::{DEADLINE, Glance, IN_ACCOUNTS, ROLE, Stage, merge, says, told};
use sharedkey_harness::{
    aws::{Calls, Fault, Key, SecretsManagerClient},
    wait_for,
};

use super::{OWNERS, Scene, VALUE, arn};

/// The object.
const NAME: &str = "db";

/// A secret of the owner, and what is to be its copy.
struct Copied {
    scene: Scene,
    key: Key,
    secret: String,
}

impl Copied {
    /// With a copy, and these fields.
    async fn open(partition: &str, fields: Value) -> Result<Self> {
        let scene = Scene::new(partition).await?;
        let key = scene.share_copies().await?;
        scene.stage.keep_secret(NAME, spec(&scene, Some(&key), fields)).await?;
        let secret = arn(&scene.stage.secret_ready(NAME).await?)?;
        Ok(Self { scene, key, secret })
    }

    fn stage(&self) -> &Stage {
        &self.scene.stage
    }

    /// Its ARN in the other Region.
    fn copy(&self) -> String {
        self.secret.replacen(&self.stage().key.region, &self.key.region, 1)
    }

    fn in_other_region(&self) -> SecretsManagerClient {
        self.stage().owner.account.root().in_region(&self.key.region).secrets_manager()
    }

    async fn status(&self) -> Result<Vec<ReplicaStatus>> {
        Ok(self.stage().secret_status(NAME).await?.replicas)
    }

    /// The key that encrypts the copy, if there is one.
    async fn copys_key(&self) -> Result<Option<String>> {
        let described = self.in_other_region().describe_secret().secret_id(OWNERS).send().await;
        match described.map_err(aws_sdk_secretsmanager::Error::from) {
            Ok(described) => Ok(described.kms_key_id),
            Err(aws_sdk_secretsmanager::Error::ResourceNotFoundException(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// `Reader` of the owner, before the copy.
    async fn glance(&self) -> Result<Glance> {
        let reader = self.stage().owner.account.as_role(&self.scene.reader).await?;
        Glance::at(&reader, &self.copy()).await
    }

    /// The copy is there, under the key of its Region, and is read there.
    async fn is_copied(&self, value: &[u8]) -> Result<()> {
        let status = self.status().await?;
        let [status] = &status[..] else { bail!("one copy: {status:?}") };
        ensure!((status.region.as_str(), status.state.as_deref()) == (&self.key.region, Some("InSync")), "{status:?}");
        let key = self.copys_key().await?;
        ensure!(key.as_ref() == Some(&self.key.arn), "{key:?}");
        let glance = self.glance().await?;
        ensure!(glance.shows(value), "{glance:?}");
        Ok(())
    }
}

fn spec(scene: &Scene, copy: Option<&Key>, fields: Value) -> Value {
    let replicas: Vec<Value> =
        copy.iter().map(|key| json!({"region": key.region, "sharedKeyRef": {"name": "copies"}})).collect();
    let mut spec = scene.owners(scene.readers());
    merge(&mut spec, json!({"replicas": replicas}));
    merge(&mut spec, fields);
    spec
}

#[tokio::test]
async fn a_copy_is_read_in_its_region_follows_the_value_and_goes_with_the_spec() -> Result<()> {
    // Given a secret with a copy in another Region, then whoever reads the secret in its account reads the copy there
    let copied = Copied::open("aws-cn", json!({})).await?;
    let stage = copied.stage();
    copied.is_copied(VALUE).await?;

    // When the value changes, then that of the copy does
    let version = stage.secret_status(NAME).await?.version_id;
    stage.put_kubernetes_secret("source", &[("password", b"hidden-from-logs: second")]).await?;
    stage.wait_secret(NAME, "another version", |status| status.version_id != version).await?;
    stage.secret_ready(NAME).await?;
    copied.is_copied(b"hidden-from-logs: second").await?;

    // When the spec names the Region no longer, then the copy is gone, and the secret is not
    stage.keep_secret(NAME, spec(&copied.scene, None, json!({}))).await?;
    stage.secret_ready(NAME).await?;
    ensure!(copied.status().await?.is_empty() && copied.copys_key().await?.is_none(), "the copy is gone");
    let reader = stage.owner.account.as_role(&copied.scene.reader).await?;
    ensure!(Glance::at(&reader, &copied.secret).await?.shows(b"hidden-from-logs: second"), "the secret is not");
    Ok(())
}

#[tokio::test]
async fn a_copy_goes_before_the_secret_that_is_deleted() -> Result<()> {
    let copied = Copied::open("aws", json!({"deletionPolicy": "Delete", "recoveryWindowDays": 7})).await?;
    let stage = copied.stage();
    copied.is_copied(VALUE).await?;
    stage.delete_secret(NAME).await?;
    ensure!(copied.copys_key().await?.is_none(), "the copy is gone");
    let client = stage.secrets_manager(&stage.owner.account);
    let described = client.describe_secret().secret_id(&copied.secret).send().await?;
    ensure!(described.deleted_date.is_some(), "the secret is scheduled for deletion: {described:?}");
    let calls = Calls::all().account(&stage.owner.account).service("secretsmanager").result("OK");
    let calls = stage.home.world.aws.log(&calls, 0).await?;
    let at = |operation: &str| calls.iter().position(|call| call.operation == operation).context(operation.to_owned());
    ensure!(at("RemoveRegionsFromReplication")? < at("DeleteSecret")?, "{calls:#?}");
    Ok(())
}

#[tokio::test]
async fn a_copy_of_somebody_else_keeps_the_secret_until_it_is_gone_and_the_status_says_so() -> Result<()> {
    // Given a secret that is to be deleted with its object, and of which somebody else has made a copy
    let scene = Scene::new("aws").await?;
    let stage = &scene.stage;
    let fields = json!({"deletionPolicy": "Delete", "recoveryWindowDays": 7});
    stage.keep_secret(NAME, spec(&scene, None, fields)).await?;
    let secret = arn(&stage.secret_ready(NAME).await?)?;
    let client = stage.secrets_manager(&stage.owner.account);
    let region = stage.other_region();
    let key = stage.owner.account.create_key_in(region, None).await?;
    let copy = ReplicaRegionType::builder().region(region).kms_key_id(&key.arn).build();
    client.replicate_secret_to_regions().secret_id(&secret).add_replica_regions(copy).send().await?;

    // When the object is deleted, then it waits, and says for what
    stage.leave_secret(NAME).await?;
    let told = |status: &ExternalSecretStatus| told(status, "Ready", "Deleting").is_ok_and(|it| it.contains(region));
    let status = stage.wait_secret(NAME, "it tells of the copy", told).await?.status.context("it has a status")?;
    let ready = sharedkey_e2e::told(&status, "Ready", "Deleting")?;
    says(&ready, &["remove its copies", "or set deletionPolicy: Retain"])?;

    // And when the copy is gone, the secret is scheduled for deletion
    client.remove_regions_from_replication().secret_id(&secret).remove_replica_regions(region).send().await?;
    stage.secret_gone(NAME).await?;
    let described = client.describe_secret().secret_id(&secret).send().await?;
    ensure!(described.deleted_date.is_some(), "{described:?}");
    Ok(())
}

#[tokio::test]
async fn a_copy_stays_with_the_secret_that_is_retained() -> Result<()> {
    let copied = Copied::open("aws-cn", json!({})).await?;
    copied.stage().delete_secret(NAME).await?;
    ensure!(copied.copys_key().await?.as_ref() == Some(&copied.key.arn), "the copy stays");
    ensure!(copied.glance().await?.is_denied(), "and whoever read it does not any longer");
    Ok(())
}

#[tokio::test]
async fn a_copy_that_aws_cannot_make_is_told_with_its_state_and_made_later() -> Result<()> {
    // Given an operator that may not use the key of the other Region
    let scene = Scene::new("aws").await?;
    let key = scene.share_copies().await?;
    let owner = &scene.stage.owner.account;
    let deny = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Action": ["kms:GenerateDataKey", "kms:Encrypt"], "Resource": key.arn},
    ]});
    owner.put_role_policy(ROLE, "no-copies", &deny).await?;

    // When a copy is to be there, then status says how AWS took it
    scene.stage.keep_secret(NAME, spec(&scene, Some(&key), json!({}))).await?;
    let drift = scene.stage.secret_drift(NAME, DriftKind::ReplicaChanged).await?;
    says(&drift.message, &[&key.region, "could not replicate", "Access to KMS is not allowed", &key.arn])?;
    ensure!((drift.subject.as_str(), drift.observed.as_deref()) == (&key.region, Some("Failed")), "{drift:#?}");
    let copied = Copied { secret: arn(&scene.stage.secrets().get(NAME).await?)?, scene, key };
    let status = copied.status().await?;
    ensure!(status[0].state.as_deref() == Some("Failed"), "{status:?}");
    says(status[0].message.as_deref().unwrap_or_default(), &["Access to KMS is not allowed"])?;

    // And when it may, then the copy is made
    let stage = copied.stage();
    let request = stage.owner.account.root().iam().delete_role_policy().role_name(ROLE).policy_name("no-copies");
    request.send().await?;
    stage.secret_ready(NAME).await?;
    copied.is_copied(VALUE).await
}

#[tokio::test]
async fn a_copy_under_another_key_is_made_anew_under_its_own() -> Result<()> {
    // Given a copy that somebody made anew under a key of his own, while the object only watched
    let copied = Copied::open("aws-cn", json!({})).await?;
    let stage = copied.stage();
    stage.observe_secret(NAME).await?;
    let other = stage.owner.account.create_key_in(&copied.key.region, None).await?;
    let client = stage.secrets_manager(&stage.owner.account);
    let request = client.remove_regions_from_replication().secret_id(&copied.secret);
    request.remove_replica_regions(&copied.key.region).send().await?;
    let copy = ReplicaRegionType::builder().region(&copied.key.region).kms_key_id(&other.arn).build();
    client.replicate_secret_to_regions().secret_id(&copied.secret).add_replica_regions(copy).send().await?;

    // Then it is named, and healed when the object may
    let drift = stage.secret_drift(NAME, DriftKind::ReplicaChanged).await?;
    ensure!(
        (drift.expected.as_ref(), drift.observed.as_ref()) == (Some(&copied.key.arn), Some(&other.arn)),
        "{drift:?}"
    );
    says(&drift.message, &[&copied.key.region, &other.arn])?;
    stage.patch_secret(NAME, json!({"spec": {"mode": "Enforce"}})).await?;
    stage.secret_healed(NAME, DriftKind::ReplicaChanged).await?;
    stage.secret_ready(NAME).await?;
    copied.is_copied(VALUE).await
}

#[tokio::test]
async fn a_copy_of_a_secret_that_was_not_taken_over_stays() -> Result<()> {
    // Given a secret of somebody else with a copy under a key of his own, and AWS that lets nobody take it over
    let scene = Scene::new("aws").await?;
    let key = scene.share_copies().await?;
    let (stage, owner) = (&scene.stage, &scene.stage.owner.account);
    let theirs = owner.create_key_in(&key.region, None).await?;
    let copy = ReplicaRegionType::builder().region(&key.region).kms_key_id(&theirs.arn).build();
    let client = stage.secrets_manager(owner);
    let made = client.create_secret().name(OWNERS).secret_string("theirs").add_replica_regions(copy).send().await?;
    let secret = made.arn.context("CreateSecret answered without an ARN")?;
    let refused = Fault::error("AccessDeniedException", "not this one").operation("TagResource").account(owner);
    let refused = stage.home.world.aws.inject(&refused.principal(IN_ACCOUNTS)).await?;

    // When an object is to have it, with a copy there under another key, and be deleted with it
    let fields = json!({"adopt": "IfExists", "deletionPolicy": "Delete", "recoveryWindowDays": 7});
    stage.keep_secret(NAME, spec(&scene, Some(&key), fields)).await?;
    wait_for("a try to take it over", DEADLINE, async || {
        ensure!(stage.home.world.aws.fault_hits(refused).await? > 0, "there was none");
        Ok(())
    })
    .await?;
    stage.look_at_secret(NAME).await?;

    // Then the copy stays as it is, and so it does when the object goes
    let copied = Copied { scene, key, secret };
    ensure!(copied.copys_key().await?.as_ref() == Some(&theirs.arn), "it was not ours to remove");
    copied.stage().delete_secret(NAME).await?;
    ensure!(copied.copys_key().await?.as_ref() == Some(&theirs.arn), "it was not ours to remove at the end");
    let described = client.describe_secret().secret_id(&copied.secret).send().await?;
    ensure!(described.deleted_date.is_none(), "nor was the secret: {described:?}");
    Ok(())
}
