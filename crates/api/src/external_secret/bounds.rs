use super::status::{ExternalSecretStatus, ReaderPrincipalStatus, ReaderStatus};
use crate::{
    bounds::{self, Common},
    limits::{self, clip_option},
};

impl ExternalSecretStatus {
    /// The status with every list and text within its bounds. Cutting twice changes nothing, so a bounded status can be
    /// compared with the one that was stored.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        Common {
            conditions: &mut self.conditions,
            drift: &mut self.drift,
            last_correction: &mut self.last_correction,
            last_handled_reconcile_at: &mut self.last_handled_reconcile_at,
        }
        .bound();
        for ReaderStatus { principals, handoff_policy, .. } in &mut self.readers {
            bounds::handoff_policy(handoff_policy);
            for ReaderPrincipalStatus { arn, unique_id, reason, .. } in principals {
                bounds::principal(arn, unique_id, reason);
            }
        }
        for replica in &mut self.replicas {
            clip_option(&mut replica.message, limits::REPLICA_MESSAGE);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Basis, ExternalSecretStatus, HalfState, ReaderPrincipalStatus, ReaderStatus, ReplicaStatus, VerdictValue,
        bounds::testing::{assert_fits, assert_taken, condition, correction, drift, handoff_policy, long},
        limits,
    };

    fn reader(index: usize) -> ReaderStatus {
        let principal = ReaderPrincipalStatus {
            arn: "a".repeat(limits::ARN),
            unique_id: Some("AROA5XKXPLQ3EXAMPLE01".to_owned()),
            secret_policy: HalfState::Propagating,
            delegation: HalfState::NotManaged,
            key: VerdictValue::Allowed,
            verdict: VerdictValue::Allowed,
            basis: Basis::Computed,
            reason: Some(long()),
        };
        ReaderStatus {
            name: format!("{index:063}"),
            account: "444455556666".to_owned(),
            principals: vec![principal; limits::PRINCIPALS / limits::READERS],
            handoff_policy: Some(handoff_policy()),
        }
    }

    fn replica(index: usize) -> ReplicaStatus {
        ReplicaStatus { region: format!("{index:032}"), state: Some("InProgress".to_owned()), message: Some(long()) }
    }

    /// More than any spec and any drift can bring about.
    fn huge() -> ExternalSecretStatus {
        ExternalSecretStatus {
            observed_generation: Some(i64::MAX),
            conditions: vec![condition(); 10],
            secret_arn: Some("a".repeat(limits::SECRET_ARN)),
            kms_key_arn: Some("a".repeat(limits::ARN)),
            version_id: Some("a".repeat(limits::VERSION_ID)),
            drift: vec![drift(); 1000],
            drift_count: 1000,
            last_correction: Some(correction()),
            readers: (0..limits::READERS).map(reader).collect(),
            replicas: (0..limits::REPLICAS).map(replica).collect(),
            last_handled_reconcile_at: Some(long()),
        }
    }

    #[test]
    fn the_largest_status_fits_and_is_one_that_the_api_server_takes() {
        assert_fits(&huge().bounded());
        assert_taken("ExternalSecret", &huge().bounded());
    }

    #[test]
    fn cutting_twice_changes_nothing() {
        let once = huge().bounded();
        assert_eq!(once.clone().bounded(), once);
    }
}
