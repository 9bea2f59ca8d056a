//! The names under which our statements and policies stand in AWS.
//!
//! Joined with a character that no part can contain, and cut with a digest of the whole where too long, so that two
//! objects never share a name.

use std::{
    fmt::{self, Write as _},
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sharedkey_policy::Sid;

/// How every Sid begins that a SharedKey's operator writes into a key policy, whatever its owner id.
const SID_PREFIX: &str = "SharedKey/";
/// Longest Sid that we write. KMS documents no limit; this keeps the cost of a statement in the 32 KB of a key policy small.
const MAX_SID: usize = 128;
/// IAM: a policy name has at most 128 characters of `[\w+=,.@-]` (D§4.1).
const MAX_POLICY_NAME: usize = 128;
/// Hex digits of the digest that ends a shortened name. What stays in front of it always holds the owner id and the whole
/// namespace (at most 107 characters), so a collision that somebody computes stays inside his own namespace.
const TAIL: usize = 16;

/// Which operator owns a statement: two clusters fed from one Git repository must not remove each other's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OwnerId(String);

/// An owner id that is not 3 to 32 characters of `a-z`, `0-9` and `-`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("an owner id has 3 to 32 characters of a-z, 0-9 and -, got {0:?}")]
pub struct InvalidOwnerId(String);

impl FromStr for OwnerId {
    type Err = InvalidOwnerId;

    fn from_str(text: &str) -> Result<Self, InvalidOwnerId> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (3..=32).contains(&text.len()) && text.bytes().all(legal) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidOwnerId(text.to_owned()))
        }
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl OwnerId {
    /// Whether a Sid was written by an operator of this owner id, for whichever object.
    pub fn wrote(&self, sid: &str) -> bool {
        sid.strip_prefix(SID_PREFIX)
            .and_then(|rest| rest.strip_prefix(self.0.as_str()))
            .is_some_and(|rest| rest.starts_with('/'))
    }
}

/// Whether a Sid was written for a SharedKey, by an operator of whichever owner id.
pub fn of_any_shared_key(sid: &str) -> bool {
    sid.starts_with(SID_PREFIX)
}

/// A namespaced object, by name: what a backup restores keeps its name and loses its uid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectName {
    /// The object's namespace.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The parts of what a consumer is allowed in a key policy: one statement each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The actions of the consumer.
    Use,
    /// Actions that an encryption-context condition would always refuse (D§2.4), stated without it.
    Describe,
    /// Grants for AWS services.
    Grants,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 3] = [Self::Use, Self::Describe, Self::Grants];

    /// The Sid of the part in an IAM policy, where only letters and digits are legal (D§1.1).
    pub fn iam_sid(self) -> &'static str {
        match self {
            Self::Use => "SharedKeyUse",
            Self::Describe => "SharedKeyDescribe",
            Self::Grants => "SharedKeyGrants",
        }
    }
}

/// Names what one object writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    owner: OwnerId,
    object: ObjectName,
}

impl Names {
    /// The names of an object under an owner id.
    pub fn new(owner: OwnerId, object: ObjectName) -> Self {
        Self { owner, object }
    }

    /// The operator that writes.
    pub fn owner(&self) -> &OwnerId {
        &self.owner
    }

    /// The object that is written for.
    pub fn object(&self) -> &ObjectName {
        &self.object
    }

