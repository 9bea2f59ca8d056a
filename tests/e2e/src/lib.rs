//! Stages for stories: an operator that serves two partitions at once, and for each test a namespace and AWS accounts of its own.
//!
//! The operator is the real binary, with the rights that `deploy/` ships. In AWS it has the policies that the docs name
//! (`docs/iam/`) and no other: what they lack, the tests lack.

mod document;
mod doors;
mod guards;
mod hands;
mod history;
mod kept;
mod live;
mod logins;
mod modes;
mod operator;
mod reported;
mod secrets;
mod seen;
mod stage;
mod traffic;

pub use document::{foreign, has_sid, key_document, own_sid, statement};
pub use hands::Hands;
pub use history::History;
pub use kept::Kept;
pub use live::{Live, unordered};
pub use logins::{Login, ROLE};
pub use operator::{ENDPOINT_FLAGS, Home, INTERVAL, OWNER_ID, Service, operator};
pub use reported::{reconciles, statuses_written};
pub use secrets::{Glance, create_secret_as, has, let_keep_secrets, told};
pub use seen::{condition, is_for, says};
pub use stage::{DEADLINE, Side, Stage, allowed, denied, is, is_settled, merge, spec};
pub use traffic::{IN_ACCOUNTS, reads};
