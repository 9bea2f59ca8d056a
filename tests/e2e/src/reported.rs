//! What the operator counts of its own work.

use sharedkey_harness::metrics::Metrics;

const OF_SHARED_KEYS: [(&str, &str); 1] = [("kind", "SharedKey")];

/// Reconciles of SharedKeys since the operator started.
pub fn reconciles(metrics: &Metrics) -> f64 {
    metrics.sum("sharedkey_reconciles_total", &OF_SHARED_KEYS)
}

/// Statuses of SharedKeys that it has written since then.
pub fn statuses_written(metrics: &Metrics) -> f64 {
    metrics.sum("sharedkey_status_writes_total", &OF_SHARED_KEYS)
}
