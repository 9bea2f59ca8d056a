use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::SecretDeletionPolicy;

/// Keys without which Kubernetes refuses a Secret of these types, as an expression over `self.type` and what is mapped. Where
/// nothing is mapped, only the value can tell.
fn has_the_keys_of_its_type() -> String {
    let required = [
        ("kubernetes.io/tls", "tls.crt"),
        ("kubernetes.io/tls", "tls.key"),
        ("kubernetes.io/ssh-auth", "ssh-privatekey"),
        ("kubernetes.io/dockerconfigjson", ".dockerconfigjson"),
        ("kubernetes.io/dockercfg", ".dockercfg"),
    ]
    .map(|(type_, key)| format!("['{type_}', '{key}']"))
    .join(", ");
    format!(
        "!has(self.type) || !(has(self.key) || has(self.keys)) || [{required}].all(required, self.type != required[0] || \
         (has(self.key) ? self.key == required[1] : self.keys.exists(member, self.keys[member] == required[1])))"
    )
}

/// A Kubernetes Secret to which the value is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!has(self.key) || !has(self.keys)")
        .message("target must not have both key and keys: key takes the whole value, keys takes members of a JSON object"),
    validation = Rule::new(has_the_keys_of_its_type())
        .message("target.key or target.keys must fill the keys that Kubernetes requires of the type: tls.crt and tls.key, ssh-privatekey, .dockerconfigjson or .dockercfg"),
)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Name of the Secret, in the namespace of this object. The operator makes it and owns it; one that it did not make is left
    /// alone (TargetNotOwned). It can write it only where a RoleBinding in that namespace grants the ClusterRole
    /// sharedkey-secrets to it.
    #[schemars(schema_with = "crate::schema::object_name")]
    pub name: String,

    /// Type of the Secret, as Kubernetes knows it, like kubernetes.io/tls. Another type makes the Secret anew.
    #[serde(rename = "type", default = "opaque")]
    #[schemars(schema_with = "crate::schema::secret_type")]
    pub type_: String,

    /// Key of the Secret that receives the whole value, as it is, be it text or binary. Default, where keys is absent too: the
    /// value is a JSON object, and each of its members becomes a key, as source without a key writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::secret_key")]
    pub key: Option<String>,

    /// Members of the value, which is a JSON object then, and the key of the Secret that each becomes: password: db-password.
    /// Other members are left out. Text is written as it is, anything else as JSON. At most 64.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::schema::target_keys")]
    pub keys: BTreeMap<String, String>,

    /// What happens to the Secret when this object is deleted, or names another one. Delete: it goes. Retain: it stays as it is.
    #[serde(default = "goes_with_the_object")]
    pub deletion_policy: SecretDeletionPolicy,
}

fn opaque() -> String {
    "Opaque".to_owned()
}

/// A copy of a value is no longer needed where nothing refreshes it.
fn goes_with_the_object() -> SecretDeletionPolicy {
    SecretDeletionPolicy::Delete
}
