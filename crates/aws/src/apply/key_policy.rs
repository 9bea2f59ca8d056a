//! Merging into a key policy that others write too.

use std::collections::BTreeMap;

use sharedkey_engine::{
    history::{self, Entry},
    names::OwnerId,
    problem::{Class, Failure},
    write::{self, Refusal, Scope},
};
use sharedkey_policy::{Edit, KeyArn, MalformedPolicy, NormalContext, PolicyDocument, Statement, foreign_lost};

use super::{ApplyError, KeepError, Keeper, Outcome};
use crate::{Aws, fingerprint, kms::Kms, reach::Reach, recent::Subject};

/// What KMS says of principals that do not exist, without saying which (D§1.5).
const INVALID_PRINCIPALS: &str = "invalid principals";

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

impl Aws {
    /// Reads, merges, writes and looks again, while nobody else in this process writes the same key policy.
    pub(super) async fn put_key_policy(&self, write: Write<'_>) -> Result<Outcome, ApplyError> {
        let lock = self.key_locks.of(write.key);
        let _writing = lock.lock().await;
        let Some((text, live)) = self.live(write).await? else {
            return if write.change.only_removes() { Ok(Outcome::unchanged()) } else { Err(write.no_key().into()) };
        };
        let scope = Scope { key: write.key, owner: write.owner, unique_ids: write.unique_ids, prune: write.prune };
        let Some(document) = write.change.prepare(&live, &scope)? else { return Ok(Outcome::unchanged()) };
        write.keeper.keep(write.key, &text).await.map_err(|error| write.not_kept(&error))?;
        self.put(write, &live, &document).await
    }

    /// The document that is merged into. An old answer must not be: what others wrote since would be lost.
    async fn live(&self, write: Write<'_>) -> Result<Option<(String, PolicyDocument)>, ApplyError> {
        let Some(text) = Kms::new(write.reach, write.key.region()).policy(write.key).await? else { return Ok(None) };
        let parsed = PolicyDocument::parse(&text);
        if self.key_policy_lags(write.key, &parsed) {
            return Err(write.stale().into());
        }
        Ok(Some((text, parsed.map_err(|malformed| write.malformed(&malformed))?)))
    }

    async fn put(&self, write: Write<'_>, live: &PolicyDocument, sent: &PolicyDocument) -> Result<Outcome, ApplyError> {
        let kms = Kms::new(write.reach, write.key.region());
        let partition = write.key.partition();
        let (before, after) = (fingerprint::of(live, partition), fingerprint::of(sent, partition));
        let answer = kms.put_policy(write.key, &sent.to_json()).await;
        self.wrote(Subject::KeyPolicy(write.key.clone()), Some(before), Some(after.clone()), &answer);
        // KMS refused it, so there is nothing to look at.
        if let Err(failure) = &answer
            && failure.class != Class::Transient
        {
            return Err(write.explained(failure.clone()).into());
        }
        let seen = kms.policy(write.key).await.ok().flatten().and_then(|text| PolicyDocument::parse(&text).ok());
        match (answer, seen) {
            (Ok(()), None) => Ok(Outcome::written()),
            (Ok(()), Some(seen)) => Ok(Outcome { changed: true, foreign_lost: write.lost(sent, &seen) }),
            // The answer was lost, the write was not.
            (Err(_), Some(seen)) if fingerprint::of(&seen, partition) == after => Ok(Outcome::written()),
            (Err(failure), _) => Err(failure.into()),
        }
    }
}

impl Write<'_> {
    fn lost(&self, before: &PolicyDocument, after: &PolicyDocument) -> Vec<Statement> {
        let context = NormalContext::new(self.key.partition());
        let ours = |sid: &str| self.owner.wrote(sid);
        foreign_lost(before, after, &ours, &context).into_iter().cloned().collect()
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
