//! The ledger in the operator's namespace: one `ConfigMap` for each object that has written to AWS.
//!
//! The operator is its only writer. It is read once, at the start, and kept in memory: whoever asks it before waits. Every change is
//! written through before it counts. A write that finds another version than it knows fails, and nothing is sent to AWS on its account.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Context as _;
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, PostParams},
};
use sharedkey_engine::{
    ledger::{Kind, Record},
    names::{OwnerId, digest},
};
use tokio::sync::{Mutex, MutexGuard, SetOnce};

use crate::{index::Index, served::Id, streams::PAGE};

const LABEL: &str = "sharedkey.dev/ledger";
const OWNER: &str = "sharedkey.dev/owner-id";
const KEY: &str = "record.json";

/// The ledger of one operator.
pub(crate) struct Ledger {
    api: Api<ConfigMap>,
    namespace: String,
    owner: OwnerId,
    records: Mutex<Records>,
    is_read: SetOnce<()>,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    record: Record,
    /// None before the record is first written.
    resource_version: Option<String>,
}

#[derive(Default)]
struct Records {
    entries: HashMap<Id, Entry>,
    /// Who has something in AWS through which `AwsAccount`.
    users: Index<Id, String>,
}

impl Records {
    fn insert(&mut self, object: Id, entry: Entry) {
        let accounts = entry.record.targets.iter().map(|target| target.account_ref.clone()).collect();
        self.users.set(object.clone(), accounts);
        self.entries.insert(object, entry);
    }

    fn remove(&mut self, object: &Id) {
        self.users.remove(object);
        self.entries.remove(object);
    }
}

