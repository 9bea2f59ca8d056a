//! The one normal form of statements: two statements are equal exactly if their normal forms are.
//!
//! It forgives what KMS does to a stored document (D§1.4) and nothing else: order and duplicates in lists, a scalar for a
//! list of one, an account id for its root ARN, a unique id for the ARN that it stands for, `"*"` for `{"AWS": "*"}`,
//! case of actions, Effect, condition operators and keys, spelled-out numbers and booleans, an empty Condition. Above
//! all a missing Principal is not everyone, and another partition is another principal.

use std::collections::{BTreeMap, BTreeSet};

use crate::arn::is_account_id;
use crate::document::{Effect, PolicyDocument, Principal, PrincipalKind, Principals, Selection, Statement};
use crate::fingerprint::Fingerprint;
use crate::partition::Partition;

/// What the normal form needs to know beside the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormalContext {
    /// The key's partition: an account id in a document means that partition's root ARN.
    pub partition: Partition,
    /// Unique id (`AROA…`, `AIDA…`) to the ARN of the entity that has it now, from observed roles and users.
    pub unique_ids: BTreeMap<String, String>,
}

impl NormalContext {
    /// A context that knows no unique ids.
    pub fn new(partition: Partition) -> Self {
        Self { partition, unique_ids: BTreeMap::new() }
    }
}

/// A statement without everything that does not matter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NormalStatement {
    pub(crate) sid: Option<String>,
    pub(crate) effect: Effect,
    pub(crate) principals: Option<NormalSet<Principal>>,
    pub(crate) actions: Option<NormalSet<String>>,
    pub(crate) resources: Option<NormalSet<String>>,
    pub(crate) conditions: BTreeSet<NormalCondition>,
    pub(crate) unknown: BTreeMap<String, String>,
}

impl NormalStatement {
    /// What the statement says, whatever it is called.
    #[must_use]
    pub fn without_sid(self) -> Self {
        Self { sid: None, ..self }
    }
}

/// An element or its negation, as a set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NormalSet<T> {
    pub(crate) negated: bool,
    pub(crate) values: BTreeSet<T>,
}

/// Operator and key in lower case, with the set of values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NormalCondition {
    pub(crate) operator: String,
    pub(crate) key: String,
    pub(crate) values: BTreeSet<String>,
}

/// A document without everything that does not matter: the order of statements is gone, their number is not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NormalDocument {
    elements: BTreeMap<String, String>,
    statements: Vec<NormalStatement>,
}

/// The normal form of a statement.
pub fn normal(statement: &Statement, context: &NormalContext) -> NormalStatement {
    let lower_set = |selection: &Selection| NormalSet {
        negated: selection.negated,
        values: selection.patterns.iter().map(|pattern| pattern.to_ascii_lowercase()).collect(),
    };
    let exact_set = |selection: &Selection| NormalSet {
        negated: selection.negated,
        values: selection.patterns.iter().cloned().collect(),
    };
    let conditions = statement.conditions().iter().map(|condition| NormalCondition {
        operator: condition.operator.to_ascii_lowercase(),
        key: condition.key.to_ascii_lowercase(),
        values: condition.values.iter().cloned().collect(),
    });
    NormalStatement {
        sid: statement.sid().map(str::to_owned),
        effect: statement.effect(),
        principals: statement.principals().map(|principals| normal_principals(principals, context)),
        actions: statement.actions().map(lower_set),
        resources: statement.resources().map(exact_set),
        conditions: conditions.collect(),
        unknown: statement.unknown().clone(),
    }
}

fn normal_principals(principals: &Principals, context: &NormalContext) -> NormalSet<Principal> {
    let values = principals.listed.iter().map(|principal| Principal {
        kind: principal.kind,
        value: match principal.kind {
            PrincipalKind::Aws => normal_aws_principal(&principal.value, context),
            _ => principal.value.clone(),
        },
    });
    NormalSet { negated: principals.negated, values: values.collect() }
}

fn normal_aws_principal(value: &str, context: &NormalContext) -> String {
    if is_account_id(value) {
        return format!("arn:{}:iam::{value}:root", context.partition);
    }
    context.unique_ids.get(value).map_or(value, String::as_str).to_owned()
}

/// The normal form of a document. `Version`, `Id` and elements that nobody knows count (D§1.4).
pub fn normal_document(document: &PolicyDocument, context: &NormalContext) -> NormalDocument {
    let mut statements: Vec<NormalStatement> = document.statements().iter().map(|s| normal(s, context)).collect();
    statements.sort_unstable();
    NormalDocument { elements: document.elements().iter().cloned().collect(), statements }
}

/// 32 hexadecimal digits that are equal for equal statements, Sid included. Stable across releases: it is stored.
pub fn fingerprint(statement: &Statement, context: &NormalContext) -> String {
    let mut print = Fingerprint::default();
    feed(&mut print, &normal(statement, context));
    print.hex()
}

/// The same for a whole document.
pub fn document_fingerprint(document: &PolicyDocument, context: &NormalContext) -> String {
    let normal = normal_document(document, context);
    let mut print = Fingerprint::default();
    print.map(&normal.elements);
    print.count(normal.statements.len());
    for statement in &normal.statements {
        feed(&mut print, statement);
    }
    print.hex()
}

fn feed(print: &mut Fingerprint, statement: &NormalStatement) {
    print.optional(statement.sid.as_deref());
    print.text(&statement.effect.to_string());
    feed_set(print, statement.principals.as_ref(), |principal| format!("{} {}", principal.kind, principal.value));
    feed_set(print, statement.actions.as_ref(), String::clone);
    feed_set(print, statement.resources.as_ref(), String::clone);
    print.count(statement.conditions.len());
    for condition in &statement.conditions {
        print.text(&condition.operator);
        print.text(&condition.key);
        print.set(condition.values.iter().map(String::as_str));
    }
    print.map(&statement.unknown);
}

fn feed_set<T>(print: &mut Fingerprint, set: Option<&NormalSet<T>>, text: impl Fn(&T) -> String) {
    match set {
        None => print.text("absent"),
        Some(set) => {
            print.text(if set.negated { "not" } else { "is" });
            let texts: Vec<String> = set.values.iter().map(text).collect();
            print.set(texts.iter().map(String::as_str));
        }
    }
}

#[cfg(test)]
mod tests;
