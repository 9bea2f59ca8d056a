//! One table for all that was measured, with the ratio between neighbours in each line, and the limits.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is what a benchmark does")]

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets::UTF8_HORIZONTAL_ONLY};

/// What twice as much may cost.
const TWICE: f64 = 2.1;

/// How exact counts by the sweep are: the windows in which they are taken are not cut between the looks of two objects.
const EXACT: f64 = 1.005;

/// What a line may not exceed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// This value at this size.
    At(usize, f64),
    /// This value at every size.
    Everywhere(f64),
    /// 2.1 times the value of half the size.
    Twice,
}

/// What a value is, and so how it is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    Seconds,
    Count,
    /// A count, by the object.
    Each,
    Mebibytes,
}

impl Unit {
    /// Whether a value keeps to a limit, as far as it is exact. What may not happen at all does not happen once in three sweeps either.
    fn keeps(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Count | Self::Each => value <= limit * EXACT,
            Self::Seconds | Self::Mebibytes => value <= limit,
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Seconds => format!("{:.3?}", Duration::from_secs_f64(value)),
            Self::Count => format!("{value:.0}"),
            Self::Each => format!("{value:.2}"),
            Self::Mebibytes => format!("{value:.1} MiB"),
        }
    }

    /// A limit is a round figure.
    fn show_limit(self, value: f64) -> String {
        match self {
            Self::Seconds => format!("{:?}", Duration::from_secs_f64(value)),
            Self::Count | Self::Each => format!("{value}"),
            Self::Mebibytes => format!("{value} MiB"),
        }
    }
}

/// One line: something that was measured at each size.
#[derive(Clone, Debug)]
pub(crate) struct Measure {
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
    pub(crate) values: Vec<f64>,
    pub(crate) limits: &'static [Limit],
}

/// Lines that were measured at the same sizes.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) sizes: Vec<usize>,
    /// What the sizes count.
    pub(crate) of: &'static str,
    pub(crate) measures: Vec<Measure>,
}

pub(crate) fn say(text: &str) {
    eprintln!("[bench] {text}");
}

pub(crate) fn failed(error: &anyhow::Error) {
    eprintln!("[bench] failed: {error:#}");
}

/// Prints all sections as one table, and says how many limits are missed.
pub(crate) fn print(sections: &[Section]) -> usize {
    let columns = sections.iter().map(|section| section.sizes.len()).max().unwrap_or_default();
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY);
    let mut missed = 0;
    for section in sections {
        let mut header = vec![section.title.to_owned()];
        header.extend(section.sizes.iter().map(|size| format!("{size} {}", section.of)));
        header.resize(columns + 1, String::new());
        header.push("limit".to_owned());
        table.add_row(header);
        for measure in &section.measures {
            let mut line = vec![measure.title.to_owned()];
            line.extend((0..measure.values.len()).map(|at| cell(measure, at)));
            line.resize(columns + 1, String::new());
            let verdicts: Vec<Verdict> =
                measure.limits.iter().filter_map(|limit| verdict(measure, &section.sizes, *limit)).collect();
            missed += verdicts.iter().filter(|verdict| !verdict.met).count();
            line.push(verdicts.into_iter().map(|verdict| verdict.text).collect::<Vec<_>>().join("\n"));
            table.add_row(line);
        }
    }
    for column in table.column_iter_mut().skip(1).take(columns) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    missed
}

/// A value, and how many times the value of the size before it is.
fn cell(Measure { unit, values, .. }: &Measure, at: usize) -> String {
    let value = unit.show(values[at]);
    match at.checked_sub(1).map(|before| values[before]) {
        Some(before) if before > 0.0 => format!("{value} ×{:.2}", values[at] / before),
        _ => value,
    }
}

/// What became of a limit.
struct Verdict {
    text: String,
    met: bool,
}

/// None where the sizes that the limit is about were not measured.
fn verdict(Measure { unit, values, .. }: &Measure, sizes: &[usize], limit: Limit) -> Option<Verdict> {
    let at = |size: usize| sizes.iter().position(|known| *known == size).map(|at| values[at]);
    let (text, met) = match limit {
        Limit::At(size, most) => (format!("≤ {} at {size}", unit.show_limit(most)), unit.keeps(at(size)?, most)),
        Limit::Everywhere(_) if values.is_empty() => return None,
        Limit::Everywhere(most) => {
            (format!("≤ {}", unit.show_limit(most)), values.iter().all(|value| unit.keeps(*value, most)))
        }
        Limit::Twice => {
            let (half, whole) = sizes.iter().find_map(|size| Some((at(*size)?, at(2 * size)?)))?;
            (format!("≤ ×{TWICE} for twice"), whole <= TWICE * half)
        }
    };
    Some(Verdict { text: format!("{text}: {}", if met { "met" } else { "MISSED" }), met })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(values: &[f64]) -> Measure {
        Measure { title: "calls", unit: Unit::Count, values: values.to_vec(), limits: &[] }
    }

    #[test]
    fn a_limit_is_judged_where_it_was_measured() {
        let met =
            |values: &[f64], limit| verdict(&measure(values), &[100, 500, 1000], limit).map(|verdict| verdict.met);
        assert_eq!(met(&[1.0, 5.0, 10.5], Limit::Twice), Some(true));
        assert_eq!(met(&[1.0, 5.0, 10.6], Limit::Twice), Some(false));
        assert_eq!(met(&[1.0, 5.0, 9.0], Limit::At(500, 4.0)), Some(false));
        assert_eq!(met(&[1.0, 5.0, 9.0], Limit::At(5000, 4.0)), None);
        assert_eq!(met(&[1.0, 5.0, 0.0], Limit::Everywhere(5.0)), Some(true));
        assert_eq!(met(&[], Limit::Everywhere(5.0)), None);
    }

    #[test]
    fn a_cell_shows_how_many_times_its_neighbour_it_is() {
        let measure = measure(&[0.0, 4.0, 10.0]);
        assert_eq!([0, 1, 2].map(|at| cell(&measure, at)), ["0", "4", "10 ×2.50"]);
    }
}
