//! Puts the parts together and runs them until a signal.

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use futures::{Stream, StreamExt as _, future, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Client, Config, Resource, ResourceExt as _,
    runtime::{
        Controller, Predicate as _, PredicateConfig, WatchStreamExt as _, controller::Config as ControllerConfig,
        predicates, reflector::ObjectRef, watcher,
    },
};
use sharedkey_api::{AwsAccount, ExternalSecret, SharedKey};
use sharedkey_aws::{Aws, Options, Rates};
use tokio::{
    signal::unix,
    sync::{OnceCell, mpsc},
};
use tokio_util::sync::CancellationToken;

use crate::{
    accounts,
    args::Args,
    backoffs::Backoffs,
    context::Context,
    events::Events,
    health::{self, Health},
    history::Histories,
    ledger::Ledger,
    looks::Looks,
    metrics::{Calls, Metrics},
    objects::{Concerned, Objects},
    parting::Leftovers,
    putting_back,
    reconcile::{Reconciled, after_error, reconcile},
    secrets::{Changed, HashKey, Watches},
    served::Served as _,
    streams,
    tokens::ServiceAccountTokens,
    waking,
};

/// The API server answers in milliseconds or not at all; a watch sends a bookmark every minute.
const READ_TIMEOUT: Duration = Duration::from_secs(295);
/// How soon an account tells that it has a user more or less. A thousand new objects are then told in a few writes of its status.
const RECOUNT: Duration = Duration::from_secs(1);

/// Runs the operator until it is told to stop.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let mut config = Config::infer().await.context("finding the Kubernetes API server")?;
    config.read_timeout = Some(READ_TIMEOUT);
    let client = Client::try_from(config).context("connecting to the Kubernetes API server")?;
    let (by_keys, by_secrets) = (Concerned::default(), Concerned::default());
    let (keys, key_changes) = streams::watch::<SharedKey>(client.clone(), by_keys.told());
    let (secrets, secret_changes) = streams::watch::<ExternalSecret>(client.clone(), by_secrets.told());
    let (accounts, account_changes) = streams::watch::<AwsAccount>(client.clone(), |_| ());
    let (namespaces, namespace_changes) = streams::watch::<Namespace>(client.clone(), |_| ());

    let metrics = Arc::new(Metrics::new(keys.clone(), secrets.clone()));
    let ready = Arc::new(AtomicBool::new(false));
    let served = health::serve(args.health_addr, Health { metrics: metrics.clone(), ready: ready.clone() }).await?;
    let (keys, woken_keys) = Objects::new(keys, by_keys);
    let (secrets, woken_secrets) = Objects::new(secrets, by_secrets);
    let (accounts, woken_accounts) = Objects::new(accounts, Concerned::default());
    let (recount_accounts, recounted_accounts) = mpsc::unbounded_channel();
    let context = Arc::new(Context {
        aws: connect(&args, &client, &metrics),
        histories: Histories::new(client.clone(), &args.operator_namespace, args.owner_id.clone()),
        events: Events::new(client.clone()),
        ledger: Ledger::new(client.clone(), &args.operator_namespace, args.owner_id.clone()),
        watches: Watches::new(client.clone(), changed(&secrets)),
        hash_key: HashKey::load(client.clone(), &args.operator_namespace).await?,
        args,
        client,
        metrics,
        keys,
        secrets,
        accounts,
        namespaces,
        recount_accounts,
        looks: Looks::default(),
        backoffs: Backoffs::default(),
        leftovers: Leftovers::default(),
        known: OnceCell::new(),
    });

    let stop = CancellationToken::new();
    let controllers = async {
        tokio::join!(
            run_keys(&context, key_changes, woken_keys, &stop),
            run_secrets(&context, secret_changes, woken_secrets, &stop),
            run_accounts(&context, account_changes, woken_accounts, recounted_accounts, &stop),
            wake_namespaces(&context, namespace_changes, &stop),
            putting_back::run(&context, &stop),
            announce(&context, &ready),
        )
    };
    // On a thread of its own: it takes as long as the lists of all objects.
    let ledger = {
        let context = context.clone();
        tokio::spawn(async move { context.ledger.read().await })
    };
    let ledger = async { ledger.await.context("reading the ledger")? };
    tracing::info!(owner_id = %context.args.owner_id, version = env!("CARGO_PKG_VERSION"), "the operator starts");
    tokio::select! {
        _ = controllers => {}
        Err(unread) = ledger => return Err(unread),
        served = served => served.context("serving health and metrics")?,
        signal = stopped(stop.clone()) => signal?,
    }
    tracing::info!("the operator stops");
    Ok(())
}

fn connect(args: &Args, client: &Client, metrics: &Arc<Metrics>) -> Aws {
    let rates =
        Rates { iam_reads_per_second: args.iam_reads_per_second, iam_writes_per_second: args.iam_writes_per_second };
    let tokens = ServiceAccountTokens::new(client.clone(), &args.operator_namespace, &args.service_account);
    let defaults = Options::default();
    let read_lag = args.read_lag_override_ms.map_or(defaults.read_lag, Duration::from_millis);
    let write_lag = args.write_lag_override_ms.map_or(defaults.write_lag, Duration::from_millis);
    Aws::new(Options { rates, read_lag, write_lag, ..defaults }, Arc::new(Calls(metrics.clone())), Arc::new(tokens))
}

