//! Which answers the SDK must not ask for again.

use std::{error::Error, fmt::Debug, marker::PhantomData};

use aws_sdk_secretsmanager::config;
use aws_smithy_runtime_api::client::{
    interceptors::context::InterceptorContext,
    orchestrator::OrchestratorError,
    retries::classifiers::{ClassifyRetry, RetryAction},
};
use aws_smithy_types::{error::metadata::ProvideErrorMetadata, retry::RetryConfig};

/// For a call whose error is an `E`: a quota that is used up stays so. The SDK takes it for throttling, which would delay what has to be
/// reported, and use up the retries that all calls share (D§6.2).
pub(super) fn not_of_limits<E>() -> config::Builder
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    config::Builder::new().retry_classifier(LimitsStay::<E>(PhantomData))
}

/// For a call that must not be made twice with what was read before the first time.
pub(super) fn none() -> config::Builder {
    config::Builder::new().retry_config(RetryConfig::disabled())
}

#[derive(Debug)]
struct LimitsStay<E>(PhantomData<fn() -> E>);

impl<E> ClassifyRetry for LimitsStay<E>
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err).and_then(OrchestratorError::as_operation_error);
        match error.and_then(|error| error.downcast_ref::<E>()).and_then(ProvideErrorMetadata::code) {
            Some("LimitExceededException") => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "limits stay"
    }
}
