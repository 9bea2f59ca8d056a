//! The world of the how-to: owner 111122223333, external 444455556666, region cn-north-1, `ExampleRole` and `ExampleUser`.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::{Api, Client};
use serde_json::{Value, json};
use sharedkey_api::{ExternalSecret, SharedKey};
use sharedkey_e2e::{Login, allowed, denied, foreign, is, key_document, own_sid};
use sharedkey_harness::{
    Operator, OperatorOptions, World,
    aws::{Account, Key, Operation, Probe},
    cluster::{apply, kubeconfig_for},
    repo_root, wait_for_object,
};

use crate::{Who, show};

const OWNER: &str = "111122223333";
const PARTNER: &str = "444455556666";
const REGION: &str = "cn-north-1";
const OBJECT: &str = "orders";
const NAMESPACE: &str = "payments";
const OWNER_ID: &str = "demo";
/// The id of the key in the example, which KMS gives another one.
const EXAMPLE_KEY: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const DEADLINE: Duration = Duration::from_mins(1);
/// How often the demo's operator looks, in milliseconds; by default it is the object's interval, 10 minutes.
const SWEEP_MS: &str = "1000";

pub(crate) struct Set {
    world: World,
    operator: Operator,
    client: Client,
    pub(crate) owner: Account,
    pub(crate) partner: Account,
    pub(crate) key: Key,
    probe: Probe,
    pub(crate) role: Who,
    pub(crate) user: Who,
    /// Of the owner.
    pub(crate) reader: Who,
    /// Statements of others in the key policy.
    pub(crate) foreign: Vec<String>,
}

