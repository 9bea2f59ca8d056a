//! The three servers and their flags.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{ISSUER, pki::Pki};
use crate::{
    Scratch, ports,
    process::{Process, Run},
};

/// Starts etcd and returns it with the address for its client.
pub(super) fn etcd(bin: &Path, folder: &Scratch) -> Result<(Process, String)> {
    let client = format!("http://127.0.0.1:{}", ports::free()?);
    let peer = format!("http://127.0.0.1:{}", ports::free()?);
    let process = Run::new("etcd", bin.join("etcd"))
        .arg(flag("data-dir", folder.path().join("etcd").display()))
        .arg(flag("listen-client-urls", &client))
        .arg(flag("advertise-client-urls", &client))
        .arg(flag("listen-peer-urls", &peer))
        .arg(flag("initial-advertise-peer-urls", &peer))
        .arg(flag("initial-cluster", format!("default={peer}")))
        // The folder is thrown away: nothing has to survive a power cut.
        .arg("--unsafe-no-fsync")
        .start(folder.path())?;
    Ok((process, client))
}

/// Starts kube-apiserver on `port`.
pub(super) fn apiserver(
    bin: &Path,
    folder: &Scratch,
    pki: &Pki,
    tokens: &Path,
    etcd: &str,
    port: u16,
) -> Result<Process> {
    Run::new("kube-apiserver", bin.join("kube-apiserver"))
        .arg(flag("etcd-servers", etcd))
        .arg(flag("bind-address", "127.0.0.1"))
        .arg(flag("secure-port", port))
        // There is no service network to publish the server's own address in; without this it ends at once.
        .arg(flag("endpoint-reconciler-type", "none"))
        .arg(flag("service-cluster-ip-range", "10.96.0.0/16"))
        .arg(flag("cert-dir", folder.path().display()))
        .arg(flag("tls-cert-file", pki.serving_cert.display()))
        .arg(flag("tls-private-key-file", pki.serving_key.display()))
        .arg(flag("token-auth-file", tokens.display()))
        .arg(flag("authorization-mode", "RBAC"))
        .arg(flag("service-account-issuer", ISSUER))
        .arg(flag("service-account-key-file", pki.service_account_key.display()))
        .arg(flag("service-account-signing-key-file", pki.service_account_key.display()))
        .start(folder.path())
}

/// Starts kube-controller-manager with the controllers that tests rely on: namespaces that go away, garbage collection, and
/// default service accounts. No pod ever runs here.
pub(super) fn controller_manager(bin: &Path, folder: &Scratch, kubeconfig: &Path) -> Result<Process> {
    Run::new("kube-controller-manager", bin.join("kube-controller-manager"))
        .arg(flag("kubeconfig", kubeconfig.display()))
        .arg(flag("controllers", "namespace-controller,garbage-collector-controller,serviceaccount-controller"))
        // Without it namespaces stay Terminating for ever.
        .arg(flag("use-service-account-credentials", true))
        .arg(flag("leader-elect", false))
        .arg(flag("secure-port", 0))
        .start(folder.path())
}

/// The token file that makes the bearer of `token` an administrator.
pub(super) fn token_file(folder: &Scratch, token: &str) -> Result<PathBuf> {
    folder.write("tokens.csv", format!("{token},admin,admin,system:masters\n"))
}

fn flag(name: &str, value: impl std::fmt::Display) -> String {
    format!("--{name}={value}")
}
