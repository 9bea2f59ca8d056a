//! Principals that point at nobody any more (D§1.4).

use std::fmt;

use crate::document::{PolicyDocument, StatementName};

/// A unique id that stands where KMS once had an ARN: its role or user was deleted, and KMS refuses every write of a
/// document that still names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Orphan {
    /// The statement.
    pub statement: StatementName,
    /// The unique id, `AROA…` or `AIDA…`.
    pub id: String,
}

impl fmt::Display for Orphan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} names {}, a role or user that was deleted", self.statement, self.id)
    }
}

/// Whether the text is the bare unique id of a role (`AROA…`) or user (`AIDA…`).
pub fn is_unique_id(text: &str) -> bool {
    let rest = text.strip_prefix("AROA").or_else(|| text.strip_prefix("AIDA"));
    rest.is_some_and(|rest| rest.len() >= 12 && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
}

/// Every orphan of a document, in the order of its statements. Whose statement it is, its name tells.
pub fn orphans(document: &PolicyDocument) -> Vec<Orphan> {
    let mut found = Vec::new();
    for (statement, body) in document.named() {
        let ids = body.aws_principals().filter(|principal| is_unique_id(principal));
        found.extend(ids.map(|id| Orphan { statement: statement.clone(), id: id.to_owned() }));
    }
    found
}
