//! Whatever parses must be written back without loss: same text, same meaning, same fingerprint.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sharedkey_policy::{NormalContext, Partition, PolicyDocument, document_fingerprint, normal_document};

fuzz_target!(|text: &str| {
    // The encoded reader sees what the plain one does, and must not panic on anything else either.
    let encoded = PolicyDocument::parse_encoded(text);
    let Ok(document) = PolicyDocument::parse(text) else { return };
    assert_eq!(encoded.as_ref(), Ok(&document));

    let context = NormalContext::new(Partition::AwsCn);
    let written = document.to_json();
    let again = PolicyDocument::parse(&written).expect("what was written parses");
    assert_eq!(again.to_json(), written);
    assert_eq!(normal_document(&again, &context), normal_document(&document, &context));
    assert_eq!(document_fingerprint(&again, &context), document_fingerprint(&document, &context));
    for (left, right) in document.statements().iter().zip(again.statements()) {
        assert_eq!(sharedkey_policy::difference(left, right, &context), None);
    }
});
