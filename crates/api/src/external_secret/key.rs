use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::{
    cel::{exactly_one_of, key_of_region},
    reference::SharedKeyRef,
};

/// The key that encrypts a secret or a replica.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new(exactly_one_of(&["sharedKeyRef", "kmsKeyArn"]))
    .message("exactly one of sharedKeyRef and kmsKeyArn must say which key encrypts the secret"))]
#[serde(rename_all = "camelCase")]
pub struct EncryptionKey {
    /// The SharedKey whose key encrypts the secret or, in replicas, its copy. The operator's own role in the secret's account has
    /// to be a consumer of it (access: EncryptDecrypt), because Secrets Manager uses the key in the name of its caller. Exactly
    /// one of sharedKeyRef and kmsKeyArn must be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_key_ref: Option<SharedKeyRef>,
    /// ARN of the key that does, where no SharedKey of this namespace is about it:
    /// arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab. An id or alias is refused. Its policy has to
    /// let the operator's own role in the secret's account use it, and nobody looks after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::kms_key_arn")]
    pub kms_key_arn: Option<String>,
}

/// One Region to which the secret is copied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new(key_of_region("self.kmsKeyArn"))
    .message("replicas[].kmsKeyArn must be a key of the replica's own region, in the partition of that region"))]
#[serde(rename_all = "camelCase")]
pub struct Replica {
    /// Region of the copy, in the partition of the secret.
    #[schemars(schema_with = "crate::schema::region")]
    pub region: String,
    /// The key that encrypts the copy, in the Region of the copy.
    #[serde(flatten)]
    pub key: EncryptionKey,
}
