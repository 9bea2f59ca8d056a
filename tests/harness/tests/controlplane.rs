//! The control plane is a real one: it serves, it authorises, it collects garbage, and it issues tokens.

use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use kube::{
    Api, Client,
    api::{DeleteParams, ObjectMeta, PostParams},
};
use sharedkey_harness::{
    ControlPlane, Scratch,
    cluster::{ServiceAccountRef, apply, fresh_namespace, install_rbac, kubeconfig_for, token},
    controlplane::{ISSUER, Options},
    wait_for, wait_for_object,
};
use tokio::sync::OnceCell;

const SOON: Duration = Duration::from_mins(1);

async fn control_plane() -> Result<&'static ControlPlane> {
    static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
    SHARED.get_or_try_init(async || ControlPlane::start(&Options::default()).await).await
}

const WIDGETS: &str = r"
apiVersion: harness.test/v1
kind: Widget
metadata: {name: first}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.harness.test}
spec:
  group: harness.test
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object}}
";

#[tokio::test]
async fn a_custom_kind_and_its_object_are_applied_in_one_go_and_seen_by_kubectl() {
    let control_plane = control_plane().await.unwrap();
    let client = control_plane.client().await.unwrap();
    let namespace = fresh_namespace(&client, "apply").await.unwrap();
    apply(&client, &namespace, WIDGETS).await.unwrap();
    let names = control_plane.kubectl(&["get", "widgets", "-n", &namespace, "-o", "name"]).unwrap();
    assert_eq!(names, "widget.harness.test/first\n");
}

#[tokio::test]
async fn the_kinds_of_this_repository_are_served() {
    let control_plane = control_plane().await.unwrap();
    let kinds = control_plane.kubectl(&["api-resources", "--api-group=sharedkey.dev", "-o", "name"]).unwrap();
    assert_eq!(kinds, "awsaccounts.sharedkey.dev\nexternalsecrets.sharedkey.dev\nsharedkeys.sharedkey.dev\n");
}

#[tokio::test]
async fn a_refusal_names_the_object_and_keeps_the_servers_words() {
    let client = control_plane().await.unwrap().client().await.unwrap();
    let manifest = "{apiVersion: v1, kind: ConfigMap, metadata: {name: Not-A-Name}}";
    let message = format!("{:#}", apply(&client, "default", manifest).await.unwrap_err());
    assert!(message.contains("cannot apply ConfigMap Not-A-Name") && message.contains("RFC 1123"), "{message}");
}

async fn account_in(client: &Client, namespace: &str) -> Result<ServiceAccountRef> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    wait_for_object(&accounts, "default", "made by its controller", SOON, |_| true).await?;
    Ok(ServiceAccountRef { namespace: namespace.to_owned(), name: String::from("default") })
}

/// As in `deploy/base`: rights among other things, in several files.
const RIGHTS: &str = r#"
{apiVersion: v1, kind: Namespace, metadata: {name: rights-system}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: reader, namespace: rights-system}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: read}, rules: [
  {apiGroups: [""], resources: [configmaps], verbs: [get, list]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: read},
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: read},
  subjects: [{kind: ServiceAccount, name: reader, namespace: rights-system}]}
"#;
const NO_RIGHTS: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: other, namespace: rights-system}}";

#[tokio::test]
async fn the_operator_may_do_what_its_manifests_say_and_no_more() {
    let control_plane = control_plane().await.unwrap();
    let manifests = Scratch::new("manifests").unwrap();
    manifests.write("rights.yaml", RIGHTS).unwrap();
    manifests.write("other.yaml", NO_RIGHTS).unwrap();
    manifests.write("kustomization.yaml", "resources: [rights.yaml, other.yaml]\nkind: Kustomization").unwrap();
    let account = install_rbac(&control_plane.client().await.unwrap(), manifests.path()).await.unwrap();

    let kubeconfig = kubeconfig_for(control_plane, &account).await.unwrap();
    let kubeconfig = kubeconfig.to_str().unwrap();
    let kubectl = |args: &[&str]| {
        control_plane.kubectl(&[&["--kubeconfig", kubeconfig, "--namespace", "rights-system"], args].concat())
    };
    // The authorizer learns of a new binding through its own watch.
    let read = wait_for("the binding to count", SOON, async || kubectl(&["get", "configmaps", "-o", "name"]));
    let names = read.await.unwrap();
    assert!(!names.contains("configmap/other"), "{names}");
    let refusal = kubectl(&["create", "configmap", "one"]).unwrap_err().to_string();
    assert!(refusal.contains("configmaps is forbidden"), "{refusal}");
}

#[tokio::test]
async fn tokens_name_their_issuer_and_are_signed_by_a_published_key() {
    let control_plane = control_plane().await.unwrap();
    let client = control_plane.client().await.unwrap();
    let namespace = fresh_namespace(&client, "token").await.unwrap();
    let account = account_in(&client, &namespace).await.unwrap();
    let token = token(&client, &account, &["sts.amazonaws.com"]).await.unwrap();

    let part = |at: usize| -> serde_json::Value {
        let text = token.split('.').nth(at).unwrap().replace('-', "+").replace('_', "/");
        let padded = format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
        let bytes: k8s_openapi::ByteString = serde_json::from_value(padded.into()).unwrap();
        serde_json::from_slice(&bytes.0).unwrap()
    };
    let (header, claims) = (part(0), part(1));
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["aud"], serde_json::json!(["sts.amazonaws.com"]));
    assert_eq!(claims["sub"], format!("system:serviceaccount:{namespace}:default"));
    let keys = control_plane.key_set().await.unwrap();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
    assert_eq!((&key["alg"], &header["alg"]), (&"RS256".into(), &"RS256".into()));
}

#[tokio::test]
async fn the_garbage_collector_and_the_namespace_controller_work() {
    let client = control_plane().await.unwrap().client().await.unwrap();
    let namespace = fresh_namespace(&client, "garbage").await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    let named = |name: &str| ConfigMap {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        ..ConfigMap::default()
    };
    let owner = maps.create(&PostParams::default(), &named("owner")).await.unwrap();
    let mut dependent = named("dependent");
    let reference = kube::Resource::owner_ref(&owner, &()).unwrap();
    dependent.metadata.owner_references = Some(vec![reference]);
    maps.create(&PostParams::default(), &dependent).await.unwrap();

    maps.delete("owner", &DeleteParams::background()).await.unwrap();
    wait_for("the dependent object to be collected", SOON, async || {
        let left = maps.get_opt("dependent").await?;
        ensure!(left.is_none(), "{left:?}");
        Ok(())
    })
    .await
    .unwrap();

    let namespaces: Api<Namespace> = Api::all(client);
    namespaces.delete(&namespace, &DeleteParams::default()).await.unwrap();
    wait_for("the namespace to go", SOON, async || {
        let left = namespaces.get_opt(&namespace).await?;
        ensure!(left.is_none(), "{left:?}");
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_object_that_never_meets_the_condition_is_shown() {
    let client = control_plane().await.unwrap().client().await.unwrap();
    let namespaces: Api<Namespace> = Api::all(client);
    let short = Duration::from_millis(500);
    let error = wait_for_object(&namespaces, "default", "never so", short, |_| false).await.unwrap_err();
    assert!(error.to_string().contains("never so") && error.to_string().contains("phase: Active"), "{error}");
}
