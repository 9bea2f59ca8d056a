//! Conditions that are refused, or that do not do what they look like (D§1.5, D§2.4).

use super::{Lint, Subject};
use crate::actions::{expand, has_encryption_context};
use crate::document::{Condition, Effect, Statement, StatementName};
use crate::glob::glob_match;

/// `ForAllValues` is content with a request that has no such key at all, so KMS refuses it for these keys (D§1.5).
pub(super) fn overly_permissive(subject: &Subject<'_>) -> Vec<Lint> {
    let refused = |condition: &Condition| {
        let key = condition.key.to_ascii_lowercase();
        let all_values = condition.operator.to_ascii_lowercase().starts_with("forallvalues:");
        all_values && (key.starts_with("kms:encryptioncontext:") || key.starts_with("aws:requesttag/"))
    };
    each(subject, |statement, _, condition| {
        refused(condition).then(|| Lint::OverlyPermissiveCondition { statement, key: condition.key.clone() })
    })
}

/// The service is named `service.REGION.amazonaws.com` in every partition, with the key's own Region (D§2.4).
pub(super) fn via_service(subject: &Subject<'_>) -> Vec<Lint> {
    let region = subject.key.region().as_str();
    let is_wrong = |value: &&String| match value.strip_suffix(".amazonaws.com").and_then(|rest| rest.rsplit_once('.')) {
        Some((_, named)) => !glob_match(named, region),
        None => !value.contains(['*', '$']),
    };
    each(subject, |statement, _, condition| {
        let is_via_service = condition.key.eq_ignore_ascii_case("kms:ViaService");
        let value = condition.values.iter().filter(|_| is_via_service).find(is_wrong)?.clone();
        Some(Lint::ViaServiceEndpoint { statement, value, region: region.to_owned() })
    })
}

/// An action without an encryption context never meets a condition on one (D§2.4).
pub(super) fn encryption_context(subject: &Subject<'_>) -> Vec<Lint> {
    each(subject, |statement, body, condition| {
        let operator = condition.operator.to_ascii_lowercase();
        let on_context = condition.key.to_ascii_lowercase().starts_with("kms:encryptioncontext:");
        if !on_context || operator == "null" || operator.ends_with("ifexists") || operator.contains("not") {
            return None;
        }
        let actions = body.actions().filter(|actions| !actions.negated)?;
        let without = |pattern: &&String| {
            let covered = expand(pattern);
            !covered.is_empty() && covered.iter().all(|action| !has_encryption_context(action))
        };
        let action = actions.patterns.iter().find(without)?.clone();
        Some(Lint::EncryptionContextWithout { statement, action })
    })
}

/// Looks at every condition of every Allow statement; a statement is reported once.
fn each(subject: &Subject<'_>, judge: impl Fn(StatementName, &Statement, &Condition) -> Option<Lint>) -> Vec<Lint> {
    let allows = subject.document.named().filter(|(_, statement)| statement.effect() == Effect::Allow);
    let first = |(name, statement): (StatementName, &Statement)| {
        statement.conditions().iter().find_map(|condition| judge(name.clone(), statement, condition))
    };
    allows.filter_map(first).collect()
}
