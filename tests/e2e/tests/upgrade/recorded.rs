//! What an operator wrote, to Kubernetes and to AWS, as one document.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, ObjectMeta, PostParams},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sharedkey_api::{SharedKey, SharedKeyStatus};
use sharedkey_e2e::{Hands, Live, Stage};

/// Ids that AWS gives anew in each world, and what stands for them.
const UNIQUE_IDS: [&str; 2] = ["ID-OF-THE-ROLE", "ID-OF-THE-USER"];

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Recorded {
    objects: BTreeMap<String, Object>,
    /// The ledger: all that the operator knows of itself.
    ledger: Vec<ConfigMap>,
    /// Our statements in the key policy.
    statements: Vec<Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    spec: Value,
    finalizers: Vec<String>,
    status: SharedKeyStatus,
    /// By role or user and name.
    inline: BTreeMap<String, BTreeMap<String, Value>>,
    /// The managed policy's document; it is attached to the role and the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    managed: Option<Value>,
}

impl Recorded {
    /// Records what stands there now.
    pub(crate) async fn of(stage: &Stage, specs: Vec<(&str, Value)>) -> Result<Self> {
        let mut objects = BTreeMap::new();
        for (name, spec) in specs {
            let key = stage.keys().get(name).await?;
            let Live { mut inline, managed, .. } = stage.live(name).await?;
            let own = stage.policy_name(name, "partner");
            for policies in inline.values_mut() {
                policies.retain(|policy, _| *policy == own);
            }
            let object = Object {
                spec,
                finalizers: key.finalizers().to_vec(),
                status: key.status.context("a status")?,
                inline,
                managed: managed.and_then(|versions| versions.in_force().cloned()),
            };
            objects.insert(name.to_owned(), object);
        }
        let document = stage.owner.account.key_policy(&stage.key).await?;
        let statements = document["Statement"].as_array().cloned().unwrap_or_default();
        let ours = |statement: &Value| statement["Sid"].as_str().is_some_and(|sid| sid.starts_with("SharedKey/"));
        let selector = ListParams::default().labels("sharedkey.dev/ledger=sharedkey");
        let ledger = ledger(stage).list(&selector).await?.items.into_iter().map(|record| ConfigMap {
            metadata: ObjectMeta {
                name: record.metadata.name,
                labels: record.metadata.labels,
                annotations: record.metadata.annotations,
                ..ObjectMeta::default()
            },
            ..record
        });
        Ok(Self { objects, ledger: ledger.collect(), statements: statements.into_iter().filter(ours).collect() })
    }

    /// As a text that means the same in every world.
    pub(crate) async fn text(&self, stage: &Stage) -> Result<String> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        let ids = unique_ids(stage).await?;
        Ok(ids.iter().zip(UNIQUE_IDS).fold(text, |text, (id, stands_for)| text.replace(id, stands_for)))
    }

    /// Reads such a text, for this world.
    pub(crate) async fn read(text: &str, stage: &Stage) -> Result<Self> {
        let ids = unique_ids(stage).await?;
        let text =
            ids.iter().zip(UNIQUE_IDS).fold(text.to_owned(), |text, (id, stands_for)| text.replace(stands_for, id));
        Ok(serde_json::from_str(&text)?)
    }

    /// Makes everything stand there as it did.
    pub(crate) async fn put(&self, stage: &Stage) -> Result<()> {
        let mut document = stage.owner.account.key_policy(&stage.key).await?;
        document["Statement"].as_array_mut().context("statements")?.extend(self.statements.clone());
        stage.owner.account.put_key_policy(&stage.key, &document).await?;
        for record in &self.ledger {
            ledger(stage).create(&PostParams::default(), record).await?;
        }
        for (name, object) in &self.objects {
            object.put(name, stage).await?;
        }
        Ok(())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.objects.keys().map(String::as_str)
    }

    pub(crate) fn status(&self, name: &str) -> Result<&SharedKeyStatus> {
        Ok(&self.objects.get(name).context("an object")?.status)
    }

    pub(crate) fn spec(&self, name: &str) -> Result<Value> {
        Ok(self.objects.get(name).context("an object")?.spec.clone())
    }
}

impl Object {
    async fn put(&self, name: &str, stage: &Stage) -> Result<()> {
        let hands = Hands::of(&stage.partner.account);
        for (entity, policies) in &self.inline {
            for (policy, document) in policies {
                hands.put_inline(entity, policy, document).await?;
            }
        }
        if let Some(document) = &self.managed {
            let policy = stage.partner.account.create_policy(&stage.policy_name(name, "partner"), document).await?;
            for entity in [&stage.role, &stage.user] {
                hands.attach(entity, &policy).await?;
            }
        }
        let metadata = json!({"name": name, "namespace": stage.namespace, "finalizers": self.finalizers});
        let object = json!({
            "apiVersion": "sharedkey.dev/v1alpha1", "kind": "SharedKey", "metadata": metadata, "spec": self.spec,
        });
        let object: SharedKey = serde_json::from_value(object)?;
        let created = stage.keys().create(&PostParams::default(), &object).await?;
        let told = SharedKey { status: Some(self.status.clone()), ..created };
        stage.keys().replace_status(name, &PostParams::default(), &told).await?;
        Ok(())
    }
}

fn ledger(stage: &Stage) -> Api<ConfigMap> {
    Api::namespaced(stage.client.clone(), &stage.home.world.operator_account.namespace)
}

async fn unique_ids(stage: &Stage) -> Result<[String; 2]> {
    let iam = stage.partner.account.root().iam();
    let role = iam.get_role().role_name("ExampleRole").send().await?.role.context("a role")?;
    let user = iam.get_user().user_name("ExampleUser").send().await?.user.context("a user")?;
    Ok([role.role_id, user.user_id])
}
