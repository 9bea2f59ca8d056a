//! What a key policy said before each of our writes, and how it comes back.
//!
//! The API replaces the whole document and keeps no versions (D§1.5), so the operator does: the last ten for each key.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use sharedkey_api::conditions::Reason;
use sharedkey_policy::{KeyArn, PolicyDocument};

use crate::{
    names::ObjectName,
    write::{self, Refusal, Scope},
};

/// Documents that are kept for each key. Ten of the largest are a third of what a `ConfigMap` takes.
pub const KEPT: usize = 10;

/// The history of one key's policy, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// The key.
    pub key: KeyArn,
    /// The `AwsAccount` through which the policy was last written.
    pub account_ref: String,
    /// The documents, each as it stood before a write.
    pub entries: VecDeque<Entry>,
}

/// One document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When it was replaced, in RFC 3339.
    pub replaced_at: String,
    /// The SharedKey for which it was replaced.
    pub replaced_for: ObjectName,
    /// The document, as KMS gave it.
    pub document: String,
}

impl History {
    /// Nothing was written yet.
    pub fn new(key: KeyArn, account_ref: String) -> Self {
        Self { key, account_ref, entries: VecDeque::new() }
    }

    /// Adds a document, and lets go of the oldest. One that equals the newest adds nothing.
    pub fn keep(&mut self, entry: Entry) {
        if self.entries.back().is_some_and(|newest| newest.document == entry.document) {
            return;
        }
        self.entries.push_back(entry);
        while self.entries.len() > KEPT {
            self.entries.pop_front();
        }
    }

    /// The document that was replaced at a time.
    pub fn at(&self, replaced_at: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.replaced_at == replaced_at)
    }
}

/// The document that brings back what others had stated: their statements as they were, and ours as they are now, because what a
/// SharedKey states is stated by the SharedKey. None when that is what stands there.
pub fn put_back(live: &PolicyDocument, kept: &Entry, scope: &Scope<'_>) -> Result<Option<PolicyDocument>, Refusal> {
    let ours = |statement: &sharedkey_policy::Statement| statement.sid().is_some_and(|sid| scope.owner.wrote(sid));
    let old = PolicyDocument::parse(&kept.document).map_err(|malformed| Refusal {
        reason: Reason::PolicyMalformed,
        message: format!("the document that was replaced at {} cannot be understood: {malformed}", kept.replaced_at),
    })?;
    let foreign = old.filter_map_statements(|statement| (!ours(&statement)).then_some(statement));
    let stated = live.statements().iter().filter(|statement| ours(statement)).cloned().collect();
    write::replace(live, &foreign.with_added(stated), scope)
}
