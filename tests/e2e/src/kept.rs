//! What the operator keeps in its own namespace, as administrators see it: the ledger and the history of key policies.

use std::{collections::BTreeMap, fmt::Debug};

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sharedkey_harness::{aws::Key, wait_for, wait_for_object};

use crate::{DEADLINE, Stage};

const PUT_BACK: &str = "sharedkey.dev/put-back";
const RESULT: &str = "sharedkey.dev/put-back-result";

/// A document that was kept before it was replaced.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// The name of the document.
    pub replaced_at: String,
    /// The SharedKey for which it was replaced.
    pub replaced_for: BTreeMap<String, String>,
    /// The document, as text.
    pub document: String,
}

impl Stage {
    fn config_maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.home.world.operator_account.namespace)
    }

    async fn find(&self, label: &str, annotation: &str, value: &str) -> Result<Option<ConfigMap>> {
        let list = self.config_maps().list(&ListParams::default().labels(&format!("{label}=sharedkey"))).await?;
        let about = |map: &ConfigMap| map.annotations().get(annotation).is_some_and(|known| known == value);
        Ok(list.items.into_iter().find(about))
    }

    /// The ledger's record of an object.
    pub async fn record(&self, name: &str) -> Result<Option<ConfigMap>> {
        self.find("sharedkey.dev/ledger", "sharedkey.dev/object", &format!("{}/{name}", self.namespace)).await
    }

    /// Deletes the ledger's record of an object, as an administrator who does not know what it is.
    pub async fn lose_record(&self, name: &str) -> Result<()> {
        let record = self.record(name).await?.context("there is no record")?;
        self.config_maps().delete(&record.name_any(), &DeleteParams::default()).await?;
        Ok(())
    }

    /// Labels the ledger's record of an object, as tools do that make backups.
    pub async fn label_record(&self, name: &str) -> Result<()> {
        let record = self.record(name).await?.context("there is no record")?;
        let label = json!({"metadata": {"labels": {"backup.test/included": "true"}}});
        self.config_maps().patch(&record.name_any(), &PatchParams::default(), &Patch::Merge(label)).await?;
        Ok(())
    }

    /// The ConfigMap with the history of a key's policy.
    pub async fn history(&self, key: &Key) -> Result<ConfigMap> {
        let found = self.find("sharedkey.dev/history", "sharedkey.dev/key", &key.arn).await?;
        found.context("the key has no history")
    }

    /// The documents in it, oldest first.
    pub async fn kept(&self, key: &Key) -> Result<Vec<Kept>> {
        let history: Value =
            serde_json::from_str(self.history(key).await?.data.context("data")?["history.json"].as_str())?;
        Ok(serde_json::from_value(history["entries"].clone())?)
    }

    /// Replaces a document in it.
    pub async fn rewrite_kept(&self, key: &Key, replaced_at: &str, document: &Value) -> Result<()> {
        let map = self.history(key).await?;
        let mut history: Value = serde_json::from_str(map.data.as_ref().context("data")?["history.json"].as_str())?;
        let entries = history["entries"].as_array_mut().context("entries")?;
        let entry = entries.iter_mut().find(|entry| entry["replacedAt"] == replaced_at).context("no such entry")?;
        entry["document"] = json!(document.to_string());
        let change = json!({"data": {"history.json": history.to_string()}});
        self.config_maps().patch(&map.name_any(), &PatchParams::default(), &Patch::Merge(change)).await?;
        Ok(())
    }

    /// Asks for a document, as the docs say, and returns the answer.
    pub async fn ask_back(&self, key: &Key, replaced_at: &str) -> Result<String> {
        let name = self.history(key).await?.name_any();
        let request = json!({"metadata": {"annotations": {PUT_BACK: replaced_at, RESULT: null}}});
        self.config_maps().patch(&name, &PatchParams::default(), &Patch::Merge(request)).await?;
        let answered = |map: &ConfigMap| {
            let annotations = map.annotations();
            annotations.contains_key(RESULT) && !annotations.contains_key(PUT_BACK)
        };
        let map = wait_for_object(&self.config_maps(), &name, "an answer", DEADLINE, answered).await?;
        Ok(map.annotations()[RESULT].clone())
    }

    /// Takes a SharedKey away with its finalizer, as the end of a cluster does: nothing is taken back.
    pub async fn tear_out(&self, name: &str) -> Result<()> {
        tear_out(&self.keys(), name).await
    }

    /// The same for an ExternalSecret.
    pub async fn tear_out_secret(&self, name: &str) -> Result<()> {
        tear_out(&self.secrets(), name).await
    }

    /// The record of an object is gone with it.
    pub async fn forgotten(&self, name: &str) -> Result<()> {
        let record = self.record(name).await?;
        ensure!(record.is_none(), "the ledger still has {record:?}");
        Ok(())
    }
}

async fn tear_out<K: Clone + DeserializeOwned + Debug>(objects: &Api<K>, name: &str) -> Result<()> {
    let finalizers = async |finalizers: Value| {
        let change = json!({"metadata": {"finalizers": finalizers}});
        objects.patch(name, &PatchParams::default(), &Patch::Merge(change)).await
    };
    // The operator puts a finalizer back that is taken from an object which is not being deleted, so another one holds it.
    finalizers(json!(["stories.test/held"])).await?;
    objects.delete(name, &DeleteParams::default()).await?;
    wait_for("the end of a torn out object", DEADLINE, async || {
        if objects.get_opt(name).await?.is_some() {
            finalizers(Value::Null).await?;
            bail!("it is still there");
        }
        Ok(())
    })
    .await
}
