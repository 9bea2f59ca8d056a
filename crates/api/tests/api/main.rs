//! The rules of the API: in Rust's own CEL evaluator, against what the policy crate says, and in a real API server.

mod agreement;
mod apiserver;
mod examples;
mod rules;
mod tables;
