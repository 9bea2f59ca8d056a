//! Both halves together, by the tables of D§1.3 and D§5.1.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::identity::Attached;
use super::key_policy::{self, Reaching};
use super::question::{Answer, OF_ALL, Parties, Question, Reach, Tells, alternatives};
use super::statement::covers_action;
use super::subject::Subject;
use super::{Caller, IdentityPolicies, actions_of, add_new, identity, is_pattern};
use crate::actions::{is_cross_account, is_known};
use crate::arn::{KeyArn, SecretArn};
use crate::document::{Effect, PolicyDocument};

/// Whether a principal may do something with a key or secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may, as long as every condition holds.
    Allowed {
        /// The statements that each open a way, and how they mean the caller.
        by: Vec<Arc<str>>,
        /// Conditions that only a request decides.
        conditions: Vec<String>,
    },
    /// It may not.
    Denied {
        /// What stands in the way.
        half: Half,
        /// Why, in words.
        reason: String,
    },
}

/// What stands in the way of access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::Display, strum::AsRefStr)]
pub enum Half {
    /// The policy of the key or secret does not allow, or nothing that it says can have an effect.
    ResourcePolicy,
    /// The caller's account does not allow.
    Delegation,
    /// The permissions boundary does not allow.
    Boundary,
    /// A Deny in any document.
    ExplicitDeny,
}

/// A caller before both halves. Which statements of the key's or secret's policy mean him is found out once, for all actions.
pub struct Access<'a> {
    policy: &'a PolicyDocument,
    identity: &'a IdentityPolicies,
    reaching: Reaching<'a>,
    attached: Attached<'a>,
    /// What filters and never gives (D§4.5).
    boundary: Option<Attached<'a>>,
    parties: Parties<'a>,
}

impl<'a> Access<'a> {
    /// A caller, the key, and what both halves say, as far as it may be told.
    pub fn new(
        key_policy: &'a PolicyDocument,
        identity: &'a IdentityPolicies,
        key: &'a KeyArn,
        caller: &Caller<'a>,
        tells: Tells<'a>,
    ) -> Self {
        Self::to(Subject::Key { key, within: None }, key_policy, identity, caller, tells)
    }

    /// The same for a key that Secrets Manager uses for a secret, in the caller's name (D§5.2): what it sends is known, and conditions
    /// on it are decided.
    pub fn within(
        key_policy: &'a PolicyDocument,
        identity: &'a IdentityPolicies,
        key: &'a KeyArn,
        secret: &'a SecretArn,
        caller: &Caller<'a>,
        tells: Tells<'a>,
    ) -> Self {
        Self::to(Subject::Key { key, within: Some(secret) }, key_policy, identity, caller, tells)
    }

    /// A caller, a secret, and what both halves say. Within the secret's account one of them is enough, across accounts both must allow
    /// (D§5.1). What encrypts the secret is another question.
    pub fn to_secret(
        policy: &'a PolicyDocument,
        identity: &'a IdentityPolicies,
        secret: &'a SecretArn,
        caller: &Caller<'a>,
        tells: Tells<'a>,
    ) -> Self {
        Self::to(Subject::Secret(secret), policy, identity, caller, tells)
    }

    fn to(
        subject: Subject<'a>,
        policy: &'a PolicyDocument,
        identity: &'a IdentityPolicies,
        caller: &Caller<'a>,
        tells: Tells<'a>,
    ) -> Self {
        let parties = Parties::new(caller, subject, tells);
        Self {
            policy,
            identity,
            reaching: Reaching::new(policy, &parties),
            attached: Attached::new(&identity.policies, &parties),
            boundary: identity.boundary.as_ref().map(|boundary| Attached::new([boundary], &parties)),
            parties,
        }
    }

    /// Computes the verdict for an action, as [`verdict()`] does.
    pub fn verdict(&self, action: &str) -> Verdict {
        if !is_pattern(action) {
            return self.one(self.parties.about(action));
        }
        let (mut all_by, mut all_conditions) = (Vec::new(), Vec::new());
        for action in actions_of(action) {
            match self.one(self.parties.about(action)) {
                Verdict::Allowed { by, conditions } => {
                    add_new(&mut all_by, by);
                    add_new(&mut all_conditions, conditions);
                }
                denied @ Verdict::Denied { .. } => return denied,
            }
        }
        Verdict::Allowed { by: all_by, conditions: all_conditions }
    }

