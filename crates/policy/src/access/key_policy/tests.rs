use crate::access::{Caller, Decision, key_policy_decision};
use crate::testing::document;

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd";
const ROLE: &str = "arn:aws:iam::444455556666:role/team/Reader";
const ROLE_ID: &str = "AROAREADER0000000001";

/// The decision about a foreign role that wants to decrypt.
fn decide(statements: &str) -> Decision {
    decide_for(ROLE, "kms:Decrypt", statements)
}

fn decide_for(arn: &str, action: &str, statements: &str) -> Decision {
    let (arn, key) = (arn.parse().unwrap(), KEY.parse().unwrap());
    key_policy_decision(&document(statements), &key, &Caller { arn: &arn, unique_id: Some(ROLE_ID) }, action)
}

fn allow(elements: &str) -> String {
    format!(r#"{{"Sid":"s","Effect":"Allow","Action":"kms:Decrypt","Resource":"*",{elements}}}"#)
}

fn deny(elements: &str) -> String {
    allow(elements).replace("Allow", "Deny").replace(r#""s""#, r#""d""#)
}

fn allowed(by: &str, conditions: &[&str]) -> Decision {
    Decision::Allowed { by: by.to_owned(), conditions: conditions.iter().map(|&c| c.to_owned()).collect() }
}

const EVERYONE: &str = r#""Principal":"*""#;

#[test]
fn principals_mean_the_caller_in_every_form() {
    for (principal, by) in [
        (r#""*""#, r#"statement "s" (by "*")"#),
        (r#"{"AWS":["*"]}"#, r#"statement "s" (by "*")"#),
        (r#"{"AWS":"444455556666"}"#, r#"statement "s" (by account)"#),
        (r#"{"AWS":"arn:aws:iam::444455556666:root"}"#, r#"statement "s" (by account)"#),
        (r#"{"AWS":["444455556666","arn:aws:iam::444455556666:role/team/Reader"]}"#, r#"statement "s""#),
        (r#"{"AWS":"AROAREADER0000000001"}"#, r#"statement "s""#),
    ] {
        assert_eq!(decide(&allow(&format!(r#""Principal":{principal}"#))), allowed(by, &[]), "{principal}");
    }
}

#[test]
fn others_are_not_the_caller() {
    for principal in [
        r#"{"AWS":"111122223333"}"#,
        r#"{"AWS":"arn:aws-cn:iam::444455556666:root"}"#,
        r#"{"AWS":"arn:aws:iam::444455556666:role/Reader"}"#,
        r#"{"AWS":"arn:aws:iam::444455556666:role/team/reader"}"#,
        r#"{"AWS":"arn:aws:iam::444455556666:user/team/Reader"}"#,
        r#"{"AWS":"arn:aws:iam::444455556666:role/team/*"}"#,
        r#"{"AWS":"AROAANOTHER000000001"}"#,
        r#"{"Service":"*"}"#,
        "{}",
    ] {
        let decision = decide(&allow(&format!(r#""Principal":{principal}"#)));
        assert!(matches!(decision, Decision::NotAllowed { .. }), "{principal}: {decision:?}");
    }
    assert!(matches!(decide(&allow(r#""Future":1"#)), Decision::NotAllowed { .. }));
}

#[test]
fn actions_and_resources_select_with_wildcards_and_negations() {
    let everyone = |rest: &str| format!(r#"{{"Effect":"Allow","Principal":"*",{rest}}}"#);
    for (rest, expected) in [
        (r#""Action":"KMS:decrypt","Resource":"*""#, true),
        (r#""Action":"kms:*","Resource":"*""#, true),
        (r#""Action":"*","Resource":"arn:aws:kms:*:111122223333:key/*""#, true),
        (r#""Action":["kms:Encrypt","kms:D?crypt"],"Resource":["*"]"#, true),
        (r#""NotAction":"kms:Encrypt","Resource":"*""#, true),
        (r#""NotAction":"kms:D*","Resource":"*""#, false),
        (r#""Action":"kms:Decrypt","NotResource":"arn:aws:kms:us-east-1:*:key/*""#, true),
        (r#""Action":"kms:Decrypt","NotResource":"*""#, false),
        (r#""Action":"kms:Decrypt""#, false),
        (r#""Resource":"*""#, false),
        (r#""Action":"kms:Decrypt","Resource":"arn:aws:kms:eu-west-1:111122223333:alias/x""#, false),
        (r#""Action":"kms:Decrypt","Resource":"1234abcd""#, false),
    ] {
        assert_eq!(matches!(decide(&everyone(rest)), Decision::Allowed { .. }), expected, "{rest}");
    }
}

#[test]
fn a_pattern_asks_about_everything_that_it_covers() {
    let half = r#"{"Effect":"Allow","Principal":"*","Action":"kms:ReEncryptFrom","Resource":"*"}"#;
    assert!(matches!(decide_for(ROLE, "kms:ReEncrypt*", half), Decision::NotAllowed { .. }));
    let both = half.replace("kms:ReEncryptFrom", r"kms:ReEncrypt*");
    assert!(matches!(decide_for(ROLE, "kms:ReEncrypt*", &both), Decision::Allowed { .. }));
    let denied = format!(r#"[{both},{{"Effect":"Deny","Principal":"*","Action":"kms:ReEncryptTo","Resource":"*"}}]"#);
    assert!(matches!(decide_for(ROLE, "kms:ReEncrypt*", &denied), Decision::ExplicitDeny { .. }));
}

#[test]
fn a_deny_wins_over_every_allow() {
    let statements = format!("[{},{}]", allow(EVERYONE), deny(r#""Principal":{"AWS":"444455556666"}"#));
    assert_eq!(
        decide(&statements),
        Decision::ExplicitDeny { by: r#"statement "d""#.to_owned(), conditions: Vec::new() }
    );
}

#[test]
fn a_deny_whose_condition_holds_says_which() {
    let condition = r#""Condition":{"StringNotEquals":{"aws:PrincipalAccount":"111122223333"}}"#;
    let statements = format!("[{},{}]", allow(EVERYONE), deny(&format!("{EVERYONE},{condition}")));
    let conditions = vec!["StringNotEquals aws:PrincipalAccount [111122223333]".to_owned()];
    assert_eq!(decide(&statements), Decision::ExplicitDeny { by: r#"statement "d""#.to_owned(), conditions });
    let spared =
        statements.replace(r#""aws:PrincipalAccount":"111122223333""#, r#""aws:PrincipalAccount":"444455556666""#);
    assert_eq!(decide(&spared), allowed(r#"statement "s" (by "*")"#, &[]));
}

#[test]
fn a_deny_that_only_a_request_decides_is_stated() {
    let condition = r#""Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-example"}}"#;
    let statements = format!("[{},{}]", allow(EVERYONE), deny(&format!("{EVERYONE},{condition}")));
    let caveat = r#"statement "d" does not deny it: StringNotEquals aws:PrincipalOrgID [o-example]"#;
    assert_eq!(decide(&statements), allowed(r#"statement "s" (by "*")"#, &[caveat]));
}

#[test]
fn an_allow_that_only_a_request_decides_states_its_conditions() {
    let via = |service: &str| format!(r#"{EVERYONE},"Condition":{{"StringEquals":{{"kms:ViaService":"{service}"}}}}"#);
    let (one, two) = (allow(&via("s3")), allow(&via("ec2")));
    assert_eq!(decide(&one), allowed(r#"statement "s" (by "*")"#, &["StringEquals kms:ViaService [s3]"]));
    let either = "StringEquals kms:ViaService [s3], or StringEquals kms:ViaService [ec2]";
    assert_eq!(decide(&format!("[{one},{two}]")), allowed(r#"statement "s" (by "*")"#, &[either]));
    let free = allow(r#""Principal":{"AWS":"444455556666"}"#);
    assert_eq!(decide(&format!("[{one},{two},{free}]")), allowed(r#"statement "s" (by account)"#, &[]));
}

#[test]
fn a_session_is_only_itself() {
    let session = r#""Principal":{"AWS":"arn:aws:sts::444455556666:assumed-role/Reader/nightly"}"#;
    let only = "only as session arn:aws:sts::444455556666:assumed-role/Reader/nightly";
    assert_eq!(decide(&allow(session)), allowed(r#"statement "s""#, &[only]));
    assert!(matches!(decide(&allow(&session.replace("Reader", "Writer"))), Decision::NotAllowed { .. }));
}

#[test]
fn not_principal_spares_a_principal_only_together_with_its_account() {
    let not = |listed: &str| format!(r#""NotPrincipal":{{"AWS":{listed}}}"#);
    let (both, account) = (r#"["444455556666","arn:aws:iam::444455556666:role/team/Reader"]"#, r#""444455556666""#);
    let named = r#""arn:aws:iam::444455556666:role/team/Reader""#;
    let denied = |listed: &str| decide(&format!("[{},{}]", allow(EVERYONE), deny(&not(listed))));
    assert_eq!(denied(both), allowed(r#"statement "s" (by "*")"#, &[]));
    assert!(matches!(denied(account), Decision::ExplicitDeny { .. }));
    assert!(matches!(denied(r#""111122223333""#), Decision::ExplicitDeny { .. }));
    let caveat = r#"statement "d" does not deny it: NotPrincipal lists the principal without its account"#;
    assert_eq!(denied(named), allowed(r#"statement "s" (by "*")"#, &[caveat]));
    for (listed, is_allowed) in [(both, false), (account, false), (named, false), (r#""111122223333""#, true)] {
        assert_eq!(matches!(decide(&allow(&not(listed))), Decision::Allowed { .. }), is_allowed, "{listed}");
    }
}

#[test]
fn near_misses_name_the_closest_statement() {
    let named = r#""Principal":{"AWS":"444455556666"}"#;
    let cases = [
        allow(&format!(r#"{named},"Condition":{{"ArnLike":{{"aws:PrincipalArn":"arn:aws:iam::*:role/other/*"}}}}"#)),
        allow(named).replace(r#""Resource":"*","#, ""),
        allow(named).replace(r#""Resource":"*""#, r#""Resource":"alias/x""#),
        allow(named).replace(r#""Action":"kms:Decrypt","#, ""),
        allow(named).replace("Decrypt", "Encrypt"),
        allow(&named.replace("444455556666", "arn:aws:iam::444455556666:role/Reader")),
        allow(&named.replace("444455556666", "arn:aws-cn:iam::444455556666:root")),
        allow(&named.replace("444455556666", "AROADELETED000000001")),
        allow(&named.replace("444455556666", "777788889999")),
        "[]".to_owned(),
    ];
    let misses: Vec<String> = cases
        .iter()
        .map(|case| match decide(case) {
            Decision::NotAllowed { near_miss } => near_miss.unwrap_or_else(|| "-".to_owned()),
            other => panic!("{case}: {other:?}"),
        })
        .collect();
    insta::assert_snapshot!(misses.join("\n"), @r#"
    statement "s" names it, but the condition ArnLike aws:PrincipalArn [arn:aws:iam::*:role/other/*] does not hold
    statement "s" has no Resource and so no effect
    statement "s" names it, but its Resource is not this key
    statement "s" has no Action and so no effect
    statement "s" names it, but not for this action
    statement "s" names arn:aws:iam::444455556666:role/Reader, which is another principal
    statement "s" names arn:aws-cn:iam::444455556666:root, which is of another partition
    statement "s" names AROADELETED000000001, a principal that was deleted or recreated
    -
    -
    "#);
}
