//! The names under which our statements and policies stand in AWS.
//!
//! Joined with a character that no part can contain, and cut with a digest of the whole where too long, so that two
//! objects never share a name.

use std::{collections::BTreeMap, fmt, str::FromStr};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sharedkey_policy::Sid;

use crate::ledger::Kind;

/// How every Sid begins that a SharedKey's operator writes into a key policy, whatever its owner id.
const SID_PREFIX: &str = "SharedKey/";
/// How the name of every policy begins that is written into IAM.
const POLICY_PREFIX: &str = "sharedkey@";
/// Longest Sid that we write. KMS documents no limit; this keeps the cost of a statement in the 32 KB of a key policy small.
const MAX_SID: usize = 128;
/// IAM: a policy name has at most 128 characters of `[\w+=,.@-]` (D§4.1).
const MAX_POLICY_NAME: usize = 128;
/// Hex digits of the digest that ends a shortened name. What stays in front of it always holds the owner id and the whole
/// namespace (at most 107 characters), so a collision that somebody computes stays inside his own namespace.
const TAIL: usize = 16;

/// Hex digits in the Sid of a secret's statement: of the owner id, of the object, and of the reader. 96 bits of the object keep one
/// tenant from finding names under which his statements pass for another's.
const SECRET_SID: [usize; 3] = [16, 24, 16];
/// How every Sid begins that is written into the resource policy of a secret.
const SECRET_SID_PREFIX: &str = "SharedKey";

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
    /// Whether a Sid was written by an operator of this owner id, for whichever object: in a key policy or in a secret's.
    pub fn wrote(&self, sid: &str) -> bool {
        match sid.strip_prefix(SID_PREFIX) {
            Some(rest) => rest.strip_prefix(self.0.as_str()).is_some_and(|rest| rest.starts_with('/')),
            None => is_of_secret(sid) && sid.starts_with(&self.secret_sid()),
        }
    }

    /// How the Sids in policies of secrets begin. Only letters and digits are legal there, so what a name says is hashed.
    fn secret_sid(&self) -> String {
        format!("{SECRET_SID_PREFIX}{}", &digest(&[&self.0])[..SECRET_SID[0]])
    }
}

/// The name of a policy in IAM, as it stands in how verdicts name it: `inline policy NAME`, or the policy's ARN.
pub(crate) fn policy_in(verdict: &str) -> &str {
    verdict.strip_prefix("inline policy ").or_else(|| verdict.rsplit('/').next()).unwrap_or(verdict)
}

/// Whether a Sid was written for a SharedKey, by an operator of whichever owner id.
pub fn of_any_shared_key(sid: &str) -> bool {
    sid.starts_with(SID_PREFIX)
}

/// Whether a Sid has the form of those in policies of secrets, whatever the owner id.
fn is_of_secret(sid: &str) -> bool {
    let digits: usize = SECRET_SID.iter().sum();
    let hashed = sid.strip_prefix(SECRET_SID_PREFIX);
    hashed.is_some_and(|hashed| hashed.len() == digits && hashed.bytes().all(|b| b.is_ascii_hexdigit()))
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
    kind: Kind,
    object: ObjectName,
    /// How the names of all its policies in IAM begin.
    policy_prefix: String,
}

impl Names {
    /// The names of a `SharedKey` under an owner id.
    pub fn new(owner: OwnerId, object: ObjectName) -> Self {
        Self::of_kind(Kind::SharedKey, owner, object)
    }

    /// The names of an `ExternalSecret` under an owner id. They are never those of a `SharedKey` of the same name.
    pub fn of_secret(owner: OwnerId, object: ObjectName) -> Self {
        Self::of_kind(Kind::ExternalSecret, owner, object)
    }

    /// No name in Kubernetes holds `=`, so a `SharedKey` never has the names of an `ExternalSecret`.
    fn of_kind(kind: Kind, owner: OwnerId, object: ObjectName) -> Self {
        let marked = match kind {
            Kind::SharedKey => "",
            Kind::ExternalSecret => "secret=",
        };
        let policy_prefix = format!("{POLICY_PREFIX}{owner}@{}@{marked}{}@", object.namespace, object.name);
        Self { owner, kind, object, policy_prefix }
    }

