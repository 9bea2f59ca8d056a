//! The difference between two whole documents, statement by statement.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{Difference, ElementDifference, difference};
use crate::{
    document::{PolicyDocument, Statement, StatementName},
    normal::{NormalContext, normal_document},
};

/// What differs between a document that is wanted and the one that is there. Statements are paired by Sid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentDifference {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Missing { name: StatementName, text: String },
    Unexpected { name: StatementName, text: String },
    Changed { name: StatementName, difference: Box<Difference> },
    Element(ElementDifference),
}

/// Compares two documents; none means that they say the same. Another spelling of the same actions is no difference.
pub fn document_difference(
    expected: &PolicyDocument,
    observed: &PolicyDocument,
    context: &NormalContext,
) -> Option<DocumentDifference> {
    // AWS gives back what we wrote, letter by letter, so that the normal form is seldom needed.
    if expected == observed || normal_document(expected, context) == normal_document(observed, context) {
        return None;
    }
    let mut rest: Vec<(StatementName, &Statement)> = observed.named().collect();
    let mut parts = elements(expected, observed);
    for (name, wanted) in expected.named() {
        let Some(at) = rest.iter().position(|(_, live)| live.sid() == wanted.sid()) else {
            parts.push(Part::Missing { name, text: wanted.to_json().to_owned() });
            continue;
        };
        let (_, live) = rest.remove(at);
        let difference = difference(wanted, live, context).filter(|difference| !difference.equivalent);
        parts.extend(difference.map(|difference| Part::Changed { name, difference: Box::new(difference) }));
    }
    let text = |live: &Statement| live.to_json().to_owned();
    parts.extend(rest.into_iter().map(|(name, live)| Part::Unexpected { name, text: text(live) }));
    (!parts.is_empty()).then_some(DocumentDifference { parts })
}

/// `Version`, `Id` and whatever else stands beside the statements.
fn elements(expected: &PolicyDocument, observed: &PolicyDocument) -> Vec<Part> {
    let of = |document: &PolicyDocument| document.elements().iter().cloned().collect::<BTreeMap<_, _>>();
    let (expected, observed) = (of(expected), of(observed));
    let names: BTreeSet<&String> = expected.keys().chain(observed.keys()).collect();
    let differing = names.into_iter().filter(|name| expected.get(*name) != observed.get(*name));
    let part = |name: &String| {
        let (expected, observed) = (expected.get(name).cloned(), observed.get(name).cloned());
        Part::Element(ElementDifference { element: name.clone(), expected, observed })
    };
    differing.map(part).collect()
}

impl DocumentDifference {
    /// What differs, as it should be.
    pub fn expected_text(&self) -> String {
        self.side(|part| match part {
            Part::Missing { text, .. } => text.clone(),
            Part::Unexpected { name, .. } => format!("no {name}"),
            Part::Changed { difference, .. } => difference.expected_text(),
            Part::Element(element) => element.expected_text(),
        })
    }

    /// What differs, as it is.
    pub fn observed_text(&self) -> String {
        self.side(|part| match part {
            Part::Missing { name, .. } => format!("no {name}"),
            Part::Unexpected { text, .. } => text.clone(),
            Part::Changed { difference, .. } => difference.observed_text(),
            Part::Element(element) => element.observed_text(),
        })
    }

    fn side(&self, text: impl Fn(&Part) -> String) -> String {
        self.parts.iter().map(text).collect::<Vec<_>>().join("; ")
    }
}

impl fmt::Display for DocumentDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<String> = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Missing { name, .. } => format!("{name} is missing"),
                Part::Unexpected { name, text } => format!("{name} is not expected: {text}"),
                Part::Changed { name, difference } => format!("{name}: {difference}"),
                Part::Element(element) => element.to_string(),
            })
            .collect();
        f.write_str(&told.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{StatementBuilder, partition::Partition};

    fn document(statements: &[(&str, &[&str])]) -> PolicyDocument {
        let build = |(sid, actions): &(&str, &[&str])| {
            StatementBuilder::allow().sid(*sid).actions(actions.iter().copied()).build()
        };
        PolicyDocument::from_statements(statements.iter().map(build).collect())
    }

    fn told(expected: &[(&str, &[&str])], observed: &[(&str, &[&str])]) -> Option<String> {
        let context = NormalContext::new(Partition::Aws);
        document_difference(&document(expected), &document(observed), &context).map(|difference| difference.to_string())
    }

    #[test]
    fn statements_are_paired_by_sid_whatever_their_order() {
        const DECRYPT: &[&str] = &["kms:Decrypt"];
        let (use_, grants) = (("Use", DECRYPT), ("Grants", &["kms:CreateGrant"][..]));
        assert_eq!(told(&[use_, grants], &[grants, use_]), None);
        assert_eq!(told(&[use_, grants], &[grants]).as_deref(), Some(r#"statement "Use" is missing"#));
        let changed = told(&[use_], &[("Use", &["kms:Encrypt"])]);
        assert_eq!(
            changed.as_deref(),
            Some(r#"statement "Use": actions: missing kms:Decrypt, unexpected kms:Encrypt"#)
        );
    }

    #[test]
    fn another_version_of_the_language_is_a_difference() {
        let read = |version: &str| {
            let text = format!(r#"{{"Version":"{version}","Statement":[]}}"#);
            PolicyDocument::parse(&text).unwrap()
        };
        let context = NormalContext::new(Partition::Aws);
        let found = document_difference(&read("2012-10-17"), &read("2008-10-17"), &context).unwrap();
        assert_eq!(found.to_string(), r#"Version: expected "2012-10-17", observed "2008-10-17""#);
        assert_eq!(found.observed_text(), r#"Version: "2008-10-17""#);
    }

    #[test]
    fn a_statement_more_is_a_difference_and_another_spelling_is_none() {
        let more = told(&[("Use", &["kms:Decrypt"])], &[("Use", &["kms:Decrypt"]), ("More", &["kms:*"])]);
        assert!(more.is_some_and(|text| text.starts_with(r#"statement "More" is not expected: "#)));
        assert_eq!(told(&[("Use", &["kms:ReEncrypt*"])], &[("Use", &["kms:ReEncryptFrom", "kms:ReEncryptTo"])]), None);
    }
}
