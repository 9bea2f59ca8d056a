//! Keys, as their owner sees them.

use anyhow::{Context, Result};
use serde_json::Value;

use super::Account;

/// A KMS key that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// `arn:P:kms:REGION:ACCOUNT:key/ID`.
    pub arn: String,
    /// The last part of the ARN.
    pub id: String,
    /// Where it lives.
    pub region: String,
}

impl Account {
    /// Creates a symmetric key in the account's own region; without a policy it has the default one.
    pub async fn create_key(&self, policy: Option<&Value>) -> Result<Key> {
        self.create_key_in(self.root().region(), policy).await
    }

    /// The same in a region of the account's partition.
    pub async fn create_key_in(&self, region: &str, policy: Option<&Value>) -> Result<Key> {
        let request = self.root().in_region(region).kms().create_key().set_policy(policy.map(Value::to_string));
        let key = request.send().await?.key_metadata.context("CreateKey answered without metadata")?;
        let arn = key.arn.context("CreateKey answered without an ARN")?;
        Ok(Key { arn, id: key.key_id, region: region.to_owned() })
    }

    /// Creates an alias (`alias/NAME`) and returns its ARN.
    pub async fn create_alias(&self, alias: &str, key: &Key) -> Result<String> {
        self.root().in_region(&key.region).kms().create_alias().alias_name(alias).target_key_id(&key.id).send().await?;
        let (prefix, _) = key.arn.rsplit_once(":key/").context("the key's ARN is malformed")?;
        Ok(format!("{prefix}:{alias}"))
    }

    /// The policy that the key has.
    pub async fn key_policy(&self, key: &Key) -> Result<Value> {
        let answer = self.root().in_region(&key.region).kms().get_key_policy().key_id(&key.id).send().await?;
        Ok(serde_json::from_str(answer.policy().context("GetKeyPolicy answered without a policy")?)?)
    }

    /// Replaces the key's policy.
    pub async fn put_key_policy(&self, key: &Key, policy: &Value) -> Result<()> {
        let kms = self.root().in_region(&key.region).kms();
        kms.put_key_policy().key_id(&key.id).policy(policy.to_string()).send().await?;
        Ok(())
    }
}
