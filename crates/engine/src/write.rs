//! What may be written to a key policy, given the document as it is right now.
//!
//! A key policy is one shared document without versions or compare-and-set (D§1.5). Everything in it that is not ours is
//! kept as it came, and a document that KMS would refuse, or that would be regretted, is not sent.

use std::collections::BTreeMap;

use sharedkey_api::conditions::Reason;
use sharedkey_policy::{
    Edit, EntityArn, KeyArn, MAX_KEY_POLICY_BYTES, NormalContext, PolicyDocument, Statement, is_unique_id, locks_out,
    merge, normal_document, orphans,
};

use crate::names::OwnerId;

/// Where a write goes, and who writes.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The key.
    pub key: &'a KeyArn,
    /// Whose statements may be touched.
    pub owner: &'a OwnerId,
    /// Unique ids of principals that exist.
    pub unique_ids: &'a BTreeMap<String, String>,
    /// Whether deleted principals are taken out of the statements of others too.
    pub prune: bool,
}

/// A document that is not sent, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The condition's reason.
    pub reason: Reason,
    /// What is in the way and what to do.
    pub message: String,
}

/// The document to send, or none when nothing has to change.
pub fn prepare(live: &PolicyDocument, edit: &Edit, scope: &Scope<'_>) -> Result<Option<PolicyDocument>, Refusal> {
    let context = NormalContext { partition: scope.key.partition(), unique_ids: scope.unique_ids.clone() };
    let merged = merge(live, edit, &context);
    if !merged.changed {
        return Ok(None);
    }
    checked(merged.document, scope).map(Some)
}

/// The same for a document that is to stand there as a whole.
pub(crate) fn replace(
    live: &PolicyDocument,
    wanted: PolicyDocument,
    scope: &Scope<'_>,
) -> Result<Option<PolicyDocument>, Refusal> {
    let context = NormalContext { partition: scope.key.partition(), unique_ids: scope.unique_ids.clone() };
    if normal_document(live, &context) == normal_document(&wanted, &context) {
        return Ok(None);
    }
    checked(wanted, scope).map(Some)
}

fn checked(document: PolicyDocument, scope: &Scope<'_>) -> Result<PolicyDocument, Refusal> {
    let document = without_orphans(document, scope);
    refuse_foreign_orphans(&document, scope)?;
    refuse_lockout(&document, scope)?;
    refuse_oversize(&document, scope)?;
    Ok(document)
}

/// Drops what KMS would refuse from statements of ours, and from those of others where that was asked for: unique ids of principals
/// that were deleted (D§1.4). It fails closed; a statement that is left with nobody goes.
fn without_orphans(document: PolicyDocument, scope: &Scope<'_>) -> PolicyDocument {
    document.filter_map_statements(|statement| {
        let ours = statement.sid().is_some_and(|sid| scope.owner.wrote(sid));
        if ours || scope.prune { statement.without_principals(is_unique_id) } else { Some(statement) }
    })
}

/// KMS re-validates every statement at each write, so an orphan in somebody else's blocks ours (D§1.4).
fn refuse_foreign_orphans(document: &PolicyDocument, scope: &Scope<'_>) -> Result<(), Refusal> {
    let found = orphans(document);
    if found.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = found.iter().map(ToString::to_string).collect();
    Err(Refusal {
        reason: Reason::ForeignOrphan,
        message: format!(
            "nothing was written to the key policy of {}: of the statements of others, {}; KMS refuses every write while that stands there, so \
             remove it from the key policy, or set pruneForeignOrphans: true",
            scope.key,
            named.join(", and ")
        ),
    })
}

fn refuse_lockout(document: &PolicyDocument, scope: &Scope<'_>) -> Result<(), Refusal> {
    let owner = scope.key.account();
    if !locks_out(document, scope.key, None) {
        return Ok(());
    }
    Err(Refusal {
        reason: Reason::LockoutRefused,
        message: format!(
            "nothing was written to the key policy of {}: no statement of it would leave kms:PutKeyPolicy to account {owner}, which \
             would lock the owner out of its key; add a statement that allows kms:* to {}",
            scope.key,
            sharedkey_policy::root_arn(scope.key.partition(), owner),
        ),
    })
}

fn refuse_oversize(document: &PolicyDocument, scope: &Scope<'_>) -> Result<(), Refusal> {
    let size = document.size();
    if size <= MAX_KEY_POLICY_BYTES {
        return Ok(());
    }
    let ours: usize = document
        .statements()
        .iter()
        .filter(|statement| statement.sid().is_some_and(|sid| scope.owner.wrote(sid)))
        .map(|statement| statement.to_json().len())
        .sum();
    Err(Refusal {
        reason: Reason::PolicyTooLarge,
        message: format!(
            "nothing was written to the key policy of {}: it would have {size} bytes, of which {ours} are statements of SharedKeys, and KMS \
             takes at most {MAX_KEY_POLICY_BYTES}; share with whole accounts (trust: Account) or name fewer principals",
            scope.key
        ),
    })
}

/// Principals of an edit, for the message when KMS refuses one of them without saying which (D§1.5).
pub fn principals(edit: &Edit) -> Vec<String> {
    let mut named: Vec<String> = edit.put.iter().flat_map(Statement::aws_principals).map(str::to_owned).collect();
    named.sort_unstable();
    named.dedup();
    named
}

/// Whether every role and user that an edit names is known to exist.
pub fn all_exist(edit: &Edit, unique_ids: &BTreeMap<String, String>) -> bool {
    principals(edit)
        .iter()
        .filter(|principal| principal.parse::<EntityArn>().is_ok())
        .all(|principal| unique_ids.values().any(|known| known == principal))
}

#[cfg(test)]
mod tests;
