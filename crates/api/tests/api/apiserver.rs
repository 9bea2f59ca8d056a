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
use serde_json::Value;
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
        "SharedKey" => Api::namespaced_with(client.clone(), "default", &resource),
        _ => Api::all_with(client.clone(), &resource),
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

#[tokio::test]
async fn kubectl_get_shows_the_key_however_it_is_named_and_the_drift() -> Result<()> {
    let control_plane = control_plane().await;
    let api = api(&control_plane.client().await?, "SharedKey");
    let status = serde_json::json!({
        "driftCount": 2,
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"},
            {"type": "InSync", "status": "False", "reason": "DriftFound", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        ],
    });
    for (name, key, shown) in [
        ("by-alias", serde_json::json!({"alias": "alias/orders"}), "alias/orders"),
        (
            "by-id",
            serde_json::json!({"id": "1234abcd-12ab-34cd-56ef-1234567890ab"}),
            "1234abcd-12ab-34cd-56ef-1234567890ab",
        ),
    ] {
        let object = serde_json::json!({
            "apiVersion": "sharedkey.dev/v1alpha1",
            "kind": "SharedKey",
            "metadata": {"name": name},
            "spec": {"accountRef": {"name": "owner"}, "region": "cn-north-1", "key": key},
        });
        let mut object = api.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
        object.data["status"] = status.clone();
        api.replace_status(name, &PostParams::default(), &object).await?;

        let columns = columns(&control_plane.kubectl(&["get", "shk", name])?);
        let expected = [
            ("NAME", name),
            ("READY", "True"),
            ("INSYNC", "False"),
            ("DRIFT", "2"),
            ("KEY", shown),
            ("ACCOUNT", "owner"),
        ];
        let without_age = &columns[..columns.len().saturating_sub(1)];
        ensure!(
            without_age.iter().map(|(header, value)| (header.as_str(), value.as_str())).eq(expected),
            "{columns:?}"
        );
    }
    Ok(())
}

/// An object as the API server keeps it: with all defaults, and without what the schema does not know.
#[tokio::test]
async fn defaults_are_written_into_the_object() -> Result<()> {
    let client = control_plane().await.client().await?;
    let object = serde_json::json!({
        "apiVersion": "sharedkey.dev/v1alpha1",
        "kind": "SharedKey",
        "metadata": {"name": "defaults"},
        "spec": {
            "accountRef": {"name": "owner"},
            "region": "cn-north-1",
            "key": {"alias": "alias/orders"},
            "consumers": [{"name": "partner", "accountRef": {"name": "partner"}, "principals": [{"role": "ExampleRole"}]}],
        },
    });
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let kept = api(&client, "SharedKey").create(&dry_run, &serde_json::from_value(object)?).await?.data["spec"].clone();
    let at = |pointer: &str| kept.pointer(pointer).cloned().unwrap_or(Value::Null);
    assert_eq!(at("/mode"), "Enforce");
    assert_eq!(at("/deletionPolicy"), "Revoke");
    assert_eq!(at("/suspend"), false);
    assert_eq!(at("/consumers/0/trust"), "Principals");
    // Not a default of the schema: `actions: [kms:Decrypt]` must not gain the preset's actions.
    assert_eq!(at("/consumers/0/access"), Value::Null);
    assert_eq!(at("/consumers/0/delegation"), Value::Null);
    Ok(())
}
