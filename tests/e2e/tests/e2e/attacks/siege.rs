//! Somebody who may write whatever he likes in one namespace, and what he must not reach from there.

use anyhow::{Result, bail, ensure};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use sharedkey_api::{AwsAccount, conditions::Reason};
use sharedkey_e2e::{DEADLINE, Hands, IN_ACCOUNTS, Side, Stage, is_for, key_document, says, spec};
use sharedkey_harness::{
    aws::{Calls, Key},
    cluster::{ServiceAccountRef, apply, client_as},
    wait_for, wait_for_object,
};

/// A namespace whose writer is an attacker, with a key, a role and a user that are opened to it, and things beside them that are not.
pub(crate) struct Siege {
    /// The namespace. Its client is the attacker's.
    pub(crate) stage: Stage,
    /// Kubernetes, as an administrator.
    pub(crate) admin: Client,
    /// Another key of the owner, with the alias `alias/secret`: no rule opens it.
    pub(crate) secret: Key,
    /// A role of the partner that no rule opens.
    pub(crate) forbidden_role: String,
    /// An account that is opened to another namespace.
    pub(crate) hidden: Side,
    /// Its key.
    pub(crate) hidden_key: Key,
    /// Its role.
    pub(crate) hidden_role: String,
    before: Forbidden,
}

/// What must stay as it is.
#[derive(Debug, PartialEq)]
struct Forbidden {
    keys: [Value; 2],
    policies: [usize; 2],
}

impl Siege {
    /// Lays one, in partition `aws`.
    pub(crate) async fn lay() -> Result<Self> {
        let mut stage = Stage::new("aws").await?;
        let admin = stage.client.clone();
        let (owner, partner) = (&stage.owner.account, &stage.partner.account);
        let secret = owner.create_key(Some(&key_document(owner))).await?;
        owner.create_alias("alias/secret", &secret).await?;
        owner.create_alias("alias/orders", &stage.key).await?;
        let forbidden_role = partner.create_role("/", "Admin").await?;
        let hidden = stage.home.world.aws.account("aws").await?;
        let hidden_key = hidden.create_key(Some(&key_document(&hidden))).await?;
        let hidden_role = hidden.create_role("/", "Hidden").await?;
        let hidden = Side { name: format!("hidden-{}", stage.namespace), account: hidden };
        let everything = json!({"allow": [
            {"namespaces": {"names": ["another-team"]}, "keys": ["*"], "principals": ["*"], "secrets": ["*"]},
        ]});
        stage.open(&hidden, &["owner", "consumer"], everything).await?;

        let rule = |keys: Value, principals: Value| json!([{"namespaces": {"names": [stage.namespace]}, "keys": keys, "principals": principals}]);
        let sharing = json!({"allowedActions": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]});
        let keys = rule(json!([stage.key.arn, "alias/orders", "alias/team-*"]), json!([]));
        stage.patch_account(&stage.owner.name, json!({"allow": keys, "sharing": sharing})).await?;
        let principals = rule(json!([]), json!(["role/ExampleRole", "user/team/*"]));
        stage.patch_account(&stage.partner.name, json!({"allow": principals})).await?;

