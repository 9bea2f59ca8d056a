//! How every SDK client is set up: one HTTP client, timeouts, bounded retries.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_kms::config::IdentityCache;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::{app_name::AppName, region::Region};

/// In the user agent, so that `CloudTrail` tells our calls from others'.
const APP_NAME: &str = "sharedkey-operator";
/// Once and two retries.
const ATTEMPTS: u32 = 3;

/// How long AWS is waited for. The SDK has no operation timeout of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect.
    pub connect: Duration,
    /// For the first byte of an answer.
    pub read: Duration,
    /// For one attempt.
    pub attempt: Duration,
    /// For a call with all its retries.
    pub operation: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            read: Duration::from_secs(10),
            attempt: Duration::from_secs(10),
            operation: Duration::from_secs(40),
        }
    }
}

impl Timeouts {
    fn config(self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .read_timeout(self.read)
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.operation)
            .build()
    }
}

/// What all clients have in common.
#[derive(Clone, Debug)]
pub(crate) struct Sdk {
    http: SharedHttpClient,
    timeouts: Timeouts,
}

impl Sdk {
    pub(crate) fn new(timeouts: Timeouts) -> Self {
        // aws-lc alone: with a second provider in the program rustls panics at run time.
        let http = aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc));
        Self { http: http.build_https(), timeouts }
    }

    /// The setup of a client.
    pub(crate) fn config(
        &self,
        region: &str,
        credentials: Option<SharedCredentialsProvider>,
        endpoint: Option<&str>,
    ) -> SdkConfig {
        let mut config = SdkConfig::builder()
            .behavior_version(behavior())
            .http_client(self.http.clone())
            .timeout_config(self.timeouts.config())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .region(Region::new(region.to_owned()))
            // The session holds credentials for all clients of an account; a cache in each would renew them each for itself.
            .identity_cache(IdentityCache::no_cache());
        config.set_app_name(AppName::new(APP_NAME).ok());
        config.set_credentials_provider(credentials);
        config.set_endpoint_url(endpoint.map(str::to_owned));
        config.build()
    }

    /// The operator's own credentials, as the SDK finds them: environment, IRSA, Pod Identity, instance metadata.
    pub(crate) async fn ambient(&self, region: &str) -> Option<SharedCredentialsProvider> {
        aws_config::defaults(behavior())
            .http_client(self.http.clone())
            .timeout_config(self.timeouts.config())
            .region(Region::new(region.to_owned()))
            .load()
            .await
            .credentials_provider()
    }
}

/// Pinned: a newer SDK must not change timeouts or retries by itself.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}
