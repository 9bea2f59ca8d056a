//! A strict AWS, and what tests do in it: accounts, roles, users, policies, keys, and real calls as any of them.

mod account;
mod admin;
mod attempt;
mod calls;
mod faults;
mod iam;
mod identity;
mod keys;
mod server;

pub use account::Account;
pub use admin::Options;
pub use attempt::{Attempt, Operation, Probe};
pub use aws_sdk_kms::Client as KmsClient;
pub use aws_sdk_secretsmanager::Client as SecretsManagerClient;
pub use calls::{Call, Calls, Count};
pub use faults::{Fault, FaultId};
pub use identity::{Credentials, Identity};
pub use keys::Key;
pub use server::StrictAws;
