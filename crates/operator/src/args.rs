//! The command line. Every flag has an environment variable, which is what a Deployment sets.

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use clap::{Parser, ValueEnum};
use sharedkey_engine::names::OwnerId;

const EXAMPLES: &str = "Examples:
  # in a cluster, as deploy/ does it
  sharedkey-operator --owner-id prod-eu

  # against the cluster of your kubeconfig, for a look at what it does
  sharedkey-operator --owner-id dev-anna --log-format text --log info,sharedkey_aws=debug";

/// Shares AWS KMS keys with other AWS accounts as SharedKey objects ask, and reports drift in their status.
#[derive(Clone, Debug, Parser)]
#[command(name = "sharedkey-operator", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Name of this operator in AWS: part of every Sid and policy name that it writes, and of nothing else. 3 to 32 of a-z, 0-9
    /// and -. Two clusters need two ids; a rebuilt cluster takes over its own by naming the same one.
    #[arg(long, env = "SHAREDKEY_OWNER_ID")]
    pub(crate) owner_id: OwnerId,

    /// Namespace of the operator: its ledger, and the Secrets that AwsAccounts name.
    #[arg(long, env = "SHAREDKEY_OPERATOR_NAMESPACE", default_value = "sharedkey-system")]
    pub(crate) operator_namespace: String,

    /// ServiceAccount of the operator in that namespace, whose tokens AwsAccounts with webIdentity log in with.
    #[arg(long, env = "SHAREDKEY_SERVICE_ACCOUNT", default_value = "sharedkey-operator")]
    pub(crate) service_account: String,

    /// Lets AwsAccounts name their own endpoints. They receive signed requests.
    #[arg(long, env = "SHAREDKEY_ALLOW_ENDPOINT_OVERRIDES")]
    pub(crate) allow_endpoint_overrides: bool,

    /// Lets those endpoints be plain http. For emulators.
    #[arg(long, env = "SHAREDKEY_ALLOW_INSECURE_ENDPOINTS", requires = "allow_endpoint_overrides")]
    pub(crate) allow_insecure_endpoints: bool,

    /// Objects that are reconciled at the same time.
    #[arg(long, env = "SHAREDKEY_CONCURRENCY", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) concurrency: u16,

    /// Reads of IAM per second and account. AWS publishes no limit and raises none.
    #[arg(long, env = "SHAREDKEY_IAM_READS_PER_SECOND", default_value = "5")]
    pub(crate) iam_reads_per_second: NonZeroU32,

    /// Writes of IAM per second and account.
    #[arg(long, env = "SHAREDKEY_IAM_WRITES_PER_SECOND", default_value = "2")]
    pub(crate) iam_writes_per_second: NonZeroU32,

    /// How long the deletion of an object waits for accounts of consumers that cannot be reached, in seconds. The key's half is always
    /// removed first, and without it what remains opens nothing.
    #[arg(long, env = "SHAREDKEY_DELETION_TIMEOUT_SECONDS", default_value_t = 3600)]
    pub(crate) deletion_timeout_seconds: u64,

    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, env = "SHAREDKEY_HEALTH_ADDR", default_value = "0.0.0.0:8080")]
    pub(crate) health_addr: SocketAddr,

    /// json for machines, text for people.
    #[arg(long, env = "SHAREDKEY_LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub(crate) log_format: LogFormat,

    /// What is logged, as a filter by level and module, like `info,sharedkey_aws=debug`.
    #[arg(long, env = "SHAREDKEY_LOG", default_value = "info")]
    pub(crate) log: String,

    /// Sweeps every object this often, in milliseconds, whatever its interval says. For tests of many sweeps.
    #[arg(long, env = "SHAREDKEY_INTERVAL_OVERRIDE_MS", hide = true)]
    pub(crate) interval_override_ms: Option<u64>,

    /// Takes a reading for an old answer of AWS this long after a write, in milliseconds. For tests that change things at once.
    #[arg(long, env = "SHAREDKEY_READ_LAG_OVERRIDE_MS", hide = true)]
    pub(crate) read_lag_override_ms: Option<u64>,

    /// Expects a write that AWS has not answered this long after it was sent, in milliseconds. For tests that lose answers.
    #[arg(long, env = "SHAREDKEY_WRITE_LAG_OVERRIDE_MS", hide = true)]
    pub(crate) write_lag_override_ms: Option<u64>,

    /// Counts undone writes of so many last seconds. For tests that undo many.
    #[arg(long, env = "SHAREDKEY_CONTENTION_OVERRIDE_SECONDS", hide = true)]
    pub(crate) contention_override_seconds: Option<i64>,
}

impl Args {
    /// The interval of an object whose spec says `stated`.
    pub(crate) fn interval(&self, stated: Duration) -> Duration {
        self.interval_override_ms.map_or(stated, Duration::from_millis)
    }

    /// See [`Args::deletion_timeout_seconds`].
    pub(crate) fn deletion_timeout(&self) -> Duration {
        Duration::from_secs(self.deletion_timeout_seconds)
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_id_is_required_and_has_no_default() {
        assert!(Args::try_parse_from(["sharedkey-operator"]).is_err());
        assert!(Args::try_parse_from(["sharedkey-operator", "--owner-id", "prod-eu"]).is_ok());
    }

    #[test]
    fn plain_http_needs_both_flags() {
        let base = ["sharedkey-operator", "--owner-id", "prod-eu", "--allow-insecure-endpoints"];
        assert!(Args::try_parse_from(base).is_err());
    }
}
