//! What differs between the spec and AWS, and why it does.
//!
//! One list of small pure checks, at least one for each drift kind (design §13); each file holds the checks of one layer with their
//! tests. Comparing cannot fail: what could not be read was said in [`Observed`], and no check guesses about it.

pub(crate) mod access;
pub(crate) mod delegation;
mod duplicate;
pub(crate) mod key;
pub(crate) mod managed;
pub(crate) mod principal;
pub(crate) mod quota;
pub(crate) mod side;
mod statement;
pub(crate) mod stray;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_api::{DriftKind, DriftLayer, Mode, conditions::Reason};
use sharedkey_policy::{AccountId, EntityArn, KeyArn, NormalContext, PolicyDocument, Statement};

use self::{principal::Strangers, side::Side};
use crate::{
    delegate::Delegate,
    desired::Desired,
    ledger::{Record, Resource, Target},
    observed::Observed,
    plan::Blocker,
    resolve::Refusal,
    verdict::{self, ConsumerVerdict},
};

/// The result of a comparison.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The key that the object is bound to, once it is known.
    pub key: Option<KeyArn>,
    /// The statements that have to stand in the key policy.
    pub statements: Vec<WantedStatement>,
    /// Principals that are not named although the spec names them, because they are gone or were recreated by somebody (D§1.4),
    /// with the unique id of the one that was trusted.
    pub left_out: BTreeMap<EntityArn, String>,
    /// What differs.
    pub findings: Vec<Finding>,
    /// What is ours in AWS and no longer asked for.
    pub leftovers: Vec<Target>,
    /// What has to change before anything is shared.
    pub blockers: Vec<Blocker>,
    /// What each principal can do.
    pub verdicts: Vec<ConsumerVerdict>,
}

/// A statement of ours, as it has to be.
#[derive(Clone, Debug)]
pub struct WantedStatement {
    /// The consumer that it is for.
    pub consumer: String,
    /// How the ledger knows it.
    pub resource: Resource,
    /// The statement.
    pub statement: Statement,
}

/// Why something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody else changed it.
    Drift,
    /// We have not written it yet.
    NotYet,
    /// The spec changed since we wrote it.
    SpecChanged,
    /// We wrote it a moment ago, and this reading is older (D§1.5).
    Propagating,
    /// It stands under our name, and we do not know it.
    Conflict,
    /// It could not be otherwise while something else differs, which is a finding of its own.
    Follows,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What differs.
    pub kind: DriftKind,
    /// Why it differs.
    pub cause: Cause,
    /// The account in which it differs.
    pub account: AccountId,
    /// The principals that it concerns.
    pub principals: Vec<String>,
    /// The thing of ours that a write would mend.
    pub resource: Option<Resource>,
    /// Sid, policy, alias, key or principal.
    pub subject: String,
    /// How it should be.
    pub expected: Option<String>,
    /// How it is.
    pub observed: Option<String>,
    /// The sentence for people: what differs and what that means.
    pub message: String,
}

impl Finding {
    /// Whether a write of ours mends it. The rest needs a decision that is not ours, like trusting a recreated role (D§1.4).
    pub fn is_mendable(&self) -> bool {
        self.resource.is_some() || self.kind.layer() == DriftLayer::Target
    }

    /// Whether status reports the finding as drift. In Observe mode nothing is written, so whatever differs is outstanding.
    pub fn is_drift(&self, mode: Mode) -> bool {
        match self.cause {
            Cause::Drift => true,
            Cause::NotYet | Cause::SpecChanged | Cause::Conflict => mode == Mode::Observe,
            Cause::Propagating | Cause::Follows => false,
        }
    }
}

/// What all checks look at.
pub(crate) struct Case<'a> {
    pub desired: &'a Desired,
    pub observed: &'a Observed,
    pub key: Option<&'a KeyArn>,
    pub statements: &'a [WantedStatement],
    pub side: &'a Side<'a>,
    pub left_out: &'a BTreeMap<EntityArn, String>,
    pub healing: &'a BTreeMap<EntityArn, String>,
    pub context: &'a NormalContext,
    pub verdicts: &'a [ConsumerVerdict],
}

impl<'a> Case<'a> {
    pub(crate) fn owner(&self) -> &'a AccountId {
        &self.desired.key.account.id
    }

    pub(crate) fn document(&self) -> Option<&'a PolicyDocument> {
        self.observed.document()
    }

    /// See [`Side::cause`].
    pub(crate) fn cause(&self, resource: &Resource, found: Option<&str>, lagging: bool) -> Cause {
        self.side.cause(resource, found, lagging)
    }
}

