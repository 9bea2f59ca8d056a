//! What to do about a comparison of a secret: an ordered list of steps as plain data, or the reasons why nothing is done.

mod records;

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_api::{DriftKind, DriftLayer, Mode};
use sharedkey_policy::{Edit, NormalContext, Region, SecretArn, Sid};

use super::{
    compare::{SecretComparison, differing},
    desired::DesiredSecret,
    observed::{Described, ObservedSecret, SourceReading},
    revoke, write,
};
use crate::{
    compare::{Cause, Finding},
    delegate::Delegate,
    ledger::{Aspect, Record, Resource, State, Target},
    plan::{Action, Blocker, Clock, Plan, Step, adopted, contention, delegation::Delegating, narrow::Narrowing},
};

/// What to do, in order.
#[derive(Clone, Debug, Default)]
pub struct SecretPlan {
    /// The steps in AWS, what keeps from giving anything, and what is recorded without a write.
    pub plan: Plan,
    /// What the ledger knows and nobody asks for, although it stays in AWS: a description or a value that is no longer ours.
    pub forgets: Vec<Resource>,
    /// Whether the steps only clear the way: then AWS is observed again at once, and planned for anew. So it is where a secret is taken
    /// over: its value is read when it is known to be ours.
    pub more: bool,
    /// For [`Record::versions`].
    pub versions: Option<String>,
    /// Writing the target, once the steps are done. It needs a call of its own for the value.
    pub target: Option<TargetStep>,
}

/// Writes the value to the Kubernetes Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetStep {
    /// The secret whose current version is read.
    pub secret: SecretArn,
}

/// Plans the way from `observed` to `desired`.
///
/// In Observe mode nothing is written. While something blocks in Enforce mode, what was removed from the spec is still taken away:
/// readers, principals of those that are left, and replicas.
pub fn plan(
    desired: &DesiredSecret,
    observed: &ObservedSecret,
    record: &Record,
    comparison: &SecretComparison,
    clock: Clock,
) -> SecretPlan {
    let versions = comparison.versions.clone().or_else(|| record.versions.clone());
    if desired.mode == Mode::Observe {
        let plan = Plan { blockers: comparison.blockers.clone(), ..Plan::default() };
        return SecretPlan { plan, versions, ..SecretPlan::default() };
    }
    let planner = Planner { desired, observed, record, comparison, clock };
    let described = observed.described().filter(|_| comparison.arn.is_some());
    let edit = planner.edit();
    let mut blockers = comparison.blockers.clone();
    blockers.extend(described.and_then(|described| planner.refusal(described, &edit)));
    blockers.extend(contention(planner.open().filter(|finding| !ends_by_itself(finding)), record, clock));
    // What is written meanwhile would be written under a key that is not known, be it only for a moment. To restore a secret takes none.
    let is_hidden = |described: &Described| described.deletion.is_none() && described.key.failure().is_some();
    let is_blocked = !blockers.is_empty() || described.is_some_and(is_hidden);
    let (steps, more) = match described {
        _ if is_blocked => (planner.revocations(), false),
        Some(described) if described.deletion.is_some() => {
            let steps = planner.restore(described);
            let more = !steps.is_empty();
            (steps, more)
        }
        Some(described) => (planner.mend(described, edit.clone()), comparison.adopting),
        None => {
            let steps = planner.create();
            let more = !steps.is_empty();
            (steps, more)
        }
    };
    let retreat =
        described.filter(|_| !is_blocked && !edit.put.is_empty()).and_then(|described| planner.retreat(described));
    let target = planner.target(&steps).filter(|_| !more);
    let adopts = if comparison.arn.is_some() { planner.adopts() } else { Vec::new() };
    SecretPlan { plan: Plan { steps, retreat, blockers, adopts }, forgets: planner.forgets(), more, versions, target }
}

/// What AWS may leave as it is whatever we write: it keeps nothing else from being written.
fn ends_by_itself(finding: &Finding) -> bool {
    matches!(finding.kind, DriftKind::VersionsOnOldKey | DriftKind::ReplicaChanged)
}

struct Planner<'a> {
    desired: &'a DesiredSecret,
    observed: &'a ObservedSecret,
    record: &'a Record,
    comparison: &'a SecretComparison,
    clock: Clock,
}

