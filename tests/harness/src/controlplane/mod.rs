//! A real Kubernetes control plane: etcd, kube-apiserver with RBAC, and kube-controller-manager, on free loopback ports, in
//! one throw-away folder. It ends with this value, or with the process.

mod assets;
mod components;
pub(crate) mod kubeconfig;
mod pki;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use self::{kubeconfig::Endpoint, pki::Pki};
use crate::{Scratch, cluster, ports, process::Process, repo_root, say, serving::serving};

/// Who signs ServiceAccount tokens. Nobody resolves the name: the AWS side is handed the key set of
/// [`ControlPlane::key_set`], as IAM would have fetched it.
pub const ISSUER: &str = "https://kubernetes.sharedkey.test";

/// Far more than a start takes (5 s); a machine that also compiles may need it.
const START: Duration = Duration::from_mins(2);

/// What a control plane is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Manifests, or folders of manifests, that are applied before controllers start. CRDs belong here: garbage collection
    /// waits 30 s for the discovery of kinds that come later.
    pub manifests: Vec<PathBuf>,
    /// Whether kube-controller-manager runs: deletion of namespaces, garbage collection, default service accounts.
    pub controllers: bool,
}

impl Default for Options {
    /// All of it, with the CRDs of this repository.
    fn default() -> Self {
        Self { manifests: vec![repo_root().join("crds")], controllers: true }
    }
}

impl Options {
    /// An API server with nothing in it: enough for what is decided at admission.
    pub fn bare() -> Self {
        Self { manifests: Vec::new(), controllers: false }
    }
}

/// A running control plane.
// Fields are dropped from top to bottom: processes first, then the folder that they write into.
#[derive(Debug)]
pub struct ControlPlane {
    processes: Vec<Process>,
    bin: PathBuf,
    endpoint: Endpoint,
    kubeconfig: PathBuf,
    folder: Scratch,
}

impl ControlPlane {
    /// Starts one and waits until it serves. An error shows the end of the failing server's log.
    pub async fn start(options: &Options) -> Result<Self> {
        let bin = assets::folder()?;
        let started = Instant::now();
        let folder = Scratch::new("controlplane")?;
        let pki = Pki::make(&folder)?;
        let token = format!("{:032x}", rand::random::<u128>());
        let port = ports::free()?;
        let endpoint = Endpoint { url: format!("https://127.0.0.1:{port}"), authority_pem: pki.authority_pem.clone() };
        let kubeconfig = folder.write("admin.kubeconfig", endpoint.kubeconfig("admin", &token)?)?;

        let (etcd, etcd_url) = components::etcd(&bin, &folder)?;
        let tokens = components::token_file(&folder, &token)?;
        let apiserver = components::apiserver(&bin, &folder, &pki, &tokens, &etcd_url, port)?;
        let mut this = Self { processes: vec![apiserver, etcd], bin, endpoint, kubeconfig, folder };

        let client = this.client().await?;
        let ready = async || Ok(client.request_text(get("/readyz")?).await?);
        serving(&mut this.processes, "kube-apiserver", START, ready).await?;
        for manifests in &options.manifests {
            cluster::apply_path(&client, manifests).await?;
        }
        if options.controllers {
            let controllers = components::controller_manager(&this.bin, &this.folder, &this.kubeconfig)?;
            this.processes.insert(0, controllers);
            let accounts: Api<ServiceAccount> = Api::namespaced(client, "default");
            let working = async || Ok(accounts.get("default").await?);
            serving(&mut this.processes, "kube-controller-manager", START, working).await?;
        }
        say(format_args!("control plane ready after {:.1} s", started.elapsed().as_secs_f32()));
        Ok(this)
    }

    /// A client with all rights. Make one in each test: its connections belong to the runtime that it was made in, and
    /// `#[tokio::test]` makes a runtime for each test.
    pub async fn client(&self) -> Result<Client> {
        client_of(&self.kubeconfig).await
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The address of kube-apiserver.
    pub fn url(&self) -> &str {
        &self.endpoint.url
    }

    /// Where logs and kubeconfigs are; gone when the control plane is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the kubeconfig of the bearer of `token` and returns where it is.
    pub fn write_kubeconfig(&self, user: &str, token: &str) -> Result<PathBuf> {
        self.folder.write(&format!("{user}.kubeconfig"), self.endpoint.kubeconfig(user, token)?)
    }

    /// The public keys that ServiceAccount tokens are verified with (a JWKS document).
    pub async fn key_set(&self) -> Result<serde_json::Value> {
        Ok(self.client().await?.request(get("/openid/v1/jwks")?).await?)
    }

    /// The kubectl that was built with this control plane.
    pub fn kubectl_path(&self) -> PathBuf {
        self.bin.join("kubectl")
    }

    /// kubectl with the administrator's rights, ready for arguments.
    pub fn kubectl_command(&self) -> Command {
        let mut command = Command::new(self.kubectl_path());
        command.env("KUBECONFIG", &self.kubeconfig);
        // Discovery is cached in the home folder by address, and addresses are used again by the next control plane.
        command.arg("--cache-dir").arg(self.folder.path().join("kubectl"));
        command
    }

    /// Runs kubectl to its end and returns what it printed; where it fails, the error is what it complained about.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        let output = self.kubectl_command().args(args).output().context("cannot run kubectl")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubectl {}: {}", args.join(" "), complaint.trim());
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// A client for the kubeconfig at `path`.
pub(crate) async fn client_of(path: &Path) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(path)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

fn get(path: &str) -> Result<http::Request<Vec<u8>>> {
    Ok(http::Request::get(path).body(Vec::new())?)
}
