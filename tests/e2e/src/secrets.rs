//! What stories about ExternalSecrets need beyond a stage.

use anyhow::{Result, bail, ensure};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams},
};
use serde_json::{Value, json};
use sharedkey_api::{Drift, DriftKind, ExternalSecret, ExternalSecretStatus, SECRETS_ROLE};
use sharedkey_harness::{cluster::apply, wait_for, wait_for_object};

use crate::{DEADLINE, Stage};

impl Stage {
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

    /// Makes a Kubernetes Secret what these pairs say.
    pub async fn put_kubernetes_secret(&self, name: &str, pairs: &[(&str, &[u8])]) -> Result<()> {
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
        let found = secret.status.as_ref().and_then(drift);
        found.ok_or_else(|| anyhow::anyhow!("it was there a moment ago"))
    }

    /// Deletes an ExternalSecret and waits until it is gone.
    pub async fn delete_secret(&self, name: &str) -> Result<()> {
        self.secrets().delete(name, &DeleteParams::default()).await?;
        wait_for(&format!("the end of ExternalSecret {name}"), DEADLINE, async || {
            match self.secrets().get_opt(name).await? {
                None => Ok(()),
                Some(secret) => bail!("it is still there: {}", serde_json::to_string(&secret.status)?),
            }
        })
        .await
    }
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
