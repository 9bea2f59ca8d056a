//! The copies in other Regions.

use sharedkey_api::DriftKind;

use super::Case;
use crate::{
    compare::{Cause, Finding},
    secret::observed::{Lag, SecretKey},
};

/// `ReplicaMissing` and `ReplicaChanged`. Copies that the spec does not name and that are not ours are left alone.
pub(super) fn replicas(case: &Case<'_>) -> Vec<Finding> {
    let Some(described) = case.described else { return Vec::new() };
    let mut findings = Vec::new();
    for (region, key) in &case.desired.replicas {
        let is_other = |found: &SecretKey| key.as_ref().is_ok_and(|key| found.is_other(&key.arn));
        let key = key.as_ref().map_or_else(|_| "its key".to_owned(), |key| key.arn.to_string());
        let (resource, lagging) =
            (case.desired.replica_in(region), described.lagging.contains(&Lag::Replica(region.clone())));
        let (kind, cause, expected, observed, message) = match described.replicas.get(region) {
            None => (
                DriftKind::ReplicaMissing,
                case.side.cause(&resource, None, lagging),
                "a replica".to_owned(),
                "no replica".to_owned(),
                format!("secret {} has no replica in Region {region}; nobody can read it there", described.arn),
            ),
            Some(found) if is_other(&found.key) => (
                DriftKind::ReplicaChanged,
                case.part_cause(&resource, &found.key.to_string(), lagging),
                key.clone(),
                found.key.to_string(),
                format!(
                    "the replica of secret {} in Region {region} is encrypted with {}, not with {key}",
                    described.arn, found.key
                ),
            ),
            Some(found) if found.status == "Failed" => (
                DriftKind::ReplicaChanged,
                if lagging { Cause::Propagating } else { Cause::Drift },
                "InSync".to_owned(),
                found.status.clone(),
                format!(
                    "AWS could not replicate secret {} to Region {region}: {}; the operator's role has to be able to use {key}",
                    described.arn,
                    found.message.as_deref().unwrap_or("it does not say why"),
                ),
            ),
            Some(_) => continue,
        };
        findings.push(Finding {
            expected: Some(expected),
            observed: Some(observed),
            ..case.finding(kind, cause, Some(resource), region.as_str(), message)
        });
    }
    findings
}
