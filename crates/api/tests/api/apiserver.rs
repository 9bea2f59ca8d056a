//! The CRDs in a real API server: it alone knows the cost of a rule, enforces bounds, and says what users see.

use std::{path::Path, time::Duration};

use crate::tables::{Request, Table};
use anyhow::{Context as _, Result, bail, ensure};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, DynamicObject, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use sharedkey_api::{GROUP, crds};
use sharedkey_harness::{ControlPlane, controlplane::Options, wait_for};
use tokio::sync::OnceCell;

/// The API server of this test binary. Admission is all that is asked of it: no controllers.
#[expect(clippy::expect_used, reason = "no test here means anything without an API server")]
pub(crate) async fn control_plane() -> &'static ControlPlane {
    static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
    SHARED
        .get_or_init(|| async {
            let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crds");
            let options = Options { manifests: vec![crds], controllers: false };
            ControlPlane::start(&options).await.expect("a control plane")
        })
        .await
}

fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, "v1alpha1", kind));
    match kind {
        "AwsAccount" => Api::all_with(client.clone(), &resource),
        _ => Api::namespaced_with(client.clone(), "default", &resource),
    }
}

/// Asks the API server to take a request, without keeping it: the message of its refusal, if it refuses.
async fn refusal(api: &Api<DynamicObject>, Request { old, new }: Request) -> Result<Option<String>> {
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let mut new: DynamicObject = serde_json::from_value(new)?;
    let answer = match old {
        None => api.create(&dry_run, &new).await,
        Some(old) => {
            let old =
                api.create(&PostParams::default(), &serde_json::from_value(old)?).await.context("the object before")?;
            new.metadata.resource_version = old.resource_version();
            let answer = api.replace(&new.name_any(), &dry_run, &new).await;
            api.delete(&new.name_any(), &DeleteParams::default()).await?;
            answer
        }
    };
    match answer {
        Ok(_) => Ok(None),
        Err(kube::Error::Api(status)) if status.code == 422 => Ok(Some(status.message)),
        Err(error) => bail!(error),
    }
}

