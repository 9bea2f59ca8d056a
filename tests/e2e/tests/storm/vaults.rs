//! Secrets of two owners, each of them read by a role of a partner. All secrets of an owner have the value of one Kubernetes Secret.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use anyhow::{Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use kube::{ResourceExt, api::ListParams};
use serde_json::{Value, json};
use sharedkey_api::{ExternalSecret, ExternalSecretStatus, GROUP};
use sharedkey_e2e::{Glance, Hands, History, Home, Stage, is_settled, merge, told};
use sharedkey_harness::{aws::Calls, wait_for};

use crate::{
    LONGEST,
    told::{Told, most_in_the_storm},
};

/// Stages: each has two accounts.
const STAGES: u16 = 2;
/// Roles of a partner. Each reads as many secrets as its inline policies have room for.
const ROLES: u16 = 10;
/// Requests at the same time.
const AT_ONCE: usize = 8;

pub(crate) struct Vaults {
    vaults: Vec<Vault>,
    /// How many values there were.
    changes: usize,
}

/// The secrets of one stage.
struct Vault {
    stage: Stage,
    history: History<ExternalSecretStatus>,
    /// When the value was changed last: how many statuses each object had, and its version and the number of versions.
    known: BTreeMap<String, Known>,
}

#[derive(Clone, Default)]
struct Known {
    statuses: usize,
    /// The current version.
    version: Option<String>,
    /// How many values it had.
    values: usize,
}

impl Vaults {
    pub(crate) const OBJECTS: u16 = 200;

    pub(crate) async fn new(home: &Home) -> Result<Self> {
        let vaults = (0..STAGES).map(async |_| {
            let stage = Stage::on(home, "aws").await?.keeping_secrets().await?;
            stage.grant_secrets().await?;
            for role in 0..ROLES {
                stage.partner.account.create_role("/", &name_of_role(role)).await?;
            }
            let mut spec = stage.spec_for_secrets(&[]);
            let principals: Vec<Value> = (0..ROLES).map(|role| json!({"role": name_of_role(role)})).collect();
            merge(&mut spec["consumers"][0], json!({"principals": principals}));
            stage.share("orders", spec).await?;
            stage.ready("orders").await?;
            let history = History::from_now_on(stage.secrets());
            anyhow::Ok(Vault { stage, history, known: BTreeMap::new() })
        });
        let vaults = Self { vaults: try_join_all(vaults).await?, changes: 0 };
        vaults.put_value().await?;
        Ok(vaults)
    }

    /// Asks for secrets.
    pub(crate) async fn apply(&mut self, numbers: Range<u16>) -> Result<()> {
        let count = self.vaults.len();
        for (at, vault) in self.vaults.iter_mut().enumerate() {
            let numbers = numbers.clone().filter(|number| usize::from(*number) % count == at);
            for number in numbers.clone() {
                vault.known.insert(name(number), Known::default());
            }
            let stage = &vault.stage;
            let objects = stream::iter(numbers).map(async |number| {
                let reader = json!({"name": "app", "accountRef": {"name": stage.partner.name},
                                    "principals": [{"role": name_of_role(number / STAGES % ROLES)}]});
                let mut spec = stage.secret_spec(&stage.owner, &name(number));
                let source = json!({"secretRef": {"name": "source", "key": "value"}});
                let deletion = if is_deleted(number) { "Delete" } else { "Retain" };
                merge(&mut spec, json!({"source": source, "readers": [reader], "deletionPolicy": deletion}));
                stage.keep_secret(&name(number), spec).await
            });
            objects.buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?;
        }
        Ok(())
    }

    /// Gives all of them another value at once.
    pub(crate) async fn change(&mut self) -> Result<()> {
        for vault in &mut self.vaults {
            let statuses = vault.history.by_object();
            for secret in vault.stage.secrets().list(&ListParams::default()).await? {
                let known = vault.known.entry(secret.name_any()).or_default();
                known.statuses = statuses.get(&secret.name_any()).map(Vec::len).unwrap_or_default();
                known.version = secret.status.and_then(|status| status.version_id);
                known.values += 1;
            }
        }
        self.changes += 1;
        self.put_value().await
    }

