//! A reader needs three halves: the secret's policy, its own policies, and the key. Without any one of them AWS denies the value, and
//! status says which one it is and what to do.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sharedkey_api::{DriftKind, ExternalSecretStatus, HalfState, ReaderPrincipalStatus, VerdictValue};
use sharedkey_e2e::{Glance, Hands, Side, has, says, statement, told};
use sharedkey_engine::names::Names;
use sharedkey_harness::aws::Identity;

use super::{Scene, VALUE, arn, names};

/// The object.
const NAME: &str = "db";

/// A secret, and a reader of the other account.
struct Door {
    scene: Scene,
    /// The account of the secret.
    home: fn(&Scene) -> &Side,
    /// The account of the reader.
    away: fn(&Scene) -> &Side,
    /// The name of the reader, and of the consumer of the key that it is.
    reader: &'static str,
    role: String,
    who: Identity,
    arn: String,
    names: Names,
}

impl Door {
    /// A role of the partner reads a secret of the owner.
    async fn to_the_owner(partition: &str) -> Result<Self> {
        let scene = Scene::new(partition).await?;
        let spec = scene.owners(scene.reader());
        let (role, who) = (scene.stage.role.clone(), scene.stage.as_role().await?);
        Self::open(scene, &spec, |scene| &scene.stage.owner, |scene| &scene.stage.partner, "partner", role, who).await
    }

    /// A role of the owner reads a secret of the partner.
    async fn to_the_partner(partition: &str) -> Result<Self> {
        let scene = Scene::new(partition).await?;
        let mut spec = scene.partners(json!({"source": {"secretRef": {"name": "source", "key": "password"}}}));
        spec["readers"] = json!([
            {"name": "owner", "accountRef": {"name": scene.stage.owner.name}, "principals": [{"role": "Reader"}]},
        ]);
        let (role, who) = (scene.reader.clone(), scene.stage.owner.account.as_role(&scene.reader).await?);
        Self::open(scene, &spec, |scene| &scene.stage.partner, |scene| &scene.stage.owner, "owner", role, who).await
    }

    async fn open(
        scene: Scene,
        spec: &Value,
        home: fn(&Scene) -> &Side,
        away: fn(&Scene) -> &Side,
        reader: &'static str,
        role: String,
        who: Identity,
    ) -> Result<Self> {
        scene.stage.keep_secret(NAME, spec.clone()).await?;
        let arn = arn(&scene.stage.secret_ready(NAME).await?)?;
        let names = names(&scene.stage, NAME)?;
        let door = Self { scene, home, away, reader, role, who, arn, names };
        door.is_open().await?;
        Ok(door)
    }

    fn hands(&self) -> Hands {
        Hands::of(&(self.away)(&self.scene).account)
    }

    /// The reader reads the value, and status says so.
    async fn is_open(&self) -> Result<()> {
        let allowed = |principal: &ReaderPrincipalStatus| principal.verdict == VerdictValue::Allowed;
        self.wait("the reader is allowed", allowed).await?;
        let glance = Glance::at(&self.who, &self.arn).await?;
        ensure!(glance.shows(VALUE), "{glance:?}");
        Ok(())
    }

    /// The reader is denied the value, and status says which half is missing, and all of this.
    async fn is_shut(&self, halves: (HalfState, HalfState, VerdictValue), reason: &[&str]) -> Result<()> {
        let glance = Glance::at(&self.who, &self.arn).await?;
        ensure!(glance.is_denied(), "{glance:?}");
        let denied = |principal: &ReaderPrincipalStatus| principal.verdict == VerdictValue::Denied;
        let status = self.wait("the reader is denied", denied).await?;
        let principal = of(&status).context("a verdict")?;
        ensure!((principal.secret_policy, principal.delegation, principal.key) == halves, "{principal:#?}");
        says(principal.reason.as_deref().unwrap_or_default(), reason)?;
        says(&told(&status, "AccessVerified", "AccessDenied")?, &[&self.role, "cannot read the secret", reason[0]])
    }

    async fn wait(
        &self,
        what: &str,
        condition: impl Fn(&ReaderPrincipalStatus) -> bool,
    ) -> Result<ExternalSecretStatus> {
        let met = |status: &ExternalSecretStatus| of(status).is_some_and(&condition);
        let secret = self.scene.stage.wait_secret(NAME, what, met).await?;
        secret.status.context("it was there a moment ago")
    }
}

fn of(status: &ExternalSecretStatus) -> Option<&ReaderPrincipalStatus> {
    status.readers.first()?.principals.first()
}

#[tokio::test]
async fn a_reader_of_the_partner_needs_every_half_of_a_secret_of_the_owner() -> Result<()> {
    let door = Door::to_the_owner("aws-cn").await?;
    door.scene.stage.observe_secret(NAME).await?;
    door.scene.stage.observe("orders").await?;
    without_the_secrets_half(&door).await?;
    without_the_readers_half(&door).await?;
    without_the_keys_half(&door, "the key policy does not allow kms:Decrypt").await?;
    without_the_readers_half_of_the_key(&door).await
}

#[tokio::test]
async fn a_reader_of_the_owner_needs_every_half_of_a_secret_of_the_partner() -> Result<()> {
    let door = Door::to_the_partner("aws-cn").await?;
    door.scene.stage.observe_secret(NAME).await?;
    door.scene.stage.observe("orders").await?;
    without_the_secrets_half(&door).await?;
    without_the_readers_half(&door).await?;
    // In the key's own account its policy leaves it to the policies of roles and users, too.
    without_the_keys_half(&door, "no identity policy").await
}

