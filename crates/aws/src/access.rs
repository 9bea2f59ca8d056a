//! How an AWS account is reached, as the operator read it from an `AwsAccount` and the Secrets that it names.

use futures::future::BoxFuture;
use secrecy::SecretString;
use sharedkey_policy::{AccountId, Partition, Region};

use crate::secret;

/// The way into one AWS account.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// The account. A session that turns out to belong to another one is never used.
    pub account_id: AccountId,
    /// The account's partition: the same digits in another partition are another account (D§7).
    pub partition: Partition,
    /// Where STS is asked. Where the admin states none, the partition's IAM Region.
    pub default_region: Region,
    /// Whose credentials are used.
    pub method: Method,
    /// Endpoints other than AWS' own.
    pub endpoints: Endpoints,
}

/// Whose credentials are used.
#[derive(Clone, Debug)]
pub enum Method {
    /// The operator's own: IRSA, Pod Identity, environment.
    Ambient,
    /// A role that is assumed by the operator's own identity, or by that of another `AwsAccount`.
    AssumeRole {
        /// The role.
        role_arn: String,
        /// What the role's trust policy asks for (`sts:ExternalId`).
        external_id: Option<SecretString>,
        /// Stable, so that `CloudTrail` shows which calls were ours (D§6.4).
        session_name: String,
        /// The `AwsAccount` whose session assumes the role.
        via: Option<String>,
    },
    /// A role that trusts tokens of the operator's `ServiceAccount`: the way into another partition (D§6.4).
    WebIdentity {
        /// The role.
        role_arn: String,
        /// The token's audience.
        audience: String,
    },
    /// Long-lived keys, or a session that somebody else keeps fresh.
    Static {
        /// The access key's id.
        access_key_id: String,
        /// The access key.
        secret_access_key: SecretString,
        /// The token of a session.
        session_token: Option<SecretString>,
    },
}

/// Endpoints other than AWS' own, one for each service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// KMS.
    pub kms: Option<String>,
    /// IAM.
    pub iam: Option<String>,
    /// STS.
    pub sts: Option<String>,
    /// Secrets Manager. It is sent the values of secrets.
    pub secrets_manager: Option<String>,
}

/// Where tokens of the operator's own `ServiceAccount` come from.
pub trait TokenSource: Send + Sync {
    /// A fresh token for the audience.
    fn token<'a>(&'a self, audience: &'a str) -> BoxFuture<'a, Result<SecretString, TokenError>>;
}

/// Why there is no token.
pub type TokenError = Box<dyn std::error::Error + Send + Sync>;

impl Access {
    /// The `AwsAccount` that comes before this one.
    pub(crate) fn via(&self) -> Option<&str> {
        match &self.method {
            Method::AssumeRole { via, .. } => via.as_deref(),
            _ => None,
        }
    }
}

impl PartialEq for Method {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ambient, Self::Ambient) => true,
            (
                Self::AssumeRole { role_arn, external_id, session_name, via },
                Self::AssumeRole { role_arn: role, external_id: id, session_name: session, via: before },
            ) => {
                (role_arn, session_name, via) == (role, session, before)
                    && secret::same(external_id.as_ref(), id.as_ref())
            }
            (Self::WebIdentity { role_arn, audience }, Self::WebIdentity { role_arn: role, audience: for_whom }) => {
                (role_arn, audience) == (role, for_whom)
            }
            (
                Self::Static { access_key_id, secret_access_key, session_token },
                Self::Static { access_key_id: id, secret_access_key: key, session_token: token },
            ) => {
                access_key_id == id
                    && secret::same(Some(secret_access_key), Some(key))
                    && secret::same(session_token.as_ref(), token.as_ref())
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_external_id(id: &str) -> Method {
        Method::AssumeRole {
            role_arn: "arn:aws:iam::111122223333:role/sharedkey".into(),
            external_id: Some(id.into()),
            session_name: "sharedkey-operator".into(),
            via: None,
        }
    }

    #[test]
    fn an_access_differs_when_only_a_secret_does() {
        assert_eq!(with_external_id("one"), with_external_id("one"));
        assert_ne!(with_external_id("one"), with_external_id("two"));
        assert_ne!(with_external_id("one"), Method::Ambient);
    }

    #[test]
    fn debug_shows_no_secret() {
        assert!(!format!("{:?}", with_external_id("hunter2")).contains("hunter2"));
    }
}
