//! Roles and users who are given something: who they are, what stands on their side, and the rules for whatever names them,
//! be it a consumer of a key or a reader of a secret.

use kube::{KubeSchema, core::Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    cel::{exactly_one_of, partition_of},
    limits,
};

/// One role or user.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new(exactly_one_of(&["role", "user", "arn"])).message("a principal must have exactly one of role, user and arn"))]
#[serde(rename_all = "camelCase")]
pub struct PrincipalRef {
    /// Role of the account: Name, or path/Name where it has a path. The path is part of its identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::role")]
    pub role: Option<String>,
    /// User of the account: Name, or path/Name where it has a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::user")]
    pub user: Option<String>,
    /// ARN of a role or user, in that account and in the partition of region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::principal_arn")]
    pub arn: Option<String>,
}

/// What stands on the principals' side.
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
pub enum Delegation {
    /// A policy inside of each role and user.
    InlinePolicy,
    /// One customer managed policy, attached to each.
    ManagedPolicy,
    /// Nothing.
    None,
}

/// One account is named, in one way. `who` is what the users call its entry, with an article.
pub(crate) fn one_account(who: &str) -> Rule {
    Rule::new(exactly_one_of(&["accountRef", "accountId"]))
        .message(format!("{who} must have exactly one of accountRef and accountId").as_str())
}

/// Nothing is asked of the operator in an account that it cannot enter.
pub(crate) fn no_delegation_to_others() -> Rule {
    Rule::new("!has(self.accountId) || !has(self.delegation)").message(
        "delegation must be absent with accountId: the other account's administrators attach their half themselves; to have \
         it managed use accountRef",
    )
}

/// The ARNs are of the account beside them.
pub(crate) fn of_account_id() -> Rule {
    Rule::new(
        "!has(self.accountId) || !has(self.principals) || self.principals.all(principal, !has(principal.arn) || \
         principal.arn.contains(':iam::' + self.accountId + ':'))",
    )
    .message("principals[].arn must belong to accountId")
}

/// IAM answers `UnmodifiableEntity` for these (D§4.4), so asking for a policy on them can never come true.
pub(crate) fn no_delegation_to_protected(who: &str) -> Rule {
    Rule::new(
        "has(self.accountId) || (has(self.delegation) && self.delegation == 'None') || !has(self.principals) || \
         self.principals.all(principal, !(has(principal.role) ? principal.role : has(principal.arn) ? \
         principal.arn.substring(principal.arn.indexOf('/') + 1) : '').matches('^aws-(service-role|reserved)/'))",
    )
    .message(
        format!(
            "delegation must be None for roles below aws-service-role/ and aws-reserved/: AWS lets nobody write policies on \
             them; give them {who} of their own"
        )
        .as_str(),
    )
}

/// A list of principals names each once.
pub(crate) fn each_once() -> Rule {
    Rule::new("self.all(principal, self.exists_one(other, other == principal))")
        .message("principals must not name a role or user twice")
}

/// The ARNs in a list of a spec are of the partition of the spec's Region. `owned` is what is in that Region.
pub(crate) fn of_the_partition(list: &str, owned: &str) -> Rule {
    Rule::new(format!(
        "!has(self.{list}) || self.{list}.all(entry, !has(entry.principals) || entry.principals.all(principal, \
         !has(principal.arn) || principal.arn.startsWith('arn:' + {} + ':')))",
        partition_of("self.region")
    ))
    .message(
        format!(
            "{list}[].principals[].arn must be in the partition of region: no access crosses partitions, so {owned} in \
             cn-north-1 takes arn:aws-cn:..."
        )
        .as_str(),
    )
}

/// The principals of all entries of a list are within the bound for one object.
pub(crate) fn at_most_in_all(list: &str, instead: &str) -> Rule {
    let max = limits::PRINCIPALS;
    Rule::new(format!(
        "!has(self.{list}) || self.{list}.map(entry, has(entry.principals) ? entry.principals.size() : 0).sum() <= {max}"
    ))
    .message(format!("{list} must have {max} principals at most, all together; {instead}").as_str())
}
