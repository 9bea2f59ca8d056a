//! Managed policies: the version in force, and the others where it is not the one that is wanted.

use std::{collections::BTreeMap, time::Duration};

use futures::future::try_join_all;
use sharedkey_engine::{desired::Account, observed::ManagedPolicy, problem::Reading};
use sharedkey_policy::{PolicyArn, PolicyDocument};
use tokio::time::Instant;

use super::Parsed;
use crate::{Aws, fingerprint, iam::Iam, reach::Reach, recent::Subject};

/// A managed policy with its document in force.
#[derive(Clone, Debug)]
pub(crate) struct RawManaged {
    pub(crate) policy_id: String,
    pub(crate) default_version: String,
    pub(crate) document: Parsed,
}

/// A version never changes. The id tells a policy from one that was deleted and created again under the same ARN.
pub(super) type VersionKey = (PolicyArn, String, String);

impl Aws {
    pub(super) async fn observe_managed(
        &self,
        account: &Account,
        policy: &PolicyArn,
        wanted: Option<&PolicyDocument>,
        freshness: Duration,
    ) -> Reading<ManagedPolicy> {
        let partition = policy.partition();
        let subject = Subject::Managed(policy.clone());
        let Some(managed) = self.managed(account, policy, freshness).await? else {
            let lagging = self.recent().lags(&subject, Instant::now(), || None);
            return Ok(ManagedPolicy::Absent { lagging });
        };
        let in_force = fingerprint::of_parsed(&managed.document, partition);
        let others = match wanted {
            Some(wanted) if fingerprint::of(wanted, partition) != in_force => {
                self.other_versions(account, policy, &managed).await?
            }
            _ => BTreeMap::new(),
        };
        let lagging = self.recent().lags(&subject, Instant::now(), || Some(in_force));
        let RawManaged { default_version, document, .. } = managed;
        Ok(ManagedPolicy::Present { default_version, document, others, lagging })
    }

    /// The policy with its document in force; none if there is none.
    pub(super) async fn managed(
        &self,
        account: &Account,
        policy: &PolicyArn,
        freshness: Duration,
    ) -> Reading<Option<RawManaged>> {
        let of = (account.name.clone(), policy.clone());
        let read = || async {
            let reach = self.registry.reach(account)?;
            self.read_managed(&reach, policy).await
        };
        self.caches.managed.get(&of, freshness, read).await
    }

    /// The policy as it is now.
    pub(crate) async fn read_managed(&self, reach: &Reach, policy: &PolicyArn) -> Reading<Option<RawManaged>> {
        let Some(found) = Iam::new(reach).policy(policy).await? else { return Ok(None) };
        let Some(document) = self.version(reach, policy, &found.id, &found.default_version).await? else {
            return Ok(None);
        };
        Ok(Some(RawManaged { policy_id: found.id, default_version: found.default_version, document }))
    }

    /// The documents of all versions but the default. A malformed one can never be what is wanted.
    async fn other_versions(
        &self,
        account: &Account,
        policy: &PolicyArn,
        managed: &RawManaged,
    ) -> Reading<BTreeMap<String, PolicyDocument>> {
        let reach = self.registry.reach(account)?;
        let versions = Iam::new(&reach).versions(policy).await?.unwrap_or_default();
        let others = versions.into_iter().filter(|version| version.id != managed.default_version).map(|version| {
            let reach = &reach;
            async move {
                let document = self.version(reach, policy, &managed.policy_id, &version.id).await?;
                Ok(document.and_then(Result::ok).map(|document| (version.id, document)))
            }
        });
        Ok(try_join_all(others).await?.into_iter().flatten().collect())
    }

    /// The document of a version, read once for ever; none if there is no such version.
    pub(crate) async fn version(
        &self,
        reach: &Reach,
        policy: &PolicyArn,
        policy_id: &str,
        version: &str,
    ) -> Reading<Option<Parsed>> {
        let of: VersionKey = (policy.clone(), policy_id.to_owned(), version.to_owned());
        if let Some(document) = self.caches.versions.get(&of) {
            return Ok(Some(document));
        }
        let Some(text) = Iam::new(reach).version_document(policy, version).await? else { return Ok(None) };
        let document = PolicyDocument::parse_encoded(&text);
        self.caches.versions.insert(of, document.clone());
        Ok(Some(document))
    }
}
