//! Key policies and identity policies of AWS, as far as sharing KMS keys needs them.
//!
//! This crate decides what a policy document says, whether two of them say the same, how ours go into one that others
//! write too, and what it all means for a principal. It is pure: text in, values out, with no clock, no network and no
//! randomness. It never decides what should be shared, and nothing in it knows Kubernetes.
//!
//! - names: [`Partition`], [`Region`], [`AccountId`], [`KeyArn`], [`AliasArn`], [`EntityArn`], [`PolicyArn`],
//!   [`SecretArn`], [`Sid`]
//! - documents: [`PolicyDocument`] keeps every statement as it came; [`StatementBuilder`] writes ours
//! - comparison: [`normal()`] forgives what KMS rewrites, [`difference()`] says what is left
//! - change: [`merge()`] touches our statements only
//! - judgement: [`preflight`] before a write, [`verdict()`] for a principal and an action

mod access;
mod actions;
mod arn;
mod difference;
mod document;
mod fingerprint;
mod glob;
mod json;
mod lint;
mod merge;
mod normal;
mod partition;
mod sid;
#[cfg(test)]
mod testing;
mod text;

pub use access::{
    Access, AttachedDocument, Caller, Decision, Half, IdentityPolicies, Tells, Verdict, identity_decision,
    key_policy_decision, verdict,
};
pub use actions::{KeyKind, action_matches, expand, is_administrative, is_cross_account, is_grant_action, is_known};
pub use arn::{
    AccountId, AliasArn, AliasName, ArnError, EntityArn, EntityKind, KeyArn, PolicyArn, SecretArn, SecretName, root_arn,
};
pub use difference::{
    Change, ConditionDifference, Difference, DocumentDifference, ElementDifference, SetDifference, difference,
    document_difference,
};
pub use document::{
    Condition, Effect, MalformedPolicy, Place, PolicyDocument, Principal, PrincipalKind, Principals, Problem,
    Selection, Statement, StatementBuilder, StatementName,
};
pub use glob::glob_match;
pub use lint::{Lint, MAX_KEY_POLICY_BYTES, Orphan, is_unique_id, locks_out, orphans, preflight};
pub use merge::{Edit, Merge, foreign_lost, merge};
pub use normal::{
    NormalContext, NormalDocument, NormalStatement, document_fingerprint, fingerprint, normal, normal_document,
};
pub use partition::{Partition, Region};
pub use sid::{Sid, SidError};
