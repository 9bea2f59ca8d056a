//! Managed policies.

use std::fmt;
use std::str::FromStr;

use super::{AccountId, ArnError, is_iam_name, is_iam_path, split};
use crate::partition::Partition;
use crate::text::serde_as_text;

const FORM: &str = "arn:PARTITION:iam::ACCOUNT:policy/PATH/NAME";

/// The ARN of a managed policy: of an account, or of AWS itself (`arn:aws:iam::aws:policy/…`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyArn {
    partition: Partition,
    account: Option<AccountId>,
    path: String,
    name: String,
}

impl PolicyArn {
    /// Builds the ARN of a customer managed policy from a `path/Name`.
    pub fn new(partition: Partition, account: impl Into<AccountId>, path_and_name: &str) -> Result<Self, ArnError> {
        Self::of(partition, Some(account.into()), path_and_name)
    }

    fn of(partition: Partition, account: Option<AccountId>, path_and_name: &str) -> Result<Self, ArnError> {
        let name_from = path_and_name.rfind('/').map_or(0, |slash| slash + 1);
        let (path, name) = path_and_name.split_at(name_from);
        if path.starts_with('/') || !is_iam_path(path) || !is_iam_name(name, 128) {
            let expected = "letters, digits and _+=,.@- (at most 128), after a path of visible ASCII that ends in /";
            return Err(ArnError::Name { name: path_and_name.to_owned(), expected });
        }
        Ok(Self { partition, account, path: format!("/{path}"), name: name.to_owned() })
    }

    /// The partition.
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// The account that owns the policy; none for a policy of AWS.
    pub fn account(&self) -> Option<&AccountId> {
        self.account.as_ref()
    }

    /// A policy of AWS, which nobody else can change.
    pub fn is_aws_managed(&self) -> bool {
        self.account.is_none()
    }

    /// `/`, or a path such as `/a/b/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name alone.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for PolicyArn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let parts = split(text, "iam", FORM)?;
        let path_and_name = match parts.resource.strip_prefix("policy/") {
            Some(rest) if parts.region.is_empty() => rest,
            _ => return Err(ArnError::Shape { text: text.to_owned(), expected: FORM }),
        };
        let account = if parts.account == "aws" { None } else { Some(parts.account.parse()?) };
        Self::of(parts.partition, account, path_and_name)
    }
}

impl fmt::Display for PolicyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = self.account.as_ref().map_or("aws", AccountId::as_str);
        write!(f, "arn:{}:iam::{account}:policy{}{}", self.partition, self.path, self.name)
    }
}

serde_as_text!(PolicyArn);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_of_an_account_and_of_aws_round_trip() {
        for (text, aws_managed) in [
            ("arn:aws:iam::111122223333:policy/sharedkey@a@b@c@d", false),
            ("arn:aws-cn:iam::111122223333:policy/team/x/Name", false),
            ("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole", true),
        ] {
            let arn: PolicyArn = text.parse().unwrap();
            assert_eq!((arn.to_string().as_str(), arn.is_aws_managed()), (text, aws_managed));
        }
        assert!("arn:aws:iam::111122223333:role/Name".parse::<PolicyArn>().is_err());
    }
}
