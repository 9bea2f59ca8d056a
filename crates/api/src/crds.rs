//! The `CustomResourceDefinition`s, as they are installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;
use serde_json::{Value, json};

use crate::{AwsAccount, SharedKey};

/// Every definition with the name of its file, as JSON with nothing in it that only Rust needs.
///
/// # Errors
/// None but those of serialising, which the derived definitions do not cause.
pub fn crds() -> serde_json::Result<Vec<(String, Value)>> {
    [AwsAccount::crd(), SharedKey::crd()].iter().map(definition).collect()
}

/// The Kustomize file that lists the definitions.
pub fn kustomization<'a>(files: impl IntoIterator<Item = &'a str>) -> Value {
    json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": files.into_iter().collect::<Vec<_>>(),
    })
}

fn definition(crd: &CustomResourceDefinition) -> serde_json::Result<(String, Value)> {
    let mut value = serde_json::to_value(crd)?;
    tidy(&mut value);
    Ok((format!("{}.yaml", crd.metadata.name.as_deref().unwrap_or_default()), value))
}

/// An `Option` in Rust is an absent field, not one that may be null: with `nullable`, the API server would keep an explicit
/// null instead of dropping it, and every rule with `has()` would see a field that is there. Lines are as long as the reader's
/// terminal, not as Rust's comments.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.get("nullable") == Some(&Value::Bool(true)) {
                map.remove("nullable");
            }
            if let Some(Value::String(text)) = map.get_mut("description") {
                *text = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(values) => values.iter_mut().for_each(tidy),
        _ => {}
    }
}
