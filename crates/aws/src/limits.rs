//! How fast an account is asked, and by how many calls at once (D§6.1).
//!
//! One set of limits for each AWS account, whichever `AwsAccount` leads into it: quotas are the account's.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use sharedkey_policy::{AccountId, Partition};
use tokio::sync::{Semaphore, SemaphorePermit};

/// What is left to the account's other users: we take half of a quota.
const SHARE: u32 = 2;
/// IAM has no published rate. A burst of a few seconds keeps `kubectl apply` quick; the rate is what is sustained.
const IAM_BURST_SECONDS: u32 = 4;
/// STS: shared by all its operations (D§6.1).
const STS_PER_SECOND: u32 = 600;
/// Calls under way at once in one account: enough to hide latency, few enough to keep memory and sockets bounded.
const CONCURRENT_CALLS: usize = 16;

/// Rates that admins may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// IAM reads a second and account. IAM's own limits are unpublished and cannot be raised.
    pub iam_reads_per_second: NonZeroU32,
    /// IAM writes a second and account.
    pub iam_writes_per_second: NonZeroU32,
}

impl Default for Rates {
    fn default() -> Self {
        Self { iam_reads_per_second: at_least_one(5), iam_writes_per_second: at_least_one(2) }
    }
}

/// Which quota a call counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Bucket {
    /// A quota of its own in each Region, with its rate: of an operation of KMS, or of several of Secrets Manager.
    Regional(&'static str, u32),
    Sts,
    IamRead,
    IamWrite,
}

impl Bucket {
    fn quota(self, rates: Rates) -> Quota {
        match self {
            Self::Regional(_, per_second) => Quota::per_second(at_least_one(per_second / SHARE)),
            Self::Sts => Quota::per_second(at_least_one(STS_PER_SECOND / SHARE)),
            Self::IamRead => with_burst(rates.iam_reads_per_second),
            Self::IamWrite => with_burst(rates.iam_writes_per_second),
        }
    }
}

fn with_burst(rate: NonZeroU32) -> Quota {
    Quota::per_second(rate).allow_burst(at_least_one(rate.get().saturating_mul(IAM_BURST_SECONDS)))
}

fn at_least_one(rate: u32) -> NonZeroU32 {
    NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN)
}

/// The limits of every account that was asked so far.
#[derive(Debug)]
pub(crate) struct Limits {
    rates: Rates,
    accounts: Mutex<HashMap<(Partition, AccountId), Arc<AccountLimits>>>,
}

/// The limits of one account.
#[derive(Debug)]
pub(crate) struct AccountLimits {
    rates: Rates,
    buckets: Mutex<HashMap<(Bucket, String), Arc<DefaultDirectRateLimiter>>>,
    under_way: Semaphore,
}

impl Limits {
    pub(crate) fn new(rates: Rates) -> Self {
        Self { rates, accounts: Mutex::default() }
    }

    pub(crate) fn of(&self, partition: Partition, account: &AccountId) -> Arc<AccountLimits> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(AccountLimits::new(self.rates));
        Arc::clone(accounts.entry((partition, account.clone())).or_insert_with(new))
    }
}

impl AccountLimits {
    fn new(rates: Rates) -> Self {
        Self { rates, buckets: Mutex::default(), under_way: Semaphore::new(CONCURRENT_CALLS) }
    }

    /// Waits until the call may be made without leaving its quota.
    pub(crate) async fn wait(&self, bucket: Bucket, region: &str) {
        let limiter = {
            let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(RateLimiter::direct(bucket.quota(self.rates)));
            Arc::clone(buckets.entry((bucket, region.to_owned())).or_insert_with(new))
        };
        limiter.until_ready().await;
    }

    /// Waits for a place among the calls under way. None never happens: the semaphore is never closed.
    pub(crate) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.under_way.acquire().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_quota_is_left_to_others() {
        let quota = Bucket::Regional("PutKeyPolicy", 15).quota(Rates::default());
        assert_eq!(quota.burst_size().get(), 7);
    }

    #[test]
    fn iam_may_burst_and_then_keeps_its_rate() {
        let quota = Bucket::IamRead.quota(Rates::default());
        assert_eq!(quota.burst_size().get(), 20);
        assert_eq!(quota.replenish_interval(), std::time::Duration::from_millis(200));
    }

    #[test]
    fn limits_are_the_account_s_in_its_partition() {
        let limits = Limits::new(Rates::default());
        let account: AccountId = "111122223333".parse().unwrap();
        let one = limits.of(Partition::Aws, &account);
        assert!(Arc::ptr_eq(&one, &limits.of(Partition::Aws, &account)));
        assert!(!Arc::ptr_eq(&one, &limits.of(Partition::AwsCn, &account)));
    }
}
