//! The key under which values are hashed, so that a hash says nothing of a value to whoever lacks it.
//!
//! It is made at the operator's first start and kept in a Secret of the operator's namespace. Without it, every value looks changed
//! once: each secret with a source gets one new version.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use aws_lc_rs::{
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};
use data_encoding::HEXLOWER;
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, Client, api::PostParams};
use sharedkey_aws::SecretValue;
use sharedkey_engine::secret::value::ValueFingerprint;
use tracing::{instrument::WithSubscriber as _, subscriber::NoSubscriber};

use super::access::code;

/// The Secret that holds it.
const NAME: &str = "sharedkey-value-hash-key";
const KEY: &str = "key";
const BYTES: usize = 32;

/// The key, and what is hashed with it.
pub(crate) struct HashKey(hmac::Key);

impl HashKey {
    /// Reads the key, and makes it where there is none.
    pub(crate) async fn load(client: Client, namespace: &str) -> anyhow::Result<Self> {
        let api: Api<Secret> = Api::namespaced(client, namespace);
        let secret = load(&api).with_subscriber(NoSubscriber::default()).await;
        let secret = secret.with_context(|| format!("reading or making Secret {NAME} in namespace {namespace}"))?;
        let bytes = secret.data.as_ref().and_then(|data| data.get(KEY)).map(|bytes| bytes.0.as_slice());
        let bytes = bytes.filter(|bytes| bytes.len() == BYTES).with_context(|| {
            format!("Secret {NAME} in namespace {namespace} has no {BYTES} bytes under {KEY:?}; restore it, or delete it to have each secret with a source get one new version")
        })?;
        Ok(Self::new(bytes))
    }

    fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// Hashes a value for one object: equal values of two objects are not seen to be equal.
    pub(crate) fn of_value(&self, uid: &str, value: &SecretValue) -> ValueFingerprint {
        let hash = self.hash([b"value".as_slice(), uid.as_bytes(), value.expose()]);
        #[expect(clippy::expect_used, reason = "a hash has 64 hexadecimal digits")]
        hash.parse().expect("a fingerprint")
    }

    /// Hashes parts to 64 hexadecimal digits, different for different parts.
    pub(crate) fn hash<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> String {
        let mut hashing = hmac::Context::with_key(&self.0);
        for part in parts {
            // With its length in front, no part can pretend to be two.
            hashing.update(&part.len().to_be_bytes());
            hashing.update(part);
        }
        HEXLOWER.encode(hashing.sign().as_ref())
    }
}

async fn load(api: &Api<Secret>) -> anyhow::Result<Secret> {
    // Whoever denies it may quote it.
    let unquoted = |error: kube::Error| anyhow!(code(&error, NAME));
    if let Some(secret) = api.get_opt(NAME).await.map_err(unquoted)? {
        return Ok(secret);
    }
    let mut bytes = vec![0; BYTES];
    SystemRandom::new().fill(&mut bytes).context("the system gives no random bytes")?;
    let secret = Secret {
        metadata: ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() },
        data: Some(BTreeMap::from([(KEY.to_owned(), ByteString(bytes))])),
        immutable: Some(true),
        ..Secret::default()
    };
    let made = match api.create(&PostParams::default(), &secret).await {
        // Another process of ours was faster.
        Err(kube::Error::Api(status)) if status.code == 409 => api.get(NAME).await,
        made => made,
    };
    made.map_err(unquoted)
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// A key that is known to all.
    pub(crate) fn key(byte: u8) -> HashKey {
        HashKey::new(&[byte; BYTES])
    }
}

#[cfg(test)]
mod tests {
    use super::testing::key;

    #[test]
    fn a_hash_depends_on_the_key_and_on_where_its_parts_end() {
        let hashes = [
            key(1).hash([b"ab".as_slice(), b"c"]),
            key(1).hash([b"a".as_slice(), b"bc"]),
            key(1).hash([b"abc".as_slice()]),
            key(2).hash([b"ab".as_slice(), b"c"]),
        ];
        assert!(hashes.iter().all(|hash| hash.len() == 64), "{hashes:?}");
        assert_eq!(std::collections::BTreeSet::from(hashes).len(), 4);
    }
}
