//! One thing that is done to an object, again and again, and struck at another write each time.

use anyhow::{Context as _, Result, bail, ensure};
use futures::future::try_join_all;
use kube::api::DeleteParams;
use serde_json::Value;
use sharedkey_api::conditions::Reason;
use sharedkey_e2e::{DEADLINE, History, Home, Stage, is};
use sharedkey_harness::{
    aws::{Account, FaultId},
    wait_for,
};

use crate::{
    blow::Blow,
    standing::{Cast, Consumer},
};

/// What is done to an object.
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

/// Where the next blow falls: first on the writes in the owner's account, then on those in the partner's.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    side: usize,
    skip: u32,
}

pub(crate) struct Scene {
    cast: Cast,
    act: Act,
    delegation: &'static str,
    blow: Blow,
    position: Position,
    /// How many writes were struck in each account.
    struck: [u32; 2],
    name: String,
    fault: Option<FaultId>,
    history: History,
}

impl Scene {
    /// Every act, in every way to delegate, with each of the blows.
    pub(crate) async fn all(home: &Home, blows: &[Blow]) -> Result<Vec<Self>> {
        let delegations = ["InlinePolicy", "ManagedPolicy"];
        let cases = Act::ALL.into_iter().flat_map(|act| delegations.map(|delegation| (act, delegation)));
        let cases = cases.flat_map(|(act, delegation)| blows.iter().map(move |blow| (act, delegation, *blow)));
        try_join_all(cases.map(async |(act, delegation, blow)| {
            let cast = Cast::new(Stage::on(home, "aws").await?).await?;
            let history = History::from_now_on(&cast.stage);
            Ok(Self {
                cast,
                act,
                delegation,
                blow,
                position: Position::default(),
                struck: [0, 0],
                name: String::new(),
                fault: None,
                history,
            })
        }))
        .await
    }

    /// Whether there may be a write that was not struck yet.
    pub(crate) fn is_open(&self) -> bool {
        self.position.side < self.accounts().len()
    }

    /// As many writes were struck as the act takes, in the owner's account and in the partner's.
    pub(crate) fn was_struck_everywhere(&self) -> Result<()> {
        let writes = match (self.act, self.delegation) {
            // A policy for each principal.
            (Act::Apply | Act::Delete, "InlinePolicy") => [1, 3],
            // Two policies, three attachments.
            (Act::Apply | Act::Delete, _) => [1, 5],
            (Act::Change, "InlinePolicy") => [1, 4],
            (Act::Change, _) => [1, 6],
            (Act::Unshare, "InlinePolicy") => [1, 1],
            (Act::Unshare, _) => [1, 2],
        };
        ensure!(
            self.struck == writes,
            "{}: {:?} writes were struck, and there are {writes:?}",
            self.title(),
            self.struck
        );
        Ok(())
    }

    /// The object is as it is before, and the spec says something else from now on.
    pub(crate) async fn begin(&mut self, round: u32) -> Result<()> {
        self.name = format!("orders-{round}");
        let stage = &self.cast.stage;
        if let Some(before) = self.act.before() {
            stage.share(&self.name, self.spec(before)).await?;
            stage.ready(&self.name).await.with_context(|| self.title())?;
        }
        let Position { side, skip } = self.position;
        let blow = self.blow.at(self.accounts()[side], skip);
        self.fault = Some(stage.home.world.aws.inject(&blow).await?);
        match self.act.after() {
            Some(after) => drop(stage.share(&self.name, self.spec(after)).await?),
            None => drop(stage.keys().delete(&self.name, &DeleteParams::default()).await?),
        }
        Ok(())
    }

    /// Waits until the blow has fallen, or all is done without it.
    pub(crate) async fn is_struck(&mut self) -> Result<()> {
        let (stage, fault) = (&self.cast.stage, self.fault.context("a blow")?);
        let struck = wait_for("the blow to fall", DEADLINE, async || {
            let done = self.is_done().await?;
            // Asked in this order, a blow that fell on the way is not missed.
            let struck = stage.home.world.aws.fault_hits(fault).await? > 0;
            ensure!(struck || done, "it has not, and nothing is done yet");
            Ok(struck)
        })
        .await
        .with_context(|| self.title())?;
        let Position { side, skip } = self.position;
        self.struck[side] += u32::from(struck);
        self.position = if struck { Position { side, skip: skip + 1 } } else { Position { side: side + 1, skip: 0 } };
        Ok(())
    }

    async fn is_done(&self) -> Result<bool> {
        let key = self.cast.stage.keys().get_opt(&self.name).await?;
        let Some(key) = key else { return Ok(self.act == Act::Delete) };
        let status = key.status.unwrap_or_default();
        Ok(self.act != Act::Delete
            && status.observed_generation == key.metadata.generation
            && is(&status, "Ready", "True")
            && is(&status, "InSync", "True"))
    }

    /// AWS answers again.
    pub(crate) async fn is_over(&mut self) -> Result<()> {
        match self.fault.take() {
            Some(fault) => self.cast.stage.home.world.aws.remove_fault(fault).await,
            None => Ok(()),
        }
    }

    /// What the spec says stands in AWS and nothing else does; and when the object is deleted, nothing of it.
    pub(crate) async fn comes_true(&mut self) -> Result<()> {
        self.comes_true_untold().await.with_context(|| self.title())?;
        self.is_over().await
    }

    async fn comes_true_untold(&self) -> Result<()> {
        let stage = &self.cast.stage;
        if let Some(after) = self.act.after() {
            stage.ready(&self.name).await?;
            self.cast.stands(&self.name, self.delegation, after).await?;
            stage.delete(&self.name).await?;
        } else {
            stage.gone(&self.name).await?;
        }
        self.cast.nothing_stands(&self.name).await?;
        self.history.no_drift()?;
        let contended = |condition: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| {
            condition.reason == Reason::Contended.as_ref()
        };
        if self.history.any(|status| status.conditions.iter().any(contended)) {
            bail!("nobody else has written, and it was said that somebody did");
        }
        Ok(())
    }

    fn spec(&self, consumers: &[Consumer]) -> Value {
        self.cast.spec(consumers, self.delegation)
    }

    fn accounts(&self) -> [&Account; 2] {
        [&self.cast.stage.owner.account, &self.cast.stage.partner.account]
    }

    fn title(&self) -> String {
        let Self { act, delegation, blow, position, name, .. } = self;
        format!(
            "{act:?} by {delegation}, {blow:?}, struck at or before {position:?}: {name} in {}",
            self.cast.stage.namespace
        )
    }
}
