//! Runs a command the way the harness runs its servers: `guarded COMMAND [ARGS]`. It ends when this program ends, however
//! that happens. Prints the command's process id and its throw-away folder, one a line.

use std::io::{Write, stdout};

use anyhow::{Context, Result};
use sharedkey_harness::{Scratch, process::Run};

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1);
    let program = args.next().context("usage: guarded COMMAND [ARGS]")?;
    let scratch = Scratch::new("guarded")?;
    let mut process = Run::new("guarded", program).args(args).start(scratch.path())?;
    writeln!(stdout(), "{}\n{}", process.id(), scratch.path().display())?;
    process.wait()?;
    Ok(())
}
