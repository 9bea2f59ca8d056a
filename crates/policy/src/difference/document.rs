//! The difference between two whole documents, statement by statement.

use std::fmt;

use super::{Difference, difference};
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
    Changed { name: StatementName, difference: Difference },
}

/// Compares two documents; none means that they say the same. Another spelling of the same actions is no difference.
pub fn document_difference(
    expected: &PolicyDocument,
    observed: &PolicyDocument,
    context: &NormalContext,
) -> Option<DocumentDifference> {
    if normal_document(expected, context) == normal_document(observed, context) {
        return None;
    }
    let mut rest: Vec<(StatementName, &Statement)> = observed.named().collect();
    let mut parts = Vec::new();
    for (name, wanted) in expected.named() {
        let Some(at) = rest.iter().position(|(_, live)| live.sid() == wanted.sid()) else {
            parts.push(Part::Missing { name, text: wanted.to_json().to_owned() });
            continue;
        };
        let (_, live) = rest.remove(at);
        let difference = difference(wanted, live, context).filter(|difference| !difference.equivalent);
        parts.extend(difference.map(|difference| Part::Changed { name, difference }));
    }
    let text = |live: &Statement| live.to_json().to_owned();
    parts.extend(rest.into_iter().map(|(name, live)| Part::Unexpected { name, text: text(live) }));
    (!parts.is_empty()).then_some(DocumentDifference { parts })
}

impl DocumentDifference {
    /// What differs, as it should be.
    pub fn expected_text(&self) -> String {
        self.side(|part| match part {
            Part::Missing { text, .. } => text.clone(),
            Part::Unexpected { name, .. } => format!("no {name}"),
            Part::Changed { difference, .. } => difference.expected_text(),
        })
    }

    /// What differs, as it is.
    pub fn observed_text(&self) -> String {
        self.side(|part| match part {
            Part::Missing { name, .. } => format!("no {name}"),
            Part::Unexpected { text, .. } => text.clone(),
            Part::Changed { difference, .. } => difference.observed_text(),
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
        let (use_, grants): ((&str, &[&str]), (&str, &[&str])) =
            (("Use", &["kms:Decrypt"]), ("Grants", &["kms:CreateGrant"]));
        assert_eq!(told(&[use_, grants], &[grants, use_]), None);
        assert_eq!(told(&[use_, grants], &[grants]).as_deref(), Some(r#"statement "Use" is missing"#));
        let changed = told(&[use_], &[("Use", &["kms:Encrypt"])]);
        assert_eq!(
            changed.as_deref(),
            Some(r#"statement "Use": actions: missing kms:Decrypt, unexpected kms:Encrypt"#)
        );
    }

    #[test]
    fn a_statement_more_is_a_difference_and_another_spelling_is_none() {
        let more = told(&[("Use", &["kms:Decrypt"])], &[("Use", &["kms:Decrypt"]), ("More", &["kms:*"])]);
        assert!(more.is_some_and(|text| text.starts_with(r#"statement "More" is not expected: "#)));
        assert_eq!(told(&[("Use", &["kms:ReEncrypt*"])], &[("Use", &["kms:ReEncryptFrom", "kms:ReEncryptTo"])]), None);
    }
}
