//! Kubernetes Secrets that an ExternalSecret must not reach: those of somebody else, and those of namespaces that grant nothing.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Secret},
    rbac::v1::RoleBinding,
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};
use sharedkey_api::{ExternalSecret, SECRETS_ROLE, conditions::Reason};
use sharedkey_e2e::{DEADLINE, has, merge, says, told};
use sharedkey_harness::{cluster::apply, wait_for_object};

use super::vault::{Vault, names};

/// A spec that writes the value to a Secret.
fn to(vault: &Vault, target: &str) -> Value {
    vault.secret(json!({"secretName": format!("team/{target}"), "target": {"name": target, "key": "all"}}))
}

/// Makes a Secret with these fields, as the attacker may.
async fn make(vault: &Vault, name: &str, fields: Value) -> Result<()> {
    let mut secret = json!({"metadata": {"name": name}, "stringData": {"all": "hidden-from-logs: of somebody else"}});
    merge(&mut secret, fields);
    vault.stage.kubernetes_secrets().create(&PostParams::default(), &serde_json::from_value(secret)?).await?;
    Ok(())
}

/// A reference to a controller that exists.
async fn controller(vault: &Vault) -> Result<Value> {
    let api: Api<ConfigMap> = Api::namespaced(vault.stage.client.clone(), &vault.stage.namespace);
    let map: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "controller"}}))?;
    let uid = api.create(&PostParams::default(), &map).await?.uid();
    Ok(json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "controller", "uid": uid, "controller": true}]))
}

#[tokio::test]
async fn a_secret_of_somebody_else_is_never_written_to() -> Result<()> {
    // Given Secrets of all kinds that no object made, or another one
    let vault = Vault::lay().await?;
    for (name, policy) in [("kept", "Retain"), ("owned", "Delete")] {
        let mut spec = to(&vault, name);
        spec["target"]["deletionPolicy"] = json!(policy);
        vault.stage.keep_secret(&format!("other-{name}"), spec).await?;
        vault.stage.secret_ready(&format!("other-{name}")).await?;
    }
    let marks: BTreeMap<String, String> = vault.stage.kubernetes_secrets().get("kept").await?.annotations().clone();
    let owners = controller(&vault).await?;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}});
    apply(&vault.stage.client, &vault.stage.namespace, &account.to_string()).await?;
    let token = json!({"name": "token", "annotations": {"kubernetes.io/service-account.name": "robot"}});
    make(&vault, "plain", json!({})).await?;
    make(&vault, "token", json!({"metadata": token, "type": "kubernetes.io/service-account-token"})).await?;
    make(&vault, "controlled", json!({"metadata": {"name": "controlled", "ownerReferences": owners}})).await?;
    // And one that looks like what another object wrote, and one like the attacker's own, but for its controller
    make(&vault, "copied", json!({"metadata": {"name": "copied", "annotations": marks}})).await?;
    let mut own = marks;
    own.insert("sharedkey.dev/external-secret".to_owned(), "attack-marked".to_owned());
    let marked = json!({"metadata": {"name": "marked", "annotations": own, "ownerReferences": owners}});
    make(&vault, "marked", marked).await?;

    for (name, whose) in [
        ("plain", "somebody else"),
        ("token", "somebody else"),
        ("controlled", "ConfigMap \"controller\""),
        ("kept", "ExternalSecret \"other-kept\""),
        ("owned", "ExternalSecret \"other-owned\""),
        ("copied", "ExternalSecret \"other-kept\""),
        ("marked", "ConfigMap \"controller\""),
    ] {
        // When an object names one as its target, then it is refused with the name of whose it is
        let before = vault.stage.kubernetes_secrets().get(name).await?;
        let object = format!("attack-{name}");
        let mut spec = to(&vault, name);
        spec["secretName"] = json!(format!("team/attack/{name}"));
        vault.stage.keep_secret(&object, spec).await?;
        let refused = |status: &_| has(status, "TargetSynced", "False");
        let secret = vault.stage.wait_secret(&object, "TargetSynced=False", refused).await?;
        let status = secret.status.as_ref().context("it has a status")?;
        says(&told(status, "TargetSynced", Reason::TargetNotOwned.as_ref())?, &[name, whose])?;

        // And it neither writes to it, nor removes it when it names another one, nor when it goes
        vault.stage.patch_secret(&object, json!({"spec": {"target": {"name": format!("{name}-2")}}})).await?;
        vault.stage.secret_ready(&object).await?;
        vault.stage.delete_secret(&object).await?;
        let mut after = vault.stage.kubernetes_secrets().get(name).await?;
        // The token's controller has its own part in it.
        if name == "token" {
            after.metadata.resource_version.clone_from(&before.metadata.resource_version);
            after.metadata.managed_fields.clone_from(&before.metadata.managed_fields);
        }
        ensure!(after == before, "{name} was changed: {:?}", after.metadata);
    }
    vault.holds().await
}

