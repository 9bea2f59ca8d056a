//! A secret of an owner under the owner's key, read by a partner's role, and a shell that reaches both.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_sdk_secretsmanager::{operation::describe_secret::DescribeSecretOutput, types::SecretVersionsListEntry};
use serde_json::Value;
use sharedkey_api::Mode;
use sharedkey_aws::{ApplyError, Outcome, SecretValue};
use sharedkey_engine::{
    desired::Delegation,
    ledger::Record,
    names::{Names, ObjectName},
    plan::{Action, Step},
    problem::Failure,
    secret::{
        desired::{DesiredReader, DesiredSecret, EncryptionKey},
        observed::{Described, ObservedSecret},
    },
};
use sharedkey_harness::aws::{Key, SecretsManagerClient};
use sharedkey_policy::{EntityArn, KeyArn, Region, SecretArn, SecretName};

use crate::world::{Shell, Tenant, owner_id};

/// The name of the secret.
pub(crate) const NAME: &str = "team/orders";
/// What the operator of these tests never has seen printed.
pub(crate) const VALUE: &str = "correct horse battery staple";

pub(crate) struct Vault {
    pub(crate) owner: Tenant,
    pub(crate) partner: Tenant,
    pub(crate) key: Key,
    pub(crate) role: EntityArn,
    pub(crate) shell: Shell,
    pub(crate) desired: DesiredSecret,
}

impl Vault {
    /// Without the secret.
    pub(crate) async fn empty() -> Self {
        let (owner, partner) = futures::join!(Tenant::new("aws"), Tenant::new("aws"));
        let key = owner.account.create_key(None).await.unwrap();
        let role: EntityArn = partner.account.create_role("/team/", "app").await.unwrap().parse().unwrap();
        let shell = shell(&owner, &partner).await;
        let desired = desired(&owner, &partner, &key, &role);
        let vault = Self { owner, partner, key, role, shell, desired };
        vault.forget_calls().await;
        vault
    }

    /// With the secret, as an earlier process of the operator has made it.
    pub(crate) async fn new() -> Self {
        let mut vault = Self::empty().await;
        assert!(vault.make(&version('a'), VALUE).await.unwrap().changed);
        vault.shell = shell(&vault.owner, &vault.partner).await;
        vault.forget_calls().await;
        vault
    }

    pub(crate) async fn forget_calls(&self) {
        futures::join!(self.owner.forget_calls(), self.partner.forget_calls());
    }

    pub(crate) async fn make(&self, token: &str, value: &str) -> Result<Outcome, ApplyError> {
        self.write(self.create(Some(token)), Some(value)).await
    }

    pub(crate) fn create(&self, token: Option<&str>) -> Action {
        Action::CreateSecret {
            secret: self.desired.secret.clone(),
            token: token.map(str::to_owned),
            description: Some("of the orders".into()),
            key: self.key_arn(),
            tags: self.desired.all_tags(),
        }
    }

    pub(crate) async fn put(&self, token: &str, value: &str) -> Result<Outcome, ApplyError> {
        let action = Action::PutSecretValue { secret: self.arn().await, token: token.to_owned() };
        self.write(action, Some(value)).await
    }

    /// Makes a step that needs no value, and says whether it changed anything.
    pub(crate) async fn apply(&self, action: Action) -> bool {
        self.write(action, None).await.unwrap().changed
    }

    pub(crate) async fn write(&self, action: Action, value: Option<&str>) -> Result<Outcome, ApplyError> {
        let step = Step { account: self.owner.reach("owner"), action, records: Vec::new(), forgets: Vec::new() };
        let value = value.map(|value| SecretValue::of(value.into()));
        self.shell.aws.apply(&step, &self.shell.kept, value.as_ref()).await
    }

    /// A reading that is not older than this call, without versions.
    pub(crate) async fn observe(&self) -> ObservedSecret {
        self.observe_listing(false).await
    }

    pub(crate) async fn observe_listing(&self, lists: bool) -> ObservedSecret {
        let (record, asked) = (Record::default(), |_: &Described| lists);
        self.shell.aws.observe_secret(&self.desired, &record, asked, Duration::ZERO).await
    }

    /// The owner's own client.
    pub(crate) fn client(&self) -> SecretsManagerClient {
        self.owner.account.root().secrets_manager()
    }

    pub(crate) fn key_arn(&self) -> KeyArn {
        self.key.arn.parse().unwrap()
    }

