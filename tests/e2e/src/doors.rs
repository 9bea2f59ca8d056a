//! Accounts that let the operator in no more, and again, or let it do less.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{Side, Stage, hands::decoded, logins, statement};

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

    /// The account trusts nobody with the operator's role any more, and ends the sessions that are open. Returns what it trusted.
    pub async fn distrust(&self, side: &Side) -> Result<Value> {
        let iam = side.account.root().iam();
        let role = iam.get_role().role_name(logins::ROLE).send().await?.role.context("a role")?;
        let text = role.assume_role_policy_document.context("a trust policy")?;
        self.trust_as(side, &logins::nobody()).await?;
        self.home.world.aws.expire_sessions(&side.account).await?;
        decoded(&text)
    }

    /// The account trusts as it did.
    pub async fn trust_as(&self, side: &Side, trust: &Value) -> Result<()> {
        let request = side.account.root().iam().update_assume_role_policy().role_name(logins::ROLE);
        request.policy_document(trust.to_string()).send().await?;
        Ok(())
    }

    /// The account lets the operator write only on principals below a permissions boundary, as the README says.
    pub async fn write_only_below(&self, side: &Side, boundary: &str) -> Result<()> {
        let mut policy = logins::documented("consumer", &side.account)?;
        for sid in ["WriteInlinePolicies", "AttachOwnManagedPolicies"] {
            let condition = &mut statement(&mut policy, sid)["Condition"];
            condition["StringEquals"] = json!({"iam:PermissionsBoundary": boundary});
        }
        side.account.put_role_policy(logins::ROLE, "consumer", &policy).await
    }

    async fn trust(&self, side: &Side, external_id: &str) -> Result<()> {
        let trust = logins::trusting(&self.home.user, external_id);
        self.trust_as(side, &trust).await
    }
}
