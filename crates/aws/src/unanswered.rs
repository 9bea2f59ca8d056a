//! Things that were written and of which AWS never said what became of them: it may perform such a write after everything that
//! was done since, and bring back what was taken away meanwhile.

use std::{collections::BTreeMap, time::Duration};

use sharedkey_engine::ledger::Resource;
use tokio::time::Instant;

/// How long after it was signed a write may still be performed, unless set otherwise. AWS documents no limit for a request that it
/// has, but it takes none whose signature is older than five minutes, wherever it was held up.
pub(crate) const WINDOW: Duration = Duration::from_mins(5);

/// What nobody knows of whether it is still to come, and until when it may. The clock is an argument.
#[derive(Debug)]
pub(crate) struct Unanswered {
    window: Duration,
    until: BTreeMap<Resource, Instant>,
}

impl Unanswered {
    /// Nothing was sent yet; a write may be performed, and show, for `window`.
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, until: BTreeMap::new() }
    }

    /// Remembers what a write makes that was sent at a time and not answered.
    pub(crate) fn note(&mut self, made: impl IntoIterator<Item = Resource>, sent: Instant, now: Instant) {
        self.until.retain(|_, until| *until > now);
        for resource in made {
            let until = self.until.entry(resource).or_insert(sent);
            *until = (*until).max(sent + self.window);
        }
    }

    /// What was made is seen, and can be made but once.
    pub(crate) fn performed(&mut self, resource: &Resource) {
        self.until.remove(resource);
    }

    /// How much longer something may come back.
    pub(crate) fn of(&self, resource: &Resource, now: Instant) -> Option<Duration> {
        let until = self.until.get(resource).filter(|until| **until > now)?;
        Some(*until - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "SharedKey/prod/team/orders/partner";

    fn statement(id: char, sid: &str) -> Resource {
        let key = format!("arn:aws:kms:eu-west-1:111122223333:key/{id}234abcd-12ab-34cd-56ef-1234567890ab");
        Resource::Statement { key: key.parse().unwrap(), sid: sid.to_owned() }
    }

    #[test]
    fn a_statement_may_come_back_until_the_last_write_that_states_it_is_too_old() {
        let (begin, mut unanswered) = (Instant::now(), Unanswered::new(Duration::from_mins(5)));
        let at = |seconds| begin + Duration::from_secs(seconds);
        unanswered.note([statement('1', SID)], at(0), at(10));
        unanswered.note([statement('1', SID)], at(20), at(30));
        unanswered.note([statement('1', "Another")], at(40), at(50));
        assert_eq!(unanswered.of(&statement('1', SID), at(60)), Some(Duration::from_secs(260)));
        assert_eq!(unanswered.of(&statement('1', SID), at(319)), Some(Duration::from_secs(1)));
        assert_eq!(unanswered.of(&statement('1', SID), at(320)), None);
    }

    #[test]
    fn other_keys_and_other_statements_are_not_concerned() {
        let (now, mut unanswered) = (Instant::now(), Unanswered::new(WINDOW));
        unanswered.note([statement('1', SID)], now, now);
        assert_eq!(unanswered.of(&statement('2', SID), now), None);
        assert_eq!(unanswered.of(&statement('1', "Another"), now), None);
    }

    #[test]
    fn old_writes_do_not_pile_up() {
        let (begin, mut unanswered) = (Instant::now(), Unanswered::new(WINDOW));
        unanswered.note([statement('1', SID)], begin, begin);
        unanswered.note([statement('2', SID)], begin + WINDOW, begin + WINDOW);
        assert_eq!(unanswered.until.keys().collect::<Vec<_>>(), [&statement('2', SID)]);
    }
}
