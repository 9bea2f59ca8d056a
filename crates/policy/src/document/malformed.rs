//! Why a text is no policy document, and where.

use std::fmt;

use crate::json::JsonError;

/// A document that breaks the grammar of D§1.1. It is never written over: what it means is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed policy: {place}{problem}")]
pub struct MalformedPolicy {
    place: Place,
    problem: Problem,
}

impl MalformedPolicy {
    pub(super) fn of_document(element: Option<&str>, problem: Problem) -> Self {
        Self { place: Place { element: element.map(str::to_owned), ..Place::default() }, problem }
    }

    /// The place in the document.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What is wrong there.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

/// A place in a document, as exact as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The statement, counted from 1.
    pub statement: Option<usize>,
    /// Its Sid, if it has one that could be read.
    pub sid: Option<String>,
    /// The element, such as `Condition` or `Principal.AWS`.
    pub element: Option<String>,
}

impl Place {
    pub(super) fn fault(&self, element: Option<&str>, problem: impl Into<Problem>) -> MalformedPolicy {
        MalformedPolicy { place: Self { element: element.map(str::to_owned), ..self.clone() }, problem: problem.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(statement) = self.statement {
            write!(f, "statement {statement}")?;
            if let Some(sid) = &self.sid {
                write!(f, " ({sid:?})")?;
            }
            f.write_str(if self.element.is_some() { ", " } else { ": " })?;
        }
        if let Some(element) = &self.element {
            write!(f, "{element}: ")?;
        }
        Ok(())
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text is not JSON.
    #[error("not JSON: {detail}")]
    Syntax {
        /// What the JSON parser found, with line and column.
        detail: String,
    },
    /// A URL-encoded document is not UTF-8 once decoded.
    #[error("not UTF-8 after URL decoding")]
    Encoding,
    /// Two equal keys: one would hide the other.
    #[error("key {key:?} appears twice")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// Nested deeper than any policy.
    #[error("nested too deeply")]
    TooDeep,
    /// Something else should stand there.
    #[error("expected {expected}")]
    Expected {
        /// What should stand there.
        expected: &'static str,
    },
    /// A required element is absent.
    #[error("missing")]
    Missing,
    /// An element and its negation exclude each other.
    #[error("must not stand beside {other}")]
    Exclusive {
        /// The other element.
        other: &'static str,
    },
}

impl From<JsonError> for Problem {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Syntax(error) => Self::Syntax { detail: error.to_string() },
            JsonError::DuplicateKey(key) => Self::DuplicateKey { key },
            JsonError::TooDeep => Self::TooDeep,
        }
    }
}
