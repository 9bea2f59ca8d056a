//! What a secret is to be, and what therefore stands in AWS: no more and no less.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use aws_sdk_secretsmanager::types::{ReplicationStatusType, Tag};
use futures::future::try_join_all;
use serde_json::{Value, json};
use sharedkey_e2e::{Glance, Hands, Stage, merge};
use sharedkey_harness::aws::{Account, Identity, SecretsManagerClient};

/// Values of the source.
pub(crate) const FIRST: &[u8] = b"hidden-from-logs: first value";
pub(crate) const SECOND: &[u8] = b"hidden-from-logs: second value";
/// SharedKeys of the secret's Region, and of the one of its copies.
const KEY: &str = "key";
pub(crate) const OTHER: &str = "other";
pub(crate) const COPY: &str = "copy";
pub(crate) const OTHER_COPY: &str = "other-copy";
/// The tag of somebody who had a secret before.
const THEIRS: &str = "cost-center";

/// Who may read a secret: `ExampleRole` of the partner, whose secret it is, and two roles of the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Role,
    Reader,
    Second,
}

impl Who {
    /// Within its own account the secret's policy is enough (D§5.1).
    fn needs_policy(self) -> bool {
        self != Self::Role
    }
}

/// What a secret is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) key: &'static str,
    pub(crate) value: &'static [u8],
    /// How many versions that makes in all.
    pub(crate) versions: usize,
    pub(crate) readers: &'static [Who],
    pub(crate) description: Option<&'static str>,
    /// The SharedKey of its copy in the other Region.
    pub(crate) copy: Option<&'static str>,
    /// Whether somebody made it who keeps a statement and a tag of his own.
    pub(crate) taken_over: bool,
    /// Whether it is deleted with its object.
    pub(crate) goes_along: bool,
}

impl Kept {
    pub(crate) const NEW: Self = Self {
        key: KEY,
        value: FIRST,
        versions: 1,
        readers: &[Who::Role, Who::Reader],
        description: None,
        copy: None,
        taken_over: false,
        goes_along: false,
    };
    pub(crate) const OTHERS: [Who; 1] = [Who::Second];
}

struct Person {
    who: Who,
    arn: String,
    identity: Identity,
    /// Those that it has for the keys.
    policies: BTreeSet<String>,
}

/// A stage with shared keys, and all who may read.
pub(crate) struct Vault {
    pub(crate) stage: Stage,
    people: Vec<Person>,
}

impl Vault {
    /// With the shared keys that these name.
    pub(crate) async fn new(stage: Stage, kept: &[Kept]) -> Result<Self> {
        const OWNERS: [&str; 2] = ["Reader", "Second"];
        let stage = stage.keeping_secrets().await?;
        stage.grant_secrets().await?;
        let owner = &stage.owner.account;
        let [reader, other] = [owner.create_role("/", "Reader").await?, owner.create_role("/", "Second").await?];
        stage.share(KEY, stage.spec_for_secrets(&OWNERS)).await?;
        stage.ready(KEY).await?;
        let keys = kept.iter().map(|kept| (kept.key, stage.key.region.as_str()));
        let copies = kept.iter().filter_map(|kept| Some((kept.copy?, stage.other_region())));
        let more: BTreeSet<(&str, &str)> = keys.filter(|(name, _)| *name != KEY).chain(copies).collect();
        try_join_all(more.iter().map(|(name, region)| stage.share_another(name, region, &OWNERS))).await?;
        let people = [
            (Who::Role, stage.role.clone(), stage.as_role().await?),
            (Who::Reader, reader.clone(), owner.as_role(&reader).await?),
            (Who::Second, other.clone(), owner.as_role(&other).await?),
        ];
        let mut vault = Self { stage, people: Vec::new() };
        for (who, arn, identity) in people {
            let policies = Hands::of(vault.account(who)).inline(&arn).await?.into_keys().collect();
            vault.people.push(Person { who, arn, identity, policies });
        }
        Ok(vault)
    }

    fn account(&self, who: Who) -> &Account {
        if who == Who::Role { &self.stage.partner.account } else { &self.stage.owner.account }
    }

    /// Asks for a secret with the value of the Kubernetes Secret that has its name.
    pub(crate) async fn keep(&self, name: &str, kept: Kept) -> Result<()> {
        self.stage.keep_secret(name, self.spec(name, kept)).await.map(drop)
    }

