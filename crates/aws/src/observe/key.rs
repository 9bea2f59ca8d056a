//! The key: its state, its policy, and where its alias points.

use std::time::Duration;

use sharedkey_engine::{
    desired::{Account, DesiredKey, KeySource},
    observed::{AliasTarget, KeyMetadata, KeyObservation, KeyPolicy},
    problem::Reading,
};
use sharedkey_policy::{KeyArn, PolicyDocument, Region};
use tokio::time::Instant;

use super::Parsed;
use crate::{Aws, kms::Kms, recent::Subject};

pub(super) type Described = Reading<Option<(KeyArn, KeyMetadata)>>;

impl Aws {
    pub(super) async fn observe_key(&self, wanted: &DesiredKey, freshness: Duration) -> KeyObservation {
        match &wanted.source {
            KeySource::Key(key) => self.observe_known_key(wanted, key, None, freshness).await,
            KeySource::Alias { alias, pinned: Some(pinned) } => {
                let alias = alias.to_string();
                let described = self.described(&wanted.account, &wanted.region, &alias, freshness).await;
                self.observe_known_key(wanted, pinned, Some(described), freshness).await
            }
            KeySource::Alias { alias, pinned: None } => {
                let alias = alias.to_string();
                let described = self.described(&wanted.account, &wanted.region, &alias, freshness).await;
                self.observe_new_key(wanted, described, freshness).await
            }
        }
    }

    /// A key whose ARN is known. If an alias was asked and still means it, that answer describes the key.
    async fn observe_known_key(
        &self,
        wanted: &DesiredKey,
        key: &KeyArn,
        alias: Option<Described>,
        freshness: Duration,
    ) -> KeyObservation {
        let alias_target =
            alias.as_ref().and_then(|described| described.as_ref().ok()).map(|described| target(described.as_ref()));
        let metadata = async {
            match alias {
                Some(Ok(Some((arn, metadata)))) if arn == *key => Ok(Some(metadata)),
                _ => {
                    let described = self.described(&wanted.account, &wanted.region, &key.to_string(), freshness).await;
                    described.map(|found| found.map(|(_, metadata)| metadata))
                }
            }
        };
        let (metadata, policy) = futures::join!(metadata, self.key_policy(&wanted.account, key, freshness));
        KeyObservation { arn: Ok(Some(key.clone())), alias_target, metadata, policy }
    }

    /// The key that an alias means at its first resolution.
    async fn observe_new_key(&self, wanted: &DesiredKey, alias: Described, freshness: Duration) -> KeyObservation {
        match alias {
            Ok(Some((arn, metadata))) => KeyObservation {
                alias_target: Some(AliasTarget::Key(arn.clone())),
                metadata: Ok(Some(metadata)),
                policy: self.key_policy(&wanted.account, &arn, freshness).await,
                arn: Ok(Some(arn)),
            },
            Ok(None) => KeyObservation {
                arn: Ok(None),
                alias_target: Some(AliasTarget::Missing),
                metadata: Ok(None),
                policy: Ok(None),
            },
            Err(failure) => KeyObservation {
                arn: Err(failure.clone()),
                alias_target: None,
                metadata: Err(failure.clone()),
                policy: Err(failure),
            },
        }
    }

    pub(super) async fn described(
        &self,
        account: &Account,
        region: &Region,
        key: &str,
        freshness: Duration,
    ) -> Described {
        let of = (account.name.clone(), key.to_owned());
        let begun = Instant::now();
        let read = || async {
            let reach = self.registry.reach(account)?;
            Kms::new(&reach, region).describe(key).await
        };
        let described = self.caches.described.get(&of, freshness, read).await?;
        // An alias' answer spares those who name the key by ARN their own.
        if let Some((arn, _)) = &described
            && arn.to_string() != key
        {
            let of = (account.name.clone(), arn.to_string());
            self.caches.described.offer(&of, begun, described.clone());
        }
        Ok(described)
    }

    pub(super) async fn key_policy(
        &self,
        account: &Account,
        key: &KeyArn,
        freshness: Duration,
    ) -> Reading<Option<KeyPolicy>> {
        let of = (account.name.clone(), key.clone());
        let read = || async {
            let reach = self.registry.reach(account)?;
            let policy = Kms::new(&reach, key.region()).policy(key).await?;
            Ok(policy.map(|text| PolicyDocument::parse(&text)))
        };
        let document = self.caches.policies.get(&of, freshness, read).await?;
        let subject = Subject::KeyPolicy(key.clone());
        let lags = |document: &Parsed| self.document_lags(&subject, key.partition(), document);
        Ok(document.map(|document| KeyPolicy { lagging: lags(&document), document }))
    }
}

fn target(described: Option<&(KeyArn, KeyMetadata)>) -> AliasTarget {
    described.map_or(AliasTarget::Missing, |(arn, _)| AliasTarget::Key(arn.clone()))
}
