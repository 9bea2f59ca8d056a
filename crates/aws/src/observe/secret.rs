//! The secret: what it is, who its policy lets in, and the keys that encrypt it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::{OptionFuture, join_all};
use sharedkey_engine::{
    desired::Account,
    ledger::{Record, Resource},
    problem::{Class, Failure, Reading},
    secret::{
        desired::DesiredSecret,
        observed::{
            Described, Lag, ObservedKey, ObservedSecret, ReplicaState, ResourcePolicy, SecretKey, SecretState,
            SourceReading, TargetReading, Version,
        },
    },
};
use sharedkey_policy::{AliasArn, ArnError, KeyArn, PolicyDocument, Region, SecretArn, SecretName};
use tokio::time::Instant;

use super::Managed;
use crate::{
    Aws,
    recent::{Part, Subject},
    secretsmanager::{Facts, SecretsManager},
    value::SecretValue,
};

/// What Secrets Manager answers, where it has to name it, for the key that AWS manages itself.
const DEFAULT_KEYS: [&str; 2] = ["alias/aws/secretsmanager", "DefaultEncryptionKey"];

impl Aws {
    /// Reads everything that a comparison looks at in AWS. What cannot be read is said in its place; source and target are for the
    /// shell to fill in.
    ///
    /// The secret itself costs two calls, `DescribeSecret` and `GetResourcePolicy`, and nobody else's reading is used for it. Its
    /// versions are listed only where `lists_versions` asks for it, by what the first call shows. Its value is never read.
    pub async fn observe_secret(
        &self,
        desired: &DesiredSecret,
        record: &Record,
        lists_versions: impl Fn(&Described) -> bool,
        freshness: Duration,
    ) -> ObservedSecret {
        let delegates = desired.delegates(None);
        let ((secret, policy), keys, entities) = futures::join!(
            self.observe_itself(desired, freshness),
            self.observe_keys(desired, freshness),
            self.observe_entities(&delegates, record, freshness),
        );
        let described = match &secret {
            Ok(SecretState::Present(described)) => Some(described),
            _ => None,
        };
        let delegates = desired.delegates(described.map(|described| &described.arn));
        let managed = Managed { delegates: &delegates, names: &desired.names, partition: desired.partition() };
        let listed = described.filter(|described| lists_versions(described));
        let listed = listed.map(|described| self.versions(desired, &described.arn, freshness));
        let (managed, versions) =
            futures::join!(self.observe_managed_policies(managed, record, freshness), OptionFuture::from(listed),);
        let (source, target) = (SourceReading::NotStated, TargetReading::NotStated);
        ObservedSecret { secret, policy, versions, keys, entities, managed, source, target }
    }

    /// The value of a version of a secret, or of its current one, with the id of the version; none if there is none.
    pub async fn secret_value(
        &self,
        account: &Account,
        secret: &SecretArn,
        version: Option<&str>,
    ) -> Reading<Option<(String, SecretValue)>> {
        let reach = self.registry.reach(account)?;
        SecretsManager::new(&reach, secret.region()).value(&secret.to_string(), version).await
    }

    /// By its name, so that another secret of this name is seen as what it is.
    async fn observe_itself(
        &self,
        desired: &DesiredSecret,
        freshness: Duration,
    ) -> (Reading<SecretState>, Reading<Option<ResourcePolicy>>) {
        let secret = &desired.secret;
        let reach = match self.registry.reach(&desired.account) {
            Ok(reach) => reach,
            Err(failure) => return (Err(failure.clone()), Err(failure)),
        };
        let manager = SecretsManager::new(&reach, secret.region());
        let (facts, policy) = futures::join!(manager.describe(secret.name()), manager.policy(secret.name()));
        // AWS shows no policy of a secret that is scheduled for deletion (D§5.7).
        let goes = matches!(&facts, Ok(Some(facts)) if facts.deletion_date.is_some());
        let policy = match policy {
            Err(failure) if goes && failure.code == "InvalidRequestException" => Ok(None),
            policy => policy.map(|policy| self.resource_policy(secret, policy.flatten().as_deref())),
        };
        let state = match facts {
            Ok(None) => Ok(self.absent(secret)),
            Ok(Some(facts)) => self.present(desired, facts, freshness).await,
            Err(failure) => Err(failure),
        };
        (state, policy)
    }

    fn absent(&self, secret: &SecretName) -> SecretState {
        let subject = Subject::Secret(secret.clone(), Part::Existence);
        SecretState::Absent { lagging: self.recent().lags(&subject, Instant::now(), || None) }
    }

    fn resource_policy(&self, secret: &SecretName, text: Option<&str>) -> Option<ResourcePolicy> {
        let document = text.map_or_else(|| Ok(PolicyDocument::empty()), PolicyDocument::parse);
        let subject = Subject::Secret(secret.clone(), Part::Policy);
        let lagging = self.document_lags(&subject, secret.partition(), &document);
        (text.is_some() || lagging).then_some(ResourcePolicy { document, lagging })
    }

