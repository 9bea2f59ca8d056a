//! What stories about ExternalSecrets need beyond a stage.

use anyhow::{Context as _, Result, bail, ensure};
use aws_sdk_iam::error::ProvideErrorMetadata as _;
use aws_sdk_iam::primitives::Blob;
use k8s_openapi::{ByteString, api::core::v1::Secret, jiff::Timestamp};
use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams},
};
use serde_json::{Value, json};
use sharedkey_api::{Drift, DriftKind, ExternalSecret, ExternalSecretStatus, RECONCILE_REQUESTED_AT, SECRETS_ROLE};
use sharedkey_harness::{
    MARK,
    aws::{Account, Identity, Key, SecretsManagerClient},
    cluster::apply,
    wait_for, wait_for_object,
};

use crate::{
    DEADLINE, Side, Stage,
    logins::{ROLE, documented},
    merge,
};

/// What somebody sees who asks for the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Glance {
    /// The value.
    Value(Vec<u8>),
    /// `AccessDeniedException`, with AWS's reason.
    Denied(String),
    /// Any other refusal: a secret that does not exist, or that is scheduled for deletion.
    Failed {
        /// AWS's error code.
        code: String,
        /// AWS's message.
        message: String,
    },
}

impl Glance {
    /// Asks for the value of a secret in the name of somebody. An `Err` is no answer of AWS at all.
    pub async fn at(who: &Identity, secret: &str) -> Result<Self> {
        let region = secret.split(':').nth(3).context("no ARN of a secret")?;
        let client = who.in_region(region).secrets_manager();
        let error = match client.get_secret_value().secret_id(secret).send().await {
            Ok(answer) => {
                let text = answer.secret_string.map(String::into_bytes);
                let value = text.or(answer.secret_binary.map(Blob::into_inner));
                return Ok(Self::Value(value.context("GetSecretValue answered without a value")?));
            }
            Err(error) if error.as_service_error().is_none() => return Err(error.into()),
            Err(error) => error,
        };
        let message = error.message().unwrap_or_default().to_owned();
        Ok(match error.code().unwrap_or_default() {
            "AccessDeniedException" => Self::Denied(message),
            code => Self::Failed { code: code.to_owned(), message },
        })
    }

    /// Whether it is this value.
    pub fn shows(&self, value: &[u8]) -> bool {
        matches!(self, Self::Value(seen) if seen == value)
    }

    /// Whether AWS denies it.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied(_))
    }
}

impl Stage {
    /// A stage where the operator may keep secrets in both accounts.
    pub async fn with_secrets(partition: &str) -> Result<Self> {
        Self::new(partition).await?.keeping_secrets().await
    }

    /// The same with an operator that may keep secrets in both accounts.
    pub async fn keeping_secrets(self) -> Result<Self> {
        for account in [&self.owner.account, &self.partner.account] {
            let_keep_secrets(account).await?;
        }
        Ok(self)
    }

    /// A spec that shares the key with the role and the user of the partner, with roles of the owner, and with the operator's own
    /// role in both accounts, which writes the secrets.
    pub fn spec_for_secrets(&self, owners: &[&str]) -> Value {
        let mut spec = self.spec();
        let roles: Vec<Value> = owners.iter().map(|role| json!({"role": role})).collect();
        let (owner, partner) = (json!({"name": self.owner.name}), json!({"name": self.partner.name}));
        let writer = json!([{"role": ROLE}]);
        let writes = ["kms:GenerateDataKey", "kms:Decrypt", "kms:Encrypt"];
        if let Some(consumers) = spec["consumers"].as_array_mut() {
            if !roles.is_empty() {
                consumers.push(json!({"name": "owner", "accountRef": owner, "principals": roles}));
            }
            consumers.extend([
                json!({"name": "writer-owner", "accountRef": owner, "principals": writer, "actions": writes}),
                json!({
                    "name": "writer-partner", "accountRef": partner, "principals": writer, "actions": writes,
                    "delegation": "None",
                }),
            ]);
        }
        spec
    }

