//! What SharedKeys and ExternalSecrets cost: one policy in the crates' own benchmarks (`bench FILE`, with what divan printed), and fleets of objects with the
//! real operator, a real API server and a strict AWS. Read the table by its ratios; the machine's own speed is in every absolute figure.
//!
//! `make bench` builds what is measured. `BENCH_OBJECTS` is the largest fleet.

mod counts;
mod fleet;
mod measure;
mod policies;
mod table;
mod usage;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use fleet::{Fleet, Kind, Size};
use table::{Limit, Measure, Section, Unit};

/// Ten objects name one key.
const SIZES: [Size; 4] = [
    Size { objects: 100, keys: 10, accounts: 20 },
    Size { objects: 500, keys: 50, accounts: 20 },
    Size { objects: 1000, keys: 100, accounts: 20 },
    Size { objects: 5000, keys: 500, accounts: 20 },
];

/// Secrets share less than SharedKeys do, so fewer of them tell as much.
const MOST_SECRETS: usize = 1000;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        // Not a failure: on a machine that has other work, times say little.
        Ok(missed) => {
            table::say(&format!("{missed} limits are missed"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            table::failed(&error);
            ExitCode::FAILURE
        }
    }
}

/// Measures, prints, and says how many limits are missed.
async fn run() -> Result<usize> {
    let largest = std::env::var("BENCH_OBJECTS").ok().map_or(Ok(5000), |text| text.parse::<usize>())?;
    let mut sections = Vec::new();
    if let Some(printed) = std::env::args_os().nth(1) {
        let printed = std::fs::read_to_string(&printed).with_context(|| format!("reading {}", printed.display()))?;
        let measures = policies::measures(&printed)?;
        sections.push(Section { title: "one key policy", sizes: policies::KILOBYTES.into(), of: "KB", measures });
    }
    let sizes: Vec<Size> = SIZES.into_iter().filter(|size| size.objects <= largest).collect();
    let mut costs = Vec::new();
    for size in &sizes {
        let Size { objects, keys, accounts } = size;
        table::say(&format!("{objects} SharedKeys on {keys} keys in {accounts} accounts ..."));
        costs.push(measure::costs(&Fleet::seed(Kind::SharedKey, *size).await?).await?);
    }
    let objects = sizes.iter().map(|size| size.objects).collect();
    sections.push(Section { title: "a fleet", sizes: objects, of: "objects", measures: measure::measures(&costs) });
    let sizes: Vec<Size> = sizes.into_iter().filter(|size| size.objects <= MOST_SECRETS).collect();
    let mut costs = Vec::new();
    for size in &sizes {
        let Size { objects, keys, accounts } = size;
        table::say(&format!("{objects} ExternalSecrets on {keys} keys in {accounts} accounts ..."));
        costs.push(measure::costs(&Fleet::seed(Kind::ExternalSecret, *size).await?).await?);
    }
    let objects = sizes.iter().map(|size| size.objects).collect();
    let measures = measure::measures_of_secrets(&costs);
    sections.push(Section { title: "secrets without readers", sizes: objects, of: "objects", measures });
    let binary = Measure {
        title: "size of the binary",
        unit: Unit::Mebibytes,
        values: vec![usage::binary()?],
        limits: &[Limit::Everywhere(25.0)],
    };
    sections.push(Section { title: "the operator", sizes: vec![1], of: "replica", measures: vec![binary] });
    Ok(table::print(&sections))
}
