//! The caller's half: what the policies of its own account say (D§1.3).

use super::condition::{Outcome, judge};
use super::question::{Answer, Meant, Parties, Question, Reach};
use super::statement::{covers_action, covers_subject};
use super::{AttachedDocument, Decision, IdentityPolicies};
use crate::document::{Effect, Statement};

/// What identity policies and boundary come to.
pub(super) fn decision(policies: &IdentityPolicies, question: Question<'_>) -> Decision {
    let identity = Attached::new(&policies.policies, &question).answer(question);
    let boundary = policies.boundary.as_ref().map(|boundary| Attached::new([boundary], &question).answer(question));
    let decision = Decision::of(&identity, || near_miss(&policies.policies, question));
    let (Some(boundary), false) = (boundary, matches!(decision, Decision::ExplicitDeny { .. })) else {
        return decision;
    };
    match (decision, Decision::of(&boundary, || None)) {
        (_, deny @ Decision::ExplicitDeny { .. }) => deny,
        (Decision::Allowed { by, mut conditions }, Decision::Allowed { conditions: further, .. }) => {
            super::add_new(&mut conditions, further);
            Decision::Allowed { by, conditions }
        }
        (Decision::Allowed { .. }, _) => Decision::BoundaryDeny { by: boundary_name(policies) },
        (decision, _) => decision,
    }
}

pub(super) fn boundary_name(policies: &IdentityPolicies) -> String {
    policies.boundary.as_ref().map_or_else(String::new, |boundary| boundary.name.clone())
}

/// The statements of some documents that are about the subject, whatever the caller asks for, with their names.
pub(super) struct Attached<'a>(Vec<Meant<'a>>);

impl<'a> Attached<'a> {
    pub(super) fn new(documents: impl IntoIterator<Item = &'a AttachedDocument>, parties: &Parties<'_>) -> Self {
        let named = |attached: &'a AttachedDocument| {
            let told = (parties.tells)(&attached.name);
            let statements = attached.document.named().filter(|(_, statement)| covers_subject(statement, parties));
            statements.map(move |(name, statement)| {
                Meant::new(statement, format!("{}, {name}", attached.name), Reach::Named, told)
            })
        };
        Self(documents.into_iter().flat_map(named).collect())
    }

    pub(super) fn statements(&self) -> impl Iterator<Item = &'a Statement> {
        self.0.iter().map(|meant| meant.statement)
    }

    /// Asks them about an action.
    pub(super) fn answer(&self, question: Question<'_>) -> Answer {
        let mut answer = Answer::default();
        for meant in &self.0 {
            if covers_action(meant.statement, question) {
                answer.add(meant, judge(meant.statement.conditions(), question));
            }
        }
        answer
    }
}

/// The statement that comes closest to allowing, and what it lacks.
pub(super) fn near_miss(documents: &[AttachedDocument], question: Question<'_>) -> Option<String> {
    let mut misses = Vec::new();
    for attached in documents.iter().filter(|attached| (question.tells)(&attached.name)) {
        for (name, statement) in attached.document.named().filter(|(_, one)| one.effect() == Effect::Allow) {
            let miss = miss(statement, question);
            misses.extend(miss.map(|(rank, what)| (rank, format!("{}, {name} {what}", attached.name))));
        }
    }
    misses.into_iter().min().map(|(_, text)| text)
}

pub(super) fn boundary_near_miss(policies: &IdentityPolicies, question: Question<'_>) -> Option<String> {
    policies.boundary.as_ref().and_then(|boundary| near_miss(std::slice::from_ref(boundary), question))
}

/// What an Allow statement that does not help comes closest to; the smaller the rank, the closer.
fn miss(statement: &Statement, question: Question<'_>) -> Option<(u8, String)> {
    let resources = statement.resources()?;
    if covers_action(statement, question) {
        if covers_subject(statement, &question) {
            let Outcome::Fails(condition) = judge(statement.conditions(), question) else { return None };
            return Some((0, format!("allows it, but the condition {condition} does not hold")));
        }
        let listed = resources.patterns.join(", ");
        let alias =
            resources.patterns.iter().any(|pattern| pattern.contains(":alias/") || pattern.starts_with("alias/"));
        let why = if alias { "; an alias does not select a key here, only a key ARN does" } else { "" };
        let negation = if resources.negated { "everything but " } else { "" };
        return Some((1, format!("allows it on {negation}{listed}, not on this {}{why}", question.subject.noun())));
    }
    let names_it = covers_subject(statement, &question) && !resources.patterns.iter().any(|pattern| pattern == "*");
    names_it.then(|| (2, format!("allows other actions on this {}, not this one", question.subject.noun())))
}

#[cfg(test)]
mod tests;
