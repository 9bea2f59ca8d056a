//! Waiting for conditions, never for time.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use futures::StreamExt;
use kube::{Api, Resource, runtime::watcher::watch_object};
use serde::{Serialize, de::DeserializeOwned};

const POLL: Duration = Duration::from_millis(50);

/// Asks `probe` every 50 ms until it succeeds. An error of the probe means "not yet" and says what it saw; when the
/// deadline has passed, the last one is the message.
pub async fn wait_for<T>(what: &str, deadline: Duration, mut probe: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    let mut last = anyhow!("nothing was seen");
    loop {
        let left = deadline.saturating_sub(started.elapsed());
        match tokio::time::timeout(left, probe()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(seen)) => last = seen,
            Err(_) if left.is_zero() => {}
            Err(_) => last = last.context("the last look did not return"),
        }
        if started.elapsed() + POLL >= deadline {
            return Err(last.context(format!("waited {deadline:?} for {what}")));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Watches one object until `condition` holds, and returns it. An object that is absent meets no condition. When the
/// deadline has passed, the message shows the object as it was last seen.
pub async fn wait_for_object<K>(
    api: &Api<K>,
    name: &str,
    what: &str,
    deadline: Duration,
    mut condition: impl FnMut(&K) -> bool,
) -> Result<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
{
    let mut last: Option<K> = None;
    let mut trouble = None;
    let watching = async {
        let mut seen = std::pin::pin!(watch_object(api.clone(), name));
        while let Some(next) = seen.next().await {
            match next {
                Ok(Some(object)) if condition(&object) => return Ok(object),
                Ok(object) => last = object,
                Err(error) => trouble = Some(error),
            }
        }
        bail!("the watch on {name} ended")
    };
    if let Ok(result) = tokio::time::timeout(deadline, watching).await {
        return result;
    }
    let shown = match last {
        Some(object) => serde_yaml_ng::to_string(&object).context("the object cannot be shown")?,
        None => String::from("(the object does not exist)"),
    };
    let trouble = trouble.map(|error| format!("\nthe last trouble of the watch: {error}")).unwrap_or_default();
    bail!("waited {deadline:?} for {name}: {what}; last seen:\n{shown}{trouble}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_seen_last_is_the_message() {
        let mut looks = 0;
        let error = wait_for("three", Duration::from_millis(300), async || {
            looks += 1;
            anyhow::ensure!(looks < 0, "saw {looks}");
            Ok(())
        })
        .await
        .unwrap_err();
        let message = format!("{error:#}");
        assert!(message.contains("for three") && message.contains(&format!("saw {looks}")), "{message}");
    }

    #[tokio::test]
    async fn a_probe_that_hangs_does_not_outlive_the_deadline() {
        let error = wait_for::<()>("nothing", Duration::from_millis(100), async || std::future::pending().await).await;
        assert!(format!("{:#}", error.unwrap_err()).contains("did not return"));
    }
}
