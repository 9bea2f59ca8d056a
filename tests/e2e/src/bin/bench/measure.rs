//! What a fleet costs: to converge, to follow a value, while nothing changes, and to start again.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sharedkey_e2e::reconciles;
use sharedkey_harness::{Operator, wait_for};

use crate::{
    counts::Counts,
    fleet::{DEADLINE, Fleet},
    table::{Limit, Measure, Unit},
    usage::{Process, Usage},
};

/// What one fleet costs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Costs {
    objects: f64,
    /// From the first object to the last one that is Ready.
    ready: Duration,
    converging: Counts,
    converging_cpu: Duration,
    converged: Usage,
    /// Another value for all secrets.
    changing: Counts,
    changed: Duration,
    /// One sweep.
    sweep: Counts,
    sweep_cpu: Duration,
    after: Usage,
    /// From the start of a process that finds all objects there to /readyz.
    start: Duration,
}

/// A title, a unit, how it is read off the costs, and its limits.
type Line = (&'static str, Unit, fn(&Costs) -> f64, &'static [Limit]);

const LINES: [Line; 13] = [
    ("all Ready after", Unit::Seconds, |costs| costs.ready.as_secs_f64(), &[]),
    ("AWS calls to converge", Unit::Count, |costs| costs.converging.aws, &[Limit::Twice]),
    ("... for each object", Unit::Each, |costs| costs.converging.aws / costs.objects, &[]),
    ("Kubernetes writes to converge", Unit::Count, |costs| costs.converging.kubernetes_writes, &[Limit::Twice]),
    ("CPU to converge", Unit::Seconds, |costs| costs.converging_cpu.as_secs_f64(), &[Limit::Twice]),
    ("AWS calls of a quiet sweep", Unit::Count, |costs| costs.sweep.aws, &[Limit::Twice]),
    ("... KMS calls among them", Unit::Count, |costs| costs.sweep.kms, &[Limit::At(1000, 200.0), Limit::Twice]),
    ("CPU of a quiet sweep", Unit::Seconds, |costs| costs.sweep_cpu.as_secs_f64(), &[Limit::Twice]),
    ("AWS writes of a quiet sweep", Unit::Count, |costs| costs.sweep.aws_writes, &[Limit::Everywhere(0.0)]),
    (
        "Kubernetes writes of a quiet sweep",
        Unit::Count,
        |costs| costs.sweep.kubernetes_writes,
        &[Limit::Everywhere(0.0)],
    ),
    (
        "memory, the most while converging",
        Unit::Mebibytes,
        |costs| costs.converged.peak,
        &[Limit::At(1000, 100.0), Limit::At(5000, 200.0), Limit::Twice],
    ),
    (
        "memory, the most in quiet sweeps",
        Unit::Mebibytes,
        |costs| costs.after.peak,
        &[Limit::At(1000, 100.0), Limit::At(5000, 200.0), Limit::Twice],
    ),
    ("ready after a start", Unit::Seconds, |costs| costs.start.as_secs_f64(), &[Limit::Everywhere(1.0)]),
];

const LINES_OF_SECRETS: [Line; 11] = [
    ("all Ready after", Unit::Seconds, |costs| costs.ready.as_secs_f64(), &[]),
    ("AWS calls to converge", Unit::Count, |costs| costs.converging.aws, &[Limit::Twice]),
    ("... for each secret", Unit::Each, |costs| costs.converging.aws / costs.objects, &[]),
    ("Kubernetes writes to converge", Unit::Count, |costs| costs.converging.kubernetes_writes, &[Limit::Twice]),
    ("another value in all of them after", Unit::Seconds, |costs| costs.changed.as_secs_f64(), &[]),
    (
        "... calls that push it, for each secret",
        Unit::Each,
        |costs| costs.changing.values / costs.objects,
        &[Limit::Everywhere(1.0)],
    ),
    ("AWS calls of a quiet sweep", Unit::Count, |costs| costs.sweep.aws, &[Limit::Twice]),
    (
        "... to Secrets Manager, for each secret",
        Unit::Each,
        |costs| costs.sweep.secrets_manager / costs.objects,
        // Of fewer, too many are cut off at the ends of the window.
        &[Limit::At(1000, 2.0)],
    ),
    ("CPU of a quiet sweep", Unit::Seconds, |costs| costs.sweep_cpu.as_secs_f64(), &[Limit::Twice]),
    ("AWS writes of a quiet sweep", Unit::Count, |costs| costs.sweep.aws_writes, &[Limit::Everywhere(0.0)]),
    (
        "Kubernetes writes of a quiet sweep",
        Unit::Count,
        |costs| costs.sweep.kubernetes_writes,
        &[Limit::Everywhere(0.0)],
    ),
];

