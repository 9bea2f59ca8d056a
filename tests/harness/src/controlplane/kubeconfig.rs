//! Kubeconfig files: an address, an authority and a bearer token.

use anyhow::Result;
use serde_json::json;

/// How to reach an API server, without saying as whom.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    pub(crate) authority_pem: String,
}

impl Endpoint {
    /// The text of a kubeconfig for the bearer of `token`.
    pub(crate) fn kubeconfig(&self, user: &str, token: &str) -> Result<String> {
        let authority = k8s_openapi::ByteString(self.authority_pem.clone().into_bytes());
        Ok(serde_yaml_ng::to_string(&json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "harness",
            "clusters": [{"name": "harness", "cluster": {"server": self.url, "certificate-authority-data": authority}}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "harness", "context": {"cluster": "harness", "user": user}}],
        }))?)
    }
}
