//! Key policies as tests write and read them.

use serde_json::{Value, json};
use sharedkey_harness::aws::Account;

/// A key policy with the owner's root statement and two foreign statements in spellings that a careless merge would change.
pub fn key_document(owner: &Account) -> Value {
    json!({
        "Version": "2012-10-17",
        "Id": "key-of-another-team",
        "Statement": [
            {"Sid": "Enable IAM User Permissions", "Effect": "Allow", "Principal": {"AWS": owner.root_arn()}, "Action": "kms:*", "Resource": "*"},
            {"Sid": "Allow use through S3", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
             "Resource": "*", "Condition": {"StringEquals": {"kms:CallerAccount": owner.id(), "kms:ViaService": format!("s3.{}.amazonaws.com", owner.root().region())}}},
            {"Effect": "Deny", "Principal": "*", "Action": ["kms:DisableKeyRotation"], "Resource": "*",
             "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": false}}},
        ],
    })
}

/// The statements of a document that no SharedKey wrote, order aside.
pub fn foreign(document: &Value) -> Vec<String> {
    let ours = |statement: &&Value| statement["Sid"].as_str().is_some_and(|sid| sid.starts_with("SharedKey/"));
    let mut foreign: Vec<String> =
        statements(document).iter().filter(|statement| !ours(statement)).map(ToString::to_string).collect();
    foreign.sort();
    foreign
}

/// The Sid under which an operator shares with a consumer.
pub fn own_sid(owner_id: &str, namespace: &str, name: &str, consumer: &str) -> String {
    format!("SharedKey/{owner_id}/{namespace}/{name}/{consumer}")
}

/// Whether a document has a statement with a Sid.
pub fn has_sid(document: &Value, sid: &str) -> bool {
    statements(document).iter().any(|statement| statement["Sid"] == sid)
}

/// The statement with a Sid, to be changed.
///
/// # Panics
/// Where there is none: a story that changes it says that it is there.
#[expect(clippy::panic, reason = "this fails a test")]
pub fn statement<'a>(document: &'a mut Value, sid: &str) -> &'a mut Value {
    let statements = document["Statement"].as_array_mut().map(Vec::as_mut_slice).unwrap_or_default();
    let found = statements.iter_mut().find(|statement| statement["Sid"] == sid);
    found.unwrap_or_else(|| panic!("the key policy has no statement {sid:?}"))
}

fn statements(document: &Value) -> &[Value] {
    document["Statement"].as_array().map(Vec::as_slice).unwrap_or_default()
}