impl Planner<'_> {
    /// The context in which what we write is fingerprinted: it names principals by their ARNs, never by unique ids.
    fn context(&self) -> NormalContext {
        NormalContext::new(self.desired.partition())
    }

    fn unique_ids(&self) -> BTreeMap<String, String> {
        crate::observed::unique_ids(&self.observed.entities)
    }

    /// Findings that a write of ours mends.
    fn open(&self) -> impl Iterator<Item = &Finding> {
        self.comparison
            .findings
            .iter()
            .filter(|finding| finding.cause != Cause::Propagating && finding.resource.is_some())
    }

    fn is_open(&self, resource: &Resource) -> bool {
        self.open().any(|finding| finding.resource.as_ref() == Some(resource))
    }

    /// Whether it is worth another try.
    fn is_due(&self, resource: &Resource) -> bool {
        let Clock { now, contended_within } = self.clock;
        self.is_open(resource) && !self.record.is_contended(resource, now, contended_within)
    }

    fn step(&self, action: Action, records: Vec<Target>) -> Step {
        Step { account: self.desired.account.clone(), action, records, forgets: Vec::new() }
    }

    fn create(&self) -> Vec<Step> {
        let resource = self.desired.resource();
        let token = match &self.observed.source {
            SourceReading::NotStated => None,
            SourceReading::Value(value) => Some(value.version(None)),
            // It is made with its value, or not yet.
            SourceReading::Failed(_) => return Vec::new(),
        };
        let Some(key) = self.desired.key_arn().filter(|_| self.is_open(&resource)) else { return Vec::new() };
        let action = Action::CreateSecret {
            secret: self.desired.secret.clone(),
            token: token.clone(),
            description: self.desired.description.clone(),
            key: key.clone(),
            tags: self.desired.all_tags(),
        };
        let mut records = vec![self.secret_target(None)];
        records.extend(self.key_target());
        records.push(self.tags_target());
        records.extend(self.description_target());
        records.extend(token.map(|token| self.value_target(token)));
        // What stood on an earlier secret of the name went with it.
        let gone = self.record.targets.iter().map(|target| &target.resource);
        let gone = gone.filter(|resource| {
            let part = matches!(resource, Resource::SecretStatement { .. } | Resource::Replica { .. });
            part && resource.secret() == Some(&self.desired.secret)
        });
        vec![Step { forgets: gone.cloned().collect(), ..self.step(action, records) }]
    }

    fn restore(&self, described: &Described) -> Vec<Step> {
        if !self.is_open(&self.desired.resource()) {
            return Vec::new();
        }
        let mut records = vec![self.secret_target(Some(&described.arn))];
        // One that is only to be taken over becomes ours with its tags.
        if self.comparison.adopting {
            records.clear();
        }
        vec![self.step(Action::RestoreSecret { secret: described.arn.clone() }, records)]
    }

    /// Everything about a secret that exists: whose it is first, then what it is, then who reads it, then its copies.
    fn mend(&self, described: &Described, edit: Edit) -> Vec<Step> {
        let mut steps = self.other_secrets();
        steps.extend(self.tag(described));
        steps.extend(self.update(described));
        steps.extend(self.put_value(described));
        steps.extend(self.put_policy(described, edit));
        let broken: BTreeSet<&Resource> = self.open().filter_map(|finding| finding.resource.as_ref()).collect();
        let delegates = self.delegates();
        steps.extend(self.delegating(&delegates).steps(&broken));
        steps.extend(self.copies(described));
        steps.extend(self.policies());
        steps
    }

    fn tag(&self, described: &Described) -> Option<Step> {
        let tags = differing(&self.desired.all_tags(), described);
        if !self.is_open(&self.desired.aspect(Aspect::Tags)) || tags.is_empty() {
            return None;
        }
        let is_known = |known: &Target| known.state == State::Applied && known.fingerprint == described.arn.to_string();
        let claims = !self.record.get(&self.desired.resource()).is_some_and(is_known);
        let action = Action::TagSecret { secret: described.arn.clone(), tags, claims };
        Some(self.step(action, vec![self.secret_target(Some(&described.arn)), self.tags_target()]))
    }

    /// Description and key are one call. The key goes along where versions are left on another one, too: that moves them (D§5.4).
    fn update(&self, described: &Described) -> Option<Step> {
        let description =
            self.desired.description.clone().filter(|_| self.is_open(&self.desired.aspect(Aspect::Description)));
        let key = self.desired.key_arn().filter(|_| self.is_due(&self.desired.aspect(Aspect::Key))).cloned();
        if description.is_none() && key.is_none() {
            return None;
        }
        let mut records: Vec<Target> = key.iter().filter_map(|_| self.key_target()).collect();
        records.extend(description.as_ref().and_then(|_| self.description_target()));
        Some(self.step(Action::UpdateSecret { secret: described.arn.clone(), description, key }, records))
    }

    fn put_value(&self, described: &Described) -> Option<Step> {
        let SourceReading::Value(value) = &self.observed.source else { return None };
        if !self.is_open(&self.desired.aspect(Aspect::Value)) {
            return None;
        }
        let token = value.version(described.current());
        let action = Action::PutSecretValue { secret: described.arn.clone(), token: token.clone() };
        Some(self.step(action, vec![self.value_target(token)]))
    }

    fn put_policy(&self, described: &Described, edit: Edit) -> Option<Step> {
        if edit.is_empty() {
            return None;
        }
        let known = self.record.targets.iter().map(|target| &target.resource);
        let removed = |resource: &&Resource| edit.remove.iter().any(|sid| resource.is_statement(sid.as_str()));
        let forgets = known.filter(|resource| self.is_of_secret(resource)).filter(removed).cloned().collect();
        let records = self.statement_targets(&edit);
        let action = Action::PutResourcePolicy {
            secret: described.arn.clone(),
            owner: self.desired.names.owner().clone(),
            edit,
            unique_ids: self.unique_ids(),
        };
        Some(Step { forgets, ..self.step(action, records) })
    }

    /// A copy under another key is deleted and made anew, for AWS lets nobody change its key.
    fn copies(&self, described: &Described) -> Vec<Step> {
        let due = self.desired.replicas.iter().filter(|(region, _)| self.is_due(&self.desired.replica_in(region)));
        let wanted: BTreeMap<_, _> =
            due.filter_map(|(region, key)| Some((region.clone(), key.as_ref().ok()?.arn.clone()))).collect();
        let stale: BTreeSet<_> =
            wanted.keys().filter(|region| described.replicas.contains_key(region)).cloned().collect();
        let mut steps = Vec::new();
        if !stale.is_empty() {
            steps.push(self.step(self.removal(described, stale, true), Vec::new()));
        }
        if !wanted.is_empty() {
            let records = wanted.keys().filter_map(|region| self.replica_target(region)).collect();
            steps.push(self.step(Action::ReplicateSecret { secret: described.arn.clone(), replicas: wanted }, records));
        }
        steps.extend(self.removed_copies(described));
        steps
    }

    fn removed_copies(&self, described: &Described) -> Option<Step> {
        let gone: Vec<&Resource> =
            self.leftovers().filter(|resource| matches!(resource, Resource::Replica { .. })).collect();
        let region = |resource: &&Resource| match resource {
            Resource::Replica { region, .. } => Some(region.clone()),
            _ => None,
        };
        let regions = gone.iter().filter_map(region).collect();
        let action = self.removal(described, regions, false);
        let forgets = gone.into_iter().cloned().collect();
        Some(Step { forgets, ..self.step(action, Vec::new()) }).filter(|step| !step.forgets.is_empty())
    }

    fn removal(&self, described: &Described, regions: BTreeSet<Region>, anew: bool) -> Action {
        Action::RemoveReplicas { secret: described.arn.clone(), regions, tags: self.desired.owner_tags(), anew }
    }

    /// What is no longer asked for of this secret.
    fn leftovers(&self) -> impl Iterator<Item = &Resource> {
        self.comparison.leftovers.iter().map(|target| &target.resource).filter(|resource| self.is_of_secret(resource))
    }

    fn is_of_secret(&self, resource: &Resource) -> bool {
        resource.secret() == Some(&self.desired.secret)
    }

    /// What was written for an object of the same name on other secrets.
    fn other_secrets(&self) -> Vec<Step> {
        let others = self
            .comparison
            .leftovers
            .iter()
            .filter(|target| target.resource.secret().is_some_and(|secret| secret != &self.desired.secret));
        revoke::secrets(others, self.record, &self.desired.names, |_| revoke::Deletion::Retain)
    }

    fn policies(&self) -> Vec<Step> {
        crate::revoke::policies(self.comparison.leftovers.iter(), self.record)
    }

    /// Parts of the secret that are no longer ours, and stay.
    fn forgets(&self) -> Vec<Resource> {
        let parts = self.leftovers().filter(|resource| matches!(resource, Resource::SecretAspect { .. }));
        parts.cloned().collect()
    }

    fn target(&self, steps: &[Step]) -> Option<TargetStep> {
        let secret = self.comparison.arn.clone()?;
        let is_stale = self.comparison.findings.iter().any(|finding| finding.kind.layer() == DriftLayer::Target);
        let new_value = steps.iter().any(|step| matches!(step.action, Action::PutSecretValue { .. }));
        let wanted = self.desired.target.is_some() && self.comparison.target_trouble.is_none();
        (wanted && (is_stale || new_value)).then_some(TargetStep { secret })
    }

    fn delegates(&self) -> Vec<Delegate<'_>> {
        self.desired.delegates(self.comparison.arn.as_ref())
    }

    fn delegating<'b>(&'b self, delegates: &'b [Delegate<'b>]) -> Delegating<'b> {
        Delegating {
            names: &self.desired.names,
            delegates,
            entities: &self.observed.entities,
            managed: &self.observed.managed,
            context: self.context(),
        }
    }

    fn adopts(&self) -> Vec<Target> {
        let mut standing = self.standing();
        standing.extend(self.delegating(&self.delegates()).standing());
        adopted(standing, &self.comparison.findings, self.record)
    }

    fn edit(&self) -> Edit {
        let put = self.comparison.statements.iter().filter(|wanted| self.is_open(&wanted.resource));
        Edit { put: put.map(|wanted| wanted.statement.clone()).collect(), ..self.removals() }
    }

    /// The Sids of statements that are not asked for any more, and those that have nobody left to name.
    fn removals(&self) -> Edit {
        let wanted = |sid: &str| self.comparison.statements.iter().any(|wanted| wanted.resource.is_statement(sid));
        let ours = self.open().filter(|finding| finding.cause != Cause::Conflict);
        let resources = self.leftovers().chain(ours.filter_map(|finding| finding.resource.as_ref()));
        let sids = resources.filter_map(|resource| match resource {
            Resource::SecretStatement { sid, .. } if !wanted(sid) => sid.parse::<Sid>().ok(),
            _ => None,
        });
        Edit { put: Vec::new(), remove: sids.collect() }
    }

    /// Whether the resource policy would be refused: then nothing is given anywhere, rather than one half of it.
    fn refusal(&self, described: &Described, edit: &Edit) -> Option<Blocker> {
        let (live, unique_ids) = (self.observed.document()?, self.unique_ids());
        let scope = write::Scope { secret: &described.arn, owner: self.desired.names.owner(), unique_ids: &unique_ids };
        let refusal = write::prepare(&live, edit, &scope).err()?;
        Some(Blocker { reason: refusal.reason, message: refusal.message })
    }

    /// What only takes access away.
    fn revocations(&self) -> Vec<Step> {
        let mut steps = self.other_secrets();
        let standing =
            self.observed.described().filter(|described| self.comparison.arn.is_some() && described.deletion.is_none());
        if let Some(described) = standing {
            let edit = self.reduction();
            if self.refusal(described, &edit).is_none() {
                steps.extend(self.put_policy(described, edit));
            }
            steps.extend(self.removed_copies(described));
        }
        steps.extend(self.policies());
        steps
    }

    /// What can be written of the resource policy without giving anybody anything.
    fn retreat(&self, described: &Described) -> Option<Step> {
        self.put_policy(described, self.reduction()).filter(|_| described.deletion.is_none())
    }

    /// The removals, and what the statements that stay no longer have to say.
    fn reduction(&self) -> Edit {
        let edit = self.removals();
        let Some(document) = self.observed.document() else { return edit };
        let context = NormalContext { partition: self.desired.partition(), unique_ids: self.unique_ids() };
        let narrowing =
            Narrowing { context: &context, owner: &self.desired.account.id, entities: &self.observed.entities };
        let may = |resource: &Resource| {
            let ours =
                |finding: &Finding| finding.cause != Cause::Conflict && finding.resource.as_ref() == Some(resource);
            self.open().any(ours) && self.is_due(resource)
        };
        let wanted = self.comparison.statements.iter().filter(|wanted| may(&wanted.resource));
        narrowing.reduce(edit, &document, wanted.map(|wanted| &wanted.statement))
    }
}

#[cfg(test)]
mod convergence;
#[cfg(test)]
mod tests;
