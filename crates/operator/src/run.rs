//! Puts the parts together and runs them until a signal.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use futures::{Stream, StreamExt as _, future};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Client, Config, ResourceExt as _,
    runtime::{
        Controller, Predicate as _, WatchStreamExt as _,
        controller::Config as ControllerConfig,
        predicates,
        reflector::{ObjectRef, Store},
    },
};
use sharedkey_api::{AwsAccount, SharedKey};
use sharedkey_aws::{Aws, Options, Rates};
use tokio::{signal::unix, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    accounts,
    args::Args,
    context::Context,
    health::{self, Health},
    ledger::Ledger,
    metrics::{Calls, Metrics},
    putting_back, sharing, streams,
    tokens::ServiceAccountTokens,
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
    let (keys, key_changes) = streams::watch::<SharedKey>(client.clone());
    let (accounts, account_changes) = streams::watch::<AwsAccount>(client.clone());
    let (namespaces, namespace_changes) = streams::watch::<Namespace>(client.clone());

    let metrics = Arc::new(Metrics::new(keys.clone()));
    let ready = Arc::new(AtomicBool::new(false));
    let served = health::serve(args.health_addr, Health { metrics: metrics.clone(), ready: ready.clone() }).await?;
    let ledger = Ledger::load(client.clone(), &args.operator_namespace, args.owner_id.clone()).await?;
    let aws = connect(&args, &client, &metrics);
    let (wake_keys, woken_keys) = mpsc::unbounded_channel();
    let (wake_accounts, woken_accounts) = mpsc::unbounded_channel();
    let (recount_accounts, recounted_accounts) = mpsc::unbounded_channel();
    let context = Arc::new(Context::new(
        args,
        client,
        aws,
        ledger,
        metrics,
        keys,
        accounts,
        namespaces,
        wake_keys,
        wake_accounts,
        recount_accounts,
    ));

    let stop = CancellationToken::new();
    let controllers = future::join5(
        run_keys(&context, key_changes, woken_keys, &stop),
        run_accounts(&context, account_changes, woken_accounts, recounted_accounts, &stop),
        wake_namespaces(&context, namespace_changes, &stop),
        putting_back::run(&context, &stop),
        announce(&context, &ready),
    );
    tracing::info!(owner_id = %context.args.owner_id, version = env!("CARGO_PKG_VERSION"), "the operator starts");
    tokio::select! {
        _ = controllers => {}
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

/// Our own status writes are no reason for another reconcile: only spec, annotations and finalizers are.
async fn run_keys(
    context: &Arc<Context>,
    changes: impl Stream<Item = Result<SharedKey, kube::runtime::watcher::Error>> + Send + 'static,
    woken: mpsc::UnboundedReceiver<ObjectRef<SharedKey>>,
    stop: &CancellationToken,
) {
    let users = context.clone();
    let changes = changes
        .predicate_filter(
            predicates::generation.combine(predicates::annotations).combine(predicates::finalizers),
            kube::runtime::PredicateConfig::default(),
        )
        .inspect(move |change| {
            if let Ok(key) = change {
                accounts::wake(key, &users);
            }
        });
    register_accounts(context).await;
    Controller::for_stream(changes, context.keys.clone())
        .with_config(ControllerConfig::default().concurrency(context.args.concurrency))
        .reconcile_on(streams::received(woken))
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(sharing::reconcile, sharing::after_error, context.clone())
        .for_each(|_| future::ready(()))
        .await;
}

/// Every account is known before the first object is looked at, so that a start does not look like accounts that are gone.
async fn register_accounts(context: &Arc<Context>) {
    if context.accounts.wait_until_ready().await.is_err() || context.namespaces.wait_until_ready().await.is_err() {
        return;
    }
    for account in context.accounts.state() {
        if let Err(error) = accounts::register(&account, context).await {
            tracing::warn!(account.name = account.name_any(), %error, "an account gives no way into AWS");
        }
    }
}

async fn run_accounts(
    context: &Arc<Context>,
    changes: impl Stream<Item = Result<AwsAccount, kube::runtime::watcher::Error>> + Send + 'static,
    woken: mpsc::UnboundedReceiver<ObjectRef<AwsAccount>>,
    recounted: mpsc::UnboundedReceiver<ObjectRef<AwsAccount>>,
    stop: &CancellationToken,
) {
    let users = context.clone();
    let changes = changes
        .predicate_filter(
            predicates::generation.combine(predicates::finalizers),
            kube::runtime::PredicateConfig::default(),
        )
        .inspect(move |change| {
            if let Ok(account) = change {
                accounts::wake_users(account, &users);
            }
        });
    Controller::for_stream(changes, context.accounts.clone())
        .with_config(ControllerConfig::default().concurrency(4))
        .reconcile_on(streams::received(woken))
        .reconcile_on(streams::gathered(recounted, RECOUNT))
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(accounts::reconcile, accounts::after_error, context.clone())
        .for_each(|_| future::ready(()))
        .await;
}

/// A namespace whose labels change may gain or lose accounts.
async fn wake_namespaces(
    context: &Arc<Context>,
    changes: impl Stream<Item = Result<Namespace, kube::runtime::watcher::Error>> + Send + 'static,
    stop: &CancellationToken,
) {
    let changes = changes.predicate_filter(predicates::labels, kube::runtime::PredicateConfig::default());
    let woken = changes.for_each(|change| {
        if let Ok(namespace) = change {
            let name = namespace.name_any();
            let keys = context.keys.state();
            let inside = keys.iter().filter(|key| key.namespace().as_deref() == Some(&name));
            inside.for_each(|key| drop(context.wake_keys.send(ObjectRef::from_obj(&**key))));
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
    async fn listed<K: kube::runtime::reflector::Lookup<DynamicType = ()> + Clone + 'static>(store: &Store<K>) -> bool {
        store.wait_until_ready().await.is_ok()
    }
    if listed(&context.keys).await && listed(&context.accounts).await && listed(&context.namespaces).await {
        ready.store(true, Ordering::Relaxed);
        tracing::info!("every watch is running");
    }
}
