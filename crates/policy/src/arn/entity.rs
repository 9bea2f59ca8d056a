//! Roles and users, the principals that both halves of a share can name.

use std::fmt;
use std::str::FromStr;

use super::{AccountId, ArnError, is_iam_name, is_iam_path, split};
use crate::partition::Partition;
use crate::text::serde_as_text;

const FORM: &str = "arn:PARTITION:iam::ACCOUNT:role/PATH/NAME or arn:PARTITION:iam::ACCOUNT:user/PATH/NAME";
const NAME: &str = "letters, digits and _+=,.@- (at most 64), after a path of visible ASCII that ends in /";

/// What kind of IAM entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum EntityKind {
    /// A role; a policy that names it means all of its sessions.
    Role,
    /// A user.
    User,
}

/// The ARN of a role or user. The path is part of it: the wrong path names nobody (D§1.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityArn {
    partition: Partition,
    account: AccountId,
    kind: EntityKind,
    path: String,
    name: String,
}

impl EntityArn {
    /// Builds the ARN from a `path/Name` such as `team/Reader`, or just `Reader`.
    pub fn new(
        partition: Partition,
        account: impl Into<AccountId>,
        kind: EntityKind,
        path_and_name: &str,
    ) -> Result<Self, ArnError> {
        let name_from = path_and_name.rfind('/').map_or(0, |slash| slash + 1);
        let (path, name) = path_and_name.split_at(name_from);
        if path.starts_with('/') || !is_iam_path(path) || !is_iam_name(name, 64) {
            return Err(ArnError::Name { name: path_and_name.to_owned(), expected: NAME });
        }
        Ok(Self { partition, account: account.into(), kind, path: format!("/{path}"), name: name.to_owned() })
    }

    /// The partition.
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// The account that the entity lives in.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Role or user.
    pub fn kind(&self) -> EntityKind {
        self.kind
    }

    /// `/`, or a path such as `/a/b/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name alone, which is what IAM's calls take (D§4.3).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `role/a/b/Name`, the part after the account.
    pub fn resource(&self) -> String {
        format!("{}{}{}", self.kind, self.path, self.name)
    }

    /// A service-linked role: nobody but AWS can attach a policy to it (D§4.4).
    pub fn is_service_linked(&self) -> bool {
        self.path.starts_with("/aws-service-role/")
    }

    /// A role of IAM Identity Center: only a permission set changes it (D§4.4).
    pub fn is_sso_reserved(&self) -> bool {
        self.path.starts_with("/aws-reserved/sso.amazonaws.com/")
    }
}

impl FromStr for EntityArn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let shape = || ArnError::Shape { text: text.to_owned(), expected: FORM };
        let parts = split(text, "iam", FORM)?;
        let (kind, path_and_name) = parts.resource.split_once('/').ok_or_else(shape)?;
        let kind = kind.parse().map_err(|_| shape())?;
        if !parts.region.is_empty() {
            return Err(shape());
        }
        Self::new(parts.partition, parts.account.parse::<AccountId>()?, kind, path_and_name)
    }
}

impl fmt::Display for EntityArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:{}:iam::{}:{}{}{}", self.partition, self.account, self.kind, self.path, self.name)
    }
}

serde_as_text!(EntityArn);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_name_are_told_apart() {
        for (text, path, name, resource) in [
            ("arn:aws:iam::111122223333:role/Reader", "/", "Reader", "role/Reader"),
            ("arn:aws-cn:iam::111122223333:user/a/b/Eve@x", "/a/b/", "Eve@x", "user/a/b/Eve@x"),
        ] {
            let arn: EntityArn = text.parse().unwrap();
            assert_eq!((arn.path(), arn.name(), arn.resource().as_str()), (path, name, resource));
            assert_eq!(arn.to_string(), text);
        }
    }

    #[test]
    fn what_a_key_policy_must_not_name_is_refused() {
        for text in [
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:group/Team",
            "arn:aws:iam::111122223333:role/*",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:iam::111122223333:role//Reader",
            "arn:aws:iam:eu-west-1:111122223333:role/Reader",
            "arn:aws:sts::111122223333:assumed-role/Reader/session",
            "arn:aws-xx:iam::111122223333:role/Reader",
            "arn:aws:iam::1111:role/Reader",
            "111122223333",
        ] {
            assert!(text.parse::<EntityArn>().is_err(), "{text}");
        }
    }

    #[test]
    fn protected_roles_are_known_by_their_path() {
        let arn = |path: &str| format!("arn:aws:iam::111122223333:role/{path}").parse::<EntityArn>().unwrap();
        assert!(arn("aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling").is_service_linked());
        assert!(arn("aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_1").is_sso_reserved());
        assert!(!arn("Reader").is_service_linked() && !arn("Reader").is_sso_reserved());
    }
}
