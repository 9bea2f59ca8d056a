//! An ExternalSecret from its first reconcile to its end.

use sharedkey_api::{ExternalSecret, ExternalSecretStatus, Mode};
use sharedkey_engine::{ledger::Record, names::Names, plan::Step, secret::revoke, summarise::Summary};

use super::keeping::keep;
use crate::{
    context::Context,
    reconcile::{Error, Reconciled},
    served::Served as _,
    steps::Run,
};

impl Reconciled for ExternalSecret {
    async fn share(&self, context: &Context) -> Result<Summary<ExternalSecretStatus>, Error> {
        keep(self, context).await
    }

    fn waits_for(&self, _: &Context) -> Option<String> {
        None
    }

    fn kept(&self) -> Option<&'static str> {
        match &self.spec {
            spec if spec.suspend => Some("the object is suspended"),
            spec if spec.mode == Mode::Observe => Some("the mode is Observe"),
            _ => None,
        }
    }

    fn undoing(&self, record: &Record, context: &Context) -> Vec<Step> {
        let names = Names::of_secret(context.args.owner_id.clone(), self.id().name);
        revoke::unshare(record, &names, |target| revoke::deletion(&self.spec, target))
    }

    async fn others(&self, _: &Run<'_>) -> Option<String> {
        None
    }
}