impl Set {
    pub(crate) async fn build() -> Result<Self> {
        let world = World::start().await?;
        let client = world.control_plane.client().await?;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        apply(&client, NAMESPACE, &namespace.to_string()).await?;
        let owner = world.aws.account_with_id(OWNER, "aws-cn").await?;
        let partner = world.aws.account_with_id(PARTNER, "aws-cn").await?;
        let key = owner.create_key(Some(&key_document(&owner))).await?;
        let foreign = foreign(&owner.key_policy(&key).await?);
        let role_arn = partner.create_role("/", "ExampleRole").await?;
        partner.create_user("/", "ExampleUser").await?;
        let may = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "secretsmanager:CreateSecret", "Resource": "*"},
        ]});
        partner.put_user_policy("ExampleUser", "create-secrets", &may).await?;
        let reader_arn = owner.create_role("/", "QuickstartRole").await?;
        let role = Who { name: "ExampleRole", identity: partner.as_role(&role_arn).await? };
        let user = Who { name: "ExampleUser", identity: partner.as_user("ExampleUser").await? };
        let reader = Who { name: "QuickstartRole", identity: owner.as_role(&reader_arn).await? };
        let probe = Probe::new(&owner, &key).await?;
        let operator = start_operator(&world).await?;
        let set = Self { world, operator, client, owner, partner, key, probe, role, user, reader, foreign };
        let owners = json!({"keys": [set.key.arn], "secrets": ["quickstart/*"], "principals": ["role/QuickstartRole"]});
        set.open("owner", &set.owner, &["owner", "consumer", "secrets"], owners).await?;
        let principals = ["role/ExampleRole", "user/ExampleUser", "role/sharedkey-operator"];
        let partners = json!({"secrets": ["quickstart/*"], "principals": principals});
        set.open("partner", &set.partner, &["consumer", "secrets"], partners).await?;
        Ok(set)
    }

    /// An administrator opens an account to the namespace: a role for the operator with policies of docs/iam, and an `AwsAccount`.
    async fn open(&self, name: &str, account: &Account, policies: &[&str], allowed: Value) -> Result<()> {
        let login = Login::WebIdentity { operator: &self.world.operator_account };
        let credentials = login.open(account, policies).await?;
        let url = self.world.aws.url();
        let mut rule = json!({"namespaces": {"names": [NAMESPACE]}});
        sharedkey_e2e::merge(&mut rule, allowed);
        let object = json!({
            "apiVersion": "sharedkey.dev/v1alpha1", "kind": "AwsAccount", "metadata": {"name": name},
            "spec": {
                "accountId": account.id(), "defaultRegion": REGION, "credentials": credentials, "allow": [rule],
                "endpoints": {"kms": url, "iam": url, "secretsManager": url, "sts": format!("{url}/_region/{REGION}")},
            },
        });
        apply(&self.client, NAMESPACE, &object.to_string()).await?;
        Ok(())
    }

    pub(crate) fn describe(&self) {
        show::say(&format!("owner {OWNER} with QuickstartRole and key {}", self.key.arn));
        show::say(&format!("partner {PARTNER} with ExampleRole and ExampleUser"));
        show::say("the operator has the rights of deploy/base in Kubernetes and of docs/iam in AWS, and no others");
    }

    /// The operator's ServiceAccount, as kubectl names it.
    pub(crate) fn operator_account(&self) -> String {
        let account = &self.world.operator_account;
        format!("{}:{}", account.namespace, account.name)
    }

    /// Writes a file for kubectl, and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<String> {
        let path = self.operator.folder().join(name);
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    }

    /// Applies a file of `examples/`, with the key's real id.
    pub(crate) fn apply(&self, example: &str) -> Result<()> {
        self.apply_text(example, &self.example(example)?)
    }

    /// Applies as much of a file of `examples/` as stands before a line.
    pub(crate) fn apply_until(&self, line: &str, example: &str) -> Result<()> {
        let text = self.example(example)?;
        let (text, _) = text.split_once(line).with_context(|| format!("{example} has no {line:?}"))?;
        self.apply_text(example, text)
    }

    fn example(&self, name: &str) -> Result<String> {
        let path = repo_root().join("examples").join(name);
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(text.replace(EXAMPLE_KEY, &self.key.id))
    }

    fn apply_text(&self, name: &str, text: &str) -> Result<()> {
        show::manifest(text);
        self.kubectl(&["apply", "-f", &self.write(name, text)?])
    }

    fn keys(&self) -> Api<SharedKey> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    pub(crate) async fn object(&self) -> Result<SharedKey> {
        Ok(self.keys().get(OBJECT).await?)
    }

    pub(crate) async fn secret(&self, name: &str) -> Result<ExternalSecret> {
        let api: Api<ExternalSecret> = Api::namespaced(self.client.clone(), NAMESPACE);
        Ok(api.get(name).await?)
    }

    /// Runs kubectl and shows what it prints.
    pub(crate) fn kubectl(&self, args: &[&str]) -> Result<()> {
        let args: Vec<&str> = ["-n", NAMESPACE].into_iter().chain(args.iter().copied()).collect();
        show::command(&args);
        show::output(&self.world.control_plane.kubectl(&args)?);
        Ok(())
    }

    pub(crate) fn patch(&self, spec: &Value) -> Result<()> {
        self.kubectl(&["patch", "sharedkey", OBJECT, "--type=merge", "-p", &json!({"spec": spec}).to_string()])
    }

    /// `kubectl wait`, as a user would.
    pub(crate) fn wait(&self, condition: &str) -> Result<()> {
        self.kubectl(&["wait", &format!("sharedkey/{OBJECT}"), &format!("--for={condition}"), "--timeout=60s"])
    }

    /// The same for an ExternalSecret.
    pub(crate) fn wait_for(&self, secret: &str, condition: &str) -> Result<()> {
        self.kubectl(&["wait", &format!("xsec/{secret}"), &format!("--for={condition}"), "--timeout=60s"])
    }

    /// Sets the mode of an ExternalSecret.
    pub(crate) fn mode(&self, secret: &str, mode: &str) -> Result<()> {
        self.kubectl(&["patch", "xsec", secret, "--type=merge", "-p", &json!({"spec": {"mode": mode}}).to_string()])
    }

    pub(crate) async fn wait_observing(&self) -> Result<()> {
        let observing = |key: &SharedKey| {
            let status = key.status.as_ref().filter(|status| status.observed_generation == key.metadata.generation);
            status.is_some_and(|status| is(status, "Ready", "True") && is(status, "InSync", "True"))
        };
        wait_for_object(&self.keys(), OBJECT, "observed", DEADLINE, observing).await?;
        Ok(())
    }

    pub(crate) async fn wait_healed(&self, kind: &str) -> Result<()> {
        let healed = |key: &SharedKey| {
            let Some(status) = &key.status else { return false };
            let items = status.last_correction.iter().flat_map(|correction| &correction.items);
            items.into_iter().any(|item| item.kind.as_ref() == kind)
                && is(status, "Ready", "True")
                && is(status, "InSync", "True")
        };
        wait_for_object(&self.keys(), OBJECT, "healed", DEADLINE, healed).await?;
        Ok(())
    }

    pub(crate) async fn can(&self, who: &Who) -> Result<()> {
        allowed(&who.identity, &self.probe).await?;
        show::say(&format!("{} can Encrypt, Decrypt, ReEncrypt, GenerateDataKey and DescribeKey", who.name));
        Ok(())
    }

    pub(crate) async fn cannot(&self, who: &Who) -> Result<()> {
        denied(&who.identity, &self.probe).await?;
        show::say(&format!("{} cannot Encrypt, Decrypt, ReEncrypt, GenerateDataKey or DescribeKey", who.name));
        Ok(())
    }

    pub(crate) async fn can_decrypt(&self, who: &Who) -> Result<bool> {
        Ok(who.identity.attempt(Operation::Decrypt, &self.probe).await?.is_allowed())
    }

    pub(crate) async fn key_policy(&self) -> Result<Value> {
        self.owner.key_policy(&self.key).await
    }

    pub(crate) async fn delete_role_policy(&self) -> Result<()> {
        let iam = self.partner.root().iam();
        let names = iam.list_role_policies().role_name("ExampleRole").send().await?.policy_names;
        ensure!(!names.is_empty(), "ExampleRole has no inline policy");
        for name in names {
            iam.delete_role_policy().role_name("ExampleRole").policy_name(name).send().await?;
        }
        Ok(())
    }

    pub(crate) fn how_to_use(&self) {
        let kubectl = self.world.control_plane.kubectl_path();
        let credentials = self.owner.root().credentials();
        show::say(&format!("export KUBECONFIG={}", self.world.control_plane.kubeconfig().display()));
        show::say(&format!("alias kubectl={}", kubectl.display()));
        show::say("kubectl -n payments get sharedkeys,xsec,awsaccounts -o wide");
        show::say("kubectl explain sharedkey.spec.consumers");
        show::say("kubectl -n payments describe sharedkey orders");
        show::say("AWS, as the owner's administrator (any SDK or the AWS CLI):");
        show::say(&format!("export AWS_ENDPOINT_URL={} AWS_REGION={REGION}", self.world.aws.url()));
        show::say(&format!(
            "export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}",
            credentials.access_key_id, credentials.secret_access_key
        ));
        show::say(&format!("aws kms get-key-policy --key-id {} --output text", self.key.id));
    }
}

/// The Sid of our statement.
pub(crate) fn sid() -> String {
    own_sid(OWNER_ID, NAMESPACE, OBJECT, "partner")
}

async fn start_operator(world: &World) -> Result<Operator> {
    let kubeconfig = kubeconfig_for(&world.control_plane, &world.operator_account).await?;
    let options = OperatorOptions::new(kubeconfig)
        .args(["--owner-id", OWNER_ID, "--operator-namespace", &world.operator_account.namespace])
        .args(["--allow-endpoint-overrides", "--allow-insecure-endpoints", "--interval-override-ms", SWEEP_MS]);
    Operator::start(&options).await
}
