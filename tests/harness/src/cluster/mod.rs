//! What tests do to a cluster: manifests, namespaces, and the operator's own identity.

mod apply;
mod deploy;
mod namespace;
mod token;

pub use apply::{apply, apply_path, documents};
pub use deploy::{ServiceAccountRef, install_rbac};
pub use namespace::fresh_namespace;
pub use token::{client_as, kubeconfig_for, token};
