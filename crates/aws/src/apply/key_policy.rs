//! Merging into a key policy that others write too.

use std::{collections::BTreeMap, time::Duration};

use sharedkey_engine::{
    history::{self, Entry},
    meanwhile::Meanwhile,
    names::OwnerId,
    problem::{Class, Failure, Reading},
    write::{self, Refusal, Scope},
};
use sharedkey_policy::{Edit, KeyArn, MalformedPolicy, PolicyDocument};
use tokio::time::Instant;

use super::{ApplyError, KeepError, Keeper, Outcome, may_have_happened, meanwhile::Seen};
use crate::{
    Aws, fingerprint,
    kms::Kms,
    reach::Reach,
    recent::{Certainty, State, Subject},
};

/// What KMS says of principals that do not exist, without saying which (D§1.5).
const INVALID_PRINCIPALS: &str = "invalid principals";
/// A write that failed and may pass is made so often, as the SDK does with every other call.
const ATTEMPTS: u32 = 3;
/// The wait before another attempt, longer each time.
const PAUSE: Duration = Duration::from_millis(300);
/// Where somebody else writes all the time, the document changes while it is kept. So often it is kept anew; what is replaced then
/// differs from what was kept last by what others wrote in some milliseconds.
const KEPT_AT_MOST: usize = 2;

/// What becomes of the document.
#[derive(Clone, Copy)]
pub(super) enum Change<'a> {
    /// Statements of ours come and go.
    Edit(&'a Edit),
    /// Statements of others come back.
    PutBack(&'a Entry),
}

impl Change<'_> {
    fn prepare(self, live: &PolicyDocument, scope: &Scope<'_>) -> Result<Option<PolicyDocument>, Refusal> {
        match self {
            Self::Edit(edit) => write::prepare(live, edit, scope),
            Self::PutBack(entry) => history::put_back(live, entry, scope),
        }
    }

    /// Whether it only takes our statements away, and so is done when the key is gone.
    fn only_removes(self) -> bool {
        matches!(self, Self::Edit(edit) if edit.put.is_empty())
    }
}

/// A write, as the step states it.
#[derive(Clone, Copy)]
pub(super) struct Write<'a> {
    pub(super) reach: &'a Reach,
    pub(super) key: &'a KeyArn,
    pub(super) owner: &'a OwnerId,
    pub(super) change: Change<'a>,
    pub(super) unique_ids: &'a BTreeMap<String, String>,
    pub(super) prune: bool,
    pub(super) keeper: &'a dyn Keeper,
}

/// A document that was read, and what it has to become.
struct Merged {
    text: String,
    live: PolicyDocument,
    sent: PolicyDocument,
}

/// What was sent.
#[derive(Default)]
struct Sent {
    /// The state before and after the last one that may stand there.
    last: Option<(State, State)>,
    /// When those left of which AWS did not say what became of them, and the documents.
    unanswered: Vec<(Instant, PolicyDocument)>,
}

impl Sent {
    /// What was asked for stands there. If only one write can have brought it about, that one will not be performed any more.
    fn stands(&mut self) {
        if let [_] = self.unanswered[..] {
            self.unanswered.clear();
        }
    }
}

impl Aws {
    /// Reads, merges, writes and looks again, while nobody else in this process writes the same key policy.
    pub(super) async fn put_key_policy(&self, write: Write<'_>) -> Result<Outcome, ApplyError> {
        let lock = self.key_locks.of(write.key);
        let _writing = lock.lock().await;
        let mut sent = Sent::default();
        let outcome = self.merge_and_put(write, &mut sent).await;
        for (at, document) in &sent.unanswered {
            self.note_unanswered(write.key, document, *at);
        }
        if let Some((before, after)) = sent.last {
            let certainty = if outcome.is_ok() { Certainty::Confirmed } else { Certainty::Unknown };
            self.note(Subject::KeyPolicy(write.key.clone()), before, after, certainty);
        }
        outcome
    }

