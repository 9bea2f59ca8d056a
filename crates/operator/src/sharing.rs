//! One reconcile of a SharedKey: resolve → observe → compare → plan → apply → summarise.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
    time::Duration,
};

use futures::FutureExt as _;
use kube::{ResourceExt as _, runtime::controller::Action};
use sharedkey_api::{FLUX_REQUESTED_AT, Mode, RECONCILE_REQUESTED_AT, SharedKey, SharedKeyStatus};
use sharedkey_aws::ApplyError;
use sharedkey_engine::{
    compare::{Cause, Comparison, compare},
    desired::{Desired, KeySource},
    ledger::{Record, Resource},
    meanwhile::Meanwhile,
    names::ObjectName,
    observed::Observed,
    plan::{Blocker, Plan, Step, plan},
    problem::{Class, Failure},
    resolve::{Input, Refusal, resolve},
    revoke,
    summarise::{self, Course, Next, Notice, Summary},
};
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use crate::{
    context::{Context, now, object_name},
    history::KeptFor,
    patch, unsharing,
};

/// A reconcile that takes longer is given up and tried again: whatever it waits for has its own timeouts, so this is for what
/// nobody thought of.
pub(crate) const LONGEST: Duration = Duration::from_mins(2);
/// Age of a reading that objects of one sweep share.
pub(crate) const SHARED_READING: Duration = Duration::from_secs(5);

/// A reconcile that Kubernetes itself kept from ending.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the Kubernetes API server refused: {0}")]
    Kubernetes(#[from] kube::Error),
    #[error("not finished within {} s", LONGEST.as_secs())]
    Timeout,
}

/// Reconciles one object, and says when to look at it again.
pub(crate) async fn reconcile(object: Arc<SharedKey>, context: Arc<Context>) -> Result<Action, Error> {
    let started = Instant::now();
    // Boxed: the future of a whole reconcile is large, and the controller keeps one for each object.
    let result = timeout(LONGEST, carry_out(&object, &context).boxed()).await.unwrap_or(Err(Error::Timeout));
    let outcome = if result.is_ok() { "ok" } else { "error" };
    context.metrics.reconciled("SharedKey", outcome, started.elapsed());
    result
}

/// What follows a reconcile that could not end.
#[expect(clippy::needless_pass_by_value, reason = "the controller hands these over")]
pub(crate) fn after_error(object: Arc<SharedKey>, error: &Error, context: Arc<Context>) -> Action {
    let name = object_name(&object);
    tracing::warn!(object.namespace = name.namespace, object.name = name.name, %error, "a reconcile did not end");
    Action::requeue(context.wait(&name.to_string(), Class::Transient))
}

async fn carry_out(object: &SharedKey, context: &Context) -> Result<Action, Error> {
    if object.metadata.deletion_timestamp.is_some() {
        return unsharing::unshare(object, context).await;
    }
    if object.spec.suspend {
        return Ok(Action::await_change());
    }
    let api = patch::api_of(&context.client, object);
    if !patch::has_finalizer(object) {
        // The write comes back as a change, which starts the reconcile that goes on.
        patch::finalizer(&api, object, true).await?;
        return Ok(Action::await_change());
    }
    let summary = share(object, context).await?;
    publish(object, context, &summary).await?;
    Ok(again(object, context, &summary))
}

async fn share(object: &SharedKey, context: &Context) -> Result<Summary, Error> {
    let name = object_name(object);
    let record = context.ledger.get(&name).await;
    let now = now();
    let told = told(object, &now);
    let mut desired = match desired(object, context, &name, &record) {
        Ok(desired) => Desired { quotas: context.quotas(&desired), ..desired },
        Err(refusal) => return refused(object, Run { context, name, record }, &told, refusal).await,
    };
    let freshness =
        if is_requested(object) { Duration::ZERO } else { SHARED_READING.min(interval(object, context) / 2) };
    let mut run = Run { context, name, record };
    let observed = context.aws.observe(&desired, &run.record, freshness).await;
    run.pin(&mut desired, &observed).await?;
    let comparison = compare(&desired, &observed, &run.record);
    run.tidy(&desired).await?;
    let plan = plan(&desired, &observed, &run.record, &comparison, context.clock());
    let course = run.apply(&desired, observed, comparison, plan).await?;
    let mut summary = summarise::summarise(&told, &course.of(&desired));
    summary.notices.extend(course.notices);
    Ok(summary)
}