    /// The Sid of a consumer's statement in a key policy, where slashes are legal (D§1.1).
    ///
    /// # Panics
    /// Never: the parts are Kubernetes names, and every one of those is a legal Sid.
    pub fn sid(&self, consumer: &str, part: Part) -> Sid {
        let ObjectName { namespace, name } = &self.object;
        let mut sid = format!("{SID_PREFIX}{}/{namespace}/{name}/{consumer}", self.owner);
        match part {
            Part::Use => {}
            Part::Describe => sid.push_str("/describe"),
            Part::Grants => sid.push_str("/grants"),
        }
        #[expect(
            clippy::expect_used,
            reason = "Kubernetes names are ASCII and not empty, which is all that a Sid asks for"
        )]
        shorten(sid, MAX_SID).parse().expect("a Kubernetes name is a legal Sid")
    }

    /// Whether a Sid is one of this object's, for whichever consumer. A Sid of ours that had to be shortened may not show it.
    pub fn own_sid(&self, sid: &str) -> bool {
        let ObjectName { namespace, name } = &self.object;
        sid.starts_with(&format!("{SID_PREFIX}{}/{namespace}/{name}/", self.owner))
    }

    /// Whether the name of a policy in IAM is one of this object's, in the same way.
    pub fn own_policy(&self, policy: &str) -> bool {
        let ObjectName { namespace, name } = &self.object;
        policy.starts_with(&format!("sharedkey@{}@{namespace}@{name}@", self.owner))
    }

    /// The name of a consumer's policy in IAM. Kubernetes names are lower case, so IAM's case-insensitive uniqueness (D§4.3)
    /// cannot make two of them one.
    pub fn policy_name(&self, consumer: &str) -> String {
        let ObjectName { namespace, name } = &self.object;
        shorten(format!("sharedkey@{}@{namespace}@{name}@{consumer}", self.owner), MAX_POLICY_NAME)
    }
}

/// A name for something whose parts may hold any character: hexadecimal, and different for different parts.
pub fn digest(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        // With its length in front, no part can pretend to be two.
        hasher.update(part.len().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex(&hasher.finalize()[..20])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn shorten(name: String, max: usize) -> String {
    if name.len() <= max {
        return name;
    }
    let tail = hex(&Sha256::digest(name.as_bytes())[..TAIL / 2]);
    format!("{}-{tail}", &name[..max - TAIL - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(namespace: &str, name: &str) -> Names {
        Names::new("prod-eu".parse().unwrap(), ObjectName { namespace: namespace.into(), name: name.into() })
    }

    #[test]
    fn a_sid_names_owner_object_consumer_and_part() {
        assert_eq!(
            names("team", "orders").sid("partner", Part::Use).to_string(),
            "SharedKey/prod-eu/team/orders/partner"
        );
        assert_eq!(
            names("team", "orders").sid("partner", Part::Grants).to_string(),
            "SharedKey/prod-eu/team/orders/partner/grants"
        );
    }

    #[test]
    fn names_that_are_too_long_stay_distinct() {
        let long = "n".repeat(253);
        let one = names("team", &long).policy_name("partner-a");
        let two = names("team", &long).policy_name("partner-b");
        assert_eq!(one.len(), MAX_POLICY_NAME);
        assert_ne!(one, two);
        assert_eq!(one[..MAX_POLICY_NAME - TAIL], two[..MAX_POLICY_NAME - TAIL]);
    }

    #[test]
    fn an_owner_wrote_only_what_carries_its_whole_id() {
        let owner: OwnerId = "prod".parse().unwrap();
        assert!(owner.wrote("SharedKey/prod/team/orders/partner"));
        assert!(!owner.wrote("SharedKey/prod-eu/team/orders/partner"));
        assert!(!owner.wrote("Allow use of the key"));
    }

    #[test]
    fn an_object_knows_its_own_names_from_those_of_its_neighbours() {
        let orders = names("team", "orders");
        for (of, own) in [
            (names("team", "orders"), true),
            (names("team", "orders-eu"), false),
            (names("team-b", "orders"), false),
            (names("team", "order"), false),
            (Names::new("prod".parse().unwrap(), orders.object.clone()), false),
        ] {
            for part in Part::ALL {
                assert_eq!(orders.own_sid(of.sid("partner", part).as_str()), own, "{of:?}");
            }
            assert_eq!(orders.own_policy(&of.policy_name("partner")), own, "{of:?}");
        }
    }

    #[test]
    fn owner_ids_are_bounded() {
        for refused in ["", "ab", "Prod", "a/b", "a@b", &"a".repeat(33)] {
            assert!(refused.parse::<OwnerId>().is_err(), "{refused:?}");
        }
    }
}
