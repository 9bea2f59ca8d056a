//! Others write the policy that the operator writes, as fast as they can: that of a key, and that of a secret. The API has no
//! compare-and-set (D§1.5), so something may be lost: here it is counted, and `docs/races.md` says what the figures mean.
//!
//! The operator's own code writes (`sharedkey-aws`, with nothing around it that would slow it down), at the rate that it allows itself.

mod foreign;
mod ours;
mod policy;

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use sharedkey_harness::{StrictAws, say};
use tokio::sync::Mutex;

use crate::{foreign::Foreign, ours::Writer, policy::Kind};

/// Statements of others that one write may undo, on average, beside somebody who writes without a pause: his next write comes two
/// calls after his last, and the moment in which ours undoes it is one call long, whatever the machine's speed. Twice what
/// `docs/races.md` has.
const UNDONE: f64 = 0.9;

/// Whoever races has the machine for himself.
static ALONE: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_writes_beside_somebody_who_never_stops() -> Result<()> {
    // The operator leaves half of a quota of 15 writes a second and account to others (D§6.1), so several accounts make it faster.
    race(Kind::Key, 4, 2000).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_writes_to_policies_of_secrets_beside_somebody_who_never_stops() -> Result<()> {
    race(Kind::Secret, 1, 100).await
}

/// So many writes of ours that change something, in all accounts together.
async fn race(kind: Kind, accounts: u32, wanted: u32) -> Result<()> {
    let _alone = ALONE.lock().await;
    // Given policies that two write: each reads what is there, changes its own statements and writes everything back
    let aws = StrictAws::start().await?;
    let writers = try_join_all((0..accounts).map(|_| Writer::new(&aws, kind))).await?;
    let untouched = || try_join_all(writers.iter().map(|writer| writer.policy.untouched()));
    let before = untouched().await?;

    // When both do so at once, until the operator has made its writes
    let races = writers.iter().map(async |writer| {
        let stop = AtomicBool::new(false);
        let ours = async {
            let report = writer.write(wanted / accounts).await;
            stop.store(true, Ordering::Relaxed);
            report
        };
        let (ours, foreign) = futures::try_join!(ours, Foreign::new(&writer.policy).write_until(&stop))?;
        anyhow::Ok((ours, foreign))
    });
    let races = try_join_all(races).await?;
    let writes: u32 = races.iter().map(|(ours, _)| ours.writes).sum();
    let theirs: usize = races.iter().map(|(_, foreign)| foreign.writes).sum();
    ensure!(writes >= wanted && theirs > 2 * usize::try_from(writes)?, "{writes} writes beside {theirs} are no race");

    // Then what nobody changed is as it was
    assert_eq!(untouched().await?, before);

    // And ours stands, with all of his that his book has
    try_join_all(writers.iter().zip(&races).map(|(writer, (_, foreign))| writer.settles(&foreign.book))).await?;

    // And what the operator says that it undid is what the other one found undone, but for what a write of his own, begun before and
    // ended long after, put right unseen
    let (mut lost, mut revived, mut seen, mut unseen) = (0, 0, 0, 0);
    for (ours, foreign) in &races {
        lost += foreign.found.lost.len();
        revived += foreign.found.revived.len();
        for (told, found) in [(&ours.seen.lost, &foreign.found.lost), (&ours.seen.revived, &foreign.found.revived)] {
            seen += told.intersection(found).count();
            unseen += told.difference(found).count();
        }
    }
    let overwritten: u32 = races.iter().map(|(ours, _)| ours.undone).sum();
    say(format_args!(
        "{kind:?}: {writes} writes of ours beside {theirs} of others: {lost} of their statements lost, {revived} came back, {seen} of these told, \
         {unseen} told and not found; {overwritten} of our writes undone"
    ));
    // One in ten, or one more where they are few.
    ensure!(unseen * 10 <= seen + 10, "{unseen} were told beside {seen} that were found");

    // And of what it undid it has seen a part, and it undid little, in the moment between its last reading and its write
    let each = f64::from(u32::try_from(lost + revived)?) / f64::from(writes);
    ensure!(seen * 100 >= (lost + revived) * kind.told(), "only {seen} were seen");
    ensure!(each < UNDONE, "{each} statements of others were undone by each write");
    Ok(())
}
