//! Statements that KMS accepts and ignores (D§1.1).

use super::{Lint, Subject};
use crate::access::selects_key;
use crate::document::Statement;

pub(super) fn no_effect(subject: &Subject<'_>) -> Vec<Lint> {
    let lacks = |statement: &Statement| {
        if statement.actions().is_none() {
            return Some("Action");
        }
        match statement.resources() {
            None => Some("Resource"),
            Some(resources) => (!selects_key(resources, subject.key)).then_some("Resource that selects this key"),
        }
    };
    let found = subject.document.named().filter_map(|(name, statement)| Some((name, lacks(statement)?)));
    found.map(|(statement, element)| Lint::NoEffect { statement, element }).collect()
}
