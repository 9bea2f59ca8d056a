//! A SharedKey that is applied, changed, un-shared and deleted.

use anyhow::Result;
use futures::{
    FutureExt as _,
    future::{LocalBoxFuture, try_join_all},
};
use kube::api::DeleteParams;
use serde_json::Value;
use sharedkey_api::SharedKeyStatus;
use sharedkey_e2e::{History, Home, Stage, is};

use crate::{
    plot::Plot,
    standing::{Cast, Consumer},
};

/// What is done to a SharedKey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Apply,
    /// A principal is removed, actions change, a consumer gets another name.
    Change,
    /// A consumer is removed.
    Unshare,
    Delete,
}

impl Act {
    const ALL: [Self; 4] = [Self::Apply, Self::Change, Self::Unshare, Self::Delete];

    fn before(self) -> Option<&'static [Consumer]> {
        (self != Self::Apply).then_some(&Consumer::ALL)
    }

    fn after(self) -> Option<&'static [Consumer]> {
        match self {
            Self::Apply => Some(&Consumer::ALL),
            Self::Change => Some(&Consumer::CHANGED),
            Self::Unshare => Some(&Consumer::FEWER),
            Self::Delete => None,
        }
    }
}

pub(crate) struct Sharing {
    cast: Cast,
    act: Act,
    delegation: &'static str,
    history: History<SharedKeyStatus>,
}

impl Sharing {
    /// Every act, in every way to delegate.
    pub(crate) async fn all(home: &Home) -> Result<Vec<Box<dyn Plot>>> {
        let delegations = ["InlinePolicy", "ManagedPolicy"];
        let cases = Act::ALL.into_iter().flat_map(|act| delegations.map(|delegation| (act, delegation)));
        try_join_all(cases.map(async |(act, delegation)| {
            let cast = Cast::new(Stage::on(home, "aws").await?).await?;
            let history = History::from_now_on(cast.stage.keys());
            Ok(Box::new(Self { cast, act, delegation, history }) as Box<dyn Plot>)
        }))
        .await
    }

    fn spec(&self, consumers: &[Consumer]) -> Value {
        self.cast.spec(consumers, self.delegation)
    }
}

impl Plot for Sharing {
    fn stage(&self) -> &Stage {
        &self.cast.stage
    }

    fn title(&self) -> String {
        format!("{:?} by {}", self.act, self.delegation)
    }

    fn writes(&self) -> [u32; 2] {
        match (self.act, self.delegation) {
            // A policy for each principal.
            (Act::Apply | Act::Delete, "InlinePolicy") => [1, 3],
            // Two policies, three attachments.
            (Act::Apply | Act::Delete, _) => [1, 5],
            (Act::Change, "InlinePolicy") => [1, 4],
            (Act::Change, _) => [1, 6],
            (Act::Unshare, "InlinePolicy") => [1, 1],
            (Act::Unshare, _) => [1, 2],
        }
    }

    fn begin<'a>(&'a mut self, name: &'a str) -> LocalBoxFuture<'a, Result<()>> {
        async move {
            let Some(before) = self.act.before() else { return Ok(()) };
            self.stage().share(name, self.spec(before)).await?;
            self.stage().ready(name).await.map(drop)
        }
        .boxed_local()
    }

    fn turn<'a>(&'a self, name: &'a str) -> LocalBoxFuture<'a, Result<()>> {
        async move {
            match self.act.after() {
                Some(after) => drop(self.stage().share(name, self.spec(after)).await?),
                None => drop(self.stage().keys().delete(name, &DeleteParams::default()).await?),
            }
            Ok(())
        }
        .boxed_local()
    }

    fn is_done<'a>(&'a self, name: &'a str) -> LocalBoxFuture<'a, Result<bool>> {
        async move {
            let key = self.stage().keys().get_opt(name).await?;
            let Some(key) = key else { return Ok(self.act == Act::Delete) };
            let status = key.status.unwrap_or_default();
            Ok(self.act != Act::Delete
                && status.observed_generation == key.metadata.generation
                && is(&status, "Ready", "True")
                && is(&status, "InSync", "True"))
        }
        .boxed_local()
    }

    fn comes_true<'a>(&'a self, name: &'a str) -> LocalBoxFuture<'a, Result<()>> {
        async move {
            if let Some(after) = self.act.after() {
                self.stage().ready(name).await?;
                self.cast.stands(name, self.delegation, after).await?;
                self.stage().delete(name).await?;
            } else {
                self.stage().gone(name).await?;
            }
            self.cast.nothing_stands(name).await?;
            self.history.no_drift()?;
            self.history.no_contention()
        }
        .boxed_local()
    }
}
