//! What the operating system says of the operator's process.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};

/// Linux counts processor time in hundredths of a second, whatever the kernel's own tick is.
const TICK: Duration = Duration::from_millis(10);

/// One look at a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Processor time since it started.
    pub(crate) cpu: Duration,
    /// Resident memory now, in KiB.
    pub(crate) resident: u64,
    /// The most that it ever was.
    pub(crate) peak: u64,
}

/// Looks at a process.
pub(crate) fn usage(process: u32) -> Result<Usage> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name of the program may hold spaces and stands in parentheses; user and system time are fields 14 and 15.
    let after_name = stat.rsplit_once(')').context("no program name")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: u32 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u32>().ok()).sum();
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Ok(Usage {
        cpu: TICK * ticks,
        resident: kib("VmRSS:").context("no VmRSS")?,
        peak: kib("VmHWM:").context("no VmHWM")?,
    })
}

/// The process that was started with an argument which no other has.
pub(crate) fn process_with(argument: &str) -> Result<u32> {
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let Some(process) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) else { continue };
        let command = fs::read(path.join("cmdline")).unwrap_or_default();
        let mut words = command.split(|byte| *byte == 0);
        let program = words.next().unwrap_or_default();
        if program.ends_with(b"sharedkey-operator") && words.any(|word| word == argument.as_bytes()) {
            return Ok(process);
        }
    }
    anyhow::bail!("no operator runs with {argument}")
}

/// The operator that is measured: of the release build, where there is one.
pub(crate) fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let target = own.parent().and_then(|profile| profile.parent()).context("our own binary is nowhere")?;
    let candidates = ["release", "debug"].map(|profile| target.join(profile).join("sharedkey-operator"));
    candidates.into_iter().find(|binary| binary.is_file()).context("run cargo build --release -p sharedkey-operator")
}

pub(crate) fn binary_bytes() -> Result<u64> {
    Ok(fs::metadata(binary()?)?.len())
}
