//! The operator that all tests of a binary share: one process, both partitions.

use std::time::Duration;

use anyhow::{Result, anyhow};
use k8s_openapi::api::core::v1::Secret;

use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use sharedkey_harness::{Operator, OperatorOptions, World, cluster::kubeconfig_for};
use tokio::sync::OnceCell;

use crate::logins::{EXTERNAL_ID, ROLE, assuming_user};

/// The owner id of the shared operator.
pub const OWNER_ID: &str = "e2e";
/// How often the shared operator sweeps every object: the hidden override of the objects' own interval.
pub const INTERVAL: Duration = Duration::from_secs(2);

/// The strict AWS answers with the present unless asked to lag, and stories undo a write as soon as it was made. The end of an
/// object waits for accounts for seconds, where it waits for an hour otherwise, and for no write that was not answered.
const IMPATIENT: [&str; 8] = [
    "--read-lag-override-ms",
    "0",
    "--write-lag-override-ms",
    "0",
    "--deletion-timeout-seconds",
    "4",
    "--contention-override-seconds",
    "0",
];

/// The strict AWS is an endpoint of its own, without TLS.
pub const ENDPOINT_FLAGS: [&str; 2] = ["--allow-endpoint-overrides", "--allow-insecure-endpoints"];

/// Where an operator works, and who it is.
#[derive(Clone, Debug)]
pub struct Home {
    /// The world that it works in.
    pub world: &'static World,
    /// The ARN of its own user in partition `aws`.
    pub user: String,
    options: OperatorOptions,
}

/// An operator at work.
#[derive(Debug)]
pub struct Service {
    /// Where it works.
    pub home: Home,
    /// The process.
    pub operator: Operator,
}

/// Starts the shared one on first use.
pub async fn operator() -> Result<&'static Service> {
    static SHARED: OnceCell<Result<Service>> = OnceCell::const_new();
    SHARED
        .get_or_init(|| Service::start(INTERVAL, &IMPATIENT))
        .await
        .as_ref()
        .map_err(|error| anyhow!("the operator could not be started: {error:#}"))
}

impl Service {
    /// Starts an operator that sweeps every object each `interval`, with more arguments.
    pub async fn start(interval: Duration, args: &[&str]) -> Result<Self> {
        let interval = interval.as_millis().to_string();
        Self::with(&[&["--interval-override-ms", &interval], args].concat()).await
    }

    /// Starts an operator whose clocks are those of a cluster.
    pub async fn as_shipped() -> Result<Self> {
        Self::with(&[]).await
    }

    /// Starts an operator with these arguments, and of [`ENDPOINT_FLAGS`] only those among them.
    pub async fn allowing(args: &[&str]) -> Result<Self> {
        let home = Home::new(args).await?;
        Ok(Self { operator: home.start().await?, home })
    }

    /// Starts an operator that logs all that it, its clients and their libraries can, the bodies of requests and answers too.
    pub async fn talkative() -> Result<Self> {
        let interval = INTERVAL.as_millis().to_string();
        let args = [&ENDPOINT_FLAGS, &IMPATIENT[..], &["--interval-override-ms", &interval, "--log", "trace"]].concat();
        let mut home = Home::new(&args).await?;
        for variable in ["LOG_SIGNABLE_BODY", "LOG_SENSITIVE_BODIES"] {
            home.options = home.options.env(variable, "true");
        }
        Ok(Self { operator: home.start().await?, home })
    }

    async fn with(args: &[&str]) -> Result<Self> {
        Self::allowing(&[&ENDPOINT_FLAGS, args].concat()).await
    }
}

impl Home {
    /// A user in AWS, and a command line.
    async fn new(args: &[&str]) -> Result<Self> {
        let world = World::shared().await?;
        let account = world.aws.account("aws").await?;
        let user = assuming_user(&account).await?;
        let identity = account.as_user(ROLE).await?;
        external_id(world).await?;
        let kubeconfig = kubeconfig_for(&world.control_plane, &world.operator_account).await?;
        let options = OperatorOptions::new(kubeconfig)
            .args(["--owner-id", OWNER_ID, "--operator-namespace", &world.operator_account.namespace])
            // The strict AWS does not throttle unless asked to, and tests do not wait for quotas that nobody has.
            .args(["--iam-reads-per-second", "1000", "--iam-writes-per-second", "1000"])
            .args(args.iter().copied())
            // As a variable, so that an argument may say otherwise.
            .env("SHAREDKEY_LOG", "info,sharedkey_aws=debug")
            .env("AWS_ACCESS_KEY_ID", &identity.credentials().access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &identity.credentials().secret_access_key)
            .env("AWS_EC2_METADATA_DISABLED", "true");
        Ok(Self { world, user, options })
    }

    /// Starts the operator: again, where one has ended.
    pub async fn start(&self) -> Result<Operator> {
        Operator::start(&self.options).await
    }
}

/// The Secret with the external id, in the operator's namespace.
async fn external_id(world: &World) -> Result<()> {
    let client = world.control_plane.client().await?;
    let secret = Secret {
        metadata: ObjectMeta { name: Some("external-id".to_owned()), ..ObjectMeta::default() },
        string_data: Some([("value".to_owned(), EXTERNAL_ID.to_owned())].into()),
        ..Secret::default()
    };
    let api: Api<Secret> = Api::namespaced(client, &world.operator_account.namespace);
    match api.create(&PostParams::default(), &secret).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        other => Ok(other.map(drop)?),
    }
}
