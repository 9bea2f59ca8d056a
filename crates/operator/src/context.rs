//! What every reconcile shares.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::{api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::{
    Client, ResourceExt as _,
    runtime::reflector::{ObjectRef, Store},
};
use sharedkey_api::{AwsAccount, ExternalSecret, Quotas, SharedKey};
use sharedkey_aws::Aws;
use sharedkey_engine::{accounts::Accounts, desired::Account, ledger::CONTENDED_WITHIN, plan::Clock};
use tokio::sync::{OnceCell, mpsc};

use crate::{
    accounts,
    args::Args,
    backoffs::Backoffs,
    events::Events,
    history::Histories,
    ledger::Ledger,
    looks::Looks,
    metrics::Metrics,
    objects::Objects,
    parting::Leftovers,
    secrets::{HashKey, Watches},
};

/// What every reconcile shares.
pub(crate) struct Context {
    pub(crate) args: Args,
    pub(crate) client: Client,
    pub(crate) aws: Aws,
    pub(crate) ledger: Ledger,
    pub(crate) histories: Histories,
    pub(crate) events: Events,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) keys: Objects<SharedKey>,
    pub(crate) secrets: Objects<ExternalSecret>,
    pub(crate) accounts: Objects<AwsAccount>,
    pub(crate) namespaces: Store<Namespace>,
    /// Wakes accounts that have a user more or less, in a moment.
    pub(crate) recount_accounts: mpsc::UnboundedSender<ObjectRef<AwsAccount>>,
    /// What the last looks at the accounts showed.
    pub(crate) looks: Looks,
    pub(crate) backoffs: Backoffs,
    /// What objects that are being deleted wait for.
    pub(crate) leftovers: Leftovers,
    /// The Kubernetes Secrets that values come from.
    pub(crate) watches: Watches,
    /// The key under which values are hashed.
    pub(crate) hash_key: HashKey,
    pub(crate) known: OnceCell<()>,
}

impl Context {
    /// Waits until every object is known and every account has its way in. Until then no object is looked at: what it uses, or who uses
    /// it, may look as if it were gone, and looking at thousands would keep the lists from being read.
    pub(crate) async fn known(&self) {
        let list_all = async {
            self.keys.listed().await;
            self.secrets.listed().await;
            self.accounts.listed().await;
            // An error means that the watch ended, and then the process does.
            let _ = self.namespaces.wait_until_ready().await;
            self.ledger.known().await;
            accounts::register_all(self).await;
        };
        self.known.get_or_init(|| list_all).await;
    }

    /// Accounts that an administrator has deleted: they open nothing new, and are still needed for what was shared.
    pub(crate) fn leaving_accounts(&self) -> BTreeSet<String> {
        let leaving = |account: &Arc<AwsAccount>| account.metadata.deletion_timestamp.is_some();
        self.accounts.all().into_iter().filter(leaving).map(|account| account.name_any()).collect()
    }

    /// Accounts as the engine sees them.
    pub(crate) fn all_accounts(&self) -> Accounts {
        Accounts(self.accounts.all().iter().map(|account| (account.name_any(), account.spec.clone())).collect())
    }

    /// What IAM allows in accounts, as far as it is known.
    pub(crate) fn quotas<'a>(&self, accounts: impl Iterator<Item = &'a Account>) -> BTreeMap<String, Quotas> {
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

    /// What a plan knows of time.
    pub(crate) fn clock(&self) -> Clock {
        let contended_within = self.args.contention_override_seconds.unwrap_or(CONTENDED_WITHIN);
        Clock { now: Timestamp::now().as_second(), contended_within }
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
