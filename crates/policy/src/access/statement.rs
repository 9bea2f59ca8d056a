//! What a statement is about: actions, and keys or secrets.

use super::question::{Parties, Question};
use crate::actions::action_matches;
use crate::arn::KeyArn;
use crate::document::{Selection, Statement};
use crate::glob::arn_match;

/// A statement without `Action` is accepted by KMS and has no effect (D§1.1).
pub(super) fn covers_action(statement: &Statement, question: Question<'_>) -> bool {
    statement.actions().is_some_and(|actions| selects(actions, |pattern| action_matches(pattern, question.action)))
}

/// A statement without `Resource` is accepted by KMS and has no effect (D§1.1).
pub(super) fn covers_subject(statement: &Statement, parties: &Parties<'_>) -> bool {
    statement.resources().is_some_and(|resources| selects_arn(resources, &parties.subject_arn))
}

/// Only `*` and key ARNs select keys: an alias or a bare key id as a resource selects none (D§1.3).
pub(crate) fn selects_key(resources: &Selection, key: &KeyArn) -> bool {
    selects_arn(resources, &key.to_string())
}

fn selects_arn(resources: &Selection, arn: &str) -> bool {
    selects(resources, |pattern| pattern == "*" || (pattern.starts_with("arn:") && arn_match(pattern, arn)))
}

fn selects(selection: &Selection, matches: impl Fn(&str) -> bool) -> bool {
    selection.patterns.iter().any(|pattern| matches(pattern)) != selection.negated
}
