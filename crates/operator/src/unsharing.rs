//! Deletion of a SharedKey: what it shared is removed, or it is said what remains.
//!
//! Everything is removed from the ledger and from nothing that a tenant can write: not even the spec is asked which key it was. The owner's half blocks the deletion until it is
//! gone; a consumer's half that cannot be reached is waited for and then left, because without the key's half it opens nothing.

use std::time::Duration;

use kube::{ResourceExt as _, runtime::controller::Action};
use sharedkey_api::{ABANDON, DeletionPolicy, Mode, SharedKey, conditions::Reason};
use sharedkey_engine::{
    ledger::{Record, Resource},
    names::ObjectName,
    overlap,
    problem::{Class, Failure},
    revoke,
    summarise::{self, Notice},
};

use crate::{
    context::{Context, later, now, object_name},
    patch,
    sharing::{Done, Error, Run, SHARED_READING, desired, publish, told},
};

/// One step towards the end of an object.
pub(crate) async fn unshare(object: &SharedKey, context: &Context) -> Result<Action, Error> {
    if !patch::has_finalizer(object) {
        return Ok(Action::await_change());
    }
    let name = object_name(object);
    let record = context.ledger.get(&name).await;
    if record.targets.is_empty() {
        return release(object, context, &name, None).await;
    }
    if let Some(why) = kept(object) {
        return release(object, context, &name, Some(remains(&record, why))).await;
    }
    if revoke::mode(&record, &context.all_accounts()) == Mode::Observe {
        return release(object, context, &name, Some(remains(&record, "the mode is Observe"))).await;
    }
    let steps = revoke::unshare(&record, &context.args.owner_id, object.spec.prune_foreign_orphans);
    let (mut run, mut done) = (Run { context, name, record }, Done::default());
    run.steps(&steps, &mut done).await?;
    context.events.publish(object, &done.notices).await;
    if run.record.targets.is_empty() {
        let others = others(object, &run).await;
        return release(object, context, &run.name, others).await;
    }
    if object.annotations().get(ABANDON).is_some_and(|value| value == "true") {
        let left = remains(&run.record, "the object was abandoned");
        return release(object, context, &run.name, Some(left)).await;
    }
    match (done.trouble(), done.returns) {
        (None, Some(returns)) => settling(object, &run, returns).await,
        (trouble, _) => {
            let why = trouble.unwrap_or_else(|| "not everything is gone yet".to_owned());
            blocked(object, &run, &why, &done.failures).await
        }
    }
}

/// What statements of others still allow to those with whom it was shared. An object that may no longer be told of them is not.
async fn others(object: &SharedKey, Run { context, name, record }: &Run<'_>) -> Option<String> {
    let desired = desired(object, context, name, record).ok()?;
    let observed = context.aws.observe(&desired, record, SHARED_READING).await;
    overlap::remaining(&desired, &observed)
}

/// Why what was shared stays, if it does.
fn kept(object: &SharedKey) -> Option<&'static str> {
    match object.spec {
        _ if object.spec.suspend => Some("the object is suspended"),
        _ if object.spec.deletion_policy == DeletionPolicy::Retain => Some("deletionPolicy is Retain"),
        _ if object.spec.mode == Mode::Observe => Some("the mode is Observe"),
        _ => None,
    }
}

fn remains(record: &Record, why: &str) -> String {
    format!("{why}, so this stays in AWS: {}", list(record))
}

fn list(record: &Record) -> String {
    record.targets.iter().map(|target| target.resource.to_string()).collect::<Vec<_>>().join("; ")
}

/// The list, as far as it leaves room for a reason.
fn beginning(record: &Record) -> String {
    let mut shown: Vec<String> = record.targets.iter().take(3).map(|target| target.resource.to_string()).collect();
    if let Some(more) = record.targets.len().checked_sub(shown.len()).filter(|more| *more > 0) {
        shown.push(format!("{more} more"));
    }
    shown.join("; ")
}

/// Something is left: waits for it, or lets go of it where that is safe or asked for.
async fn blocked(
    object: &SharedKey,
    Run { context, name, record }: &Run<'_>,
    why: &str,
    failures: &[Failure],
) -> Result<Action, Error> {
    let of_key = |resource: &Resource| matches!(resource, Resource::Statement { .. });
    let key_half = record.targets.iter().any(|target| of_key(&target.resource));
    if !key_half && waited(object) >= context.args.deletion_timeout() {
        let seconds = context.args.deletion_timeout_seconds;
        let why = format!("the accounts could not be reached for {seconds} s ({why})");
        return release(object, context, name, Some(remains(record, &why))).await;
    }
    // The texts of AWS come last: a condition's message is bounded, and these are long.
    let advice = if key_half { format!(" (annotate it with {ABANDON}=true to let go of it)") } else { String::new() };
    tell(object, context, &format!("being deleted, still in AWS{advice}: {}; {why}", beginning(record))).await?;
    let class = failures.iter().map(|failure| failure.class).min().unwrap_or(Class::Transient);
    Ok(Action::requeue(context.wait(&name.to_string(), class)))
}

/// Everything is gone, and a write of ours that AWS has not answered may bring some of it back: looks once more when it is too late
/// for that.
async fn settling(
    object: &SharedKey,
    Run { context, record, .. }: &Run<'_>,
    returns: Duration,
) -> Result<Action, Error> {
    let message = format!(
        "being deleted, gone from AWS; a write of the key policy that AWS has not answered may still be performed, so it is looked at once \
         more at {} (annotate it with {ABANDON}=true to let go of it): {}",
        later(returns),
        beginning(record),
    );
    tell(object, context, &message).await?;
    Ok(Action::requeue(returns))
}

/// Says in status what the end of an object waits for.
async fn tell(object: &SharedKey, context: &Context, message: &str) -> Result<(), Error> {
    let summary = summarise::deleting(&told(object, &now()), Reason::Deleting, message);
    publish(object, context, &summary).await
}

/// How long the object has been waiting for its end.
fn waited(object: &SharedKey) -> Duration {
    let since = object.metadata.deletion_timestamp.as_ref();
    let waited = since.map(|since| now().0.duration_since(since.0));
    waited.and_then(|waited| Duration::try_from(waited).ok()).unwrap_or_default()
}

/// Lets the object go.
async fn release(
    object: &SharedKey,
    context: &Context,
    name: &ObjectName,
    left: Option<String>,
) -> Result<Action, Error> {
    if let Some(note) = left {
        tracing::warn!(
            object.namespace = name.namespace,
            object.name = name.name,
            note,
            "an object goes and leaves something"
        );
        context.events.publish(object, &[Notice { warning: true, reason: "Remains".to_owned(), note }]).await;
    }
    context.ledger.drop(name).await?;
    patch::finalizer(&patch::api_of(&context.client, object), object, false).await?;
    context.calm(&name.to_string());
    Ok(Action::await_change())
}
