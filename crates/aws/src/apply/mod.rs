//! One write at a time, each safe to repeat.
//!
//! What is already as it should be is not written; what should go and is gone is done. Every write is remembered for as long
//! as reads may lag behind it, and drops the cached readings that it changed.

mod attachment;
mod inline;
mod key_policy;
mod managed;
mod meanwhile;
mod principals;
mod replicas;
mod secret;
mod secret_policy;
mod whole;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::BoxFuture;
use sharedkey_engine::{
    meanwhile::Meanwhile,
    plan::{Action, Step},
    problem::{Class, Failure, Reading},
    write::Refusal,
};
use sharedkey_policy::KeyArn;
use tokio::time::Instant;

use self::{
    key_policy::{Change, KeyPolicy},
    secret::Site,
    secret_policy::SecretPolicy,
};
use crate::{
    Aws, class,
    kms::Kms,
    recent::{Certainty, State, Subject},
    secretsmanager::SecretsManager,
    value::SecretValue,
};

/// What a step did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Outcome {
    /// Whether anything was written.
    pub changed: bool,
    /// What others did while a policy that they write too was written. Nothing for every other step.
    pub meanwhile: Meanwhile,
}

impl Outcome {
    fn unchanged() -> Self {
        Self::default()
    }

    fn written() -> Self {
        Self { changed: true, ..Self::default() }
    }
}

/// Keeps what a key policy said before it is replaced. The API keeps no versions (D§1.5).
pub trait Keeper: Send + Sync {
    /// Keeps a document. If it cannot be kept, the policy is not written.
    fn keep<'a>(&'a self, key: &'a KeyArn, document: &'a str) -> BoxFuture<'a, Result<(), KeepError>>;
}

/// Why a document could not be kept.
pub type KeepError = Box<dyn std::error::Error + Send + Sync>;

/// Why a step was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// A call failed, or the moment was not right.
    #[error("{0}")]
    Failed(Failure),
    /// The document would be refused, or regretted: nothing was sent.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl From<Failure> for ApplyError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// One writer for each policy that is replaced as a whole, and for each secret that is claimed or let go: AWS has no compare-and-set (D§1.5).
#[derive(Default)]
pub(crate) struct PolicyLocks(Mutex<BTreeMap<Subject, Arc<tokio::sync::Mutex<()>>>>);

impl PolicyLocks {
    fn of(&self, policy: Subject) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(policy).or_default())
    }
}

impl Aws {
    /// Makes one step of a plan. `keeper` is handed the key policy that the step replaces; `value` is that of the secret, which steps
    /// that write it need and a plan never holds.
    pub async fn apply(
        &self,
        step: &Step,
        keeper: &dyn Keeper,
        value: Option<&SecretValue>,
    ) -> Result<Outcome, ApplyError> {
        let reach = self.registry.reach(&step.account)?;
        match &step.action {
            Action::PutKeyPolicy { key, owner, edit, unique_ids, prune } => {
                let (kms, change) = (Kms::new(&reach, key.region()), Change::Edit(edit));
                self.put_whole(&KeyPolicy { kms, key, owner, change, unique_ids, prune: *prune, keeper }).await
            }
            Action::PutBackKeyPolicy { key, owner, entry } => {
                let (kms, change) = (Kms::new(&reach, key.region()), Change::PutBack(entry));
                let unique_ids = &BTreeMap::new();
                self.put_whole(&KeyPolicy { kms, key, owner, change, unique_ids, prune: false, keeper }).await
            }
            Action::PutInlinePolicy { entity, name, document } => {
                Ok(self.put_inline_policy(&reach, entity, name, document).await?)
            }
            Action::DeleteInlinePolicy { entity, name } => Ok(self.delete_inline_policy(&reach, entity, name).await?),
            Action::PutManagedPolicy { policy, document, tags, description } => {
                let wanted = managed::Wanted { policy, document, tags, description };
                Ok(self.put_managed_policy(&reach, wanted).await?)
            }
            Action::AttachPolicy { policy, entity } => Ok(self.attach_policy(&reach, policy, entity).await?),
            Action::DetachPolicy { policy, entity } => Ok(self.detach_policy(&reach, policy, entity).await?),
            Action::DeleteManagedPolicy { policy } => Ok(self.delete_managed_policy(&reach, policy).await?),
            Action::CreateSecret { secret, token, description, key, tags } => {
                let (token, description) = (token.as_deref(), description.as_deref());
                let wanted = secret::Wanted { secret, token, description, key, tags };
                Ok(self.create_secret(&reach, wanted, value).await?)
            }
            Action::RestoreSecret { secret } => Ok(self.restore_secret(Site::new(&reach, secret)).await?),
            Action::UpdateSecret { secret, description, key } => {
                Ok(self.update_secret(Site::new(&reach, secret), description.as_deref(), key.as_ref()).await?)
            }
            Action::PutSecretValue { secret, token } => {
                Ok(self.put_secret_value(Site::new(&reach, secret), token, value).await?)
            }
            Action::TagSecret { secret, tags, claims } => {
                Ok(self.tag_secret(Site::new(&reach, secret), tags, *claims).await?)
            }
            Action::UntagSecret { secret, arn, tags } => {
                Ok(self.untag_secret(&reach, secret::Unwanted { secret, arn: arn.as_ref(), tags }).await?)
            }
            Action::PutResourcePolicy { secret, owner, edit, unique_ids } => {
                let manager = SecretsManager::new(&reach, secret.region());
                self.put_whole(&SecretPolicy { manager, secret, owner, edit, unique_ids }).await
            }
            Action::ReplicateSecret { secret, replicas } => {
                Ok(self.replicate_secret(Site::new(&reach, secret), replicas).await?)
            }
            Action::RemoveReplicas { secret, regions, tags, .. } => {
                Ok(self.remove_replicas(Site::new(&reach, secret), regions, tags).await?)
            }
            Action::DeleteSecret { secret, arn, tags, replicas, window_days } => {
                let unwanted = secret::Unwanted { secret, arn: arn.as_ref(), tags };
                Ok(self.delete_secret(&reach, unwanted, replicas, *window_days).await?)
            }
        }
    }

    /// Remembers a write by its answer, and drops the readings that it made old. After a failure that may have hidden a
    /// performed write, both states are expected for a while.
    fn wrote<T>(&self, subject: Subject, replaced: State, written: State, answer: &Reading<T>) {
        let certainty = match answer {
            Ok(_) => Certainty::Confirmed,
            Err(failure) if may_have_happened(failure) => Certainty::Unknown,
            Err(_) => return,
        };
        self.note(subject, replaced, written, certainty);
    }

    fn note(&self, subject: Subject, replaced: State, written: State, certainty: Certainty) {
        let names = subject.account().map(|account| self.registry.names_of(account)).unwrap_or_default();
        self.caches.forget(&subject, &names);
        self.recent().note(subject, replaced, written, certainty, Instant::now());
    }
}

/// Whether a write that failed may have been performed all the same.
fn may_have_happened(failure: &Failure) -> bool {
    failure.class == Class::Transient && !class::is_turned_away(&failure.code)
}
