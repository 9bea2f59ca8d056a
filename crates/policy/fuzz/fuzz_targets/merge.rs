//! Merging into any document keeps every foreign statement byte for byte, and merging twice is merging once.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sharedkey_policy::{
    Edit, NormalContext, Partition, PolicyDocument, Statement, StatementBuilder, foreign_lost, merge,
};

const OURS: &str = "SharedKey/prod/team/payments/analytics";

fn is_ours(sid: &str) -> bool {
    sid == OURS
}

fn foreign(document: &PolicyDocument) -> Vec<&Statement> {
    document.statements().iter().filter(|statement| !statement.sid().is_some_and(is_ours)).collect()
}

fuzz_target!(|input: (bool, String)| {
    let (put, text) = input;
    let Ok(live) = PolicyDocument::parse(&text) else { return };
    let statement = StatementBuilder::allow()
        .sid(OURS)
        .principals(["arn:aws:iam::444455556666:role/ExampleRole"])
        .actions(["kms:Decrypt", "kms:DescribeKey"])
        .build();
    let edit = if put {
        Edit { put: vec![statement], ..Edit::default() }
    } else {
        Edit { remove: [OURS.parse().expect("a Sid")].into(), ..Edit::default() }
    };
    let context = NormalContext::new(Partition::Aws);
    let merged = merge(&live, &edit, &context);
    assert_eq!(foreign(&merged.document), foreign(&live));
    assert!(foreign_lost(&live, &merged.document, &is_ours, &context).is_empty());
    assert_eq!(merged.document.with_sid(OURS).count(), usize::from(put));
    assert_eq!(merged.changed, merged.document != live);
    assert!(!merge(&merged.document, &edit, &context).changed);
    let written = PolicyDocument::parse(&merged.document.to_json()).expect("what was written parses");
    assert_eq!(written, merged.document);
});