/// Nothing is given to an object that is refused, and what left its spec is taken back all the same.
async fn refused(
    object: &SharedKey,
    mut run: Run<'_>,
    told: &summarise::Context<'_>,
    mut refusal: Refusal,
) -> Result<Summary, Error> {
    let observes =
        object.spec.mode == Mode::Observe || revoke::mode(&run.record, &run.context.all_accounts()) == Mode::Observe;
    let mut done = Done::default();
    if !observes {
        let named: Vec<&str> = object.spec.consumers.iter().map(|consumer| consumer.name.as_str()).collect();
        let prune = object.spec.prune_foreign_orphans;
        let steps = revoke::departed(&run.record, &named, &run.context.args.owner_id, prune);
        run.steps(&steps, &mut done).await?;
    }
    if let Some(trouble) = done.trouble() {
        refusal.message = format!("{}; what left the spec could not be taken back: {trouble}", refusal.message);
    }
    let mut summary = summarise::refused(told, &refusal);
    summary.notices.extend(done.notices);
    Ok(summary)
}

pub(crate) fn desired(
    object: &SharedKey,
    context: &Context,
    name: &ObjectName,
    record: &Record,
) -> Result<Desired, Refusal> {
    resolve(&Input {
        object: name,
        spec: &object.spec,
        annotations: object.annotations(),
        namespace_labels: &context.namespace_labels(&name.namespace),
        accounts: &context.all_accounts(),
        leaving: &context.leaving_accounts(),
        record,
        owner_id: &context.args.owner_id,
    })
}

/// What the summary has to know of the object.
pub(crate) fn told<'a>(
    object: &'a SharedKey,
    now: &'a k8s_openapi::apimachinery::pkg::apis::meta::v1::Time,
) -> summarise::Context<'a> {
    summarise::Context {
        generation: object.metadata.generation,
        now,
        previous: object.status.as_ref(),
        request: request(object),
    }
}

fn request(object: &SharedKey) -> Option<&str> {
    let annotations = object.annotations();
    annotations.get(RECONCILE_REQUESTED_AT).or_else(|| annotations.get(FLUX_REQUESTED_AT)).map(String::as_str)
}

/// Whether somebody asks for a look that nobody has taken yet.
fn is_requested(object: &SharedKey) -> bool {
    let handled = object.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_deref());
    request(object).is_some_and(|request| handled != Some(request))
}

fn interval(object: &SharedKey, context: &Context) -> Duration {
    context.args.interval(object.spec.interval())
}

/// One object on its way through apply.
pub(crate) struct Run<'a> {
    pub(crate) context: &'a Context,
    pub(crate) name: ObjectName,
    pub(crate) record: Record,
}

/// How it went, as far as the summary is concerned.
struct Went {
    observed: Observed,
    comparison: Comparison,
    plan: Plan,
    failures: Vec<Failure>,
    /// What has to be told although the object's own status does not show it.
    notices: Vec<Notice>,
    before: Vec<sharedkey_engine::compare::Finding>,
    meanwhile: Meanwhile,
}

impl Went {
    fn of<'a>(&'a self, desired: &'a Desired) -> Course<'a> {
        Course {
            desired,
            observed: &self.observed,
            comparison: &self.comparison,
            blockers: &self.plan.blockers,
            failures: &self.failures,
            before: &self.before,
            meanwhile: &self.meanwhile,
        }
    }
}

