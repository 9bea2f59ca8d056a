//! Plain HTTP to servers of ours on the loopback.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::{Method, Request, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde::{Serialize, de::DeserializeOwned};

const ANSWER: Duration = Duration::from_secs(10);

/// The body of a `GET`, as text.
pub(crate) async fn get_text(url: &str) -> Result<String> {
    let body = send(Method::GET, url, Vec::new()).await?;
    String::from_utf8(body).with_context(|| format!("{url} answered no text"))
}

/// Sends a JSON body and reads a JSON answer.
pub(crate) async fn json<T: DeserializeOwned>(method: Method, url: &str, body: &impl Serialize) -> Result<T> {
    let answer = send(method, url, serde_json::to_vec(body)?).await?;
    serde_json::from_slice(&answer)
        .with_context(|| format!("{url} answered something else: {}", String::from_utf8_lossy(&answer)))
}

async fn send(method: Method, url: &str, body: Vec<u8>) -> Result<Vec<u8>> {
    let request = Request::builder()
        .method(method)
        .uri(url)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))?;
    // No connection is kept: it would belong to the runtime of the test that opened it.
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http::<Full<Bytes>>();
    let exchange = async {
        let answer = client.request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes().to_vec();
        ensure!(status.is_success(), "{url} answered {status}: {}", String::from_utf8_lossy(&body));
        Ok(body)
    };
    match tokio::time::timeout(ANSWER, exchange).await {
        Ok(result) => result.with_context(|| format!("no good answer from {url}")),
        Err(_) => bail!("no answer from {url} within {ANSWER:?}"),
    }
}
