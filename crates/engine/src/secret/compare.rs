//! What differs between the spec of an `ExternalSecret` and AWS, and why it does. As for a `SharedKey`: one list of small pure checks.

mod aspect;
mod key;
mod owner;
mod policy;
mod replica;
mod target;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_api::{DriftKind, Mode, conditions::Reason};
use sharedkey_policy::{EntityArn, NormalContext, PolicyDocument, SecretArn};

pub(super) use self::aspect::{differing, of_description, of_tags};
pub use self::key::versions_due;
use self::owner::Owner;
pub use super::verdict::{ReaderVerdict, SecretVerdict};
use super::{
    desired::DesiredSecret,
    observed::{Described, ObservedSecret},
    verdict,
};
use crate::{
    compare::{
        Cause, Finding, WantedStatement, access, delegation, key as any_key, leftovers, managed,
        principal::{Named, strangers},
        quota,
        side::Side,
        stray,
    },
    delegate::Delegate,
    ledger::{Record, Resource, State, Target},
    plan::Blocker,
    problem::Trouble,
};

/// The result of a comparison.
#[derive(Clone, Debug)]
pub struct SecretComparison {
    /// The secret, if it exists and is this object's, or is to become so.
    pub arn: Option<SecretArn>,
    /// Whether it is still to become so.
    pub adopting: bool,
    /// Whether it is somebody else's, of which nothing is told.
    pub is_others: bool,
    /// The statements that have to stand in the resource policy.
    pub statements: Vec<WantedStatement>,
    /// Principals that are not named although the spec names them, with the unique id of the one that was trusted (D§1.4).
    pub left_out: BTreeMap<EntityArn, String>,
    /// What differs.
    pub findings: Vec<Finding>,
    /// What is ours in AWS and no longer asked for.
    pub leftovers: Vec<Target>,
    /// What has to change before anything is given.
    pub blockers: Vec<Blocker>,
    /// What each principal can do.
    pub verdicts: Vec<ReaderVerdict>,
    /// What keeps the value from being pushed.
    pub source_trouble: Option<Trouble>,
    /// What keeps the value from being written to the target.
    pub target_trouble: Option<Trouble>,
    /// Fingerprint of key and versions, where all of them are known to be encrypted with the key: for the ledger.
    pub versions: Option<String>,
}

/// What all checks look at.
pub(super) struct Case<'a> {
    pub(super) desired: &'a DesiredSecret,
    pub(super) observed: &'a ObservedSecret,
    pub(super) record: &'a Record,
    owner: &'a Owner,
    /// The secret, where it can be used and may be compared.
    pub(super) described: Option<&'a Described>,
    pub(super) document: Option<&'a PolicyDocument>,
    pub(super) statements: &'a [WantedStatement],
    pub(super) side: &'a Side<'a>,
    pub(super) verdicts: &'a [ReaderVerdict],
}

type Check = fn(&Case<'_>) -> Vec<Finding>;

/// Every check, in the order in which status lists what they find.
const CHECKS: [Check; 20] = [
    key::missing,
    key::state,
    owner::missing,
    owner::pending_deletion,
    key::changed,
    key::versions,
    value::changed,
    aspect::description,
    aspect::tags,
    policy::unreadable,
    policy::missing,
    policy::changed,
    policy::emptied,
    policy::strays,
    replica::replicas,
    |case| delegation::entity_missing(case.side),
    |case| [delegation::inline(case.side), managed::managed(case.side)].concat(),
    |case| stray::policies(case.side),
    blocked,
    target::target,
];

fn blocked(case: &Case<'_>) -> Vec<Finding> {
    let principals = case.verdicts.iter().flat_map(|reader| &reader.principals);
    principals.flat_map(|verdict| access::blocked(&verdict.principal, "secret")).collect()
}

/// Compares the spec with AWS.
pub fn compare(desired: &DesiredSecret, observed: &ObservedSecret, record: &Record) -> SecretComparison {
    let owner = Owner::of(desired, observed, record);
    // What is somebody else's can be watched.
    let found = observed.described().filter(|_| owner.may_write() || desired.mode == Mode::Observe);
    // What is scheduled for deletion answers hardly any question (D§5.7).
    let described = found.filter(|found| found.deletion.is_none());
    let document = described.and_then(|_| observed.document());
    let named: Vec<Named<'_>> = desired
        .readers
        .iter()
        .map(|reader| {
            let sid = desired.names.secret_sid(&reader.name);
            Named {
                principals: &reader.principals,
                statement: document.as_ref().and_then(|document| document.with_sid(sid.as_str()).next()),
                recorded: record.targets.iter().any(|target| target.resource.is_statement(sid.as_str())),
            }
        })
        .collect();
    let strangers = strangers(&named, &observed.entities, record, false);
    let context =
        NormalContext { partition: desired.partition(), unique_ids: crate::observed::unique_ids(&observed.entities) };
    let arn = found.map(|found| &found.arn);
    let statements = wanted(desired, &strangers.left_out);
    let delegates = desired.delegates(arn);
    let asked = asked(desired, &delegates);
    let is_others = observed.described().is_some() && found.is_none();
    let verdicts = if is_others { verdict::of_others(desired) } else { verdict::verdicts(desired, observed) };
    let side = Side {
        names: &desired.names,
        home: &desired.account,
        delegates: &delegates,
        entities: &observed.entities,
        managed: &observed.managed,
        record,
        asked: &asked,
        left_out: &strangers.left_out,
        healing: &strangers.healing,
        context: &context,
        quotas: &desired.quotas,
        take_over: desired.take_over,
    };
    let case = Case {
        desired,
        observed,
        record,
        owner: &owner,
        described,
        document: document.as_ref(),
        statements: &statements,
        side: &side,
        verdicts: &verdicts,
    };
    let findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(&case)).collect();
    let mut leftovers = leftovers(&desired.refused, &asked, record);
    leftovers.extend(stray::taken_over(&side, || [policy::strays(&case), stray::policies(&side)].concat()));
    SecretComparison {
        arn: arn.filter(|_| owner.may_write()).cloned(),
        adopting: owner == Owner::Adoptable,
        is_others,
        blockers: blockers(&case, &owner, &findings),
        source_trouble: value::trouble(&case),
        target_trouble: target::trouble(&case),
        versions: key::checked(&case),
        left_out: strangers.left_out.clone(),
        statements,
        findings,
        leftovers,
        verdicts,
    }
}

