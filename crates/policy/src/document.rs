//! Policy documents that keep what others wrote.
//!
//! A document is read once and never loses anything: every statement stays the JSON text that it came in, so that
//! writing the document back changes only what was meant to change.

mod builder;
mod malformed;
mod statement;

use std::fmt;

pub use builder::StatementBuilder;
pub use malformed::{MalformedPolicy, Place, Problem};
pub use statement::{Condition, Effect, Principal, PrincipalKind, Principals, Selection, Statement};

use crate::json::{self, Json, quote};

const CURRENT_VERSION: &str = "\"2012-10-17\"";

/// A policy document: a key policy or an identity policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDocument {
    /// Everything beside `Statement`, as (key, JSON text) in the order in which it came.
    elements: Vec<(String, String)>,
    statements: Vec<Statement>,
}

impl PolicyDocument {
    /// A document of version 2012-10-17 without statements.
    pub fn empty() -> Self {
        Self::from_statements(Vec::new())
    }

    /// A document of version 2012-10-17 with these statements.
    pub fn from_statements(statements: Vec<Statement>) -> Self {
        Self { elements: vec![("Version".to_owned(), CURRENT_VERSION.to_owned())], statements }
    }

    /// Reads a plain JSON document, as KMS returns it.
    pub fn parse(text: &str) -> Result<Self, MalformedPolicy> {
        let fault = MalformedPolicy::of_document;
        let Json::Object(entries) = json::open(text).map_err(|e| fault(None, e.into()))? else {
            return Err(fault(None, Problem::Expected { expected: "an object" }));
        };
        let mut elements = Vec::new();
        let mut statements = None;
        for (key, text) in entries {
            if key == "Statement" {
                statements = Some(parse_statements(text)?);
            } else {
                check_element(&key, text)?;
                elements.push((key, json::minify(text)));
            }
        }
        let statements = statements.ok_or_else(|| fault(Some("Statement"), Problem::Missing))?;
        Ok(Self { elements, statements })
    }

    /// Reads a document as IAM returns it: URL-encoded, with `+` for itself (D§4.3). Plain JSON is read as it is.
    pub fn parse_encoded(text: &str) -> Result<Self, MalformedPolicy> {
        // An encoded document starts with %7B, so a brace tells the two apart without guessing.
        if text.trim_start().starts_with('{') {
            return Self::parse(text);
        }
        match percent_encoding::percent_decode_str(text).decode_utf8() {
            Ok(plain) => Self::parse(&plain),
            Err(_) => Err(MalformedPolicy::of_document(None, Problem::Encoding)),
        }
    }

    /// The statements in their order.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The statements that carry this Sid.
    pub fn with_sid(&self, sid: &str) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(move |statement| statement.sid() == Some(sid))
    }

    /// The document without insignificant whitespace; numbers, strings and order as they came.
    pub fn to_json(&self) -> String {
        let elements = self.elements.iter().map(|(key, text)| format!("{}:{text}", quote(key)));
        let statements: Vec<&str> = self.statements.iter().map(Statement::to_json).collect();
        let statements = std::iter::once(format!("\"Statement\":[{}]", statements.join(",")));
        format!("{{{}}}", elements.chain(statements).collect::<Vec<_>>().join(","))
    }

    /// Bytes of [`Self::to_json`], which is what is written.
    pub fn size(&self) -> usize {
        self.to_json().len()
    }

    /// The same document with each statement kept as it is, changed, or dropped.
    #[must_use]
    pub fn filter_map_statements(self, keep: impl FnMut(Statement) -> Option<Statement>) -> Self {
        Self { elements: self.elements, statements: self.statements.into_iter().filter_map(keep).collect() }
    }

    /// The same document with more statements at its end.
    #[must_use]
    pub fn with_added(mut self, statements: Vec<Statement>) -> Self {
        self.statements.extend(statements);
        self
    }

    /// The same document with other statements.
    pub(crate) fn with_statements(&self, statements: Vec<Statement>) -> Self {
        Self { elements: self.elements.clone(), statements }
    }

    /// `Version`, `Id` and whatever else stands beside the statements.
    pub(crate) fn elements(&self) -> &[(String, String)] {
        &self.elements
    }

    /// The statements with the names that messages use for them.
    pub fn named(&self) -> impl Iterator<Item = (StatementName, &Statement)> {
        self.statements.iter().enumerate().map(|(index, statement)| (StatementName::of(index, statement), statement))
    }
}

