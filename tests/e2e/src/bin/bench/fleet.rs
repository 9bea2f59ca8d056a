//! Many objects, ten on each key, in accounts of which half own keys and half use them: SharedKeys, each for a role of its own, or
//! ExternalSecrets, all with the value of one Kubernetes Secret and under one SharedKey for each key.

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use anyhow::{Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
    core::{NamespaceResourceScope, object::HasStatus},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sharedkey_api::{AwsAccount, ExternalSecret, SECRETS_ROLE, SharedKey};
use sharedkey_e2e::{Login, is, key_document};
use sharedkey_engine::summarise::Status;
use sharedkey_harness::{
    Operator, OperatorOptions, World,
    aws::{Account, Key},
    cluster::{apply, kubeconfig_for},
    wait_for,
};

use crate::counts::Counts;

const NAMESPACE: &str = "fleet";
const REGION: &str = "us-east-1";
/// Requests that seed the world at the same time.
const AT_ONCE: usize = 16;
pub(crate) const DEADLINE: Duration = Duration::from_mins(10);
/// How often objects are swept where sweeps are counted: seldom enough for one of all objects to be over before the next one.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(20);
const INTERVAL_OF_ONE: Duration = Duration::from_millis(20);

/// How much of everything there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) objects: usize,
    pub(crate) keys: usize,
    pub(crate) accounts: usize,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::AsRefStr)]
pub(crate) enum Kind {
    SharedKey,
    ExternalSecret,
}

pub(crate) struct Fleet {
    kind: Kind,
    world: World,
    client: Client,
    options: OperatorOptions,
    objects: u16,
    keys: Vec<(usize, Key)>,
    partners: usize,
}

