//! The identity and the rights that `deploy/` ships.

use anyhow::{Context, Result, ensure};
use kube::{Client, ResourceExt};

use super::apply::{apply_objects, documents_at, kind};
use crate::repo_root;

/// A ServiceAccount, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccountRef {
    /// Where it is.
    pub namespace: String,
    /// What it is called.
    pub name: String,
}

const RBAC: [&str; 6] = ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];

/// Applies the Namespace, the ServiceAccount and every role and binding of `deploy/base`, and nothing else of it, and
/// returns the ServiceAccount: what the operator may do in a test is exactly what it may do at a user's.
pub async fn install_rbac(client: &Client) -> Result<ServiceAccountRef> {
    let mut objects = documents_at(&repo_root().join("deploy/base"))?;
    objects.retain(|object| RBAC.contains(&kind(object)));
    let of_kind = |wanted| objects.iter().filter(|object| kind(object) == wanted).collect::<Vec<_>>();
    let (namespaces, accounts) = (of_kind("Namespace"), of_kind("ServiceAccount"));
    ensure!(namespaces.len() == 1 && accounts.len() == 1, "deploy/base must have one Namespace and one ServiceAccount");
    let namespace = namespaces.first().context("no Namespace")?.name_any();
    let account = ServiceAccountRef { name: accounts.first().context("no ServiceAccount")?.name_any(), namespace };
    apply_objects(client, &account.namespace.clone(), objects).await?;
    Ok(account)
}
