//! The AWS shell against the strict AWS: what is asked, how often, what is written, and what becomes of failures.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test say what they expect as its body does")]

mod apply;
mod apply_key_policy;
mod calls;
mod observe_iam;
mod observe_key;
mod sessions;
mod token;
mod world;
