//! The policy that two write: that of a key or that of a secret.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sharedkey_e2e::{foreign, key_document, own_sid};
use sharedkey_engine::{
    names::{Names, ObjectName, OwnerId},
    plan::Action,
};
use sharedkey_harness::aws::{Account, Key, KmsClient, SecretsManagerClient};
use sharedkey_policy::{Edit, PolicyDocument};

const OWNER_ID: &str = "races";
const OBJECT: [&str; 2] = ["team", "orders"];
const CONSUMER: &str = "partner";

/// Whose policy it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Key,
    Secret,
}

impl Kind {
    /// Of what one write undoes, the share that the operator tells at least, in percent. In `docs/races.md` it is 55 for keys. Whoever
    /// writes the policy of a secret is faster there, and what he writes next hides nearly all that ours undid: nothing can be promised.
    pub(crate) fn told(self) -> usize {
        match self {
            Self::Key => 35,
            Self::Secret => 0,
        }
    }
}

/// A policy with statements that nobody changes.
pub(crate) struct Policy {
    pub(crate) account: Account,
    of: Of,
    pub(crate) sid: String,
}

/// With its administrators' client, the connections of which are open.
enum Of {
    Key(Key, KmsClient),
    Secret(String, SecretsManagerClient),
}

impl Policy {
    pub(crate) async fn new(account: Account, kind: Kind) -> Result<Self> {
        let [namespace, name] = OBJECT;
        Ok(match kind {
            Kind::Key => {
                let key = account.create_key(Some(&key_document(&account))).await?;
                let of = Of::Key(key, account.root().kms());
                Self { account, of, sid: own_sid(OWNER_ID, namespace, name, CONSUMER) }
            }
            Kind::Secret => {
                let client = account.root().secrets_manager();
                let made = client.create_secret().name("orders").secret_string("theirs");
                let arn = made.send().await?.arn.context("CreateSecret answered without an ARN")?;
                let object = ObjectName { namespace: namespace.to_owned(), name: name.to_owned() };
                let sid = Names::of_secret(OWNER_ID.parse()?, object).secret_sid(CONSUMER).to_string();
                let policy = Self { account, of: Of::Secret(arn, client), sid };
                let auditors = statement("Auditors", &policy.account, "secretsmanager:ListSecretVersionIds");
                policy.put(&json!({"Version": "2012-10-17", "Statement": [auditors]})).await?;
                policy
            }
        })
    }

    /// What may be done in it.
    pub(crate) fn actions(&self) -> [&'static str; 2] {
        match &self.of {
            Of::Key(..) => ["kms:Decrypt", "kms:Encrypt"],
            Of::Secret(..) => ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
        }
    }

    /// As the account's administrators read it.
    pub(crate) async fn read(&self) -> Result<Value> {
        let text = match &self.of {
            Of::Key(key, client) => client.get_key_policy().key_id(&key.id).send().await?.policy,
            Of::Secret(arn, client) => client.get_resource_policy().secret_id(arn).send().await?.resource_policy,
        };
        Ok(serde_json::from_str(&text.context("a policy")?)?)
    }

    /// As they write it.
    pub(crate) async fn put(&self, document: &Value) -> Result<()> {
        let text = document.to_string();
        match &self.of {
            Of::Key(key, client) => {
                client.put_key_policy().key_id(&key.id).policy(text).send().await?;
            }
            Of::Secret(arn, client) => {
                client.put_resource_policy().secret_id(arn).resource_policy(text).send().await?;
            }
        }
        Ok(())
    }

    /// As the operator writes it: one statement, which lets an account do something.
    pub(crate) fn action(&self, account: &Account, action: &str) -> Result<Action> {
        let statement = statement(&self.sid, account, action);
        let document = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        let edit = Edit { put: PolicyDocument::parse(&document)?.statements().to_vec(), remove: [].into() };
        let (owner, unique_ids) = (OWNER_ID.parse::<OwnerId>()?, BTreeMap::new());
        Ok(match &self.of {
            Of::Key(key, _) => Action::PutKeyPolicy { key: key.arn.parse()?, owner, edit, unique_ids, prune: false },
            Of::Secret(arn, _) => Action::PutResourcePolicy { secret: arn.parse()?, owner, edit, unique_ids },
        })
    }

    /// The statements that neither of the two writes.
    pub(crate) async fn untouched(&self) -> Result<Vec<String>> {
        let mut statements = foreign(&self.read().await?);
        statements.retain(|statement| !statement.contains("\"Foreign0") && !statement.contains(&self.sid));
        Ok(statements)
    }
}

/// A statement that lets an account do something.
pub(crate) fn statement(sid: &str, account: &Account, action: &str) -> Value {
    json!({
        "Sid": sid, "Effect": "Allow", "Principal": {"AWS": account.root_arn()}, "Action": action, "Resource": "*",
    })
}
