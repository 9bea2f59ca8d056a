//! The owner's half: what the policy of a key or secret says to a caller (D§1.2, D§1.3, D§5.1).

use super::condition::{Outcome, judge};
use super::question::{Answer, Meant, Parties, Question, Reach};
use super::statement::{covers_action, covers_subject};
use crate::arn::{EntityArn, is_account_id, principal_parts};
use crate::document::{Effect, PolicyDocument, Principals, Statement, StatementName};
use crate::lint::is_unique_id;

/// The statements of such a policy that are about the subject and mean a caller, whatever he asks for.
pub(crate) struct Reaching<'a>(Vec<Reached<'a>>);

/// A statement, and what is open about whether it means the caller.
struct Reached<'a> {
    meant: Meant<'a>,
    open: Option<String>,
}

impl<'a> Reaching<'a> {
    pub(crate) fn new(document: &'a PolicyDocument, parties: &Parties<'_>) -> Self {
        let reached = document.statements().iter().enumerate().filter_map(|(index, statement)| {
            let (reach, open) = reach(statement, parties).filter(|_| covers_subject(statement, parties))?;
            let name = StatementName::of(index, statement).to_string();
            Some(Reached { meant: Meant::new(statement, name, reach, is_told(statement, parties)), open })
        });
        Self(reached.collect())
    }

    pub(super) fn statements(&self) -> impl Iterator<Item = &'a Statement> {
        self.0.iter().map(|reached| reached.meant.statement)
    }

    /// Asks them about an action.
    pub(crate) fn answer(&self, question: Question<'_>) -> Answer {
        let mut answer = Answer::default();
        for Reached { meant, open } in &self.0 {
            if covers_action(meant.statement, question) {
                answer.add(meant, with_open(judge(meant.statement.conditions(), question), open.clone()));
            }
        }
        answer
    }
}

fn is_told(statement: &Statement, parties: &Parties<'_>) -> bool {
    statement.sid().is_none_or(parties.tells)
}

/// Asks every statement of such a policy.
pub(crate) fn key_policy_answer(document: &PolicyDocument, question: Question<'_>) -> Answer {
    Reaching::new(document, &question).answer(question)
}

/// The statement that comes closest to allowing, and what it lacks. Apart from the answer, because it looks at every principal of the
/// document, and only what is denied needs it.
pub(crate) fn near_miss(document: &PolicyDocument, question: Question<'_>) -> Option<String> {
    let told = |statement: &Statement| statement.effect() == Effect::Allow && is_told(statement, &question);
    let allows = document.named().filter(|(_, statement)| told(statement));
    let misses = allows.filter_map(|(name, statement)| {
        let reached = reach(statement, &question);
        let judged = reached.map(|(_, open)| with_open(judge(statement.conditions(), question), open));
        miss(&name, statement, judged, question)
    });
    misses.min().map(|(_, text)| text)
}

/// Adds what is open about the principal itself to what is open about the conditions.
fn with_open(outcome: Outcome, open: Option<String>) -> Outcome {
    match (outcome, open) {
        (outcome, None) | (outcome @ Outcome::Fails(_), _) => outcome,
        (Outcome::Holds, Some(open)) => Outcome::Depends(vec![open]),
        (Outcome::Depends(mut conditions), Some(open)) => {
            conditions.insert(0, open);
            Outcome::Depends(conditions)
        }
    }
}

/// How the listed principals mean the caller.
struct Listed {
    everyone: bool,
    named: bool,
    account: bool,
    /// A single session of the caller's role.
    session: Option<String>,
}

fn listed(principals: &Principals, parties: &Parties<'_>) -> Listed {
    let mut found = Listed { everyone: false, named: false, account: false, session: None };
    for value in principals.aws() {
        found.everyone |= value == "*";
        found.named |= value == parties.arn || Some(value) == parties.unique_id;
        found.account |= value == parties.root || value == parties.account.as_str();
        if parties.sessions.as_ref().is_some_and(|sessions| value.starts_with(sessions.as_str())) {
            found.session.get_or_insert_with(|| format!("only as session {value}"));
        }
    }
    found
}

