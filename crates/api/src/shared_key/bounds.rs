//! Cutting a status to its bounds: one text too long, and the API server refuses all of it.

use super::status::{ConsumerStatus, PrincipalStatus, SharedKeyStatus};
use crate::{
    drift::Drift,
    limits::{self, clip, clip_option},
};

impl SharedKeyStatus {
    /// The status with every list and text within its bounds. Cutting twice changes nothing, so a bounded status can be
    /// compared with the one that was stored.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        for condition in &mut self.conditions {
            clip(&mut condition.message, limits::CONDITION_MESSAGE);
        }
        self.drift.truncate(limits::DRIFT);
        self.drift.iter_mut().for_each(bound_drift);
        if let Some(correction) = &mut self.last_correction {
            correction.items.truncate(limits::CORRECTIONS);
            correction.items.iter_mut().for_each(bound_drift);
        }
        self.consumers.iter_mut().for_each(bound_consumer);
        clip_option(&mut self.last_handled_reconcile_at, limits::REQUEST_TOKEN);
        self
    }
}

fn bound_drift(drift: &mut Drift) {
    clip(&mut drift.subject, limits::DRIFT_SUBJECT);
    clip_option(&mut drift.principal, limits::ARN);
    clip_option(&mut drift.expected, limits::DRIFT_VALUE);
    clip_option(&mut drift.observed, limits::DRIFT_VALUE);
    clip(&mut drift.message, limits::DRIFT_MESSAGE);
}

fn bound_consumer(consumer: &mut ConsumerStatus) {
    consumer.principals.iter_mut().for_each(bound_principal);
    // Half a policy is none: a text that does not fit is left out, and the verdict's reason stays.
    if consumer.handoff_policy.as_ref().is_some_and(|policy| policy.chars().count() > limits::HANDOFF_POLICY) {
        consumer.handoff_policy = None;
    }
}

fn bound_principal(principal: &mut PrincipalStatus) {
    clip(&mut principal.arn, limits::ARN);
    clip_option(&mut principal.unique_id, limits::UNIQUE_ID);
    clip_option(&mut principal.reason, limits::VERDICT_REASON);
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        apimachinery::pkg::apis::meta::v1::{Condition, Time},
        jiff::Timestamp,
    };

    use serde_json::Value;

    use super::*;
    use crate::{Basis, DriftKind, DriftLayer, HalfState, LastCorrection, VerdictValue};

    /// Twice as long as any text may be, with a character that JSON escapes now and then.
    fn long() -> String {
        "a policy \"text\" ".repeat(512)
    }

    fn drift() -> Drift {
        Drift {
            layer: DriftLayer::Delegation,
            kind: DriftKind::DefaultVersionChanged,
            account: "111122223333".to_owned(),
            principal: Some(long()),
            subject: long(),
            expected: Some(long()),
            observed: Some(long()),
            message: long(),
            first_observed_time: Some(Time(Timestamp::UNIX_EPOCH)),
        }
    }

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
            handoff_policy: Some("\"Effect\": \"Allow\",       ".repeat(100)[..limits::HANDOFF_POLICY].to_owned()),
        }
    }

    /// More than any spec and any drift can bring about.
    fn huge() -> SharedKeyStatus {
        let condition = Condition {
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            message: long(),
            observed_generation: Some(i64::MAX),
            reason: "DelegationQuotaExceeded".to_owned(),
            status: "Unknown".to_owned(),
            type_: "DelegationApplied".to_owned(),
        };
        SharedKeyStatus {
            observed_generation: Some(i64::MAX),
            conditions: vec![condition; 8],
            key_arn: Some("a".repeat(limits::ARN)),
            key_state: Some("PendingReplicaDeletion".to_owned()),
            drift: vec![drift(); 1000],
            drift_count: 1000,
            last_correction: Some(LastCorrection { time: Time(Timestamp::UNIX_EPOCH), items: vec![drift(); 1000] }),
            consumers: (0..limits::CONSUMERS).map(consumer).collect(),
            last_handled_reconcile_at: Some(long()),
        }
    }

    #[test]
    fn the_largest_status_fits() {
        let bytes = serde_json::to_vec(&huge().bounded()).unwrap().len();
        assert!(bytes <= limits::STATUS_BYTES, "{bytes} bytes");
        assert!(bytes > limits::STATUS_BYTES / 2, "{bytes} bytes: the case is not the largest any longer");
    }

    /// Whether a value keeps the bounds of its schema, everywhere in it.
    fn assert_within(path: &str, schema: &Value, value: &Value) {
        let bound = |name: &str| schema[name].as_u64().map_or(usize::MAX, |max| max.try_into().unwrap());
        match value {
            Value::String(text) => assert!(text.chars().count() <= bound("maxLength"), "{path} is too long"),
            Value::Array(items) => {
                assert!(items.len() <= bound("maxItems"), "{path} has too many items");
                for item in items {
                    assert_within(&format!("{path}[]"), &schema["items"], item);
                }
            }
            Value::Object(fields) => {
                for (name, field) in fields {
                    let property = &schema["properties"][name];
                    assert!(property.is_object(), "{path}.{name} is not in the schema");
                    assert_within(&format!("{path}.{name}"), property, field);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn a_bounded_status_is_one_that_the_api_server_takes() {
        let crds = crate::crds().unwrap();
        let crd = crds.iter().find(|crd| crd["spec"]["names"]["kind"] == "SharedKey").unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"];
        assert_within("status", schema, &serde_json::to_value(huge().bounded()).unwrap());
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

    #[test]
    fn half_a_handoff_policy_is_never_shown() {
        let mut status = huge();
        status.consumers[0].handoff_policy = Some("x".repeat(limits::HANDOFF_POLICY + 1));
        let status = status.bounded();
        assert_eq!(status.consumers[0].handoff_policy, None);
        assert!(status.consumers[1].handoff_policy.is_some());
    }
}
