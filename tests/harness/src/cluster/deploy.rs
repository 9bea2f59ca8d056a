//! The identity and the rights that `deploy/` ships.

use std::path::Path;

use anyhow::{Result, bail};
use kube::{Client, ResourceExt};

use super::apply::{apply_objects, documents_at, kind};

/// A ServiceAccount, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccountRef {
    /// Where it is.
    pub namespace: String,
    /// What it is called.
    pub name: String,
}

const RBAC: [&str; 6] = ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];

/// Applies the Namespace, the ServiceAccount and every role and binding found in a folder of manifests, and nothing else of
/// it, and returns the ServiceAccount. With `deploy/base`, what the operator may do in a test is exactly what it may do at
/// a user's.
pub async fn install_rbac(client: &Client, manifests: &Path) -> Result<ServiceAccountRef> {
    let mut objects = documents_at(manifests)?;
    objects.retain(|object| RBAC.contains(&kind(object)));
    let of_kind = |wanted| objects.iter().filter(|object| kind(object) == wanted).collect::<Vec<_>>();
    let (namespaces, accounts) = (of_kind("Namespace"), of_kind("ServiceAccount"));
    let ([namespace], [account]) = (&namespaces[..], &accounts[..]) else {
        bail!("{} must have one Namespace and one ServiceAccount", manifests.display());
    };
    let account = ServiceAccountRef { namespace: namespace.name_any(), name: account.name_any() };
    apply_objects(client, &account.namespace, objects).await?;
    Ok(account)
}
