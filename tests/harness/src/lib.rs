//! The world that the tests and the demo run in: a real Kubernetes control plane, a strict AWS, and the real operator.
//!
//! Everything listens on loopback ports, lives in throw-away folders and ends with the process that started it, however
//! that process ends ([`process`] says how). Nothing here knows the operator's own kinds: objects are plain manifests, so
//! that `crates/api` can test its types against a real API server without a circle.
//!
//! A test binary shares one [`World`]; each test brings its own namespace ([`cluster::fresh_namespace`]) and its own AWS
//! accounts ([`aws::StrictAws::account`]), so that tests run side by side.

pub mod aws;
pub mod cluster;
pub mod controlplane;
mod http;
mod hush;
pub mod metrics;
mod operator;
mod ports;
pub mod process;
mod repo;
mod say;
mod scratch;
mod serving;
mod wait;
mod world;

pub use aws::StrictAws;
pub use controlplane::ControlPlane;
pub use hush::{MARK, Search};
pub use operator::{Operator, OperatorOptions};
pub use repo::repo_root;
pub use say::say;
pub use scratch::Scratch;
pub use wait::{wait_for, wait_for_object};
pub use world::World;