    /// Another Region of the partition.
    pub fn other_region(&self) -> &'static str {
        if self.owner.account.partition() == "aws-cn" { "cn-northwest-1" } else { "us-west-2" }
    }

    /// Shares a new key of the owner in a Region, as the one of the secrets is.
    pub async fn share_another(&self, name: &str, region: &str, owners: &[&str]) -> Result<Key> {
        let key = self.owner.account.create_key_in(region, None).await?;
        let mut spec = self.spec_for_secrets(owners);
        merge(&mut spec, json!({"region": region, "key": {"arn": key.arn}}));
        self.share(name, spec).await?;
        self.ready(name).await?;
        Ok(key)
    }

    /// Makes a secret under the shared key as the partner's user, with its own credentials, and returns its ARN.
    pub async fn create_as_user(&self, name: &str, value: &[u8]) -> Result<String> {
        ensure!(is_marked(value), "the value of {name} has no mark {MARK}");
        let may = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "secretsmanager:CreateSecret", "Resource": "*"},
        ]});
        self.partner.account.put_user_policy("ExampleUser", "create-secrets", &may).await?;
        create_secret_as(&self.as_user().await?, &self.key, name, str::from_utf8(value)?).await
    }

    /// A spec that keeps a secret of an account under the key of the SharedKey `orders`.
    pub fn secret_spec(&self, side: &Side, secret: &str) -> Value {
        json!({
            "accountRef": {"name": side.name}, "region": self.key.region, "secretName": secret,
            "sharedKeyRef": {"name": "orders"},
        })
    }

    /// ExternalSecrets of the namespace.
    pub fn secrets(&self) -> Api<ExternalSecret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Kubernetes Secrets of the namespace.
    pub fn kubernetes_secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Applies an ExternalSecret.
    pub async fn keep_secret(&self, name: &str, spec: Value) -> Result<ExternalSecret> {
        let object = json!({
            "apiVersion": "sharedkey.dev/v1alpha1", "kind": "ExternalSecret", "metadata": {"name": name}, "spec": spec,
        });
        apply(&self.client, &self.namespace, &object.to_string()).await?;
        Ok(self.secrets().get(name).await?)
    }

    /// Lets the operator read and write the Kubernetes Secrets of the namespace, as its administrators do.
    pub async fn grant_secrets(&self) -> Result<()> {
        let operator = &self.home.world.operator_account;
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": SECRETS_ROLE},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": SECRETS_ROLE},
            "subjects": [{"kind": "ServiceAccount", "name": operator.name, "namespace": operator.namespace}],
        });
        apply(&self.client, &self.namespace, &binding.to_string()).await?;
        Ok(())
    }

    /// Makes a Kubernetes Secret what these pairs say. Every value has the mark by which it is found in logs.
    pub async fn put_kubernetes_secret(&self, name: &str, pairs: &[(&str, &[u8])]) -> Result<()> {
        ensure!(pairs.iter().all(|(_, value)| is_marked(value)), "a value of {name} has no mark {MARK}");
        let data = pairs.iter().map(|(key, bytes)| ((*key).to_owned(), ByteString(bytes.to_vec())));
        let secret = Secret {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            data: Some(data.collect()),
            ..Secret::default()
        };
        let params = PatchParams::apply("administrator").force();
        self.kubernetes_secrets().patch(name, &params, &Patch::Apply(&secret)).await?;
        Ok(())
    }

    /// Waits for a status of the newest generation of an ExternalSecret.
    pub async fn wait_secret(
        &self,
        name: &str,
        what: &str,
        condition: impl Fn(&ExternalSecretStatus) -> bool,
    ) -> Result<ExternalSecret> {
        let met = |secret: &ExternalSecret| {
            let status = secret.status.as_ref();
            status.is_some_and(|status| status.observed_generation == secret.metadata.generation && condition(status))
        };
        wait_for_object(&self.secrets(), name, what, DEADLINE, met).await
    }

    /// An ExternalSecret as it is, with a status.
    pub async fn secret_status(&self, name: &str) -> Result<ExternalSecretStatus> {
        self.secrets().get(name).await?.status.with_context(|| format!("ExternalSecret {name} has no status"))
    }

    /// Changes an ExternalSecret.
    pub async fn patch_secret(&self, name: &str, change: Value) -> Result<()> {
        self.secrets().patch(name, &PatchParams::default(), &Patch::Merge(change)).await?;
        Ok(())
    }

    /// Asks for a look at an ExternalSecret, and waits until it was taken.
    pub async fn look_at_secret(&self, name: &str) -> Result<ExternalSecretStatus> {
        let token = Timestamp::now().to_string();
        self.annotate_secret(name, RECONCILE_REQUESTED_AT, &token).await?;
        let handled = |status: &ExternalSecretStatus| status.last_handled_reconcile_at.as_deref() == Some(&token);
        let secret = self.wait_secret(name, "the requested look was taken", handled).await?;
        secret.status.context("it was there a moment ago")
    }

    /// Lets an ExternalSecret only watch. When this returns, nothing is written for it any more.
    pub async fn observe_secret(&self, name: &str) -> Result<()> {
        self.patch_secret(name, json!({"spec": {"mode": "Observe"}})).await?;
        self.wait_secret(name, "only observed", |status| told(status, "Ready", "Observed").is_ok()).await?;
        Ok(())
    }

    /// Secrets Manager in the Region of the key, as the administrators of an account.
    pub fn secrets_manager(&self, account: &Account) -> SecretsManagerClient {
        account.root().in_region(&self.key.region).secrets_manager()
    }

    /// Waits until an ExternalSecret is ready, and nothing is on its way any more.
    pub async fn secret_ready(&self, name: &str) -> Result<ExternalSecret> {
        self.wait_secret(name, "Ready and InSync", |status| {
            has(status, "Ready", "True") && has(status, "InSync", "True") && !has(status, "Reconciling", "True")
        })
        .await
    }

    /// Waits until drift of a kind is reported of an ExternalSecret, and returns it.
    pub async fn secret_drift(&self, name: &str, kind: DriftKind) -> Result<Drift> {
        let drift = |status: &ExternalSecretStatus| status.drift.iter().find(|drift| drift.kind == kind).cloned();
        let secret = self.wait_secret(name, &format!("drift {kind}"), |status| drift(status).is_some()).await?;
        secret.status.as_ref().and_then(drift).context("it was there a moment ago")
    }

    /// Waits until an ExternalSecret stands still for a reason that a person has to remove, and returns what it says.
    pub async fn secret_stalled(&self, name: &str, reason: &str) -> Result<String> {
        let ready = |status: &ExternalSecretStatus| {
            let mut conditions = status.conditions.iter();
            conditions.find(|condition| condition.type_ == "Ready" && condition.reason == reason).cloned()
        };
        let secret = self
            .wait_secret(name, &format!("Ready=False, {reason}"), |status| {
                ready(status).is_some_and(|ready| ready.status == "False")
            })
            .await?;
        Ok(secret.status.as_ref().and_then(ready).context("it was there a moment ago")?.message)
    }

    /// Waits until drift of a kind was healed in an ExternalSecret.
    pub async fn secret_healed(&self, name: &str, kind: DriftKind) -> Result<()> {
        let corrected = |status: &ExternalSecretStatus| {
            let items = status.last_correction.iter().flat_map(|correction| &correction.items);
            status.drift_count == 0 && items.into_iter().any(|item| item.kind == kind)
        };
        self.wait_secret(name, &format!("{kind} healed"), corrected).await?;
        Ok(())
    }

    /// Annotates an ExternalSecret.
    pub async fn annotate_secret(&self, name: &str, annotation: &str, value: &str) -> Result<()> {
        self.patch_secret(name, json!({"metadata": {"annotations": {annotation: value}}})).await
    }

    /// Deletes an ExternalSecret and waits until it is gone.
    pub async fn delete_secret(&self, name: &str) -> Result<()> {
        self.leave_secret(name).await?;
        self.secret_gone(name).await
    }

    /// Deletes an ExternalSecret.
    pub async fn leave_secret(&self, name: &str) -> Result<()> {
        self.secrets().delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Waits until a deleted ExternalSecret is gone.
    pub async fn secret_gone(&self, name: &str) -> Result<()> {
        wait_for(&format!("the end of ExternalSecret {name}"), DEADLINE, async || {
            match self.secrets().get_opt(name).await? {
                None => Ok(()),
                Some(secret) => bail!("it is still there: {}", serde_json::to_string(&secret.status)?),
            }
        })
        .await
    }
}

