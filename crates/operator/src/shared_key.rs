//! A SharedKey from its first reconcile to its end: what it shared is removed, unless a secret still needs it.

use kube::ResourceExt as _;
use sharedkey_api::{DeletionPolicy, Mode, RELEASE_SECRETS, SharedKey};
use sharedkey_engine::{ledger::Record, overlap, plan::Step, revoke, summarise::Summary};

use crate::{
    context::Context,
    reconcile::{Error, Reconciled, SHARED_READING},
    served::{Named, Served as _},
    sharing::{desired, share},
    steps::Run,
};

/// So many secrets are named that a key waits for.
const NAMED: usize = 5;

impl Reconciled for SharedKey {
    async fn share(&self, context: &Context) -> Result<Summary, Error> {
        share(self, context).await
    }

    /// The secrets that the key encrypts: without it their readers are locked out.
    fn waits_for(&self, context: &Context) -> Option<String> {
        if self.annotations().get(RELEASE_SECRETS).is_some_and(|value| value == "true") {
            return None;
        }
        let mut users: Vec<String> =
            context.secrets.naming(&Named::Key(self.id().name)).iter().map(|secret| secret.name_any()).collect();
        users.sort_unstable();
        let more = users.len().saturating_sub(NAMED);
        users.truncate(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!users.is_empty()).then(|| {
            format!(
                "waits until no ExternalSecret of the namespace names it: {}{more} (annotate it with \
                 {RELEASE_SECRETS}=true to go ahead; who reads them through this key is locked out then)",
                users.join(", ")
            )
        })
    }

    fn kept(&self) -> Option<&'static str> {
        match &self.spec {
            spec if spec.suspend => Some("the object is suspended"),
            spec if spec.deletion_policy == DeletionPolicy::Retain => Some("deletionPolicy is Retain"),
            spec if spec.mode == Mode::Observe => Some("the mode is Observe"),
            _ => None,
        }
    }

    fn undoing(&self, record: &Record, context: &Context) -> Vec<Step> {
        revoke::unshare(record, &context.args.owner_id, self.spec.prune_foreign_orphans)
    }

    /// An object that may no longer be told of others is not.
    async fn others(&self, Run { context, id, record, .. }: &Run<'_>) -> Option<String> {
        let desired = desired(self, context, id, record).ok()?;
        let observed = context.aws.observe(&desired, record, SHARED_READING).await;
        overlap::remaining(&desired, &observed)
    }
}
