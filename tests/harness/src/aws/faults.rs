//! Faults on demand.

use std::time::Duration;

use anyhow::Result;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Account, StrictAws};

/// What goes wrong, with which calls, and how often. Without a limit it goes wrong every time.
#[derive(Debug, Clone, Default, Serialize)]
#[must_use = "a fault does nothing until it is injected"]
pub struct Fault {
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    hang_ms: u64,
    reset: bool,
    after_call: bool,
    writes: bool,
    skip: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    probability: f64,
}

impl Fault {
    /// The call is answered with an error code.
    pub fn error(code: &str, message: &str) -> Self {
        Self { error: Some(code.to_owned()), message: Some(message.to_owned()), ..Self::none() }
    }

    /// The call is answered with an HTTP status.
    pub fn status(status: u16) -> Self {
        Self { status: Some(status), ..Self::none() }
    }

    /// The call is answered late. Longer than the caller waits, this is a timeout.
    pub fn hang(time: Duration) -> Self {
        Self { hang_ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX), ..Self::none() }
    }

    /// The connection is closed without an answer.
    pub fn reset() -> Self {
        Self { reset: true, ..Self::none() }
    }

    /// The call is performed, and the connection is closed instead of an answer.
    pub fn answer_lost() -> Self {
        Self { reset: true, after_call: true, ..Self::none() }
    }

    fn none() -> Self {
        Self { probability: 1.0, ..Self::default() }
    }

    /// Only calls of one service (`kms`, `iam`, `sts`, `secretsmanager`).
    pub fn service(self, service: &str) -> Self {
        Self { service: Some(service.to_owned()), ..self }
    }

    /// Only calls of one operation (`PutKeyPolicy`).
    pub fn operation(self, operation: &str) -> Self {
        Self { operation: Some(operation.to_owned()), ..self }
    }

    /// Only calls that principals of this account make.
    pub fn account(self, account: &Account) -> Self {
        Self { account: Some(account.id().to_owned()), ..self }
    }

    /// Only calls that this ARN (`*` allowed) makes.
    pub fn principal(self, arn: &str) -> Self {
        Self { principal: Some(arn.to_owned()), ..self }
    }

    /// Only calls about this key, role or user, as the call names it (`*` allowed).
    pub fn resource(self, resource: &str) -> Self {
        Self { resource: Some(resource.to_owned()), ..self }
    }

    /// Only calls that change something.
    pub fn writes(self) -> Self {
        Self { writes: true, ..self }
    }

    /// The call is cut off once it has hung: it is never performed, even where the fault is removed.
    pub fn then_reset(self) -> Self {
        Self { reset: true, ..self }
    }

    /// The call is performed first, and goes wrong then.
    pub fn after_call(self) -> Self {
        Self { after_call: true, ..self }
    }

    /// The first `calls` go well.
    pub fn skip(self, calls: u32) -> Self {
        Self { skip: calls, ..self }
    }

    /// Only so often.
    pub fn times(self, count: u32) -> Self {
        Self { count: Some(count), ..self }
    }

    /// Only with this probability, from 0 to 1.
    pub fn probability(self, probability: f64) -> Self {
        Self { probability, ..self }
    }
}

/// A fault that was injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct FaultId(u64);

impl StrictAws {
    /// Injects a fault. It stays until it is removed; one that is used up does nothing any more.
    pub async fn inject(&self, fault: &Fault) -> Result<FaultId> {
        #[derive(Deserialize)]
        struct Answer {
            id: FaultId,
        }
        Ok(self.control::<Answer>(Method::POST, "faults", fault).await?.id)
    }

    /// Removes a fault; calls that hang in it go on.
    pub async fn remove_fault(&self, fault: FaultId) -> Result<()> {
        let _: Value = self.control(Method::DELETE, "faults", &json!({"id": fault.0})).await?;
        Ok(())
    }

    /// How often a fault has struck.
    pub async fn fault_hits(&self, fault: FaultId) -> Result<u64> {
        #[derive(Deserialize)]
        struct Known {
            id: FaultId,
            hits: u64,
        }
        let known: Vec<Known> = self.control(Method::GET, "faults", &json!({})).await?;
        Ok(known.into_iter().find(|known| known.id == fault).map_or(0, |known| known.hits))
    }
}
