//! Two hundred objects, ten on each key, each for a role of its own.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use kube::api::ListParams;
use serde_json::json;
use sharedkey_api::SharedKeyStatus;
use sharedkey_e2e::{History, Home, Stage, is_settled, key_document, spec};
use sharedkey_harness::{aws::Key, wait_for};

use crate::{
    LONGEST,
    told::{self, Told, most_in_the_storm},
};

/// Stages: each has two accounts.
const STAGES: u16 = 2;
const KEYS: u16 = 10;
const OBJECTS_ON_A_KEY: u16 = 10;
/// Requests at the same time.
const AT_ONCE: usize = 8;

pub(crate) struct Fleet(Vec<Part>);

/// The objects of one stage.
struct Part {
    stage: Stage,
    keys: Vec<Key>,
    history: History<SharedKeyStatus>,
}

impl Fleet {
    pub(crate) const OBJECTS: u16 = STAGES * KEYS * OBJECTS_ON_A_KEY;

    pub(crate) async fn new(home: &Home) -> Result<Self> {
        let parts = (0..STAGES).map(async |_| {
            let stage = Stage::on(home, "aws").await?;
            let (owner, partner) = (&stage.owner.account, &stage.partner.account);
            let keys = stream::iter(0..KEYS).map(async |_| owner.create_key(Some(&key_document(owner))).await);
            let keys = keys.buffered(AT_ONCE).try_collect().await?;
            let roles = stream::iter(names()).map(async |name| partner.create_role("/", &name).await);
            let _: Vec<String> = roles.buffered(AT_ONCE).try_collect().await?;
            let history = History::from_now_on(stage.keys());
            anyhow::Ok(Part { stage, keys, history })
        });
        Ok(Self(try_join_all(parts).await?))
    }

    /// Applies all objects.
    pub(crate) async fn apply(&self) -> Result<()> {
        try_join_all(self.0.iter().map(async |Part { stage, keys, .. }| {
            let objects = stream::iter(names().zip(keys.iter().cycle())).map(async |(name, key)| {
                let spec = spec(stage, json!({"arn": key.arn}), json!({"principals": [{"role": name}]}));
                stage.share(&name, spec).await
            });
            objects.buffered(AT_ONCE).try_collect::<Vec<_>>().await
        }))
        .await?;
        Ok(())
    }

    /// Every object was ready at some time.
    pub(crate) fn ready_once(&self) -> Result<()> {
        let count = told::ready_once(self.0.iter().map(|part| part.history.clone()));
        ensure!(count == usize::from(Self::OBJECTS), "{count} of {} have been ready", Self::OBJECTS);
        Ok(())
    }

    /// Waits until every object is ready and nothing is on its way.
    pub(crate) async fn settle(&self) -> Result<()> {
        wait_for("all objects to be well", LONGEST, async || {
            for part in &self.0 {
                for key in part.stage.keys().list(&ListParams::default()).await?.items {
                    let settled = key.status.as_ref().is_some_and(is_settled);
                    ensure!(settled, "one is not: {}", serde_json::to_string(&key.status)?);
                }
            }
            Ok(())
        })
        .await
    }

    pub(crate) fn no_drift(&self) -> Result<()> {
        self.0.iter().try_for_each(|part| part.history.no_drift())
    }

    /// How many statuses were written, and the most of one object. None has more than two for each of its transitions.
    pub(crate) fn told(&self) -> Result<Told> {
        told::told(self.0.iter().map(|part| (part.history.clone(), BTreeMap::new())), most_in_the_storm)
    }

    pub(crate) async fn forget_calls(&self) -> Result<()> {
        try_join_all(self.0.iter().map(|part| part.stage.forget_calls())).await.map(drop)
    }

    pub(crate) async fn nothing_written(&self) -> Result<()> {
        try_join_all(self.0.iter().map(|part| part.stage.nothing_written())).await.map(drop)
    }
}

fn names() -> impl Iterator<Item = String> {
    (0..KEYS * OBJECTS_ON_A_KEY).map(|number| format!("app-{number:03}"))
}
