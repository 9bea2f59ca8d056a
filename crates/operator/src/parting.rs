//! Deletion of an object, whatever its kind: what it made is undone, or it is said what remains.
//!
//! Everything is undone from the ledger and from nothing that a tenant can write: not even the spec is asked which key or secret
//! it was. The owner's half blocks the deletion until it is gone; the half of a consumer or reader that cannot be reached is waited for and then
//! left, because without the owner's half it opens nothing.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use kube::{ResourceExt as _, runtime::controller::Action};
use sharedkey_api::{ABANDON, Mode, conditions::Reason};
use sharedkey_engine::{
    ledger::{Record, Resource},
    problem::{Class, Failure},
    revoke,
    summarise::{self, Notice},
};

use crate::{
    context::{Context, later, now},
    patch,
    reconcile::{Error, Reconciled, publish, told},
    steps::{Done, Run},
};

/// Characters of a condition's message for what is still there.
const ROOM: usize = 200;

/// Since when objects, by uid, have been waiting for nothing but what opens nothing by itself. An hour in which the owner could not be reached, or in
/// which no operator ran, is no hour of trying.
#[derive(Debug, Default)]
pub(crate) struct Leftovers(Mutex<HashMap<String, Instant>>);

impl Leftovers {
    /// How long an object has been waiting for that; from now on, if it has not.
    fn waited(&self, object: &str) -> Duration {
        self.since().entry(object.to_owned()).or_insert_with(Instant::now).elapsed()
    }

    /// It waits for more than that, or for nothing any more.
    fn forget(&self, object: &str) {
        self.since().remove(object);
    }

    fn since(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One step towards the end of an object.
pub(crate) async fn part<K: Reconciled>(object: &K, context: &Context) -> Result<Action, Error> {
    if let Some(why) = object.waits_for(context) {
        return wait(object, context, &format!("being deleted: {why}"), Class::UserActionNeeded).await;
    }
    let mut run = Run::new(context, object.id()).await;
    if run.record.targets.is_empty() {
        return release(object, &run, None).await;
    }
    if let Some(why) = object.kept() {
        return release(object, &run, Some(remains(&run.record, why))).await;
    }
    if revoke::mode(&run.record, &context.all_accounts()) == Mode::Observe {
        return release(object, &run, Some(remains(&run.record, "the mode is Observe"))).await;
    }
    let steps = object.undoing(&run.record, context);
    let mut done = Done::default();
    run.steps(&steps, &mut done).await?;
    context.events.publish(object, &done.notices).await;
    if run.record.targets.is_empty() {
        let others = object.others(&run).await;
        return release(object, &run, others).await;
    }
    if object.annotations().get(ABANDON).is_some_and(|value| value == "true") {
        let left = remains(&run.record, "the object was abandoned");
        return release(object, &run, Some(left)).await;
    }
    match (done.trouble(), done.returns) {
        (None, Some(returns)) => settling(object, &run, returns).await,
        (trouble, _) => {
            let why = trouble.unwrap_or_else(|| "not everything is gone yet".to_owned());
            blocked(object, &run, &why, &done.failures).await
        }
    }
}

fn remains(record: &Record, why: &str) -> String {
    format!("{why}, so this stays in AWS: {}", list(record))
}

fn list(record: &Record) -> String {
    record.targets.iter().map(|target| target.resource.to_string()).collect::<Vec<_>>().join("; ")
}

/// The list, as far as it leaves room for a reason. What goes with a secret is not told beside it.
fn beginning(record: &Record) -> String {
    let resources = record.targets.iter().map(|target| &target.resource).filter(|resource| !resource.is_aspect());
    let mut rest = resources.map(ToString::to_string);
    let mut shown = rest.next().unwrap_or_default();
    let mut more = 0;
    for text in rest {
        if more == 0 && shown.len() + text.len() <= ROOM {
            shown = format!("{shown}; {text}");
        } else {
            more += 1;
        }
    }
    if more > 0 { format!("{shown}; {more} more") } else { shown }
}

/// Whether what is left opens nothing by itself.
fn is_harmless(resource: &Resource) -> bool {
    matches!(resource, Resource::InlinePolicy { .. } | Resource::ManagedPolicy { .. } | Resource::Attachment { .. })
}

/// Something is left: waits for it, or lets go of it where that is safe or asked for.
async fn blocked<K: Reconciled>(object: &K, run: &Run<'_>, why: &str, failures: &[Failure]) -> Result<Action, Error> {
    let Run { context, record, .. } = run;
    let uid = object.uid().unwrap_or_default();
    let owners_half = record.targets.iter().any(|target| !is_harmless(&target.resource));
    if owners_half {
        context.leftovers.forget(&uid);
    } else if context.leftovers.waited(&uid) >= context.args.deletion_timeout() {
        let seconds = context.args.deletion_timeout_seconds;
        let why = format!("the accounts could not be reached for {seconds} s ({why})");
        return release(object, run, Some(remains(record, &why))).await;
    }
    if !failures.is_empty() && failures.iter().all(Failure::is_of_leaving_secret) {
        let why = "the secret is scheduled for deletion, and until it is gone or restored AWS lets nobody change it";
        return release(object, run, Some(remains(record, why))).await;
    }
    // The texts of AWS come last: a condition's message is bounded, and these are long.
    let advice =
        if owners_half { format!(" (annotate it with {ABANDON}=true to let go of it)") } else { String::new() };
    let message = format!("being deleted, still in AWS{advice}: {}; {why}", beginning(record));
    let class = failures.iter().map(|failure| failure.class).min().unwrap_or(Class::Transient);
    wait(object, context, &message, class).await
}

/// Everything is gone, and a write of ours that AWS has not answered may bring some of it back: looks once more when it is too late
/// for that.
async fn settling<K: Reconciled>(object: &K, run: &Run<'_>, returns: Duration) -> Result<Action, Error> {
    let Run { context, record, .. } = run;
    let message = format!(
        "being deleted, gone from AWS; a write that AWS has not answered may still be performed, so it is looked at once more at {} \
         (annotate it with {ABANDON}=true to let go of it): {}",
        later(returns),
        beginning(record),
    );
    say(object, context, &message).await?;
    Ok(Action::requeue(returns))
}

/// Says what the end waits for.
async fn say<K: Reconciled>(object: &K, context: &Context, message: &str) -> Result<(), Error> {
    let now = now();
    publish(object, context, &summarise::deleting(&told(object, &now), Reason::Deleting, message)).await
}

/// Says what the end waits for, and tries again.
async fn wait<K: Reconciled>(object: &K, context: &Context, message: &str, class: Class) -> Result<Action, Error> {
    say(object, context, message).await?;
    Ok(Action::requeue(context.backoffs.wait(&object.id().to_string(), class)))
}

/// Lets the object go.
async fn release<K: Reconciled>(object: &K, run: &Run<'_>, left: Option<String>) -> Result<Action, Error> {
    let Run { context, id, .. } = run;
    if let Some(note) = left {
        tracing::warn!(
            object.kind = %id.kind,
            object.namespace = id.name.namespace,
            object.name = id.name.name,
            note,
            "an object goes and leaves something"
        );
        context.events.publish(object, &[Notice { warning: true, reason: "Remains".to_owned(), note }]).await;
    }
    context.ledger.drop(id).await?;
    patch::finalizer(&patch::api_of(&context.client, object), object, false).await?;
    context.backoffs.calm(&id.to_string());
    context.leftovers.forget(&object.uid().unwrap_or_default());
    Ok(Action::await_change())
}
