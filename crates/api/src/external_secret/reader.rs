use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::{
    limits,
    principals::{self, Delegation, PrincipalRef},
    reference::AccountRef,
};

/// One account with roles and users who read the secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = principals::one_account("a reader"),
    validation = principals::no_delegation_to_others(),
    validation = principals::of_account_id(),
    validation = principals::no_delegation_to_protected("a reader"),
)]
#[serde(rename_all = "camelCase")]
pub struct Reader {
    /// Name of the reader, unique in this object: a DNS label. It becomes part of the statement's Sid and of the policy's name in
    /// AWS, so renaming a reader replaces both.
    #[schemars(schema_with = "crate::schema::reader_name")]
    pub name: String,

    /// The AwsAccount that reads the secret. The secret's half and the reader's are managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_ref: Option<AccountRef>,

    /// Id of the account that reads the secret, in quotes, where the operator has no way into it (handoff). Only the secret's
    /// half is managed; what the other side has to attach stands in status.readers[].handoffPolicy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::account_id")]
    pub account_id: Option<String>,

    /// Roles and users that are to read the secret (secretsmanager:GetSecretValue and secretsmanager:DescribeSecret): at least
    /// one and at most 64, without duplicates.
    #[schemars(length(max = limits::PRINCIPALS_PER_CONSUMER))]
    #[x_kube(
        merge_strategy = ListMerge::Atomic,
        validation = Rule::new("self.size() > 0").message("principals of a reader must name at least one role or user"),
        validation = principals::each_once()
    )]
    pub principals: Vec<PrincipalRef>,

    /// What stands on the principals' side. InlinePolicy: a policy inside of each role and user. ManagedPolicy: one policy in
    /// their account, attached to each. None: nothing; somebody else looks after it. Default: InlinePolicy, but None for
    /// principals of the secret's own account, where the secret's policy is enough. It must be absent with accountId.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Delegation")]
    pub delegation: Option<Delegation>,
}

impl Reader {
    /// What every reader may do with the secret.
    pub const ACTIONS: [&str; 2] = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"];
}
