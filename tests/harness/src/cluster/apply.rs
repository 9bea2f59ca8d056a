//! Manifests into a cluster, by server-side apply.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, Patch, PatchParams},
    core::{GroupVersionKind, TypeMeta},
    discovery::{Scope, pinned_kind},
    runtime::{conditions, wait::Condition},
};
use serde::Deserialize;

use crate::{wait_for, wait_for_object};

const SERVED: Duration = Duration::from_secs(30);

/// Applies every manifest of a YAML text. Objects that name no namespace go to `namespace`. Kinds that others need
/// (namespaces, CRDs) go first, whatever their place in the text; a CRD is served when this returns.
///
/// # Errors
/// Names the object that was refused; the source is the [`kube::Error`], with the API server's own words.
pub async fn apply(client: &Client, namespace: &str, yaml: &str) -> Result<Vec<DynamicObject>> {
    apply_objects(client, namespace, documents(yaml)?).await
}

/// Applies a file, or all `.yaml` files of a folder and the folders in it, with `default` as the namespace of objects that
/// name none. Kustomizations are passed over.
pub async fn apply_path(client: &Client, path: &Path) -> Result<Vec<DynamicObject>> {
    apply_objects(client, "default", documents_at(path)?).await
}

/// The objects of a YAML text; empty documents are passed over.
pub fn documents(yaml: &str) -> Result<Vec<DynamicObject>> {
    serde_yaml_ng::Deserializer::from_str(yaml)
        .map(|document| Ok(Option::<DynamicObject>::deserialize(document)?))
        .filter_map(Result::transpose)
        .collect()
}

pub(super) fn documents_at(path: &Path) -> Result<Vec<DynamicObject>> {
    let mut objects = Vec::new();
    for file in yaml_files(path)? {
        let text = fs::read_to_string(&file)?;
        let found = documents(&text).with_context(|| format!("{} is not a manifest", file.display()))?;
        objects.extend(found.into_iter().filter(|object| kind(object) != "Kustomization"));
    }
    Ok(objects)
}

pub(super) async fn apply_objects(
    client: &Client,
    namespace: &str,
    mut objects: Vec<DynamicObject>,
) -> Result<Vec<DynamicObject>> {
    objects.sort_by_key(|object| !matches!(kind(object), "Namespace" | "CustomResourceDefinition"));
    let mut applied = Vec::with_capacity(objects.len());
    for object in &objects {
        let name = object.name_any();
        let result = apply_one(client, namespace, object).await;
        applied.push(result.with_context(|| format!("cannot apply {} {name}", kind(object)))?);
    }
    Ok(applied)
}

async fn apply_one(client: &Client, namespace: &str, object: &DynamicObject) -> Result<DynamicObject> {
    let gvk = GroupVersionKind::try_from(object.types.as_ref().context("it has no apiVersion and kind")?)?;
    let (resource, capabilities) = pinned_kind(client, &gvk).await?;
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => {
            let namespace = object.namespace().unwrap_or_else(|| namespace.to_owned());
            Api::namespaced_with(client.clone(), &namespace, &resource)
        }
    };
    let params = PatchParams::apply("harness").force();
    let applied = api.patch(&object.name_any(), &params, &Patch::Apply(object)).await?;
    if gvk.kind == "CustomResourceDefinition" {
        served(client, &object.name_any()).await?;
    }
    Ok(applied)
}

/// Waits until the API server serves the kind that a CRD defines: "Established" is said a moment before discovery knows it.
async fn served(client: &Client, name: &str) -> Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let established = conditions::is_crd_established();
    let crd = wait_for_object(&api, name, "established", SERVED, |crd| established.matches_object(Some(crd))).await?;
    for version in crd.spec.versions.iter().filter(|version| version.served) {
        let gvk = GroupVersionKind::gvk(&crd.spec.group, &version.name, &crd.spec.names.kind);
        wait_for(name, SERVED, async || Ok(pinned_kind(client, &gvk).await?)).await?;
    }
    Ok(())
}

fn yaml_files(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
        let entry = entry?.path();
        if entry.is_dir() || entry.extension().is_some_and(|extension| extension == "yaml") {
            files.extend(yaml_files(&entry)?);
        }
    }
    files.sort();
    Ok(files)
}

pub(super) fn kind(object: &DynamicObject) -> &str {
    object.types.as_ref().map_or("", |types: &TypeMeta| &types.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_documents_are_passed_over() {
        let yaml = "---\n# a comment\n---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n---\n";
        let names: Vec<_> = documents(yaml).unwrap().iter().map(ResourceExt::name_any).collect();
        assert_eq!(names, ["a"]);
    }
}
