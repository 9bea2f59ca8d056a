//! Carries out the steps of a plan, under the ledger.

use std::{collections::BTreeSet, time::Duration};

use sharedkey_api::Mode;
use sharedkey_aws::{ApplyError, SecretValue};
use sharedkey_engine::{
    compare::{Cause, Finding},
    ledger::{Record, Resource},
    meanwhile::Meanwhile,
    names::ObjectName,
    plan::{Action, Blocker, Step},
    problem::{Class, Failure},
    resolve::Refusal,
    revoke,
    summarise::Notice,
};
use tracing::Instrument as _;

use crate::{
    context::{Context, now},
    history::KeptFor,
    reconcile::Error,
    served::Id,
};

/// One object on its way through apply.
pub(crate) struct Run<'a> {
    pub(crate) context: &'a Context,
    pub(crate) id: Id,
    pub(crate) record: Record,
    /// The value of a secret, for the steps that write it.
    pub(crate) value: Option<SecretValue>,
}

impl<'a> Run<'a> {
    /// One that begins with what the ledger knows.
    pub(crate) async fn new(context: &'a Context, id: Id) -> Self {
        let record = context.ledger.get(&id).await;
        Self { context, id, record, value: None }
    }

    /// Writes the record, if it changed.
    pub(crate) async fn save(&self) -> Result<(), Error> {
        Ok(self.context.ledger.save(&self.id, &self.record).await?)
    }

    /// Every target stands in the ledger before the first write, and what was confirmed stands there after the last. A step that
    /// fails ends its account's steps; when the owner's half fails, or is among those steps, only what takes access away goes on.
    pub(crate) async fn steps(&mut self, steps: &[Step], done: &mut Done) -> Result<(), Error> {
        for target in steps.iter().flat_map(|step| &step.records) {
            self.record.intend(target.clone());
        }
        self.save().await?;
        for step in steps {
            if done.allows(step) {
                self.step(step, done).await;
            } else {
                done.misses(step, OwnersHalf::Unwritten);
            }
        }
        self.save().await
    }

    /// Makes the step that only takes access away, where the policy that gives some too was not written.
    pub(crate) async fn retreat(&mut self, retreat: Option<Step>, done: &mut Done) -> Result<(), Error> {
        if let Some(retreat) = retreat.filter(|_| done.owners_half == OwnersHalf::Unwritten) {
            // On a sheet of its own: what went wrong would forbid it.
            let mut retreated = Done { undone: done.undone.clone(), ..Done::default() };
            self.steps(&[retreat], &mut retreated).await?;
            done.extend(retreated);
        }
        Ok(())
    }

    /// Takes back what left the spec of an object that is refused, unless the mode forbids it, and adds to the refusal what could not be.
    pub(crate) async fn take_back(
        &mut self,
        mode: Mode,
        steps: &[Step],
        refusal: &mut Refusal,
    ) -> Result<Vec<Notice>, Error> {
        if mode == Mode::Observe || revoke::mode(&self.record, &self.context.all_accounts()) == Mode::Observe {
            return Ok(Vec::new());
        }
        let mut done = Done::default();
        self.steps(steps, &mut done).await?;
        if let Some(trouble) = done.trouble() {
            refusal.message = format!("{}; what left the spec could not be taken back: {trouble}", refusal.message);
        }
        Ok(done.notices)
    }

    fn confirm(&mut self, step: &Step, done: &Done) {
        let now = now().0.as_second();
        for target in &step.records {
            self.record.confirm(target.clone());
            if done.undone.contains(&target.resource) {
                self.record.note_undone(&target.resource, now);
            }
        }
    }

    async fn step(&mut self, step: &Step, done: &mut Done) {
        let ObjectName { namespace, name } = &self.id.name;
        let span = tracing::info_span!(
            "step", object.namespace = namespace, object.name = name, account.id = %step.account.id, step = %step.action
        );
        let keeper =
            KeptFor { histories: &self.context.histories, object: &self.id.name, account_ref: &step.account.name };
        let before: Vec<Option<Duration>> = step.forgets.iter().map(|resource| self.may_return(resource)).collect();
        match self.context.aws.apply(step, &keeper, self.value.as_ref()).instrument(span.clone()).await {
            Ok(outcome) => {
                span.in_scope(|| tracing::info!(changed = outcome.changed, "done"));
                self.confirm(step, done);
                for (resource, before) in step.forgets.iter().zip(before) {
                    self.forget(resource, before, done);
                }
                done.notices.extend(outcome.meanwhile.notices(&step.action));
                done.meanwhile.extend(outcome.meanwhile);
            }
            Err(ApplyError::Failed(failure)) => {
                span.in_scope(|| tracing::warn!(class = %failure.class, error = %failure, "a write failed"));
                let is_momentary = failure.class == Class::Transient;
                done.misses(step, if is_momentary { OwnersHalf::Unsure } else { OwnersHalf::Unwritten });
                done.failures.push(failure);
            }
            Err(ApplyError::Refused(refusal)) => {
                span.in_scope(|| tracing::warn!(reason = %refusal.reason, error = %refusal, "a write was not sent"));
                done.misses(step, OwnersHalf::Unwritten);
                done.blockers.push(Blocker { reason: refusal.reason, message: refusal.message });
            }
        }
    }

