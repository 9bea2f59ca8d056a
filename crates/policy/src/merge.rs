//! Putting statements of ours into a document that others write too, and taking them out again.
//!
//! Only statements under our Sids are ever touched. Every other one stays the JSON text that it was, in its place.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::{PolicyDocument, Statement};
use crate::normal::{NormalContext, NormalStatement, normal};
use crate::sid::Sid;

/// What must change in a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// Statements that must be there, each under a Sid of its own: a statement is found again by its Sid alone.
    pub put: Vec<Statement>,
    /// Sids under which nothing may stand. A statement in `put` wins over its Sid here.
    pub remove: BTreeSet<Sid>,
}

impl Edit {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.put.is_empty() && self.remove.is_empty()
    }
}

/// The document after an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// The live document with the edit applied.
    pub document: PolicyDocument,
    /// Whether it has to be written: something of ours is not as it should be.
    pub changed: bool,
}

/// Applies an edit to the live document.
///
/// A statement that is there already and equal in normal form stays as it is, byte for byte. Otherwise the first
/// statement under its Sid is replaced in place, further ones under the same Sid go, and a new one is appended. A
/// statement in `put` without a Sid is appended unless an equal one is there; nothing is ever replaced by it.
pub fn merge(live: &PolicyDocument, edit: &Edit, context: &NormalContext) -> Merge {
    let mut statements: Vec<Statement> = live.statements().to_vec();
    let put_sids: BTreeSet<&str> = edit.put.iter().filter_map(Statement::sid).collect();
    statements
        .retain(|statement| statement.sid().is_none_or(|sid| put_sids.contains(sid) || !edit.remove.contains(sid)));
    for wanted in &edit.put {
        put(&mut statements, wanted, context);
    }
    let changed = statements != live.statements();
    Merge { document: live.with_statements(statements), changed }
}

fn put(statements: &mut Vec<Statement>, wanted: &Statement, context: &NormalContext) {
    let equal = |statement: &Statement| normal(statement, context) == normal(wanted, context);
    let Some(sid) = wanted.sid() else {
        if !statements.iter().any(equal) {
            statements.push(wanted.clone());
        }
        return;
    };
    let Some(first) = statements.iter().position(|statement| statement.sid() == Some(sid)) else {
        statements.push(wanted.clone());
        return;
    };
    if !equal(&statements[first]) {
        statements[first] = wanted.clone();
    }
    let mut index = 0;
    statements.retain(|statement| {
        index += 1;
        index <= first + 1 || statement.sid() != Some(sid)
    });
}

/// Foreign statements of `before` that `after` lacks, compared in normal form and counted: two equal ones are two.
///
/// `ours` says whether a Sid is one of ours. A statement without a Sid is foreign.
pub fn foreign_lost<'a>(
    before: &'a PolicyDocument,
    after: &PolicyDocument,
    ours: &dyn Fn(&str) -> bool,
    context: &NormalContext,
) -> Vec<&'a Statement> {
    let mut left: BTreeMap<NormalStatement, usize> = BTreeMap::new();
    for statement in after.statements() {
        *left.entry(normal(statement, context)).or_default() += 1;
    }
    let mut lost = Vec::new();
    for statement in before.statements().iter().filter(|statement| !statement.sid().is_some_and(ours)) {
        match left.get_mut(&normal(statement, context)) {
            Some(count) if *count > 0 => *count -= 1,
            _ => lost.push(statement),
        }
    }
    lost
}

#[cfg(test)]
mod tests;