    /// The kind of the object.
    pub fn kind(&self) -> Kind {
        self.kind
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

    /// The Sid of a reader's statement in a secret's resource policy, where only letters and digits are legal (D§1.1).
    ///
    /// # Panics
    /// Never: letters and digits are a legal Sid.
    pub fn secret_sid(&self, reader: &str) -> Sid {
        #[expect(clippy::expect_used, reason = "letters and digits are a legal Sid")]
        format!("{}{}", self.secret_sid_of_object(), &digest(&[reader])[..SECRET_SID[2]]).parse().expect("a legal Sid")
    }

    fn secret_sid_of_object(&self) -> String {
        let ObjectName { namespace, name } = &self.object;
        format!("{}{}", self.owner.secret_sid(), &digest(&[namespace, name])[..SECRET_SID[1]])
    }

    /// Whether a Sid is one of this object's, for whichever consumer or reader. A Sid of a `SharedKey` that had to be shortened may
    /// not show it.
    pub fn own_sid(&self, sid: &str) -> bool {
        let ObjectName { namespace, name } = &self.object;
        match self.kind {
            Kind::SharedKey => sid.starts_with(&format!("{SID_PREFIX}{}/{namespace}/{name}/", self.owner)),
            Kind::ExternalSecret => self.owner.wrote(sid) && sid.starts_with(&self.secret_sid_of_object()),
        }
    }

    /// Whether the name of a policy in IAM is one of this object's, in the same way.
    pub fn own_policy(&self, policy: &str) -> bool {
        policy.starts_with(&self.policy_prefix)
    }

    /// Whether a verdict or quota may name a statement or policy: not where its name is that of an object in another namespace, or of
    /// another cluster. `name` is a Sid, or how verdicts name a policy.
    pub fn tells(&self, name: &str) -> bool {
        let namespace = &self.object.namespace;
        if of_any_shared_key(name) {
            return name.starts_with(&format!("{SID_PREFIX}{}/{namespace}/", self.owner));
        }
        let policy = policy_in(name);
        !policy.starts_with(POLICY_PREFIX) || policy.starts_with(&format!("{POLICY_PREFIX}{}@{namespace}@", self.owner))
    }

    /// The name of a consumer's or reader's policy in IAM. Kubernetes names are lower case, so IAM's case-insensitive uniqueness (D§4.3)
    /// cannot make two of them one.
    pub fn policy_name(&self, consumer: &str) -> String {
        shorten([&self.policy_prefix, consumer].concat(), MAX_POLICY_NAME)
    }
}

impl Names {
    /// Tags that say for which object, and for which of its consumers or readers, something was made.
    pub fn tags(&self, consumer: Option<&str>) -> BTreeMap<String, String> {
        let ObjectName { namespace, name } = &self.object;
        let (kind, entry) = match self.kind {
            // As tags were before there was another kind.
            Kind::SharedKey => (None, "sharedkey.dev/consumer"),
            Kind::ExternalSecret => (Some(("sharedkey.dev/kind", self.kind.to_string())), "sharedkey.dev/reader"),
        };
        let object = [
            ("sharedkey.dev/owner-id", self.owner.to_string()),
            ("sharedkey.dev/namespace", namespace.clone()),
            ("sharedkey.dev/name", name.clone()),
        ];
        let consumer = consumer.map(|consumer| (entry, consumer.to_owned()));
        object.into_iter().chain(kind).chain(consumer).map(|(key, value)| (key.to_owned(), value)).collect()
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
    HEXLOWER.encode(&hasher.finalize()[..20])
}

fn shorten(name: String, max: usize) -> String {
    if name.len() <= max {
        return name;
    }
    let tail = HEXLOWER.encode(&Sha256::digest(name.as_bytes())[..TAIL / 2]);
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

    fn of_secret(namespace: &str, name: &str) -> Names {
        Names::of_secret("prod-eu".parse().unwrap(), ObjectName { namespace: namespace.into(), name: name.into() })
    }

    #[test]
    fn a_secrets_sid_is_letters_and_digits_and_shows_whose_it_is() {
        let names = of_secret("team", "orders");
        let sid = names.secret_sid("partner").to_string();
        assert!(sid.bytes().all(|b| b.is_ascii_alphanumeric()), "{sid}");
        let owns = |owner: &str| owner.parse::<OwnerId>().unwrap().wrote(&sid);
        assert!(owns("prod-eu") && !owns("prod") && !owns("prod-eu-2"));
        assert!(names.own_sid(&sid) && names.own_sid(names.secret_sid("b").as_str()));
        for other in [of_secret("team", "order"), of_secret("team-b", "orders"), self::names("team", "orders")] {
            assert!(!other.own_sid(&sid), "{other:?}");
        }
        assert!(!"prod-eu".parse::<OwnerId>().unwrap().wrote(&sid[..sid.len() - 1]));
    }

    #[test]
    fn a_shared_key_and_a_secret_of_one_name_have_different_policies() {
        let (key, secret) = (names("team", "orders"), of_secret("team", "orders"));
        assert_eq!(secret.policy_name("partner"), "sharedkey@prod-eu@team@secret=orders@partner");
        assert!(!key.own_policy(&secret.policy_name("partner")) && !secret.own_policy(&key.policy_name("partner")));
        assert!(secret.own_policy(&secret.policy_name("partner")));
    }

    #[test]
    fn owner_ids_are_bounded() {
        for refused in ["", "ab", "Prod", "a/b", "a@b", &"a".repeat(33)] {
            assert!(refused.parse::<OwnerId>().is_err(), "{refused:?}");
        }
    }
}
