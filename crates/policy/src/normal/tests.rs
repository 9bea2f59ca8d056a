use proptest::prelude::*;

use super::*;
use crate::testing::{self, Spelling, document, meanings, rewritten_pairs, statement};

fn context() -> NormalContext {
    let role = "arn:aws-cn:iam::444455556666:role/ExampleRole".to_owned();
    NormalContext {
        partition: Partition::AwsCn,
        unique_ids: BTreeMap::from([("AROAEXAMPLE000000001".to_owned(), role)]),
    }
}

fn equal(left: &str, right: &str) -> bool {
    let (left, right) = (statement(left), statement(right));
    let equal = normal(&left, &context()) == normal(&right, &context());
    assert_eq!(equal, fingerprint(&left, &context()) == fingerprint(&right, &context()));
    equal
}

/// A statement with the given elements.
fn with(elements: &str) -> String {
    format!(r#"{{"Effect":"Allow",{elements}}}"#)
}

#[test]
fn statements_that_say_the_same_differ_in_their_sid_alone() {
    let [one, other] = ["A", "B"].map(|sid| {
        let text = with(&format!(r#""Sid":"{sid}","Action":"kms:Decrypt","Resource":"*""#));
        normal(&statement(&text), &context())
    });
    assert_ne!(one, other);
    assert_eq!(one.without_sid(), other.without_sid());
}

#[test]
fn what_kms_rewrites_is_equal() {
    for (left, right) in [
        (r#""Action":"kms:Decrypt""#, r#""Action":["kms:Decrypt"]"#),
        (r#""Action":["a:b","c:d","a:b"]"#, r#""Action":["C:D","A:b"]"#),
        (r#""Principal":"*""#, r#""Principal":{"AWS":"*"}"#),
        (r#""Principal":"*""#, r#""Principal":{"AWS":["*"],"Service":[]}"#),
        (r#""Principal":{"AWS":"444455556666"}"#, r#""Principal":{"AWS":["arn:aws-cn:iam::444455556666:root"]}"#),
        (
            r#""Principal":{"AWS":"AROAEXAMPLE000000001"}"#,
            r#""Principal":{"AWS":"arn:aws-cn:iam::444455556666:role/ExampleRole"}"#,
        ),
        (r#""Condition":{}"#, r#""Resource":"*""#),
        (
            r#""Condition":{"Bool":{"aws:SecureTransport":true}}"#,
            r#""Condition":{"bool":{"AWS:securetransport":["true"]}}"#,
        ),
        (r#""Condition":{"NumericEquals":{"k":[7]}}"#, r#""Condition":{"NumericEquals":{"k":"7"}}"#),
        (r#""Future":{"a":1,"b":2}"#, r#""Future":{ "b" : 2, "a" : 1 }"#),
    ] {
        let resource =
            |text: &str| if text.contains("Resource") { text.to_owned() } else { format!(r#"{text},"Resource":"*""#) };
        assert!(equal(&with(&resource(left)), &with(&resource(right))), "{left} and {right}");
    }
    assert!(equal(r#"{"Effect":"allow"}"#, r#"{"Effect":"Allow"}"#));
}

#[test]
fn everything_else_is_different() {
    for (left, right) in [
        (r#""Sid":"a""#, r#""Sid":"A""#),
        (r#""Sid":"""#, r#""Action":[]"#),
        (
            r#""Principal":{"AWS":"AROAUNKNOWN000000001"}"#,
            r#""Principal":{"AWS":"arn:aws-cn:iam::444455556666:role/ExampleRole"}"#,
        ),
        (r#""Principal":{"AWS":"arn:aws:iam::444455556666:root"}"#, r#""Principal":{"AWS":"444455556666"}"#),
        (
            r#""Principal":{"AWS":"arn:aws-cn:iam::444455556666:user/a"}"#,
            r#""Principal":{"AWS":"arn:aws-cn:iam::444455556666:user/A"}"#,
        ),
        (r#""Principal":{"Service":"*"}"#, r#""Principal":"*""#),
        (r#""NotPrincipal":{"AWS":"444455556666"}"#, r#""Principal":{"AWS":"444455556666"}"#),
        (r#""NotAction":"kms:Decrypt""#, r#""Action":"kms:Decrypt""#),
        (r#""Action":"kms:ReEncrypt*""#, r#""Action":["kms:ReEncryptFrom","kms:ReEncryptTo"]"#),
        (r#""Resource":"*""#, r#""Action":"*""#),
        (r#""Resource":"arn:A""#, r#""Resource":"arn:a""#),
        (r#""Resource":"*""#, r#""NotResource":"*""#),
        (r#""Condition":{"StringEquals":{"k":"v"}}"#, r#""Condition":{"StringEquals":{"k":"V"}}"#),
        (r#""Condition":{"StringEquals":{"k":"v"}}"#, r#""Condition":{"StringEquals":{"k":["v","w"]}}"#),
        (r#""Condition":{"StringEquals":{"k":"v"}}"#, r#""Condition":{"ForAnyValue:StringEquals":{"k":"v"}}"#),
        (
            r#""Condition":{"StringEquals":{"k":"a"},"stringequals":{"k":"b"}}"#,
            r#""Condition":{"StringEquals":{"k":["a","b"]}}"#,
        ),
        (r#""Future":[1,2]"#, r#""Future":[2,1]"#),
        (r#""Future":1"#, r#""future":1"#),
    ] {
        assert!(!equal(&with(left), &with(right)), "{left} and {right}");
    }
    assert!(!equal(r#"{"Effect":"Allow"}"#, r#"{"Effect":"Deny"}"#));
}

/// awspolicyequivalence takes a document that lets everyone in for one that names nobody.
#[test]
fn a_missing_principal_is_not_everyone() {
    assert!(!equal(&with(r#""Action":"kms:*""#), &with(r#""Action":"kms:*","Principal":"*""#)));
    assert!(!equal(&with(r#""Action":"kms:*","Principal":{}"#), &with(r#""Action":"kms:*","Principal":"*""#)));
    assert!(!equal(&with(r#""Action":"kms:*","Principal":{}"#), &with(r#""Action":"kms:*""#)));
}

/// awspolicyequivalence compares the lengths of lists first, so a duplicate is a difference to it.
#[test]
fn duplicates_in_a_list_are_no_difference() {
    let (one, two) =
        (r#""Principal":{"AWS":["444455556666"]}"#, r#""Principal":{"AWS":["444455556666","444455556666"]}"#);
    assert!(equal(&with(one), &with(two)));
}

/// ACK compares principals as text, so every read in another order is drift to it.
#[test]
fn principals_in_another_order_or_as_unique_ids_are_no_difference() {
    let stored = r#""Principal":{"AWS":["arn:aws-cn:iam::444455556666:user/U","AROAEXAMPLE000000001","444455556666"]}"#;
    let wanted = r#""Principal":{"AWS":["arn:aws-cn:iam::444455556666:role/ExampleRole","arn:aws-cn:iam::444455556666:root","arn:aws-cn:iam::444455556666:user/U"]}"#;
    assert!(equal(&with(stored), &with(wanted)));
}

#[test]
fn documents_are_multisets_of_statements() {
    let (a, b) = (r#"{"Sid":"a","Effect":"Allow"}"#, r#"{"Sid":"b","Effect":"Allow"}"#);
    let print = |statements: &str| document_fingerprint(&document(statements), &context());
    assert_eq!(print(&format!("[{a},{b}]")), print(&format!("[{b},{a}]")));
    assert_ne!(print(&format!("[{a},{a}]")), print(&format!("[{a}]")));
    let versioned = |version: &str| {
        let text = format!(r#"{{"Version":"{version}","Statement":[{a}]}}"#);
        document_fingerprint(&PolicyDocument::parse(&text).unwrap(), &context())
    };
    assert_ne!(versioned("2008-10-17"), versioned("2012-10-17"));
}

#[test]
fn fingerprints_do_not_change_between_releases() {
    let statement = statement(
        r#"{"Sid":"s","Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"kms:Decrypt","Resource":"*","Condition":{"Bool":{"k":true}}}"#,
    );
    insta::assert_snapshot!(fingerprint(&statement, &context()), @"95a1ad46b31db413758dbdb50a049cab");
}

proptest! {
    #[test]
    fn the_normal_form_is_stable_under_everything_that_kms_does((before, after, context) in rewritten_pairs()) {
        let (before, after) = (PolicyDocument::parse(&before).unwrap(), PolicyDocument::parse(&after).unwrap());
        prop_assert_eq!(normal_document(&before, &context), normal_document(&after, &context));
        prop_assert_eq!(document_fingerprint(&before, &context), document_fingerprint(&after, &context));
    }

    #[test]
    fn normal_forms_are_equal_only_where_meanings_are(one in meanings(), other in meanings(), element in 0..5_usize) {
        let normal_of = |meaning: &testing::Meaning| {
            normal(&statement(&meaning.spell(&mut Spelling::plain())), &testing::context())
        };
        for (left, right) in one.iter().zip(&other) {
            let right = left.with_element_of(right, element);
            prop_assert_eq!(normal_of(left) == normal_of(&right), left.essence() == right.essence());
        }
    }

    #[test]
    fn encoded_and_plain_documents_are_equal((before, _, _) in rewritten_pairs()) {
        let encoded = percent_encoding::utf8_percent_encode(&before, percent_encoding::NON_ALPHANUMERIC).to_string();
        prop_assert_eq!(PolicyDocument::parse_encoded(&encoded), PolicyDocument::parse(&before));
    }

    #[test]
    fn the_text_that_is_written_reads_as_the_same_document((before, _, context) in rewritten_pairs()) {
        let document = PolicyDocument::parse(&before).unwrap();
        let written = PolicyDocument::parse(&document.to_json()).unwrap();
        prop_assert_eq!(&written, &document);
        prop_assert_eq!(normal_document(&written, &context), normal_document(&document, &context));
    }
}
