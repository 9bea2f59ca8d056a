//! Metrics. Labels are bounded: no name, account, key or message is one.

use std::{sync::Arc, time::Duration};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::reflector::Store;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::ConstGauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use sharedkey_api::{Drift, DriftKind, ExternalSecret, SharedKey, conditions::ConditionType};
use sharedkey_aws::CallObserver;
use sharedkey_engine::{
    ledger::Kind as ObjectKind,
    summarise::{Status, condition},
};
use sharedkey_policy::AccountId;
use strum::IntoEnumIterator as _;

use crate::served::Served;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reconcile {
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Call {
    service: &'static str,
    operation: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Operation {
    service: &'static str,
    operation: &'static str,
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.005, 2.0, 14))
}

/// Everything that is counted.
pub(crate) struct Metrics {
    registry: Registry,
    reconciles: Family<Reconcile, Counter>,
    durations: Family<Kind, Histogram>,
    statuses: Family<Kind, Counter>,
    calls: Family<Call, Counter>,
    call_durations: Family<Operation, Histogram>,
}

impl Metrics {
    pub(crate) fn new(keys: Store<SharedKey>, secrets: Store<ExternalSecret>) -> Self {
        let mut registry = Registry::with_prefix("sharedkey");
        let reconciles = Family::<Reconcile, Counter>::default();
        let durations = Family::<Kind, Histogram>::new_with_constructor(seconds);
        let statuses = Family::<Kind, Counter>::default();
        let calls = Family::<Call, Counter>::default();
        let call_durations = Family::<Operation, Histogram>::new_with_constructor(seconds);
        registry.register("reconciles", "Reconciles by kind and result", reconciles.clone());
        registry.register("reconcile_duration_seconds", "Duration of reconciles", durations.clone());
        registry.register("status_writes", "Writes of status by kind", statuses.clone());
        registry.register("aws_calls", "Calls to AWS by service, operation and result", calls.clone());
        registry.register("aws_call_duration_seconds", "Duration of calls to AWS", call_durations.clone());
        registry.register_collector(Box::new(Objects { keys, secrets }));
        Self { registry, reconciles, durations, statuses, calls, call_durations }
    }

    pub(crate) fn reconciled(&self, kind: &'static str, result: &'static str, duration: Duration) {
        self.reconciles.get_or_create(&Reconcile { kind, result }).inc();
        self.durations.get_or_create(&Kind { kind }).observe(duration.as_secs_f64());
    }

    pub(crate) fn status_written(&self, kind: &'static str) {
        self.statuses.get_or_create(&Kind { kind }).inc();
    }

    /// Everything in OpenMetrics text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            tracing::error!(%error, "metrics cannot be encoded");
        }
        text
    }
}

/// Counts calls to AWS.
pub(crate) struct Calls(pub(crate) Arc<Metrics>);

impl CallObserver for Calls {
    fn observed(
        &self,
        _account: &AccountId,
        service: &'static str,
        operation: &'static str,
        result: &'static str,
        duration: Duration,
    ) {
        self.0.calls.get_or_create(&Call { service, operation, result }).inc();
        self.0.call_durations.get_or_create(&Operation { service, operation }).observe(duration.as_secs_f64());
    }
}

/// Gauges that are read off the objects when somebody asks.
#[derive(Debug)]
struct Objects {
    keys: Store<SharedKey>,
    secrets: Store<ExternalSecret>,
}

/// What the gauges need of one object.
struct Seen {
    kind: ObjectKind,
    ready: &'static str,
    drift: Vec<DriftKind>,
}

impl Seen {
    fn all_of<K: Served>(store: &Store<K>) -> Vec<Self> {
        store.state().iter().map(|object| Self::of(&**object)).collect()
    }

    fn of<K: Served>(object: &K) -> Self {
        let drift = object.status().map(Status::drift).unwrap_or_default().iter().map(|Drift { kind, .. }| *kind);
        let conditions = object.status().map(Status::conditions).unwrap_or_default();
        Self { kind: K::KIND, ready: readiness(conditions), drift: drift.collect() }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DriftLabels {
    layer: String,
    kind: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ObjectLabels {
    kind: &'static str,
    ready: &'static str,
}

impl Collector for Objects {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut seen = Seen::all_of(&self.keys);
        seen.extend(Seen::all_of(&self.secrets));
        let mut family = encoder.encode_descriptor(
            "drift",
            "Differences between AWS and the specs that status reports",
            None,
            prometheus_client::metrics::MetricType::Gauge,
        )?;
        for kind in DriftKind::iter() {
            let count = seen.iter().flat_map(|object| &object.drift).filter(|found| **found == kind).count();
            let labels = DriftLabels { layer: kind.layer().to_string(), kind: kind.to_string() };
            ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX)).encode(family.encode_family(&labels)?)?;
        }
        let mut family = encoder.encode_descriptor(
            "objects",
            "Objects by kind and readiness",
            None,
            prometheus_client::metrics::MetricType::Gauge,
        )?;
        for kind in ObjectKind::iter() {
            for ready in ["True", "False", "Unknown"] {
                let count = seen.iter().filter(|object| object.kind == kind && object.ready == ready).count();
                let labels = ObjectLabels { kind: kind.into(), ready };
                ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

fn readiness(conditions: &[Condition]) -> &'static str {
    match condition(conditions, ConditionType::Ready).map(|ready| ready.status.as_str()) {
        Some("True") => "True",
        Some("False") => "False",
        _ => "Unknown",
    }
}