#[tokio::test]
async fn the_api_server_accepts_and_refuses_what_the_cases_say() -> Result<()> {
    let client = control_plane().await.client().await?;
    for table in Table::all() {
        let api = api(&client, &table.kind);
        for rule in &table.rules {
            for case in &rule.accept {
                let refusal = refusal(&api, table.request(case)).await.with_context(|| format!("{case:?}"))?;
                ensure!(refusal.is_none(), "{}: {case:?} is to be accepted, but: {refusal:?}", rule.message);
            }
            for case in &rule.refuse {
                let refusal = refusal(&api, table.request(case)).await.with_context(|| format!("{case:?}"))?;
                let named = refusal.as_ref().is_some_and(|refusal| refusal.contains(&rule.message));
                ensure!(
                    named,
                    "{} ({:?}): {case:?} is to be refused, but: {refusal:?}",
                    rule.message,
                    rule.enforced_by
                );
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_crds_are_established_and_structural() -> Result<()> {
    let client = control_plane().await.client().await?;
    let api: Api<CustomResourceDefinition> = Api::all(client);
    for crd in crds()? {
        let name = crd["metadata"]["name"].as_str().context("a name")?;
        let conditions = api.get(name).await?.status.and_then(|status| status.conditions).context("no conditions")?;
        let is = |type_: &str| conditions.iter().any(|found| found.type_ == type_ && found.status == "True");
        ensure!(is("Established") && is("NamesAccepted") && !is("NonStructuralSchema"), "{name}: {conditions:?}");
    }
    Ok(())
}

#[tokio::test]
async fn kubectl_explains_the_fields() -> Result<()> {
    let control_plane = control_plane().await;
    for (field, text) in [
        ("sharedkey", "A KMS key that is shared with roles and users of other AWS accounts"),
        ("shk.spec.interval", "30s at least, 24h at most. Default: 10m"),
        ("sharedkey.spec.consumers", "at most 32 consumers"),
        ("sharedkey.spec.consumers.access", "Decrypt: kms:Decrypt and kms:DescribeKey"),
        ("awsacct.spec.credentials", "exactly one way"),
        ("xsec", "A secret of AWS Secrets Manager that is encrypted with a shared KMS key"),
        ("externalsecrets.spec.target.keys", "the key of the Secret that each becomes"),
        ("xsec.spec.sharedKeyRef.name", "in the namespace of this object"),
    ] {
        // The API server publishes the schemas a moment after the CRDs are established.
        wait_for(&format!("kubectl explain {field}"), Duration::from_secs(30), async || {
            let lines = control_plane.kubectl(&["explain", field])?;
            let explained = lines.split_whitespace().collect::<Vec<_>>().join(" ");
            ensure!(explained.contains(text), "{explained}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// The columns of kubectl, as (header, value).
fn columns(table: &str) -> Vec<(String, String)> {
    let rows: Vec<Vec<&str>> =
        table.lines().map(|row| row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect();
    let [headers, values] = rows.as_slice() else { return Vec::new() };
    headers.iter().zip(values).map(|(header, value)| ((*header).to_owned(), (*value).to_owned())).collect()
}

/// What `kubectl get` shows of an object that has drift, its age aside.
async fn shown(short_name: &str, object: Value) -> Result<Vec<(String, String)>> {
    let control_plane = control_plane().await;
    let kind = object["kind"].as_str().context("a kind")?;
    let api = api(&control_plane.client().await?, kind);
    let mut object = api.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
    object.data["status"] = json!({
        "driftCount": 2,
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"},
            {"type": "InSync", "status": "False", "reason": "DriftFound", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        ],
    });
    api.replace_status(&object.name_any(), &PostParams::default(), &object).await?;
    let mut columns = columns(&control_plane.kubectl(&["get", short_name, &object.name_any()])?);
    let (age, _) = columns.pop().context("no columns")?;
    ensure!(age == "AGE", "{age} is the last column");
    Ok(columns)
}

fn pairs(columns: &[(String, String)]) -> Vec<(&str, &str)> {
    columns.iter().map(|(header, value)| (header.as_str(), value.as_str())).collect()
}

#[tokio::test]
async fn kubectl_get_shows_the_key_however_it_is_named_and_the_drift() -> Result<()> {
    for (name, key, text) in [
        ("by-alias", json!({"alias": "alias/orders"}), "alias/orders"),
        ("by-id", json!({"id": "1234abcd-12ab-34cd-56ef-1234567890ab"}), "1234abcd-12ab-34cd-56ef-1234567890ab"),
    ] {
        let object = json!({
            "apiVersion": "sharedkey.dev/v1alpha1",
            "kind": "SharedKey",
            "metadata": {"name": name},
            "spec": {"accountRef": {"name": "owner"}, "region": "cn-north-1", "key": key},
        });
        let columns = shown("shk", object).await?;
        let expected = [
            ("NAME", name),
            ("READY", "True"),
            ("INSYNC", "False"),
            ("DRIFT", "2"),
            ("KEY", text),
            ("ACCOUNT", "owner"),
        ];
        assert_eq!(pairs(&columns), expected);
    }
    Ok(())
}

#[tokio::test]
async fn kubectl_get_shows_the_secret_and_the_drift() -> Result<()> {
    let object = json!({
        "apiVersion": "sharedkey.dev/v1alpha1",
        "kind": "ExternalSecret",
        "metadata": {"name": "my-custom-type"},
        "spec": {
            "accountRef": {"name": "owner"},
            "region": "cn-north-1",
            "secretName": "quickstart/MyCustomTypeSecret",
            "sharedKeyRef": {"name": "orders"},
        },
    });
    let columns = shown("xsec", object).await?;
    let expected = [
        ("NAME", "my-custom-type"),
        ("READY", "True"),
        ("INSYNC", "False"),
        ("DRIFT", "2"),
        ("SECRET", "quickstart/MyCustomTypeSecret"),
        ("ACCOUNT", "owner"),
    ];
    assert_eq!(pairs(&columns), expected);
    Ok(())
}

/// A spec as the API server keeps it: with all defaults, and without what the schema does not know.
async fn kept(kind: &str, spec: Value) -> Result<Value> {
    let client = control_plane().await.client().await?;
    let object = json!({
        "apiVersion": "sharedkey.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "defaults"},
        "spec": spec,
    });
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    Ok(api(&client, kind).create(&dry_run, &serde_json::from_value(object)?).await?.data["spec"].clone())
}

fn at<'a>(spec: &'a Value, pointer: &str) -> &'a Value {
    spec.pointer(pointer).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn defaults_are_written_into_a_shared_key() -> Result<()> {
    let spec = json!({
        "accountRef": {"name": "owner"},
        "region": "cn-north-1",
        "key": {"alias": "alias/orders"},
        "consumers": [{"name": "partner", "accountRef": {"name": "partner"}, "principals": [{"role": "ExampleRole"}]}],
    });
    let kept = kept("SharedKey", spec).await?;
    assert_eq!(at(&kept, "/mode"), "Enforce");
    assert_eq!(at(&kept, "/deletionPolicy"), "Revoke");
    assert_eq!(at(&kept, "/suspend"), false);
    assert_eq!(at(&kept, "/consumers/0/trust"), "Principals");
    // Not a default of the schema: `actions: [kms:Decrypt]` must not gain the preset's actions.
    assert_eq!(at(&kept, "/consumers/0/access"), &Value::Null);
    assert_eq!(at(&kept, "/consumers/0/delegation"), &Value::Null);
    Ok(())
}

#[tokio::test]
async fn defaults_are_written_into_an_external_secret() -> Result<()> {
    let spec = json!({
        "accountRef": {"name": "owner"},
        "region": "cn-north-1",
        "secretName": "quickstart/MyCustomTypeSecret",
        "sharedKeyRef": {"name": "orders"},
        "source": {"secretRef": {"name": "my-custom-type"}},
        "target": {"name": "read-back"},
    });
    let kept = kept("ExternalSecret", spec).await?;
    assert_eq!(at(&kept, "/mode"), "Enforce");
    assert_eq!(at(&kept, "/adopt"), "Never");
    assert_eq!(at(&kept, "/deletionPolicy"), "Retain");
    assert_eq!(at(&kept, "/restoreDeleted"), false);
    assert_eq!(at(&kept, "/suspend"), false);
    assert_eq!(at(&kept, "/target/type"), "Opaque");
    assert_eq!(at(&kept, "/target/deletionPolicy"), "Delete");
    // Not a default of the schema: it must be absent where nothing is deleted.
    assert_eq!(at(&kept, "/recoveryWindowDays"), &Value::Null);
    Ok(())
}
