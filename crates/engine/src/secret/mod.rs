//! What is decided about an `ExternalSecret`. The sentence is the one of a `SharedKey`: resolve → observe → compare → plan → apply →
//! summarise, and what both kinds need (accounts, delegation, ledger, steps, conditions) is the same code.
//!
//! A value is never here: only its fingerprint, which says nothing without the operator's key.

pub mod desired;
pub mod observed;
pub mod resolve;
pub mod value;
pub mod write;
