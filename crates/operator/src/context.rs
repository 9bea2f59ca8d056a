//! What every reconcile shares.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::{
    Client, ResourceExt as _,
    runtime::{
        controller::Action,
        reflector::{ObjectRef, Store},
    },
};
use sharedkey_api::{AwsAccount, Quotas, SharedKey};
use sharedkey_aws::Aws;
use sharedkey_engine::{
    accounts::Accounts, backoff, desired::Desired, ledger::CONTENDED_WITHIN, names::ObjectName, plan::Clock,
    problem::Class,
};
use tokio::sync::mpsc;

use crate::{args::Args, events::Events, history::Histories, ledger::Ledger, looks::Looks, metrics::Metrics};

/// What every reconcile shares.
pub(crate) struct Context {
    pub(crate) args: Args,
    pub(crate) client: Client,
    pub(crate) aws: Aws,
    pub(crate) ledger: Ledger,
    pub(crate) histories: Histories,
    pub(crate) events: Events,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) keys: Store<SharedKey>,
    pub(crate) accounts: Store<AwsAccount>,
    pub(crate) namespaces: Store<Namespace>,
    /// Wakes SharedKeys whose accounts changed.
    pub(crate) wake_keys: mpsc::UnboundedSender<ObjectRef<SharedKey>>,
    /// Wakes accounts that are used for the first time.
    pub(crate) wake_accounts: mpsc::UnboundedSender<ObjectRef<AwsAccount>>,
    /// Wakes accounts that have a user more or less, in a moment.
    pub(crate) recount_accounts: mpsc::UnboundedSender<ObjectRef<AwsAccount>>,
    /// What the last looks at the accounts showed.
    pub(crate) looks: Looks,
    failures: Mutex<HashMap<String, u32>>,
}

impl Context {
    #[expect(clippy::too_many_arguments, reason = "each is one thing that reconciles share, given once at the start")]
    pub(crate) fn new(
        args: Args,
        client: Client,
        aws: Aws,
        ledger: Ledger,
        metrics: Arc<Metrics>,
        keys: Store<SharedKey>,
        accounts: Store<AwsAccount>,
        namespaces: Store<Namespace>,
        wake_keys: mpsc::UnboundedSender<ObjectRef<SharedKey>>,
        wake_accounts: mpsc::UnboundedSender<ObjectRef<AwsAccount>>,
        recount_accounts: mpsc::UnboundedSender<ObjectRef<AwsAccount>>,
    ) -> Self {
        let events = Events::new(client.clone());
        let histories = Histories::new(client.clone(), &args.operator_namespace, args.owner_id.clone());
        let failures = Mutex::default();
        Self {
            args,
            client,
            aws,
            ledger,
            histories,
            events,
            metrics,
            keys,
            accounts,
            namespaces,
            wake_keys,
            wake_accounts,
            recount_accounts,
            looks: Looks::default(),
            failures,
        }
    }

    /// Accounts that an administrator has deleted: they open nothing new, and are still needed for what was shared.
    pub(crate) fn leaving_accounts(&self) -> BTreeSet<String> {
        let leaving = |account: &Arc<AwsAccount>| account.metadata.deletion_timestamp.is_some();
        self.accounts.state().into_iter().filter(leaving).map(|account| account.name_any()).collect()
    }

    /// Accounts as the engine sees them.
    pub(crate) fn all_accounts(&self) -> Accounts {
        Accounts(self.accounts.state().iter().map(|account| (account.name_any(), account.spec.clone())).collect())
    }

    /// What IAM allows in the accounts that an object delegates in, as far as it is known.
    pub(crate) fn quotas(&self, desired: &Desired) -> BTreeMap<String, Quotas> {
        let accounts = desired.consumers.iter().filter_map(|consumer| consumer.reach.as_ref());
        accounts
            .filter_map(|account| {
                let known = self.accounts.get(&ObjectRef::new(&account.name))?;
                Some((account.name.clone(), known.status.as_ref()?.quotas?))
            })
            .collect()
    }

    pub(crate) fn namespace_labels(&self, namespace: &str) -> BTreeMap<String, String> {
        self.namespaces
            .get(&ObjectRef::new(namespace))
            .and_then(|found| found.metadata.labels.clone())
            .unwrap_or_default()
    }

    /// The wait after a failure of a class, longer with each in a row.
    pub(crate) fn wait(&self, object: &str, class: Class) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(object.to_owned()).or_default();
        let wait = backoff::delay(class, *count, rand::random());
        *count = count.saturating_add(1);
        wait
    }

    /// Waits for the next sweep. Objects of one phase are swept together.
    pub(crate) fn sweep(&self, object: &str, interval: Duration, phase: u64) -> Action {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(object);
        let since_epoch = Duration::try_from(Timestamp::now().as_duration()).unwrap_or_default();
        Action::requeue(backoff::until_next_sweep(since_epoch, interval, phase))
    }

    /// What a plan knows of time.
    pub(crate) fn clock(&self) -> Clock {
        let contended_within = self.args.contention_override_seconds.unwrap_or(CONTENDED_WITHIN);
        Clock { now: Timestamp::now().as_second(), contended_within }
    }

    /// Forgets how often an object failed.
    pub(crate) fn calm(&self, object: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(object);
    }
}

/// This moment in RFC 3339, to the millisecond: a name for what was replaced then.
pub(crate) fn moment() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Now, as Kubernetes writes it: whole seconds.
pub(crate) fn now() -> Time {
    let now = Timestamp::now();
    Time(Timestamp::from_second(now.as_second()).unwrap_or(now))
}

/// The time after a wait, in RFC 3339, to the second.
pub(crate) fn later(wait: Duration) -> String {
    let now = Timestamp::now();
    now.checked_add(wait).unwrap_or(now).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The name of an object.
pub(crate) fn object_name(object: &SharedKey) -> ObjectName {
    ObjectName { namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
}

/// The `AwsAccount`s that a SharedKey names.
pub(crate) fn account_names(object: &SharedKey) -> impl Iterator<Item = &str> {
    let consumers = object.spec.consumers.iter().filter_map(|consumer| consumer.account_ref.as_ref());
    consumers.chain([&object.spec.account_ref]).map(|reference| reference.name.as_str())
}
