//! An ExternalSecret that is created, changed and deleted. Its secret is the partner's, under the owner's key.

use anyhow::Result;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::LocalBoxFuture, stream};
use sharedkey_api::ExternalSecretStatus;
use sharedkey_e2e::{History, Home, Stage, is_settled};

use crate::{
    plot::Plot,
    vault::{COPY, FIRST, Kept, OTHER, OTHER_COPY, SECOND, Vault},
};

/// What is done to an ExternalSecret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Create,
    /// It takes over a secret that somebody has made.
    Adopt,
    /// It takes over one that somebody has scheduled for deletion.
    Restore,
    /// Its source gets another value.
    Value,
    Describe,
    /// A reader is removed, and another one gets another principal.
    Readers,
    /// It is put under another key.
    Key,
    /// It gets a copy in another Region, the copy is put under another key, and goes.
    Copy,
    MoveCopy,
    DropCopy,
    /// It is deleted, and the secret stays.
    Retain,
    /// It is deleted with the secret.
    Delete,
    /// And with its copy.
    DeleteCopied,
}

impl Act {
    const ALL: [Self; 13] = [
        Self::Create,
        Self::Adopt,
        Self::Restore,
        Self::Value,
        Self::Describe,
        Self::Readers,
        Self::Key,
        Self::Copy,
        Self::MoveCopy,
        Self::DropCopy,
        Self::Retain,
        Self::Delete,
        Self::DeleteCopied,
    ];

    fn before(self) -> Option<Kept> {
        (!matches!(self, Self::Create | Self::Adopt | Self::Restore)).then_some(self.kept())
    }

    fn after(self) -> Option<Kept> {
        match self {
            Self::Create | Self::Adopt | Self::Restore => Some(self.kept()),
            Self::Describe => Some(Kept { description: Some("of the orders"), ..self.kept() }),
            Self::Copy => Some(Kept { copy: Some(COPY), ..self.kept() }),
            Self::MoveCopy => Some(Kept { copy: Some(OTHER_COPY), ..self.kept() }),
            Self::DropCopy => Some(Kept { copy: None, ..self.kept() }),
            Self::Value => Some(Kept { value: SECOND, versions: 2, ..self.kept() }),
            Self::Readers => Some(Kept { readers: &Kept::OTHERS, ..self.kept() }),
            Self::Key => Some(Kept { key: OTHER, ..self.kept() }),
            Self::Retain | Self::Delete | Self::DeleteCopied => None,
        }
    }

    fn kept(self) -> Kept {
        match self {
            // Theirs, and ours.
            Self::Adopt | Self::Restore => Kept { taken_over: true, versions: 2, ..Kept::NEW },
            Self::MoveCopy | Self::DropCopy => Kept { copy: Some(COPY), ..Kept::NEW },
            Self::Delete => Kept { goes_along: true, ..Kept::NEW },
            Self::DeleteCopied => Kept { copy: Some(COPY), goes_along: true, ..Kept::NEW },
            _ => Kept::NEW,
        }
    }

    /// All that the secret ever is.
    fn all_kept(self) -> Vec<Kept> {
        self.before().into_iter().chain(self.after()).collect()
    }
}

/// So many stages are set at once.
const AT_ONCE: usize = 4;

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
        // All at once would neither fit on the stack nor be ready in time on a busy machine.
        stream::iter(Act::ALL).map(|act| Self::plot(home, act).boxed_local()).buffered(AT_ONCE).try_collect().await
    }

    async fn plot(home: &Home, act: Act) -> Result<Box<dyn Plot>> {
        let vault = Vault::new(Stage::on(home, "aws").await?, &act.all_kept()).await?;
        let history = History::from_now_on(vault.stage.secrets());
        Ok(Box::new(Self { vault, act, history, version: None }))
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
            // The secret's tags, key, value and policy.
            Act::Adopt => [1, 4],
            Act::Restore => [1, 5],
            Act::Value | Act::Describe | Act::Key | Act::Copy | Act::DropCopy => [0, 1],
            // AWS gives no copy another key.
            Act::MoveCopy => [0, 2],
            // The copy goes before the secret.
            Act::DeleteCopied => [1, 3],
            // The policies of the owner's roles; the secret's policy.
            Act::Readers => [2, 1],
        }
    }

    fn begin<'a>(&'a mut self, name: &'a str) -> LocalBoxFuture<'a, Result<()>> {
        async move {
            self.stage().put_kubernetes_secret(name, &[("password", FIRST)]).await?;
            if self.act.kept().taken_over {
                self.vault.made_before(name, self.act == Act::Restore).await?;
            }
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
