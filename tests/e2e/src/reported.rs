//! What the operator counts of its own work.

use sharedkey_harness::metrics::Metrics;

/// Reconciles of objects of a kind since the operator started.
pub fn reconciles(metrics: &Metrics, kind: &str) -> f64 {
    metrics.sum("sharedkey_reconciles_total", &[("kind", kind)])
}

/// Statuses of objects of a kind that it has written since then.
pub fn statuses_written(metrics: &Metrics, kind: &str) -> f64 {
    metrics.sum("sharedkey_status_writes_total", &[("kind", kind)])
}
