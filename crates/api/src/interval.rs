//! How often AWS is compared with a spec.

use std::time::Duration;

/// The interval of an object that names none.
const DEFAULT: Duration = Duration::from_mins(10);

/// Time between two sweeps of an object. A text that the API server would have refused counts as absent.
pub(crate) fn of(text: Option<&str>) -> Duration {
    text.and_then(parse).unwrap_or(DEFAULT)
}

/// Reads whole hours, minutes and seconds, in this order: `1h30m`.
fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds: u64 = 0;
    for (unit, length) in [('h', 3600), ('m', 60), ('s', 1)] {
        if let Some((amount, after)) = rest.split_once(unit) {
            seconds = seconds.checked_add(amount.parse::<u32>().ok().map(u64::from)?.checked_mul(length)?)?;
            rest = after;
        }
    }
    (rest.is_empty() && seconds > 0).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_as_the_api_server_admits_them() {
        for (text, seconds) in
            [("30s", 30), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("24h", 86_400), ("1h5s", 3605)]
        {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "10", "m", "10 m", "1.5h", "30m1h", "-1m", "0s", "10mm"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
