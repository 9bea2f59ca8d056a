//! Somebody changes a secret, its readers or its target behind the operator's back: status says what differs, where, for whom and
//! what that means. Enforce heals it, Observe leaves it as it is.

mod change;
mod gone;
mod harmless;
mod scene;
mod standing;
mod trouble;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use sharedkey_api::{DriftKind, ExternalSecretStatus};
use sharedkey_e2e::{has, told};

use self::{
    change::{ACCESS, Change, SECRET, TARGET},
    scene::{NAME, Vault},
    standing::Standing,
};
use super::VALUE;
use crate::drift::{
    LOOKS,
    seen::{Seen, kinds, named, wanted},
};

/// Sweeps and readings that go with writes: the first look at each of two rounds, and the look that follows at once.
const READINGS_OF_A_WRITE: u64 = 2;

/// A story is told in both partitions.
async fn everywhere(story: impl AsyncFn(&Vault) -> Result<()>) -> Result<()> {
    in_both_partitions(Vault::open, story).await
}

/// The same of a secret that can be deleted.
async fn everywhere_without_replica(story: impl AsyncFn(&Vault) -> Result<()>) -> Result<()> {
    in_both_partitions(Vault::without_replica, story).await
}

async fn in_both_partitions(
    open: impl AsyncFn(&'static str) -> Result<Vault>,
    story: impl AsyncFn(&Vault) -> Result<()>,
) -> Result<()> {
    let told = ["aws-cn", "aws"].map(async |partition| {
        let vault = open(partition).await?;
        story(&vault).await.with_context(|| partition.to_owned())
    });
    try_join_all(told).await.map(drop)
}

#[tokio::test]
async fn changes_of_a_secret_are_healed() -> Result<()> {
    everywhere(async |vault| healed(vault, SECRET).await).await
}

#[tokio::test]
async fn changes_of_a_secret_are_watched() -> Result<()> {
    everywhere(async |vault| watched(vault, SECRET).await).await
}

#[tokio::test]
async fn changes_of_what_lets_readers_in_are_healed() -> Result<()> {
    everywhere(async |vault| healed(vault, ACCESS).await).await
}

#[tokio::test]
async fn changes_of_what_lets_readers_in_are_watched() -> Result<()> {
    everywhere(async |vault| watched(vault, ACCESS).await).await
}

#[tokio::test]
async fn changes_of_a_target_are_healed() -> Result<()> {
    everywhere(async |vault| healed(vault, TARGET).await).await
}

#[tokio::test]
async fn changes_of_a_target_are_watched() -> Result<()> {
    everywhere(async |vault| watched(vault, TARGET).await).await
}

/// Enforce: every change is healed, and status keeps what it was.
async fn healed(vault: &Vault, changes: &[Change]) -> Result<()> {
    let before = vault.standing().await?;
    for change in changes {
        healed_once(vault, change, &before).await.context(change.name)?;
    }
    let mended = changes.iter().flat_map(|change| mended(vault, change));
    vault.events_of(mended.map(|seen| format!("Corrected{}", seen.kind))).await
}

async fn healed_once(vault: &Vault, change: &Change, before: &Standing) -> Result<()> {
    // When somebody changes it
    let stage = &vault.scene.stage;
    stage.look_at_secret(NAME).await?;
    let (last, looks) = (vault.status().await?.last_correction, vault.looks().await?);
    let version = vault.standing().await?.version;
    (change.make)(vault).await?;

    // Then it is healed within one interval, and status keeps what it was
    let corrected = |status: &ExternalSecretStatus| status.last_correction != last && good(status);
    let secret = stage.wait_secret(NAME, "healed", corrected).await?;
    let looks = vault.looks().await? - looks;
    ensure!(looks <= LOOKS + READINGS_OF_A_WRITE, "it took {looks} looks at the secret");
    let items = secret.status.and_then(|status| status.last_correction).map(|correction| correction.items);
    let mended = mended(vault, change);
    named(&mended, &items.unwrap_or_default())?;

    // And all is as it was, what others have there included, and the reader reads the value of the source
    let after = vault.standing().await?;
    let is_about_value = mended.iter().any(|seen| seen.kind == DriftKind::ValueChanged);
    ensure!(after.version == version || is_about_value, "{version:?}, then {:?}", after.version);
    let mut wanted = before.clone();
    wanted.version.clone_from(&after.version);
    if let (Some(wanted), Some(after)) = (&mut wanted.target, &after.target) {
        // The version that it was written from stands there.
        wanted.metadata.annotations.clone_from(&after.metadata.annotations);
    }
    ensure!(after == wanted, "{after:#?}, not {wanted:#?}");
    ensure!(vault.glance().await?.shows(VALUE), "the reader reads the value of the source");
    Ok(())
}

/// What a write mends, without what goes with it.
fn mended(vault: &Vault, change: &Change) -> Vec<Seen> {
    (change.seen)(vault).into_iter().filter(|seen| !seen.follows).collect()
}

/// Observe: every change is named and left as it is, and no longer named when somebody undoes it.
async fn watched(vault: &Vault, changes: &[Change]) -> Result<()> {
    vault.scene.stage.observe_secret(NAME).await?;
    let before = vault.standing().await?;
    vault.scene.stage.forget_calls().await?;
    for change in changes {
        watched_once(vault, change, &before).await.context(change.name)?;
    }
    let seen = changes.iter().flat_map(|change| (change.seen)(vault));
    vault.events_of(seen.map(|seen| seen.kind.to_string())).await
}

async fn watched_once(vault: &Vault, change: &Change, before: &Standing) -> Result<()> {
    // When somebody changes it
    let stage = &vault.scene.stage;
    let looks = vault.looks().await?;
    (change.make)(vault).await?;
    let changed = vault.standing().await?;
    ensure!(changed != *before, "nothing was changed");

    // Then status names it within one interval, and says truly whether the reader can read the secret
    let seen = (change.seen)(vault);
    let named_all = |status: &ExternalSecretStatus| kinds(&status.drift) == wanted(&seen);
    let status = stage.wait_secret(NAME, "drift", named_all).await?.status.context("a status")?;
    let looks = vault.looks().await? - looks;
    ensure!(looks <= LOOKS, "it took {looks} sweeps");
    named(&seen, &status.drift)?;
    told(&status, "InSync", "DriftFound")?;
    let ready = if vault.is_under_another_key(&status) { "Unknown" } else { "True" };
    ensure!(has(&status, "InSync", "False") && has(&status, "Ready", ready), "{status:#?}");
    vault.verdict_is_true(&status).await?;

    // And nothing is done about it, and the next look says the same, since the same moment
    let again = stage.look_at_secret(NAME).await?;
    ensure!(again.drift == status.drift, "{:#?}, then {:#?}", status.drift, again.drift);
    ensure!(again.drift.iter().all(|drift| drift.first_observed_time.is_some()), "{:#?}", again.drift);
    stage.nothing_written().await?;
    ensure!(vault.standing().await? == changed, "somebody wrote");

    // When it is undone, then it is no longer named
    vault.put_back(before).await?;
    let status = stage.wait_secret(NAME, "in sync again", good).await?.status.context("a status")?;
    vault.verdict_is_true(&status).await?;
    stage.nothing_written().await
}

fn good(status: &ExternalSecretStatus) -> bool {
    status.drift_count == 0 && has(status, "InSync", "True") && has(status, "Ready", "True")
}
