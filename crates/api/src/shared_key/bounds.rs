use super::status::{ConsumerStatus, PrincipalStatus, SharedKeyStatus};
use crate::{
    bounds::{self, Common},
    limits::{self, clip, clip_option},
};

impl SharedKeyStatus {
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
        if let Some(collision) = &mut self.last_collision {
            collision.items.truncate(limits::COLLISIONS);
            for item in &mut collision.items {
                clip_option(&mut item.sid, limits::DRIFT_SUBJECT);
                clip(&mut item.statement, limits::COLLISION_STATEMENT);
            }
        }
        for ConsumerStatus { principals, handoff_policy, .. } in &mut self.consumers {
            bounds::handoff_policy(handoff_policy);
            for PrincipalStatus { arn, unique_id, reason, .. } in principals {
                bounds::principal(arn, unique_id, reason);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

    use crate::{
        Basis, Collision, CollisionOutcome, ConsumerStatus, HalfState, LastCollision, PrincipalStatus, SharedKeyStatus,
        VerdictValue,
        bounds::testing::{assert_fits, assert_taken, condition, correction, drift, handoff_policy, long},
        limits,
    };

    fn consumer(index: usize) -> ConsumerStatus {
        let principal = PrincipalStatus {
            arn: "a".repeat(limits::ARN),
            unique_id: Some("AROA5XKXPLQ3EXAMPLE01".to_owned()),
            key_policy: HalfState::Propagating,
            delegation: HalfState::NotManaged,
            verdict: VerdictValue::Allowed,
            basis: Basis::Computed,
            reason: Some(long()),
        };
        ConsumerStatus {
            name: format!("{index:063}"),
            account: "444455556666".to_owned(),
            principals: vec![principal; limits::PRINCIPALS / limits::CONSUMERS],
            handoff_policy: Some(handoff_policy()),
        }
    }

    fn collision() -> Collision {
        Collision { outcome: CollisionOutcome::Revived, sid: Some(long()), statement: long() }
    }

    /// More than any spec and any drift can bring about.
    fn huge() -> SharedKeyStatus {
        SharedKeyStatus {
            observed_generation: Some(i64::MAX),
            conditions: vec![condition(); 8],
            key_arn: Some("a".repeat(limits::ARN)),
            key_state: Some("PendingReplicaDeletion".to_owned()),
            drift: vec![drift(); 1000],
            drift_count: 1000,
            last_correction: Some(correction()),
            last_collision: Some(LastCollision { time: Time(Timestamp::UNIX_EPOCH), items: vec![collision(); 1000] }),
            consumers: (0..limits::CONSUMERS).map(consumer).collect(),
            last_handled_reconcile_at: Some(long()),
        }
    }

    #[test]
    fn the_largest_status_fits_and_is_one_that_the_api_server_takes() {
        assert_fits(&huge().bounded());
        assert_taken("SharedKey", &huge().bounded());
    }

    #[test]
    fn cutting_twice_changes_nothing() {
        let once = huge().bounded();
        assert_eq!(once.clone().bounded(), once);
    }

    #[test]
    fn the_true_number_of_differences_survives() {
        let status = huge().bounded();
        assert_eq!((status.drift.len(), status.drift_count), (limits::DRIFT, 1000));
    }
}
