//! The way into one account: its session, and one client for each Region and service.

use std::{
    collections::HashMap,
    error::Error,
    future::Future,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sharedkey_engine::problem::Reading;
use sharedkey_policy::Region;

use crate::{
    access::Access,
    class,
    meter::Api,
    session::Session,
    shared::Shared,
    sts::{CallerIdentity, Sts},
};

/// The way into one account.
pub(crate) struct Reach {
    shared: Arc<Shared>,
    access: Access,
    session: Arc<Session>,
    kms: Mutex<HashMap<Region, aws_sdk_kms::Client>>,
    secrets_manager: Mutex<HashMap<Region, aws_sdk_secretsmanager::Client>>,
    iam: OnceLock<aws_sdk_iam::Client>,
}

impl Reach {
    pub(crate) fn new(access: Access, session: Arc<Session>, shared: Arc<Shared>) -> Self {
        Self { shared, access, session, kms: Mutex::default(), secrets_manager: Mutex::default(), iam: OnceLock::new() }
    }

    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Makes a call, with credentials that are good, within all limits.
    pub(crate) fn call<T, E, F>(
        &self,
        api: Api,
        region: &str,
        resource: &str,
        request: F,
    ) -> impl Future<Output = Reading<T>>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let made = self.call_in_turn(api, region, resource, request);
        async move {
            self.turn(api, region).await;
            made.await
        }
    }

    /// Waits until a call may be made without leaving its quota.
    pub(crate) async fn turn(&self, api: Api, region: &str) {
        self.shared.meter.wait(&self.access.call(api, region, "")).await;
    }

    /// Makes a call that has waited for its turn.
    pub(crate) fn call_in_turn<T, E, F>(
        &self,
        api: Api,
        region: &str,
        resource: &str,
        request: F,
    ) -> impl Future<Output = Reading<T>>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        // The SDK's futures have some 25 KB: on the heap they do not add up in every future around them.
        let request = Box::pin(request);
        async move {
            let credentials = self.session.credentials().await?;
            let answer = self.shared.meter.send(&self.access.call(api, region, resource), request).await;
            if answer.as_ref().is_err_and(|failure| class::ends_session(&failure.code)) {
                self.session.forget(&credentials);
            }
            answer
        }
    }

    /// Who we are in this account, asked now.
    pub(crate) async fn identity(&self) -> Reading<CallerIdentity> {
        let credentials = self.session.credentials().await?;
        let identity = Sts::new(&self.shared, &self.access, Some(credentials.clone())).identity().await;
        if identity.as_ref().is_err_and(|failure| class::ends_session(&failure.code)) {
            self.session.forget(&credentials);
        }
        identity
    }

    pub(crate) fn kms_client(&self, region: &Region) -> aws_sdk_kms::Client {
        let new = || aws_sdk_kms::Client::new(&self.config(region.as_str(), self.access.endpoints.kms.as_deref()));
        of_region(&self.kms, region, new)
    }

    pub(crate) fn secrets_manager_client(&self, region: &Region) -> aws_sdk_secretsmanager::Client {
        let endpoint = self.access.endpoints.secrets_manager.as_deref();
        let new = || aws_sdk_secretsmanager::Client::new(&self.config(region.as_str(), endpoint));
        of_region(&self.secrets_manager, region, new)
    }

    /// IAM is one service for a partition, and signs in one Region of it (D§7).
    pub(crate) fn iam_client(&self) -> &aws_sdk_iam::Client {
        let new = || aws_sdk_iam::Client::new(&self.config(self.iam_region(), self.access.endpoints.iam.as_deref()));
        self.iam.get_or_init(new)
    }

    pub(crate) fn iam_region(&self) -> &'static str {
        self.access.partition.iam_region()
    }

    fn config(&self, region: &str, endpoint: Option<&str>) -> SdkConfig {
        let session: Arc<dyn ProvideCredentials> = Arc::clone(&self.session) as _;
        self.shared.sdk.config(region, Some(SharedCredentialsProvider::new(session)), endpoint)
    }
}

/// The client of a Region, made at its first use.
fn of_region<C: Clone>(clients: &Mutex<HashMap<Region, C>>, region: &Region, new: impl FnOnce() -> C) -> C {
    let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
    clients.entry(region.clone()).or_insert_with(new).clone()
}
