//! One reconcile of one object, whatever its kind: what comes before its sentence, and what comes after it.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
    time::Duration,
};

use futures::FutureExt as _;
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::runtime::controller::Action;
use sharedkey_api::conditions::ConditionType;
use sharedkey_engine::{
    backoff,
    ledger::Record,
    plan::Step,
    problem::Class,
    summarise::{self, Next, Status as _, Summary, condition},
};
use tokio::time::{Instant, timeout};

use crate::{
    context::Context,
    parting, patch,
    served::{Report, Served},
    steps::Run,
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
    /// The text is ours: what the API server says of a Secret may repeat it.
    #[error("the Kubernetes API server did not serve {0}")]
    Secret(String),
    #[error("not finished within {} s", LONGEST.as_secs())]
    Timeout,
}

/// An object of a kind that has a sentence of its own, and an end.
pub(crate) trait Reconciled: Served {
    /// Makes AWS what the spec asks, or says how it differs.
    fn share(&self, context: &Context) -> impl Future<Output = Result<Summary<Self::Status>, Error>> + Send;

    /// What has to go before it, and what may be done about it.
    fn waits_for(&self, context: &Context) -> Option<String>;

    /// Why what it made stays as it is, if it does.
    fn kept(&self) -> Option<&'static str>;

    /// The steps that undo what the ledger knows.
    fn undoing(&self, record: &Record, context: &Context) -> Vec<Step>;

    /// What statements of others still allow to those with whom it was shared.
    fn others(&self, run: &Run<'_>) -> impl Future<Output = Option<String>> + Send;
}

/// Reconciles one object, and says when to look at it again.
pub(crate) async fn reconcile<K: Reconciled>(object: Arc<K>, context: Arc<Context>) -> Result<Action, Error> {
    context.known().await;
    let started = Instant::now();
    // Boxed: the future of a whole reconcile is large, and the controller keeps one for each object.
    let result = timeout(LONGEST, carry_out(&*object, &context).boxed()).await.unwrap_or(Err(Error::Timeout));
    let outcome = if result.is_ok() { "ok" } else { "error" };
    context.metrics.reconciled(K::KIND.into(), outcome, started.elapsed());
    result
}

/// What follows a reconcile that could not end.
#[expect(clippy::needless_pass_by_value, reason = "the controller hands these over")]
pub(crate) fn after_error<K: Served>(object: Arc<K>, error: &Error, context: Arc<Context>) -> Action {
    let id = object.id();
    tracing::warn!(object.kind = %id.kind, object.namespace = id.name.namespace, object.name = id.name.name, %error, "a reconcile did not end");
    Action::requeue(context.backoffs.wait(&id.to_string(), Class::Transient))
}

async fn carry_out<K: Reconciled>(object: &K, context: &Context) -> Result<Action, Error> {
    if object.is_leaving() {
        if !patch::has_finalizer(object) {
            return Ok(Action::await_change());
        }
        return parting::part(object, context).await;
    }
    if object.is_suspended() {
        return Ok(Action::await_change());
    }
    if !patch::has_finalizer(object) {
        // The write comes back as a change, which starts the reconcile that goes on.
        patch::finalizer(&patch::api_of(&context.client, object), object, true).await?;
        return Ok(Action::await_change());
    }
    let summary = object.share(context).await?;
    publish(object, context, &summary).await?;
    Ok(again(object, context, &summary))
}

/// What the summary has to know of an object.
pub(crate) fn told<'a, K: Served>(object: &'a K, now: &'a Time) -> summarise::Context<'a, K::Status> {
    summarise::Context {
        generation: object.meta().generation,
        now,
        previous: object.status(),
        request: object.request(),
    }
}

/// How old a reading may be for this reconcile.
pub(crate) fn freshness<K: Served>(object: &K, context: &Context) -> Duration {
    if object.is_requested() { Duration::ZERO } else { SHARED_READING.min(interval(object, context) / 2) }
}

fn interval<K: Served>(object: &K, context: &Context) -> Duration {
    context.args.interval(object.interval())
}

/// Writes the status if it changed, and tells of what did.
pub(crate) async fn publish<K: Served>(
    object: &K,
    context: &Context,
    Summary { status, notices, .. }: &Summary<K::Status>,
) -> Result<(), Error> {
    if object.status() == Some(status) {
        context.events.publish(object, notices).await;
        return Ok(());
    }
    patch::status(&patch::api_of(&context.client, object), object, status).await?;
    context.metrics.status_written(K::KIND.into());
    context.events.publish(object, notices).await;
    log(object, status);
    Ok(())
}

fn log<K: Served>(object: &K, status: &K::Status) {
    let id = object.id();
    let ready = condition(status.conditions(), ConditionType::Ready);
    tracing::info!(
        object.kind = %id.kind,
        object.namespace = id.name.namespace,
        object.name = id.name.name,
        key.arn = status.key(),
        ready = ready.map(|condition| condition.status.as_str()),
        reason = ready.map(|condition| condition.reason.as_str()),
        drift = status.drift_count(),
        "status changed"
    );
}

fn again<K: Served>(object: &K, context: &Context, summary: &Summary<K::Status>) -> Action {
    let (id, interval) = (object.id().to_string(), interval(object, context));
    match summary.next {
        Next::Sweep => {
            context.backoffs.calm(&id);
            let since_epoch = Duration::try_from(Timestamp::now().as_duration()).unwrap_or_default();
            Action::requeue(backoff::until_next_sweep(since_epoch, interval, phase(&summary.status, &id)))
        }
        // However often it failed, it is looked at as often as one that is well: other drift is looked for too.
        Next::Retry(class) => Action::requeue(context.backoffs.wait(&id, class).min(interval)),
    }
}

/// Objects on one key are swept at the same moment, so that they share its reading.
fn phase(status: &impl Report, id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    status.key().unwrap_or(id).hash(&mut hasher);
    hasher.finish()
}
