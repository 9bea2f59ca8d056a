//! Copies of a secret in other Regions: made and deleted (D§5.7).

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_engine::{
    ledger::Resource,
    problem::{Class, Reading},
    secret::observed::Lag,
};
use sharedkey_policy::{KeyArn, Region};
use tokio::time::Instant;

use super::{
    Outcome, may_have_happened,
    secret::{Site, failure, not_ours},
};
use crate::{
    Aws,
    secretsmanager::{Facts, Replica},
};

const REMOVE: &str = "RemoveRegionsFromReplication";

impl Aws {
    /// Copies a secret to the Regions where it has no copy under this key. AWS gives no copy another key: that one has to go first.
    pub(super) async fn replicate_secret(
        &self,
        site: Site<'_>,
        replicas: &BTreeMap<Region, KeyArn>,
    ) -> Reading<Outcome> {
        let mut after = self.before_write(&site, "ReplicateSecretToRegions").await?;
        let before = after.clone();
        let mut missing = replicas.clone();
        missing.retain(|region, key| {
            let copy = before.replicas.get(region.as_str());
            copy.is_none_or(|copy| copy.key != Some(key.to_string()) || copy.status == "Failed")
        });
        for (region, key) in replicas {
            let copy = Replica { key: Some(key.to_string()), status: "InProgress".into(), message: None };
            after.replicas.insert(region.to_string(), copy);
        }
        if missing.is_empty() && self.is_so(&site, &before, &after) {
            return Ok(Outcome::unchanged());
        }
        let answer = site.manager.replicate(&site.id, &missing).await;
        let answer = repeated(&site, missing.keys(), &after, answer).await;
        if answer.as_ref().is_err_and(may_have_happened) {
            let made = missing.into_keys();
            let made = made.map(|region| Resource::Replica { secret: site.secret.clone(), region });
            // Each attempt of the SDK is signed anew, and the last one may have left only now.
            self.note_unanswered(made, Instant::now());
        }
        self.wrote_secret(&site, &before, &after, answer)
    }

    /// Deletes copies of a secret with these tags.
    pub(super) async fn remove_replicas(
        &self,
        site: Site<'_>,
        regions: &BTreeSet<Region>,
        tags: &BTreeMap<String, String>,
    ) -> Reading<Outcome> {
        let Some(before) = site.look().await? else { return Ok(Outcome::unchanged()) };
        if !self.carries(&site, &before, tags, REMOVE)? {
            return Err(not_ours(REMOVE, site.secret, "its tags do not say that it is this object's"));
        }
        self.drop_replicas(&site, &before, regions).await
    }

    /// Deletes copies of a secret that was looked at, unless the look may be older than what we did to them.
    pub(super) async fn drop_replicas(
        &self,
        site: &Site<'_>,
        before: &Facts,
        regions: &BTreeSet<Region>,
    ) -> Reading<Outcome> {
        let lagging = self.secret_lags(site.secret, before);
        if regions.iter().any(|region| lagging.contains(&Lag::Replica(region.clone()))) {
            let message = "the replicas were read as they were before our last write; nothing was written";
            return Err(failure(Class::Propagating, REMOVE, site.secret, "StaleRead", message));
        }
        let mut after = before.clone();
        let there: Vec<Region> =
            regions.iter().filter(|region| after.replicas.remove(region.as_str()).is_some()).cloned().collect();
        if there.is_empty() {
            return Ok(Outcome::unchanged());
        }
        let answer = site.manager.remove_replicas(&site.id, &there).await;
        let answer = repeated(site, there.iter(), &after, answer).await;
        self.wrote_secret(site, before, &after, answer)
    }
}

/// The SDK repeats a call whose answer was lost, and AWS refuses it then: what was asked for is so already.
async fn repeated<'a>(
    site: &Site<'_>,
    mut regions: impl Iterator<Item = &'a Region>,
    after: &Facts,
    answer: Reading<()>,
) -> Reading<()> {
    let Err(failure) = answer else { return Ok(()) };
    if failure.code != "InvalidParameterException" {
        return Err(failure);
    }
    let is_so = |now: &Facts, region: &Region| {
        let copy = Lag::Replica(region.clone());
        now.state(&copy) == after.state(&copy)
    };
    match site.look().await {
        Ok(Some(now)) if regions.all(|region| is_so(&now, region)) => Ok(()),
        _ => Err(failure),
    }
}
