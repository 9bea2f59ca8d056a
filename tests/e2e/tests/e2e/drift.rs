//! Somebody changes AWS behind the operator's back: status says what differs, where, for whom and what that means. Enforce heals
//! it, Observe leaves it as it is.

mod blocked;
mod change;
mod copies;
mod delegation;
mod doors;
mod harmless;
mod key;
mod key_policy;
mod principals;
mod scene;
pub(crate) mod seen;
pub(crate) mod trouble;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use serde_json::Value;
use sharedkey_api::{SharedKeyStatus, conditions::Reason};
use sharedkey_e2e::{Live, foreign, is, is_for, statement};

use self::{
    change::{Change, Make},
    scene::{NAME, Scene},
    seen::{Seen, kinds, named, wanted},
};

/// Sweeps until a change is named, as far as they can be counted from outside: one that was under way when it was made, the one
/// that finds it, and one that may have begun before the count.
pub(crate) const LOOKS: u64 = 3;
/// Readings of the key policy that go with a write of it: before and after it was kept, beside the write, after it, and by the look
/// that follows at once.
const READINGS_OF_A_WRITE: u64 = 5;

/// A key is shared in both partitions with these fields of a consumer, and a story is told there.
async fn everywhere(consumer: &Value, story: impl AsyncFn(&Scene) -> Result<()>) -> Result<()> {
    let told = ["aws-cn", "aws"].map(async |partition| {
        let scene = Scene::open(partition, consumer).await?;
        story(&scene).await.with_context(|| partition.to_owned())
    });
    try_join_all(told).await.map(drop)
}

/// The same with a key that is named by an alias.
async fn everywhere_by_alias(story: impl AsyncFn(&Scene) -> Result<()>) -> Result<()> {
    let told = ["aws-cn", "aws"].map(async |partition| {
        let scene = Scene::open_by_alias(partition).await?;
        story(&scene).await.with_context(|| partition.to_owned())
    });
    try_join_all(told).await.map(drop)
}

/// Enforce: every change is healed, and status keeps what it was.
async fn healed(scene: &Scene, changes: &[Change]) -> Result<()> {
    let before = scene.live().await?;
    for change in changes {
        healed_once(scene, change, &before).await.context(change.name)?;
    }
    let events = scene.events().await?;
    for seen in changes.iter().flat_map(|change| mended(scene, change)) {
        let wanted = format!("Corrected{}", seen.kind);
        ensure!(events.contains(&wanted), "no event {wanted}: {events:?}");
    }
    Ok(())
}

async fn healed_once(scene: &Scene, change: &Change, before: &Live) -> Result<()> {
    let stage = &scene.stage;
    let last = scene.status().await?.last_correction;

    // When somebody changes it. What takes several calls is done while nobody heals, and noticed later
    if change.takes_time() {
        stage.observe(NAME).await?;
    }
    let mut looks = scene.looks().await?;
    change.make(scene, before).await?;
    if change.takes_time() {
        // A reading of the moment in between would still be shared.
        stage.look(NAME).await?;
        looks = scene.looks().await?;
        stage.enforce(NAME).await?;
    }

    // Then it is healed within one interval, and status keeps what it was
    let corrected = |status: &SharedKeyStatus| status.last_correction != last && good(status);
    let key = stage.wait(NAME, "healed", corrected).await?;
    let looks = scene.looks().await? - looks;
    let most = LOOKS + if matches!(change.make, Make::KeyPolicy(_)) { READINGS_OF_A_WRITE } else { 1 };
    ensure!(looks <= most, "it took {looks} looks at the key policy instead of {most}");
    let items = key.status.and_then(|status| status.last_correction).map(|correction| correction.items);
    named(&mended(scene, change), &items.unwrap_or_default())?;

    // And our part is as it was, the part of others as they left it, and everybody can use the key again
    let mut after = scene.live().await?;
    ensure!(foreign(&after.key_policy) == foreign(&change.key_policy(scene, before)), "{:#}", after.key_policy);
    let mut wanted = before.clone();
    ensure!(statement(&mut after.key_policy, &scene.sid()) == statement(&mut wanted.key_policy, &scene.sid()));
    ensure!((&after.inline, &after.attached) == (&before.inline, &before.attached), "{after:#?}");
    let in_force = |live: &Live| live.managed.as_ref().and_then(|managed| managed.in_force().cloned());
    ensure!(in_force(&after) == in_force(before), "{:#?}", after.managed);
    scene.everybody_is_allowed().await?;
    stage.put_back(NAME, before).await
}

/// What a write mends, without what goes with it.
fn mended(scene: &Scene, change: &Change) -> Vec<Seen> {
    (change.seen)(scene).into_iter().filter(|seen| !seen.follows).collect()
}

/// Observe: every change is named and left as it is, and no longer named when somebody undoes it.
async fn watched(scene: &Scene, changes: &[Change]) -> Result<()> {
    scene.stage.observe(NAME).await?;
    let before = scene.live().await?;
    scene.stage.forget_calls().await?;
    for change in changes {
        watched_once(scene, change, &before).await.context(change.name)?;
    }
    let events = scene.events().await?;
    for seen in changes.iter().flat_map(|change| (change.seen)(scene)) {
        ensure!(events.contains(&seen.kind.to_string()), "no event {}: {events:?}", seen.kind);
    }
    Ok(())
}

async fn watched_once(scene: &Scene, change: &Change, before: &Live) -> Result<()> {
    // When somebody changes it
    let stage = &scene.stage;
    let looks = scene.looks().await?;
    change.make(scene, before).await?;
    let changed = scene.live().await?;
    ensure!(changed != *before, "nothing was changed");

    // Then status names it within one interval, and says truly who can use the key
    let seen: Vec<Seen> = (change.seen)(scene);
    let told = |status: &SharedKeyStatus| kinds(&status.drift) == wanted(&seen);
    let status = stage.wait(NAME, "drift", told).await?.status.context("a status")?;
    let looks = scene.looks().await? - looks;
    ensure!(looks <= LOOKS, "it took {looks} sweeps");
    named(&seen, &status.drift)?;
    ensure!(is_for(&status, "InSync", "False", Reason::DriftFound) && is(&status, "Ready", "True"), "{status:#?}");
    scene.verdicts_are_true(&status).await?;

    // And nothing is done about it, and the next look says the same, since the same moment
    let again = stage.look(NAME).await?.status.context("a status")?;
    ensure!(again.drift == status.drift, "{:#?}, then {:#?}", status.drift, again.drift);
    ensure!(again.drift.iter().all(|drift| drift.first_observed_time.is_some()), "{:#?}", again.drift);
    stage.nothing_written().await?;
    ensure!(scene.live().await? == changed, "somebody wrote");

    // When it is undone, then it is no longer named
    stage.put_back(NAME, before).await?;
    let status = stage.wait(NAME, "in sync again", good).await?.status.context("a status")?;
    scene.verdicts_are_true(&status).await?;
    stage.nothing_written().await
}

fn good(status: &SharedKeyStatus) -> bool {
    status.drift_count == 0 && is(status, "InSync", "True") && is(status, "Ready", "True")
}
