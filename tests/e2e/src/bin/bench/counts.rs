//! What was asked of AWS and written to Kubernetes, as the two of them counted it.

use std::ops::Div;

use anyhow::Result;
use kube::Client;
use sharedkey_e2e::{IN_ACCOUNTS, reads};
use sharedkey_harness::{World, aws::Calls, metrics::Metrics};

/// What the operator writes. Components of the control plane write leases and their own objects beside it.
const RESOURCES: [&str; 6] = ["sharedkeys", "externalsecrets", "awsaccounts", "configmaps", "secrets", "events"];
const VERBS: [&str; 5] = ["POST", "PUT", "PATCH", "APPLY", "DELETE"];

/// Counts since the world began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Calls to KMS.
    pub(crate) kms: f64,
    /// Calls to Secrets Manager.
    pub(crate) secrets_manager: f64,
    /// Values that were pushed there to secrets that exist.
    pub(crate) values: f64,
    /// Calls to AWS, those among them.
    pub(crate) aws: f64,
    /// Those that write.
    pub(crate) aws_writes: f64,
    /// Writes to the API server, of whomever.
    pub(crate) kubernetes_writes: f64,
}

impl Counts {
    pub(crate) async fn now(world: &World, client: &Client) -> Result<Self> {
        let mut counts = Self::default();
        for call in world.aws.counts(&Calls::all().principal(IN_ACCOUNTS)).await? {
            let count = f64::from(u32::try_from(call.count)?);
            counts.aws += count;
            counts.kms += if call.service == "kms" { count } else { 0.0 };
            counts.secrets_manager += if call.service == "secretsmanager" { count } else { 0.0 };
            counts.values += if call.operation == "PutSecretValue" { count } else { 0.0 };
            counts.aws_writes += if reads(&call.operation) { 0.0 } else { count };
        }
        let metrics = client.request_text(http::Request::get("/metrics").body(Vec::new())?).await?;
        let metrics = Metrics::parse(&metrics);
        let writes = |resource, verb| metrics.sum("apiserver_request_total", &[("resource", resource), ("verb", verb)]);
        counts.kubernetes_writes =
            RESOURCES.iter().flat_map(|resource| VERBS.iter().map(move |verb| writes(*resource, *verb))).sum();
        Ok(counts)
    }

    /// What was counted since then.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            kms: self.kms - before.kms,
            secrets_manager: self.secrets_manager - before.secrets_manager,
            values: self.values - before.values,
            aws: self.aws - before.aws,
            aws_writes: self.aws_writes - before.aws_writes,
            kubernetes_writes: self.kubernetes_writes - before.kubernetes_writes,
        }
    }
}

impl Div<f64> for Counts {
    type Output = Self;

    /// What is counted in so many sweeps, for one of them.
    fn div(self, sweeps: f64) -> Self {
        Self {
            kms: self.kms / sweeps,
            secrets_manager: self.secrets_manager / sweeps,
            values: self.values / sweeps,
            aws: self.aws / sweeps,
            aws_writes: self.aws_writes / sweeps,
            kubernetes_writes: self.kubernetes_writes / sweeps,
        }
    }
}
