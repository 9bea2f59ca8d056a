//! A web identity issuer: what a cluster is to AWS.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::{FutureExt, future::BoxFuture};
use secrecy::SecretString;
use serde_json::{Value, json};
use sharedkey_aws::{TokenError, TokenSource};

use crate::world::{Tenant, strict};

pub(crate) const SUBJECT: &str = "system:serviceaccount:sharedkey:operator";

/// Issues tokens of one `ServiceAccount`.
pub(crate) struct Issuer {
    url: String,
    key: EcdsaKeyPair,
}

impl Issuer {
    /// An issuer that the tenant's account trusts.
    pub(crate) async fn trusted_by(tenant: &Tenant, audience: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let issuer = Self { url: format!("https://issuer.example/{}", tenant.account.id()), key };
        strict().await.register_issuer(&issuer.url, &issuer.key_set()).await.unwrap();
        let request = tenant.account.root().iam().create_open_id_connect_provider().url(&issuer.url);
        request.client_id_list(audience).thumbprint_list("a".repeat(40)).send().await.unwrap();
        issuer
    }

    /// The trust policy of a role that the issuer's `ServiceAccount` may enter.
    pub(crate) fn trust_policy(&self, tenant: &Tenant) -> Value {
        let name = self.url.trim_start_matches("https://");
        let provider = tenant.account.arn(&format!("oidc-provider/{name}"));
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {format!("{name}:sub"): SUBJECT}},
        }]})
    }

    /// The public key: a point, as 4, x and y.
    fn key_set(&self) -> Value {
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "one", "x": x, "y": y}]})
    }

    fn issue(&self, audience: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let header = json!({"alg": "ES256", "kid": "one", "typ": "JWT"});
        let claims = json!({"iss": self.url, "sub": SUBJECT, "aud": [audience], "iat": now, "exp": now + 600});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&header), part(&claims));
        let signature = self.key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl TokenSource for Issuer {
    fn token<'a>(&'a self, audience: &'a str) -> BoxFuture<'a, Result<SecretString, TokenError>> {
        async move { Ok(self.issue(audience).into()) }.boxed()
    }
}