impl Fleet {
    /// A world with accounts, keys and roles.
    pub(crate) async fn seed(kind: Kind, Size { objects, keys, accounts }: Size) -> Result<Self> {
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
            open(&world, &client, &format!("owner-{owner}"), &account, &["owner", "consumer", "secrets"]).await?;
        }
        for partner in 0..partners {
            let account = world.aws.account("aws").await?;
            let own = (0..objects).filter(|object| object % partners == partner);
            let roles = stream::iter(own).map(async |object| account.create_role("/", &role(object)).await);
            let _: Vec<String> = roles.buffer_unordered(AT_ONCE).try_collect().await?;
            open(&world, &client, &format!("partner-{partner}"), &account, &["consumer"]).await?;
        }
        let objects = u16::try_from(objects)?;
        let options = options(&world).await?;
        Ok(Self { kind, world, client, options, objects, keys: seeded, partners })
    }

    /// Starts the operator, which sweeps as seldom as the objects' own interval says.
    pub(crate) async fn operator(&self) -> Result<Operator> {
        Operator::start(&self.options).await
    }

    /// Starts one that sweeps more often.
    pub(crate) async fn sweeper(&self) -> Result<Operator> {
        let interval = self.interval().as_millis().to_string();
        Operator::start(&self.options.clone().args(["--interval-override-ms", &interval])).await
    }

    pub(crate) fn objects(&self) -> f64 {
        f64::from(self.objects)
    }

    /// The kind, as metrics name it.
    pub(crate) fn kind(&self) -> &str {
        self.kind.as_ref()
    }

    /// How often that one sweeps each object.
    pub(crate) fn interval(&self) -> Duration {
        (INTERVAL_OF_ONE * u32::from(self.objects)).max(SHORTEST_INTERVAL)
    }

    /// How many sweeps are counted: where one is short, what is cut off at both ends counts for more.
    pub(crate) fn sweeps(&self) -> u32 {
        if self.interval() > SHORTEST_INTERVAL { 1 } else { 3 }
    }

    pub(crate) async fn counts(&self) -> Result<Counts> {
        Counts::now(&self.world, &self.client).await
    }

    /// Makes what the objects need: for secrets a value, the right to read it, and the SharedKeys.
    pub(crate) async fn prepare(&self) -> Result<()> {
        if self.kind == Kind::SharedKey {
            return Ok(());
        }
        let operator = &self.world.operator_account;
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": SECRETS_ROLE},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": SECRETS_ROLE},
            "subjects": [{"kind": "ServiceAccount", "name": operator.name, "namespace": operator.namespace}],
        });
        apply(&self.client, NAMESPACE, &binding.to_string()).await?;
        self.put_value("first").await?;
        for (number, (owner, key)) in self.keys.iter().enumerate() {
            apply(&self.client, NAMESPACE, &key_for_secrets(number, *owner, key).to_string()).await?;
        }
        all_ready(&self.api::<SharedKey>(), self.keys.len()).await
    }

    /// Gives all secrets a value.
    pub(crate) async fn put_value(&self, value: &str) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "source"}, "stringData": {"value": value},
        });
        apply(&self.client, NAMESPACE, &secret.to_string()).await?;
        Ok(())
    }

    /// The version of each secret.
    pub(crate) async fn versions(&self) -> Result<BTreeMap<String, Option<String>>> {
        let secrets = self.api::<ExternalSecret>().list(&ListParams::default()).await?;
        let version = |secret: ExternalSecret| {
            let name = secret.name_any();
            (name, secret.status.and_then(|status| status.version_id))
        };
        Ok(secrets.into_iter().map(version).collect())
    }

    fn api<K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    /// Creates all objects.
    pub(crate) async fn create(&self) -> Result<()> {
        match self.kind {
            Kind::SharedKey => self.create_as::<SharedKey>(Self::shared_key).await,
            Kind::ExternalSecret => self.create_as::<ExternalSecret>(Self::secret).await,
        }
    }

    async fn create_as<K>(&self, manifest: impl Fn(&Self, usize) -> Value) -> Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let api = self.api::<K>();
        let created = stream::iter(0..usize::from(self.objects)).map(|object| {
            let (api, manifest) = (&api, manifest(self, object));
            async move { api.patch(&name(object), &PatchParams::apply("bench"), &Patch::Apply(&manifest)).await }
        });
        let _: Vec<K> = created.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(())
    }

    fn secret(&self, object: usize) -> Value {
        let number = object % self.keys.len();
        json!({
            "apiVersion": "sharedkey.dev/v1alpha1", "kind": "ExternalSecret", "metadata": {"name": name(object)},
            "spec": {
                "accountRef": {"name": format!("owner-{}", self.keys[number].0)}, "region": REGION,
                "secretName": name(object), "sharedKeyRef": {"name": format!("for-secrets-{number}")},
                "source": {"secretRef": {"name": "source", "key": "value"}},
            },
        })
    }

    fn shared_key(&self, object: usize) -> Value {
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

    pub(crate) async fn accounts_ready(&self) -> Result<()> {
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

    pub(crate) async fn all_ready(&self) -> Result<()> {
        let objects = usize::from(self.objects);
        match self.kind {
            Kind::SharedKey => all_ready(&self.api::<SharedKey>(), objects).await,
            Kind::ExternalSecret => all_ready(&self.api::<ExternalSecret>(), objects).await,
        }
    }
}

async fn all_ready<K>(api: &Api<K>, objects: usize) -> Result<()>
where
    K: HasStatus<Status: Status> + Clone + Debug + DeserializeOwned,
{
    wait_for("all objects to be Ready", DEADLINE, async || {
        let found = api.list(&ListParams::default()).await?.items;
        let ready = |object: &&K| object.status().is_some_and(|status| is(status, "Ready", "True"));
        let count = found.iter().filter(ready).count();
        ensure!(count == objects, "{count} of {objects} are Ready");
        Ok(())
    })
    .await
}

/// The operator's own role writes secrets.
fn key_for_secrets(number: usize, owner: usize, key: &Key) -> Value {
    let owner = json!({"name": format!("owner-{owner}")});
    json!({
        "apiVersion": "sharedkey.dev/v1alpha1", "kind": "SharedKey", "metadata": {"name": format!("for-secrets-{number}")},
        "spec": {
            "accountRef": owner, "region": REGION, "key": {"arn": key.arn},
            "consumers": [{
                "name": "writer", "accountRef": owner, "principals": [{"role": "sharedkey-operator"}],
                "actions": ["kms:GenerateDataKey", "kms:Decrypt", "kms:Encrypt"],
            }],
        },
    })
}

/// How the operator is started. The strict AWS has no quotas unless asked to, and what is measured is the operator, not its patience.
async fn options(world: &World) -> Result<OperatorOptions> {
    let kubeconfig = kubeconfig_for(&world.control_plane, &world.operator_account).await?;
    Ok(OperatorOptions::new(kubeconfig)
        .args(["--owner-id", "bench", "--operator-namespace", &world.operator_account.namespace])
        .args(["--allow-endpoint-overrides", "--allow-insecure-endpoints"])
        .args(["--iam-reads-per-second", "5000", "--iam-writes-per-second", "5000", "--log", "warn"]))
}

fn name(object: usize) -> String {
    format!("app-{object:04}")
}

fn role(object: usize) -> String {
    format!("App{object:04}")
}

async fn open(world: &World, client: &Client, name: &str, account: &Account, policies: &[&str]) -> Result<()> {
    let login = Login::WebIdentity { operator: &world.operator_account };
    let credentials = login.open(account, policies).await?;
    let url = world.aws.url();
    let object = json!({
        "apiVersion": "sharedkey.dev/v1alpha1", "kind": "AwsAccount", "metadata": {"name": name},
        "spec": {
            "accountId": account.id(), "defaultRegion": REGION, "credentials": credentials,
            "allow": [{"namespaces": {"names": [NAMESPACE]}, "keys": ["*"], "principals": ["*"], "secrets": ["*"]}],
            "endpoints": {"kms": url, "iam": url, "secretsManager": url, "sts": format!("{url}/_region/{REGION}")},
        },
    });
    apply(client, NAMESPACE, &object.to_string()).await?;
    Ok(())
}
