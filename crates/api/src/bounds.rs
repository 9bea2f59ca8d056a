//! Cutting a status to its bounds: one text too long, and the API server refuses all of it. Here is what the status of every
//! kind has; each kind says where it has it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::{
    drift::{Drift, LastCorrection},
    limits::{self, clip, clip_option},
};

/// What the status of every kind has that is compared with AWS.
pub(crate) struct Common<'a> {
    pub(crate) conditions: &'a mut [Condition],
    pub(crate) drift: &'a mut Vec<Drift>,
    pub(crate) last_correction: &'a mut Option<LastCorrection>,
    pub(crate) last_handled_reconcile_at: &'a mut Option<String>,
}

impl Common<'_> {
    pub(crate) fn bound(self) {
        for condition in self.conditions {
            clip(&mut condition.message, limits::CONDITION_MESSAGE);
        }
        self.drift.truncate(limits::DRIFT);
        self.drift.iter_mut().for_each(bound_drift);
        if let Some(correction) = self.last_correction {
            correction.items.truncate(limits::CORRECTIONS);
            correction.items.iter_mut().for_each(bound_drift);
        }
        clip_option(self.last_handled_reconcile_at, limits::REQUEST_TOKEN);
    }
}

fn bound_drift(drift: &mut Drift) {
    clip(&mut drift.subject, limits::DRIFT_SUBJECT);
    clip_option(&mut drift.principal, limits::ARN);
    clip_option(&mut drift.expected, limits::DRIFT_VALUE);
    clip_option(&mut drift.observed, limits::DRIFT_VALUE);
    clip(&mut drift.message, limits::DRIFT_MESSAGE);
}

/// Half a policy is none: a text that does not fit is left out, and the verdict's reason stays.
pub(crate) fn handoff_policy(text: &mut Option<String>) {
    if text.as_ref().is_some_and(|policy| policy.chars().count() > limits::HANDOFF_POLICY) {
        *text = None;
    }
}

/// What is told of each principal, whatever it has access to.
pub(crate) fn principal(arn: &mut String, unique_id: &mut Option<String>, reason: &mut Option<String>) {
    clip(arn, limits::ARN);
    clip_option(unique_id, limits::UNIQUE_ID);
    clip_option(reason, limits::VERDICT_REASON);
}

/// The largest parts that a status can be asked to hold, and what tests of each kind ask of the result.
#[cfg(test)]
pub(crate) mod testing {
    use k8s_openapi::{
        apimachinery::pkg::apis::meta::v1::{Condition, Time},
        jiff::Timestamp,
    };
    use serde::Serialize;
    use serde_json::Value;

    use crate::{Drift, DriftKind, DriftLayer, LastCorrection, limits};

    /// Twice as long as any text may be, with a character that JSON escapes now and then.
    pub(crate) fn long() -> String {
        "a policy \"text\" ".repeat(512)
    }

    pub(crate) fn condition() -> Condition {
        Condition {
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            message: long(),
            observed_generation: Some(i64::MAX),
            reason: "DelegationQuotaExceeded".to_owned(),
            status: "Unknown".to_owned(),
            type_: "DelegationApplied".to_owned(),
        }
    }

    pub(crate) fn drift() -> Drift {
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

    pub(crate) fn correction() -> LastCorrection {
        LastCorrection { time: Time(Timestamp::UNIX_EPOCH), items: vec![drift(); 1000] }
    }

    /// As long as it may be, with many characters that JSON escapes.
    pub(crate) fn handoff_policy() -> String {
        "\"Effect\": \"Allow\",       ".repeat(100)[..limits::HANDOFF_POLICY].to_owned()
    }

    /// The largest status is within the bound for all of it, and is not much smaller.
    pub(crate) fn assert_fits(status: &impl Serialize) {
        let bytes = serde_json::to_vec(status).unwrap().len();
        assert!(bytes <= limits::STATUS_BYTES, "{bytes} bytes");
        assert!(bytes > limits::STATUS_BYTES / 2, "{bytes} bytes: the case is not the largest any longer");
    }

    /// The API server takes the status: every list and text of it is within the bounds of its kind's schema.
    pub(crate) fn assert_taken(kind: &str, status: &impl Serialize) {
        let crds = crate::crds().unwrap();
        let crd = crds.iter().find(|crd| crd["spec"]["names"]["kind"] == kind).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"];
        assert_within("status", schema, &serde_json::to_value(status).unwrap());
    }

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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_handoff_policy_is_never_shown() {
        for (length, shown) in [(limits::HANDOFF_POLICY, true), (limits::HANDOFF_POLICY + 1, false)] {
            let mut policy = Some("x".repeat(length));
            handoff_policy(&mut policy);
            assert_eq!(policy.is_some(), shown, "{length}");
        }
    }
}
