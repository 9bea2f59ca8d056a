//! One test's part of the world.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use sharedkey_api::{AwsAccount, Drift, DriftKind, SharedKey, SharedKeyStatus};
use sharedkey_engine::summarise::Status;
use sharedkey_harness::{
    aws::{Account, Attempt, Identity, Key, Operation, Probe},
    cluster::{apply, fresh_namespace},
    wait_for, wait_for_object,
};

use crate::{Home, Login, key_document, logins, operator, own_sid};

/// Long enough for a busy machine; a condition that holds ends the wait at once.
pub const DEADLINE: Duration = Duration::from_mins(3);

/// An AWS account with its `AwsAccount`.
#[derive(Debug)]
pub struct Side {
    /// The account.
    pub account: Account,
    /// The `AwsAccount`'s name.
    pub name: String,
}

/// A namespace, an owner with a key, and an external account with a role and a user.
pub struct Stage {
    /// Where the operator that serves it works.
    pub home: Home,
    /// Kubernetes, as an administrator.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
    /// The account that owns the key.
    pub owner: Side,
    /// The account that is to use it.
    pub partner: Side,
    /// The key, with foreign statements in its policy.
    pub key: Key,
    /// `ExampleRole` of the partner.
    pub role: String,
    /// `team/ExampleUser` of the partner.
    pub user: String,
    /// The `AwsAccount` from whose user the operator enters the others, where that is not its own.
    pub via: Option<String>,
}

impl Stage {
    /// A stage for a test, in a partition.
    pub async fn new(partition: &str) -> Result<Self> {
        Self::on(&operator().await?.home, partition).await
    }

    /// A stage whose accounts the operator enters by roles that it assumes with an external id, in any partition.
    pub async fn entered_by_roles(partition: &str) -> Result<Self> {
        let mut stage = Self::closed(&operator().await?.home, partition).await?;
        if partition != "aws" {
            stage.come_from_a_user().await?;
        }
        stage.opened().await
    }

    /// A stage that a given operator serves.
    pub async fn on(home: &Home, partition: &str) -> Result<Self> {
        Self::closed(home, partition).await?.opened().await
    }

    async fn closed(home: &Home, partition: &str) -> Result<Self> {
        let client = home.world.control_plane.client().await?;
        let namespace = fresh_namespace(&client, "team").await?;
        let owner = home.world.aws.account(partition).await?;
        let partner = home.world.aws.account(partition).await?;
        let key = owner.create_key(Some(&key_document(&owner))).await?;
        let role = partner.create_role("/", "ExampleRole").await?;
        let user = partner.create_user("/team/", "ExampleUser").await?;
        Ok(Self {
            owner: Side { name: format!("owner-{namespace}"), account: owner },
            partner: Side { name: format!("partner-{namespace}"), account: partner },
            home: home.clone(),
            client,
            namespace,
            key,
            role,
            user,
            via: None,
        })
    }

    async fn opened(self) -> Result<Self> {
        let sharing = json!({"allowAccountScope": true});
        self.open(&self.owner, &["owner", "consumer"], json!({"sharing": sharing})).await?;
        self.open(&self.partner, &["consumer"], json!({})).await?;
        Ok(self)
    }

    /// The operator's own user is of partition `aws`, and no role of another one can be assumed from there (D§6.4): here it has a
    /// user with access keys, too.
    async fn come_from_a_user(&mut self) -> Result<()> {
        let account = self.home.world.aws.account(self.owner.account.partition()).await?;
        let (user, credentials) = logins::keys(&self.home, &account).await?;
        let name = format!("hub-{}", self.namespace);
        let region = account.root().region();
        let spec = json!({
            "accountId": account.id(), "defaultRegion": region, "credentials": credentials, "endpoints": self.endpoints(region),
        });
        self.put_account(&name, &spec).await?;
        self.home.user = user;
        self.via = Some(name);
        Ok(())
    }

