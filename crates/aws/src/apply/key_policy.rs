//! Merging into a key policy.

use std::collections::BTreeMap;

use sharedkey_engine::{
    history::{self, Entry},
    ledger::Resource,
    names::OwnerId,
    problem::{Class, Failure, Reading},
    write::{self, Refusal, Scope},
};
use sharedkey_policy::{Edit, KeyArn, Partition, PolicyDocument};

use super::{Keeper, principals, whole::Whole};
use crate::{kms::Kms, recent::Subject};

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

/// A key policy, and what has to become of it.
pub(super) struct KeyPolicy<'a> {
    pub(super) kms: Kms<'a>,
    pub(super) key: &'a KeyArn,
    pub(super) owner: &'a OwnerId,
    pub(super) change: Change<'a>,
    pub(super) unique_ids: &'a BTreeMap<String, String>,
    pub(super) prune: bool,
    pub(super) keeper: &'a dyn Keeper,
}

impl Whole for KeyPolicy<'_> {
    const NAME: &'static str = "key policy";

    fn subject(&self) -> Subject {
        Subject::KeyPolicy(self.key.clone())
    }

    fn partition(&self) -> Partition {
        self.key.partition()
    }

    fn statement(&self, sid: &str) -> Resource {
        Resource::Statement { key: self.key.clone(), sid: sid.to_owned() }
    }

    async fn read(&self) -> Reading<Option<String>> {
        self.kms.policy(self.key).await
    }

    fn prepare(&self, live: &PolicyDocument) -> Result<Option<PolicyDocument>, Refusal> {
        let scope = Scope { key: self.key, owner: self.owner, unique_ids: self.unique_ids, prune: self.prune };
        match self.change {
            Change::Edit(edit) => write::prepare(live, edit, &scope),
            Change::PutBack(entry) => history::put_back(live, entry, &scope),
        }
    }

    async fn turn(&self) {
        self.kms.turn_to_put().await;
    }

    async fn put(&self, document: &PolicyDocument) -> Reading<()> {
        self.kms.put_policy(self.key, &document.to_json()).await
    }

    /// The API keeps no versions (D§1.5).
    async fn keep(&self, document: &str) -> Reading<()> {
        let kept = self.keeper.keep(self.key, document).await;
        kept.map_err(|error| {
            let message =
                format!("the document that would be replaced could not be kept, so nothing was written: {error}");
            self.failure(Class::Transient, "HistoryNotKept", message)
        })
    }

    fn is_ours(&self, sid: &str) -> bool {
        self.owner.wrote(sid)
    }

    fn nowhere(&self) -> Reading<()> {
        match self.change {
            Change::Edit(edit) if edit.put.is_empty() => Ok(()),
            _ => Err(self.failure(Class::UserActionNeeded, "NotFoundException", "there is no such key".into())),
        }
    }

    fn explained(&self, failure: Failure) -> Failure {
        match self.change {
            Change::Edit(edit) if failure.message.contains(INVALID_PRINCIPALS) => {
                principals::explained(failure, edit, self.unique_ids)
            }
            _ => failure,
        }
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