    async fn present(&self, desired: &DesiredSecret, facts: Facts, freshness: Duration) -> Reading<SecretState> {
        let secret = &desired.secret;
        let arn = facts.arn.parse().map_err(|error: ArnError| Failure {
            class: Class::Transient,
            account: desired.account.id.clone(),
            action: "secretsmanager:DescribeSecret".into(),
            resource: secret.to_string(),
            code: "UnreadableAnswer".into(),
            message: error.to_string(),
        })?;
        // A second secret of the name cannot be made, not even while this one is scheduled for deletion (D§5.7).
        self.note_seen(&Resource::Secret { secret: secret.clone() });
        let lagging = self.secret_lags(secret, &facts);
        // Whatever else is still to come finds the copy and makes none (D§5.7).
        let regions = facts.replicas.keys().filter_map(|region| region.parse::<Region>().ok());
        for region in regions.filter(|region| !lagging.contains(&Lag::Replica(region.clone()))) {
            self.note_seen(&Resource::Replica { secret: secret.clone(), region });
        }
        let key = self.secret_key(desired, secret.region(), facts.key.as_deref(), freshness);
        let replicas = facts.replicas.iter().filter_map(|(region, replica)| {
            let region: Region = region.parse().ok()?;
            Some(async move {
                let key = self.secret_key(desired, &region, replica.key.as_deref(), freshness).await;
                let (status, message) = (replica.status.clone(), replica.message.clone());
                (region, ReplicaState { key, status, message })
            })
        });
        let (key, replicas) = futures::join!(key, join_all(replicas));
        Ok(SecretState::Present(Box::new(Described {
            arn,
            description: facts.description,
            key,
            deletion: facts.deletion_date,
            owning_service: facts.owning_service,
            primary_region: facts.primary_region.and_then(|region| region.parse().ok()),
            tags: facts.tags,
            stages: facts.versions,
            replicas: replicas.into_iter().collect(),
            lagging,
        })))
    }

    /// What of a reading equals what we replaced a moment ago.
    pub(crate) fn secret_lags(&self, secret: &SecretName, facts: &Facts) -> BTreeSet<Lag> {
        let (mut recent, now) = (self.recent(), Instant::now());
        let parts = recent.of_secret(secret).into_iter();
        let lags = parts.filter(|part| {
            let subject = Subject::Secret(secret.clone(), Part::Described(part.clone()));
            recent.lags(&subject, now, || facts.state(part))
        });
        lags.collect()
    }

    /// The labelled versions. A secret that went meanwhile has none.
    async fn versions(
        &self,
        desired: &DesiredSecret,
        secret: &SecretArn,
        freshness: Duration,
    ) -> Reading<Vec<Version>> {
        let reach = self.registry.reach(&desired.account)?;
        let versions = SecretsManager::new(&reach, secret.region()).versions(&secret.to_string()).await?;
        let versions = versions.unwrap_or_default().into_iter().map(|version| async move {
            let keys = version.keys.iter().map(|key| self.secret_key(desired, secret.region(), Some(key), freshness));
            Version { keys: join_all(keys).await, id: version.id, stages: version.labels }
        });
        Ok(join_all(versions).await)
    }

    /// The keys that the spec names, where their accounts can be entered.
    async fn observe_keys(&self, desired: &DesiredSecret, freshness: Duration) -> BTreeMap<KeyArn, ObservedKey> {
        let wanted: BTreeMap<&KeyArn, &Account> =
            desired.usable_keys().filter_map(|key| Some((&key.arn, key.reach.as_ref()?))).collect();
        let keys = wanted.into_iter().map(|(key, account)| async move {
            let arn = key.to_string();
            let (metadata, policy) = futures::join!(
                self.described(account, key.region(), &arn, freshness),
                self.key_policy(account, key, freshness),
            );
            let metadata = metadata.map(|found| found.map(|(_, metadata)| metadata));
            (key.clone(), ObservedKey { metadata, policy })
        });
        join_all(keys).await.into_iter().collect()
    }

    /// The key that a secret's description means: the text is an id, an ARN or an alias, as somebody gave it (D§5.5). An id or an alias
    /// is of the account that asked.
    async fn secret_key(
        &self,
        desired: &DesiredSecret,
        region: &Region,
        text: Option<&str>,
        freshness: Duration,
    ) -> SecretKey {
        let alias = match named(&desired.account, region, text) {
            Ok(key) => return key,
            Err(alias) => alias,
        };
        let text = text.unwrap_or_default().to_owned();
        match self.described(way_to(&alias, desired), region, &alias.to_string(), freshness).await {
            Ok(Some((key, _))) => SecretKey::Key(key),
            Ok(None) => SecretKey::Unresolved { text, message: format!("there is no {alias}") },
            Err(failure) => SecretKey::Unread { text, failure },
        }
    }
}

/// The account through which an alias is asked for. One of another account may be kept from the secret's account, and never from its own:
/// that is entered where the namespace may use a key of it.
fn way_to<'a>(alias: &AliasArn, desired: &'a DesiredSecret) -> &'a Account {
    let home = &desired.account;
    let keys = desired.usable_keys().filter_map(|key| key.reach.as_ref());
    std::iter::once(home).chain(keys).find(|way| &way.id == alias.account()).unwrap_or(home)
}

/// The key that a text means by itself, or the alias that has to be asked for.
fn named(account: &Account, region: &Region, text: Option<&str>) -> Result<SecretKey, AliasArn> {
    let Some(text) = text.filter(|text| !DEFAULT_KEYS.contains(text)) else { return Ok(SecretKey::Default) };
    if let Ok(key) = text.parse() {
        return Ok(SecretKey::Key(key));
    }
    if let Ok(alias) = text.parse::<AliasArn>() {
        return if DEFAULT_KEYS.contains(&alias.alias().as_str()) { Ok(SecretKey::Default) } else { Err(alias) };
    }
    if let Ok(alias) = text.parse() {
        return Err(AliasArn::new(region.clone(), &account.id, alias));
    }
    let key = KeyArn::new(region.clone(), &account.id, text);
    let unknown = |error: ArnError| {
        let (text, message) = (text.to_owned(), error.to_string());
        SecretKey::Unresolved { text, message }
    };
    Ok(key.map_or_else(unknown, SecretKey::Key))
}
