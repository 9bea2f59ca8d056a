//! What KMS refuses a document for as a whole, whichever statement is the cause (D§1.1, D§1.4, D§1.5).

use super::{Lint, MAX_KEY_POLICY_BYTES, Subject, locks_out, orphans};
use crate::document::Statement;
use crate::sid::is_key_policy_character;

pub(super) fn too_large(subject: &Subject<'_>) -> Vec<Lint> {
    let bytes = subject.document.size();
    if bytes > MAX_KEY_POLICY_BYTES { vec![Lint::TooLarge { bytes }] } else { Vec::new() }
}

pub(super) fn characters(subject: &Subject<'_>) -> Vec<Lint> {
    let refused = |statement: &Statement| statement.to_json().chars().find(|&c| !is_key_policy_character(c));
    let found = subject.document.named().filter_map(|(name, statement)| Some((name, refused(statement)?)));
    found.map(|(statement, character)| Lint::Character { statement, character }).collect()
}

pub(super) fn orphaned(subject: &Subject<'_>) -> Vec<Lint> {
    orphans(subject.document).into_iter().map(Lint::OrphanedPrincipal).collect()
}

pub(super) fn locks_owner_out(subject: &Subject<'_>) -> Vec<Lint> {
    let owner = subject.key.account().to_string();
    if locks_out(subject.document, subject.key, subject.writer) {
        vec![Lint::LocksOwnerOut { owner }]
    } else {
        Vec::new()
    }
}
