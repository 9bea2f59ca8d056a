//! The AWS shell against the strict AWS: what is asked, how often, what is written, and what becomes of failures.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test say what they expect as its body does")]

mod apply;
mod apply_key_policy;
mod apply_replicas;
mod apply_secret;
mod apply_secret_policy;
mod calls;
mod observe_iam;
mod observe_key;
mod observe_secret;
mod sessions;
mod silence;
mod token;
mod vault;
mod world;