impl Run<'_> {
    /// Keeps what the alias means, before anything is written under it.
    async fn pin(&mut self, desired: &mut Desired, observed: &Observed) -> Result<(), Error> {
        let KeySource::Alias { alias, pinned } = &mut desired.key.source else { return Ok(()) };
        let Ok(Some(key)) = &observed.key.arn else { return Ok(()) };
        self.record.pin(alias.clone(), key.clone());
        *pinned = Some(key.clone());
        Ok(self.context.ledger.save(&self.name, &self.record).await?)
    }

    /// Forgets principals that the spec no longer names: added again, they are trusted anew.
    async fn tidy(&mut self, desired: &Desired) -> Result<(), Error> {
        self.record.keep_principals(|principal| desired.asks_for(principal));
        Ok(self.context.ledger.save(&self.name, &self.record).await?)
    }

    /// Carries out a plan and looks at what came of it.
    async fn apply(
        &mut self,
        desired: &Desired,
        observed: Observed,
        comparison: Comparison,
        mut plan: Plan,
    ) -> Result<Went, Error> {
        plan.adopts.drain(..).for_each(|target| self.record.confirm(target));
        if plan.steps.is_empty() {
            self.context.ledger.save(&self.name, &self.record).await?;
            return Ok(Went {
                observed,
                comparison,
                plan,
                failures: Vec::new(),
                notices: Vec::new(),
                before: Vec::new(),
                meanwhile: Meanwhile::default(),
            });
        }
        let mut done = Done { undone: undone(&comparison), ..Done::default() };
        self.steps(&plan.steps, &mut done).await?;
        if let Some(retreat) = plan.retreat.take_if(|_| done.is_key_refused()) {
            // On a sheet of its own: what was refused would forbid it.
            let mut retreated = Done { undone: done.undone.clone(), ..Done::default() };
            self.steps(&[retreat], &mut retreated).await?;
            done.extend(retreated);
        }
        plan.blockers.append(&mut done.blockers);
        let after = self.context.aws.observe(desired, &self.record, Duration::ZERO).await;
        let compared = compare(desired, &after, &self.record);
        let Done { failures, notices, meanwhile, .. } = done;
        Ok(Went {
            observed: after,
            comparison: compared,
            plan,
            failures,
            notices,
            before: comparison.findings,
            meanwhile,
        })
    }

    /// Every target stands in the ledger before the first write, and what was confirmed stands there after the last. A step that
    /// fails ends its account's steps; when it is the key policy's, only what takes access away goes on.
    pub(crate) async fn steps(&mut self, steps: &[Step], done: &mut Done) -> Result<(), Error> {
        for target in steps.iter().flat_map(|step| &step.records) {
            self.record.intend(target.clone());
        }
        self.context.ledger.save(&self.name, &self.record).await?;
        for step in steps {
            if step.action.revokes() || !done.forbids(step) {
                self.step(step, done).await;
            }
        }
        Ok(self.context.ledger.save(&self.name, &self.record).await?)
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
        let ObjectName { namespace, name } = &self.name;
        let span = tracing::info_span!(
            "step", object.namespace = namespace, object.name = name, account.id = %step.account.id, step = %step.action
        );
        let keeper =
            KeptFor { histories: &self.context.histories, object: &self.name, account_ref: &step.account.name };
        let before: Vec<Option<Duration>> = step.forgets.iter().map(|resource| self.may_return(resource)).collect();
        match self.context.aws.apply(step, &keeper, None).instrument(span.clone()).await {
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
                done.failures.push(failure);
            }
            Err(ApplyError::Refused(refusal)) => {
                span.in_scope(|| tracing::warn!(reason = %refusal.reason, error = %refusal, "a write was not sent"));
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
fn undone(comparison: &Comparison) -> BTreeSet<Resource> {
    let drift = comparison.findings.iter().filter(|finding| finding.cause == Cause::Drift);
    drift.filter_map(|finding| finding.resource.clone()).collect()
}

/// What came of the steps of a plan.
#[derive(Default)]
pub(crate) struct Done {
    undone: BTreeSet<Resource>,
    pub(crate) failures: Vec<Failure>,
    pub(crate) blockers: Vec<Blocker>,
    pub(crate) notices: Vec<Notice>,
    /// How much longer something that was taken away may come back.
    pub(crate) returns: Option<Duration>,
    meanwhile: Meanwhile,
}

impl Done {
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

    /// Whether AWS refuses the key policy because of what it says.
    fn is_key_refused(&self) -> bool {
        let refused =
            |failure: &Failure| failure.action == "kms:PutKeyPolicy" && failure.class == Class::UserActionNeeded;
        !self.blockers.is_empty() || self.failures.iter().any(refused)
    }

    /// Whether what already failed keeps a step from being made that gives access.
    fn forbids(&self, step: &Step) -> bool {
        let key_half = |failure: &Failure| failure.action.starts_with("kms:");
        let hinders = |failure: &Failure| failure.account == step.account.id || key_half(failure);
        !self.blockers.is_empty() || self.failures.iter().any(hinders)
    }
}

/// Writes the status if it changed, and tells of what did.
pub(crate) async fn publish(object: &SharedKey, context: &Context, summary: &Summary) -> Result<(), Error> {
    if object.status.as_ref() == Some(&summary.status) {
        context.events.publish(object, &summary.notices).await;
        return Ok(());
    }
    let api = patch::api_of(&context.client, object);
    patch::status(&api, object, &summary.status).await?;
    context.metrics.status_written("SharedKey");
    context.events.publish(object, &summary.notices).await;
    log(object, &summary.status);
    Ok(())
}

fn log(object: &SharedKey, status: &SharedKeyStatus) {
    let name = object_name(object);
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
    tracing::info!(
        object.namespace = name.namespace,
        object.name = name.name,
        key.arn = status.key_arn,
        ready = ready.map(|condition| condition.status.as_str()),
        reason = ready.map(|condition| condition.reason.as_str()),
        drift = status.drift_count,
        "status changed"
    );
}

fn again(object: &SharedKey, context: &Context, summary: &Summary) -> Action {
    let name = object_name(object).to_string();
    match summary.next {
        Next::Sweep => context.sweep(&name, interval(object, context), phase(&summary.status, &name)),
        // However often it failed, it is looked at as often as one that is well: other drift is looked for too.
        Next::Retry(class) => Action::requeue(context.wait(&name, class).min(interval(object, context))),
    }
}

/// Objects on one key are swept at the same moment, so that they share its reading.
fn phase(status: &SharedKeyStatus, name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    status.key_arn.as_deref().unwrap_or(name).hash(&mut hasher);
    hasher.finish()
}
