//! What we replaced a moment ago, so that an old answer of an eventually consistent service is not taken for drift.
//!
//! AWS may answer with the state before our write for a while, and may go to and fro (D§1.4, D§1.5). A reading that equals
//! something we replaced within the last minute, and not what we wrote last, lags. Any other difference is drift at once.

use std::{collections::BTreeMap, time::Duration};

use sharedkey_policy::{EntityArn, KeyArn, PolicyArn};
use tokio::time::Instant;

/// How long a reading may lag behind a write that AWS confirmed, unless set otherwise (design §8).
pub(crate) const WINDOW: Duration = Duration::from_mins(1);
/// How long for a write whose answer was lost. If it was never performed, this is how long the next try waits, so it is
/// "typically less than a few seconds" (D§1.5) and not the worst case.
const UNCONFIRMED_WINDOW: Duration = Duration::from_secs(10);

/// Something that is written as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    KeyPolicy(KeyArn),
    Inline(EntityArn, String),
    Managed(PolicyArn),
    Attachment(EntityArn, PolicyArn),
}

/// The fingerprint of a document, or none for what is not there.
pub(crate) type State = Option<String>;

/// Whether AWS said that a write was performed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certainty {
    Confirmed,
    /// The answer was lost: it may have been.
    Unknown,
}

#[derive(Clone, Debug)]
struct Write {
    until: Instant,
    replaced: State,
    written: State,
}

/// The writes of the last minute. The clock is an argument.
#[derive(Debug)]
pub(crate) struct Recent {
    window: Duration,
    writes: BTreeMap<Subject, Vec<Write>>,
}

impl Recent {
    /// Nothing was written yet; readings may lag for `window`.
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, writes: BTreeMap::new() }
    }

    /// Remembers a write.
    pub(crate) fn note(
        &mut self,
        subject: Subject,
        replaced: State,
        written: State,
        certainty: Certainty,
        now: Instant,
    ) {
        self.writes.retain(|_, writes| {
            writes.retain(|write| write.until > now);
            !writes.is_empty()
        });
        if replaced == written {
            return;
        }
        let window = match certainty {
            Certainty::Confirmed => self.window,
            Certainty::Unknown => self.window.min(UNCONFIRMED_WINDOW),
        };
        self.writes.entry(subject).or_default().push(Write { until: now + window, replaced, written });
    }

    /// Whether a reading shows what we replaced, and not what we wrote last. The reading is fingerprinted only if something
    /// was written.
    pub(crate) fn lags(&self, subject: &Subject, now: Instant, read: impl FnOnce() -> State) -> bool {
        let current = |write: &&Write| write.until > now;
        let Some(writes) = self.writes.get(subject) else { return false };
        let Some(last) = writes.iter().rfind(current) else { return false };
        let read = read();
        read != last.written && writes.iter().filter(current).any(|write| write.replaced == read)
    }

    /// What was written to a role or user.
    pub(crate) fn of_entity<'a>(&'a self, entity: &'a EntityArn) -> impl Iterator<Item = &'a Subject> {
        self.writes.keys().filter(move |subject| match subject {
            Subject::Inline(of, _) | Subject::Attachment(of, _) => of == entity,
            Subject::KeyPolicy(_) | Subject::Managed(_) => false,
        })
    }

    /// Whether the subject was written a moment ago.
    pub(crate) fn knows(&self, subject: &Subject, now: Instant) -> bool {
        self.writes.get(subject).is_some_and(|writes| writes.iter().any(|write| write.until > now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        Subject::KeyPolicy(
            "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap(),
        )
    }

    struct Story {
        recent: Recent,
        now: Instant,
    }

    impl Story {
        fn begin() -> Self {
            Self { recent: Recent::new(WINDOW), now: Instant::now() }
        }

        fn write(mut self, replaced: Option<&str>, written: Option<&str>) -> Self {
            let (replaced, written) = (replaced.map(str::to_owned), written.map(str::to_owned));
            self.recent.note(subject(), replaced, written, Certainty::Confirmed, self.now);
            self
        }

        fn after(mut self, seconds: u64) -> Self {
            self.now += Duration::from_secs(seconds);
            self
        }

        fn lags(&self, read: Option<&str>) -> bool {
            self.recent.lags(&subject(), self.now, || read.map(str::to_owned))
        }
    }

    #[test]
    fn what_was_replaced_lags_and_anything_else_is_drift_at_once() {
        let story = Story::begin().write(Some("a"), Some("b")).after(59);
        assert!(story.lags(Some("a")));
        assert!(!story.lags(Some("b")));
        assert!(!story.lags(Some("c")));
        assert!(!story.lags(None));
    }

    #[test]
    fn after_a_minute_it_is_drift() {
        assert!(!Story::begin().write(Some("a"), Some("b")).after(60).lags(Some("a")));
    }

    #[test]
    fn absence_is_a_state_too() {
        assert!(Story::begin().write(None, Some("b")).after(1).lags(None));
        assert!(Story::begin().write(Some("a"), None).after(1).lags(Some("a")));
    }

    #[test]
    fn answers_may_come_from_any_state_of_the_last_minute() {
        let story = Story::begin().write(Some("a"), Some("b")).after(30).write(Some("b"), Some("c")).after(1);
        assert!(story.lags(Some("a")));
        assert!(story.lags(Some("b")));
        let story = story.after(30);
        assert!(!story.lags(Some("a")));
        assert!(story.lags(Some("b")));
    }

    #[test]
    fn what_was_put_back_is_what_is_wanted() {
        let story = Story::begin().write(Some("a"), Some("b")).write(Some("b"), Some("a")).after(1);
        assert!(!story.lags(Some("a")));
        assert!(story.lags(Some("b")));
    }

    #[test]
    fn a_write_whose_answer_was_lost_is_given_less_time() {
        let now = Instant::now();
        let mut recent = Recent::new(WINDOW);
        let (before, after) = (Some("a".to_owned()), Some("b".to_owned()));
        recent.note(subject(), before.clone(), after, Certainty::Unknown, now);
        assert!(recent.lags(&subject(), now + Duration::from_secs(9), || before.clone()));
        assert!(!recent.lags(&subject(), now + Duration::from_secs(10), || before));
    }

    #[test]
    fn old_writes_do_not_pile_up() {
        let story = Story::begin().write(Some("a"), Some("b")).after(61).write(Some("b"), Some("b"));
        assert!(story.recent.writes.is_empty());
    }
}