    /// The secret as AWS has it.
    pub(crate) async fn described(&self) -> DescribeSecretOutput {
        self.client().describe_secret().secret_id(NAME).send().await.unwrap()
    }

    pub(crate) async fn arn(&self) -> SecretArn {
        self.described().await.arn.unwrap().parse().unwrap()
    }

    pub(crate) async fn tags(&self) -> BTreeMap<String, String> {
        let tags = self.described().await.tags.unwrap_or_default();
        tags.into_iter().map(|tag| (tag.key.unwrap(), tag.value.unwrap())).collect()
    }

    pub(crate) async fn value(&self) -> String {
        self.client().get_secret_value().secret_id(NAME).send().await.unwrap().secret_string.unwrap()
    }

    /// The version that is current.
    pub(crate) async fn current(&self) -> String {
        let versions = self.described().await.version_ids_to_stages.unwrap();
        let current = |labels: &Vec<String>| labels.iter().any(|label| label == "AWSCURRENT");
        versions.into_iter().find(|(_, labels)| current(labels)).unwrap().0
    }

    /// All versions, those without labels as well.
    pub(crate) async fn versions(&self) -> Vec<SecretVersionsListEntry> {
        let request = self.client().list_secret_version_ids().secret_id(NAME).include_deprecated(true);
        let pages = request.into_paginator().send().try_collect().await.unwrap();
        pages.into_iter().flat_map(|page| page.versions.unwrap_or_default()).collect()
    }

    /// The secret's resource policy; none where it has none.
    pub(crate) async fn policy(&self) -> Option<Value> {
        let answer = self.client().get_resource_policy().secret_id(NAME).send().await.unwrap();
        answer.resource_policy.map(|text| serde_json::from_str(&text).unwrap())
    }

    /// The key of the owner in another Region.
    pub(crate) async fn key_in(&self, region: &str) -> KeyArn {
        let kms = self.owner.account.root().in_region(region).kms();
        kms.create_key().send().await.unwrap().key_metadata.unwrap().arn.unwrap().parse().unwrap()
    }
}

/// A shell whose sessions have begun: what they ask is not what is counted here.
async fn shell(owner: &Tenant, partner: &Tenant) -> Shell {
    let shell = Shell::new();
    for (name, tenant) in [("owner", owner), ("partner", partner)] {
        shell.aws.set_account(name, tenant.access());
        shell.aws.identity(&tenant.reach(name)).await.unwrap();
    }
    shell
}

/// A Region of the partition in which the owner's secrets are not.
pub(crate) fn elsewhere() -> Region {
    "ap-southeast-2".parse().unwrap()
}

/// A version's id, as the operator makes them.
pub(crate) fn version(digit: char) -> String {
    digit.to_string().repeat(64)
}

pub(crate) fn failed(outcome: Result<Outcome, ApplyError>) -> Failure {
    match outcome {
        Err(ApplyError::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

fn desired(owner: &Tenant, partner: &Tenant, key: &Key, role: &EntityArn) -> DesiredSecret {
    let object = ObjectName { namespace: "team".into(), name: "orders".into() };
    let region: Region = owner.account.root().region().parse().unwrap();
    let reader = DesiredReader {
        name: "partner".into(),
        account: partner.id(),
        reach: Some(partner.reach("partner")),
        principals: vec![role.clone()],
        opened: vec!["*".into()],
        delegation: Delegation::InlinePolicy,
    };
    let key = EncryptionKey { arn: key.arn.parse().unwrap(), reach: Some(owner.reach("owner")), shared_key: None };
    DesiredSecret {
        names: Names::of_secret(owner_id(), object),
        account: owner.reach("owner"),
        writer: Some(owner.operator_arn.clone()),
        secret: SecretName::new(region, owner.id(), NAME).unwrap(),
        description: Some("of the orders".into()),
        tags: BTreeMap::from([("team".to_owned(), "orders".to_owned())]),
        adopt: false,
        restore: false,
        key: Ok(key),
        has_source: true,
        readers: vec![reader],
        refused: BTreeMap::new(),
        replicas: BTreeMap::new(),
        target: None,
        mode: Mode::Enforce,
        take_over: false,
        waits: Vec::new(),
        quotas: BTreeMap::new(),
    }
}

/// Regions or tag keys of a step.
pub(crate) fn set<T: Ord + Clone>(items: &[T]) -> BTreeSet<T> {
    items.iter().cloned().collect()
}
