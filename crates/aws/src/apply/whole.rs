//! A policy that AWS replaces as a whole, without versions or compare-and-set (D§1.5), and that others write too: that of a key, and that
//! of a secret.

use std::{future::Future, time::Duration};

use sharedkey_engine::{
    ledger::Resource,
    meanwhile::Meanwhile,
    problem::{Class, Failure, Reading},
    write::Refusal,
};
use sharedkey_policy::{Partition, PolicyDocument};
use tokio::time::Instant;

use super::{ApplyError, Outcome, may_have_happened, meanwhile::Seen};
use crate::{
    Aws, fingerprint,
    recent::{Certainty, State, Subject},
};

/// A write that failed and may pass is made so often, as the SDK does with every other call.
const ATTEMPTS: u32 = 3;
/// The wait before another attempt, longer each time.
const PAUSE: Duration = Duration::from_millis(300);
/// Where somebody else writes all the time, the document changes while it is kept. So often it is kept anew; what is replaced then
/// differs from what was kept last by what others wrote in some milliseconds.
const KEPT_AT_MOST: usize = 2;

/// Where such a policy is, and what has to become of it.
pub(super) trait Whole: Sync {
    /// What the policy is called.
    const NAME: &'static str;

    /// The policy, as it is remembered.
    fn subject(&self) -> Subject;

    fn partition(&self) -> Partition;

    /// A statement in it.
    fn statement(&self, sid: &str) -> Resource;

    /// The policy as it is now; none if what it belongs to does not exist.
    fn read(&self) -> impl Future<Output = Reading<Option<String>>> + Send;

    /// What it has to become; none when nothing has to change.
    fn prepare(&self, live: &PolicyDocument) -> Result<Option<PolicyDocument>, Refusal>;

    /// Waits until it may be written without leaving the quota.
    fn turn(&self) -> impl Future<Output = ()> + Send;

    /// Writes it, once.
    fn put(&self, document: &PolicyDocument) -> impl Future<Output = Reading<()>> + Send;

    /// Keeps what is replaced. If it cannot be kept, nothing is written.
    fn keep(&self, document: &str) -> impl Future<Output = Reading<()>> + Send;

    /// Whether a statement is an operator's of our owner id.
    fn is_ours(&self, sid: &str) -> bool;

    /// What a write comes to where there is nothing to write to: to nothing if it only takes our statements away.
    fn nowhere(&self) -> Reading<()>;

    /// What AWS said of the write, with what is known besides.
    fn explained(&self, failure: Failure) -> Failure;

    /// A failure of the write.
    fn failure(&self, class: Class, code: &str, message: String) -> Failure;
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
    /// Reads, merges, writes and looks again, while nobody else in this process writes the same policy.
    pub(super) async fn put_whole<W: Whole>(&self, whole: &W) -> Result<Outcome, ApplyError> {
        let lock = self.policy_locks.of(whole.subject());
        let _writing = lock.lock().await;
        let mut sent = Sent::default();
        let outcome = self.merge_and_put(whole, &mut sent).await;
        for (at, document) in &sent.unanswered {
            let sids = document.statements().iter().filter_map(|statement| statement.sid());
            self.note_unanswered(sids.map(|sid| whole.statement(sid)), *at);
        }
        if let Some((before, after)) = sent.last {
            let certainty = if outcome.is_ok() { Certainty::Confirmed } else { Certainty::Unknown };
            self.note(whole.subject(), before, after, certainty);
        }
        outcome
    }

    /// Everything that takes time is done before the last reading: what others write between that one and our write is lost, and
    /// nothing in the API could tell us (D§1.5). An attempt that failed is made again from the reading on, for the same reason.
    async fn merge_and_put<W: Whole>(&self, whole: &W, sent: &mut Sent) -> Result<Outcome, ApplyError> {
        let (mut kept, mut attempts, mut failed) = (Vec::new(), 0, None);
        let mut in_turn = false;
        loop {
            if !kept.is_empty() && !std::mem::replace(&mut in_turn, true) {
                whole.turn().await;
            }
            let Some(merged) = self.merged(whole).await? else {
                sent.stands();
                // With something sent, it was the answer that was lost, and not the write.
                return Ok(if sent.last.is_some() { Outcome::written() } else { Outcome::unchanged() });
            };
            if let Some(failure) = failed.take_if(|_| attempts == ATTEMPTS) {
                return Err(ApplyError::Failed(failure));
            }
            // KMS shuffles principals at each reading (D§1.4): another text may be the same document.
            let state = fingerprint::of(&merged.live, whole.partition());
            if kept.len() < KEPT_AT_MOST && kept.last() != Some(&state) {
                whole.keep(&merged.text).await?;
                kept.push(state);
                continue;
            }
            (attempts, in_turn) = (attempts + 1, false);
            let left = Instant::now();
            // The reading leaves first, so that AWS may answer it right before it performs the write.
            let (beside, answer) = futures::join!(whole.read(), whole.put(&merged.sent));
            match answer {
                Ok(()) => {
                    sent.last = Some(states(whole, &merged));
                    let meanwhile = meanwhile(whole, &merged, document(beside)).await;
                    return Ok(Outcome { changed: true, meanwhile });
                }
                Err(failure) if failure.class == Class::Transient => {
                    if may_have_happened(&failure) {
                        sent.last = Some(states(whole, &merged));
                        sent.unanswered.push((left, merged.sent));
                    }
                    failed = Some(failure);
                    tokio::time::sleep(PAUSE * attempts).await;
                }
                Err(failure) => return Err(whole.explained(failure).into()),
            }
        }
    }

    /// The document as it is now, and as it has to be; none when nothing has to change. An old answer must not be merged into: what
    /// others wrote since would be lost.
    async fn merged<W: Whole>(&self, whole: &W) -> Result<Option<Merged>, ApplyError> {
        let Some(text) = whole.read().await? else {
            whole.nowhere()?;
            return Ok(None);
        };
        let parsed = PolicyDocument::parse(&text);
        if self.document_lags(&whole.subject(), whole.partition(), &parsed) {
            let message = format!("the {} was read as it was before our last write; nothing was written", W::NAME);
            return Err(whole.failure(Class::Propagating, "StaleRead", message).into());
        }
        let live = parsed.map_err(|malformed| {
            let message = format!("the {} cannot be understood and was not written over: {malformed}", W::NAME);
            whole.failure(Class::UserActionNeeded, "MalformedPolicy", message)
        })?;
        Ok(whole.prepare(&live)?.map(|sent| Merged { text, live, sent }))
    }
}

async fn meanwhile<W: Whole>(whole: &W, merged: &Merged, beside: Option<PolicyDocument>) -> Meanwhile {
    let Some(after) = document(whole.read().await) else { return Meanwhile::default() };
    let seen = Seen { live: &merged.live, sent: &merged.sent, beside: beside.as_ref(), after: &after };
    let meanwhile = seen.meanwhile(&|sid| whole.is_ours(sid), whole.partition());
    if let Some(beside) = beside.filter(|_| !meanwhile.lost.is_empty() || !meanwhile.revived.is_empty()) {
        // So that it can be put back. The write is made whether or not this can be kept, and the statements are told in any case.
        let _ = whole.keep(&beside.to_json()).await;
    }
    meanwhile
}

fn document(reading: Reading<Option<String>>) -> Option<PolicyDocument> {
    PolicyDocument::parse(&reading.ok()??).ok()
}

fn states<W: Whole>(whole: &W, merged: &Merged) -> (State, State) {
    let state = |document| Some(fingerprint::of(document, whole.partition()));
    (state(&merged.live), state(&merged.sent))
}