    /// The verdicts for many actions, each with those that share it: what the same statements allow without a condition is decided
    /// once.
    pub fn verdicts<'q>(&self, actions: impl IntoIterator<Item = &'q str>) -> Vec<(Verdict, Vec<&'q str>)> {
        let mut verdicts: Vec<(Verdict, Vec<&'q str>)> = Vec::new();
        let mut places: BTreeMap<Vec<bool>, usize> = BTreeMap::new();
        for action in actions {
            let covering = self.covering(action);
            let place = covering.as_ref().and_then(|covering| places.get(covering));
            if let Some((_, sharing)) = place.and_then(|&place| verdicts.get_mut(place)) {
                sharing.push(action);
                continue;
            }
            let verdict = self.verdict(action);
            // A denial tells of its action.
            if let (Some(covering), Verdict::Allowed { .. }) = (covering, &verdict) {
                places.insert(covering, verdicts.len());
            }
            verdicts.push((verdict, vec![action]));
        }
        verdicts
    }

    /// Which statements are about an action; none where more than that decides.
    fn covering(&self, action: &str) -> Option<Vec<bool>> {
        let question = self.parties.about(action);
        if is_pattern(action) || no_effect(question).is_some() {
            return None;
        }
        let attached = self.attached.statements().chain(self.boundary.iter().flat_map(Attached::statements));
        let covering = self.reaching.statements().chain(attached).map(|statement| {
            let covers = covers_action(statement, question);
            let decides = statement.effect() == Effect::Allow && statement.conditions().is_empty();
            (decides || !covers).then_some(covers)
        });
        covering.collect()
    }
}

/// Computes the verdict for a caller and an action. For many actions of one caller, ask [`Access`].
///
/// A pattern such as `kms:ReEncrypt*` asks about all known actions that it covers: the first that is denied decides.
///
/// Within the owner's account a key policy that names the caller is enough; a role then still needs its boundary to
/// allow, a user does not, and neither does who is let in by `*` (D§1.2). One that names the account needs an identity policy. Across
/// accounts both halves must allow. Organisation policies, session policies and grants are not judged here.
pub fn verdict(
    key_policy: &PolicyDocument,
    identity: &IdentityPolicies,
    key: &KeyArn,
    caller: &Caller<'_>,
    action: &str,
) -> Verdict {
    Access::new(key_policy, identity, key, caller, OF_ALL).verdict(action)
}

/// The answers of everybody who is asked.
struct Answers {
    resource: Answer,
    identity: Answer,
    boundary: Option<Answer>,
}

impl Access<'_> {
    fn one(&self, question: Question<'_>) -> Verdict {
        let denied = |half, reason| Verdict::Denied { half, reason };
        if let Some(reason) = no_effect(question) {
            return denied(Half::ResourcePolicy, reason);
        }
        let answers = Answers {
            resource: self.reaching.answer(question),
            identity: self.attached.answer(question),
            boundary: self.boundary.as_ref().map(|boundary| boundary.answer(question)),
        };
        if let Some(reason) = explicit_deny(&answers, question) {
            return denied(Half::ExplicitDeny, reason);
        }
        match ways(&answers, question) {
            Ok(ways) => {
                let mut conditions = alternatives(ways.iter().map(|(_, conditions)| conditions.as_slice()));
                let answers = [Some(&answers.resource), Some(&answers.identity), answers.boundary.as_ref()];
                for answer in answers.into_iter().flatten() {
                    add_new(&mut conditions, answer.caveats.clone());
                }
                Verdict::Allowed { by: ways.into_iter().map(|(by, _)| by).collect(), conditions }
            }
            Err(half) => denied(half, self.missing(half, question)),
        }
    }

    fn missing(&self, half: Half, question: Question<'_>) -> String {
        let Question { parties: Parties { arn, account, subject, .. }, action } = question;
        let (what, near_miss) = match half {
            Half::ResourcePolicy | Half::ExplicitDeny => (
                format!("the {} does not allow {action} to {arn}", subject.policy()),
                key_policy::near_miss(self.policy, question),
            ),
            Half::Delegation => (
                format!("no identity policy in account {account} allows {action} on the {} to {arn}", subject.noun()),
                identity::near_miss(&self.identity.policies, question),
            ),
            Half::Boundary => (
                format!(
                    "the permissions boundary {} of {arn} does not allow {action}",
                    identity::boundary_name(self.identity)
                ),
                identity::boundary_near_miss(self.identity, question),
            ),
        };
        near_miss.map_or_else(|| what.clone(), |near_miss| format!("{what}; {near_miss}"))
    }
}

