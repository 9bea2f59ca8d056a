//! Values of secrets, as far as pure code may know them: whether a version of a secret has a value, without the value.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Hex digits of a fingerprint.
const DIGITS: usize = 64;
/// How many of them stand at the beginning of a version's id.
const SHOWN: usize = 32;

/// A keyed hash of an object's uid and a value: HMAC-SHA256 under a key that only the operator has, as 64 hexadecimal digits. Equal
/// values of one object have equal fingerprints; beyond that it says nothing of the value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ValueFingerprint(String);

/// A text that is not 64 hexadecimal digits.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a fingerprint of a value has 64 hexadecimal digits")]
pub struct InvalidFingerprint;

impl ValueFingerprint {
    /// The id that a version with this value gets: the `ClientRequestToken` of the write (D§5.6).
    ///
    /// `replaced` is the version that is current before the write. A value that comes back needs a version of its own each time: AWS
    /// takes the token of an earlier one for a repetition, and moves no label. A write that is repeated after a lost answer or a crash
    /// replaces the same version, and so has the same token.
    pub fn version(&self, replaced: Option<&str>) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.0.as_bytes());
        // A version's id is never empty.
        hasher.update(replaced.unwrap_or_default().as_bytes());
        let tail = HEXLOWER.encode(&hasher.finalize());
        format!("{}{}", &self.0[..SHOWN], &tail[..DIGITS - SHOWN])
    }

    /// Whether a version was made by us with this value. `recorded` is the version that the ledger knows as written, `previous` the one
    /// that was current before: without a ledger they tell it from an id that somebody else has chosen.
    pub fn is_of(&self, version: &str, recorded: Option<&str>, previous: Option<&str>) -> bool {
        version.len() == DIGITS
            && version.starts_with(&self.0[..SHOWN])
            && (recorded == Some(version) || [previous, None].iter().any(|replaced| self.version(*replaced) == version))
    }
}

impl FromStr for ValueFingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == DIGITS && text.bytes().all(hex) { Ok(Self(text.to_owned())) } else { Err(InvalidFingerprint) }
    }
}

impl TryFrom<String> for ValueFingerprint {
    type Error = InvalidFingerprint;

    fn try_from(text: String) -> Result<Self, InvalidFingerprint> {
        text.parse()
    }
}

impl From<ValueFingerprint> for String {
    fn from(fingerprint: ValueFingerprint) -> Self {
        fingerprint.0
    }
}

impl fmt::Display for ValueFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(digit: char) -> ValueFingerprint {
        digit.to_string().repeat(DIGITS).parse().unwrap()
    }

    #[test]
    fn a_value_that_comes_back_is_a_version_of_its_own() {
        let (a, b) = (fingerprint('a'), fingerprint('b'));
        let first = a.version(None);
        let second = b.version(Some(&first));
        let third = a.version(Some(&second));
        assert!(first != third && first.len() == 64 && third.len() == 64);
        assert_eq!(third, a.version(Some(&second)));
    }

    #[test]
    fn a_version_tells_whether_it_has_the_value() {
        let (a, b) = (fingerprint('a'), fingerprint('b'));
        let first = a.version(None);
        let second = b.version(Some(&first));
        for (value, version, recorded, previous, is) in [
            (&a, &first, None, None, true),
            (&b, &first, None, None, false),
            (&b, &first, Some(&first), None, false),
            (&b, &second, None, Some(&first), true),
            (&b, &second, Some(&second), None, true),
            // Nobody else knows how it ends.
            (&b, &second, None, None, false),
        ] {
            let [recorded, previous] = [recorded, previous].map(|version| version.map(String::as_str));
            assert_eq!(value.is_of(version, recorded, previous), is, "{version}");
        }
        let forged = format!("{}{}", &second[..32], "0".repeat(32));
        assert!(!b.is_of(&forged, Some(&second), Some(&first)));
        assert!(!b.is_of("EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE", None, None));
    }

    #[test]
    fn fingerprints_are_hexadecimal() {
        for refused in ["", "a", &"A".repeat(64), &"g".repeat(64), &"a".repeat(65)] {
            assert!(refused.parse::<ValueFingerprint>().is_err(), "{refused:?}");
        }
    }
}
