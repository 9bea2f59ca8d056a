use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names an `AwsAccount`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountRef {
    /// Name of an AwsAccount (awsaccounts.sharedkey.dev). It is cluster-scoped; an administrator of the cluster writes it and
    /// allows namespaces to use it.
    #[schemars(schema_with = "crate::schema::object_name")]
    pub name: String,
}

/// Names a `SharedKey`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SharedKeyRef {
    /// Name of a SharedKey in the namespace of this object.
    #[schemars(schema_with = "crate::schema::object_name")]
    pub name: String,
}
