//! Which calls the operator made, as the strict AWS counted them.

use anyhow::{Result, ensure};
use sharedkey_harness::aws::{Account, Calls, Count};

use crate::Stage;

/// The operator, in the accounts that it has entered.
pub const IN_ACCOUNTS: &str = "arn:*:assumed-role/sharedkey-operator/*";

impl Stage {
    /// The operator's calls in an account, by service, operation and result. Logins are not among them: STS counts those for
    /// the account that they come from.
    pub async fn calls(&self, account: &Account) -> Result<Vec<Count>> {
        self.home.world.aws.counts(&by_operator(account)).await
    }

    /// Forgets the operator's calls of both accounts.
    pub async fn forget_calls(&self) -> Result<()> {
        for account in [&self.owner.account, &self.partner.account] {
            self.home.world.aws.forget(&by_operator(account)).await?;
        }
        Ok(())
    }

    /// The operator has changed nothing, and has not tried to, in either account.
    pub async fn nothing_written(&self) -> Result<()> {
        for account in [&self.owner.account, &self.partner.account] {
            let mut calls = self.calls(account).await?;
            calls.retain(|call| !reads(&call.operation));
            ensure!(calls.is_empty(), "nothing should be written in account {}: {calls:?}", account.id());
        }
        Ok(())
    }
}

fn by_operator(account: &Account) -> Calls {
    Calls::all().account(account).principal(IN_ACCOUNTS)
}

/// Whether an operation of AWS changes nothing.
pub fn reads(operation: &str) -> bool {
    ["Get", "List", "Describe"].iter().any(|verb| operation.starts_with(verb))
}
