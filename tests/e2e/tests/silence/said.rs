//! Everything that is said of objects, by whom and wherever it can be read, but for AWS itself and the Secrets that hold values.

use std::fmt::Debug;

use anyhow::{Result, ensure};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        core::v1::{ConfigMap, Event as OldEvent, Secret},
        events::v1::Event,
    },
};
use kube::{Api, Client, Resource, api::ListParams};
use serde::{Serialize, de::DeserializeOwned};
use sharedkey_api::{AwsAccount, ExternalSecretStatus, SharedKeyStatus};
use sharedkey_e2e::{History, Service, Stage};
use sharedkey_harness::aws::Calls;

use crate::hidden::{Hidden, search_for};

/// Who tells of a stage, from its beginning on.
pub(crate) struct Said<'a> {
    service: &'a Service,
    stage: &'a Stage,
    keys: History<SharedKeyStatus>,
    secrets: History<ExternalSecretStatus>,
}

impl<'a> Said<'a> {
    pub(crate) fn from_now_on(service: &'a Service, stage: &'a Stage) -> Self {
        let (keys, secrets) = (History::from_now_on(stage.keys()), History::from_now_on(stage.secrets()));
        Self { service, stage, keys, secrets }
    }

    /// None of the values was told by anybody, in no way.
    pub(crate) async fn nothing_of(&self, hidden: &[&Hidden]) -> Result<()> {
        let search = search_for(hidden)?;
        for (place, text) in self.all().await? {
            ensure!(!text.is_empty(), "nothing is known of {place}");
            let found = search.found_in(&text);
            ensure!(found.is_none(), "{place} shows a value: {found:?}");
        }
        Ok(())
    }

    async fn all(&self) -> Result<Vec<(&'static str, String)>> {
        let Self { service, stage, .. } = self;
        let (client, namespace) = (&stage.client, stage.namespace.as_str());
        let own = stage.home.world.operator_account.namespace.as_str();
        let aws = &stage.home.world.aws;
        Ok(vec![
            ("the operator's log", service.operator.log()?),
            ("its metrics", service.operator.get("/metrics").await?),
            ("an event", listed::<Event>(client, namespace).await?),
            ("an event of the old kind", listed::<OldEvent>(client, namespace).await?),
            ("a SharedKey", shown(&stage.keys().list(&ListParams::default()).await?.items)?),
            ("an ExternalSecret", shown(&stage.secrets().list(&ListParams::default()).await?.items)? + "\n"),
            (
                "an AwsAccount",
                shown(&Api::<AwsAccount>::all(client.clone()).list(&ListParams::default()).await?.items)?,
            ),
            ("the ledger or the history", listed::<ConfigMap>(client, own).await?),
            ("a Secret of the operator", listed::<Secret>(client, own).await?),
            ("the metadata of a Secret", self.metadata().await?),
            ("a status of a SharedKey", debugged(&self.keys.by_object())),
            ("a status of an ExternalSecret", debugged(&self.secrets.by_object())),
            ("a counter of AWS", debugged(&aws.counts(&Calls::all()).await?)),
            ("a call that AWS has noted", debugged(&aws.log(&Calls::all(), 0).await?)),
        ])
    }

    /// What Secrets say beside their data.
    async fn metadata(&self) -> Result<String> {
        let secrets = self.stage.kubernetes_secrets().list(&ListParams::default()).await?.items;
        shown(&secrets.into_iter().map(|secret| secret.metadata).collect::<Vec<_>>())
    }
}

async fn listed<K>(client: &Client, namespace: &str) -> Result<String>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
{
    shown(&Api::<K>::namespaced(client.clone(), namespace).list(&ListParams::default()).await?.items)
}

fn shown(items: &[impl Serialize]) -> Result<String> {
    let lines: Result<Vec<String>, _> = items.iter().map(serde_json::to_string).collect();
    Ok(lines?.join("\n"))
}

fn debugged(items: &impl Debug) -> String {
    format!("{items:?}")
}
