//! Waiting for servers of ours.

use std::time::Duration;

use anyhow::Result;

use crate::{process::Process, wait_for};

/// Waits until `probe` succeeds. It does not wait for a server that has ended; an error shows the ends of the logs.
pub(crate) async fn serving<T>(
    processes: &mut [Process],
    what: &str,
    deadline: Duration,
    mut probe: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let outcome = wait_for(what, deadline, async || match processes.iter_mut().try_for_each(Process::check) {
        Ok(()) => probe().await.map(Ok),
        Err(ended) => Ok(Err(ended)),
    })
    .await;
    match outcome {
        Ok(served_or_ended) => served_or_ended,
        Err(late) => {
            let logs: Vec<_> = processes.iter().map(Process::log_tail).collect();
            Err(late.context(logs.join("\n")))
        }
    }
}
