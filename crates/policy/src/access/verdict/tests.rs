use super::*;
use crate::access::AttachedDocument;
use crate::testing::document;

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd";
const OWN_ROLE: &str = "arn:aws:iam::111122223333:role/Own";
const OWN_USER: &str = "arn:aws:iam::111122223333:user/Own";
const FOREIGN: &str = "arn:aws:iam::444455556666:role/Foreign";

/// How the world is set up: who the key policy allows, and which policies the caller has.
struct World {
    principal: &'static str,
    identity: Option<&'static str>,
    boundary: Option<&'static str>,
}

const NOTHING: World = World { principal: "777788889999", identity: None, boundary: None };

impl World {
    fn ask(&self, caller: &str, action: &str) -> Verdict {
        let statement = r#""Effect":"Allow","Action":"kms:*","Resource":"*""#;
        let key_policy = document(&format!(r#"{{"Sid":"s","Principal":{{"AWS":"{}"}},{statement}}}"#, self.principal));
        let attached = |action: &str| AttachedDocument {
            name: "policy P".to_owned(),
            document: document(&format!(r#"{{"Effect":"Allow","Action":"{action}","Resource":"*"}}"#)),
        };
        let policies = IdentityPolicies {
            policies: self.identity.map(attached).into_iter().collect(),
            boundary: self.boundary.map(attached),
        };
        let arn = caller.parse().unwrap();
        verdict(&key_policy, &policies, &KEY.parse().unwrap(), &Caller { arn: &arn, unique_id: None }, action)
    }

    /// None if the caller may decrypt without conditions, otherwise what stands in the way.
    fn obstacle(&self, caller: &str) -> Option<Half> {
        match self.ask(caller, "kms:Decrypt") {
            Verdict::Allowed { conditions, .. } => {
                assert_eq!(conditions, Vec::<String>::new());
                None
            }
            Verdict::Denied { half, .. } => Some(half),
        }
    }
}

#[test]
fn the_table_of_one_account() {
    let (allow, others) = (Some("kms:Decrypt"), Some("s3:*"));
    let root = "arn:aws:iam::111122223333:root";
    for (principal, caller, identity, boundary, expected) in [
        (OWN_ROLE, OWN_ROLE, None, None, None),
        (OWN_ROLE, OWN_ROLE, None, others, Some(Half::Boundary)),
        (OWN_ROLE, OWN_ROLE, None, allow, None),
        (OWN_USER, OWN_USER, None, others, None),
        ("*", OWN_ROLE, None, others, None),
        (root, OWN_ROLE, allow, None, None),
        (root, OWN_ROLE, allow, others, Some(Half::Boundary)),
        (root, OWN_ROLE, None, None, Some(Half::Delegation)),
        (root, OWN_USER, others, None, Some(Half::Delegation)),
        ("777788889999", OWN_ROLE, allow, None, Some(Half::ResourcePolicy)),
        ("777788889999", OWN_ROLE, None, None, Some(Half::ResourcePolicy)),
    ] {
        let obstacle = World { principal, identity, boundary }.obstacle(caller);
        assert_eq!(obstacle, expected, "{principal} {caller} {identity:?} {boundary:?}");
    }
}

#[test]
fn the_table_across_accounts() {
    let (allow, others) = (Some("kms:Decrypt"), Some("s3:*"));
    for (principal, identity, boundary, expected) in [
        (FOREIGN, allow, None, None),
        (FOREIGN, allow, allow, None),
        (FOREIGN, allow, others, Some(Half::Boundary)),
        (FOREIGN, None, None, Some(Half::Delegation)),
        ("444455556666", allow, None, None),
        ("444455556666", None, None, Some(Half::Delegation)),
        ("*", allow, None, None),
        ("*", None, None, Some(Half::Delegation)),
        ("arn:aws:iam::444455556666:role/Another", allow, None, Some(Half::ResourcePolicy)),
        ("111122223333", allow, None, Some(Half::ResourcePolicy)),
    ] {
        let obstacle = World { principal, identity, boundary }.obstacle(FOREIGN);
        assert_eq!(obstacle, expected, "{principal} {identity:?} {boundary:?}");
    }
}

#[test]
fn administration_has_no_effect_across_accounts() {
    let world = World { principal: FOREIGN, identity: Some("kms:*"), boundary: None };
    assert!(
        matches!(world.ask(FOREIGN, "kms:EnableKey"), Verdict::Denied { half: Half::ResourcePolicy, reason } if reason.contains("no effect"))
    );
    assert!(matches!(world.ask(FOREIGN, "kms:NotYetKnown"), Verdict::Allowed { .. }));
    assert!(matches!(World { principal: OWN_ROLE, ..NOTHING }.ask(OWN_ROLE, "kms:EnableKey"), Verdict::Allowed { .. }));
}

#[test]
fn nothing_crosses_partitions() {
    let china = "arn:aws-cn:iam::111122223333:role/Own";
    let world = World { principal: "*", identity: Some("*"), boundary: None };
    assert_eq!(world.obstacle(china), Some(Half::ResourcePolicy));
    assert_eq!(world.obstacle(OWN_ROLE), None);
}

#[test]
fn a_pattern_is_allowed_only_as_a_whole() {
    let world = |identity| World { principal: FOREIGN, identity: Some(identity), boundary: None };
    assert!(matches!(world("kms:ReEncrypt*").ask(FOREIGN, "kms:ReEncrypt*"), Verdict::Allowed { .. }));
    let Verdict::Denied { half: Half::Delegation, reason } = world("kms:ReEncryptFrom").ask(FOREIGN, "kms:ReEncrypt*")
    else {
        panic!("ReEncryptTo is not allowed");
    };
    assert!(reason.contains("kms:ReEncryptTo"), "{reason}");
}

#[test]
fn reasons_say_which_half_and_what_comes_closest() {
    let worlds = [
        (NOTHING, "kms:Decrypt"),
        (World { principal: "arn:aws:iam::444455556666:role/team/Foreign", ..NOTHING }, "kms:Decrypt"),
        (World { principal: FOREIGN, ..NOTHING }, "kms:Decrypt"),
        (World { principal: FOREIGN, identity: Some("kms:Decrypt"), boundary: Some("s3:*") }, "kms:Decrypt"),
        (World { principal: FOREIGN, ..NOTHING }, "kms:PutKeyPolicy"),
    ];
    let reasons: Vec<String> = worlds
        .iter()
        .map(|(world, action)| match world.ask(FOREIGN, action) {
            Verdict::Denied { half, reason } => format!("{half}: {reason}"),
            Verdict::Allowed { .. } => panic!("{} must not {action}", world.principal),
        })
        .collect();
    insta::assert_snapshot!(reasons.join("\n"), @r#"
    ResourcePolicy: the key policy does not allow kms:Decrypt to arn:aws:iam::444455556666:role/Foreign
    ResourcePolicy: the key policy does not allow kms:Decrypt to arn:aws:iam::444455556666:role/Foreign; statement "s" names arn:aws:iam::444455556666:role/team/Foreign, which is another principal
    Delegation: no identity policy in account 444455556666 allows kms:Decrypt on the key to arn:aws:iam::444455556666:role/Foreign
    Boundary: the permissions boundary policy P of arn:aws:iam::444455556666:role/Foreign does not allow kms:Decrypt
    ResourcePolicy: kms:PutKeyPolicy has no effect across accounts, whatever the policies say
    "#);
}

#[test]
fn an_explicit_deny_is_found_in_every_document() {
    let allow = r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}"#;
    let deny = r#"{"Sid":"d","Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*"}"#;
    let both = format!("[{allow},{deny}]");
    let attached = |statements: &str| AttachedDocument { name: "policy P".to_owned(), document: document(statements) };
    let arn = FOREIGN.parse().unwrap();
    let mut reasons = Vec::new();
    for (key_policy, identity, boundary) in
        [(both.as_str(), allow, allow), (allow, &both, allow), (allow, allow, &both)]
    {
        let policies = IdentityPolicies { policies: vec![attached(identity)], boundary: Some(attached(boundary)) };
        let caller = Caller { arn: &arn, unique_id: None };
        match verdict(&document(key_policy), &policies, &KEY.parse().unwrap(), &caller, "kms:Decrypt") {
            Verdict::Denied { half: Half::ExplicitDeny, reason } => reasons.push(reason),
            other => panic!("{other:?}"),
        }
    }
    insta::assert_snapshot!(reasons.join("\n"), @r#"
    key policy, statement "d" denies kms:Decrypt
    policy P, statement "d" denies kms:Decrypt
    permissions boundary policy P, statement "d" denies kms:Decrypt
    "#);
}

#[test]
fn what_only_a_request_decides_is_stated_once() {
    let conditions = r#""Condition":{"StringEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com"}}"#;
    let allow =
        format!(r#"{{"Sid":"s","Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*",{conditions}}}"#);
    let deny = r#"{"Effect":"Deny","Action":"kms:*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":false}}}"#;
    let policies = IdentityPolicies {
        policies: vec![AttachedDocument {
            name: "policy P".to_owned(),
            document: document(&format!("[{allow},{deny}]")),
        }],
        boundary: None,
    };
    let arn = FOREIGN.parse().unwrap();
    let caller = Caller { arn: &arn, unique_id: None };
    let found = verdict(&document(&allow), &policies, &KEY.parse().unwrap(), &caller, "kms:GenerateDataKey*");
    let stated = vec![
        "StringEquals kms:ViaService [s3.eu-west-1.amazonaws.com]".to_owned(),
        "policy P, statement 2 does not deny it: Bool aws:MultiFactorAuthPresent [false]".to_owned(),
    ];
    assert_eq!(found, Verdict::Allowed { by: vec![r#"statement "s" (by "*")"#.into()], conditions: stated });
}

const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-aB3dE9";

/// What stands in the way of reading the secret, where its policy names `principal` and the caller's own policies allow on `resource`.
fn secret_obstacle(
    principal: Option<&str>,
    identity: Option<&str>,
    boundary: Option<&str>,
    caller: &str,
) -> Option<Half> {
    let allow = r#""Effect":"Allow","Action":"secretsmanager:GetSecretValue""#;
    let policy = principal.map_or_else(PolicyDocument::empty, |principal| {
        document(&format!(r#"{{{allow},"Principal":{{"AWS":"{principal}"}},"Resource":"*"}}"#))
    });
    let attached = |resource: &str| AttachedDocument {
        name: "policy P".to_owned(),
        document: document(&format!(r#"{{{allow},"Resource":"{resource}"}}"#)),
    };
    let identity =
        IdentityPolicies { policies: identity.map(attached).into_iter().collect(), boundary: boundary.map(attached) };
    let (arn, secret) = (caller.parse().unwrap(), SECRET.parse().unwrap());
    let access = Access::to_secret(&policy, &identity, &secret, &Caller { arn: &arn, unique_id: None }, OF_ALL);
    match access.verdict("secretsmanager:GetSecretValue") {
        Verdict::Allowed { .. } => None,
        Verdict::Denied { half, .. } => Some(half),
    }
}

#[test]
fn a_secret_takes_one_half_in_its_account_and_both_from_another() {
    let any = "arn:aws:secretsmanager:*:*:secret:orders/db-??????";
    let (root, partner) = ("arn:aws:iam::111122223333:root", "arn:aws:iam::444455556666:root");
    for (principal, identity, boundary, caller, expected) in [
        (Some(OWN_ROLE), None, None, OWN_ROLE, None),
        (None, Some(SECRET), None, OWN_ROLE, None),
        (None, Some(any), None, OWN_ROLE, None),
        (None, Some(any), Some("arn:aws:secretsmanager:*:*:secret:x"), OWN_ROLE, Some(Half::ResourcePolicy)),
        (Some(root), Some("*"), None, OWN_USER, None),
        (Some(root), None, None, OWN_USER, Some(Half::Delegation)),
        (None, None, None, OWN_ROLE, Some(Half::ResourcePolicy)),
        (Some(FOREIGN), Some(SECRET), None, FOREIGN, None),
        (Some(partner), Some(SECRET), None, FOREIGN, None),
        (Some(FOREIGN), None, None, FOREIGN, Some(Half::Delegation)),
        (None, Some(SECRET), None, FOREIGN, Some(Half::ResourcePolicy)),
        (Some(FOREIGN), Some(SECRET), Some("arn:aws:s3:::x"), FOREIGN, Some(Half::Boundary)),
        (Some("arn:aws-cn:iam::444455556666:role/Foreign"), Some("*"), None, FOREIGN, Some(Half::ResourcePolicy)),
    ] {
        let found = secret_obstacle(principal, identity, boundary, caller);
        assert_eq!(found, expected, "{principal:?} {identity:?} {boundary:?} {caller}");
    }
}

#[test]
fn what_secrets_manager_sends_decides_conditions_of_the_key() {
    let other = SECRET.replace("orders/db", "orders/other");
    for (operator, key, value, may) in [
        ("StringEquals", "kms:ViaService", "secretsmanager.eu-west-1.amazonaws.com", Some(true)),
        ("StringEquals", "kms:ViaService", "s3.eu-west-1.amazonaws.com", Some(false)),
        ("StringEquals", "kms:EncryptionContext:SecretARN", SECRET, Some(true)),
        (
            "StringLike",
            "kms:EncryptionContext:SecretARN",
            "arn:aws:secretsmanager:*:111122223333:secret:orders/db-??????",
            Some(true),
        ),
        ("StringEquals", "kms:EncryptionContext:SecretARN", &other, Some(false)),
        ("StringEquals", "kms:EncryptionContext:tenant", "a", Some(false)),
        ("StringEquals", "kms:EncryptionContext:SecretVersionId", "v1", None),
        ("StringEquals", "kms:CallerAccount", "444455556666", Some(true)),
    ] {
        let allow = r#""Effect":"Allow","Action":"kms:Decrypt","Resource":"*""#;
        let policy = document(&format!(
            r#"{{{allow},"Principal":{{"AWS":"{FOREIGN}"}},"Condition":{{"{operator}":{{"{key}":"{value}"}}}}}}"#
        ));
        let identity = IdentityPolicies {
            policies: vec![AttachedDocument { name: "P".into(), document: document(&format!("{{{allow}}}")) }],
            boundary: None,
        };
        let (arn, secret, kms) = (FOREIGN.parse().unwrap(), SECRET.parse().unwrap(), KEY.parse().unwrap());
        let access = Access::within(&policy, &identity, &kms, &secret, &Caller { arn: &arn, unique_id: None }, OF_ALL);
        let found = match access.verdict("kms:Decrypt") {
            Verdict::Allowed { conditions, .. } => conditions.is_empty().then_some(true),
            Verdict::Denied { .. } => Some(false),
        };
        assert_eq!(found, may, "{operator} {key} {value}");
    }
}
