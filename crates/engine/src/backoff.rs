//! When to look again. The clock and the dice are arguments.

use std::time::Duration;

use crate::problem::Class;

/// Shortest wait after a failure that passes by itself.
const FIRST: Duration = Duration::from_secs(1);
/// Longest wait after a failure that passes by itself.
const TRANSIENT_MAX: Duration = Duration::from_mins(5);
/// Waits while a write of ours is on its way: short, because users watch.
const PROPAGATING_MAX: Duration = Duration::from_secs(15);
/// Longest wait for somebody to change the world (D§6.3: 10 to 60 minutes); a change of the object or of an account comes sooner.
const USER_MAX: Duration = Duration::from_mins(10);

/// The wait after `failures` in a row of a class: exponential, and spread over the upper half of itself by `dice` in 0..1, so that
/// objects that failed together do not come back together.
pub fn delay(class: Class, failures: u32, dice: f64) -> Duration {
    let max = match class {
        Class::Transient => TRANSIENT_MAX,
        Class::Propagating => PROPAGATING_MAX,
        Class::UserActionNeeded | Class::OperatorUnauthorised => USER_MAX,
    };
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(failures.min(16)));
    let full = doubled.min(max);
    full / 2 + (full / 2).mul_f64(dice.clamp(0.0, 1.0))
}

/// The time until the next sweep. Sweeps of all objects with the same `phase` and interval fall on the same instants, so that
/// they share what they read; different phases are spread over the interval.
///
/// `since_epoch` is the time now.
pub fn until_next_sweep(since_epoch: Duration, interval: Duration, phase: u64) -> Duration {
    let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX).max(1);
    let now_ms = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
    let offset = phase % interval_ms;
    let into = (now_ms % interval_ms + interval_ms - offset) % interval_ms;
    Duration::from_millis(interval_ms - into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_maximum_of_their_class() {
        assert_eq!(delay(Class::Transient, 0, 1.0), Duration::from_secs(1));
        assert_eq!(delay(Class::Transient, 3, 1.0), Duration::from_secs(8));
        assert_eq!(delay(Class::Transient, 3, 0.0), Duration::from_secs(4));
        assert_eq!(delay(Class::Transient, 40, 1.0), TRANSIENT_MAX);
        assert_eq!(delay(Class::Propagating, 40, 1.0), PROPAGATING_MAX);
        assert_eq!(delay(Class::UserActionNeeded, 40, 1.0), USER_MAX);
    }

    #[test]
    fn sweeps_of_one_phase_fall_together_within_one_interval() {
        let interval = Duration::from_mins(10);
        for phase in [0, 1, 599_999, 123_456_789] {
            for now in [Duration::from_secs(1_000_000), Duration::from_millis(1_000_123_456)] {
                let wait = until_next_sweep(now, interval, phase);
                assert!(wait > Duration::ZERO && wait <= interval);
                assert_eq!((now + wait).as_millis() % interval.as_millis(), u128::from(phase) % interval.as_millis());
            }
        }
    }
}