/// The costs as lines of the table.
pub(crate) fn measures(costs: &[Costs]) -> Vec<Measure> {
    lines(&LINES, costs)
}

/// The costs of secrets, with those of the keys that they are under.
pub(crate) fn measures_of_secrets(costs: &[Costs]) -> Vec<Measure> {
    lines(&LINES_OF_SECRETS, costs)
}

fn lines(lines: &[Line], costs: &[Costs]) -> Vec<Measure> {
    lines
        .iter()
        .map(|(title, unit, read, limits)| {
            let values = costs.iter().map(read).collect();
            Measure { title, unit: *unit, values, limits }
        })
        .collect()
}

/// Converges, starts anew, and sweeps.
pub(crate) async fn costs(fleet: &Fleet) -> Result<Costs> {
    let operator = fleet.operator().await?;
    let process = Process::of(&operator)?;
    fleet.accounts_ready().await?;
    fleet.prepare().await?;
    let before = (fleet.counts().await?, process.usage()?);
    let began = Instant::now();
    fleet.create().await?;
    fleet.all_ready().await?;
    let ready = began.elapsed();
    let converged = (fleet.counts().await?, process.usage()?);
    let mut converging = converged.0.since(before.0);
    // The writes of this benchmark.
    converging.kubernetes_writes -= fleet.objects();
    let (changing, changed) = change(fleet).await?;
    drop(operator);
    let began = Instant::now();
    let sweeper = fleet.sweeper().await?;
    let start = began.elapsed();
    let (sweep, sweep_cpu, after) = quiet(fleet, &sweeper).await?;
    Ok(Costs {
        objects: fleet.objects(),
        ready,
        converging,
        converging_cpu: converged.1.cpu.saturating_sub(before.1.cpu),
        converged: converged.1,
        changing,
        changed,
        sweep,
        sweep_cpu,
        after,
        start,
    })
}

/// Gives all secrets another value, and waits until each tells of another version. SharedKeys have none.
async fn change(fleet: &Fleet) -> Result<(Counts, Duration)> {
    let (before, versions, began) = (fleet.counts().await?, fleet.versions().await?, Instant::now());
    fleet.put_value("second").await?;
    wait_for("another version of each secret", DEADLINE, async || {
        let now = fleet.versions().await?;
        let old = now.iter().filter(|(name, version)| versions.get(*name) == Some(*version)).count();
        ensure!(old == 0, "{old} have the old one");
        Ok(())
    })
    .await?;
    Ok((fleet.counts().await?.since(before), began.elapsed()))
}

/// Counts whole sweeps, once every object has been looked at, and says what one of them is. In one interval every object is swept once;
/// watching the operator meanwhile would cost it more than the sweep does.
async fn quiet(fleet: &Fleet, sweeper: &Operator) -> Result<(Counts, Duration, Usage)> {
    wait_for("every object to be looked at", DEADLINE, async || {
        let count = reconciles(&sweeper.metrics().await?, fleet.kind());
        ensure!(count >= fleet.objects(), "{count} of {} reconciles", fleet.objects());
        Ok(())
    })
    .await?;
    let process = Process::of(sweeper)?;
    // Those that were looked at first may have been swept since, so one interval has to pass.
    tokio::time::sleep(fleet.interval()).await;
    let before = (fleet.counts().await?, process.usage()?, reconciles(&sweeper.metrics().await?, fleet.kind()));
    tokio::time::sleep(fleet.interval() * fleet.sweeps()).await;
    let after = (fleet.counts().await?, process.usage()?, reconciles(&sweeper.metrics().await?, fleet.kind()));
    let sweeps = (after.2 - before.2) / fleet.objects();
    let counted = f64::from(fleet.sweeps());
    ensure!((sweeps / counted - 1.0).abs() < 0.1, "{sweeps} sweeps in {counted} intervals");
    // The window is not cut at the looks: some objects were looked at twice in it, or not yet.
    Ok((after.0.since(before.0) / sweeps, after.1.cpu.saturating_sub(before.1.cpu).div_f64(sweeps), after.1))
}