    /// Everything that takes time is done before the last reading: what others write between that one and our write is lost, and
    /// nothing in the API could tell us (D§1.5). An attempt that failed is made again from the reading on, for the same reason.
    async fn merge_and_put(&self, write: Write<'_>, sent: &mut Sent) -> Result<Outcome, ApplyError> {
        let kms = Kms::new(write.reach, write.key.region());
        let (mut kept, mut attempts, mut failed) = (Vec::new(), 0, None);
        let mut in_turn = false;
        loop {
            if !kept.is_empty() && !std::mem::replace(&mut in_turn, true) {
                kms.turn_to_put().await;
            }
            let Some(merged) = self.merged(write).await? else {
                sent.stands();
                // With something sent, it was the answer that was lost, and not the write.
                return Ok(if sent.last.is_some() { Outcome::written() } else { Outcome::unchanged() });
            };
            if let Some(failure) = failed.take_if(|_| attempts == ATTEMPTS) {
                return Err(ApplyError::Failed(failure));
            }
            // KMS shuffles principals at each reading (D§1.4): another text may be the same document.
            let state = fingerprint::of(&merged.live, write.key.partition());
            if kept.len() < KEPT_AT_MOST && kept.last() != Some(&state) {
                write.keeper.keep(write.key, &merged.text).await.map_err(|error| write.not_kept(&error))?;
                kept.push(state);
                continue;
            }
            (attempts, in_turn) = (attempts + 1, false);
            let (json, left) = (merged.sent.to_json(), Instant::now());
            // The reading leaves first, so that AWS may answer it right before it performs the write.
            let (beside, answer) = futures::join!(kms.policy(write.key), kms.put_policy(write.key, &json));
            match answer {
                Ok(()) => {
                    sent.last = Some(write.states(&merged));
                    let meanwhile = self.meanwhile(write, &merged, document(beside)).await;
                    return Ok(Outcome { changed: true, meanwhile });
                }
                Err(failure) if failure.class == Class::Transient => {
                    if may_have_happened(&failure) {
                        sent.last = Some(write.states(&merged));
                        sent.unanswered.push((left, merged.sent));
                    }
                    failed = Some(failure);
                    tokio::time::sleep(PAUSE * attempts).await;
                }
                Err(failure) => return Err(write.explained(failure).into()),
            }
        }
    }

    /// The document as it is now, and as it has to be; none when nothing has to change. An old answer must not be merged into: what
    /// others wrote since would be lost.
    async fn merged(&self, write: Write<'_>) -> Result<Option<Merged>, ApplyError> {
        let Some(text) = Kms::new(write.reach, write.key.region()).policy(write.key).await? else {
            return if write.change.only_removes() { Ok(None) } else { Err(write.no_key().into()) };
        };
        let parsed = PolicyDocument::parse(&text);
        if self.key_policy_lags(write.key, &parsed) {
            return Err(write.stale().into());
        }
        let live = parsed.map_err(|malformed| write.malformed(&malformed))?;
        let scope = Scope { key: write.key, owner: write.owner, unique_ids: write.unique_ids, prune: write.prune };
        Ok(write.change.prepare(&live, &scope)?.map(|sent| Merged { text, live, sent }))
    }

    async fn meanwhile(&self, write: Write<'_>, merged: &Merged, beside: Option<PolicyDocument>) -> Meanwhile {
        let after = document(Kms::new(write.reach, write.key.region()).policy(write.key).await);
        let Some(after) = after else { return Meanwhile::default() };
        let seen = Seen { live: &merged.live, sent: &merged.sent, beside: beside.as_ref(), after: &after };
        let meanwhile = seen.meanwhile(write.owner, write.key.partition());
        if let Some(beside) = beside.filter(|_| !meanwhile.lost.is_empty() || !meanwhile.revived.is_empty()) {
            // So that it can be put back. The write is made whether or not this can be kept, and the statements are told in any case.
            let _ = write.keeper.keep(write.key, &beside.to_json()).await;
        }
        meanwhile
    }
}

fn document(reading: Reading<Option<String>>) -> Option<PolicyDocument> {
    PolicyDocument::parse(&reading.ok()??).ok()
}

impl Write<'_> {
    fn states(&self, merged: &Merged) -> (State, State) {
        let state = |document| Some(fingerprint::of(document, self.key.partition()));
        (state(&merged.live), state(&merged.sent))
    }

    /// Whom the refusal of KMS is about. If all of them exist, KMS has not seen one yet.
    fn explained(&self, failure: Failure) -> Failure {
        let Change::Edit(edit) = self.change else { return failure };
        if !failure.message.contains(INVALID_PRINCIPALS) {
            return failure;
        }
        let known = |principal: &String| self.unique_ids.values().any(|exists| exists == principal);
        let (exist, suspects): (Vec<_>, Vec<_>) = write::principals(edit).into_iter().partition(known);
        if !exist.is_empty() && write::all_exist(edit, self.unique_ids) {
            return Failure { class: Class::Propagating, ..failure };
        }
        let message = format!("{}; one of: {}", failure.message, suspects.join(", "));
        Failure { class: Class::UserActionNeeded, message, ..failure }
    }

    fn no_key(&self) -> Failure {
        self.failure(Class::UserActionNeeded, "NotFoundException", "there is no such key".into())
    }

    fn stale(&self) -> Failure {
        let message = "the key policy was read as it was before our last write; nothing was written".into();
        self.failure(Class::Propagating, "StaleRead", message)
    }

    fn not_kept(&self, error: &KeepError) -> Failure {
        let message = format!("the document that would be replaced could not be kept, so nothing was written: {error}");
        self.failure(Class::Transient, "HistoryNotKept", message)
    }

    fn malformed(&self, malformed: &MalformedPolicy) -> Failure {
        let message = format!("the key policy cannot be understood and was not written over: {malformed}");
        self.failure(Class::UserActionNeeded, "MalformedPolicy", message)
    }

    fn failure(&self, class: Class, code: &str, message: String) -> Failure {
        Failure {
            class,
            account: self.key.account().clone(),
            action: "kms:PutKeyPolicy".into(),
            resource: self.key.to_string(),
            code: code.to_owned(),
            message,
        }
    }
}
