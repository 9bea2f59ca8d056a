use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Where the value comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// A Kubernetes Secret in the namespace of this object. The operator can read it only where a RoleBinding in that namespace
    /// grants the ClusterRole sharedkey-secrets to it.
    pub secret_ref: SourceSecretRef,
}

/// A Kubernetes Secret, or one key of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceSecretRef {
    /// Name of the Secret.
    #[schemars(schema_with = "crate::schema::object_name")]
    pub name: String,
    /// Key in the Secret's data, the value of which is taken as it is, be it text or binary. Absent: the whole Secret, as a JSON
    /// object with a member for each key; all values have to be text then. AWS takes 65,536 bytes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::secret_key")]
    pub key: Option<String>,
}
