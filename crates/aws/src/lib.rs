//! The thin shell around AWS: sessions, limits, error classes, observe and apply.
//!
//! [`Aws`] is told how accounts are reached ([`Aws::set_account`]), reads what an object is about ([`Aws::observe`]) and makes
//! the steps of a plan ([`Aws::apply`]). It decides nothing about sharing: what is wanted comes from the engine, and what was
//! read goes back to it as plain data. It never stores anything, never waits for AWS to settle, never logs or shows a
//! secret, and never bypasses a safety check of AWS.
//!
//! From the outside in: `observe` and `apply` → `kms`, `iam`, `secretsmanager`, `sts` (one port for each service, with only the
//! operations that are used) → `reach` (an account's session and clients) → `meter` (limits, counts, classes) → the SDK.

#![expect(
    clippy::result_large_err,
    reason = "a failure is plain data, made where a call to AWS has failed: its size is nothing beside that"
)]

mod access;
mod apply;
mod class;
mod fingerprint;
mod fresh;
mod iam;
mod kms;
mod limits;
mod meter;
mod observe;
mod pages;
mod reach;
mod recent;
mod registry;
mod sdk;
mod secret;
mod secretsmanager;
mod session;
mod shared;
mod sts;
mod text;
mod unanswered;
mod value;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sharedkey_engine::{desired::Account, ledger::Resource, problem::Reading};
use tokio::time::Instant;

pub use access::{Access, Endpoints, Method, TokenError, TokenSource};
pub use apply::{ApplyError, KeepError, Keeper, Outcome};
pub use limits::Rates;
pub use meter::CallObserver;
pub use sdk::Timeouts;
pub use sts::CallerIdentity;
pub use value::SecretValue;

use self::{
    apply::PolicyLocks, iam::Iam, meter::Meter, observe::Caches, recent::Recent, registry::Registry, sdk::Sdk,
    shared::Shared, unanswered::Unanswered,
};

/// What admins may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How fast IAM is asked.
    pub rates: Rates,
    /// How long AWS is waited for.
    pub timeouts: Timeouts,
    /// How long a reading that shows what we replaced is taken for an old answer (D§1.5).
    pub read_lag: Duration,
    /// How long after it was sent AWS may perform a write that it has not answered.
    pub write_lag: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rates: Rates::default(),
            timeouts: Timeouts::default(),
            read_lag: recent::WINDOW,
            write_lag: unanswered::WINDOW,
        }
    }
}

/// All AWS accounts of one operator.
pub struct Aws {
    registry: Registry,
    caches: Caches,
    recent: Mutex<Recent>,
    unanswered: Mutex<Unanswered>,
    policy_locks: PolicyLocks,
}

impl Aws {
    /// No account can be reached yet.
    pub fn new(options: Options, observer: Arc<dyn CallObserver>, tokens: Arc<dyn TokenSource>) -> Self {
        let shared = Shared { sdk: Sdk::new(options.timeouts), meter: Meter::new(options.rates, observer), tokens };
        Self {
            registry: Registry::new(Arc::new(shared)),
            caches: Caches::new(),
            recent: Mutex::new(Recent::new(options.read_lag)),
            // What was performed at the last moment shows when readings no longer lag.
            unanswered: Mutex::new(Unanswered::new(options.write_lag + options.read_lag)),
            policy_locks: PolicyLocks::default(),
        }
    }

    /// Sets how the account of an `AwsAccount` is reached. If nothing changed, its sessions stay; otherwise they end, with those
    /// that came through it.
    pub fn set_account(&self, name: &str, access: Access) {
        self.registry.set(name, access);
    }

    /// Forgets an `AwsAccount`, its sessions, and those that came through it.
    pub fn remove_account(&self, name: &str) {
        self.registry.remove(name);
    }

    /// Who we are in the account, asked now.
    ///
    /// # Errors
    /// `IdentityMismatch` if the credentials are for another account or partition; then they are never used.
    pub async fn identity(&self, account: &Account) -> Reading<CallerIdentity> {
        self.registry.reach(account)?.identity().await
    }

    /// The account's live IAM quotas and what is used of them, by AWS' names (`RolePolicySizeQuota`, …; D§4.1).
    pub async fn account_summary(&self, account: &Account) -> Reading<BTreeMap<String, i64>> {
        let reach = self.registry.reach(account)?;
        Iam::new(&reach).account_summary().await
    }

    /// How much longer something that is taken away may come back: a write that makes it was sent, and AWS has not said what became of
    /// it. None when there is no such write, or it is too old to be performed.
    pub fn unanswered(&self, resource: &Resource) -> Option<Duration> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner).of(resource, Instant::now())
    }

    fn note_unanswered(&self, made: impl IntoIterator<Item = Resource>, sent: Instant) {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner).note(made, sent, Instant::now());
    }

    /// It is there, so the write was performed.
    fn note_seen(&self, resource: &Resource) {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner).performed(resource);
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
