//! Customer managed policies: created, given another version in force, deleted with all that hangs on them (D§4.2).

use std::collections::BTreeMap;

use sharedkey_engine::problem::{Class, Failure, Reading};
use sharedkey_policy::{PolicyArn, PolicyDocument};
use tokio::time::Instant;

use super::Outcome;
use crate::{
    Aws, fingerprint,
    iam::{Iam, Version},
    observe::RawManaged,
    reach::Reach,
    recent::Subject,
};

/// A policy has at most this many versions; the next one needs a place (D§4.1).
const MAX_VERSIONS: usize = 5;

/// A policy, as the step states it.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) policy: &'a PolicyArn,
    pub(super) document: &'a PolicyDocument,
    pub(super) tags: &'a BTreeMap<String, String>,
    pub(super) description: &'a str,
}

impl Aws {
    pub(super) async fn put_managed_policy(&self, reach: &Reach, wanted: Wanted<'_>) -> Reading<Outcome> {
        match self.read_managed(reach, wanted.policy).await? {
            Some(live) => self.update(reach, wanted, &live).await,
            None => self.create(reach, wanted).await,
        }
    }

    async fn create(&self, reach: &Reach, wanted: Wanted<'_>) -> Reading<Outcome> {
        let Wanted { policy, document, tags, description } = wanted;
        let answer = Iam::new(reach).create_policy(policy, &document.to_json(), tags, description).await;
        if let Err(failure) = &answer
            && failure.code == "EntityAlreadyExists"
        {
            // The reading that found none was an old one. As long as the next one finds none either, nothing can be updated.
            let live = self.read_managed(reach, policy).await?;
            let live = live.ok_or_else(|| Failure { class: Class::Propagating, ..failure.clone() })?;
            return self.update(reach, wanted, &live).await;
        }
        let written = Some(fingerprint::of(document, policy.partition()));
        self.wrote(Subject::Managed(policy.clone()), None, written, &answer);
        answer.map(|()| Outcome::written())
    }

    /// Puts the document in force: it is, or an older version has it, or a new version gets it. A version is never burned
    /// without need.
    async fn update(&self, reach: &Reach, wanted: Wanted<'_>, live: &RawManaged) -> Reading<Outcome> {
        let Wanted { policy, document, .. } = wanted;
        let subject = Subject::Managed(policy.clone());
        let partition = policy.partition();
        let (before, after) = (fingerprint::of_parsed(&live.document, partition), fingerprint::of(document, partition));
        if before == after && !self.recent().lags(&subject, Instant::now(), || Some(before.clone())) {
            return Ok(Outcome::unchanged());
        }
        let iam = Iam::new(reach);
        let versions = iam.versions(policy).await?.unwrap_or_default();
        let answer = if let Some(version) = self.version_with(reach, policy, live, &versions, &after).await? {
            iam.set_default_version(policy, &version).await
        } else {
            make_room(&iam, policy, &versions).await?;
            iam.create_version(policy, &document.to_json()).await
        };
        self.wrote(subject, Some(before), Some(after), &answer);
        answer.map(|()| Outcome::written())
    }

    /// The newest version that has the document.
    async fn version_with(
        &self,
        reach: &Reach,
        policy: &PolicyArn,
        live: &RawManaged,
        versions: &[Version],
        wanted: &str,
    ) -> Reading<Option<String>> {
        let mut newest_first: Vec<&Version> = versions.iter().collect();
        newest_first.sort_by_key(|version| std::cmp::Reverse(version.number()));
        for version in newest_first {
            let document = self.version(reach, policy, &live.policy_id, &version.id).await?;
            if document.is_some_and(|document| fingerprint::of_parsed(&document, policy.partition()) == wanted) {
                return Ok(Some(version.id.clone()));
            }
        }
        Ok(None)
    }

    /// Detaches the policy from everything, deletes its versions and itself. Each part may be gone already.
    pub(super) async fn delete_managed_policy(&self, reach: &Reach, policy: &PolicyArn) -> Reading<Outcome> {
        let iam = Iam::new(reach);
        let live = self.read_managed(reach, policy).await.ok().flatten();
        for holder in iam.holders(policy).await?.unwrap_or_default() {
            iam.detach(&holder, policy).await?;
        }
        self.caches.forget_entities();
        let versions = iam.versions(policy).await?.unwrap_or_default();
        for version in versions.iter().filter(|version| !version.is_default) {
            iam.delete_version(policy, &version.id).await?;
        }
        let answer = iam.delete_policy(policy).await;
        let before = live.map(|live| fingerprint::of_parsed(&live.document, policy.partition()));
        self.wrote(Subject::Managed(policy.clone()), before, None, &answer);
        Ok(answer?.map_or_else(Outcome::unchanged, |()| Outcome::written()))
    }
}

/// Deletes the oldest version that is not in force, if the policy has as many as it may have.
async fn make_room(iam: &Iam<'_>, policy: &PolicyArn, versions: &[Version]) -> Reading<()> {
    if versions.len() < MAX_VERSIONS {
        return Ok(());
    }
    match oldest_spare(versions) {
        Some(version) => iam.delete_version(policy, &version.id).await.map(drop),
        None => Ok(()),
    }
}

fn oldest_spare(versions: &[Version]) -> Option<&Version> {
    versions.iter().filter(|version| !version.is_default).min_by_key(|version| version.number())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(ids: &[&str], default: &str) -> Vec<Version> {
        ids.iter().map(|id| Version { id: (*id).to_owned(), is_default: *id == default }).collect()
    }

    #[test]
    fn the_oldest_version_that_is_not_in_force_goes() {
        let versions = versions(&["v10", "v9", "v8", "v2", "v11"], "v2");
        assert_eq!(oldest_spare(&versions).map(|version| version.id.as_str()), Some("v8"));
    }
}
