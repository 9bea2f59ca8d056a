//! One thing that is done to an object, again and again, and struck at another write each time.

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use sharedkey_e2e::{DEADLINE, Home};
use sharedkey_harness::{
    aws::{Account, FaultId},
    wait_for,
};

use crate::{blow::Blow, keeping::Keeping, plot::Plot, sharing::Sharing};

/// Where the next blow falls: first on the writes in the owner's account, then on those in the partner's.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    side: usize,
    skip: u32,
}

pub(crate) struct Scene {
    plot: Box<dyn Plot>,
    blow: Blow,
    position: Position,
    /// How many writes were struck in each account.
    struck: [u32; 2],
    name: String,
    fault: Option<FaultId>,
}

impl Scene {
    /// Everything that is done to objects of both kinds, with each of the blows.
    pub(crate) async fn all(home: &Home, blows: &[Blow]) -> Result<Vec<Self>> {
        let scenes = try_join_all(blows.iter().map(async |blow| {
            let (mut plots, more) = futures::try_join!(Sharing::all(home), Keeping::all(home))?;
            plots.extend(more);
            anyhow::Ok(plots.into_iter().map(|plot| Self::new(plot, *blow)))
        }));
        Ok(scenes.await?.into_iter().flatten().collect())
    }

    fn new(plot: Box<dyn Plot>, blow: Blow) -> Self {
        Self { plot, blow, position: Position::default(), struck: [0, 0], name: String::new(), fault: None }
    }

    /// Whether there may be a write that was not struck yet.
    pub(crate) fn is_open(&self) -> bool {
        self.position.side < self.accounts().len()
    }

    /// As many writes were struck as it takes, in the owner's account and in the partner's.
    pub(crate) fn was_struck_everywhere(&self) -> Result<()> {
        let (struck, writes) = (self.struck, self.plot.writes());
        ensure!(struck == writes, "{}: {struck:?} writes were struck, and there are {writes:?}", self.title());
        Ok(())
    }

    /// The object is as it is before, and something else is asked for from now on.
    pub(crate) async fn begin(&mut self, round: u32) -> Result<()> {
        self.name = format!("orders-{round}");
        let title = self.title();
        self.plot.begin(&self.name).await.context(title)?;
        let Position { side, skip } = self.position;
        let blow = self.blow.at(self.accounts()[side], skip);
        self.fault = Some(self.plot.stage().home.world.aws.inject(&blow).await?);
        self.plot.turn(&self.name).await
    }

    /// Waits until the blow has fallen, or all is done without it.
    pub(crate) async fn is_struck(&mut self) -> Result<()> {
        let (aws, fault) = (&self.plot.stage().home.world.aws, self.fault.context("a blow")?);
        let struck = wait_for("the blow to fall", DEADLINE, async || {
            let done = self.plot.is_done(&self.name).await?;
            // Asked in this order, a blow that fell on the way is not missed.
            let struck = aws.fault_hits(fault).await? > 0;
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

    /// AWS answers again.
    pub(crate) async fn is_over(&mut self) -> Result<()> {
        match self.fault.take() {
            Some(fault) => self.plot.stage().home.world.aws.remove_fault(fault).await,
            None => Ok(()),
        }
    }

    /// What was asked for comes true; and when the object is deleted, nothing of it is left.
    pub(crate) async fn comes_true(&mut self) -> Result<()> {
        self.plot.comes_true(&self.name).await.with_context(|| self.title())?;
        self.is_over().await
    }

    fn accounts(&self) -> [&Account; 2] {
        let stage = self.plot.stage();
        [&stage.owner.account, &stage.partner.account]
    }

    fn title(&self) -> String {
        let Self { plot, blow, position, name, .. } = self;
        let (plot, namespace) = (plot.title(), &self.plot.stage().namespace);
        format!("{plot}, {blow:?}, struck at or before {position:?}: {name} in {namespace}")
    }
}