impl Ledger {
    /// One that has still to be read.
    pub(crate) fn new(client: Client, namespace: &str, owner: OwnerId) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            owner,
            records: Mutex::default(),
            is_read: SetOnce::new(),
        }
    }

    /// Reads all of it.
    pub(crate) async fn read(&self) -> anyhow::Result<()> {
        let selector = format!("{LABEL}=sharedkey,{OWNER}={}", self.owner);
        let mut page = ListParams::default().labels(&selector).limit(PAGE);
        let mut records = self.records.lock().await;
        loop {
            let list = self.api.list(&page).await;
            let list = list.with_context(|| format!("reading the ledger in namespace {}", self.namespace))?;
            for config_map in list.items {
                let (object, entry) = parse(&config_map)?;
                records.insert(object, entry);
            }
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => break,
            }
        }
        // Nobody else reads it.
        let _ = self.is_read.set(());
        Ok(())
    }

    /// Waits until it is read.
    pub(crate) async fn known(&self) {
        self.is_read.wait().await;
    }

    async fn records(&self) -> MutexGuard<'_, Records> {
        self.known().await;
        self.records.lock().await
    }

    /// What an object has written, and the key that it is bound to.
    pub(crate) async fn get(&self, object: &Id) -> Record {
        self.records().await.entries.get(object).map(|entry| entry.record.clone()).unwrap_or_default()
    }

    /// Who has something in AWS through this `AwsAccount`.
    pub(crate) async fn users_of(&self, account: &str) -> BTreeSet<Id> {
        self.records().await.users.naming(&account.to_owned()).cloned().collect()
    }

    /// Writes a record if it changed. One reconcile at a time works on an object, so nobody else changes it in between.
    pub(crate) async fn save(&self, object: &Id, record: &Record) -> Result<(), kube::Error> {
        let known = self.records().await.entries.get(object).cloned().unwrap_or_default();
        let record = Record { kind: object.kind, object: Some(object.name.clone()), ..record.clone() };
        if known.record == record || (known.resource_version.is_none() && is_empty(&record)) {
            return Ok(());
        }
        let written = match self.write(object, &record, known.resource_version.clone()).await {
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
                let version = self.version_with(object, &[&known.record, &record]).await?;
                self.write(object, &record, version).await?
            }
            written => written?,
        };
        let entry = Entry { record, resource_version: written.metadata.resource_version };
        self.records().await.insert(object.clone(), entry);
        Ok(())
    }

    async fn write(&self, object: &Id, record: &Record, version: Option<String>) -> Result<ConfigMap, kube::Error> {
        let config_map = self.config_map(object, record, version.clone())?;
        match version {
            None => self.api.create(&PostParams::default(), &config_map).await,
            Some(_) => self.api.replace(&self.name(object), &PostParams::default(), &config_map).await,
        }
    }

    /// The version that stands there now, where it holds what we know: somebody labelled it, or the answer to our write was lost. None
    /// where somebody deleted it, for what we know is written anew. Anything else was written by hand or by another operator: it is
    /// not written over, and it is what we know from now on, so that the next try goes on from there.
    async fn version_with(&self, object: &Id, known: &[&Record]) -> Result<Option<String>, kube::Error> {
        let Some(found) = self.api.get_opt(&self.name(object)).await? else { return Ok(None) };
        match parse(&found) {
            Ok((_, entry)) if known.contains(&&entry.record) => Ok(entry.resource_version),
            found => {
                let mut records = self.records().await;
                // The version that we know is of no use any more, so this write is refused once more.
                let version = records.entries.get(object).and_then(|entry| entry.resource_version.clone());
                if let Ok((of, entry)) = found
                    && of == *object
                {
                    records.insert(of, entry);
                }
                Ok(version)
            }
        }
    }

    /// Removes the record of an object that is gone.
    pub(crate) async fn drop(&self, object: &Id) -> Result<(), kube::Error> {
        match self.api.delete(&self.name(object), &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error),
        }
        self.records().await.remove(object);
        Ok(())
    }

    /// Records of a `SharedKey` are named as they were before there were other kinds.
    fn name(&self, Id { kind, name }: &Id) -> String {
        let owner = self.owner.to_string();
        let mut parts = vec![owner.as_str(), &name.namespace, &name.name];
        if *kind != Kind::SharedKey {
            parts.push(kind.into());
        }
        format!("sharedkey-ledger-{}", digest(&parts))
    }

    fn config_map(
        &self,
        object: &Id,
        record: &Record,
        resource_version: Option<String>,
    ) -> Result<ConfigMap, kube::Error> {
        let labels = [(LABEL, "sharedkey".to_owned()), (OWNER, self.owner.to_string())];
        let annotations =
            [("sharedkey.dev/object", object.name.to_string()), ("sharedkey.dev/kind", object.kind.to_string())];
        let json = serde_json::to_string(record).map_err(kube::Error::SerdeError)?;
        Ok(ConfigMap {
            metadata: ObjectMeta {
                name: Some(self.name(object)),
                labels: Some(labels.map(|(key, value)| (key.to_owned(), value)).into()),
                annotations: Some(annotations.map(|(key, value)| (key.to_owned(), value)).into()),
                resource_version,
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([(KEY.to_owned(), json)])),
            ..ConfigMap::default()
        })
    }
}

fn is_empty(record: &Record) -> bool {
    let Record { kind: _, object: _, alias: _, principals: _, key, targets, versions, target } = record;
    targets.is_empty() && key.is_none() && versions.is_none() && target.is_none()
}

/// A record that cannot be read stops the start: without it, what was shared would be forgotten in silence.
fn parse(config_map: &ConfigMap) -> anyhow::Result<(Id, Entry)> {
    let name = config_map.metadata.name.as_deref().unwrap_or_default();
    let json = config_map.data.as_ref().and_then(|data| data.get(KEY));
    let json = json.with_context(|| format!("ConfigMap {name} of the ledger has no {KEY}"))?;
    let record: Record = serde_json::from_str(json).with_context(|| format!("ConfigMap {name} of the ledger"))?;
    let object = record.object.clone().with_context(|| format!("ConfigMap {name} of the ledger names no object"))?;
    Ok((
        Id { kind: record.kind, name: object },
        Entry { record, resource_version: config_map.metadata.resource_version.clone() },
    ))
}
