//! The one gate through which every call to AWS goes: limited, counted, timed and classified.

use std::{error::Error, future::Future, sync::Arc, time::Duration};

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sharedkey_engine::problem::{Failure, Reading};
use sharedkey_policy::{AccountId, Partition};
use tokio::time::Instant;

use crate::{
    class,
    limits::{Bucket, Limits, Rates},
};

/// Is told of every call, for metrics.
pub trait CallObserver: Send + Sync {
    /// A call ended. Retries of the SDK are part of it, waiting for our own limits is not.
    ///
    /// `result` is `ok` or one of a closed list of families of errors, fit for a label: `throttled`, `server`, `conflict`,
    /// `credentials`, `denied`, `not_found`, `limit`, `state`, `invalid`, `timeout`, `connection`, `other`.
    fn observed(
        &self,
        account: &AccountId,
        service: &'static str,
        operation: &'static str,
        result: &'static str,
        duration: Duration,
    );
}

/// One operation of AWS, with the quota that it counts against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Api {
    pub(crate) service: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) bucket: Bucket,
}

/// Whom a call asks, for what, about what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) api: Api,
    pub(crate) partition: Partition,
    pub(crate) account: &'a AccountId,
    pub(crate) region: &'a str,
    pub(crate) resource: &'a str,
}

impl Call<'_> {
    /// A failure of this call.
    pub(crate) fn failure(&self, answer: class::Answer) -> Failure {
        Failure {
            class: answer.class,
            account: self.account.clone(),
            action: format!("{}:{}", self.api.service, self.api.operation),
            resource: self.resource.to_owned(),
            code: answer.code,
            message: answer.message,
        }
    }
}

/// The gate.
pub(crate) struct Meter {
    limits: Limits,
    observer: Arc<dyn CallObserver>,
}

impl Meter {
    pub(crate) fn new(rates: Rates, observer: Arc<dyn CallObserver>) -> Self {
        Self { limits: Limits::new(rates), observer }
    }

    /// Waits until the call may be made. Apart from [`Self::send`], because credentials are renewed in between: after a long
    /// wait, and before the call takes a place that the renewal itself may need.
    pub(crate) async fn wait(&self, call: &Call<'_>) {
        self.limits.of(call.partition, call.account).wait(call.api.bucket, call.region).await;
    }

    /// Makes the call.
    pub(crate) async fn send<T, E, F>(&self, call: &Call<'_>, request: F) -> Reading<T>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let limits = self.limits.of(call.partition, call.account);
        let _place = limits.place().await;
        let start = Instant::now();
        let answer = request.await.map_err(|error| class::classify(&error));
        let result = answer.as_ref().map_or_else(|answer| answer.family, |_| "ok");
        self.observer.observed(call.account, call.api.service, call.api.operation, result, start.elapsed());
        answer.map_err(|answer| call.failure(answer))
    }
}