    pub(crate) fn spec(&self, name: &str, kept: Kept) -> Value {
        let readers: Vec<Value> = kept.readers.iter().map(|who| self.reader(*who)).collect();
        let mut spec = self.stage.secret_spec(&self.stage.partner, name);
        let source = json!({"secretRef": {"name": name, "key": "password"}});
        merge(&mut spec, json!({"sharedKeyRef": {"name": kept.key}, "source": source, "readers": readers}));
        if let Some(description) = kept.description {
            merge(&mut spec, json!({"description": description}));
        }
        if let Some(key) = kept.copy {
            let copy = json!({"region": self.stage.other_region(), "sharedKeyRef": {"name": key}});
            merge(&mut spec, json!({"replicas": [copy]}));
        }
        if kept.taken_over {
            merge(&mut spec, json!({"adopt": "IfExists", "restoreDeleted": true}));
        }
        if kept.goes_along {
            merge(&mut spec, json!({"deletionPolicy": "Delete", "recoveryWindowDays": 7}));
        }
        spec
    }

    /// Somebody of the partner makes a secret of the name, with a value, a tag and a statement of his own; and schedules it for deletion.
    pub(crate) async fn made_before(&self, name: &str, scheduled: bool) -> Result<()> {
        let client = self.client();
        let tag = Tag::builder().key(THEIRS).value("4711").build();
        client.create_secret().name(name).secret_string("theirs").tags(tag).send().await?;
        let auditors = json!({
            "Sid": "Auditors", "Effect": "Allow", "Principal": {"AWS": self.stage.partner.account.root_arn()},
            "Action": "secretsmanager:DescribeSecret", "Resource": "*",
        });
        let policy = json!({"Version": "2012-10-17", "Statement": [auditors]}).to_string();
        client.put_resource_policy().secret_id(name).resource_policy(policy).send().await?;
        if scheduled {
            client.delete_secret().secret_id(name).recovery_window_in_days(7).send().await?;
        }
        Ok(())
    }

    /// The secrets of the partner, as its own administrators see them.
    fn client(&self) -> SecretsManagerClient {
        self.stage.secrets_manager(&self.stage.partner.account)
    }

    fn reader(&self, who: Who) -> Value {
        let (name, side, principal) = match who {
            Who::Role => ("partner", &self.stage.partner, json!({"role": "ExampleRole"})),
            Who::Reader => ("owner", &self.stage.owner, json!({"role": "Reader"})),
            Who::Second => ("owner", &self.stage.owner, json!({"role": "Second"})),
        };
        json!({"name": name, "accountRef": {"name": side.name}, "principals": [principal]})
    }

    /// There is one secret, with as many versions as it had values; who is named reads it, and nobody else.
    pub(crate) async fn stands(&self, name: &str, kept: Kept) -> Result<()> {
        let secret = self.only(name, kept).await?;
        ensure!(!secret.scheduled && secret.tags.contains("sharedkey.dev/name"), "{secret:?}");
        ensure!(secret.tags.contains(THEIRS) == kept.taken_over, "{secret:?}");
        ensure!(secret.description.as_deref() == kept.description, "{secret:?}");
        ensure!(secret.statements == kept.readers.len() + usize::from(kept.taken_over), "{secret:?}");
        self.has_copies(&secret, kept.copy).await?;
        self.read_by(&secret.arn, kept, kept.readers).await
    }

    /// The secret of an object that is gone is nobody's, or it goes too. Nobody reads it for that object, or remembers it.
    pub(crate) async fn is_let_go(&self, name: &str, kept: Kept) -> Result<()> {
        let secret = self.only(name, kept).await?;
        ensure!(secret.scheduled == kept.goes_along, "{secret:?}");
        ensure!(secret.statements == usize::from(kept.taken_over), "{secret:?}");
        // Tags of one that goes say whose it was.
        let theirs = |tag: &String| kept.taken_over && tag == THEIRS;
        ensure!(kept.goes_along || secret.tags.iter().all(theirs), "{secret:?}");
        self.has_copies(&secret, kept.copy.filter(|_| !kept.goes_along)).await?;
        self.read_by(&secret.arn, kept, &[]).await?;
        self.stage.forgotten(name).await
    }