fn is_marked(value: &[u8]) -> bool {
    value.windows(MARK.len()).any(|part| part == MARK.as_bytes())
}

/// Makes a secret under a key with somebody's own credentials, and returns its ARN.
pub async fn create_secret_as(who: &Identity, key: &Key, name: &str, value: &str) -> Result<String> {
    let client = who.in_region(&key.region).secrets_manager();
    let made = client.create_secret().name(name).kms_key_id(&key.arn).secret_string(value).send().await?;
    made.arn.context("CreateSecret answered without an ARN")
}

/// Gives the operator the rights in an account that it needs to keep secrets there.
pub async fn let_keep_secrets(account: &Account) -> Result<()> {
    account.put_role_policy(ROLE, "secrets", &documented("secrets", account)?).await
}

/// Whether a condition of an ExternalSecret has a status.
pub fn has(status: &ExternalSecretStatus, type_: &str, value: &str) -> bool {
    status.conditions.iter().any(|condition| condition.type_ == type_ && condition.status == value)
}

/// The message of an ExternalSecret's condition, which must have this reason.
pub fn told(status: &ExternalSecretStatus, type_: &str, reason: &str) -> Result<String> {
    let condition = status.conditions.iter().find(|condition| condition.type_ == type_);
    let Some(condition) = condition else { bail!("there is no condition {type_}: {:#?}", status.conditions) };
    ensure!(condition.reason == reason, "{type_} should have reason {reason}: {condition:#?}");
    Ok(condition.message.clone())
}
