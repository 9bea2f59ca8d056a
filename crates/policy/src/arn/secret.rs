//! Secrets of Secrets Manager.

use std::fmt;
use std::str::FromStr;

use super::{AccountId, ArnError, region_of, split};
use crate::partition::{Partition, Region};
use crate::text::serde_as_text;

const ARN_FORM: &str =
    "arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX, with a suffix of six letters and digits";
const NAME_FORM: &str = "arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME";
const ALPHABET: &str = "letters, digits and /_+=.@- (at most 512)";
/// Characters that AWS adds to the name, so that a secret that is deleted and made anew has another ARN (D§5.7).
const SUFFIX: usize = 6;

/// A secret by its name in a Region of an account: what a spec knows before the secret exists. As text it is AWS' partial ARN,
/// which is no full ARN of anything.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName {
    region: Region,
    account: AccountId,
    name: String,
}

impl SecretName {
    /// Names a secret.
    pub fn new(region: Region, account: impl Into<AccountId>, name: &str) -> Result<Self, ArnError> {
        if name.contains('!') {
            return Err(ArnError::Name { name: name.to_owned(), expected: ALPHABET });
        }
        Self::found(region, account.into(), name)
    }

    /// A name that AWS shows. Its own services put `!` into theirs, as in `rds!db-…`.
    fn found(region: Region, account: AccountId, name: &str) -> Result<Self, ArnError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"/_+=.@-!".contains(&b);
        if name.is_empty() || name.len() > 512 || !name.bytes().all(allowed) {
            return Err(ArnError::Name { name: name.to_owned(), expected: ALPHABET });
        }
        Ok(Self { region, account, name: name.to_owned() })
    }

    /// The partition.
    pub fn partition(&self) -> Partition {
        self.region.partition()
    }

    /// The Region of the secret, or of its primary where it is replicated.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The account that owns it.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The name alone. Calls by name find secrets of the caller's own account only (D§5.1).
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for SecretName {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let parts = split(text, "secretsmanager", NAME_FORM)?;
        let shape = || ArnError::Shape { text: text.to_owned(), expected: NAME_FORM };
        let name = parts.resource.strip_prefix("secret:").ok_or_else(shape)?;
        Self::found(region_of(&parts)?, parts.account.parse::<AccountId>()?, name)
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, account, name } = self;
        write!(f, "arn:{}:secretsmanager:{region}:{account}:secret:{name}", region.partition())
    }
}

/// The ARN of one secret: the only name of it that works from other accounts (D§5.1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretArn {
    secret: SecretName,
    suffix: String,
}

impl SecretArn {
    /// The secret without the suffix that tells it from an earlier one of the same name.
    pub fn secret(&self) -> &SecretName {
        &self.secret
    }

    /// The partition.
    pub fn partition(&self) -> Partition {
        self.secret.partition()
    }

    /// The Region that the ARN names.
    pub fn region(&self) -> &Region {
        self.secret.region()
    }

    /// The account that owns it.
    pub fn account(&self) -> &AccountId {
        self.secret.account()
    }
}

impl FromStr for SecretArn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let shape = || ArnError::Shape { text: text.to_owned(), expected: ARN_FORM };
        let (name, suffix) = text.rsplit_once('-').ok_or_else(shape)?;
        if suffix.len() != SUFFIX || !suffix.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(shape());
        }
        Ok(Self { secret: name.parse()?, suffix: suffix.to_owned() })
    }
}

impl fmt::Display for SecretArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.secret, self.suffix)
    }
}

serde_as_text!(SecretName, SecretArn);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arns_round_trip_and_belong_together() {
        let text = "arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:quickstart/My-Type-aB3dE9";
        let arn: SecretArn = text.parse().unwrap();
        assert_eq!((arn.to_string().as_str(), arn.partition()), (text, Partition::AwsCn));
        assert_eq!((arn.secret().name(), arn.account().as_str()), ("quickstart/My-Type", "111122223333"));
        let name = "arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:quickstart/My-Type";
        assert_eq!(name.parse::<SecretName>().unwrap(), *arn.secret());
        assert_eq!(arn.secret().to_string(), name);
    }

    #[test]
    fn an_arn_ends_in_the_suffix_that_aws_adds() {
        for text in [
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders",
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-??????",
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:-aB3dE9",
            "arn:aws:secretsmanager:eu-west-1:111122223333:orders-aB3dE9",
            "arn:aws:kms:eu-west-1:111122223333:secret:orders-aB3dE9",
            "orders",
        ] {
            assert!(text.parse::<SecretArn>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_have_the_alphabet_of_secrets_manager() {
        let name = |name: &str| {
            SecretName::new("eu-west-1".parse().unwrap(), "111122223333".parse::<AccountId>().unwrap(), name)
        };
        assert!(name("a/_+=.@-9").is_ok() && name(&"n".repeat(512)).is_ok());
        for refused in ["", "a b", "a*", "a:b", "rds!db-1", &"n".repeat(513)] {
            assert!(name(refused).is_err(), "{refused:?}");
        }
        let read = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:rds!db-1-aB3dE9".parse::<SecretArn>();
        assert_eq!(read.unwrap().secret().name(), "rds!db-1");
    }
}
