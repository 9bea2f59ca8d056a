//! Many SharedKeys, ten on each key, each for a role of its own, in accounts of which half own keys and half use them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use sharedkey_api::{AwsAccount, SharedKey};
use sharedkey_e2e::{Login, is, key_document};
use sharedkey_harness::{
    Operator, OperatorOptions, World,
    aws::{Account, Calls, Key},
    cluster::{apply, kubeconfig_for},
    wait_for,
};

use crate::{
    table::Row,
    usage::{Usage, binary, process_with, usage},
};

const NAMESPACE: &str = "fleet";
const REGION: &str = "us-east-1";
/// Requests that seed the world at the same time.
const AT_ONCE: usize = 16;
const DEADLINE: Duration = Duration::from_mins(10);
/// How often objects are swept: each sweep of the largest fleet has to be over before the next one.
const SWEEP: Duration = Duration::from_mins(1);
/// Quiet sweeps that are counted.
const SWEEPS: u32 = 2;

pub(crate) struct Fleet {
    world: World,
    client: Client,
    objects: usize,
    keys: Vec<(usize, Key)>,
    partners: usize,
}

impl Fleet {
    /// A world with accounts, keys and roles.
    pub(crate) async fn seed(objects: usize, keys: usize, accounts: usize) -> Result<Self> {
        let world = World::start().await?;
        let client = world.control_plane.client().await?;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        apply(&client, NAMESPACE, &namespace.to_string()).await?;
        let (owners, partners) = (accounts / 2, accounts - accounts / 2);
        let mut seeded = Vec::new();
        for owner in 0..owners {
            let account = world.aws.account("aws").await?;
            let own = (0..keys).filter(|key| key % owners == owner);
            let made = stream::iter(own).map(async |_| account.create_key(Some(&key_document(&account))).await);
            let made: Vec<Key> = made.buffer_unordered(AT_ONCE).try_collect().await?;
            seeded.extend(made.into_iter().map(|key| (owner, key)));
            open(&world, &client, &format!("owner-{owner}"), &account, "owner").await?;
        }
        for partner in 0..partners {
            let account = world.aws.account("aws").await?;
            let own = (0..objects).filter(|object| object % partners == partner);
            let roles = stream::iter(own).map(async |object| account.create_role("/", &role(object)).await);
            let _: Vec<String> = roles.buffer_unordered(AT_ONCE).try_collect().await?;
            open(&world, &client, &format!("partner-{partner}"), &account, "consumer").await?;
        }
        Ok(Self { world, client, objects, keys: seeded, partners })
    }

    /// Converges, waits for quiet sweeps, starts anew.
    pub(crate) async fn measure(&self) -> Result<Row> {
        let operator = self.start().await?;
        let process = process_with(operator.address())?;
        self.accounts_ready().await?;
        let before = (self.calls("*").await?, usage(process)?);
        let began = Instant::now();
        self.create().await?;
        self.all_ready().await?;
        let all_ready = began.elapsed();
        let converged = (self.calls("*").await?, usage(process)?);
        let quiet = self.quiet(&operator, process).await?;
        let after = usage(process)?;
        drop(operator);
        let began = Instant::now();
        let operator = self.start().await?;
        let start = began.elapsed();
        drop(operator);
        Ok(Row {
            objects: self.objects,
            keys: self.keys.len(),
            all_ready,
            converge_calls: converged.0 - before.0,
            converge_cpu: converged.1.cpu.saturating_sub(before.1.cpu),
            quiet_kms_calls: quiet.kms,
            quiet_iam_calls: quiet.iam,
            quiet_cpu: quiet.cpu,
            quiet_writes: quiet.writes,
            quiet_status_writes: quiet.status_writes,
            resident_kib: after.resident,
            peak_kib: after.peak,
            start,
        })
    }

    async fn start(&self) -> Result<Operator> {
        let kubeconfig = kubeconfig_for(&self.world.control_plane, &self.world.operator_account).await?;
        let options = OperatorOptions::new(kubeconfig)
            .args(["--owner-id", "bench", "--operator-namespace", &self.world.operator_account.namespace])
            .args(["--allow-endpoint-overrides", "--allow-insecure-endpoints"])
            .args(["--interval-override-ms", &SWEEP.as_millis().to_string()])
            .args(["--iam-reads-per-second", "5000", "--iam-writes-per-second", "5000", "--log", "warn"]);
        Operator::start_program(&binary()?, &options).await
    }

    async fn create(&self) -> Result<()> {
        let api: Api<SharedKey> = Api::namespaced(self.client.clone(), NAMESPACE);
        let created = stream::iter(0..self.objects).map(|object| {
            let (api, manifest) = (&api, self.manifest(object));
            async move { api.patch(&name(object), &PatchParams::apply("bench"), &Patch::Apply(&manifest)).await }
        });
        let _: Vec<SharedKey> = created.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(())
    }