    async fn put_value(&self) -> Result<()> {
        let value = format!("hidden-from-logs: value {}", self.changes);
        try_join_all(self.vaults.iter().map(|vault| {
            let value = value.as_bytes();
            async move { vault.stage.put_kubernetes_secret("source", &[("value", value)]).await }
        }))
        .await
        .map(drop)
    }

    /// So many objects were ready at some time.
    pub(crate) fn ready_once(&self, objects: u16) -> Result<()> {
        let count = crate::told::ready_once(self.vaults.iter().map(|vault| vault.history.clone()));
        ensure!(count == usize::from(objects), "{count} of {objects} have been ready");
        Ok(())
    }

    /// Waits until every object is ready with the last value, and nothing is on its way.
    pub(crate) async fn settle(&self) -> Result<()> {
        wait_for("all secrets to be well", LONGEST, async || {
            for vault in &self.vaults {
                for secret in vault.stage.secrets().list(&ListParams::default()).await?.items {
                    let known = &vault.known[&secret.name_any()];
                    let settled = secret.status.as_ref().is_some_and(|status| {
                        is_settled(status) && status.version_id.is_some() && status.version_id != known.version
                    });
                    ensure!(settled, "one is not: {}", serde_json::to_string(&secret.status)?);
                }
            }
            Ok(())
        })
        .await
    }

    /// Each secret is there once, with as many versions as it had values, and its reader reads the last one.
    pub(crate) async fn each_has_one_version_for_each_value(&self) -> Result<()> {
        let value = format!("hidden-from-logs: value {}", self.changes);
        for Vault { stage, known, .. } in &self.vaults {
            let client = stage.owner.account.root().in_region(&stage.key.region).secrets_manager();
            let pages = client.list_secrets().include_planned_deletion(true).into_paginator().send();
            let pages = pages.try_collect().await?;
            let secrets = pages.into_iter().flat_map(|page| page.secret_list.unwrap_or_default());
            let mut names: Vec<String> = secrets.filter_map(|secret| secret.name).collect();
            names.sort();
            assert_eq!(names, known.keys().cloned().collect::<Vec<_>>());
            let versions = stream::iter(known).map(async |(name, known)| {
                let versions = client.list_secret_version_ids().secret_id(name).include_deprecated(true).send().await?;
                let (versions, values) = (versions.versions.unwrap_or_default(), known.values + 1);
                ensure!(versions.len() == values, "{name} had {values} values, and has {versions:?}");
                Ok(())
            });
            versions.buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
            for secret in stage.secrets().list(&ListParams::default().limit(u32::from(ROLES))).await? {
                let role = secret.spec.readers[0].principals[0].role.as_deref().unwrap_or_default();
                let reader = stage.partner.account.as_role(&stage.partner.account.arn(&format!("role/{role}"))).await?;
                let arn = secret.status.and_then(|status| status.secret_arn).unwrap_or_default();
                let glance = Glance::at(&reader, &arn).await?;
                ensure!(glance.shows(value.as_bytes()), "{role} should read {value:?} of {arn}: {glance:?}");
            }
        }
        Ok(())
    }

    /// The secrets with these numbers, and where they are.
    fn numbered(&self, numbers: Range<u16>) -> impl Iterator<Item = (&Stage, u16)> {
        numbers.map(|number| (&self.vaults[usize::from(number) % self.vaults.len()].stage, number))
    }