/// Partitions never meet, and most actions on a key have no effect from another account (D§2.1, D§7).
fn no_effect(question: Question<'_>) -> Option<String> {
    let Question { parties: Parties { arn, subject, partition, .. }, action } = question;
    if *partition != subject.partition() {
        return Some(format!(
            "{arn} is of partition {partition}, the {} of {}: nothing crosses partitions",
            subject.noun(),
            subject.partition()
        ));
    }
    let inert = question.is_cross_account() && !is_cross_account(action) && is_known(action);
    inert.then(|| format!("{action} has no effect across accounts, whatever the policies say"))
}

fn explicit_deny(answers: &Answers, question: Question<'_>) -> Option<String> {
    let boundary = answers.boundary.as_ref().and_then(|answer| answer.denied.as_ref());
    let (place, deny) = match (&answers.resource.denied, &answers.identity.denied, boundary) {
        (Some(deny), _, _) => (format!("{}, ", question.subject.policy()), deny),
        (None, Some(deny), _) => (String::new(), deny),
        (None, None, Some(deny)) => ("permissions boundary ".to_owned(), deny),
        (None, None, None) => return None,
    };
    let because =
        if deny.conditions.is_empty() { String::new() } else { format!(" ({})", deny.conditions.join(" and ")) };
    Some(format!("{place}{} denies {}{because}", deny.by, question.action))
}

/// The statement that opens a way, and what it takes.
type Way = (Arc<str>, Vec<String>);

/// Every way that is open, as the statement and what it takes; or the half that closes them all.
fn ways(answers: &Answers, question: Question<'_>) -> Result<Vec<Way>, Half> {
    let mut open = Vec::new();
    let mut closed = None;
    for allow in &answers.resource.allows {
        let mut conditions = allow.conditions.clone();
        match needed(allow.reach, question).iter().try_for_each(|half| pass(*half, answers, &mut conditions)) {
            Ok(()) => open.push((Arc::clone(&allow.by), conditions)),
            Err(half) => closed = closed.or(Some(half)),
        }
    }
    if let Some(way) = by_identity(answers, question) {
        open.push(way);
    }
    if open.is_empty() { Err(closed.unwrap_or(Half::ResourcePolicy)) } else { Ok(open) }
}

/// The way that leads to a secret past its resource policy (D§5.1). To a key there is none (D§1.3).
fn by_identity(answers: &Answers, question: Question<'_>) -> Option<Way> {
    if question.is_cross_account() || !matches!(question.subject, Subject::Secret(_)) {
        return None;
    }
    let by = answers.identity.allows.iter().min_by_key(|allow| allow.conditions.len())?.by.clone();
    let mut conditions = Vec::new();
    [Half::Delegation, Half::Boundary].iter().try_for_each(|half| pass(*half, answers, &mut conditions)).ok()?;
    Some((by, conditions))
}

/// What the policy of a key or secret alone does not settle (D§1.2, D§1.3).
fn needed(reach: Reach, question: Question<'_>) -> &'static [Half] {
    match reach {
        _ if question.is_cross_account() => &[Half::Delegation, Half::Boundary],
        Reach::Account => &[Half::Delegation, Half::Boundary],
        Reach::Named if question.is_role() => &[Half::Boundary],
        Reach::Named | Reach::Everyone => &[],
    }
}

fn pass(half: Half, answers: &Answers, conditions: &mut Vec<String>) -> Result<(), Half> {
    let answer = match half {
        Half::Boundary => answers.boundary.as_ref(),
        _ => Some(&answers.identity),
    };
    let Some(answer) = answer else { return Ok(()) };
    if answer.allows.is_empty() {
        return Err(half);
    }
    add_new(conditions, alternatives(answer.allows.iter().map(|allow| allow.conditions.as_slice())));
    Ok(())
}

#[cfg(test)]
mod tests;
