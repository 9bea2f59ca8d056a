//! How often each object failed in a row, and so how long it waits.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sharedkey_engine::{backoff, problem::Class};

/// Failures in a row by object.
#[derive(Debug, Default)]
pub(crate) struct Backoffs(Mutex<HashMap<String, u32>>);

impl Backoffs {
    /// The wait after a failure of a class, longer with each in a row.
    pub(crate) fn wait(&self, object: &str, class: Class) -> Duration {
        let mut failures = self.failures();
        let count = failures.entry(object.to_owned()).or_default();
        let wait = backoff::delay(class, *count, rand::random());
        *count = count.saturating_add(1);
        wait
    }

    /// Forgets how often an object failed.
    pub(crate) fn calm(&self, object: &str) {
        self.failures().remove(object);
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