    /// Opens an account to the operator, and to this namespace by an `AwsAccount` with further fields.
    pub async fn open(&self, side: &Side, policies: &[&str], fields: Value) -> Result<()> {
        let account = &side.account;
        let login = match account.partition() {
            partition if partition == "aws" || self.via.is_some() => {
                Login::AssumeRole { from: &self.home.user, via: self.via.as_deref() }
            }
            _ => Login::WebIdentity { operator: &self.home.world.operator_account },
        };
        let credentials = login.open(account, policies).await?;
        let mut spec = json!({
            "accountId": account.id(),
            "defaultRegion": account.root().region(),
            "credentials": credentials,
            "endpoints": self.endpoints(account.root().region()),
            "allow": [{
                "namespaces": {"names": [self.namespace]}, "keys": ["*"], "principals": ["*"], "secrets": ["*"],
            }],
        });
        merge(&mut spec, fields);
        self.put_account(&side.name, &spec).await?;
        self.account_ready(&side.name).await
    }

    /// Where the strict AWS listens. STS is told the Region in the path, because an unsigned call has it nowhere else.
    pub fn endpoints(&self, region: &str) -> Value {
        let url = self.home.world.aws.url();
        json!({"kms": url, "iam": url, "secretsManager": url, "sts": format!("{url}/_region/{region}")})
    }

    /// Applies an `AwsAccount`.
    pub async fn put_account(&self, name: &str, spec: &Value) -> Result<()> {
        let object = json!({
            "apiVersion": "sharedkey.dev/v1alpha1", "kind": "AwsAccount", "metadata": {"name": name}, "spec": spec,
        });
        apply(&self.client, &self.namespace, &object.to_string()).await?;
        Ok(())
    }

    /// Changes fields of an `AwsAccount`'s spec, and waits until the operator knows.
    pub async fn patch_account(&self, name: &str, spec: Value) -> Result<()> {
        let api: Api<AwsAccount> = Api::all(self.client.clone());
        api.patch(name, &PatchParams::default(), &Patch::Merge(json!({"spec": spec}))).await?;
        let known = |account: &AwsAccount| {
            let observed = account.status.as_ref().and_then(|status| status.observed_generation);
            observed == account.metadata.generation
        };
        wait_for_object(&api, name, "the change is known", DEADLINE, known).await?;
        Ok(())
    }

    async fn account_ready(&self, name: &str) -> Result<()> {
        let api: Api<AwsAccount> = Api::all(self.client.clone());
        let ready = |account: &AwsAccount| {
            let conditions = account.status.iter().flat_map(|status| &status.conditions);
            conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
        };
        wait_for_object(&api, name, "Ready", DEADLINE, ready).await?;
        Ok(())
    }

    /// Applies a SharedKey.
    pub async fn share(&self, name: &str, spec: Value) -> Result<SharedKey> {
        let object = json!({
            "apiVersion": "sharedkey.dev/v1alpha1", "kind": "SharedKey", "metadata": {"name": name}, "spec": spec,
        });
        apply(&self.client, &self.namespace, &object.to_string()).await?;
        Ok(self.keys().get(name).await?)
    }

    /// SharedKeys of the namespace.
    pub fn keys(&self) -> Api<SharedKey> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// A spec that shares the key with the role and the user.
    pub fn spec(&self) -> Value {
        spec(
            self,
            json!({"arn": self.key.arn}),
            json!({"principals": [{"role": "ExampleRole"}, {"user": "team/ExampleUser"}]}),
        )
    }

    /// Waits for a status of the newest generation.
    pub async fn wait(
        &self,
        name: &str,
        what: &str,
        condition: impl Fn(&SharedKeyStatus) -> bool,
    ) -> Result<SharedKey> {
        let met = |key: &SharedKey| {
            let status = key.status.as_ref();
            status.is_some_and(|status| status.observed_generation == key.metadata.generation && condition(status))
        };
        wait_for_object(&self.keys(), name, what, DEADLINE, met).await
    }

    /// Waits until an object is ready, and nothing is on its way any more.
    pub async fn ready(&self, name: &str) -> Result<SharedKey> {
        self.wait(name, "Ready and InSync", is_settled).await
    }

    /// Waits until drift of a kind is reported, and returns it.
    pub async fn drift(&self, name: &str, kind: DriftKind) -> Result<Drift> {
        let key = self
            .wait(name, &format!("drift {kind}"), |status| status.drift.iter().any(|drift| drift.kind == kind))
            .await?;
        let drift = key.status.into_iter().flat_map(|status| status.drift).find(|drift| drift.kind == kind);
        drift.context("it was there a moment ago")
    }

