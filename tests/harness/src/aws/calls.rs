//! Which calls were made.

use std::collections::BTreeMap;

use anyhow::Result;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Account, StrictAws};

/// Which calls are meant: all of them, until it is narrowed down.
#[derive(Debug, Clone, Default, Serialize)]
#[must_use]
pub struct Calls(BTreeMap<&'static str, String>);

impl Calls {
    /// All calls.
    pub fn all() -> Self {
        Self::default()
    }

    /// Those that principals of this account made.
    pub fn account(self, account: &Account) -> Self {
        self.with("account", account.id())
    }

    /// Those that this ARN (`*` allowed) made.
    pub fn principal(self, arn: &str) -> Self {
        self.with("principal", arn)
    }

    /// Those of one service (`kms`, `iam`, `sts`).
    pub fn service(self, service: &str) -> Self {
        self.with("service", service)
    }

    /// Those of one operation; `Put*` is allowed.
    pub fn operation(self, operation: &str) -> Self {
        self.with("operation", operation)
    }

    /// Those about this key, role or user, as the call named it (`*` allowed).
    pub fn resource(self, resource: &str) -> Self {
        self.with("resource", resource)
    }

    /// Those that ended like this: `OK`, an error code, or `ConnectionCut`.
    pub fn result(self, result: &str) -> Self {
        self.with("result", result)
    }

    fn with(mut self, name: &'static str, pattern: &str) -> Self {
        self.0.insert(name, pattern.to_owned());
        self
    }
}

/// How many calls of one kind were made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Count {
    /// The caller's account.
    pub account: String,
    /// `kms`, `iam`, `sts`.
    pub service: String,
    /// `PutKeyPolicy`.
    pub operation: String,
    /// `OK`, an error code, or `ConnectionCut`.
    pub result: String,
    /// How many.
    pub count: u64,
}

/// A call that was made.
#[derive(Debug, Clone, Deserialize)]
pub struct Call {
    /// Its place in the order of all calls.
    pub seq: u64,
    /// The caller's account.
    pub account: String,
    /// The caller's ARN.
    pub principal: String,
    /// `kms`, `iam`, `sts`.
    pub service: String,
    /// `PutKeyPolicy`.
    pub operation: String,
    /// Where it was sent to.
    pub region: String,
    /// What it was about, as it named it.
    pub resource: String,
    /// `OK`, an error code, or `ConnectionCut`.
    pub result: String,
}

impl StrictAws {
    /// Counts calls by account, service, operation and result.
    pub async fn counts(&self, calls: &Calls) -> Result<Vec<Count>> {
        self.control(Method::GET, "counters", calls).await
    }

    /// How many calls there were.
    pub async fn count(&self, calls: &Calls) -> Result<u64> {
        Ok(self.counts(calls).await?.iter().map(|count| count.count).sum())
    }

    /// The calls themselves, in order, after the one with number `since` (0 for all). The last 100,000 are known.
    pub async fn log(&self, calls: &Calls, since: u64) -> Result<Vec<Call>> {
        let mut body = serde_json::to_value(calls)?;
        body["since"] = json!(since);
        self.control(Method::GET, "log", &body).await
    }

    /// Forgets calls, so that counting starts anew for them.
    pub async fn forget(&self, calls: &Calls) -> Result<()> {
        let _: Value = self.control(Method::DELETE, "counters", calls).await?;
        Ok(())
    }
}
