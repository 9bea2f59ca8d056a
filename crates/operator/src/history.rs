//! What each key policy said before our writes: one `ConfigMap` for each key in the operator's namespace, for administrators only.
//!
//! An administrator puts a document back by naming the time at which it was replaced:
//!
//! ```text
//! kubectl -n sharedkey-system annotate configmap sharedkey-history-… sharedkey.dev/put-back=2026-11-24T06:49:17Z
//! ```
//!
//! The answer stands in the annotation `sharedkey.dev/put-back-result`.

use std::collections::BTreeMap;

use futures::{FutureExt as _, future::BoxFuture};
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use sharedkey_aws::{KeepError, Keeper};
use sharedkey_engine::{
    history::{Entry, History},
    names::{ObjectName, OwnerId, digest},
};
use sharedkey_policy::KeyArn;

use crate::context::moment;

/// Label of the history's `ConfigMap`s.
pub(crate) const LABEL: &str = "sharedkey.dev/history";
/// Names the document to put back, by the time at which it was replaced.
pub(crate) const PUT_BACK: &str = "sharedkey.dev/put-back";
/// What became of it.
const RESULT: &str = "sharedkey.dev/put-back-result";
const OWNER: &str = "sharedkey.dev/owner-id";
const KEY: &str = "history.json";

/// The history of all keys.
#[derive(Clone)]
pub(crate) struct Histories {
    api: Api<ConfigMap>,
    owner: OwnerId,
}

impl Histories {
    pub(crate) fn new(client: Client, namespace: &str, owner: OwnerId) -> Self {
        Self { api: Api::namespaced(client, namespace), owner }
    }

    /// Labels of this operator's history.
    pub(crate) fn selector(&self) -> String {
        format!("{LABEL}=sharedkey,{OWNER}={}", self.owner)
    }

    async fn keep(&self, key: &KeyArn, account_ref: &str, entry: Entry) -> Result<(), KeepError> {
        let known = self.api.get_opt(&self.name(key)).await?;
        let mut history = match &known {
            Some(config_map) => parse(config_map)?,
            None => History::new(key.clone(), account_ref.to_owned()),
        };
        account_ref.clone_into(&mut history.account_ref);
        history.keep(entry);
        let data = BTreeMap::from([(KEY.to_owned(), serde_json::to_string(&history)?)]);
        if let Some(config_map) = known {
            // The version is the one that was read: whoever wrote in between is not overwritten, and this write is tried again.
            let config_map = ConfigMap { data: Some(data), ..config_map };
            self.api.replace(&self.name(key), &PostParams::default(), &config_map).await?;
        } else {
            let config_map = ConfigMap { metadata: self.metadata(key), data: Some(data), ..ConfigMap::default() };
            self.api.create(&PostParams::default(), &config_map).await?;
        }
        Ok(())
    }

    fn name(&self, key: &KeyArn) -> String {
        format!("sharedkey-history-{}", digest(&[&self.owner.to_string(), &key.to_string()]))
    }

    fn metadata(&self, key: &KeyArn) -> ObjectMeta {
        let labels = [(LABEL, "sharedkey".to_owned()), (OWNER, self.owner.to_string())];
        ObjectMeta {
            name: Some(self.name(key)),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value)).into()),
            annotations: Some(BTreeMap::from([("sharedkey.dev/key".to_owned(), key.to_string())])),
            ..ObjectMeta::default()
        }
    }

    /// Writes what became of a request, and takes the request away.
    pub(crate) async fn answer(&self, name: &str, answer: &str) -> Result<(), kube::Error> {
        let annotations = json!({ PUT_BACK: null, RESULT: answer });
        let body = json!({ "metadata": { "annotations": annotations } });
        self.api.patch(name, &PatchParams::default(), &Patch::Merge(&body)).await.map(drop)
    }
}

/// The history in a `ConfigMap`.
pub(crate) fn parse(config_map: &ConfigMap) -> Result<History, KeepError> {
    let name = config_map.metadata.name.as_deref().unwrap_or_default();
    let json = config_map.data.as_ref().and_then(|data| data.get(KEY));
    let json = json.ok_or_else(|| format!("ConfigMap {name} of the history has no {KEY}"))?;
    serde_json::from_str(json).map_err(|error| format!("ConfigMap {name} of the history: {error}").into())
}

/// Keeps what is replaced for one object.
pub(crate) struct KeptFor<'a> {
    pub(crate) histories: &'a Histories,
    pub(crate) object: &'a ObjectName,
    pub(crate) account_ref: &'a str,
}

impl Keeper for KeptFor<'_> {
    fn keep<'a>(&'a self, key: &'a KeyArn, document: &'a str) -> BoxFuture<'a, Result<(), KeepError>> {
        let entry = Entry { replaced_at: moment(), replaced_for: self.object.clone(), document: document.to_owned() };
        self.histories.keep(key, self.account_ref, entry).boxed()
    }
}
