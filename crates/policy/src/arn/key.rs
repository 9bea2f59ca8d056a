//! Keys and aliases.

use std::fmt;
use std::str::FromStr;

use super::{AccountId, ArnError, region_of, split};
use crate::partition::{Partition, Region};
use crate::text::serde_as_text;

const KEY_FORM: &str = "arn:PARTITION:kms:REGION:ACCOUNT:key/ID";
const ALIAS_FORM: &str = "arn:PARTITION:kms:REGION:ACCOUNT:alias/NAME";

/// The ARN of one key in one Region: the only name of a key that works everywhere across accounts (D§1.3, D§2.5).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyArn {
    region: Region,
    account: AccountId,
    key_id: String,
}

impl KeyArn {
    /// Builds the ARN of a key id in a Region of an account.
    pub fn new(region: Region, account: impl Into<AccountId>, key_id: &str) -> Result<Self, ArnError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if key_id.is_empty() || key_id.len() > 64 || !key_id.bytes().all(allowed) {
            return Err(ArnError::Name {
                name: key_id.to_owned(),
                expected: "a key id: a UUID, or mrk- and 32 digits",
            });
        }
        Ok(Self { region, account: account.into(), key_id: key_id.to_owned() })
    }

    /// The partition.
    pub fn partition(&self) -> Partition {
        self.region.partition()
    }

    /// The Region that the key and its policy live in.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The owner account.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The key id.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }
}

impl FromStr for KeyArn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let parts = split(text, "kms", KEY_FORM)?;
        let shape = || ArnError::Shape { text: text.to_owned(), expected: KEY_FORM };
        let key_id = parts.resource.strip_prefix("key/").ok_or_else(shape)?;
        Self::new(region_of(&parts)?, parts.account.parse::<AccountId>()?, key_id)
    }
}

impl fmt::Display for KeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, account, key_id } = self;
        write!(f, "arn:{}:kms:{region}:{account}:key/{key_id}", region.partition())
    }
}

/// An alias, `alias/x`. Alone it means an alias of the caller's own account (D§2.5).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AliasName(String);

impl AliasName {
    /// The name with its `alias/` prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An alias of an AWS managed key, whose policy nobody can change (D§1.5).
    pub fn is_aws_managed(&self) -> bool {
        self.0.starts_with("alias/aws/")
    }
}

impl FromStr for AliasName {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-');
        match text.strip_prefix("alias/") {
            Some(name) if !name.is_empty() && text.len() <= 256 && name.bytes().all(allowed) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(ArnError::Name {
                name: text.to_owned(),
                expected: "alias/ and letters, digits and /_- (at most 256)",
            }),
        }
    }
}

impl fmt::Display for AliasName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ARN of an alias.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AliasArn {
    region: Region,
    account: AccountId,
    alias: AliasName,
}

impl AliasArn {
    /// Builds the ARN of an alias in a Region of an account.
    pub fn new(region: Region, account: impl Into<AccountId>, alias: AliasName) -> Self {
        Self { region, account: account.into(), alias }
    }

    /// The Region.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The account.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The alias.
    pub fn alias(&self) -> &AliasName {
        &self.alias
    }
}

impl FromStr for AliasArn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let parts = split(text, "kms", ALIAS_FORM)?;
        Ok(Self::new(region_of(&parts)?, parts.account.parse::<AccountId>()?, parts.resource.parse()?))
    }
}

impl fmt::Display for AliasArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, account, alias } = self;
        write!(f, "arn:{}:kms:{region}:{account}:{alias}", region.partition())
    }
}

serde_as_text!(KeyArn, AliasName, AliasArn);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_and_alias_arns_round_trip() {
        let text = "arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let key: KeyArn = text.parse().unwrap();
        assert_eq!((key.partition(), key.region().as_str()), (Partition::AwsCn, "cn-north-1"));
        assert_eq!((key.account().as_str(), key.key_id()), ("111122223333", "1234abcd-12ab-34cd-56ef-1234567890ab"));
        assert_eq!(key.to_string(), text);
        let text = "arn:aws:kms:us-east-1:111122223333:alias/team/payments";
        let alias: AliasArn = text.parse().unwrap();
        assert_eq!((alias.to_string().as_str(), alias.alias().as_str()), (text, "alias/team/payments"));
    }

    #[test]
    fn a_key_in_a_region_of_another_partition_is_refused() {
        let error = "arn:aws:kms:cn-north-1:111122223333:key/1".parse::<KeyArn>().unwrap_err();
        assert_eq!(error.to_string(), "region cn-north-1 belongs to partition aws-cn, not to aws");
    }

    #[test]
    fn a_key_arn_names_a_key() {
        for text in ["key/1", "arn:aws:kms:us-east-1:111122223333:alias/x", "arn:aws:kms:us-east-1:111122223333:key/*"]
        {
            assert!(text.parse::<KeyArn>().is_err(), "{text}");
        }
    }

    #[test]
    fn aliases_of_aws_are_told_apart() {
        assert!("alias/aws/s3".parse::<AliasName>().unwrap().is_aws_managed());
        assert!(!"alias/awsome".parse::<AliasName>().unwrap().is_aws_managed());
        assert!("alias/".parse::<AliasName>().is_err() && "x".parse::<AliasName>().is_err());
    }
}
