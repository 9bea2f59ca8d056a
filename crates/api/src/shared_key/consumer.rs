use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    limits,
    principals::{self, Delegation, PrincipalRef},
    reference::AccountRef,
};

/// One account that uses the key, with who in it may do what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = principals::one_account("a consumer"),
    validation = principals::no_delegation_to_others(),
    validation = Rule::new("(has(self.trust) && self.trust == 'Account') || (has(self.principals) && self.principals.size() > 0)")
        .message("principals must name at least one role or user, unless trust is Account"),
    validation = principals::of_account_id(),
    validation = principals::no_delegation_to_protected("a consumer"),
)]
#[serde(rename_all = "camelCase")]
pub struct Consumer {
    /// Name of the consumer, unique in this object: a DNS label. It becomes part of the statement's Sid and of the policy's
    /// name in AWS, so renaming a consumer replaces both.
    #[schemars(schema_with = "crate::schema::consumer_name")]
    pub name: String,

    /// The AwsAccount that uses the key. Both halves are managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_ref: Option<AccountRef>,

    /// Id of the account that uses the key, in quotes, where the operator has no way into it (handoff). Only the key's half is
    /// managed; what the other side has to attach stands in status.consumers[].handoffPolicy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::account_id")]
    pub account_id: Option<String>,

    /// Whom the key policy names. Principals: each role and user of principals. Account: the whole account, whose
    /// administrators then choose who uses the key; the owner's AwsAccount must permit it (sharing.allowAccountScope).
    #[serde(default)]
    pub trust: Trust,

    /// Roles and users that are to use the key: at most 64, without duplicates. With trust: Account they only receive the
    /// delegation, and may be absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::PRINCIPALS_PER_CONSUMER))]
    #[x_kube(merge_strategy = ListMerge::Atomic, validation = principals::each_once())]
    pub principals: Vec<PrincipalRef>,

    /// What the principals may do. EncryptDecrypt: kms:Encrypt, kms:Decrypt, kms:ReEncrypt*, kms:GenerateDataKey* and
    /// kms:DescribeKey. Decrypt: kms:Decrypt and kms:DescribeKey. Encrypt: kms:Encrypt, kms:GenerateDataKey* and
    /// kms:DescribeKey. Default, where actions is absent too: EncryptDecrypt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Access")]
    pub access: Option<Access>,

    /// Actions by name, added to those of access: kms:Name, or kms:Prefix* with one wildcard at its end. Administrative
    /// actions and kms:CreateGrant are refused. Without access, exactly these are given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::actions")]
    pub actions: Vec<String>,

    /// Conditions under which the key policy lets the principals use the key. All have to hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<ConsumerConditions>,

    /// true: AWS services may take grants on behalf of the principals (kms:CreateGrant, kms:ListGrants and kms:RevokeGrant with
    /// kms:GrantIsForAWSResource), as EBS, RDS, Redshift and ECR need.
    #[serde(default)]
    pub aws_service_grants: bool,

    /// What stands on the principals' side. InlinePolicy: a policy inside of each role and user. ManagedPolicy: one policy in
    /// their account, attached to each. None: nothing; somebody else looks after it. Default: InlinePolicy, but None for
    /// principals of the key's own account, where the key's policy is enough. It must be absent with accountId.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Delegation")]
    pub delegation: Option<Delegation>,
}

/// Whom the key policy names.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::Display,
    strum::AsRefStr,
    strum::EnumIter,
)]
pub enum Trust {
    /// Each role and user.
    #[default]
    Principals,
    /// The whole account.
    Account,
}

/// Presets of actions for symmetric keys.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::Display,
    strum::AsRefStr,
    strum::EnumIter,
)]
pub enum Access {
    /// Every use of the key.
    EncryptDecrypt,
    /// Reading.
    Decrypt,
    /// Writing.
    Encrypt,
}

impl Access {
    /// The preset's actions, as KMS' own console gives them to users of a key (D§2.3).
    pub fn actions(self) -> &'static [&'static str] {
        match self {
            Self::EncryptDecrypt => {
                &["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
            }
            Self::Decrypt => &["kms:Decrypt", "kms:DescribeKey"],
            Self::Encrypt => &["kms:Encrypt", "kms:GenerateDataKey*", "kms:DescribeKey"],
        }
    }
}

/// Conditions of a consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerConditions {
    /// AWS services through which alone the key may be used (kms:ViaService): short names, like secretsmanager or s3. The
    /// operator adds Region and suffix. It excludes direct use of the key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::via_services")]
    pub via_services: Vec<String>,
    /// Pairs that a request's encryption context has to have (kms:EncryptionContext:key): at most 8, Latin-1 text. Actions
    /// that carry no encryption context, like kms:DescribeKey, are given without this condition.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::schema::encryption_context")]
    pub encryption_context: BTreeMap<String, String>,
    /// Organization that the principal's account has to be in (aws:PrincipalOrgID), like o-a1b2c3d4e5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::organization_id")]
    pub organization_id: Option<String>,
}
