//! A ServiceAccount as an identity.

use std::path::PathBuf;

use anyhow::{Context, Result};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, Client, api::PostParams};

use super::ServiceAccountRef;
use crate::{ControlPlane, controlplane::client_of};

/// Longer than any test run or demo.
const LIFETIME_SECONDS: i64 = 24 * 3600;

/// A token of a ServiceAccount (TokenRequest). Without audiences it is good for the API server itself.
pub async fn token(client: &Client, account: &ServiceAccountRef, audiences: &[&str]) -> Result<String> {
    let request = TokenRequest {
        spec: TokenRequestSpec {
            audiences: audiences.iter().map(ToString::to_string).collect(),
            expiration_seconds: Some(LIFETIME_SECONDS),
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &account.namespace);
    let answer = accounts.create_token_request(&account.name, &PostParams::default(), &request).await?;
    Ok(answer.status.context("the TokenRequest was answered without a token")?.token)
}

/// A client with the rights of a ServiceAccount and nothing more.
pub async fn client_as(control_plane: &ControlPlane, account: &ServiceAccountRef) -> Result<Client> {
    client_of(&kubeconfig_for(control_plane, account).await?).await
}

/// Writes a kubeconfig with the rights of a ServiceAccount and nothing more.
pub async fn kubeconfig_for(control_plane: &ControlPlane, account: &ServiceAccountRef) -> Result<PathBuf> {
    let token = token(&control_plane.client().await?, account, &[]).await?;
    control_plane.write_kubeconfig(&format!("{}.{}", account.namespace, account.name), &token)
}