    /// Forgets what is gone, unless it may come back: then it stays in the ledger as something that may be there, and is taken away
    /// again at the next look. It is gone for good when nothing could bring it back any more as the look began, and nothing can since.
    fn forget(&mut self, resource: &Resource, before: Option<Duration>, done: &mut Done) {
        let returns = before.max(self.may_return(resource));
        let known = self.record.get(resource).cloned();
        self.record.forget(resource);
        if let Some(target) = known.filter(|_| returns.is_some()) {
            self.record.intend(target);
        }
        done.returns = done.returns.max(returns);
    }

    /// How much longer a write that AWS has not answered may bring something back.
    fn may_return(&self, resource: &Resource) -> Option<Duration> {
        self.context.aws.unanswered(resource)
    }
}

/// Writes of ours that somebody undid.
pub(crate) fn undone(findings: &[Finding]) -> BTreeSet<Resource> {
    let drift = findings.iter().filter(|finding| finding.cause == Cause::Drift);
    drift.filter_map(|finding| finding.resource.clone()).collect()
}

/// How far what the owner of a key or secret does to let others in stands after the steps of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OwnersHalf {
    /// Nothing of it is known to be missing.
    #[default]
    Stands,
    /// It failed for a moment: it is tried again as a whole, and may stand there already.
    Unsure,
    /// It is known not to be written as planned.
    Unwritten,
}

/// What came of the steps of a plan.
#[derive(Default)]
pub(crate) struct Done {
    /// Writes of ours that somebody undid, and that are made again.
    pub(crate) undone: BTreeSet<Resource>,
    pub(crate) failures: Vec<Failure>,
    pub(crate) blockers: Vec<Blocker>,
    pub(crate) owners_half: OwnersHalf,
    pub(crate) notices: Vec<Notice>,
    /// How much longer something that was taken away may come back.
    pub(crate) returns: Option<Duration>,
    pub(crate) meanwhile: Meanwhile,
}

impl Done {
    /// Notes that a step was not made, or not for certain.
    fn misses(&mut self, step: &Step, left: OwnersHalf) {
        if step.action.is_owners_half() {
            self.owners_half = self.owners_half.max(left);
        }
    }

    /// Adds what came of further steps of the same plan.
    fn extend(&mut self, other: Self) {
        self.failures.extend(other.failures);
        self.blockers.extend(other.blockers);
        self.notices.extend(other.notices);
        self.returns = self.returns.max(other.returns);
        self.meanwhile.extend(other.meanwhile);
    }

    /// Why something could not be written, if something could not.
    pub(crate) fn trouble(&self) -> Option<String> {
        let failures = self.failures.iter().map(ToString::to_string);
        let mut told: Vec<String> =
            failures.chain(self.blockers.iter().map(|blocker| blocker.message.clone())).collect();
        // One closed account fails every step in it with the same words.
        told.dedup();
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// Whether a step may be made after what already failed. AWS lets nobody write a secret that is scheduled for deletion (D§5.7), so what
    /// can still be taken from it goes before.
    fn allows(&self, step: &Step) -> bool {
        let passes = |failure: &Failure| failure.account == step.account.id && failure.class != Class::UserActionNeeded;
        match step.action {
            Action::DeleteSecret { .. } => !self.failures.iter().any(passes),
            _ => step.action.revokes() || !self.forbids(step),
        }
    }

    /// Whether what already failed keeps a step from being made that gives access. Without what the owner allows, nothing is given on the
    /// other side.
    fn forbids(&self, step: &Step) -> bool {
        let has_failed = self.failures.iter().any(|failure| failure.account == step.account.id);
        has_failed || self.owners_half != OwnersHalf::Stands || !self.blockers.is_empty()
    }
}
