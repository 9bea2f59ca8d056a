use super::*;
use crate::access::{Caller, identity_decision};
use crate::testing::document;

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd";
const CONTEXT: &str = r#""Condition":{"StringEquals":{"kms:EncryptionContext:App":"x"}}"#;

fn attached(name: &str, statements: &str) -> AttachedDocument {
    AttachedDocument { name: name.to_owned(), document: document(statements) }
}

fn statement(effect: &str, action: &str, resource: &str) -> String {
    format!(r#"{{"Effect":"{effect}","Action":"{action}","Resource":"{resource}"}}"#)
}

fn decide(policies: Vec<AttachedDocument>, boundary: Option<AttachedDocument>) -> Decision {
    let (arn, key) = ("arn:aws:iam::444455556666:user/Eve".parse().unwrap(), KEY.parse().unwrap());
    let caller = Caller { arn: &arn, unique_id: None };
    identity_decision(&IdentityPolicies { policies, boundary }, &key, &caller, "kms:Decrypt")
}

fn allowed(by: &str, conditions: &[&str]) -> Decision {
    Decision::Allowed { by: by.to_owned(), conditions: conditions.iter().map(|&c| c.to_owned()).collect() }
}

#[test]
fn any_policy_may_allow_and_is_named() {
    let other = attached("inline policy Other", &statement("Allow", "s3:*", "*"));
    let group = attached("group G: inline policy Keys", &statement("Allow", "kms:*", KEY));
    assert_eq!(decide(vec![other, group], None), allowed("group G: inline policy Keys, statement 1", &[]));
}

#[test]
fn any_policy_may_deny() {
    let allow = attached("inline policy A", &statement("Allow", "kms:Decrypt", KEY));
    let deny = attached("inline policy D", &statement("Deny", "kms:*", "*"));
    let expected = Decision::ExplicitDeny { by: "inline policy D, statement 1".to_owned(), conditions: Vec::new() };
    assert_eq!(decide(vec![allow, deny], None), expected);
}

#[test]
fn only_resources_that_select_this_key_count() {
    for (resource, expected) in [
        (KEY, true),
        ("*", true),
        ("arn:aws:kms:*:111122223333:key/*", true),
        ("arn:aws:kms:eu-west-1:111122223333:key/1234*", true),
        ("arn:aws:kms:eu-west-1:444455556666:key/1234abcd", false),
        ("arn:aws:kms:us-east-1:111122223333:key/1234abcd", false),
        ("arn:aws:kms:eu-west-1:111122223333:alias/payments", false),
        ("1234abcd", false),
    ] {
        let decision = decide(vec![attached("p", &statement("Allow", "kms:Decrypt", resource))], None);
        assert_eq!(matches!(decision, Decision::Allowed { .. }), expected, "{resource}");
    }
}

#[test]
fn not_action_and_not_resource_select_the_rest() {
    let policy = |elements: &str| vec![attached("p", &format!(r#"{{"Effect":"Allow",{elements}}}"#))];
    assert!(matches!(
        decide(policy(r#""NotAction":"iam:*","NotResource":"arn:aws:s3:::*""#), None),
        Decision::Allowed { .. }
    ));
    let not_this = format!(r#""NotAction":"iam:*","NotResource":"{KEY}""#);
    assert!(matches!(decide(policy(&not_this), None), Decision::NotAllowed { .. }));
}

#[test]
fn a_boundary_filters_and_never_gives() {
    let policy = || vec![attached("p", &statement("Allow", "kms:Decrypt", KEY))];
    let boundary = |effect: &str, action: &str| Some(attached("policy/B", &statement(effect, action, "*")));
    assert_eq!(decide(policy(), boundary("Allow", "kms:*")), allowed("p, statement 1", &[]));
    assert_eq!(decide(policy(), boundary("Allow", "s3:*")), Decision::BoundaryDeny { by: "policy/B".to_owned() });
    assert!(matches!(decide(policy(), boundary("Deny", "kms:*")), Decision::ExplicitDeny { .. }));
    assert!(matches!(decide(Vec::new(), boundary("Allow", "*")), Decision::NotAllowed { .. }));
}

#[test]
fn conditions_of_policy_and_boundary_are_both_stated() {
    let policy = statement("Allow", "kms:Decrypt", KEY).replace("\"Action\"", &format!("{CONTEXT},\"Action\""));
    let boundary = policy.replace("App", "Team");
    let decision = decide(vec![attached("p", &policy)], Some(attached("b", &boundary)));
    let stated = ["StringEquals kms:EncryptionContext:App [x]", "StringEquals kms:EncryptionContext:Team [x]"];
    assert_eq!(decision, allowed("p, statement 1", &stated));
}

#[test]
fn near_misses_say_what_is_allowed_instead() {
    let condition = r#""Condition":{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}"#;
    let cases = [
        statement("Allow", "kms:Decrypt", KEY).replace("\"Action\"", &format!("{condition},\"Action\"")),
        statement("Allow", "kms:*", "arn:aws:kms:us-east-1:111122223333:key/1234abcd"),
        statement("Allow", "kms:Decrypt", "arn:aws:kms:eu-west-1:111122223333:alias/payments"),
        statement("Allow", "kms:Decrypt", KEY).replace("Resource", "NotResource"),
        statement("Allow", "kms:Encrypt", KEY),
        statement("Allow", "kms:Encrypt", "*"),
    ];
    let misses: Vec<String> = cases
        .iter()
        .map(|case| match decide(vec![attached("inline policy P", case)], None) {
            Decision::NotAllowed { near_miss } => near_miss.unwrap_or_else(|| "-".to_owned()),
            other => panic!("{case}: {other:?}"),
        })
        .collect();
    insta::assert_snapshot!(misses.join("\n"), @"
    inline policy P, statement 1 allows it, but the condition StringEquals aws:RequestedRegion [us-east-1] does not hold
    inline policy P, statement 1 allows it on arn:aws:kms:us-east-1:111122223333:key/1234abcd, not on this key
    inline policy P, statement 1 allows it on arn:aws:kms:eu-west-1:111122223333:alias/payments, not on this key; an alias does not select a key here, only a key ARN does
    inline policy P, statement 1 allows it on everything but arn:aws:kms:eu-west-1:111122223333:key/1234abcd, not on this key
    inline policy P, statement 1 allows other actions on this key, not this one
    -
    ");
}
