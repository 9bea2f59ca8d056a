//! Readings that several objects share: each is made once at a time, and used again while it is fresh enough.

use std::{future::Future, hash::Hash, sync::Arc, time::Duration};

use moka::sync::Cache;
use sharedkey_engine::problem::{Failure, Reading};
use tokio::{sync::Mutex, time::Instant};

/// Readings that nobody asked for in this time are forgotten. Objects share a reading for seconds; what is older only takes memory.
const IDLE: Duration = Duration::from_mins(1);

/// Readings by key.
///
/// # Guarantees
/// - At most one reading of a key is under way; who asks meanwhile gets its outcome.
/// - A reading counts from when it was begun, so that what was written since is never hidden by it.
/// - A failure is shared with those who waited for it, and not remembered.
pub(crate) struct Fresh<K, V> {
    slots: Cache<K, Arc<Mutex<Slot<V>>>>,
}

struct Slot<V> {
    good: Option<(Instant, V)>,
    failed: Option<(Instant, Failure)>,
}

impl<K, V> Fresh<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn new() -> Self {
        Self { slots: Cache::builder().time_to_idle(IDLE).build() }
    }

    /// The reading of a key, not older than `max_age`.
    pub(crate) async fn get<F>(&self, key: &K, max_age: Duration, read: impl FnOnce() -> F) -> Reading<V>
    where
        F: Future<Output = Reading<V>>,
    {
        let asked = Instant::now();
        let slot = self.slot(key);
        let mut slot = slot.lock().await;
        if let Some((begun, value)) = &slot.good
            && asked.saturating_duration_since(*begun) <= max_age
        {
            return Ok(value.clone());
        }
        if let Some((ended, failure)) = &slot.failed
            && *ended >= asked
        {
            return Err(failure.clone());
        }
        let begun = Instant::now();
        let reading = read().await;
        match &reading {
            Ok(value) => *slot = Slot { good: Some((begun, value.clone())), failed: None },
            Err(failure) => slot.failed = Some((Instant::now(), failure.clone())),
        }
        reading
    }

    /// Puts in what another reading showed, unless the key is being read right now.
    pub(crate) fn offer(&self, key: &K, begun: Instant, value: V) {
        if let Ok(mut slot) = self.slot(key).try_lock() {
            *slot = Slot { good: Some((begun, value)), failed: None };
        }
    }

    /// Forgets a reading. One that is under way goes to those who wait for it already, and to nobody else.
    pub(crate) fn forget(&self, key: &K) {
        self.slots.invalidate(key);
    }

    /// Forgets all readings in the same way.
    pub(crate) fn forget_all(&self) {
        self.slots.invalidate_all();
    }

    fn slot(&self, key: &K) -> Arc<Mutex<Slot<V>>> {
        self.slots.get_with_by_ref(key, || Arc::new(Mutex::new(Slot { good: None, failed: None })))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use sharedkey_engine::problem::Class;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn failure() -> Failure {
        Failure {
            class: Class::Transient,
            account: "111122223333".parse().unwrap(),
            action: "kms:DescribeKey".into(),
            resource: "key".into(),
            code: "Timeout".into(),
            message: String::new(),
        }
    }

    /// Reads that count themselves.
    struct Source {
        fresh: Fresh<&'static str, usize>,
        reads: AtomicUsize,
        fails: bool,
    }

    impl Source {
        fn new(fails: bool) -> Self {
            Self { fresh: Fresh::new(), reads: AtomicUsize::new(0), fails }
        }

        async fn get(&self, key: &'static str, max_age: Duration) -> Reading<usize> {
            let read = || async {
                tokio::task::yield_now().await;
                let count = self.reads.fetch_add(1, Ordering::Relaxed) + 1;
                if self.fails { Err(failure()) } else { Ok(count) }
            };
            self.fresh.get(&key, max_age, read).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_at_once_share_one_reading() {
        let source = Source::new(false);
        let readings = join_all((0..50).map(|_| source.get("key", Duration::ZERO))).await;
        assert!(readings.iter().all(|reading| *reading == Ok(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_at_once_share_one_failure_and_the_next_tries_again() {
        let source = Source::new(true);
        join_all((0..50).map(|_| source.get("key", MINUTE))).await;
        assert_eq!(source.reads.load(Ordering::Relaxed), 1);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(source.get("key", MINUTE).await, Err(failure()));
        assert_eq!(source.reads.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_is_used_until_it_is_too_old_for_who_asks() {
        let source = Source::new(false);
        assert_eq!(source.get("key", MINUTE).await, Ok(1));
        tokio::time::advance(MINUTE / 2).await;
        assert_eq!(source.get("key", MINUTE).await, Ok(1));
        assert_eq!(source.get("key", MINUTE / 3).await, Ok(2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_forgotten_is_read_again() {
        let source = Source::new(false);
        source.get("key", MINUTE).await.unwrap();
        source.get("other", MINUTE).await.unwrap();
        source.fresh.forget(&"key");
        assert_eq!(source.get("other", MINUTE).await, Ok(2));
        assert_eq!(source.get("key", MINUTE).await, Ok(3));
    }
}
