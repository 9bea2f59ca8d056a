//! Accounts that let the operator in no more, and again.

use anyhow::Result;

use crate::{Side, Stage, logins};

impl Stage {
    /// An account asks for another external id than the operator has, and ends the sessions that are open: from one moment to
    /// the next the operator is refused.
    pub async fn shut(&self, side: &Side) -> Result<()> {
        self.trust(side, "external-id-of-somebody-else").await?;
        self.home.world.aws.expire_sessions(&side.account).await
    }

    /// The account lets the operator in again.
    pub async fn unshut(&self, side: &Side) -> Result<()> {
        self.trust(side, logins::EXTERNAL_ID).await
    }

    async fn trust(&self, side: &Side, external_id: &str) -> Result<()> {
        let trust = logins::trusting(&self.home.user, external_id);
        let request = side.account.root().iam().update_assume_role_policy().role_name(logins::ROLE);
        request.policy_document(trust.to_string()).send().await?;
        Ok(())
    }
}
