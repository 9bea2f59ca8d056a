//! What we replaced a moment ago, so that an old answer of an eventually consistent service is not taken for drift.
//!
//! AWS may answer with the state before our write for a while, and may go to and fro (D§1.4, D§1.5). A reading that equals
//! something we replaced within the last minute, and not what we wrote last, lags. Any other difference is drift at once.
//!
//! Somebody may also put back what we replaced. Answers that go to and fro show our write now and then; when it was seen, and every
//! reading since has shown the old state for some seconds, it was put back.

use std::{collections::BTreeMap, time::Duration};

use sharedkey_engine::secret::observed::Lag;
use sharedkey_policy::{AccountId, EntityArn, KeyArn, PolicyArn, SecretName};
use tokio::time::Instant;

/// How long a reading may lag behind a write that AWS confirmed, unless set otherwise (design §8).
pub(crate) const WINDOW: Duration = Duration::from_mins(1);
/// How long for a write whose answer was lost. If it was never performed, this is how long the next try waits, so it is
/// "typically less than a few seconds" (D§1.5) and not the worst case.
const UNCONFIRMED_WINDOW: Duration = Duration::from_secs(10);

/// How long readings have to agree on the old state, after ours was seen, to be believed. Terraform believes five equal readings a
/// second apart (D§1.4).
const AGREED: Duration = Duration::from_secs(10);

/// Something that is written as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    KeyPolicy(KeyArn),
    Entity(EntityArn, Policy),
    Managed(PolicyArn),
    /// By name: what is written next may be another secret of that name.
    Secret(SecretName, Part),
}

/// A policy of a role or user. The order is that of subjects: all of one entity follow each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Policy {
    /// An inline policy, by name.
    Inline(String),
    /// A managed policy.
    Attached(PolicyArn),
}

/// A part of a secret that is written by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// That there is one.
    Existence,
    /// What `DescribeSecret` says of it.
    Described(Lag),
    /// Its resource policy.
    Policy,
}

impl Subject {
    /// The account in which it is; AWS' own managed policies are in none.
    pub(crate) fn account(&self) -> Option<&AccountId> {
        match self {
            Self::KeyPolicy(key) => Some(key.account()),
            Self::Entity(entity, _) => Some(entity.account()),
            Self::Managed(policy) => policy.account(),
            Self::Secret(secret, _) => Some(secret.account()),
        }
    }
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

/// What was written to one subject, and what was read since.
#[derive(Clone, Debug, Default)]
struct History {
    writes: Vec<Write>,
    /// What was written last has been read.
    seen: bool,
    /// What every reading has shown since then.
    steady: Option<(State, Instant)>,
}

impl History {
    fn wrote(&mut self, write: Write) {
        self.writes.push(write);
        (self.seen, self.steady) = (false, None);
    }

