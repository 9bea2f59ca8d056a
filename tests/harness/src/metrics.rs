//! Prometheus' text format, as far as tests ask about it.

use std::collections::BTreeMap;

/// One scrape.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    samples: Vec<Sample>,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The whole name, with suffixes such as `_total` and `_bucket`.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

impl Metrics {
    /// Reads a scrape; comments and lines that are no samples are passed over.
    pub fn parse(text: &str) -> Self {
        Self { samples: text.lines().filter_map(sample).collect() }
    }

    /// The samples called `name` that have (at least) these labels.
    pub fn find<'a>(&'a self, name: &'a str, labels: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| {
            sample.name == name
                && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|found| found == value))
        })
    }

    /// The sum of those samples; 0 where there are none, as Prometheus' `sum` with a default would have it.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels).map(|sample| sample.value).sum()
    }
}

fn sample(line: &str) -> Option<Sample> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let name_end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(name_end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name: name.to_owned(), labels, value })
}

/// Reads `a="b",c="d"}` and returns what follows. Values may hold braces, commas and escaped quotes.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (label, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.insert(label.to_owned(), value);
        rest = after;
    }
}

/// Reads up to the closing quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            plain => value.push(plain),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAPE: &str = r#"# HELP aws_calls calls
# TYPE aws_calls counter
aws_calls_total{service="kms",operation="GetKeyPolicy",result="ok"} 3
aws_calls_total{service="kms",operation="PutKeyPolicy",result="ok"} 2
aws_calls_total{service="iam",operation="GetRole",result="a \"b\", {c}\\"} 5
up 1
drift NaN
# EOF"#;

    #[test]
    fn sums_are_by_name_and_labels() {
        let metrics = Metrics::parse(SCRAPE);
        let check = |name: &str, labels: &[(&str, &str)], expected: f64| {
            assert!((metrics.sum(name, labels) - expected).abs() < f64::EPSILON, "{name} {labels:?}");
        };
        check("aws_calls_total", &[], 10.0);
        check("aws_calls_total", &[("service", "kms")], 5.0);
        check("aws_calls_total", &[("service", "kms"), ("operation", "PutKeyPolicy")], 2.0);
        check("up", &[], 1.0);
        check("aws_calls", &[], 0.0);
    }

    #[test]
    fn label_values_are_unescaped() {
        let metrics = Metrics::parse(SCRAPE);
        let sample = metrics.find("aws_calls_total", &[("service", "iam")]).next().unwrap();
        assert_eq!(sample.labels["result"], r#"a "b", {c}\"#);
    }
}
