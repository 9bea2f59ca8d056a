//! How the operator enters the accounts of a test, with the least that the docs name.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sharedkey_harness::{
    aws::Account,
    cluster::{ServiceAccountRef, apply},
    controlplane::ISSUER,
    repo_root,
};

use crate::Home;

/// The role of the operator in every account.
pub const ROLE: &str = "sharedkey-operator";
/// What the operator proves to a role of `aws`.
pub(crate) const EXTERNAL_ID: &str = "external-id-of-the-tests";
const AUDIENCE: &str = "sts.amazonaws.com";

/// The way into an account.
#[derive(Clone, Debug)]
pub enum Login<'a> {
    /// From a user of the operator's, with an external id: within one partition.
    AssumeRole {
        /// The operator's user.
        from: &'a str,
        /// The `AwsAccount` of that user, where it is not the one that the operator runs as.
        via: Option<&'a str>,
    },
    /// By a token of the operator's ServiceAccount: into any partition.
    WebIdentity {
        /// The operator's ServiceAccount.
        operator: &'a ServiceAccountRef,
    },
}

impl Login<'_> {
    /// Creates the operator's role with a policy of `docs/iam/`, and returns the `credentials` of an `AwsAccount`.
    pub async fn open(&self, account: &Account, policies: &[&str]) -> Result<Value> {
        if let Self::WebIdentity { .. } = self {
            let iam = account.root().iam();
            let provider = iam.create_open_id_connect_provider().url(ISSUER).client_id_list(AUDIENCE);
            provider.thumbprint_list("0".repeat(40)).send().await?;
        }
        let role = account.create_role_trusting("/", ROLE, &self.trust(account)).await?;
        for policy in policies {
            account.put_role_policy(ROLE, policy, &documented(policy, account)?).await?;
        }
        Ok(match self {
            Self::AssumeRole { via, .. } => {
                let mut credentials = json!({"assumeRole": {
                    "roleArn": role, "externalIdSecretRef": {"name": "external-id", "key": "value"},
                }});
                if let Some(via) = via {
                    credentials["assumeRole"]["via"] = json!({"name": via});
                }
                credentials
            }
            Self::WebIdentity { .. } => json!({"webIdentity": {"roleArn": role, "audience": AUDIENCE}}),
        })
    }

    fn trust(&self, account: &Account) -> Value {
        match self {
            Self::AssumeRole { from, .. } => trusting(from, EXTERNAL_ID),
            Self::WebIdentity { operator } => {
                let issuer = ISSUER.trim_start_matches("https://");
                let subject = format!("system:serviceaccount:{}:{}", operator.namespace, operator.name);
                document(&json!({
                    "Effect": "Allow", "Principal": {"Federated": account.arn(&format!("oidc-provider/{issuer}"))},
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": {"StringEquals": {format!("{issuer}:sub"): subject, format!("{issuer}:aud"): AUDIENCE}},
                }))
            }
        }
    }
}

/// Creates a user that may assume roles, and a Secret with its access keys. Returns its ARN and the `credentials` of an `AwsAccount`.
pub(crate) async fn keys(home: &Home, account: &Account) -> Result<(String, Value)> {
    let user = assuming_user(account).await?;
    let identity = account.as_user(ROLE).await?;
    let keys = identity.credentials();
    let name = format!("keys-{}", account.id());
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
        "stringData": {"accessKeyId": keys.access_key_id, "secretAccessKey": keys.secret_access_key},
    });
    let world = home.world;
    apply(&world.control_plane.client().await?, &world.operator_account.namespace, &secret.to_string()).await?;
    Ok((user, json!({"secretRef": {"name": name}})))
}

/// Creates a user of the operator's that may do nothing but assume roles.
pub(crate) async fn assuming_user(account: &Account) -> Result<String> {
    let user = account.create_user("/", ROLE).await?;
    let assume = document(&json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}));
    account.put_user_policy(ROLE, "assume-roles", &assume).await?;
    Ok(user)
}

/// The trust policy of a role that lets somebody in who knows an external id.
pub(crate) fn trusting(who: &str, external_id: &str) -> Value {
    document(&json!({
        "Effect": "Allow", "Principal": {"AWS": who}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }))
}

/// The trust policy of a role that lets nobody in.
pub(crate) fn nobody() -> Value {
    document(&json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}))
}

fn document(statement: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

/// A policy of `docs/iam/`, for an account.
pub(crate) fn documented(name: &str, account: &Account) -> Result<Value> {
    let path = repo_root().join(format!("docs/iam/{name}.json"));
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(serde_json::from_str(&text.replace("PARTITION", account.partition()).replace("ACCOUNT", account.id()))?)
}
