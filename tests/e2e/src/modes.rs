//! Changes of an object's mode.

use anyhow::Result;
use serde_json::json;
use sharedkey_api::conditions::Reason;

use crate::{Stage, is_for};

impl Stage {
    /// Lets an object only watch. When this returns, nothing is written for it any more.
    pub async fn observe(&self, name: &str) -> Result<()> {
        self.patch(name, json!({"spec": {"mode": "Observe"}})).await?;
        self.wait(name, "only observed", |status| is_for(status, "Ready", "True", Reason::Observed)).await?;
        Ok(())
    }

    /// Lets an object write again.
    pub async fn enforce(&self, name: &str) -> Result<()> {
        self.patch(name, json!({"spec": {"mode": "Enforce"}})).await
    }
}