    fn manifest(&self, object: usize) -> Value {
        let (owner, key) = &self.keys[object % self.keys.len()];
        let partner = format!("partner-{}", object % self.partners);
        json!({
            "apiVersion": "sharedkey.dev/v1alpha1", "kind": "SharedKey", "metadata": {"name": name(object)},
            "spec": {
                "accountRef": {"name": format!("owner-{owner}")}, "region": REGION, "key": {"arn": key.arn},
                "consumers": [{"name": "app", "accountRef": {"name": partner}, "principals": [{"role": role(object)}]}],
            },
        })
    }

    async fn accounts_ready(&self) -> Result<()> {
        let api: Api<AwsAccount> = Api::all(self.client.clone());
        wait_for("accounts", DEADLINE, async || {
            let accounts = api.list(&ListParams::default()).await?.items;
            let conditions = |account: &AwsAccount| account.status.clone().unwrap_or_default().conditions;
            let ready = |account: &&AwsAccount| {
                conditions(account).iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
            };
            let count = accounts.iter().filter(ready).count();
            ensure!(count == accounts.len(), "{count} of {} are ready", accounts.len());
            Ok(())
        })
        .await
    }

    async fn list(&self) -> Result<Vec<SharedKey>> {
        let api: Api<SharedKey> = Api::namespaced(self.client.clone(), NAMESPACE);
        Ok(api.list(&ListParams::default()).await?.items)
    }

    async fn all_ready(&self) -> Result<()> {
        wait_for("all objects to be Ready", DEADLINE, async || {
            let keys = self.list().await?;
            let ready = |key: &&SharedKey| key.status.as_ref().is_some_and(|status| is(status, "Ready", "True"));
            let count = keys.iter().filter(ready).count();
            ensure!(count == self.objects, "{count} of {} are Ready", self.objects);
            Ok(())
        })
        .await
    }

    async fn calls(&self, service: &str) -> Result<u64> {
        let operator = Calls::all().principal("*assumed-role/sharedkey-operator/*");
        self.world.aws.count(&operator.service(service)).await
    }

    async fn writes(&self) -> Result<u64> {
        let mut writes = 0;
        for verb in ["Put*", "Create*", "Delete*", "Attach*", "Detach*", "Set*"] {
            let operator = Calls::all().principal("*assumed-role/sharedkey-operator/*");
            writes += self.world.aws.count(&operator.operation(verb)).await?;
        }
        Ok(writes)
    }

    async fn reconciles(operator: &Operator) -> Result<f64> {
        Ok(operator.metrics().await?.sum("sharedkey_reconciles_total", &[("kind", "SharedKey")]))
    }

    /// Counts whole sweeps, from a moment in which every object has been swept to the moment in which each was swept so often again.
    async fn quiet(&self, operator: &Operator, process: u32) -> Result<Quiet> {
        self.swept(operator, 1).await?;
        let before = (self.calls("kms").await?, self.calls("iam").await?, self.writes().await?, usage(process)?);
        let statuses = operator.metrics().await?.sum("sharedkey_status_writes_total", &[]);
        self.swept(operator, SWEEPS).await?;
        let after: Usage = usage(process)?;
        let each = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / f64::from(SWEEPS);
        let status_writes = operator.metrics().await?.sum("sharedkey_status_writes_total", &[]) - statuses;
        Ok(Quiet {
            kms: each(self.calls("kms").await? - before.0),
            iam: each(self.calls("iam").await? - before.1),
            writes: self.writes().await? - before.2,
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter is a whole number")]
            status_writes: status_writes as u64,
            cpu: after.cpu.saturating_sub(before.3.cpu) / SWEEPS,
        })
    }

    async fn swept(&self, operator: &Operator, times: u32) -> Result<()> {
        let objects = f64::from(u32::try_from(self.objects).context("so many objects")?);
        let goal = Self::reconciles(operator).await? + objects * f64::from(times);
        wait_for("sweeps", DEADLINE, async || {
            let count = Self::reconciles(operator).await?;
            ensure!(count >= goal, "{count} of {goal} reconciles");
            Ok(())
        })
        .await
    }
}

/// What quiet sweeps cost, each.
struct Quiet {
    kms: f64,
    iam: f64,
    writes: u64,
    status_writes: u64,
    cpu: Duration,
}

fn name(object: usize) -> String {
    format!("key-{object:04}")
}

fn role(object: usize) -> String {
    format!("App{object:04}")
}

async fn open(world: &World, client: &Client, name: &str, account: &Account, policy: &str) -> Result<()> {
    let login = Login::WebIdentity { operator: &world.operator_account };
    let credentials = login.open(account, &[policy]).await?;
    let url = world.aws.url();
    let object = json!({
        "apiVersion": "sharedkey.dev/v1alpha1", "kind": "AwsAccount", "metadata": {"name": name},
        "spec": {
            "accountId": account.id(), "defaultRegion": REGION, "credentials": credentials,
            "allow": [{"namespaces": {"names": [NAMESPACE]}, "keys": ["*"], "principals": ["*"]}],
            "endpoints": {"kms": url, "iam": url, "sts": format!("{url}/_region/{REGION}")},
        },
    });
    apply(client, NAMESPACE, &object.to_string()).await?;
    Ok(())
}
