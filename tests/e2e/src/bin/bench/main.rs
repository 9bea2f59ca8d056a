//! What a fleet of SharedKeys costs: the real operator, a real API server and a strict AWS, with twice and ten times the objects. Read the
//! table by its ratios; the machine's own speed is in every absolute figure.
//!
//! `sharedkey-operator` of the release build is measured where there is one (`make bench` builds it).

mod fleet;
mod table;
mod usage;

use std::process::ExitCode;

use anyhow::Result;
use fleet::Fleet;
use table::Row;

/// Objects, keys and accounts of each run: ten objects name one key.
const RUNS: [(usize, usize, usize); 4] = [(100, 10, 20), (500, 50, 20), (1000, 100, 20), (5000, 500, 20)];

#[tokio::main]
async fn main() -> ExitCode {
    let largest = std::env::var("BENCH_OBJECTS").ok().and_then(|text| text.parse().ok()).unwrap_or(5000);
    match run(largest).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            table::failed(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(largest: usize) -> Result<()> {
    let mut rows: Vec<Row> = Vec::new();
    for (objects, keys, accounts) in RUNS.into_iter().filter(|(objects, ..)| *objects <= largest) {
        table::say(&format!("{objects} SharedKeys on {keys} keys in {accounts} accounts ..."));
        let fleet = Fleet::seed(objects, keys, accounts).await?;
        rows.push(fleet.measure().await?);
    }
    table::print(&rows, usage::binary_bytes()?);
    Ok(())
}
