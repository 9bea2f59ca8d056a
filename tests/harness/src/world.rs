//! One world for all tests of a test binary.

use anyhow::{Result, anyhow};
use tokio::sync::OnceCell;

use crate::{
    ControlPlane, StrictAws,
    cluster::{ServiceAccountRef, install_rbac},
    controlplane::{ISSUER, Options},
    repo_root,
};

/// A control plane with the operator's CRDs and rights, and a strict AWS that knows its token issuer's keys.
#[derive(Debug)]
pub struct World {
    /// Kubernetes.
    pub control_plane: ControlPlane,
    /// AWS.
    pub aws: StrictAws,
    /// Whom the operator runs as.
    pub operator_account: ServiceAccountRef,
}

impl World {
    /// Starts one.
    pub async fn start() -> Result<Self> {
        let aws = StrictAws::start().await?;
        let control_plane = ControlPlane::start(&Options::default()).await?;
        aws.register_issuer(ISSUER, &control_plane.key_set().await?).await?;
        let operator_account = install_rbac(&control_plane.client().await?, &repo_root().join("deploy/base")).await?;
        Ok(Self { control_plane, aws, operator_account })
    }

    /// The one of this process, started by whoever asks first. It is never dropped; the end of the process ends it.
    ///
    /// A failed start is remembered: it is not tried again for each test, and each test says why.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<Result<World>> = OnceCell::const_new();
        SHARED
            .get_or_init(Self::start)
            .await
            .as_ref()
            .map_err(|error| anyhow!("the world could not be started: {error:#}"))
    }
}
