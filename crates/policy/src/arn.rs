//! ARNs and the names inside them, parsed once at the edge.
//!
//! A value of these types is well formed and consistent in itself (the Region of a key belongs to its partition). It
//! never says that the thing exists.

mod entity;
mod key;
mod policy;
mod secret;

use std::fmt;
use std::str::FromStr;

pub use entity::{EntityArn, EntityKind};
pub use key::{AliasArn, AliasName, KeyArn};
pub use policy::PolicyArn;
pub use secret::{SecretArn, SecretName};

use crate::partition::{Partition, Region};
use crate::text::serde_as_text;

/// Why a text is no ARN, or no part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    /// The text has another shape.
    #[error("`{text}` is not of the form {expected}")]
    Shape {
        /// The text as given.
        text: String,
        /// The form that was expected.
        expected: &'static str,
    },
    /// An account id is exactly 12 digits.
    #[error("`{account}` is not an account id: 12 digits")]
    Account {
        /// The text as given.
        account: String,
    },
    /// No partition has this id.
    #[error("`{partition}` is not a partition")]
    UnknownPartition {
        /// The text as given.
        partition: String,
    },
    /// The Region matches no partition's pattern (D§7).
    #[error("`{region}` is not a region of any partition")]
    UnknownRegion {
        /// The text as given.
        region: String,
    },
    /// The ARN names a Region of another partition.
    #[error("region {region} belongs to partition {actual}, not to {partition}")]
    PartitionMismatch {
        /// The Region.
        region: String,
        /// The partition that the ARN names.
        partition: Partition,
        /// The partition of the Region.
        actual: Partition,
    },
    /// A role, user, policy, key or alias name with characters or a length that AWS does not allow (D§4.1).
    #[error("`{name}` is not a name that AWS allows: {expected}")]
    Name {
        /// The text as given.
        name: String,
        /// What is allowed.
        expected: &'static str,
    },
}

/// An AWS account, 12 digits. The same digits in two partitions are two unrelated accounts (D§7).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(String);

impl AccountId {
    /// The 12 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        if is_account_id(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ArnError::Account { account: text.to_owned() })
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&AccountId> for AccountId {
    fn from(account: &AccountId) -> Self {
        account.clone()
    }
}

serde_as_text!(AccountId);

/// The account as a principal: it lets that account's IAM policies delegate, and is not the root user (D§1.2).
pub fn root_arn(partition: Partition, account: &AccountId) -> String {
    format!("arn:{partition}:iam::{account}:root")
}

pub(crate) fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// The parts of an IAM or STS ARN, for principals that are only read, never built.
pub(crate) fn principal_parts(arn: &str) -> Option<(&str, &str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let ("arn", partition, "iam" | "sts", "") = (parts.next()?, parts.next()?, parts.next()?, parts.next()?) else {
        return None;
    };
    Some((partition, parts.next()?, parts.next()?))
}

/// The six parts of an ARN, with the partition already understood.
struct Parts<'a> {
    partition: Partition,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

/// Splits an ARN of `service`; `expected` is the form that the error names.
fn split<'a>(text: &'a str, service: &str, expected: &'static str) -> Result<Parts<'a>, ArnError> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts[..] {
        ["arn", partition, found, region, account, resource] if found == service => {
            Ok(Parts { partition: Partition::of_arn_part(partition)?, region, account, resource })
        }
        _ => Err(ArnError::Shape { text: text.to_owned(), expected }),
    }
}

/// The Region of an ARN, which has to be of the ARN's partition.
fn region_of(parts: &Parts<'_>) -> Result<Region, ArnError> {
    let region: Region = parts.region.parse()?;
    let (partition, actual) = (parts.partition, region.partition());
    if partition == actual {
        Ok(region)
    } else {
        Err(ArnError::PartitionMismatch { region: region.to_string(), partition, actual })
    }
}

/// `[\w+=,.@-]+`, the alphabet of IAM names (D§4.1).
fn is_iam_name(name: &str, longest: usize) -> bool {
    (1..=longest).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'=' | b',' | b'.' | b'@' | b'-'))
}

/// An IAM path without its first slash: empty, or visible ASCII ending in a slash, 512 with both slashes (D§4.1).
fn is_iam_path(path: &str) -> bool {
    path.is_empty() || (path.len() < 512 && path.ends_with('/') && path.bytes().all(|b| (0x21..=0x7f).contains(&b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_id_is_twelve_digits() {
        assert_eq!("012345678901".parse::<AccountId>().unwrap().as_str(), "012345678901");
        for text in ["", "1234", "1111222233334", "11112222333a", "１１１１２２２２３３３３"] {
            assert!(text.parse::<AccountId>().is_err(), "{text}");
        }
    }

    #[test]
    fn parsed_names_serialise_as_their_text() {
        let account: AccountId = serde_json::from_str("\"111122223333\"").unwrap();
        assert_eq!(serde_json::to_string(&account).unwrap(), "\"111122223333\"");
        let error = serde_json::from_str::<AccountId>("\"12\"").unwrap_err();
        assert!(error.to_string().contains("12 digits"), "{error}");
    }

    #[test]
    fn the_root_arn_names_the_partition() {
        let account = "111122223333".parse().unwrap();
        assert_eq!(root_arn(Partition::AwsCn, &account), "arn:aws-cn:iam::111122223333:root");
    }
}
