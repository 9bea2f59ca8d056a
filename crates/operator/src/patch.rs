//! Writes to our own objects: status and finalizers.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::{
    Api, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use sharedkey_api::{FINALIZER, GROUP};

const MANAGER: &str = "sharedkey-operator";

/// Writes a status by server-side apply. Forced, because status has one owner; and what somebody else put beside it is taken out,
/// because apply leaves that alone, and it would be told for ever.
pub(crate) async fn status<K, S>(api: &Api<K>, object: &K, status: &S) -> Result<(), kube::Error>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
    S: Serialize,
{
    let body = json!({ "apiVersion": format!("{GROUP}/v1alpha1"), "kind": K::kind(&()), "status": status });
    let written =
        api.patch_status(&object.name_any(), &PatchParams::apply(MANAGER).force(), &Patch::Apply(&body)).await?;
    let wanted = fields(body, "status");
    let found = fields(serde_json::to_value(written).map_err(kube::Error::SerdeError)?, "status");
    if found == wanted {
        return Ok(());
    }
    let mut whole: Map<String, Value> = found.into_iter().map(|(field, _)| (field, Value::Null)).collect();
    whole.extend(wanted);
    let body = json!({ "status": whole });
    api.patch_status(&object.name_any(), &PatchParams::default(), &Patch::Merge(&body)).await.map(drop)
}

fn fields(mut object: Value, name: &str) -> Map<String, Value> {
    match object[name].take() {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Whether the object carries our finalizer.
pub(crate) fn has_finalizer<K: Resource>(object: &K) -> bool {
    object.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// Adds or removes our finalizer and nobody else's. The resource version makes it fail where somebody changed the list
/// meanwhile, and the next try sees that.
pub(crate) async fn finalizer<K>(api: &Api<K>, object: &K, wanted: bool) -> Result<(), kube::Error>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let mut finalizers: Vec<String> = object.finalizers().to_vec();
    finalizers.retain(|finalizer| finalizer != FINALIZER);
    if wanted {
        finalizers.push(FINALIZER.to_owned());
    }
    let body = json!({ "metadata": { "resourceVersion": object.resource_version(), "finalizers": finalizers } });
    match api.patch(&object.name_any(), &PatchParams::default(), &Patch::Merge(&body)).await {
        Ok(_) => Ok(()),
        // Gone already: there is nothing left to hold.
        Err(kube::Error::Api(status)) if status.code == 404 && !wanted => Ok(()),
        Err(error) => Err(error),
    }
}

/// The API of an object's own namespace.
pub(crate) fn api_of<K>(client: &kube::Client, object: &K) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    Api::namespaced(client.clone(), object.namespace().as_deref().unwrap_or_default())
}
