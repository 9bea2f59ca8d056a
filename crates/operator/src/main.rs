//! The Kubernetes shell of the operator: watches, finalizers, ledger, status, events, metrics.
//!
//! What is decided about an object stands in `sharedkey-engine`; who talks to AWS, in `sharedkey-aws`.

mod access;
mod accounts;
mod args;
mod backoffs;
mod context;
mod events;
mod health;
mod history;
mod index;
mod ledger;
mod looks;
mod metrics;
mod objects;
mod parting;
mod patch;
mod putting_back;
mod reconcile;
mod run;
mod secrets;
mod served;
mod shared_key;
mod sharing;
mod steps;
mod streams;
mod tokens;
mod waking;

use std::{io::IsTerminal as _, process::ExitCode};

use anyhow::Context as _;
use args::{Args, LogFormat};
use clap::Parser as _;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// What is read and compared is many small texts: a quarter of the processor's time went into the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(error) = start_logging(&args) {
        eprint(&error);
        return ExitCode::from(2);
    }
    match Box::pin(run::run(args)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the operator stops");
            ExitCode::FAILURE
        }
    }
}

fn start_logging(args: &Args) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&args.log).context("--log")?;
    let registry = tracing_subscriber::registry().with(filter);
    match args.log_format {
        LogFormat::Json => registry
            .with(tracing_subscriber::fmt::layer().json().with_span_list(false).with_writer(std::io::stderr))
            .init(),
        LogFormat::Text => {
            let layer = tracing_subscriber::fmt::layer().with_ansi(std::io::stderr().is_terminal());
            registry.with(layer.with_writer(std::io::stderr)).init();
        }
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "there is no log yet to say it in")]
fn eprint(error: &anyhow::Error) {
    eprintln!("sharedkey-operator: {error:#}");
}
