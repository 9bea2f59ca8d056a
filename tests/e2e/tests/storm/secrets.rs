//! Secrets in the storm, and very many of them on a quiet day.

use anyhow::{Result, ensure};
use sharedkey_e2e::Service;
use sharedkey_harness::{say, wait_for};

use crate::{ALONE, CONCURRENCY, INTERVAL, LONGEST, begin, end, swept, told::Told, vaults::Vaults};

const KIND: &str = "ExternalSecret";
/// Those that are made while calls fail.
const IN_THE_STORM: u16 = 40;
/// A changed value is one transition: it is pushed, and it is there.
const OF_A_CHANGE: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn secrets_come_true_while_every_third_call_fails_and_each_change_makes_one_version() -> Result<()> {
    let _alone = ALONE.lock().await;
    // Given four accounts that keep secrets, and an AWS that fails at almost every third call
    let Service { home, operator } = Service::start(INTERVAL / 2, &CONCURRENCY).await?;
    let mut vaults = Vaults::new(&home).await?;
    let storm = begin(&home).await?;

    // When secrets are asked for and get another value, then each of them is there once, with a version for each
    vaults.apply(0..IN_THE_STORM).await?;
    wait_for("all to be ready once", LONGEST, async || vaults.ready_once(IN_THE_STORM)).await?;
    vaults.change().await?;
    vaults.settle().await?;

    // And none of them ever tells of drift, and each tells what it has to in few words
    swept(&operator, KIND, IN_THE_STORM).await?;
    end(&home, &storm).await?;
    vaults.settle().await?;
    vaults.each_has_one_version_for_each_value().await?;
    vaults.no_drift()?;
    let Told { writes, most } = vaults.told_since_the_beginning()?;
    say(format_args!("{writes} statuses were written of {IN_THE_STORM} secrets, and {most} at most of one"));

    // And when AWS is well again and two hundred of them get another value at once, each ends with one more version
    vaults.apply(IN_THE_STORM..Vaults::OBJECTS).await?;
    vaults.settle().await?;
    vaults.change().await?;
    vaults.settle().await?;
    vaults.each_has_one_version_for_each_value().await?;
    vaults.no_drift()?;
    let Told { writes, .. } = vaults.told_of_the_change(OF_A_CHANGE)?;
    ensure!(writes >= usize::from(Vaults::OBJECTS), "{writes} statuses tell of the change");

    // And when those of the storm go in another one, then nothing of them is left, and each that is deleted is deleted once
    let storm = begin(&home).await?;
    vaults.leave(0..IN_THE_STORM).await?;
    wait_for("the end of the secrets", LONGEST, async || vaults.gone(0..IN_THE_STORM).await).await?;
    end(&home, &storm).await?;
    vaults.left_nothing(0..IN_THE_STORM).await
}
