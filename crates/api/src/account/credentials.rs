use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::{cel::exactly_one_of, reference::AccountRef, schema};

/// How the operator logs in to an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new(exactly_one_of(&["ambient", "assumeRole", "webIdentity", "secretRef"]))
    .message("credentials must have exactly one of ambient, assumeRole, webIdentity and secretRef"))]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// The operator's own identity, as its environment gives it: IRSA, EKS Pod Identity or variables. Write ambient: {}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ambient: Option<Ambient>,
    /// A role of the account, assumed by the operator's own identity or by another AwsAccount's. Sessions last one hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assume_role: Option<AssumeRole>,
    /// A role of the account, assumed with a token of the operator's ServiceAccount. The way into another partition, for no
    /// identity of AWS spans two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_identity: Option<WebIdentity>,
    /// Static keys in a Secret of the operator's namespace. Prefer any other way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalSecretRef>,
}

/// The operator's own identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ambient {}

/// A role to assume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssumeRole {
    /// ARN of the role, in the account that this object is about.
    #[schemars(schema_with = "crate::schema::role_arn")]
    pub role_arn: String,
    /// Where the external id stands that the role's trust policy asks for: a key of a Secret in the operator's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id_secret_ref: Option<SecretKeyRef>,
    /// Name of the session, as CloudTrail shows it: 2 to 64 characters. Default: sharedkey-operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::session_name")]
    pub session_name: Option<String>,
    /// Another AwsAccount, whose identity assumes the role. Default: the operator's own identity does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<AccountRef>,
}

/// A role to assume with a token of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebIdentity {
    /// ARN of the role, in the account that this object is about. Its trust policy names the cluster's OIDC provider.
    #[schemars(schema_with = "crate::schema::role_arn")]
    pub role_arn: String,
    /// Audience of the token.
    #[serde(default = "schema::audience")]
    #[schemars(length(min = 1, max = 256))]
    pub audience: String,
}

/// A Secret in the operator's namespace with the keys accessKeyId, secretAccessKey and, for temporary ones, sessionToken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalSecretRef {
    /// Name of the Secret, in the operator's namespace. Its keys: accessKeyId, secretAccessKey and, where they are temporary,
    /// sessionToken.
    #[schemars(schema_with = "crate::schema::object_name")]
    pub name: String,
}

/// One key of a Secret in the operator's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret, in the operator's namespace.
    #[schemars(schema_with = "crate::schema::object_name")]
    pub name: String,
    /// Key in the Secret's data.
    #[schemars(schema_with = "crate::schema::secret_key")]
    pub key: String,
}