/// How a message names a statement: by its Sid, or by its number from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatementName {
    /// The Sid.
    Sid(String),
    /// The number, for a statement without a Sid.
    Number(usize),
}

impl StatementName {
    pub(crate) fn of(index: usize, statement: &Statement) -> Self {
        match statement.sid() {
            Some(sid) if !sid.is_empty() => Self::Sid(sid.to_owned()),
            _ => Self::Number(index + 1),
        }
    }

    /// The Sid, if the statement has one.
    pub fn sid(&self) -> Option<&str> {
        match self {
            Self::Sid(sid) => Some(sid),
            Self::Number(_) => None,
        }
    }
}

impl fmt::Display for StatementName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sid(sid) => write!(f, "statement {sid:?}"),
            Self::Number(number) => write!(f, "statement {number}"),
        }
    }
}

/// `Statement` is a list, or one statement on its own (D§1.1).
fn parse_statements(text: &str) -> Result<Vec<Statement>, MalformedPolicy> {
    match json::open(text).map_err(|e| MalformedPolicy::of_document(Some("Statement"), e.into()))? {
        Json::List(items) => items.into_iter().zip(1..).map(|(item, number)| Statement::parse(item, number)).collect(),
        _ => Ok(vec![Statement::parse(text, 1)?]),
    }
}