async fn without_the_secrets_half(door: &Door) -> Result<()> {
    let client = door.scene.stage.secrets_manager(&(door.home)(&door.scene).account);
    let answer = client.get_resource_policy().secret_id(&door.arn).send().await?;
    let policy = answer.resource_policy.context("a resource policy")?;
    client.delete_resource_policy().secret_id(&door.arn).send().await?;
    let halves = (HalfState::Missing, HalfState::Applied, VerdictValue::Allowed);
    door.is_shut(halves, &["resource policy", "does not allow secretsmanager:GetSecretValue", &door.role]).await?;
    door.scene.stage.secret_drift(NAME, DriftKind::ResourcePolicyMissing).await?;
    client.put_resource_policy().secret_id(&door.arn).resource_policy(policy).send().await?;
    door.is_open().await
}

async fn without_the_readers_half(door: &Door) -> Result<()> {
    let (hands, name) = (door.hands(), door.names.policy_name(door.reader));
    let document = hands.inline(&door.role).await?[&name].clone();
    hands.delete_inline(&door.role, &name).await?;
    let halves = (HalfState::Applied, HalfState::Missing, VerdictValue::Allowed);
    door.is_shut(halves, &["no identity policy", "allows secretsmanager:GetSecretValue", &door.role]).await?;
    door.scene.stage.secret_drift(NAME, DriftKind::PolicyMissing).await?;
    hands.put_inline(&door.role, &name, &document).await?;
    door.is_open().await
}

const KEY_DENIED: (HalfState, HalfState, VerdictValue) = (HalfState::Applied, HalfState::Applied, VerdictValue::Denied);
const ADVICE: &str = "key: add it to a consumer of SharedKey \"orders\" with access: Decrypt";

async fn without_the_keys_half(door: &Door, why: &str) -> Result<()> {
    let stage = &door.scene.stage;
    let policy = stage.owner.account.key_policy(&stage.key).await?;
    let mut without = policy.clone();
    statement(&mut without, &stage.sid("orders", door.reader))["Principal"]["AWS"] =
        json!(stage.owner.account.root_arn());
    stage.owner.account.put_key_policy(&stage.key, &without).await?;
    door.is_shut(KEY_DENIED, &[ADVICE, why, "kms:Decrypt", &door.role]).await?;
    stage.owner.account.put_key_policy(&stage.key, &policy).await?;
    door.is_open().await
}

/// Across accounts the key has two halves itself.
async fn without_the_readers_half_of_the_key(door: &Door) -> Result<()> {
    let (hands, name) = (door.hands(), door.scene.stage.policy_name("orders", door.reader));
    let document = hands.inline(&door.role).await?[&name].clone();
    hands.delete_inline(&door.role, &name).await?;
    door.is_shut(KEY_DENIED, &[ADVICE, "no identity policy", "allows kms:Decrypt", &door.role]).await?;
    hands.put_inline(&door.role, &name, &document).await?;
    door.is_open().await
}

#[tokio::test]
async fn a_reader_that_somebody_takes_out_of_the_key_policy_is_missed_by_both_objects() -> Result<()> {
    // Given a SharedKey that only watches, so that nobody puts it back
    let door = Door::to_the_owner("aws").await?;
    let stage = &door.scene.stage;
    stage.observe("orders").await?;
    let policy = stage.owner.account.key_policy(&stage.key).await?;
    let mut without = policy.clone();
    statement(&mut without, &stage.sid("orders", "partner"))["Principal"]["AWS"] = json!(stage.user);
    stage.forget_calls().await?;

    // When somebody does, then the SharedKey names the principal, and the secret's reader is denied because of the key
    stage.owner.account.put_key_policy(&stage.key, &without).await?;
    let drift = stage.drift("orders", DriftKind::PrincipalMissing).await?;
    ensure!(drift.principal.as_deref() == Some(&stage.role), "{drift:?}");
    door.is_shut(KEY_DENIED, &[ADVICE, "the key policy", "does not allow kms:Decrypt"]).await?;
    let status = stage.look_at_secret(NAME).await?;
    ensure!(status.drift.is_empty(), "nothing of the secret differs: {:#?}", status.drift);
    told(&status, "Ready", "AccessDenied")?;
    stage.nothing_written().await?;

    // And when the SharedKey may heal it, the reader is let in again
    stage.enforce("orders").await?;
    stage.healed("orders", DriftKind::PrincipalMissing).await?;
    door.is_open().await?;
    stage.secret_ready(NAME).await.map(drop)
}

#[tokio::test]
async fn a_reader_that_is_no_consumer_of_the_key_is_named_with_what_to_do() -> Result<()> {
    let door = Door::to_the_owner("aws").await?;
    let stage = &door.scene.stage;
    let spec = stage.spec_for_secrets(&["Reader"]);
    let mut without = spec.clone();
    without["consumers"][0]["principals"] = json!([{"user": "team/ExampleUser"}]);
    stage.share("orders", without).await?;
    stage.ready("orders").await?;
    door.is_shut(KEY_DENIED, &[ADVICE]).await?;
    let status = stage.look_at_secret(NAME).await?;
    ensure!(has(&status, "Ready", "False") && has(&status, "SecretApplied", "True"), "{:#?}", status.conditions);
    says(&told(&status, "Ready", "AccessDenied")?, &[&stage.role, ADVICE])?;
    stage.share("orders", spec).await?;
    door.is_open().await?;
    stage.secret_ready(NAME).await.map(drop)
}
