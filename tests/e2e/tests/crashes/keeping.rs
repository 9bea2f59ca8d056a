//! An ExternalSecret that is created, changed and deleted. Its secret is the partner's, under the owner's key.

use anyhow::Result;
use futures::{
    FutureExt as _,
    future::{LocalBoxFuture, try_join_all},
};
use sharedkey_api::ExternalSecretStatus;
use sharedkey_e2e::{History, Home, Stage, is_settled};

use crate::{
    plot::Plot,
    vault::{FIRST, Kept, OTHER, SECOND, Vault},
};

/// What is done to an ExternalSecret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Create,
    /// Its source gets another value.
    Value,
    /// A reader is removed, and another one gets another principal.
    Readers,
    /// It is put under another key.
    Key,
    /// It is deleted, and the secret stays.
    Retain,
    /// It is deleted with the secret.
    Delete,
}

impl Act {
    const ALL: [Self; 6] = [Self::Create, Self::Value, Self::Readers, Self::Key, Self::Retain, Self::Delete];

    fn before(self) -> Option<Kept> {
        (self != Self::Create).then_some(self.kept())
    }

    fn after(self) -> Option<Kept> {
        match self {
            Self::Create => Some(self.kept()),
            Self::Value => Some(Kept { value: SECOND, versions: 2, ..self.kept() }),
            Self::Readers => Some(Kept { readers: &Kept::OTHERS, ..self.kept() }),
            Self::Key => Some(Kept { key: OTHER, ..self.kept() }),
            Self::Retain | Self::Delete => None,
        }
    }

    fn kept(self) -> Kept {
        Kept { goes_along: self == Self::Delete, ..Kept::NEW }
    }
}

pub(crate) struct Keeping {
    vault: Vault,
    act: Act,
    history: History<ExternalSecretStatus>,
    /// The current version before.
    version: Option<String>,
}

impl Keeping {
    /// Every act.
    pub(crate) async fn all(home: &Home) -> Result<Vec<Box<dyn Plot>>> {
        try_join_all(Act::ALL.map(async |act| {
            let vault = Vault::new(Stage::on(home, "aws").await?).await?;
            let history = History::from_now_on(vault.stage.secrets());
            Ok(Box::new(Self { vault, act, history, version: None }) as Box<dyn Plot>)
        }))
        .await
    }

    /// Whether a status tells of what was asked for last. Only a status of another version tells of another value.
    fn tells(&self, status: &ExternalSecretStatus) -> bool {
        is_settled(status) && (self.act != Act::Value || status.version_id != self.version)
    }
}

impl Plot for Keeping {
    fn stage(&self) -> &Stage {
        &self.vault.stage
    }

    fn title(&self) -> String {
        format!("{:?} of a secret", self.act)
    }

    fn writes(&self) -> [u32; 2] {
        match self.act {
            // The policy of the owner's role; the secret and its policy.
            Act::Create | Act::Retain | Act::Delete => [1, 2],
            Act::Value | Act::Key => [0, 1],
            // The policies of the owner's roles; the secret's policy.
            Act::Readers => [2, 1],
        }
    }

    fn begin<'a>(&'a mut self, name: &'a str) -> LocalBoxFuture<'a, Result<()>> {
        async move {
            self.stage().put_kubernetes_secret(name, &[("password", FIRST)]).await?;
            let Some(before) = self.act.before() else { return Ok(()) };
            self.vault.keep(name, before).await?;
            let secret = self.stage().secret_ready(name).await?;
            self.version = secret.status.and_then(|status| status.version_id);
            Ok(())
        }
        .boxed_local()
    }

    fn turn<'a>(&'a self, name: &'a str) -> LocalBoxFuture<'a, Result<()>> {
        async move {
            match self.act.after() {
                Some(after) if self.act == Act::Value => {
                    self.stage().put_kubernetes_secret(name, &[("password", after.value)]).await
                }
                Some(after) => self.vault.keep(name, after).await,
                None => self.stage().leave_secret(name).await,
            }
        }
        .boxed_local()
    }

    fn is_done<'a>(&'a self, name: &'a str) -> LocalBoxFuture<'a, Result<bool>> {
        async move {
            let ends = self.act.after().is_none();
            let Some(secret) = self.stage().secrets().get_opt(name).await? else { return Ok(ends) };
            let status = secret.status.unwrap_or_default();
            Ok(!ends && status.observed_generation == secret.metadata.generation && self.tells(&status))
        }
        .boxed_local()
    }

    fn comes_true<'a>(&'a self, name: &'a str) -> LocalBoxFuture<'a, Result<()>> {
        async move {
            let stage = self.stage();
            if let Some(after) = self.act.after() {
                stage.wait_secret(name, "what was asked for", |status| self.tells(status)).await?;
                self.vault.stands(name, after).await?;
                stage.delete_secret(name).await?;
                self.vault.is_let_go(name, after).await?;
            } else {
                stage.secret_gone(name).await?;
                self.vault.is_let_go(name, self.act.kept()).await?;
            }
            self.history.no_drift()?;
            self.history.no_contention()
        }
        .boxed_local()
    }
}
