//! Merging into the resource policy of a secret.

use std::collections::BTreeMap;

use sharedkey_engine::{
    ledger::Resource,
    names::OwnerId,
    problem::{Class, Failure, Reading},
    secret::write::{self, Scope},
    write::Refusal,
};
use sharedkey_policy::{Edit, Partition, PolicyDocument, SecretArn};

use super::{principals, whole::Whole};
use crate::{
    recent::{Part, Subject},
    secretsmanager::SecretsManager,
};

/// What Secrets Manager says of principals that do not exist, without saying which.
const UNSUPPORTED_PRINCIPAL: &str = "unsupported principal";

/// The resource policy of a secret, and what has to become of it.
pub(super) struct SecretPolicy<'a> {
    pub(super) manager: SecretsManager<'a>,
    pub(super) secret: &'a SecretArn,
    pub(super) owner: &'a OwnerId,
    pub(super) edit: &'a Edit,
    pub(super) unique_ids: &'a BTreeMap<String, String>,
}

impl Whole for SecretPolicy<'_> {
    const NAME: &'static str = "resource policy";

    fn subject(&self) -> Subject {
        Subject::Secret(self.secret.secret().clone(), Part::Policy)
    }

    fn partition(&self) -> Partition {
        self.secret.partition()
    }

    fn statement(&self, sid: &str) -> Resource {
        Resource::SecretStatement { secret: self.secret.secret().clone(), sid: sid.to_owned() }
    }

    /// A secret that has no policy has an empty one.
    async fn read(&self) -> Reading<Option<String>> {
        let policy = self.manager.policy(&self.secret.to_string()).await?;
        Ok(policy.map(|text| text.unwrap_or_else(|| PolicyDocument::empty().to_json())))
    }

    fn prepare(&self, live: &PolicyDocument) -> Result<Option<PolicyDocument>, Refusal> {
        let scope = Scope { secret: self.secret, owner: self.owner, unique_ids: self.unique_ids };
        write::prepare(live, self.edit, &scope)
    }

    async fn turn(&self) {
        self.manager.turn_to_put_policy().await;
    }

    /// A policy without statements is none: AWS would not take it.
    async fn put(&self, document: &PolicyDocument) -> Reading<()> {
        let json = (!document.statements().is_empty()).then(|| document.to_json());
        self.manager.put_policy(&self.secret.to_string(), json.as_deref()).await
    }

    /// The history is of keys, whose loss nobody survives.
    async fn keep(&self, _document: &str) -> Reading<()> {
        Ok(())
    }

    fn is_ours(&self, sid: &str) -> bool {
        self.owner.wrote(sid)
    }

    /// Somebody deleted it, or it was just made and is not seen everywhere yet: the next look tells.
    fn nowhere(&self) -> Reading<()> {
        if self.edit.put.is_empty() {
            return Ok(());
        }
        Err(self.failure(Class::Propagating, "ResourceNotFoundException", "there is no such secret".into()))
    }

    fn explained(&self, failure: Failure) -> Failure {
        if failure.message.contains(UNSUPPORTED_PRINCIPAL) {
            return principals::explained(failure, self.edit, self.unique_ids);
        }
        failure
    }

    fn failure(&self, class: Class, code: &str, message: String) -> Failure {
        Failure {
            class,
            account: self.secret.account().clone(),
            action: "secretsmanager:PutResourcePolicy".into(),
            resource: self.secret.to_string(),
            code: code.to_owned(),
            message,
        }
    }
}
