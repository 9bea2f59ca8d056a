use super::*;
use crate::testing::document;

const KEY: &str = "arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd";
const ROOT: &str = r#"{"Sid":"root","Effect":"Allow","Principal":{"AWS":"arn:aws-cn:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}"#;

fn lints(statements: &str) -> Vec<Lint> {
    preflight(&document(&format!("[{ROOT},{statements}]")), &KEY.parse().unwrap(), None)
}

fn allow(principal: &str, action: &str) -> String {
    format!(r#"{{"Sid":"s","Effect":"Allow","Principal":{principal},"Action":"{action}","Resource":"*"}}"#)
}

fn under(condition: &str, action: &str) -> String {
    let statement = allow(r#"{"AWS":"444455556666"}"#, action);
    statement.replace(r#","Resource""#, &format!(r#","Condition":{{{condition}}},"Resource""#))
}

#[test]
fn each_mistake_is_found_and_named() {
    let foreign = r#"{"AWS":["arn:aws-cn:iam::111122223333:role/Own","arn:aws-cn:iam::444455556666:role/R"]}"#;
    let cases = [
        allow(foreign, "kms:Decrypt").replace(r#""s""#, r#""“s”""#),
        allow(r#"{"AWS":["AROADELETED000000001","111122223333"]}"#, "kms:Decrypt"),
        allow(r#"{"AWS":"arn:aws:iam::111122223333:role/R"}"#, "kms:Decrypt"),
        allow(r#"{"AWS":"arn:aws-cn:iam::111122223333:group/G"}"#, "kms:Decrypt"),
        allow(r#"{"AWS":"arn:aws-cn:iam::111122223333:role/*"}"#, "kms:Decrypt"),
        allow(foreign, "kms:Decrypt").replace(r#","Resource":"*""#, ""),
        allow(foreign, "kms:Decrypt").replace(r#""Action":"kms:Decrypt","#, ""),
        allow(r#""*""#, "kms:Decrypt"),
        allow(foreign, "kms:EnableKey"),
        allow(r#"{"AWS":"444455556666"}"#, "kms:Put*"),
        allow(foreign, "kms:Decrypt").replace(r#""Resource":"*""#, r#""Resource":"alias/x""#),
        under(r#""ForAllValues:StringEquals":{"kms:EncryptionContext:App":"x"}"#, "kms:Decrypt"),
        under(r#""StringEquals":{"kms:ViaService":"s3.cn-north-1.amazonaws.com.cn"}"#, "kms:Decrypt"),
        under(
            r#""StringEquals":{"kms:ViaService":["s3.cn-north-1.amazonaws.com","s3.us-east-1.amazonaws.com"]}"#,
            "kms:Decrypt",
        ),
        under(r#""StringEquals":{"kms:EncryptionContext:App":"x"}"#, "kms:DescribeKey"),
    ];
    let found: Vec<String> = cases
        .iter()
        .map(|case| {
            let lints = lints(case);
            assert_eq!(lints.len(), 1, "{case}: {lints:?}");
            let severity = if lints[0].blocks() { "blocks" } else { "warns" };
            format!("{} {severity}: {}", lints[0].reason(), lints[0])
        })
        .collect();
    insta::assert_snapshot!(found.join("\n"), @r#"
    Character blocks: statement "“s”" contains '“'; a key policy may contain only Latin-1 characters
    OrphanedPrincipal blocks: statement "s" names AROADELETED000000001, a role or user that was deleted
    PartitionMismatch blocks: statement "s" names arn:aws:iam::111122223333:role/R, which is of another partition than the key
    InvalidPrincipal blocks: statement "s" names arn:aws-cn:iam::111122223333:group/G, which KMS does not accept as a principal: no groups, and no wildcard but "*"
    InvalidPrincipal blocks: statement "s" names arn:aws-cn:iam::111122223333:role/*, which KMS does not accept as a principal: no groups, and no wildcard but "*"
    NoEffect warns: statement "s" has no Resource and so no effect
    NoEffect warns: statement "s" has no Action and so no effect
    Everyone warns: statement "s" allows everyone ("*") without a condition
    IneffectiveCrossAccountAction warns: statement "s" allows kms:EnableKey to arn:aws-cn:iam::444455556666:role/R, but the action has no effect across accounts
    IneffectiveCrossAccountAction warns: statement "s" allows kms:Put* to 444455556666, but the action has no effect across accounts
    NoEffect warns: statement "s" has no Resource that selects this key and so no effect
    OverlyPermissiveCondition blocks: statement "s" puts ForAllValues on kms:EncryptionContext:App, which KMS refuses: a request without the key would pass
    ViaServiceEndpoint warns: statement "s" expects kms:ViaService s3.cn-north-1.amazonaws.com.cn, which no service of the key's region has: SERVICE.cn-north-1.amazonaws.com
    ViaServiceEndpoint warns: statement "s" expects kms:ViaService s3.us-east-1.amazonaws.com, which no service of the key's region has: SERVICE.cn-north-1.amazonaws.com
    EncryptionContextWithout warns: statement "s" allows kms:DescribeKey under a condition on the encryption context, which that action never has
    "#);
}

#[test]
fn what_is_right_is_not_reported() {
    for statement in [
        allow(
            r#"{"AWS":["444455556666","arn:aws-cn:sts::444455556666:assumed-role/R/s","arn:aws-cn:iam::444455556666:user/a/b"]}"#,
            "kms:*",
        ),
        allow(r#"{"AWS":"444455556666"}"#, "kms:NotYetKnown"),
        allow(r#"{"Service":"cloudtrail.amazonaws.com"}"#, "kms:GenerateDataKey*"),
        allow(r#""*""#, "kms:Decrypt")
            .replace(r#","Resource""#, r#","Condition":{"StringEquals":{"kms:CallerAccount":"1"}},"Resource""#),
        allow(r#""*""#, "kms:ScheduleKeyDeletion").replace("Allow", "Deny"),
        allow(r#"{"AWS":"111122223333"}"#, "kms:EnableKey"),
        under(r#""StringEquals":{"kms:ViaService":"secretsmanager.cn-north-1.amazonaws.com"}"#, "kms:*"),
        under(r#""StringLike":{"kms:ViaService":["s3.*.amazonaws.com","*"]}"#, "kms:Decrypt"),
        under(r#""StringEquals":{"kms:EncryptionContext:App":"x"}"#, "kms:GenerateDataKey*"),
        under(r#""StringEqualsIfExists":{"kms:EncryptionContext:App":"x"}"#, "kms:DescribeKey"),
        under(r#""ForAllValues:StringEquals":{"kms:EncryptionContextKeys":"App"}"#, "kms:Decrypt"),
    ] {
        assert_eq!(lints(&statement), [], "{statement}");
    }
}

#[test]
fn the_size_limit_is_exact() {
    let room = MAX_KEY_POLICY_BYTES
        - document(&format!("[{ROOT},{}]", allow(r#"{"AWS":"444455556666"}"#, "kms:Decrypt"))).size();
    let padded = |bytes: usize| {
        allow(r#"{"AWS":"444455556666"}"#, "kms:Decrypt").replace(r#""s""#, &format!("\"s{}\"", "x".repeat(bytes)))
    };
    assert_eq!(lints(&padded(room)), []);
    assert_eq!(lints(&padded(room + 1)), [Lint::TooLarge { bytes: MAX_KEY_POLICY_BYTES + 1 }]);
}

#[test]
fn orphans_are_found_in_every_statement_with_its_name() {
    let found = orphans(&document(
        r#"[{"Sid":"a b","Effect":"Allow","Principal":{"AWS":["AROADELETED000000001","AIDADELETED000000001"]}},
            {"Effect":"Deny","NotPrincipal":{"AWS":"AROADELETED000000002"}}]"#,
    ));
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            r#"statement "a b" names AROADELETED000000001, a role or user that was deleted"#,
            r#"statement "a b" names AIDADELETED000000001, a role or user that was deleted"#,
            "statement 2 names AROADELETED000000002, a role or user that was deleted",
        ]
    );
    assert!(!is_unique_id("AROA") && !is_unique_id("arn:aws:iam::111122223333:role/AROADELETED000000001"));
}

#[test]
fn the_owner_is_locked_out_when_nobody_certain_is_left() {
    let root =
        |rest: &str| format!(r#"{{"Effect":"Allow","Principal":{{"AWS":"111122223333"}},"Resource":"*",{rest}}}"#);
    let any = root(r#""Action":"kms:*""#);
    let deny = any.replace("Allow", "Deny");
    for (statements, expected) in [
        (any.clone(), false),
        (root(r#""Action":"kms:Put*""#), false),
        (root(r#""NotAction":"kms:ScheduleKeyDeletion""#), false),
        (root(r#""Action":"kms:Decrypt""#), true),
        (root(r#""Action":"kms:*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}"#), true),
        (root(r#""Action":"kms:*","Condition":{"StringEquals":{"kms:CallerAccount":"111122223333"}}"#), false),
        (any.replace("111122223333", "444455556666"), true),
        (any.replace("111122223333", "arn:aws:iam::111122223333:root"), true),
        (any.replace("111122223333", "arn:aws-cn:iam::111122223333:role/Admin"), false),
        (any.replace(r#","Resource":"*""#, ""), true),
        (format!("[{any},{deny}]"), true),
        (
            format!(
                "[{any},{}]",
                deny.replace(
                    r#""Action""#,
                    r#""Condition":{"Bool":{"kms:BypassPolicyLockoutSafetyCheck":true}},"Action""#
                )
            ),
            false,
        ),
        ("[]".to_owned(), true),
    ] {
        assert_eq!(locks_out(&document(&statements), &KEY.parse().unwrap(), None), expected, "{statements}");
    }
}

#[test]
fn the_role_that_writes_must_keep_its_right() {
    let writer = "arn:aws-cn:iam::111122223333:role/Operator".parse().unwrap();
    let admin = ROOT.replace("111122223333:root", "111122223333:role/Admin");
    let key = KEY.parse().unwrap();
    assert!(!locks_out(&document(ROOT), &key, Some(&writer)));
    assert!(!locks_out(&document(&admin), &key, None));
    assert!(locks_out(&document(&admin), &key, Some(&writer)));
}
