//! Would the owner still be able to change the policy? KMS asks the same of the caller (D§1.5).

use crate::access::{Caller, OF_ALL, Parties, Subject, key_policy_answer};
use crate::arn::{EntityArn, KeyArn};
use crate::document::{PolicyDocument, Statement};

/// Whether a document would leave `kms:PutKeyPolicy` to nobody of the owner account, or not to the role that writes it.
///
/// Only what is certain counts as left: an Allow under a condition that a request decides is no promise. A Deny under
/// such a condition does not lock out. That the writer's own IAM policies allow the call is not judged here.
pub fn locks_out(document: &PolicyDocument, key: &KeyArn, writer: Option<&EntityArn>) -> bool {
    match writer.filter(|writer| (writer.partition(), writer.account()) == (key.partition(), key.account())) {
        Some(writer) => !keeps(document, &parties(writer, key)),
        None => !keeps(document, &Parties::of_owner(key)) && !named_administrator_keeps(document, key),
    }
}

const ACTION: &str = "kms:PutKeyPolicy";

fn parties<'a>(entity: &'a EntityArn, key: &'a KeyArn) -> Parties<'a> {
    Parties::new(&Caller { arn: entity, unique_id: None }, Subject::Key { key, within: None }, OF_ALL)
}

fn keeps(document: &PolicyDocument, parties: &Parties<'_>) -> bool {
    let answer = key_policy_answer(document, parties.about(ACTION));
    answer.denied.is_none() && answer.allows.iter().any(|allow| allow.conditions.is_empty())
}

/// A policy without the account root is legal as long as it names an administrator of the account.
fn named_administrator_keeps(document: &PolicyDocument, key: &KeyArn) -> bool {
    let named = document.statements().iter().flat_map(Statement::aws_principals);
    let entities = named.filter_map(|principal| principal.parse::<EntityArn>().ok());
    let mut of_owner = entities.filter(|e| (e.partition(), e.account()) == (key.partition(), key.account()));
    of_owner.any(|entity| keeps(document, &parties(&entity, key)))
}