    /// Deletes objects.
    pub(crate) async fn leave(&self, numbers: Range<u16>) -> Result<()> {
        let left = self.numbered(numbers).map(async |(stage, number)| stage.leave_secret(&name(number)).await);
        stream::iter(left).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// None of these objects has anything in AWS, to its own knowledge; where a call was not answered, it stays for minutes to look again.
    pub(crate) async fn gone(&self, numbers: Range<u16>) -> Result<()> {
        for secret in self.leaving(numbers).await? {
            let waits = secret.status.as_ref().is_some_and(|status| {
                told(status, "Ready", "Deleting").is_ok_and(|it| it.starts_with("being deleted, gone from AWS"))
            });
            ensure!(waits, "{} says {}", secret.name_any(), serde_json::to_string(&secret.status)?);
        }
        Ok(())
    }

    async fn leaving(&self, numbers: Range<u16>) -> Result<Vec<ExternalSecret>> {
        let leaving: BTreeSet<String> = numbers.map(name).collect();
        let mut there = Vec::new();
        for Vault { stage, .. } in &self.vaults {
            there.extend(stage.secrets().list(&ListParams::default()).await?);
        }
        there.retain(|secret| leaving.contains(&secret.name_any()));
        Ok(there)
    }

    /// Nothing of these objects is in AWS, and nothing of those that are gone in the ledger, but for secrets that are nobody's or are going to be deleted.
    pub(crate) async fn left_nothing(&self, numbers: Range<u16>) -> Result<()> {
        for Vault { stage, .. } in &self.vaults {
            let roles = (0..ROLES).map(|role| stage.partner.account.arn(&format!("role/{}", name_of_role(role))));
            let hands = Hands::of(&stage.partner.account);
            for role in roles {
                let policies = hands.inline(&role).await?.into_keys();
                let left: Vec<String> = policies
                    .filter(|policy| numbers.clone().any(|it| policy.contains(&format!("@secret={}@", name(it)))))
                    .collect();
                ensure!(left.is_empty(), "{role} still has {left:?}");
            }
        }
        let waiting: BTreeSet<String> =
            self.leaving(numbers.clone()).await?.iter().map(ResourceExt::name_any).collect();
        let checks = self.numbered(numbers).map(async |(stage, number)| {
            if !waiting.contains(&name(number)) {
                stage.forgotten(&name(number)).await?;
            }
            is_nobodys(stage, number).await
        });
        stream::iter(checks).buffer_unordered(AT_ONCE).try_collect().await
    }

    pub(crate) fn no_drift(&self) -> Result<()> {
        self.vaults.iter().try_for_each(|vault| vault.history.no_drift())
    }

    pub(crate) fn told_since_the_beginning(&self) -> Result<Told> {
        crate::told::told(self.vaults.iter().map(|vault| (vault.history.clone(), BTreeMap::new())), most_in_the_storm)
    }

    /// What was told since the value was changed last.
    pub(crate) fn told_of_the_change(&self, most: usize) -> Result<Told> {
        let known = |known: &BTreeMap<String, Known>| {
            known.iter().map(|(name, known)| (name.clone(), known.statuses)).collect::<BTreeMap<_, _>>()
        };
        crate::told::told(self.vaults.iter().map(|vault| (vault.history.clone(), known(&vault.known))), |_| most)
    }
}

/// Every other one of each owner is deleted with its object.
fn is_deleted(number: u16) -> bool {
    (number / STAGES).is_multiple_of(2)
}

/// A secret of which nobody has anything any more: it was scheduled for deletion once, or has none of our tags.
async fn is_nobodys(stage: &Stage, number: u16) -> Result<()> {
    let name = name(number);
    let client = stage.owner.account.root().in_region(&stage.key.region).secrets_manager();
    let secret = client.describe_secret().secret_id(&name).send().await?;
    ensure!(secret.deleted_date.is_some() == is_deleted(number), "{secret:?}");
    let arn = secret.arn.as_deref().unwrap_or_default();
    let deleted = Calls::all().account(&stage.owner.account).operation("DeleteSecret").resource(arn).result("OK");
    let deleted = stage.home.world.aws.count(&deleted).await?;
    // One whose answer was lost is noted as cut, although it was performed.
    ensure!(deleted <= u64::from(is_deleted(number)), "{name} was deleted {deleted} times");
    if is_deleted(number) {
        // AWS shows no policy of a secret that is going (D§5.7).
        client.restore_secret().secret_id(arn).send().await?;
    } else {
        ensure!(!secret.tags().iter().any(|tag| tag.key().is_some_and(|key| key.starts_with(GROUP))), "{secret:?}");
    }
    let policy = client.get_resource_policy().secret_id(arn).send().await?.resource_policy;
    ensure!(policy.is_none(), "{name} still has {policy:?}");
    Ok(())
}

fn name(number: u16) -> String {
    format!("app-{number:03}")
}

fn name_of_role(role: u16) -> String {
    format!("App{role}")
}
