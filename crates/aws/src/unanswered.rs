//! Policies that were sent and of which AWS never said what became of them: it may perform such a write after everything that
//! was done since, and bring back what was taken out meanwhile.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use sharedkey_policy::PolicyDocument;
use tokio::time::Instant;

use crate::recent::Subject;

/// How long after it was signed a write may still be performed, unless set otherwise. AWS documents no limit for a request that it
/// has, but it takes none whose signature is older than five minutes, wherever it was held up.
pub(crate) const WINDOW: Duration = Duration::from_mins(5);

#[derive(Debug)]
struct Write {
    until: Instant,
    sids: BTreeSet<String>,
}

/// The writes of which nobody knows whether they are still to come. The clock is an argument.
#[derive(Debug)]
pub(crate) struct Unanswered {
    window: Duration,
    writes: BTreeMap<Subject, Vec<Write>>,
}

impl Unanswered {
    /// Nothing was sent yet; a write may be performed, and show, for `window`.
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, writes: BTreeMap::new() }
    }

    /// Remembers a document that was sent at a time and not answered.
    pub(crate) fn note(&mut self, policy: &Subject, document: &PolicyDocument, sent: Instant, now: Instant) {
        self.writes.retain(|_, writes| {
            writes.retain(|write| write.until > now);
            !writes.is_empty()
        });
        let sids = document.statements().iter().filter_map(|statement| statement.sid()).map(str::to_owned).collect();
        self.writes.entry(policy.clone()).or_default().push(Write { until: sent + self.window, sids });
    }

    /// How much longer a statement may come back.
    pub(crate) fn of(&self, policy: &Subject, sid: &str, now: Instant) -> Option<Duration> {
        let stating = self.writes.get(policy)?.iter().filter(|write| write.until > now && write.sids.contains(sid));
        stating.map(|write| write.until - now).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "SharedKey/prod/team/orders/partner";

    fn key(id: char) -> Subject {
        let key = format!("arn:aws:kms:eu-west-1:111122223333:key/{id}234abcd-12ab-34cd-56ef-1234567890ab");
        Subject::KeyPolicy(key.parse().unwrap())
    }

    fn stating(sid: &str) -> PolicyDocument {
        let statement =
            format!(r#"{{"Sid":"{sid}","Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}}"#);
        PolicyDocument::parse(&format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#)).unwrap()
    }

    #[test]
    fn a_statement_may_come_back_until_the_last_write_that_states_it_is_too_old() {
        let (begin, mut unanswered) = (Instant::now(), Unanswered::new(Duration::from_mins(5)));
        let at = |seconds| begin + Duration::from_secs(seconds);
        unanswered.note(&key('1'), &stating(SID), at(0), at(10));
        unanswered.note(&key('1'), &stating(SID), at(20), at(30));
        unanswered.note(&key('1'), &stating("Another"), at(40), at(50));
        assert_eq!(unanswered.of(&key('1'), SID, at(60)), Some(Duration::from_secs(260)));
        assert_eq!(unanswered.of(&key('1'), SID, at(319)), Some(Duration::from_secs(1)));
        assert_eq!(unanswered.of(&key('1'), SID, at(320)), None);
    }

    #[test]
    fn other_keys_and_other_statements_are_not_concerned() {
        let (now, mut unanswered) = (Instant::now(), Unanswered::new(WINDOW));
        unanswered.note(&key('1'), &stating(SID), now, now);
        assert_eq!(unanswered.of(&key('2'), SID, now), None);
        assert_eq!(unanswered.of(&key('1'), "Another", now), None);
    }

    #[test]
    fn old_writes_do_not_pile_up() {
        let (begin, mut unanswered) = (Instant::now(), Unanswered::new(WINDOW));
        unanswered.note(&key('1'), &stating(SID), begin, begin);
        unanswered.note(&key('2'), &stating(SID), begin + WINDOW, begin + WINDOW);
        assert_eq!(unanswered.writes.keys().collect::<Vec<_>>(), [&key('2')]);
    }
}
