//! AWS accounts.

use anyhow::Result;
use tokio::sync::OnceCell;

use super::{Identity, StrictAws};

/// An account of the strict AWS, with the credentials of its root user for seeding.
#[derive(Debug)]
pub struct Account {
    id: String,
    partition: String,
    root: Identity,
    pub(super) doorman: OnceCell<Identity>,
}

impl Account {
    pub(super) fn new(id: String, partition: &str, root: Identity) -> Self {
        Self { id, partition: partition.to_owned(), root, doorman: OnceCell::new() }
    }

    /// Twelve digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub fn partition(&self) -> &str {
        &self.partition
    }

    /// The root user, in the partition's first region.
    pub fn root(&self) -> &Identity {
        &self.root
    }

    /// The account as a principal.
    pub fn root_arn(&self) -> String {
        self.arn("root")
    }

    /// The ARN of something of IAM's: `role/path/Name`, `user/Name`, `policy/Name`, `root`.
    pub fn arn(&self, resource: &str) -> String {
        format!("arn:{}:iam::{}:{resource}", self.partition, self.id)
    }
}

impl StrictAws {
    /// A new account in a partition, with an id that no other test has.
    pub async fn account(&self, partition: &str) -> Result<Account> {
        self.account_with_id(&self.next_account_id(), partition).await
    }
}

/// A region of the partition: where IAM answers, and where keys are made unless said otherwise.
pub(super) fn first_region(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        _ => "us-east-1",
    }
}