/// How a statement's principals mean the caller, and what is open about it; none if they do not.
fn reach(statement: &Statement, parties: &Parties<'_>) -> Option<(Reach, Option<String>)> {
    let principals = statement.principals()?;
    let listed = listed(principals, parties);
    if principals.negated {
        return reach_by_exclusion(&listed, statement.effect());
    }
    match listed {
        Listed { everyone: true, .. } => Some((Reach::Everyone, None)),
        Listed { named: true, .. } => Some((Reach::Named, None)),
        Listed { account: true, .. } => Some((Reach::Account, None)),
        Listed { session, .. } => session.map(|session| (Reach::Named, Some(session))),
    }
}

/// `NotPrincipal` spares a role or user from a Deny only if its account is listed beside it; what is listed of the
/// caller's account keeps it from an Allow. Where AWS leaves it open, the answer is open too.
fn reach_by_exclusion(listed: &Listed, effect: Effect) -> Option<(Reach, Option<String>)> {
    let open = |text: &str| Some((Reach::Everyone, Some(text.to_owned())));
    let spared = match effect {
        Effect::Allow => listed.named || listed.account,
        Effect::Deny => listed.named && listed.account,
    };
    if listed.everyone || spared {
        None
    } else if listed.named {
        open("NotPrincipal lists the principal without its account")
    } else if listed.session.is_some() {
        open("NotPrincipal lists a session of the principal")
    } else {
        Some((Reach::Everyone, None))
    }
}

/// What an Allow statement that does not help comes closest to; the smaller the rank, the closer.
fn miss(
    name: &StatementName,
    statement: &Statement,
    judged: Option<Outcome>,
    question: Question<'_>,
) -> Option<(u8, String)> {
    let (action, key) = (covers_action(statement, question), covers_subject(statement, &question));
    match judged {
        Some(outcome) if action && key && !outcome.fails() => None,
        Some(Outcome::Fails(condition)) if action && key => {
            Some((0, format!("{name} names it, but the condition {condition} does not hold")))
        }
        Some(_) if action && statement.resources().is_none() => {
            Some((1, format!("{name} has no Resource and so no effect")))
        }
        Some(_) if action => {
            Some((2, format!("{name} names it, but its Resource is not this {}", question.subject.noun())))
        }
        Some(_) if statement.actions().is_none() => Some((3, format!("{name} has no Action and so no effect"))),
        Some(_) => Some((4, format!("{name} names it, but not for this action"))),
        None if action && key => wrong_name(name, statement, question),
        None => None,
    }
}

/// A principal in the statement that is probably meant to be the caller.
fn wrong_name(name: &StatementName, statement: &Statement, question: Question<'_>) -> Option<(u8, String)> {
    let entity = question.entity?;
    let principals = statement.principals().filter(|principals| !principals.negated)?;
    // The name first: most names are others, and parsing takes its time.
    let similar = |value: &&str| {
        let name = value.rsplit('/').next().unwrap_or_default();
        name.eq_ignore_ascii_case(entity.name()) && value.parse::<EntityArn>().is_ok()
    };
    let other_partition = |value: &&str| {
        let parts = principal_parts(value);
        parts.is_some_and(|(_, account, resource)| account == entity.account().as_str() && resource == "root")
    };
    if let Some(value) = principals.aws().find(similar) {
        return Some((5, format!("{name} names {value}, which is another principal")));
    }
    if let Some(value) = principals.aws().filter(|value| !is_account_id(value)).find(other_partition) {
        return Some((5, format!("{name} names {value}, which is of another partition")));
    }
    let orphan = principals.aws().find(|value| is_unique_id(value))?;
    Some((6, format!("{name} names {orphan}, a principal that was deleted or recreated")))
}

#[cfg(test)]
mod tests;
