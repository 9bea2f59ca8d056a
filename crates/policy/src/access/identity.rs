//! The caller's half: what the policies of its own account say (D§1.3).

use super::condition::{Outcome, judge};
use super::question::{Answer, Question, Reach};
use super::statement::{covers_action, covers_key};
use super::{AttachedDocument, Decision, IdentityPolicies};
use crate::document::{Effect, Statement};

/// What identity policies and boundary come to.
pub(super) fn decision(policies: &IdentityPolicies, question: &Question<'_>) -> Decision {
    let identity = answer(&policies.policies, question);
    let boundary = boundary_answer(policies, question);
    let decision = Decision::of(&identity);
    let (Some(boundary), false) = (boundary, matches!(decision, Decision::ExplicitDeny { .. })) else {
        return decision;
    };
    match (decision, Decision::of(&boundary)) {
        (_, deny @ Decision::ExplicitDeny { .. }) => deny,
        (Decision::Allowed { by, mut conditions }, Decision::Allowed { conditions: further, .. }) => {
            super::add_new(&mut conditions, further);
            Decision::Allowed { by, conditions }
        }
        (Decision::Allowed { .. }, _) => Decision::BoundaryDeny { by: boundary_name(policies) },
        (decision, _) => decision,
    }
}

/// What the permissions boundary says, if there is one. It filters and never gives (D§4.5).
pub(super) fn boundary_answer(policies: &IdentityPolicies, question: &Question<'_>) -> Option<Answer> {
    policies.boundary.as_ref().map(|boundary| answer(std::slice::from_ref(boundary), question))
}

pub(super) fn boundary_name(policies: &IdentityPolicies) -> String {
    policies.boundary.as_ref().map_or_else(String::new, |boundary| boundary.name.clone())
}

/// Asks every statement of every document.
pub(super) fn answer(documents: &[AttachedDocument], question: &Question<'_>) -> Answer {
    let mut answer = Answer::default();
    let mut misses = Vec::new();
    for attached in documents {
        for (name, statement) in attached.document.named() {
            let by = format!("{}, {name}", attached.name);
            let applies = covers_action(statement, question) && covers_key(statement, question);
            match (applies, judge(statement.conditions(), question)) {
                (true, Outcome::Fails(condition)) if statement.effect() == Effect::Allow => {
                    misses.push((0, format!("{by} allows it, but the condition {condition} does not hold")));
                }
                (true, outcome) => answer.add(statement, &by, Reach::Named, outcome),
                (false, _) if statement.effect() == Effect::Deny => {}
                (false, _) => {
                    misses.extend(near_miss(statement, question).map(|(rank, what)| (rank, format!("{by} {what}"))));
                }
            }
        }
    }
    answer.near_miss = misses.into_iter().min().map(|(_, text)| text);
    answer
}

/// What an Allow statement that does not help comes closest to; the smaller the rank, the closer.
fn near_miss(statement: &Statement, question: &Question<'_>) -> Option<(u8, String)> {
    let resources = statement.resources()?;
    if covers_action(statement, question) {
        let listed = resources.patterns.join(", ");
        let alias =
            resources.patterns.iter().any(|pattern| pattern.contains(":alias/") || pattern.starts_with("alias/"));
        let why = if alias { "; an alias does not select a key here, only a key ARN does" } else { "" };
        let negation = if resources.negated { "everything but " } else { "" };
        return Some((1, format!("allows it on {negation}{listed}, not on this key{why}")));
    }
    let names_this_key = covers_key(statement, question) && !resources.patterns.iter().any(|pattern| pattern == "*");
    names_this_key.then(|| (2, "allows other actions on this key, not this one".to_owned()))
}

#[cfg(test)]
mod tests;
