use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What some namespaces may do with an account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("(has(self.keys) && self.keys.size() > 0) || (has(self.secrets) && self.secrets.size() > 0) || (has(self.principals) && self.principals.size() > 0)")
    .message("an allow rule must name keys, secrets or principals: it allows nothing without"))]
#[serde(rename_all = "camelCase")]
pub struct AllowRule {
    /// The namespaces that the rule is for.
    pub namespaces: NamespaceRule,
    /// Keys that the namespaces may share, have their principals use or encrypt secrets with: patterns over the key's ARN, or over its alias where
    /// an object names the key by alias. * stands for any text and ? for one character. Examples:
    /// arn:aws:kms:*:111122223333:key/*, alias/orders/*, or * for every key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::key_patterns")]
    pub keys: Vec<String>,
    /// Secrets of this account that the namespaces may make, change and delete: patterns over the name in Secrets Manager. * stands
    /// for any text, / included, and ? for one character. Examples: orders/*, or * for every secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::secret_patterns")]
    pub secrets: Vec<String>,
    /// Principals of this account to whom the namespaces may give access: patterns over role/path/Name, user/path/Name, and
    /// root for the whole account (trust: Account). * stands for any text, / included, and ? for one character. Examples:
    /// role/apps/*, user/ExampleUser, or * for all, root included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::principal_patterns")]
    pub principals: Vec<String>,
}

/// Namespaces, by name or by label.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.selector) || (has(self.names) && self.names.size() > 0)")
    .message("namespaces must have names or selector; selector: {} covers every namespace"))]
#[serde(rename_all = "camelCase")]
pub struct NamespaceRule {
    /// Namespaces by name. A namespace is covered if it is named here or selected by selector.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::namespaces")]
    pub names: Vec<String>,
    /// Namespaces by their labels. An empty selector ({}) covers every namespace. Whoever may label namespaces decides, so
    /// prefer labels that tenants cannot set, like kubernetes.io/metadata.name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::label_selector")]
    pub selector: Option<LabelSelector>,
}

/// Guardrails for what an account owns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sharing {
    /// Accounts with which keys and secrets may be shared: ids in quotes. Absent: the accounts that have an AwsAccount which allows the
    /// namespace. A consumer with a bare accountId must be listed in any case. Empty: none but the account itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::account_ids")]
    pub trusted_accounts: Option<Vec<String>>,
    /// Actions that may be given: kms:Name, kms:Prefix* or kms:*. Absent: all that a SharedKey can ask for.
    /// awsServiceGrants asks for kms:CreateGrant, kms:ListGrants and kms:RevokeGrant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::allowed_actions")]
    pub allowed_actions: Option<Vec<String>>,
    /// Whether a consumer may be a whole account (trust: Account), the administrators of which then choose who uses the key.
    #[serde(default)]
    pub allow_account_scope: bool,
}
