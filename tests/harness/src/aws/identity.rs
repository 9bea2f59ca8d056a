//! Somebody who signs requests.

use std::{fmt, time::Duration};

use anyhow::{Context, Result};
use aws_credential_types::Credentials as SdkCredentials;
use aws_sdk_kms::config::{BehaviorVersion, Region, SharedHttpClient, timeout::TimeoutConfig};
use aws_sdk_sts::types::Credentials as Session;

/// An access key, and a session token where it is a session's.
#[derive(Clone)]
pub struct Credentials {
    /// `AKIA…` or `ASIA…`.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
    /// Only sessions have one.
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// Credentials at an endpoint: clients of the official SDK come from here.
///
/// Plain data, good in every runtime; a client's connections belong to the runtime in which it was made.
#[derive(Debug, Clone)]
pub struct Identity {
    pub(super) endpoint: String,
    pub(super) region: String,
    pub(super) credentials: Credentials,
}

impl Identity {
    /// What it signs with.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The region that its calls go to.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The same credentials in another region.
    #[must_use]
    pub fn in_region(&self, region: impl Into<String>) -> Self {
        Self { region: region.into(), ..self.clone() }
    }

    /// A KMS client.
    pub fn kms(&self) -> aws_sdk_kms::Client {
        let config = aws_sdk_kms::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(plain_http())
            .timeout_config(timeouts())
            .endpoint_url(&self.endpoint)
            .region(Region::new(self.region.clone()))
            .credentials_provider(self.sdk_credentials());
        aws_sdk_kms::Client::from_conf(config.build())
    }

    /// An IAM client.
    pub fn iam(&self) -> aws_sdk_iam::Client {
        let config = aws_sdk_iam::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(plain_http())
            .timeout_config(timeouts())
            .endpoint_url(&self.endpoint)
            .region(Region::new(self.region.clone()))
            .credentials_provider(self.sdk_credentials());
        aws_sdk_iam::Client::from_conf(config.build())
    }

    /// An STS client.
    pub fn sts(&self) -> aws_sdk_sts::Client {
        let config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(plain_http())
            .timeout_config(timeouts())
            .endpoint_url(&self.endpoint)
            .region(Region::new(self.region.clone()))
            .credentials_provider(self.sdk_credentials());
        aws_sdk_sts::Client::from_conf(config.build())
    }

    /// A Secrets Manager client.
    pub fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        let config = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(plain_http())
            .timeout_config(timeouts())
            .endpoint_url(&self.endpoint)
            .region(Region::new(self.region.clone()))
            .credentials_provider(self.sdk_credentials());
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }

    /// Who AWS says that this is (GetCallerIdentity).
    pub async fn arn(&self) -> Result<String> {
        self.sts().get_caller_identity().send().await?.arn.context("GetCallerIdentity answered without an ARN")
    }

    /// Enters a role (AssumeRole), with an external id if the role asks for one.
    pub async fn assume_role(&self, role_arn: &str, external_id: Option<&str>) -> Result<Self> {
        let answer = self
            .sts()
            .assume_role()
            .role_arn(role_arn)
            .role_session_name("harness")
            .set_external_id(external_id.map(str::to_owned))
            .send()
            .await?;
        self.entered(answer.credentials)
    }

    /// Enters a role with a token (`AssumeRoleWithWebIdentity`); only the token counts, not whose identity this is.
    pub async fn assume_role_with_token(&self, role_arn: &str, token: &str) -> Result<Self> {
        let answer = self
            .sts()
            .assume_role_with_web_identity()
            .role_arn(role_arn)
            .role_session_name("harness")
            .web_identity_token(token)
            .send()
            .await?;
        self.entered(answer.credentials)
    }

    fn entered(&self, session: Option<Session>) -> Result<Self> {
        let session = session.context("STS answered without credentials")?;
        let credentials = Credentials {
            access_key_id: session.access_key_id,
            secret_access_key: session.secret_access_key,
            session_token: Some(session.session_token),
        };
        Ok(Self { credentials, ..self.clone() })
    }

    fn sdk_credentials(&self) -> SdkCredentials {
        let Credentials { access_key_id, secret_access_key, session_token } = self.credentials.clone();
        SdkCredentials::new(access_key_id, secret_access_key, session_token, None, "harness")
    }
}

/// The endpoint is plain http on the loopback: a client that need not load the machine's certificates is made in no time.
fn plain_http() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_http()
}

/// The SDK waits for ever unless told otherwise.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().operation_timeout(Duration::from_secs(30)).build()
}