    /// Waits until drift of a kind was healed, and returns it as status keeps it.
    pub async fn healed(&self, name: &str, kind: DriftKind) -> Result<Drift> {
        let corrected = |status: &SharedKeyStatus| {
            let items = status.last_correction.iter().flat_map(|correction| &correction.items);
            items.into_iter().find(|item| item.kind == kind).cloned()
        };
        let what = format!("{kind} healed");
        let key = self.wait(name, &what, |status| corrected(status).is_some() && status.drift_count == 0).await?;
        key.status.as_ref().and_then(corrected).context("it was there a moment ago")
    }

    /// Deletes an object and waits until it is gone.
    pub async fn delete(&self, name: &str) -> Result<()> {
        self.leave(name).await?;
        self.gone(name).await
    }

    /// Deletes an object.
    pub async fn leave(&self, name: &str) -> Result<()> {
        self.keys().delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Waits until a deleted object is gone.
    pub async fn gone(&self, name: &str) -> Result<()> {
        wait_for(&format!("the end of SharedKey {name}"), DEADLINE, async || match self.keys().get_opt(name).await? {
            None => Ok(()),
            Some(key) => bail!("it is still there: {}", serde_json::to_string(&key.status)?),
        })
        .await
    }

    /// The Sid of a consumer's statement.
    pub fn sid(&self, name: &str, consumer: &str) -> String {
        own_sid(crate::OWNER_ID, &self.namespace, name, consumer)
    }

    /// The name of a consumer's policy in IAM.
    pub fn policy_name(&self, name: &str, consumer: &str) -> String {
        format!("sharedkey@{}@{}@{name}@{consumer}", crate::OWNER_ID, self.namespace)
    }

    /// The role, as AWS knows it.
    pub async fn as_role(&self) -> Result<Identity> {
        self.partner.account.as_role(&self.role).await
    }

    /// The user, as AWS knows it.
    pub async fn as_user(&self) -> Result<Identity> {
        self.partner.account.as_user("ExampleUser").await
    }

    /// Something to use the key on.
    pub async fn probe(&self) -> Result<Probe> {
        Probe::new(&self.owner.account, &self.key).await
    }
}

/// Objects that no story looks at any more would be swept to the end of all stories.
impl Drop for Stage {
    fn drop(&mut self) {
        let mut kubectl = self.home.world.control_plane.kubectl_command();
        kubectl.args([
            "delete",
            "sharedkeys,externalsecrets.sharedkey.dev",
            "--all",
            "--wait=false",
            "--namespace",
            &self.namespace,
        ]);
        // Whether it worked is no story's business.
        let _ = kubectl.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// Every use of the key works.
pub async fn allowed(who: &Identity, probe: &Probe) -> Result<()> {
    verify(who, probe, Attempt::is_allowed, "allowed").await
}

/// No use of the key works.
pub async fn denied(who: &Identity, probe: &Probe) -> Result<()> {
    verify(who, probe, Attempt::is_denied, "denied").await
}

async fn verify(who: &Identity, probe: &Probe, wanted: impl Fn(&Attempt) -> bool, word: &str) -> Result<()> {
    let attempts: Vec<(Operation, Attempt)> = who.attempt_all(probe).await?;
    let wrong: Vec<_> = attempts.iter().filter(|(_, attempt)| !wanted(attempt)).collect();
    ensure!(wrong.is_empty(), "{} should be {word} every use of the key: {wrong:?}", who.arn().await?);
    Ok(())
}

/// Whether a condition has a status.
pub fn is(status: &impl Status, type_: &str, value: &str) -> bool {
    status.conditions().iter().any(|condition| condition.type_ == type_ && condition.status == value)
}

/// Ready, and nothing on its way any more.
pub fn is_settled(status: &impl Status) -> bool {
    is(status, "Ready", "True") && is(status, "InSync", "True") && !is(status, "Reconciling", "True")
}

/// A spec that shares a key with one consumer, `partner`, with these fields.
#[expect(clippy::needless_pass_by_value, reason = "stories write `json!` where they need it")]
pub fn spec(stage: &Stage, key: Value, consumer: Value) -> Value {
    let mut partner = json!({"name": "partner", "accountRef": {"name": stage.partner.name}});
    merge(&mut partner, consumer);
    json!({
        "accountRef": {"name": stage.owner.name}, "region": stage.key.region, "key": key, "consumers": [partner],
    })
}

/// Puts the fields of one object over those of another.
pub fn merge(into: &mut Value, fields: Value) {
    if let (Some(into), Value::Object(fields)) = (into.as_object_mut(), fields) {
        into.extend(fields);
    }
}
