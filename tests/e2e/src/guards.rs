//! What administrators of a cluster put between the operator and a Secret: admission policies and quotas.

use anyhow::{Result, ensure};
use k8s_openapi::api::{
    admissionregistration::v1::ValidatingAdmissionPolicyBinding,
    core::v1::{ResourceQuota, Secret},
};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use sharedkey_harness::{cluster::apply, wait_for};

use crate::{DEADLINE, Stage};

impl Stage {
    /// Lets nobody create a Secret of a name in the namespace, and says what it would have held under `all`. Returns the policy's name.
    pub async fn guard_secret(&self, target: &str, reason: &str) -> Result<String> {
        let name = format!("{target}.{}", self.namespace);
        let policy = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
            "spec": {
                "matchConstraints": {"resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"]},
                ]},
                "validations": [{
                    "expression": format!("object.metadata.name != '{target}'"), "reason": reason,
                    "messageExpression": "'not with ' + string(object.data['all'])",
                }],
            },
        });
        let here = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}});
        let binding = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": ["Deny"], "matchResources": here},
        });
        for object in [policy, binding] {
            apply(&self.client, &self.namespace, &object.to_string()).await?;
        }
        self.refuses_secret(target).await?;
        Ok(name)
    }

    /// Takes a guard away again.
    pub async fn unguard_secret(&self, guard: &str) -> Result<()> {
        let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(self.client.clone());
        bindings.delete(guard, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Lets the namespace have this many Secrets. The control plane of the tests has no controller that counts what is there already.
    pub async fn limit_secrets(&self, quota: &str, most: usize) -> Result<()> {
        let hard = json!({"count/secrets": most.to_string()});
        let object = json!({
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": quota}, "spec": {"hard": hard},
        });
        apply(&self.client, &self.namespace, &object.to_string()).await?;
        let used = self.kubernetes_secrets().list(&ListParams::default()).await?.items.len().to_string();
        let counted = json!({"status": {"hard": hard, "used": {"count/secrets": used}}});
        let quotas: Api<ResourceQuota> = Api::namespaced(self.client.clone(), &self.namespace);
        quotas.patch_status(quota, &PatchParams::default(), &Patch::Merge(counted)).await?;
        Ok(())
    }

    async fn refuses_secret(&self, name: &str) -> Result<()> {
        let secret: Secret = serde_json::from_value(json!({"metadata": {"name": name}, "stringData": {"all": ""}}))?;
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        wait_for("the guard", DEADLINE, async || {
            ensure!(self.kubernetes_secrets().create(&dry_run, &secret).await.is_err(), "everybody is let in");
            Ok(())
        })
        .await
    }
}
