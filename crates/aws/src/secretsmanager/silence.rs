//! Calls that nobody may listen to, and failures that must not be told in full.

use std::future::Future;

use sharedkey_engine::problem::{Failure, Reading};
use tracing::{instrument::WithSubscriber, subscriber::NoSubscriber};

use crate::class;

/// Keeps what a call logs from every log. At level trace the SDK prints requests and answers. It leaves their bodies out, unless the
/// environment of the process asks for them (`LOG_SIGNABLE_BODY`, `LOG_SENSITIVE_BODIES`); those of values nobody may have.
pub(super) fn unheard<F: Future>(call: F) -> impl Future<Output = F::Output> {
    call.with_subscriber(NoSubscriber::default())
}

/// What came of a call that carries a value, without a message that may quote it.
pub(super) fn unquoted<T>(reading: Reading<T>) -> Reading<T> {
    reading.map_err(|failure| {
        if class::may_quote(&failure.code) {
            let message = "the message may quote the value, so it is not shown".to_owned();
            return Failure { message, ..failure };
        }
        failure
    })
}
