//! Copies of a secret in other Regions (D§5.7).

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::types::ReplicaRegionType;
use sharedkey_engine::problem::Reading;
use sharedkey_policy::{KeyArn, Region};

use super::{CHANGES, SecretsManager, api};
use crate::meter::Api;

const REPLICATE_SECRET_TO_REGIONS: Api = api("ReplicateSecretToRegions", CHANGES);
const REMOVE_REGIONS_FROM_REPLICATION: Api = api("RemoveRegionsFromReplication", CHANGES);

impl SecretsManager<'_> {
    /// Copies the secret to Regions, each with a key of its own. A secret of the same name there is never written over: it is somebody
    /// else's.
    pub(crate) async fn replicate(&self, secret: &str, to: &BTreeMap<Region, KeyArn>) -> Reading<()> {
        let regions = to.iter().map(|(region, key)| {
            ReplicaRegionType::builder().region(region.as_str()).kms_key_id(key.to_string()).build()
        });
        let request = self.client.replicate_secret_to_regions().secret_id(secret);
        let request = request.set_add_replica_regions(Some(regions.collect())).send();
        self.call(REPLICATE_SECRET_TO_REGIONS, secret, request).await.map(drop)
    }

    /// Deletes the copies in Regions.
    pub(crate) async fn remove_replicas(&self, secret: &str, from: &[Region]) -> Reading<()> {
        let regions = from.iter().map(|region| region.as_str().to_owned()).collect();
        let request = self.client.remove_regions_from_replication().secret_id(secret);
        let request = request.set_remove_replica_regions(Some(regions)).send();
        self.call(REMOVE_REGIONS_FROM_REPLICATION, secret, request).await.map(drop)
    }
}
