//! What no write of ours mends, in either mode: it is named and left as it is until somebody undoes it.

use anyhow::{Context as _, Result, ensure};
use futures::future::BoxFuture;
use sharedkey_api::{SharedKeyStatus, conditions::Reason};
use sharedkey_e2e::{is, is_for};

use super::{
    LOOKS, good,
    scene::{NAME, Scene},
    seen::{Seen, kinds, named, wanted},
};

/// Something that somebody does by hand.
pub(crate) type Act = for<'a> fn(&'a Scene) -> BoxFuture<'a, Result<()>>;

/// Such a change.
pub(crate) struct Trouble {
    pub(crate) name: &'static str,
    pub(crate) make: Act,
    pub(crate) undo: Act,
    /// What status says of it.
    pub(crate) seen: fn(&Scene) -> Vec<Seen>,
    /// Why the object is not ready because of it; absent where it is.
    pub(crate) unready: Unready,
}

/// In which modes an object is not ready.
#[derive(Clone, Copy)]
pub(crate) enum Unready {
    Never,
    InEnforce(Reason),
    Always(Reason),
}

/// In Enforce, and then in Observe.
pub(crate) async fn told(scene: &Scene, troubles: &[Trouble]) -> Result<()> {
    for observes in [false, true] {
        if observes {
            scene.stage.observe(NAME).await?;
        }
        scene.stage.forget_calls().await?;
        for trouble in troubles {
            told_once(scene, trouble, observes)
                .await
                .with_context(|| format!("{}, observes: {observes}", trouble.name))?;
        }
    }
    Ok(())
}

async fn told_once(scene: &Scene, trouble: &Trouble, observes: bool) -> Result<()> {
    // When somebody does it, then status names it within one interval
    let stage = &scene.stage;
    (trouble.make)(scene).await?;
    let looks = scene.looks().await?;
    let seen = (trouble.seen)(scene);
    let all = |status: &SharedKeyStatus| kinds(&status.drift) == wanted(&seen);
    let status = stage.wait(NAME, "drift", all).await?.status.context("a status")?;
    let looks = scene.looks().await? - looks;
    ensure!(looks <= LOOKS, "it took {looks} sweeps");
    named(&seen, &status.drift)?;

    // And says truly who can use the key, and whether the object does what it should
    ensure!(is_for(&status, "InSync", "False", Reason::DriftFound), "{status:#?}");
    let unready = match trouble.unready {
        Unready::Always(reason) => Some(reason),
        Unready::InEnforce(reason) if !observes => Some(reason),
        _ => None,
    };
    match unready {
        Some(reason) => ensure!(is_for(&status, "Ready", "False", reason), "{status:#?}"),
        None => ensure!(is(&status, "Ready", "True"), "{status:#?}"),
    }
    scene.verdicts_are_true(&status).await?;

    // And nothing is done about it, and the next look says the same, since the same moment
    let again = stage.look(NAME).await?.status.context("a status")?;
    ensure!(again.drift == status.drift, "{:#?}, then {:#?}", status.drift, again.drift);
    ensure!(again.drift.iter().all(|drift| drift.first_observed_time.is_some()), "{:#?}", again.drift);
    stage.nothing_written().await?;

    // When it is undone, then it is no longer named
    (trouble.undo)(scene).await?;
    let status = stage.wait(NAME, "in sync again", good).await?.status.context("a status")?;
    scene.verdicts_are_true(&status).await?;
    stage.nothing_written().await
}
