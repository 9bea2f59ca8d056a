//! What two readings of the same document have in common, however AWS spells it.

use sharedkey_policy::{NormalContext, Partition, PolicyDocument, document_fingerprint};

use crate::observe::Parsed;

/// The fingerprint of a document.
///
/// No unique ids are resolved: readings are compared with readings, and one in which a principal became an orphan is
/// another one.
pub(crate) fn of(document: &PolicyDocument, partition: Partition) -> String {
    document_fingerprint(document, &NormalContext::new(partition))
}

/// The fingerprint of a document that may be malformed. All malformed ones are alike: none of them is ever written.
pub(crate) fn of_parsed(document: &Parsed, partition: Partition) -> String {
    document.as_ref().map_or_else(|_| "malformed".to_owned(), |document| of(document, partition))
}
