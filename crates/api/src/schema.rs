//! Schemas of the leaves: each kind of text has its bound, and where its form can be wrong, one rule with a message that
//! says what is right.

mod account;
mod kubernetes;
mod secret;
mod sharing;

pub(crate) use self::account::{
    account_id, account_ids, allowed_actions, audience, endpoint, key_patterns, partition, principal_patterns, region,
    role_arn, session_name,
};
pub(crate) use self::kubernetes::{conditions, label_selector, namespaces, object_name, secret_key};
pub(crate) use self::secret::{recovery_window_days, secret_name, secret_patterns, secret_type, tags, target_keys};
pub(crate) use self::sharing::{
    actions, consumer_name, encryption_context, interval, key_alias, key_arn, key_id, kms_key_arn, organization_id,
    principal_arn, reader_name, role, user, via_services,
};
use kube::core::Rule;
use schemars::{Schema, json_schema};
use serde_json::json;

fn text(max: usize) -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": max})
}

fn ruled(mut schema: Schema, rules: &[Rule]) -> Schema {
    schema.insert("x-kubernetes-validations".to_owned(), json!(rules));
    schema
}

/// A text that matches `regex`, which its author anchors.
fn formed(max: usize, regex: &str, message: &str) -> Schema {
    ruled(text(max), &[Rule::new(format!("self.matches(r'{regex}')")).message(message)])
}

/// A list without duplicates, the order of which means nothing.
fn set(items: &Schema, max: usize) -> Schema {
    json_schema!({"type": "array", "items": items, "maxItems": max, "x-kubernetes-list-type": "set"})
}