    async fn read_by(&self, secret: &str, kept: Kept, readers: &[Who]) -> Result<()> {
        for Person { who, arn, identity, policies } in &self.people {
            let reads = readers.contains(who);
            let standing = Hands::of(self.account(*who)).inline(arn).await?;
            let more: Vec<&String> = standing.keys().filter(|name| !policies.contains(*name)).collect();
            ensure!(more.len() == usize::from(reads && who.needs_policy()), "policies of {arn}: {more:?}");
            let glance = Glance::at(identity, secret).await?;
            let as_asked = if reads { glance.shows(kept.value) } else { glance.is_denied() };
            ensure!(as_asked, "{arn} should read {secret}: {reads}: {glance:?}");
        }
        Ok(())
    }

    /// The copies of a secret.
    pub(crate) async fn copies(&self, name: &str) -> Result<Vec<ReplicationStatusType>> {
        let described = self.client().describe_secret().secret_id(name).send().await?;
        Ok(described.replication_status.unwrap_or_default())
    }

    /// There is one copy, under this shared key, or none.
    async fn has_copies(&self, secret: &Found, key: Option<&str>) -> Result<()> {
        let Found { arn, copies, .. } = secret;
        let region = self.stage.other_region();
        let mut expected = BTreeMap::new();
        if let Some(key) = key {
            expected.insert((region.to_owned(), "InSync".to_owned()), self.key_arn(key).await?);
        }
        ensure!(*copies == expected, "{arn} should have the copies {expected:?}: {copies:?}");
        let there = named(&self.stage.partner.account, region, &secret.name).await?;
        ensure!(there.len() == copies.len(), "copies of {arn} in {region}: {there:?}");
        Ok(())
    }

    async fn key_arn(&self, shared_key: &str) -> Result<String> {
        let status = self.stage.keys().get(shared_key).await?.status;
        status.and_then(|status| status.key_arn).with_context(|| format!("the key of {shared_key}"))
    }

    /// The one secret of a name, and no other one of it in either account.
    async fn only(&self, name: &str, kept: Kept) -> Result<Found> {
        ensure!(named(&self.stage.owner.account, &self.stage.key.region, name).await?.is_empty());
        let partner = &self.stage.partner.account;
        let found = named(partner, &self.stage.key.region, name).await?;
        let [arn] = &found[..] else { anyhow::bail!("there should be one secret {name}: {found:?}") };
        let client = self.client();
        let versions = client.list_secret_version_ids().secret_id(arn).include_deprecated(true).send().await?;
        let versions = versions.versions.unwrap_or_default();
        ensure!(versions.len() == kept.versions, "{name} should have {} versions: {versions:?}", kept.versions);
        let secret = client.describe_secret().secret_id(arn).send().await?;
        let key = self.key_arn(kept.key).await?;
        ensure!(secret.kms_key_id.as_ref() == Some(&key), "{name} should be under {key}: {secret:?}");
        let scheduled = secret.deleted_date.is_some();
        // AWS shows no policy of a secret that is scheduled for deletion (D§5.7).
        let policy =
            if scheduled { None } else { client.get_resource_policy().secret_id(arn).send().await?.resource_policy };
        let policy = policy.map_or(Ok(Value::Null), |text| serde_json::from_str(&text))?;
        let statements = policy["Statement"].as_array().map(Vec::len).unwrap_or_default();
        let tags = secret.tags.unwrap_or_default().into_iter().filter_map(|tag| tag.key);
        let copies = secret.replication_status.unwrap_or_default().into_iter().filter_map(|copy| {
            Some(((copy.region?, copy.status?.as_str().to_owned()), copy.kms_key_id.unwrap_or_default()))
        });
        Ok(Found {
            arn: arn.clone(),
            name: name.to_owned(),
            scheduled,
            statements,
            description: secret.description,
            tags: tags.collect(),
            copies: copies.collect(),
        })
    }
}

/// What stands of a secret.
#[derive(Debug)]
struct Found {
    arn: String,
    name: String,
    /// For deletion.
    scheduled: bool,
    statements: usize,
    description: Option<String>,
    tags: BTreeSet<String>,
    /// The key of each copy, by its Region and state.
    copies: BTreeMap<(String, String), String>,
}

/// The secrets of a name, those among them that go.
async fn named(account: &Account, region: &str, name: &str) -> Result<Vec<String>> {
    let client = account.root().in_region(region).secrets_manager();
    let pages = client.list_secrets().include_planned_deletion(true).into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.context("the secrets")?;
    let listed = pages.into_iter().flat_map(|page| page.secret_list.unwrap_or_default());
    Ok(listed.filter(|secret| secret.name.as_deref() == Some(name)).filter_map(|secret| secret.arn).collect())
}
