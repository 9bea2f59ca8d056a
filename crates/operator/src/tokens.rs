//! Tokens of the operator's own `ServiceAccount`, for accounts that are entered by web identity.

use futures::{FutureExt as _, future::BoxFuture};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, Client, api::PostParams};
use secrecy::SecretString;
use sharedkey_aws::{TokenError, TokenSource};

/// AWS reads a token once, at login. The API server grants ten minutes at least.
const LIFETIME_SECONDS: i64 = 600;

/// Asks the API server for tokens.
pub(crate) struct ServiceAccountTokens {
    api: Api<ServiceAccount>,
    name: String,
}

impl ServiceAccountTokens {
    pub(crate) fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self { api: Api::namespaced(client, namespace), name: name.to_owned() }
    }
}

impl TokenSource for ServiceAccountTokens {
    fn token<'a>(&'a self, audience: &'a str) -> BoxFuture<'a, Result<SecretString, TokenError>> {
        async move {
            let request = TokenRequest {
                spec: TokenRequestSpec {
                    audiences: vec![audience.to_owned()],
                    expiration_seconds: Some(LIFETIME_SECONDS),
                    bound_object_ref: None,
                },
                ..TokenRequest::default()
            };
            let answer = self.api.create_token_request(&self.name, &PostParams::default(), &request).await;
            let answer = answer.map_err(|error| format!("no token of ServiceAccount {:?}: {error}", self.name))?;
            let token = answer.status.map(|status| status.token).unwrap_or_default();
            Ok(SecretString::from(token))
        }
        .boxed()
    }
}