type Check = fn(&Case<'_>) -> Vec<Finding>;

/// Every check, in the order in which status lists what they find.
const CHECKS: [Check; 17] = [
    key::missing,
    key::state,
    key::alias,
    statement::unreadable,
    statement::missing,
    statement::changed,
    statement::emptied,
    duplicate::same_sid,
    duplicate::copied,
    stray::statements,
    principal::recreated,
    principal::orphaned,
    |case| delegation::entity_missing(case.side),
    |case| delegation::inline(case.side),
    |case| managed::managed(case.side),
    |case| stray::policies(case.side),
    access::of_key,
];

/// Compares the spec with AWS.
pub fn compare(desired: &Desired, observed: &Observed, record: &Record) -> Comparison {
    let key = observed.key.arn.as_ref().ok().and_then(Option::as_ref);
    let strangers = principal::of_key(desired, observed, record);
    let left_out = &strangers.left_out;
    let context = NormalContext { partition: desired.key.partition(), unique_ids: observed.unique_ids() };
    let statements = key.map(|key| wanted(desired, key, left_out)).unwrap_or_default();
    let asked = asked(desired, key, left_out, &statements);
    let verdicts = verdict::verdicts(desired, observed, key);
    let delegates = desired.delegates(key);
    let side = side(desired, observed, record, &delegates, &asked, &strangers, &context);
    let case = Case {
        desired,
        observed,
        key,
        statements: &statements,
        side: &side,
        left_out,
        healing: &strangers.healing,
        context: &context,
        verdicts: &verdicts,
    };
    let findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(&case)).collect();
    let blockers = blockers(&case, &findings);
    let mut leftovers = leftovers(&desired.refused, &asked, record);
    leftovers.extend(stray::taken_over(&side, || [stray::statements(&case), stray::policies(&side)].concat()));
    Comparison { key: key.cloned(), statements, left_out: strangers.left_out, findings, leftovers, blockers, verdicts }
}

fn side<'a>(
    desired: &'a Desired,
    observed: &'a Observed,
    record: &'a Record,
    delegates: &'a [Delegate<'a>],
    asked: &'a BTreeSet<Resource>,
    strangers: &'a Strangers,
    context: &'a NormalContext,
) -> Side<'a> {
    Side {
        names: &desired.names,
        home: &desired.key.account,
        delegates,
        entities: &observed.entities,
        managed: &observed.managed,
        record,
        asked,
        left_out: &strangers.left_out,
        healing: &strangers.healing,
        context,
        quotas: &desired.quotas,
        take_over: desired.take_over,
    }
}

fn wanted(desired: &Desired, key: &KeyArn, left_out: &BTreeMap<EntityArn, String>) -> Vec<WantedStatement> {
    desired
        .consumers
        .iter()
        .flat_map(|consumer| {
            consumer.key_statements(&desired.names, key.partition(), left_out).into_iter().map(|statement| {
                let sid = statement.sid().unwrap_or_default().to_owned();
                WantedStatement {
                    consumer: consumer.name.clone(),
                    resource: Resource::Statement { key: key.clone(), sid },
                    statement,
                }
            })
        })
        .collect()
}

/// What the spec asks for, even where it cannot be stated at the moment because a principal is gone.
fn asked(
    desired: &Desired,
    key: Option<&KeyArn>,
    left_out: &BTreeMap<EntityArn, String>,
    statements: &[WantedStatement],
) -> BTreeSet<Resource> {
    let mut asked: BTreeSet<Resource> = BTreeSet::new();
    for consumer in &desired.consumers {
        asked.extend(consumer.principals.iter().flat_map(|principal| consumer.delegated_by(&desired.names, principal)));
    }
    asked.extend(statements.iter().map(|wanted| wanted.resource.clone()));
    if let Some(key) = key.filter(|_| !left_out.is_empty()) {
        asked.extend(wanted(desired, key, &BTreeMap::new()).into_iter().map(|wanted| wanted.resource));
    }
    asked
}

/// What the ledger knows as ours and the spec no longer asks for.
///
/// What was shared with a consumer that is refused now stays: it is asked for, and nobody can say how it should look.
pub(crate) fn leftovers(
    refused: &BTreeMap<String, Refusal>,
    asked: &BTreeSet<Resource>,
    record: &Record,
) -> Vec<Target> {
    let refused = |target: &Target| refused.contains_key(&target.consumer);
    let targets = record.targets.iter().filter(|target| !refused(target) && !asked.contains(&target.resource));
    targets.cloned().collect()
}

/// What keeps the object from being shared at all: the key, a principal that does not exist, or somebody's statement under our
/// name. Writing one half then would only leave half a share.
fn blockers(case: &Case<'_>, findings: &[Finding]) -> Vec<Blocker> {
    let refused = case.desired.refused.values();
    let mut blockers: Vec<Blocker> =
        refused.map(|refusal| Blocker { reason: refusal.reason, message: refusal.message.clone() }).collect();
    for finding in findings {
        let reason = match (finding.kind, finding.cause) {
            (_, Cause::Conflict) => Reason::OwnerConflict,
            (DriftKind::PolicyUnreadable, _) => Reason::PolicyMalformed,
            (DriftKind::EntityMissing, Cause::NotYet) => Reason::PrincipalNotFound,
            (kind, _) => match key::reason(kind) {
                Some(reason) => reason,
                None => continue,
            },
        };
        blockers.push(Blocker { reason, message: finding.message.clone() });
    }
    blockers.extend(key::unwritable(case));
    blockers.extend(key::incapable(case));
    blockers.extend(quota::exceeded(case.side, findings));
    blockers
}
