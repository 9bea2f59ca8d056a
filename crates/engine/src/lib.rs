//! What is decided about a `SharedKey` and an `ExternalSecret`, as pure functions over plain data.
//!
//! A reconcile reads as one sentence: resolve → observe → compare → plan → apply → summarise. `resolve`, `compare`, `plan` and
//! `summarise` live here; `observe` and `apply` need clients and live in `sharedkey-aws`. Nothing in this crate knows a
//! client, a clock or a source of randomness: those are arguments.

pub mod accounts;
pub mod backoff;
pub mod compare;
pub mod delegate;
pub mod desired;
pub mod history;
pub mod ledger;
pub mod meanwhile;
pub mod names;
pub mod observed;
pub mod overlap;
pub mod plan;
pub mod problem;
pub mod resolve;
pub mod revoke;
pub mod secret;
pub mod summarise;
mod text;
pub mod verdict;
pub mod write;
