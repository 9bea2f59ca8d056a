//! ExternalSecrets, and the Kubernetes Secrets that their values come from and go to.
//!
//! Values pass from a source to AWS and from AWS to a target, and are looked at nowhere else. Nothing here logs what the API
//! server says of a Secret but its status code.

mod access;
mod hashing;
mod keeping;
mod kind;
mod pair;
mod source;
mod target;
mod watches;

pub(crate) use self::{
    hashing::HashKey,
    watches::{Changed, Watches},
};