        let attacker = attacker(&admin, &stage).await?;
        stage.client = client_as(&stage.home.world.control_plane, &attacker).await?;
        let before = Forbidden { keys: [Value::Null, Value::Null], policies: [0, 0] };
        let mut siege = Self { stage, admin, secret, forbidden_role, hidden, hidden_key, hidden_role, before };
        siege.before = siege.forbidden().await?;
        siege.forget_calls().await?;
        Ok(siege)
    }

    /// A spec that is allowed: the key for the role.
    pub(crate) fn spec(&self) -> Value {
        self.with(json!({"arn": self.stage.key.arn}), json!({}))
    }

    /// The same with another key, and other fields of the consumer.
    pub(crate) fn with(&self, key: Value, consumer: Value) -> Value {
        let mut fields = json!({"principals": [{"role": "ExampleRole"}]});
        sharedkey_e2e::merge(&mut fields, consumer);
        spec(&self.stage, key, fields)
    }

    /// Changes an `AwsAccount`, as its administrators do, and waits until the operator knows.
    pub(crate) async fn patch_account(&self, name: &str, spec: Value) -> Result<()> {
        let api: Api<AwsAccount> = Api::all(self.admin.clone());
        api.patch(name, &PatchParams::default(), &Patch::Merge(json!({"spec": spec}))).await?;
        let known = |account: &AwsAccount| {
            let observed = account.status.as_ref().and_then(|status| status.observed_generation);
            observed == account.metadata.generation
        };
        wait_for_object(&api, name, "the change is known", DEADLINE, known).await.map(drop)
    }

    /// The API server does not take an object, and says why.
    pub(crate) async fn not_admitted(&self, name: &str, spec: Value, parts: &[&str]) -> Result<()> {
        match self.stage.share(name, spec).await {
            Ok(admitted) => bail!("it was admitted: {:?}", admitted.spec),
            Err(error) => says(&format!("{error:#}"), parts),
        }
    }

    /// The operator refuses an object, says why, and says nothing that its writer does not know.
    pub(crate) async fn refused(&self, name: &str, spec: Value, reason: Reason, parts: &[&str]) -> Result<()> {
        let unknown = self.unknown(&spec);
        self.stage.share(name, spec).await?;
        says(&self.stage.stalled(name, reason).await?, parts)?;
        let status = self.stage.look(name).await?.status.unwrap_or_default();
        ensure!(is_for(&status, "Ready", "False", reason), "{status:#?}");
        let told = format!("{}{:?}", serde_json::to_string(&status)?, self.stage.events(name).await?);
        let leaks: Vec<_> = unknown.iter().filter(|secret| told.contains(secret.as_str())).collect();
        ensure!(leaks.is_empty(), "it tells {leaks:?}: {told}");
        Ok(())
    }

    /// What an attacker does not know, unless he wrote it himself.
    pub(crate) fn unknown(&self, spec: &Value) -> Vec<String> {
        let texts = [self.hidden.account.id(), &self.hidden.name, &self.hidden_key.id, &self.secret.id, "another-team"];
        let written = spec.to_string();
        texts.into_iter().filter(|text| !written.contains(text)).map(str::to_owned).collect()
    }

    /// Removes an `AwsAccount`, after it was closed to everybody.
    pub(crate) async fn remove_account(&self, name: &str) -> Result<()> {
        self.patch_account(name, json!({"allow": []})).await?;
        let api: Api<AwsAccount> = Api::all(self.admin.clone());
        api.delete(name, &DeleteParams::default()).await?;
        wait_for("the end of an AwsAccount", DEADLINE, async || {
            let left = api.get_opt(name).await?;
            ensure!(left.is_none(), "it is still there: {left:?}");
            Ok(())
        })
        .await
    }

    /// How many statements of objects of the namespace are in the key policy, and how many policies on the role.
    pub(crate) async fn ours(&self) -> Result<(usize, usize)> {
        let policy = self.stage.owner.account.key_policy(&self.stage.key).await?;
        let prefix = format!("/{}/", self.stage.namespace);
        let ours = |sid: &Value| sid.as_str().is_some_and(|sid| sid.starts_with("SharedKey/") && sid.contains(&prefix));
        let statements = policy["Statement"].as_array().into_iter().flatten();
        let statements = statements.filter(|statement| ours(&statement["Sid"])).count();
        Ok((statements, Hands::of(&self.stage.partner.account).inline(&self.stage.role).await?.len()))
    }

    /// Nothing that is forbidden was changed, and nobody asked AWS about it.
    pub(crate) async fn holds(&self) -> Result<()> {
        ensure!(self.forbidden().await? == self.before, "something forbidden was changed");
        let mut asked = self.stage.calls(&self.hidden.account).await?;
        // An AwsAccount is looked at for its own sake.
        asked.retain(|call| !["GetCallerIdentity", "GetAccountSummary"].contains(&call.operation.as_str()));
        ensure!(asked.is_empty(), "the credentials of an account are used that is not opened: {asked:?}");
        for name in [self.secret.id.as_str(), "alias/secret", "Admin", &self.hidden_key.id] {
            let calls = Calls::all().principal(IN_ACCOUNTS).resource(&format!("*{name}"));
            let about = self.stage.home.world.aws.log(&calls, 0).await?;
            let here = [self.stage.owner.account.id(), self.stage.partner.account.id()];
            let about: Vec<_> = about.iter().filter(|call| here.contains(&call.account.as_str())).collect();
            ensure!(about.is_empty(), "AWS was asked about {name}: {about:?}");
        }
        Ok(())
    }

    async fn forbidden(&self) -> Result<Forbidden> {
        let (owner, hidden) = (&self.stage.owner.account, &self.hidden.account);
        let keys = [owner.key_policy(&self.secret).await?, hidden.key_policy(&self.hidden_key).await?];
        let partner = Hands::of(&self.stage.partner.account).inline(&self.forbidden_role).await?.len();
        Ok(Forbidden { keys, policies: [partner, Hands::of(hidden).inline(&self.hidden_role).await?.len()] })
    }

    async fn forget_calls(&self) -> Result<()> {
        self.stage.forget_calls().await?;
        self.stage.home.world.aws.forget(&Calls::all().account(&self.hidden.account)).await
    }
}

/// Who may write everything in the namespace that a team may be given there.
async fn attacker(admin: &Client, stage: &Stage) -> Result<ServiceAccountRef> {
    let namespace = &stage.namespace;
    let objects = [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "attacker"}}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "attacker"},
            "rules": [
                {
                    "apiGroups": ["sharedkey.dev"], "verbs": ["*"], "resources": [
                        "sharedkeys", "sharedkeys/status", "sharedkeys/finalizers",
                        "externalsecrets", "externalsecrets/status", "externalsecrets/finalizers",
                    ],
                },
                {"apiGroups": [""], "resources": ["configmaps", "secrets", "serviceaccounts", "serviceaccounts/token", "events"], "verbs": ["*"]},
                {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["*"]},
            ],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "attacker"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "attacker"},
            "subjects": [{"kind": "ServiceAccount", "name": "attacker", "namespace": namespace}],
        }),
    ];
    for object in objects {
        apply(admin, namespace, &object.to_string()).await?;
    }
    Ok(ServiceAccountRef { namespace: namespace.clone(), name: "attacker".to_owned() })
}
