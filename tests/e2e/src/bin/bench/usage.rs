//! What the operating system says of the operator's process.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use sharedkey_harness::Operator;

/// Linux counts processor time in hundredths of a second, whatever the kernel's own tick is.
const TICK: Duration = Duration::from_millis(10);

/// One look at a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Processor time since it started.
    pub(crate) cpu: Duration,
    /// The most memory that was ever resident, in MiB.
    pub(crate) peak: f64,
}

/// The operator's process, looked at from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(u32);

impl Process {
    /// The process that was started with the operator's address: no other has the same.
    pub(crate) fn of(operator: &Operator) -> Result<Self> {
        let address = operator.address().as_bytes();
        for entry in fs::read_dir("/proc")? {
            let path = entry?.path();
            let Some(process) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) else { continue };
            let command = fs::read(path.join("cmdline")).unwrap_or_default();
            let mut words = command.split(|byte| *byte == 0);
            let program = words.next().unwrap_or_default();
            if program.ends_with(b"sharedkey-operator") && words.any(|word| word == address) {
                return Ok(Self(process));
            }
        }
        anyhow::bail!("no operator runs with {}", operator.address())
    }

    pub(crate) fn usage(self) -> Result<Usage> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // The name of the program may hold spaces and stands in parentheses; user and system time are fields 14 and 15.
        let after_name = stat.rsplit_once(')').context("no program name")?.1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks: u32 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u32>().ok()).sum();
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let mebibytes = |name: &str| -> Option<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib / 1024.0)
        };
        Ok(Usage { cpu: TICK * ticks, peak: mebibytes("VmHWM:").context("no VmHWM")? })
    }
}

/// The size of the operator's program in MiB.
pub(crate) fn binary() -> Result<f64> {
    let bytes = u32::try_from(fs::metadata(Operator::program()?)?.len())?;
    Ok(f64::from(bytes) / f64::from(1 << 20))
}