    /// How long readings have agreed on this one.
    fn agreed(&mut self, read: &State, now: Instant) -> Duration {
        match &self.steady {
            Some((state, since)) if state == read => now - *since,
            _ => {
                self.steady = Some((read.clone(), now));
                Duration::ZERO
            }
        }
    }
}

/// The writes of the last minute. The clock is an argument.
#[derive(Debug)]
pub(crate) struct Recent {
    window: Duration,
    histories: BTreeMap<Subject, History>,
    /// When writes that are too old are forgotten next. Not at each write: a fleet makes thousands in a minute.
    clean: Option<Instant>,
}

impl Recent {
    /// Nothing was written yet; readings may lag for `window`.
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, histories: BTreeMap::new(), clean: None }
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
        if self.clean.is_none_or(|clean| clean <= now) {
            self.forget(now);
        }
        if replaced == written {
            return;
        }
        let window = match certainty {
            Certainty::Confirmed => self.window,
            Certainty::Unknown => self.window.min(UNCONFIRMED_WINDOW),
        };
        self.histories.entry(subject).or_default().wrote(Write { until: now + window, replaced, written });
    }

    fn forget(&mut self, now: Instant) {
        self.histories.retain(|_, history| {
            history.writes.retain(|write| write.until > now);
            !history.writes.is_empty()
        });
        self.clean = Some(now + self.window);
    }

    /// Whether a reading shows what we replaced, and not what we wrote last. The reading is fingerprinted only if something
    /// was written.
    pub(crate) fn lags(&mut self, subject: &Subject, now: Instant, read: impl FnOnce() -> State) -> bool {
        let Some(history) = self.histories.get_mut(subject) else { return false };
        history.writes.retain(|write| write.until > now);
        let Some(last) = history.writes.last().map(|write| write.written.clone()) else { return false };
        let read = read();
        let agreed = history.agreed(&read, now);
        if read == last {
            history.seen = true;
            return false;
        }
        let put_back = history.seen && agreed >= AGREED;
        !put_back && history.writes.iter().any(|write| write.replaced == read)
    }

    /// What was written to a role or user.
    pub(crate) fn of_entity(&self, entity: &EntityArn) -> Vec<Policy> {
        let first = Subject::Entity(entity.clone(), Policy::Inline(String::new()));
        let held = self.histories.range(first..).map_while(|(subject, _)| match subject {
            Subject::Entity(of, held) if of == entity => Some(held.clone()),
            _ => None,
        });
        held.collect()
    }

    /// What was written of what `DescribeSecret` says of a secret.
    pub(crate) fn of_secret(&self, secret: &SecretName) -> Vec<Lag> {
        let first = Subject::Secret(secret.clone(), Part::Existence);
        let parts = self.histories.range(first..).map_while(|(subject, _)| match subject {
            Subject::Secret(of, part) if of == secret => Some(part),
            _ => None,
        });
        parts.filter_map(|part| if let Part::Described(lag) = part { Some(lag.clone()) } else { None }).collect()
    }

    /// Whether the subject was written a moment ago.
    pub(crate) fn knows(&self, subject: &Subject, now: Instant) -> bool {
        self.histories.get(subject).is_some_and(|history| history.writes.iter().any(|write| write.until > now))
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

        fn lags(&mut self, read: Option<&str>) -> bool {
            self.recent.lags(&subject(), self.now, || read.map(str::to_owned))
        }
    }

    #[test]
    fn what_was_replaced_lags_and_anything_else_is_drift_at_once() {
        let mut story = Story::begin().write(Some("a"), Some("b")).after(59);
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
        let mut story = Story::begin().write(Some("a"), Some("b")).after(30).write(Some("b"), Some("c")).after(1);
        assert!(story.lags(Some("a")));
        assert!(story.lags(Some("b")));
        let mut story = story.after(30);
        assert!(!story.lags(Some("a")));
        assert!(story.lags(Some("b")));
    }

    #[test]
    fn what_was_put_back_is_what_is_wanted() {
        let mut story = Story::begin().write(Some("a"), Some("b")).write(Some("b"), Some("a")).after(1);
        assert!(!story.lags(Some("a")));
        assert!(story.lags(Some("b")));
    }

    #[test]
    fn what_is_put_back_after_it_was_seen_is_believed_when_readings_agree() {
        let mut story = Story::begin().write(Some("a"), Some("b")).after(1);
        assert!(!story.lags(Some("b")));
        for _ in 0..5 {
            assert!(story.lags(Some("a")));
            story = story.after(2);
        }
        assert!(!story.lags(Some("a")));
    }

    #[test]
    fn answers_that_go_to_and_fro_are_never_believed() {
        let mut story = Story::begin().write(Some("a"), Some("b")).after(1);
        for _ in 0..9 {
            assert!(!story.lags(Some("b")));
            story = story.after(3);
            assert!(story.lags(Some("a")));
            story = story.after(3);
        }
    }

    #[test]
    fn a_write_that_was_never_seen_is_waited_for() {
        let mut story = Story::begin().write(Some("a"), Some("b"));
        for _ in 0..5 {
            story = story.after(10);
            assert!(story.lags(Some("a")));
        }
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
    fn what_was_written_to_one_is_found_among_all() {
        let now = Instant::now();
        let mut recent = Recent::new(WINDOW);
        let entity = |name: &str| -> EntityArn { format!("arn:aws:iam::111122223333:role/{name}").parse().unwrap() };
        let secret = |name: &str| -> SecretName {
            format!("arn:aws:secretsmanager:eu-west-1:111122223333:secret:{name}").parse().unwrap()
        };
        let managed: PolicyArn = "arn:aws:iam::111122223333:policy/a".parse().unwrap();
        let mut write = |subject| recent.note(subject, None, Some("b".into()), Certainty::Confirmed, now);
        for name in ["A", "B", "C"] {
            write(Subject::Entity(entity(name), Policy::Attached(managed.clone())));
            write(Subject::Entity(entity(name), Policy::Inline(name.into())));
            write(Subject::Secret(secret(name), Part::Policy));
            write(Subject::Secret(secret(name), Part::Described(Lag::Tags)));
            write(Subject::Secret(secret(name), Part::Existence));
        }
        write(Subject::Managed(managed.clone()));
        write(subject());
        assert_eq!(recent.of_entity(&entity("B")), [Policy::Inline("B".into()), Policy::Attached(managed)]);
        assert_eq!(recent.of_secret(&secret("B")), [Lag::Tags]);
        assert_eq!((recent.of_entity(&entity("D")), recent.of_secret(&secret("D"))), (vec![], vec![]));
    }

    #[test]
    fn old_writes_do_not_pile_up() {
        let story = Story::begin().write(Some("a"), Some("b")).after(61).write(Some("b"), Some("b"));
        assert!(story.recent.histories.is_empty());
    }
}
