//! Calls that nobody may listen to.

use std::future::Future;

use tracing::{instrument::WithSubscriber, subscriber::NoSubscriber};

/// Keeps what a call logs from every log. At level trace the SDK prints requests and answers. It leaves their bodies out, unless the
/// environment of the process asks for them (`LOG_SIGNABLE_BODY`, `LOG_SENSITIVE_BODIES`); those of values nobody may have.
pub(super) fn unheard<F: Future>(call: F) -> impl Future<Output = F::Output> {
    call.with_subscriber(NoSubscriber::default())
}
