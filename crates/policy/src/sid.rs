//! Statement ids of key policies.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_as_text;

/// The text is no Sid of a key policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SidError {
    /// A statement without a Sid cannot be found again.
    #[error("a statement id must not be empty")]
    Empty,
    /// KMS refuses the document (D§1.1).
    #[error("character {character:?} is not allowed in a key policy: only Latin-1 is")]
    Character {
        /// The first refused character.
        character: char,
    },
}

/// The Sid of a key-policy statement: not empty, Latin-1. Spaces and slashes are legal here, unlike in IAM (D§1.1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid(String);

impl Sid {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `[\u0009\u000A\u000D\u0020-\u00FF]`, all that a key policy may contain (D§1.1).
pub(crate) fn is_key_policy_character(character: char) -> bool {
    matches!(character, '\u{9}' | '\u{A}' | '\u{D}' | '\u{20}'..='\u{FF}')
}

impl FromStr for Sid {
    type Err = SidError;

    fn from_str(text: &str) -> Result<Self, SidError> {
        if text.is_empty() {
            return Err(SidError::Empty);
        }
        match text.chars().find(|&c| !is_key_policy_character(c)) {
            Some(character) => Err(SidError::Character { character }),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// A set of Sids is asked with the plain text that a statement carries.
impl std::borrow::Borrow<str> for Sid {
    fn borrow(&self) -> &str {
        &self.0
    }
}

serde_as_text!(Sid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_is_latin_1_and_not_empty() {
        for text in ["SharedKey/prod/team/payments/analytics", "Allow use of the key", "Schlüssel"] {
            assert_eq!(text.parse::<Sid>().unwrap().as_str(), text);
        }
        assert_eq!("".parse::<Sid>(), Err(SidError::Empty));
        for character in ['“', '–', '键', '🔑', '\u{0}'] {
            assert_eq!(format!("a{character}").parse::<Sid>(), Err(SidError::Character { character }));
        }
    }
}
