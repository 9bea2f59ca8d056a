//! What a key policy said before each of our writes, and how it comes back.
//!
//! The API replaces the whole document and keeps no versions (D§1.5), so the operator does: the last ten for each key.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use sharedkey_api::conditions::Reason;
use sharedkey_policy::{KeyArn, NormalContext, PolicyDocument, Statement, normal_document};

use crate::{
    names::{self, ObjectName},
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

    /// Adds a document, and lets go of the oldest. One that says the same as the newest adds nothing: KMS shuffles principals at each
    /// reading (D§1.4).
    pub fn keep(&mut self, entry: Entry) {
        let context = NormalContext::new(self.key.partition());
        let said = |text: &str| PolicyDocument::parse(text).map(|document| normal_document(&document, &context)).ok();
        let same = |newest: &Entry| {
            newest.document == entry.document
                || said(&newest.document).is_some_and(|says| said(&entry.document) == Some(says))
        };
        if self.entries.back().is_some_and(same) {
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

/// The document that brings back what others had stated: their statements as they were, and those of every SharedKey as they are now,
/// because what a SharedKey states is stated by the SharedKey. That holds for those of another cluster too: one that was withdrawn
/// since would come back as a statement that nobody's ledger knows. None when that is what stands there.
pub fn put_back(live: &PolicyDocument, kept: &Entry, scope: &Scope<'_>) -> Result<Option<PolicyDocument>, Refusal> {
    let shared = |statement: &Statement| statement.sid().is_some_and(names::of_any_shared_key);
    let old = PolicyDocument::parse(&kept.document).map_err(|malformed| Refusal {
        reason: Reason::PolicyMalformed,
        message: format!("the document that was replaced at {} cannot be understood: {malformed}", kept.replaced_at),
    })?;
    let foreign = old.filter_map_statements(|statement| (!shared(&statement)).then_some(statement));
    let stated = live.statements().iter().filter(|statement| shared(statement)).cloned().collect();
    write::replace(live, foreign.with_added(stated), scope)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::names::OwnerId;

    const ROOT: &str = r#"{"Sid":"Root","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}"#;
    const FOREIGN: &str = r#"{"Sid":"Theirs","Effect":"Allow","Principal":{"Service":"logs.amazonaws.com"},"Action":"kms:Decrypt","Resource":"*"}"#;

    fn ours(action: &str) -> String {
        format!(
            r#"{{"Sid":"SharedKey/prod/team/orders/partner","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::444455556666:role/App"}},"Action":"{action}","Resource":"*"}}"#
        )
    }

    fn document(statements: &[&str]) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
    }

    fn entry(replaced_at: &str, document: &str) -> Entry {
        Entry {
            replaced_at: replaced_at.into(),
            replaced_for: ObjectName { namespace: "team".into(), name: "orders".into() },
            document: document.into(),
        }
    }

    fn back(live: &str, kept: &str) -> Result<Option<String>, Refusal> {
        let key: KeyArn =
            "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap();
        let (owner, unique_ids): (OwnerId, _) = ("prod".parse().unwrap(), BTreeMap::new());
        let scope = Scope { key: &key, owner: &owner, unique_ids: &unique_ids, prune: false };
        let live = PolicyDocument::parse(live).unwrap();
        Ok(put_back(&live, &entry("then", kept), &scope)?.map(|document| document.to_json()))
    }

    #[test]
    fn the_last_ten_are_kept_and_a_document_that_did_not_change_is_kept_once() {
        let key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap();
        let mut history = History::new(key, "owner".into());
        for number in 0..12 {
            history.keep(entry(&number.to_string(), &number.to_string()));
            history.keep(entry("again", &number.to_string()));
        }
        let kept: Vec<&str> = history.entries.iter().map(|entry| entry.replaced_at.as_str()).collect();
        assert_eq!(kept, ["2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]);
    }

    #[test]
    fn a_document_with_principals_in_another_order_is_kept_once() {
        let key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap();
        let mut history = History::new(key, "owner".into());
        let two = |first: &str, second: &str| {
            let names =
                format!(r#"["arn:aws:iam::444455556666:role/{first}","arn:aws:iam::444455556666:role/{second}"]"#);
            document(&[ROOT, &FOREIGN.replace(r#"{"Service":"logs.amazonaws.com"}"#, &format!(r#"{{"AWS":{names}}}"#))])
        };
        for (number, text) in [two("A", "B"), two("B", "A"), two("A", "C")].iter().enumerate() {
            history.keep(entry(&number.to_string(), text));
        }
        let kept: Vec<&str> = history.entries.iter().map(|entry| entry.replaced_at.as_str()).collect();
        assert_eq!(kept, ["0", "2"]);
    }

    #[test]
    fn what_others_had_stated_comes_back_and_what_a_shared_key_states_stays() {
        let (before, now) = (ours("kms:Encrypt"), ours("kms:Decrypt"));
        let live = document(&[ROOT, &now]);
        let kept = document(&[ROOT, FOREIGN, &before]);
        assert_eq!(back(&live, &kept).unwrap().unwrap(), document(&[ROOT, FOREIGN, &now]));
        assert_eq!(back(&document(&[ROOT, FOREIGN, &now]), &kept), Ok(None));
    }

    #[test]
    fn what_another_clusters_shared_keys_state_stays_and_what_they_stated_does_not_come_back() {
        let other = |name: &str| ours("kms:Decrypt").replace("/prod/", "/prod-eu/").replace("orders", name);
        let (now, withdrawn) = (other("orders"), other("invoices"));
        let kept = document(&[ROOT, FOREIGN, &withdrawn]);
        assert_eq!(back(&document(&[ROOT, &now]), &kept).unwrap().unwrap(), document(&[ROOT, FOREIGN, &now]));
        assert_eq!(back(&document(&[ROOT, FOREIGN, &now]), &kept), Ok(None));
    }

    #[test]
    fn a_document_that_would_lock_the_owner_out_or_is_none_stays_where_it_is() {
        let live = document(&[ROOT]);
        assert_eq!(back(&live, &document(&[FOREIGN])).unwrap_err().reason, Reason::LockoutRefused);
        assert_eq!(back(&live, "[]").unwrap_err().reason, Reason::PolicyMalformed);
        let orphan = FOREIGN.replace(r#"{"Service":"logs.amazonaws.com"}"#, r#"{"AWS":"AROAEXAMPLEEXAMPLE"}"#);
        assert_eq!(back(&live, &document(&[ROOT, &orphan])).unwrap_err().reason, Reason::ForeignOrphan);
    }
}
