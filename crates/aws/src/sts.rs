//! STS: who we are, and sessions of roles.

use std::time::SystemTime;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use secrecy::SecretString;
use sharedkey_engine::problem::{Class, Failure, Reading};
use sharedkey_policy::AccountId;

use crate::{
    access::Access,
    class::Answer,
    limits::Bucket,
    meter::{Api, Call},
    secret,
    shared::Shared,
};

/// The longest session that a chain of roles may have; asking for more fails (D§6.4).
const SESSION_SECONDS: i32 = 3600;

const ASSUME_ROLE: Api = api("AssumeRole");
const ASSUME_ROLE_WITH_WEB_IDENTITY: Api = api("AssumeRoleWithWebIdentity");
/// Also named where credentials are missing: it is the first call that needs them.
pub(crate) const GET_CALLER_IDENTITY: Api = api("GetCallerIdentity");

const fn api(operation: &'static str) -> Api {
    Api { service: "sts", operation, bucket: Bucket::Sts }
}

/// Who credentials belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    /// The account.
    pub account: AccountId,
    /// The ARN of the user or of the role's session.
    pub arn: String,
    /// The unique id, with the session's name for roles.
    pub user_id: String,
}

/// STS in the account's default Region, asked with these credentials.
pub(crate) struct Sts<'a> {
    shared: &'a Shared,
    access: &'a Access,
    client: aws_sdk_sts::Client,
}

impl<'a> Sts<'a> {
    pub(crate) fn new(shared: &'a Shared, access: &'a Access, credentials: Option<Credentials>) -> Self {
        let credentials = credentials.map(SharedCredentialsProvider::new);
        let endpoint = access.endpoints.sts.as_deref();
        let config = shared.sdk.config(access.default_region.as_str(), credentials, endpoint);
        Self { shared, access, client: aws_sdk_sts::Client::new(&config) }
    }

    pub(crate) async fn assume_role(
        &self,
        role_arn: &str,
        session_name: &str,
        external_id: Option<&SecretString>,
    ) -> Reading<Credentials> {
        let request = self
            .client
            .assume_role()
            .role_arn(role_arn)
            .role_session_name(session_name)
            .set_external_id(external_id.map(|id| secret::reveal(id).to_owned()))
            .duration_seconds(SESSION_SECONDS);
        let call = self.call(ASSUME_ROLE, role_arn);
        self.shared.meter.wait(&call).await;
        let answer = self.shared.meter.send(&call, Box::pin(request.send())).await?;
        credentials(answer.credentials).ok_or_else(|| call.failure(unreadable()))
    }

    pub(crate) async fn assume_role_with_web_identity(
        &self,
        role_arn: &str,
        session_name: &str,
        token: &SecretString,
    ) -> Reading<Credentials> {
        let request = self
            .client
            .assume_role_with_web_identity()
            .role_arn(role_arn)
            .role_session_name(session_name)
            .web_identity_token(secret::reveal(token))
            .duration_seconds(SESSION_SECONDS);
        let call = self.call(ASSUME_ROLE_WITH_WEB_IDENTITY, role_arn);
        self.shared.meter.wait(&call).await;
        let answer = self.shared.meter.send(&call, Box::pin(request.send())).await?;
        credentials(answer.credentials).ok_or_else(|| call.failure(unreadable()))
    }

    /// Who the credentials belong to; a failure if that is not the account that was meant.
    pub(crate) async fn identity(&self) -> Reading<CallerIdentity> {
        let call = self.call(GET_CALLER_IDENTITY, self.access.account_id.as_str());
        self.shared.meter.wait(&call).await;
        let answer = self.shared.meter.send(&call, Box::pin(self.client.get_caller_identity().send())).await?;
        let (account, arn) = (answer.account.and_then(|id| id.parse().ok()), answer.arn);
        let (Some(account), Some(arn)) = (account, arn) else { return Err(call.failure(unreadable())) };
        let identity = CallerIdentity { account, arn, user_id: answer.user_id.unwrap_or_default() };
        self.expected(&identity).map(|()| identity).map_err(|answer| call.failure(answer))
    }

    fn expected(&self, identity: &CallerIdentity) -> Result<(), Answer> {
        let partition = self.access.partition.to_string();
        if identity.account == self.access.account_id && identity.arn.split(':').nth(1) == Some(&partition) {
            return Ok(());
        }
        Err(Answer {
            class: Class::UserActionNeeded,
            code: "IdentityMismatch".into(),
            message: format!(
                "the credentials belong to {}, not to account {} in {partition}",
                identity.arn, self.access.account_id
            ),
            family: "credentials",
        })
    }

    fn call<'c>(&'c self, api: Api, resource: &'c str) -> Call<'c> {
        self.access.call(api, self.access.default_region.as_str(), resource)
    }
}

impl Access {
    /// A call into this account.
    pub(crate) fn call<'a>(&'a self, api: Api, region: &'a str, resource: &'a str) -> Call<'a> {
        Call { api, partition: self.partition, account: &self.account_id, region, resource }
    }

    /// A failure to get credentials for this account that is not an answer of AWS.
    pub(crate) fn no_credentials(&self, class: Class, code: &str, message: String) -> Failure {
        let call = self.call(GET_CALLER_IDENTITY, self.default_region.as_str(), self.account_id.as_str());
        call.failure(Answer { class, code: code.to_owned(), message, family: "credentials" })
    }
}

fn credentials(answer: Option<aws_sdk_sts::types::Credentials>) -> Option<Credentials> {
    let answer = answer?;
    let expiry = SystemTime::try_from(answer.expiration).ok()?;
    let token = Some(answer.session_token);
    Some(Credentials::new(answer.access_key_id, answer.secret_access_key, token, Some(expiry), "sharedkey"))
}

fn unreadable() -> Answer {
    Answer {
        class: Class::Transient,
        code: "UnreadableAnswer".into(),
        message: "STS left out what it always says".into(),
        family: "connection",
    }
}