fn check_element(key: &str, text: &str) -> Result<(), MalformedPolicy> {
    let fault = |problem: Problem| MalformedPolicy::of_document(Some(key), problem);
    let value = json::open(text).map_err(|e| fault(e.into()))?;
    match (key, value) {
        ("Version", Json::Text(version)) if version == "2012-10-17" || version == "2008-10-17" => Ok(()),
        ("Version", _) => Err(fault(Problem::Expected { expected: "\"2012-10-17\" or \"2008-10-17\"" })),
        ("Id", Json::Text(_)) => Ok(()),
        ("Id", _) => Err(fault(Problem::Expected { expected: "a string" })),
        _ => json::canonical(text).map(drop).map_err(|e| fault(e.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal::{NormalContext, normal_document};
    use crate::partition::Partition;

    fn document(statement: &str) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)
    }

    #[test]
    fn spellings_order_and_unknown_elements_survive() {
        let text = r#"{"Id":"a\u002fb","Statement":[{"Principal":{"AWS":["b","a","b"]},"Future":{"n":1.50},"Effect":"allow","Action":"kms:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":true},"NumericLessThan":{"x":1E3}}}]}"#;
        let pretty = text.replace('{', "{\n  ").replace(':', " : ").replace("kms : ", "kms:").replace("aws : ", "aws:");
        assert_eq!(PolicyDocument::parse(&pretty).unwrap().to_json(), text);
    }

    #[test]
    fn one_statement_may_stand_without_a_list() {
        let single = PolicyDocument::parse(&document(r#"{"Effect":"Deny"}"#)).unwrap();
        assert_eq!(single, PolicyDocument::parse(&document(r#"[{"Effect":"Deny"}]"#)).unwrap());
    }

    #[test]
    fn a_document_from_iam_is_decoded_and_plus_is_literal() {
        let encoded = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Sid%22%3A%22a+b%20c%22%2C\
                       %22Effect%22%3A%22Allow%22%7D%5D%7D";
        let decoded = PolicyDocument::parse_encoded(encoded).unwrap();
        assert_eq!(decoded.statements()[0].sid(), Some("a+b c"));
        assert_eq!(PolicyDocument::parse_encoded(&decoded.to_json()).unwrap(), decoded);
        let plain = document(r#"{"Sid":"100%41","Effect":"Allow"}"#);
        assert_eq!(PolicyDocument::parse_encoded(&plain).unwrap().statements()[0].sid(), Some("100%41"));
    }

    #[test]
    fn malformed_documents_name_the_place() {
        for (text, message) in [
            ("", "malformed policy: not JSON: EOF while parsing a value at line 1 column 0"),
            ("[]", "malformed policy: expected an object"),
            ("{}", "malformed policy: Statement: missing"),
            (
                r#"{"Version":"2020-01-01","Statement":[]}"#,
                r#"malformed policy: Version: expected "2012-10-17" or "2008-10-17""#,
            ),
            (r#"{"Statement":[],"Statement":[]}"#, r#"malformed policy: key "Statement" appears twice"#),
            (r#"{"Id":1,"Statement":[]}"#, "malformed policy: Id: expected a string"),
        ] {
            assert_eq!(PolicyDocument::parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn malformed_statements_name_the_place() {
        for (statement, message) in [
            ("1", "expected an object"),
            (r#"{"Sid":"s"}"#, "Effect: missing"),
            (r#"{"Sid":1}"#, "Sid: expected a string"),
            (r#"{"Sid":"s","Effect":"Grant"}"#, r#"Effect: expected "Allow" or "Deny""#),
            (r#"{"Sid":"s","Effect":"Allow","Effect":"Deny"}"#, r#"key "Effect" appears twice"#),
            (r#"{"Sid":"s","Effect":"Allow","Principal":"111122223333"}"#, r#"Principal: expected "*" or an object"#),
            (
                r#"{"Sid":"s","Effect":"Allow","Principal":{"Aws":"*"}}"#,
                "Principal.Aws: expected AWS, Service, Federated or CanonicalUser",
            ),
            (
                r#"{"Sid":"s","Effect":"Allow","Principal":{"AWS":"*","AWS":"*"}}"#,
                r#"Principal: key "AWS" appears twice"#,
            ),
            (
                r#"{"Sid":"s","Effect":"Allow","Principal":"*","NotPrincipal":"*"}"#,
                "NotPrincipal: must not stand beside Principal",
            ),
            (r#"{"Sid":"s","Effect":"Allow","Action":null}"#, "Action: expected a string or a list of strings"),
            (r#"{"Sid":"s","Effect":"Allow","Resource":["*",[]]}"#, "Resource: expected a string or a list of strings"),
            (r#"{"Sid":"s","Effect":"Allow","Condition":[]}"#, "Condition: expected an object of operators"),
            (
                r#"{"Sid":"s","Effect":"Allow","Condition":{"Bool":1}}"#,
                "Condition.Bool: expected an object of condition keys",
            ),
            (
                r#"{"Sid":"s","Effect":"Allow","Condition":{"Bool":{"k":{}}}}"#,
                "Condition.Bool.k: expected a string or a list of strings",
            ),
            (r#"{"Sid":"s","Effect":"Allow","X":{"a":1,"a":2}}"#, r#"X: key "a" appears twice"#),
        ] {
            let text = document(&format!(r#"[{{"Effect":"Deny"}},{statement}]"#));
            let error = PolicyDocument::parse(&text).unwrap_err().to_string();
            assert!(error.starts_with("malformed policy: statement 2"), "{error}");
            assert!(error.ends_with(message), "{error} should end with {message}");
            assert_eq!(
                error.contains("(\"s\")"),
                statement.contains("\"Sid\":\"s\"") && !message.contains("key \"Effect\""),
                "{error}"
            );
        }
    }

    #[test]
    fn principals_leave_a_statement_and_the_last_takes_it_along() {
        let text = r#"[{"Sid":"s","Effect":"Allow","Principal":{"AWS":["gone","stays"],"Service":"x"},"Resource":["*"]},
            {"Sid":"t","Effect":"Allow","Principal":{"AWS":"gone"}},{"Effect":"Deny","NotPrincipal":{"AWS":"gone"}}]"#;
        let left = PolicyDocument::parse(&document(text)).unwrap();
        let left =
            left.filter_map_statements(|statement| statement.without_principals(|principal| principal == "gone"));
        let expected = r#"[{"Effect":"Allow","Principal":{"AWS":["stays"],"Service":["x"]},"Resource":["*"],"Sid":"s"},
            {"Effect":"Deny","NotPrincipal":{"AWS":"gone"}}]"#;
        let context = NormalContext::new(Partition::Aws);
        let expected = PolicyDocument::parse(&document(expected)).unwrap();
        assert_eq!(normal_document(&left, &context), normal_document(&expected, &context));
        assert_eq!(PolicyDocument::parse(&left.to_json()), Ok(left));
    }

    #[test]
    fn the_size_is_what_would_be_written() {
        let document = PolicyDocument::parse(&document("\n [ ] ")).unwrap();
        assert_eq!((document.size(), document), (39, PolicyDocument::empty()));
    }
}