/// Waits for a signal, lets reconciles end that are under way, and ends.
async fn stopped(stop: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = unix::signal(unix::SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = unix::signal(unix::SignalKind::interrupt()).context("listening for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("told to stop; reconciles that are under way end first");
    stop.cancel();
    // The controllers end when their reconciles have, and then the process does.
    future::pending().await
}

async fn run_keys(
    context: &Arc<Context>,
    changes: impl Changes<SharedKey>,
    woken: mpsc::UnboundedReceiver<ObjectRef<SharedKey>>,
    stop: &CancellationToken,
) {
    let others = context.clone();
    // Every change, for a secret waits for what the status of its key says.
    let changes = changes.inspect(move |change| {
        if let Ok(key) = change {
            waking::secrets_of(key, &others);
        }
    });
    serve(context, &context.keys, changes, woken, stop).await;
}

async fn run_secrets(
    context: &Arc<Context>,
    changes: impl Changes<ExternalSecret>,
    woken: mpsc::UnboundedReceiver<ObjectRef<ExternalSecret>>,
    stop: &CancellationToken,
) {
    let others = context.clone();
    let changes = changes.inspect(move |change| {
        if let Ok(secret) = change {
            waking::leaving_keys_of(secret, &others);
            if secret.is_leaving() {
                others.watches.release(&secret.id().name);
            }
        }
    });
    serve(context, &context.secrets, changes, woken, stop).await;
}

/// Wakes an ExternalSecret the source of which changed.
fn changed(secrets: &Objects<ExternalSecret>) -> Changed {
    Arc::new(secrets.waker())
}

/// What a watch tells.
trait Changes<K>: Stream<Item = Result<K, watcher::Error>> + Send + 'static {}

impl<K, S: Stream<Item = Result<K, watcher::Error>> + Send + 'static> Changes<K> for S {}

/// Reconciles the objects of a kind. Our own status writes are no reason for another reconcile: only spec, annotations and
/// finalizers are.
async fn serve<K: Reconciled>(
    context: &Arc<Context>,
    objects: &Objects<K>,
    changes: impl Changes<K>,
    woken: mpsc::UnboundedReceiver<ObjectRef<K>>,
    stop: &CancellationToken,
) {
    let changes = changes.predicate_filter(
        predicates::generation.combine(predicates::annotations).combine(predicates::finalizers),
        PredicateConfig::default(),
    );
    let reconciles = Controller::for_stream(stream::pending(), objects.store())
        .with_config(ControllerConfig::default().concurrency(context.args.concurrency))
        .reconcile_on(streams::received(woken))
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(reconcile, after_error, context.clone())
        .for_each(|_| future::ready(()));
    future::join(follow(objects, changes, |object| waking::accounts_of(object, context), stop), reconciles).await;
}

/// Has every object looked at that a watch tells of, and tells `others` of it. A watch is followed apart from the reconciles: those
/// wait until everything is listed, and a controller that is busy waiting would not read on.
async fn follow<K>(objects: &Objects<K>, changes: impl Changes<K>, others: impl Fn(&K), stop: &CancellationToken)
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    let followed = changes.for_each(|change| {
        if let Ok(object) = change {
            others(&object);
            objects.wake(&object);
        }
        future::ready(())
    });
    tokio::select! {
        () = followed => {}
        () = stop.cancelled() => {}
    }
}

async fn run_accounts(
    context: &Arc<Context>,
    changes: impl Changes<AwsAccount>,
    woken: mpsc::UnboundedReceiver<ObjectRef<AwsAccount>>,
    recounted: mpsc::UnboundedReceiver<ObjectRef<AwsAccount>>,
    stop: &CancellationToken,
) {
    let changes =
        changes.predicate_filter(predicates::generation.combine(predicates::finalizers), PredicateConfig::default());
    let reconciles = Controller::for_stream(stream::pending(), context.accounts.store())
        // As many as there are objects at once: an account that cannot be reached holds its place until its call gives up.
        .with_config(ControllerConfig::default().concurrency(context.args.concurrency))
        .reconcile_on(streams::received(woken))
        .reconcile_on(streams::gathered(recounted, RECOUNT))
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(accounts::reconcile, accounts::after_error, context.clone())
        .for_each(|_| future::ready(()));
    let followed = follow(&context.accounts, changes, |account| waking::users_of(account, context), stop);
    future::join(followed, reconciles).await;
}

/// A namespace whose labels change may gain or lose accounts.
async fn wake_namespaces(context: &Arc<Context>, changes: impl Changes<Namespace>, stop: &CancellationToken) {
    let changes = changes.predicate_filter(predicates::labels, PredicateConfig::default());
    let woken = changes.for_each(|change| {
        if let Ok(namespace) = change {
            waking::inhabitants_of(&namespace.name_any(), context);
        }
        future::ready(())
    });
    tokio::select! {
        () = woken => {}
        () = stop.cancelled() => {}
    }
}

/// Ready means that every watch has listed its objects.
async fn announce(context: &Context, ready: &AtomicBool) {
    context.known().await;
    ready.store(true, Ordering::Relaxed);
    tracing::info!("every watch is running");
}
