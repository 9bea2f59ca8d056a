//! One table for all runs.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is what a benchmark does")]

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets::UTF8_HORIZONTAL_ONLY};

/// What one run showed.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) objects: usize,
    pub(crate) keys: usize,
    /// From the first object to the last one that is Ready.
    pub(crate) all_ready: Duration,
    pub(crate) converge_calls: u64,
    pub(crate) converge_cpu: Duration,
    pub(crate) quiet_kms_calls: f64,
    pub(crate) quiet_iam_calls: f64,
    pub(crate) quiet_cpu: Duration,
    pub(crate) quiet_writes: u64,
    pub(crate) quiet_status_writes: u64,
    pub(crate) resident_kib: u64,
    pub(crate) peak_kib: u64,
    /// From the start of a process that finds all objects there to /readyz.
    pub(crate) start: Duration,
}

/// A title, and what each run has to say to it.
type Line<'a> = (&'a str, &'a dyn Fn(&Row) -> String);

pub(crate) fn say(text: &str) {
    eprintln!("[bench] {text}");
}

pub(crate) fn failed(error: &anyhow::Error) {
    eprintln!("[bench] failed: {error:#}");
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
pub(crate) fn print(rows: &[Row], binary: u64) {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY);
    let mut header = vec![String::new()];
    header.extend(rows.iter().map(|row| format!("{} objects, {} keys", row.objects, row.keys)));
    table.set_header(header);
    let mib = |kib: u64| format!("{:.0} MiB", kib as f64 / 1024.0);
    let per_object = |count: f64, row: &Row| format!("{count:.0} ({:.2} each)", count / row.objects as f64);
    let lines: [Line<'_>; 10] = [
        ("all Ready after", &|row| format!("{:.1} s", row.all_ready.as_secs_f64())),
        ("AWS calls to converge", &|row| per_object(row.converge_calls as f64, row)),
        ("CPU to converge", &|row| format!("{:.1} s", row.converge_cpu.as_secs_f64())),
        ("KMS calls a quiet sweep", &|row| {
            format!("{:.0} ({:.2} a key)", row.quiet_kms_calls, row.quiet_kms_calls / row.keys as f64)
        }),
        ("IAM calls a quiet sweep", &|row| per_object(row.quiet_iam_calls, row)),
        ("CPU a quiet sweep", &|row| format!("{:.2} s", row.quiet_cpu.as_secs_f64())),
        ("writes a quiet sweep (AWS, status)", &|row| format!("{}, {}", row.quiet_writes, row.quiet_status_writes)),
        ("memory, resident", &|row| mib(row.resident_kib)),
        ("memory, peak", &|row| mib(row.peak_kib)),
        ("ready after a start", &|row| format!("{} ms", row.start.as_millis())),
    ];
    for (title, value) in lines {
        let mut line = vec![title.to_owned()];
        line.extend(rows.iter().map(value));
        table.add_row(line);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    println!("size of the binary: {:.1} MiB", binary as f64 / f64::from(1 << 20));
    for pair in rows.windows(2).filter(|pair| pair[1].objects == 2 * pair[0].objects) {
        ratios(&pair[0], &pair[1]);
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
fn ratios(one: &Row, two: &Row) {
    let calls = two.converge_calls as f64 / one.converge_calls as f64;
    let cpu = two.converge_cpu.as_secs_f64() / one.converge_cpu.as_secs_f64();
    let memory = two.resident_kib as f64 / one.resident_kib as f64;
    println!(
        "{} against {} objects: {calls:.2} times the calls, {cpu:.2} times the CPU, {memory:.2} times the memory",
        two.objects, one.objects
    );
}
