//! The two Kubernetes Secrets of one object: the one that its value comes from, and the one that it goes to.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use sharedkey_api::{ExternalSecret, SecretDeletionPolicy};
use sharedkey_aws::SecretValue;
use sharedkey_engine::{
    ledger::WrittenTarget,
    problem::Trouble,
    secret::observed::{SourceReading, TargetReading},
};

use super::{
    access::{Failed, Secrets},
    source, target,
};
use crate::{context::Context, reconcile::Error, served::Served as _, steps::Run};

/// The two Secrets of one object.
pub(super) struct Pair<'a> {
    object: &'a ExternalSecret,
    context: &'a Context,
    secrets: Secrets<'a>,
}

/// What the source says, with the value itself.
pub(super) struct Source {
    pub(super) reading: SourceReading,
    pub(super) value: Option<SecretValue>,
}

impl<'a> Pair<'a> {
    pub(super) fn of(object: &'a ExternalSecret, context: &'a Context) -> Self {
        let secrets = Secrets::of(&context.client, &context.args, object.namespace().unwrap_or_default());
        Self { object, context, secrets }
    }

    /// Reads the source, and watches it from now on.
    pub(super) async fn source(&self) -> Result<Source, Error> {
        let (name, watches) = (self.object.id().name, &self.context.watches);
        let Some(stated) = &self.object.spec.source else {
            watches.release(&name);
            return Ok(Source { reading: SourceReading::NotStated, value: None });
        };
        let reference = &stated.secret_ref;
        let found = match self.secrets.get(&reference.name).await {
            Ok(found) => found,
            Err(failed) => {
                watches.release(&name);
                return Ok(Source { reading: SourceReading::Failed(failed.trouble()?), value: None });
            }
        };
        watches.need(&name, &reference.name, found.as_ref().and_then(Secret::resource_version));
        Ok(match source::value(reference, found) {
            Ok(value) => {
                let uid = self.object.uid().unwrap_or_default();
                Source {
                    reading: SourceReading::Value(self.context.hash_key.of_value(&uid, &value)),
                    value: Some(value),
                }
            }
            Err(trouble) => Source { reading: SourceReading::Failed(trouble), value: None },
        })
    }

    /// Reads the target.
    pub(super) async fn target(&self) -> Result<TargetReading, Error> {
        let Some(stated) = &self.object.spec.target else { return Ok(TargetReading::NotStated) };
        Ok(match self.secrets.get(&stated.name).await {
            Ok(found) => target::reading(self.object, stated, found.as_ref(), &self.context.hash_key),
            Err(failed) => TargetReading::Failed(failed.trouble()?),
        })
    }

    /// Writes a version of the value to the target, which is in the ledger before it is in Kubernetes.
    pub(super) async fn write(
        &self,
        run: &mut Run<'_>,
        version: &str,
        value: &SecretValue,
    ) -> Result<Option<Trouble>, Error> {
        let Some(stated) = &self.object.spec.target else { return Ok(None) };
        run.record.target = Some(WrittenTarget { name: stated.name.clone(), deletion_policy: stated.deletion_policy });
        run.save().await?;
        told(target::write(&self.secrets, self.object, stated, (version, value), &self.context.hash_key).await)
    }

    /// Takes away a target that the spec no longer names, if it was to go with it.
    pub(super) async fn tidy(&self, run: &mut Run<'_>) -> Result<Option<Trouble>, Error> {
        let stated = self.object.spec.target.as_ref();
        let Some(written) =
            run.record.target.clone().filter(|written| stated.is_none_or(|stated| stated.name != written.name))
        else {
            return Ok(None);
        };
        if written.deletion_policy == SecretDeletionPolicy::Delete {
            let trouble = told(target::delete(&self.secrets, self.object, &written.name).await)?;
            if trouble.is_some() {
                return Ok(trouble);
            }
        }
        run.record.target = None;
        run.save().await?;
        Ok(None)
    }
}

/// What somebody has to change, where a call was refused.
fn told(outcome: Result<(), Failed>) -> Result<Option<Trouble>, Error> {
    match outcome {
        Ok(()) => Ok(None),
        Err(failed) => failed.trouble().map(Some),
    }
}
