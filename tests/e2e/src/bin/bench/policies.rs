//! The figures of the crates' own benchmarks, out of what divan prints.

use anyhow::{Context as _, Result, ensure};

use crate::table::{Limit, Measure, Unit};

/// Sizes of key policies in KB. The largest names some 400 principals.
pub(crate) const KILOBYTES: [usize; 3] = [1, 8, 32];

/// Which benchmark, what it is called in the table, and its limits.
const LINES: [(&str, &str, &[Limit]); 6] = [
    ("parse", "parse the key policy", &[]),
    ("one_object_of_many", "compare + plan, 8 principals", &[Limit::At(32, 0.001)]),
    ("the_largest_object", "compare + plan, 96 principals", &[Limit::At(32, 0.001)]),
    ("compare", "compare every statement", &[]),
    ("fingerprint", "fingerprint the key policy", &[]),
    ("merge_and_preflight", "merge a change and check it", &[]),
];

/// Reads the medians. A benchmark that is missing is an error: it was renamed, and this table was not.
pub(crate) fn measures(printed: &str) -> Result<Vec<Measure>> {
    LINES.iter().map(|(name, title, limits)| measure(printed, name, title, limits)).collect()
}

fn measure(printed: &str, name: &str, title: &'static str, limits: &'static [Limit]) -> Result<Measure> {
    let lines = printed.lines().skip_while(|line| words(line).first() != Some(&name)).skip(1);
    let values: Result<Vec<f64>> = lines
        .filter_map(median)
        .take(KILOBYTES.len())
        .map(|found| {
            found.and_then(|(at, seconds)| {
                ensure!(KILOBYTES.contains(&at), "{name} was measured for {at} KB");
                Ok(seconds)
            })
        })
        .collect();
    let values = values.with_context(|| format!("the figures of {name}"))?;
    ensure!(values.len() == KILOBYTES.len(), "there is no benchmark {name}");
    Ok(Measure { title, unit: Unit::Seconds, values, limits })
}

/// The words of a line without the branches of divan's tree.
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().filter(|word| !word.chars().all(|character| "├╰│─".contains(character))).collect()
}

/// The argument and the median of a line like `│  ├─ 8   7.1 µs │ 9.2 µs │ 7.3 µs │ …`; none for other lines, and for the line below with
/// bytes per second.
fn median(line: &str) -> Option<Result<(usize, f64)>> {
    let words = words(line);
    if words.contains(&"MB/s") || words.contains(&"GB/s") || words.contains(&"KB/s") {
        return None;
    }
    let [argument, _, _, _, _, median, unit, ..] = words[..] else { return None };
    let argument = argument.parse().ok()?;
    Some(seconds(median, unit).map(|seconds| (argument, seconds)))
}

fn seconds(number: &str, unit: &str) -> Result<f64> {
    let scale = match unit {
        "ns" => 1e-9,
        "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        other => anyhow::bail!("{other} is no unit of time"),
    };
    Ok(number.parse::<f64>()? * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_read_out_of_the_tree() {
        let line = "│  ├─ 8            71.41 µs      │ 92.1 µs       │ 73.02 µs      │ 74 µs         │ 100     │ 100";
        let (kilobytes, seconds) = median(line).unwrap().unwrap();
        assert_eq!((kilobytes, format!("{seconds:.8}")), (8, "0.00007302".to_owned()));
        assert!(
            median("│                 179 MB/s    │ 8 MB/s        │ 10 MB/s       │ 9 MB/s        │         │")
                .is_none()
        );
        assert!(
            median("├─ parse                        │               │               │               │         │")
                .is_none()
        );
    }
}