#[tokio::test]
async fn secrets_of_the_operators_own_namespace_go_nowhere() -> Result<()> {
    // Given an administrator who opens everything to the operator's own namespace
    let vault = Vault::lay().await?;
    let operator = &vault.stage.home.world.operator_account;
    let opened =
        json!({"allow": [{"namespaces": {"names": [operator.namespace]}, "keys": ["*"], "secrets": ["team/*"]}]});
    vault.patch_account(&vault.stage.owner.name, opened).await?;
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": SECRETS_ROLE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": SECRETS_ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": operator.name, "namespace": operator.namespace}],
    });
    apply(&vault.admin, &operator.namespace, &binding.to_string()).await?;

    // When an ExternalSecret there would push one, and overwrite another one
    let name = format!("attack-{}", vault.stage.namespace);
    let secret = json!({
        "apiVersion": "sharedkey.dev/v1alpha1", "kind": "ExternalSecret", "metadata": {"name": name}, "spec": {
            "accountRef": {"name": vault.stage.owner.name}, "region": vault.stage.key.region, "secretName": "team/db",
            "kmsKeyArn": vault.stage.key.arn, "source": {"secretRef": {"name": "external-id", "key": "value"}},
            "target": {"name": "sharedkey-value-hash-key", "key": "key"},
        },
    });
    apply(&vault.admin, &operator.namespace, &secret.to_string()).await?;

    // Then both are refused, and nothing is made
    let api: Api<ExternalSecret> = Api::namespaced(vault.admin.clone(), &operator.namespace);
    let refused = |secret: &ExternalSecret| {
        secret
            .status
            .as_ref()
            .is_some_and(|status| has(status, "ValueSynced", "False") && has(status, "TargetSynced", "False"))
    };
    let secret = wait_for_object(&api, &name, "source and target refused", DEADLINE, refused).await?;
    api.delete(&name, &DeleteParams::default()).await?;
    let bindings: Api<RoleBinding> = Api::namespaced(vault.admin.clone(), &operator.namespace);
    bindings.delete(SECRETS_ROLE, &DeleteParams::default()).await?;
    let status = secret.status.context("it has a status")?;
    for type_ in ["ValueSynced", "TargetSynced"] {
        says(&told(&status, type_, Reason::SecretAccessNotGranted.as_ref())?, &["own namespace"])?;
    }
    ensure!(names(&vault.stage, &vault.stage.owner.account, "team/").await?.is_empty(), "a secret was made");
    vault.holds().await
}

#[tokio::test]
async fn a_namespace_that_grants_nothing_tells_nothing_of_its_secrets() -> Result<()> {
    // Given a namespace that has taken its grant back
    let vault = Vault::lay().await?;
    let bindings: Api<RoleBinding> = Api::namespaced(vault.admin.clone(), &vault.stage.namespace);
    bindings.delete(SECRETS_ROLE, &DeleteParams::default()).await?;

    // When objects name a Secret that is there and one that is not
    let mut messages = Vec::new();
    for source in ["source", "missing"] {
        let fields = json!({
            "secretName": format!("team/{source}"), "source": {"secretRef": {"name": source}},
            "target": {"name": format!("{source}-copy"), "key": "all"},
        });
        vault.stage.keep_secret(source, vault.secret(fields)).await?;
        let refused = |status: &_| has(status, "ValueSynced", "False") && has(status, "TargetSynced", "False");
        let secret = vault.stage.wait_secret(source, "source and target refused", refused).await?;
        let status = secret.status.context("it has a status")?;
        for type_ in ["ValueSynced", "TargetSynced"] {
            let message = told(&status, type_, Reason::SecretAccessNotGranted.as_ref())?;
            messages.push(message.replace(&format!("\"{source}"), "\"NAME"));
        }
    }

    // Then they are told alike, and nothing is made, in AWS or in Kubernetes
    ensure!(messages[..2] == messages[2..], "{messages:#?}");
    ensure!(names(&vault.stage, &vault.stage.owner.account, "team/").await?.is_empty(), "a secret was made");
    let secrets: Api<Secret> = vault.stage.kubernetes_secrets();
    for copy in ["source-copy", "missing-copy"] {
        ensure!(secrets.get_opt(copy).await?.is_none(), "{copy} was made");
    }
    vault.holds().await
}
