//! The strict AWS's own controls, which no AWS call can reach.

use anyhow::Result;
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Account, Credentials, Identity, StrictAws, account::first_region};
use crate::http as wire;

impl StrictAws {
    /// Creates the account `id` in a partition.
    pub async fn account_with_id(&self, id: &str, partition: &str) -> Result<Account> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            access_key_id: String,
            secret_access_key: String,
        }
        let body = json!({"id": id, "partition": partition});
        let answer: Answer = wire::json(Method::POST, &self.control("accounts"), Some(&body)).await?;
        let credentials = Credentials {
            access_key_id: answer.access_key_id,
            secret_access_key: answer.secret_access_key,
            session_token: None,
        };
        let region = first_region(partition).to_owned();
        let root = Identity { endpoint: self.url().to_owned(), region, credentials };
        Ok(Account::new(id.to_owned(), partition, root))
    }

    fn control(&self, path: &str) -> String {
        format!("{}/_strict/{path}", self.url())
    }
}
