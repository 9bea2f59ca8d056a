//! What is decided about an `ExternalSecret`. The sentence is the one of a `SharedKey`: resolve → observe → compare → plan → apply →
//! summarise, and what both kinds need (accounts, delegation, ledger, steps, conditions) is the same code.
//!
//! A value is never here: only its fingerprint, which says nothing without the operator's key.

pub mod compare;
pub mod desired;
pub mod observed;
pub mod plan;
pub mod resolve;
pub mod revoke;
pub mod summarise;
#[cfg(test)]
pub(crate) mod testing;
pub mod value;
mod verdict;
pub mod write;
mod writer;

pub use self::{compare::versions_due, writer::denied};
