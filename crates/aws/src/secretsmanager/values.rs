//! The values of secrets and their versions (D§5.6).

use std::collections::BTreeSet;

use aws_sdk_secretsmanager::{
    operation::{create_secret::CreateSecretError, put_secret_value::PutSecretValueError},
    primitives::Blob,
    types::SecretVersionsListEntry,
};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sharedkey_engine::problem::Reading;

use super::{
    CHANGES, CREATE_SECRET, NewSecret, SecretsManager, api, retries, sdk_tags,
    silence::{unheard, unquoted},
};
use crate::{
    class,
    limits::Bucket,
    meter::Api,
    pages::{self, Page},
    value::SecretValue,
};

/// The label of the version that is read unless another one is asked for.
pub(crate) const CURRENT: &str = "AWSCURRENT";

const PUT_SECRET_VALUE: Api = api("PutSecretValue", CHANGES);
const UPDATE_SECRET_VERSION_STAGE: Api = api("UpdateSecretVersionStage", CHANGES);
const GET_SECRET_VALUE: Api = api("GetSecretValue", Bucket::Regional("GetSecretValue", 10_000));
const LIST_SECRET_VERSION_IDS: Api = api("ListSecretVersionIds", Bucket::Regional("ListSecretVersionIds", 50));

/// A version that carries a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) labels: BTreeSet<String>,
    /// The keys that it is encrypted with, as AWS names them.
    pub(crate) keys: Vec<String>,
}

impl SecretsManager<'_> {
    /// Makes a secret, with its value under a version of this id, or without any. With a value, the same call may be made again (D§5.6).
    /// Says its ARN.
    pub(crate) async fn create(&self, new: NewSecret<'_>, value: Option<(&str, &SecretValue)>) -> Reading<String> {
        let NewSecret { name, description, key, tags } = new;
        let request = self.client.create_secret().name(name).kms_key_id(key.to_string()).set_tags(Some(sdk_tags(tags)));
        let request = request.set_description(description.map(str::to_owned));
        let request = match value {
            None => request,
            Some((version, value)) => {
                let (text, binary) = wire(value);
                request.client_request_token(version).set_secret_string(text).set_secret_binary(binary)
            }
        };
        let request = request.customize().config_override(retries::not_of_limits::<CreateSecretError>()).send();
        let answer = unquoted(self.call(CREATE_SECRET, name, unheard(request)).await)?;
        answer.arn.ok_or_else(|| self.unreadable(CREATE_SECRET, name, "the new secret has no ARN"))
    }

    /// Puts a value under a version of this id, and says what labels the version has. If there is such a version already, with this value,
    /// nothing changes.
    pub(crate) async fn put_value(
        &self,
        secret: &str,
        version: &str,
        value: &SecretValue,
    ) -> Reading<BTreeSet<String>> {
        let (text, binary) = wire(value);
        let request = self.client.put_secret_value().secret_id(secret).client_request_token(version);
        let request = request.set_secret_string(text).set_secret_binary(binary);
        let request = request.customize().config_override(retries::not_of_limits::<PutSecretValueError>()).send();
        let answer = unquoted(self.call(PUT_SECRET_VALUE, secret, unheard(request)).await)?;
        Ok(answer.version_stages.unwrap_or_default().into_iter().collect())
    }

    /// Makes a version the current one, in place of the one that is.
    pub(crate) async fn make_current(&self, secret: &str, version: &str, instead_of: Option<&str>) -> Reading<()> {
        let request = self.client.update_secret_version_stage().secret_id(secret).version_stage(CURRENT);
        let request = request.move_to_version_id(version).set_remove_from_version_id(instead_of.map(str::to_owned));
        self.call(UPDATE_SECRET_VERSION_STAGE, secret, request.send()).await.map(drop)
    }

    /// The value of a version, or of the current one, with the version's id; none if there is no such secret, or no value in it.
    pub(crate) async fn value(&self, secret: &str, version: Option<&str>) -> Reading<Option<(String, SecretValue)>> {
        let request =
            self.client.get_secret_value().secret_id(secret).set_version_id(version.map(str::to_owned)).send();
        let answer = unquoted(self.call(GET_SECRET_VALUE, secret, unheard(request)).await);
        let Some(answer) = class::or_absent(answer)? else {
            return Ok(None);
        };
        let value = match (answer.secret_string, answer.secret_binary) {
            (Some(text), _) => SecretValue::Text(SecretString::from(text)),
            (None, Some(binary)) => SecretValue::Binary(SecretSlice::from(binary.into_inner())),
            (None, None) => return Err(self.unreadable(GET_SECRET_VALUE, secret, "the version has no value")),
        };
        let id = answer.version_id;
        let id = id.ok_or_else(|| self.unreadable(GET_SECRET_VALUE, secret, "the version has no id"))?;
        Ok(Some((id, value)))
    }

    /// The versions that carry a label. The others are on their way out, and AWS never encrypts them anew (D§5.4).
    pub(crate) async fn versions(&self, secret: &str) -> Reading<Option<Vec<Version>>> {
        class::or_absent(
            pages::all(|token| async {
                let request = self.client.list_secret_version_ids().secret_id(secret).set_next_token(token).send();
                let answer = self.call(LIST_SECRET_VERSION_IDS, secret, request).await?;
                let versions = answer.versions.unwrap_or_default().into_iter().filter_map(version).collect();
                Ok(Page::new(versions, true, answer.next_token))
            })
            .await,
        )
    }
}

fn version(entry: SecretVersionsListEntry) -> Option<Version> {
    Some(Version {
        id: entry.version_id?,
        labels: entry.version_stages.unwrap_or_default().into_iter().collect(),
        keys: entry.kms_key_ids.unwrap_or_default(),
    })
}

/// The value as a request carries it: text or binary.
fn wire(value: &SecretValue) -> (Option<String>, Option<Blob>) {
    match value {
        SecretValue::Text(text) => (Some(text.expose_secret().to_owned()), None),
        SecretValue::Binary(bytes) => (None, Some(Blob::new(bytes.expose_secret()))),
    }
}