fn wanted(desired: &DesiredSecret, left_out: &BTreeMap<EntityArn, String>) -> Vec<WantedStatement> {
    let stated =
        desired.readers.iter().filter_map(|reader| Some((reader, reader.statement(&desired.names, left_out)?)));
    stated
        .map(|(reader, statement)| WantedStatement {
            consumer: reader.name.clone(),
            resource: desired.statement_of(&reader.name),
            statement,
        })
        .collect()
}

/// What the spec asks for, even where it cannot be stated at the moment because a principal is gone.
fn asked(desired: &DesiredSecret, delegates: &[Delegate<'_>]) -> BTreeSet<Resource> {
    let policies = delegates.iter().flat_map(|delegate| {
        delegate.principals.iter().flat_map(|principal| delegate.delegated_by(&desired.names, principal))
    });
    let statements = desired.readers.iter().map(|reader| desired.statement_of(&reader.name));
    let replicas = desired.replicas.keys().map(|region| desired.replica_in(region));
    policies.chain(statements).chain(replicas).chain(desired.itself()).collect()
}

/// What keeps anything from being given at all.
fn blockers(case: &Case<'_>, owner: &Owner, findings: &[Finding]) -> Vec<Blocker> {
    let keys = case.desired.keys().filter_map(|key| key.as_ref().err());
    let mut blockers: Vec<Blocker> = keys
        .chain(case.desired.refused.values())
        .map(|refusal| Blocker { reason: refusal.reason, message: refusal.message.clone() })
        .collect();
    blockers.extend(case.desired.waits.iter().cloned());
    if case.desired.mode == Mode::Enforce {
        blockers.extend(owner.blocker().cloned());
    }
    for finding in findings {
        let reason = match (finding.kind, finding.cause) {
            (_, Cause::Conflict) => Reason::OwnerConflict,
            (DriftKind::ResourcePolicyChanged, _) if policy::is_unreadable(case) => Reason::PolicyMalformed,
            (DriftKind::EntityMissing, Cause::NotYet) => Reason::PrincipalNotFound,
            (DriftKind::SecretPendingDeletion, Cause::Drift | Cause::NotYet) if !finding.is_mendable() => {
                Reason::SecretPendingDeletion
            }
            (kind, _) => match any_key::reason(kind) {
                Some(reason) => reason,
                None => continue,
            },
        };
        blockers.push(Blocker { reason, message: finding.message.clone() });
    }
    blockers.extend(key::unread(case));
    blockers.extend(key::incapable(case));
    blockers.extend(quota::exceeded(case.side, findings));
    blockers
}

impl Case<'_> {
    /// A difference of the secret itself.
    pub(super) fn finding(
        &self,
        kind: DriftKind,
        cause: Cause,
        resource: Option<Resource>,
        subject: impl Into<String>,
        message: String,
    ) -> Finding {
        Finding {
            kind,
            cause,
            account: self.desired.account.id.clone(),
            principals: Vec::new(),
            resource,
            subject: subject.into(),
            expected: None,
            observed: None,
            message,
        }
    }

    /// Why a part of the secret differs. What stands there and the ledger does not know came with a secret that is being taken over.
    pub(super) fn part_cause(&self, resource: &Resource, found: &str, lagging: bool) -> Cause {
        match self.record.get(resource) {
            _ if lagging => Cause::Propagating,
            Some(known) if known.fingerprint == found => Cause::SpecChanged,
            Some(Target { state: State::Applied, .. }) => Cause::Drift,
            Some(_) | None => Cause::NotYet,
        }
    }
}

#[cfg(test)]
mod tests;
