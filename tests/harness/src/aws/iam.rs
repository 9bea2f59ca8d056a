//! Roles, users and policies, written by the account's own administrators.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{Account, Credentials, Identity};
use crate::{cluster::ServiceAccountRef, controlplane::ISSUER};

/// The user through whom roles are entered: AWS lets no root user assume a role.
const DOORMAN: &str = "harness-doorman";

impl Account {
    /// A trust policy for whoever this account lets assume the role.
    pub fn trust_policy(&self) -> Value {
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": self.root_arn()}, "Action": "sts:AssumeRole"},
        ]})
    }

    /// Creates a role that this account's users may assume, and returns its ARN. `path` is `/` or `/a/b/`.
    pub async fn create_role(&self, path: &str, name: &str) -> Result<String> {
        self.create_role_trusting(path, name, &self.trust_policy()).await
    }

    /// Creates a role with a trust policy of its own, and returns its ARN.
    pub async fn create_role_trusting(&self, path: &str, name: &str, trust: &Value) -> Result<String> {
        let request = self.root().iam().create_role().path(path).role_name(name);
        let answer = request.assume_role_policy_document(trust.to_string()).send().await?;
        Ok(answer.role.context("CreateRole answered without a role")?.arn)
    }

    /// Creates a role that a ServiceAccount of the control plane may enter with a token for `audience`, and returns its ARN.
    /// The account trusts the control plane's token issuer from then on.
    pub async fn create_role_for(&self, name: &str, account: &ServiceAccountRef, audience: &str) -> Result<String> {
        let issuer = ISSUER.trim_start_matches("https://");
        let provider = self.arn(&format!("oidc-provider/{issuer}"));
        let request = self.root().iam().create_open_id_connect_provider().url(ISSUER).client_id_list(audience);
        if let Err(error) = request.thumbprint_list("0".repeat(40)).send().await.map_err(aws_sdk_iam::Error::from)
            && !matches!(error, aws_sdk_iam::Error::EntityAlreadyExistsException(_))
        {
            return Err(error.into());
        }
        let conditions = json!({
            format!("{issuer}:sub"): format!("system:serviceaccount:{}:{}", account.namespace, account.name),
            format!("{issuer}:aud"): audience,
        });
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": conditions},
        }]});
        self.create_role_trusting("/", name, &trust).await
    }

    /// Creates a user and returns its ARN.
    pub async fn create_user(&self, path: &str, name: &str) -> Result<String> {
        let answer = self.root().iam().create_user().path(path).user_name(name).send().await?;
        Ok(answer.user.context("CreateUser answered without a user")?.arn)
    }

    /// Attaches an inline policy to a role.
    pub async fn put_role_policy(&self, role: &str, policy: &str, document: &Value) -> Result<()> {
        let request = self.root().iam().put_role_policy().role_name(role).policy_name(policy);
        request.policy_document(document.to_string()).send().await?;
        Ok(())
    }

    /// Attaches an inline policy to a user.
    pub async fn put_user_policy(&self, user: &str, policy: &str, document: &Value) -> Result<()> {
        let request = self.root().iam().put_user_policy().user_name(user).policy_name(policy);
        request.policy_document(document.to_string()).send().await?;
        Ok(())
    }

    /// Creates a managed policy and returns its ARN.
    pub async fn create_policy(&self, name: &str, document: &Value) -> Result<String> {
        let request = self.root().iam().create_policy().policy_name(name);
        let answer = request.policy_document(document.to_string()).send().await?;
        answer.policy.and_then(|policy| policy.arn).context("CreatePolicy answered without an ARN")
    }

    /// Attaches a managed policy to a role.
    pub async fn attach_role_policy(&self, role: &str, policy_arn: &str) -> Result<()> {
        self.root().iam().attach_role_policy().role_name(role).policy_arn(policy_arn).send().await?;
        Ok(())
    }

    /// Attaches a managed policy to a user.
    pub async fn attach_user_policy(&self, user: &str, policy_arn: &str) -> Result<()> {
        self.root().iam().attach_user_policy().user_name(user).policy_arn(policy_arn).send().await?;
        Ok(())
    }

    /// A new access key of a user: the user's own identity.
    pub async fn as_user(&self, user: &str) -> Result<Identity> {
        let answer = self.root().iam().create_access_key().user_name(user).send().await?;
        let key = answer.access_key.context("CreateAccessKey answered without a key")?;
        let credentials = Credentials {
            access_key_id: key.access_key_id,
            secret_access_key: key.secret_access_key,
            session_token: None,
        };
        Ok(Identity { credentials, ..self.root().clone() })
    }

    /// A new session of a role that trusts this account. `role` is an ARN.
    pub async fn as_role(&self, role: &str) -> Result<Identity> {
        self.doorman().await?.assume_role(role, None).await
    }

    /// Somebody of this account who may assume any role that trusts it.
    async fn doorman(&self) -> Result<Identity> {
        let doorman = self.doorman.get_or_try_init(async || {
            self.create_user("/", DOORMAN).await?;
            let policy = json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"},
            ]});
            self.put_user_policy(DOORMAN, "assume", &policy).await?;
            self.as_user(DOORMAN).await
        });
        Ok(doorman.await?.clone())
    }
}
