//! What is known of a secret without its value.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_secretsmanager::{
    operation::describe_secret::DescribeSecretOutput,
    types::{ReplicationStatusType, Tag},
};
use aws_smithy_types::date_time::Format;
use sharedkey_engine::secret::observed::Lag;

use super::CURRENT;
use crate::recent::State;

/// What is known of a secret without its value (D§5.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) arn: String,
    pub(crate) description: Option<String>,
    /// As it was given: the id, ARN or alias of a key; none for AWS' own key.
    pub(crate) key: Option<String>,
    /// Only a secret that is scheduled for deletion has one; in RFC 3339.
    pub(crate) deletion_date: Option<String>,
    pub(crate) owning_service: Option<String>,
    /// The Region of the secret that this one is a copy of, or its own.
    pub(crate) primary_region: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    /// Versions that carry a label, with their labels.
    pub(crate) versions: BTreeMap<String, BTreeSet<String>>,
    /// Copies by Region.
    pub(crate) replicas: BTreeMap<String, Replica>,
}

/// A copy in another Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replica {
    /// As it was given, in the replica's own Region; none for AWS' own key.
    pub(crate) key: Option<String>,
    /// `InSync`, `InProgress`, `Failed`, or what AWS adds one day.
    pub(crate) status: String,
    pub(crate) message: Option<String>,
}

impl Facts {
    /// None if the answer has no ARN.
    pub(super) fn of(answer: DescribeSecretOutput) -> Option<Self> {
        let versions = answer.version_ids_to_stages.unwrap_or_default();
        Some(Self {
            arn: answer.arn?,
            description: answer.description,
            key: answer.kms_key_id,
            deletion_date: answer.deleted_date.and_then(|date| date.fmt(Format::DateTime).ok()),
            owning_service: answer.owning_service,
            primary_region: answer.primary_region,
            tags: answer.tags.unwrap_or_default().into_iter().filter_map(tag).collect(),
            versions: versions.into_iter().map(|(id, labels)| (id, labels.into_iter().collect())).collect(),
            replicas: answer.replication_status.unwrap_or_default().into_iter().filter_map(replica).collect(),
        })
    }

    /// The version that is read unless another one is asked for.
    pub(crate) fn current_version(&self) -> Option<&str> {
        self.versions.iter().find(|(_, labels)| labels.contains(CURRENT)).map(|(id, _)| id.as_str())
    }

    /// What it says of a part, to be told from what it says before or after a write.
    pub(crate) fn state(&self, part: &Lag) -> State {
        match part {
            Lag::Deletion => self.deletion_date.is_some().then(|| "scheduled".to_owned()),
            Lag::Description => self.description.clone(),
            Lag::Key => self.key.clone(),
            Lag::Tags => Some(format!("{:?}", self.tags)),
            Lag::Value => self.current_version().map(str::to_owned),
            Lag::Replica(region) => self.replicas.get(region.as_str()).map(|replica| format!("{:?}", replica.key)),
        }
    }

    /// The parts that it, or what is known of the secret at another time, says anything of.
    pub(crate) fn parts(&self, other: &Self) -> Vec<Lag> {
        let regions: BTreeSet<&String> = self.replicas.keys().chain(other.replicas.keys()).collect();
        let replicas = regions.into_iter().filter_map(|region| region.parse().ok().map(Lag::Replica));
        [Lag::Deletion, Lag::Description, Lag::Key, Lag::Tags, Lag::Value].into_iter().chain(replicas).collect()
    }

    /// The same with another version as the current one.
    pub(crate) fn with_current(mut self, version: &str) -> Self {
        for labels in self.versions.values_mut() {
            labels.remove(CURRENT);
        }
        self.versions.entry(version.to_owned()).or_default().insert(CURRENT.to_owned());
        self
    }
}

fn tag(tag: Tag) -> Option<(String, String)> {
    Some((tag.key?, tag.value.unwrap_or_default()))
}

fn replica(entry: ReplicationStatusType) -> Option<(String, Replica)> {
    let status = entry.status.map(|status| status.as_str().to_owned()).unwrap_or_default();
    Some((entry.region?, Replica { key: entry.kms_key_id, status, message: entry.status_message }))
}

#[cfg(test)]
mod tests {
    use aws_sdk_secretsmanager::{primitives::DateTime, types::StatusType};

    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-AbCdEf";

    #[test]
    fn the_current_version_is_the_one_with_the_label() {
        let answer = DescribeSecretOutput::builder()
            .arn(ARN)
            .version_ids_to_stages("one", vec!["AWSPREVIOUS".into()])
            .version_ids_to_stages("two", vec!["AWSCURRENT".into(), "ours".into()]);
        assert_eq!(Facts::of(answer.build()).unwrap().current_version(), Some("two"));
        assert_eq!(Facts::of(DescribeSecretOutput::builder().arn(ARN).build()).unwrap().current_version(), None);
    }

    #[test]
    fn a_secret_that_goes_says_when_and_states_that_the_sdk_does_not_know_are_kept() {
        let entry = ReplicationStatusType::builder().region("eu-west-2").status(StatusType::from("Paused")).build();
        let answer = DescribeSecretOutput::builder()
            .arn(ARN)
            .deleted_date(DateTime::from_secs(1_800_000_000))
            .replication_status(entry);
        let facts = Facts::of(answer.build()).unwrap();
        assert_eq!(facts.deletion_date.as_deref(), Some("2027-01-15T08:00:00Z"));
        assert_eq!(facts.replicas["eu-west-2"].status, "Paused");
    }
}
