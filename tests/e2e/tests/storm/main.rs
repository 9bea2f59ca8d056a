//! Many objects while every third call to AWS fails: all of them come true, nobody is told of drift that never was, status is not
//! written more often than there is something to tell, and when AWS is well again all is quiet.
//!
//! A binary of its own, because all calls of its operators fail, and because it counts their writes.

mod fleet;
mod secrets;
mod told;
mod vaults;

use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use sharedkey_e2e::{Home, IN_ACCOUNTS, Service, reconciles, statuses_written};
use sharedkey_harness::{
    Operator,
    aws::{Fault, FaultId},
    say, wait_for,
};
use tokio::sync::Mutex;

use crate::{fleet::Fleet, told::Told};

/// One operator at a time works under the owner id of this world.
static ALONE: Mutex<()> = Mutex::const_new(());

/// How often every object is swept.
const INTERVAL: Duration = Duration::from_secs(20);
/// Objects at the same time: where every hundredth call takes ten seconds, most of them wait.
const CONCURRENCY: [&str; 2] = ["--concurrency", "64"];
/// Longer than the fleet takes on a busy machine.
const LONGEST: Duration = Duration::from_mins(6);
/// Longer than the operator waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(11);
/// Sweeps of all objects that are looked at, in the storm and in the quiet after it.
const SWEEPS: f64 = 1.5;
const KIND: &str = "SharedKey";

/// What goes wrong, and how often: of all calls 30 in a hundred. The few that are not answered in time take ten seconds each: half of
/// them were performed, half never are.
fn faults() -> [Fault; 6] {
    [
        Fault::error("ThrottlingException", "Rate exceeded").probability(0.13),
        Fault::status(500).probability(0.11),
        Fault::reset().probability(0.06),
        Fault::answer_lost().probability(0.03),
        Fault::hang(TIMEOUT).after_call().probability(0.005),
        Fault::hang(TIMEOUT).then_reset().probability(0.005),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_objects_come_true_while_every_third_call_fails() -> Result<()> {
    let _alone = ALONE.lock().await;
    // Given four accounts with twenty keys, and an AWS that fails at almost every third call
    let Service { home, operator } = Service::start(INTERVAL, &CONCURRENCY).await?;
    let fleet = Fleet::new(&home).await?;
    let storm = begin(&home).await?;

    // When two hundred objects are applied, then each of them gets ready
    fleet.apply().await?;
    wait_for("all objects to be ready once", LONGEST, async || fleet.ready_once()).await?;

    // And while it goes on, none of them ever tells of drift, and each tells what it has to in few words
    swept(&operator, KIND, Fleet::OBJECTS).await?;
    end(&home, &storm).await?;
    fleet.settle().await?;
    fleet.no_drift()?;
    let Told { writes, most } = fleet.told()?;
    say(format_args!("{writes} statuses were written of {} objects, and {most} at most of one", Fleet::OBJECTS));

    // And when AWS is well again, nothing is written any more
    fleet.forget_calls().await?;
    let before = statuses_written(&operator.metrics().await?, KIND);
    swept(&operator, KIND, Fleet::OBJECTS).await?;
    let written = statuses_written(&operator.metrics().await?, KIND) - before;
    ensure!(written < 0.5, "{written} statuses were written on a quiet day");
    fleet.nothing_written().await
}

/// Every call of the operator may fail: those in the accounts, and those by which it enters them.
async fn begin(home: &Home) -> Result<Vec<FaultId>> {
    let mut injected = Vec::new();
    for who in [IN_ACCOUNTS, &home.user] {
        let faults = faults().map(async |fault| home.world.aws.inject(&fault.principal(who)).await);
        injected.extend(try_join_all(faults).await?);
    }
    Ok(injected)
}

/// AWS is well again, after everything has gone wrong that can.
async fn end(home: &Home, storm: &[FaultId]) -> Result<()> {
    for fault in &storm[..faults().len()] {
        ensure!(home.world.aws.fault_hits(*fault).await? > 0, "a kind of fault never struck");
    }
    try_join_all(storm.iter().map(|fault| home.world.aws.remove_fault(*fault))).await.map(drop)
}

/// Waits until every object of a kind was reconciled so often again.
async fn swept(operator: &Operator, kind: &str, objects: u16) -> Result<()> {
    let goal = reconciles(&operator.metrics().await?, kind) + SWEEPS * f64::from(objects);
    wait_for("sweeps", LONGEST, async || {
        let count = reconciles(&operator.metrics().await?, kind);
        ensure!(count >= goal, "{count} of {goal} reconciles");
        Ok(())
    })
    .await
}
