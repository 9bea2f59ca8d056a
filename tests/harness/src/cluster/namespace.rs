//! A namespace for each test.

use anyhow::Result;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, ResourceExt,
    api::{ObjectMeta, PostParams},
};

/// Creates a namespace whose name begins with `prefix` and is taken by nobody. Namespaces take seconds to go, so nobody
/// waits for that: each test has a fresh one, and all of them go with the control plane.
pub async fn fresh_namespace(client: &Client, prefix: &str) -> Result<String> {
    let metadata = ObjectMeta { generate_name: Some(format!("{prefix}-")), ..ObjectMeta::default() };
    let namespace = Namespace { metadata, ..Namespace::default() };
    let created = Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &namespace).await?;
    Ok(created.name_any())
}
