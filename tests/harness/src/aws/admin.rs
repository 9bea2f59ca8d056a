//! The strict AWS's own controls, which no AWS call can reach: what there is, and how it behaves.
//!
//! `tests/aws/strict_aws/admin.py` is the other end. Everything but [`StrictAws::set_options`] concerns one account or what
//! is in it, so tests that share the server do not disturb each other.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use http::Method;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Account, Credentials, Identity, Key, StrictAws, account::first_region};
use crate::http as wire;

/// Settings of the whole server. What is `None` stays as it is.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Options {
    /// Items in a page of IAM's lists, however many were asked for (D§4.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_size: Option<u32>,
    /// How long a new role or user stays invisible to PutKeyPolicy (D§1.5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal_lag_ms: Option<u32>,
}

impl StrictAws {
    /// Creates the account `id` in a partition.
    pub async fn account_with_id(&self, id: &str, partition: &str) -> Result<Account> {
        self.create_account(id, partition, None).await
    }

    /// A new account that belongs to an organization (`o-…`), see [`StrictAws::account`].
    pub async fn account_in_organization(&self, partition: &str, organization: &str) -> Result<Account> {
        self.create_account(&self.next_account_id(), partition, Some(organization)).await
    }

    async fn create_account(&self, id: &str, partition: &str, organization: Option<&str>) -> Result<Account> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            access_key_id: String,
            secret_access_key: String,
        }
        let body = json!({"id": id, "partition": partition, "org": organization});
        let answer: Answer = self.control(Method::POST, "accounts", &body).await?;
        let credentials = Credentials {
            access_key_id: answer.access_key_id,
            secret_access_key: answer.secret_access_key,
            session_token: None,
        };
        let region = first_region(partition).to_owned();
        let root = Identity { endpoint: self.url().to_owned(), region, credentials };
        Ok(Account::new(id.to_owned(), partition, root))
    }

    /// Hands in the keys of a web identity issuer, as IAM would fetch them from it. An account trusts the issuer only
    /// where an OIDC provider for it was created there.
    pub async fn register_issuer(&self, issuer: &str, key_set: &Value) -> Result<()> {
        self.set("oidc", &json!({"issuer": issuer, "jwks": key_set})).await
    }

    /// Creates a role as AWS itself does, under a path that nobody else may write to (D§4.4), and returns its ARN.
    pub async fn protected_role(&self, account: &Account, path: &str, name: &str) -> Result<String> {
        let body = json!({"account": account.id(), "partition": account.partition(), "path": path, "name": name});
        let answer: Value = self.control(Method::POST, "roles/protected", &body).await?;
        Ok(answer["arn"].as_str().context("the role has no ARN")?.to_owned())
    }

    /// Puts a key into a state that no call of its owner leads to, such as `Unavailable` (D§1.6).
    pub async fn set_key_state(&self, key: &Key, state: &str) -> Result<()> {
        self.set("keys/state", &json!({"arn": key.arn, "state": state})).await
    }

    /// Gives a key that was just made the id that it had in another world, for what was recorded there.
    pub async fn set_key_id(&self, key: &Key, id: &str) -> Result<Key> {
        let answer: Value = self.control(Method::POST, "keys/id", &json!({"arn": key.arn, "id": id})).await?;
        let arn = answer["arn"].as_str().context("the key has no ARN")?.to_owned();
        Ok(Key { arn, id: id.to_owned(), region: key.region.clone() })
    }

    /// Lets an AWS service own a secret, or no longer.
    pub async fn set_secret_owner(&self, arn: &str, service: Option<&str>) -> Result<()> {
        self.set("secrets/owner", &json!({"arn": arn, "service": service})).await
    }

    /// Lets all sessions of an account's roles expire now.
    pub async fn expire_sessions(&self, account: &Account) -> Result<()> {
        self.set("sessions/expire", &json!({"account": account.id()})).await
    }

    /// Sets quotas of an account, by the names of `GetAccountSummary` (D§4.1).
    pub async fn set_quotas(&self, account: &Account, quotas: &BTreeMap<String, u32>) -> Result<()> {
        let body = json!({"account": account.id(), "partition": account.partition(), "quotas": quotas});
        self.set("quotas", &body).await
    }

    /// Lets reads of the account's key policies and IAM see the past (D§1.5); `flapping`: now the past, now the present.
    pub async fn set_lag(&self, account: &Account, lag: Duration, flapping: bool) -> Result<()> {
        self.set("lag", &json!({"account": account.id(), "ms": lag.as_millis(), "flapping": flapping})).await
    }

    /// Applies AWS's request quotas (D§6.1) to the calls of an account's principals, or no longer.
    pub async fn set_throttling(&self, account: &Account, enabled: bool) -> Result<()> {
        self.set("throttling", &json!({"account": account.id(), "enabled": enabled})).await
    }

    /// Changes settings of the whole server: for tests that have one of their own.
    pub async fn set_options(&self, options: &Options) -> Result<()> {
        self.set("options", options).await
    }

    /// A setting, whose answer says nothing.
    async fn set(&self, path: &str, body: &impl Serialize) -> Result<()> {
        let _: Value = self.control(Method::POST, path, body).await?;
        Ok(())
    }

    pub(super) async fn control<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        wire::json(method, &format!("{}/_strict/{path}", self.url()), body).await
    }
}
