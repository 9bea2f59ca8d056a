//! The `CustomResourceDefinition`s, as they are installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;
use serde_json::{Value, json};

use crate::{AwsAccount, ExternalSecret, SharedKey};

const HEADER: &str = "# Generated from crates/api by `make crds`; do not edit.\n";

/// One file of the folder `crds/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrdFile {
    /// Its name.
    pub name: String,
    /// Its text.
    pub yaml: String,
}

/// The definitions, with nothing in them that only Rust needs.
pub fn crds() -> serde_json::Result<Vec<Value>> {
    [AwsAccount::crd(), SharedKey::crd(), ExternalSecret::crd()].iter().map(definition).collect()
}

/// A file for each definition, and the Kustomize file that lists them.
pub fn crd_files() -> Result<Vec<CrdFile>, serde_yaml_ng::Error> {
    let crds = crds().map_err(<serde_yaml_ng::Error as serde::ser::Error>::custom)?;
    let named = crds.iter().map(|crd| (format!("{}.yaml", crd["metadata"]["name"].as_str().unwrap_or_default()), crd));
    let mut files = named.map(|(name, crd)| file(name, crd)).collect::<Result<Vec<_>, _>>()?;
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": files.iter().map(|file| &file.name).collect::<Vec<_>>(),
    });
    files.push(file("kustomization.yaml".to_owned(), &kustomization)?);
    Ok(files)
}

fn file(name: String, content: &Value) -> Result<CrdFile, serde_yaml_ng::Error> {
    Ok(CrdFile { name, yaml: format!("{HEADER}{}", serde_yaml_ng::to_string(content)?) })
}

fn definition(crd: &CustomResourceDefinition) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(crd)?;
    tidy(&mut value);
    Ok(value)
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
                *text =
                    text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(values) => values.iter_mut().for_each(tidy),
        _ => {}
    }
}
