//! Who is to use a key, and what therefore stands in AWS: no more and no less.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use aws_sdk_iam::types::PolicyScopeType;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, ResourceExt as _, api::ListParams};
use serde_json::{Value, json};
use sharedkey_e2e::{Hands, Stage, foreign};
use sharedkey_harness::aws::{Account, Identity, Operation, Probe};

/// A consumer of the spec.
#[derive(Debug)]
pub(crate) struct Consumer {
    name: &'static str,
    who: &'static [Who],
    access: &'static str,
}

impl Consumer {
    const OTHER: Self = Self { name: "other", who: &[Who::Second], access: "EncryptDecrypt" };
    const PARTNER: Self = Self { name: "partner", who: &[Who::Role, Who::User], access: "EncryptDecrypt" };

    /// Two consumers.
    pub(crate) const ALL: [Self; 2] = [Self::PARTNER, Self::OTHER];
    /// A principal less, other actions, another name.
    pub(crate) const CHANGED: [Self; 2] = [
        Self { name: "partner", who: &[Who::Role], access: "Decrypt" },
        Self { name: "renamed", who: &[Who::Second], access: "EncryptDecrypt" },
    ];
    /// A consumer less.
    pub(crate) const FEWER: [Self; 1] = [Self::PARTNER];
}

/// Somebody of the partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Role,
    User,
    Second,
}

/// A stage with all who are on it.
pub(crate) struct Cast {
    pub(crate) stage: Stage,
    people: [(Who, String, Identity); 3],
    probe: Probe,
    /// The statements of others, as they were before anything was shared.
    others: Vec<String>,
}

impl Cast {
    pub(crate) async fn new(stage: Stage) -> Result<Self> {
        let second = stage.partner.account.create_role("/", "Second").await?;
        let people = [
            (Who::Role, stage.role.clone(), stage.as_role().await?),
            (Who::User, stage.user.clone(), stage.as_user().await?),
            (Who::Second, second.clone(), stage.partner.account.as_role(&second).await?),
        ];
        let probe = stage.probe().await?;
        let others = foreign(&stage.owner.account.key_policy(&stage.key).await?);
        Ok(Self { stage, people, probe, others })
    }

    /// The spec that shares the key with consumers.
    pub(crate) fn spec(&self, consumers: &[Consumer], delegation: &str) -> Value {
        let principal = |who: &Who| match who {
            Who::Role => json!({"role": "ExampleRole"}),
            Who::User => json!({"user": "team/ExampleUser"}),
            Who::Second => json!({"role": "Second"}),
        };
        let consumers: Vec<Value> = consumers
            .iter()
            .map(|Consumer { name, who, access }| {
                let principals: Vec<Value> = who.iter().map(principal).collect();
                json!({"name": name, "accountRef": {"name": self.stage.partner.name}, "principals": principals,
                       "access": access, "delegation": delegation})
            })
            .collect();
        json!({
            "accountRef": {"name": self.stage.owner.name}, "region": self.stage.key.region, "key": {"arn": self.stage.key.arn},
            "consumers": consumers,
        })
    }

    /// Both halves of the consumers stand, once, and nothing else of an object does; who is named can use the key, as far as he is
    /// to, and nobody else can.
    pub(crate) async fn stands(&self, name: &str, delegation: &str, consumers: &[Consumer]) -> Result<()> {
        let managed = delegation == "ManagedPolicy";
        let sids = consumers.iter().map(|consumer| self.stage.sid(name, consumer.name));
        let policies = consumers.iter().filter(|_| managed).map(|consumer| self.stage.policy_arn(name, consumer.name));
        self.key_policy_has(sids.collect()).await?;
        self.has_policies(&self.stage.partner.account, policies.collect()).await?;
        for (who, arn, identity) in &self.people {
            let named: Vec<&Consumer> = consumers.iter().filter(|consumer| consumer.who.contains(who)).collect();
            let inline = named.iter().filter(|_| !managed).map(|consumer| self.stage.policy_name(name, consumer.name));
            let attached = named.iter().filter(|_| managed).map(|consumer| self.stage.policy_arn(name, consumer.name));
            self.entity_has(arn, inline.collect(), attached.collect()).await?;
            self.can(identity, Operation::Decrypt, !named.is_empty()).await?;
            let encrypts = named.iter().any(|consumer| consumer.access == "EncryptDecrypt");
            self.can(identity, Operation::Encrypt, encrypts).await?;
        }
        Ok(())
    }

    /// Nothing of an object that is gone stands anywhere, and nobody remembers it.
    pub(crate) async fn nothing_stands(&self, name: &str) -> Result<()> {
        self.stands(name, "InlinePolicy", &[]).await?;
        self.has_policies(&self.stage.owner.account, BTreeSet::new()).await?;
        let world = self.stage.home.world;
        let ledger: Api<ConfigMap> = Api::namespaced(self.stage.client.clone(), &world.operator_account.namespace);
        let records = ledger.list(&ListParams::default().labels("sharedkey.dev/ledger=sharedkey")).await?;
        let object = format!("{}/{name}", self.stage.namespace);
        let of_object = |record: &&ConfigMap| record.annotations().get("sharedkey.dev/object") == Some(&object);
        ensure!(records.iter().find(of_object).is_none(), "the ledger still knows {object}");
        Ok(())
    }

    async fn key_policy_has(&self, mut sids: Vec<String>) -> Result<()> {
        let document = self.stage.owner.account.key_policy(&self.stage.key).await?;
        assert_eq!(foreign(&document), self.others, "statements of others");
        let statements = document["Statement"].as_array().context("statements")?;
        let mut ours: Vec<&str> = statements.iter().filter_map(|statement| statement["Sid"].as_str()).collect();
        ours.retain(|sid| sid.starts_with("SharedKey/"));
        ours.sort_unstable();
        sids.sort();
        assert_eq!(ours, sids, "statements of SharedKeys");
        Ok(())
    }

    async fn has_policies(&self, account: &Account, expected: BTreeSet<String>) -> Result<()> {
        let listed = account.root().iam().list_policies().scope(PolicyScopeType::Local).send().await?;
        let listed = listed.policies.unwrap_or_default().into_iter().filter_map(|policy| policy.arn);
        assert_eq!(listed.collect::<BTreeSet<_>>(), expected, "managed policies of account {}", account.id());
        Ok(())
    }

    async fn entity_has(&self, arn: &str, inline: BTreeSet<String>, attached: BTreeSet<String>) -> Result<()> {
        let hands = Hands::of(&self.stage.partner.account);
        assert_eq!(hands.inline(arn).await?.into_keys().collect::<BTreeSet<_>>(), inline, "inline policies of {arn}");
        assert_eq!(hands.attached(arn).await?, attached, "policies attached to {arn}");
        Ok(())
    }

    async fn can(&self, who: &Identity, operation: Operation, allowed: bool) -> Result<()> {
        let attempt = who.attempt(operation, &self.probe).await?;
        ensure!(
            attempt.is_allowed() == allowed,
            "{operation} by {} should be allowed: {allowed}: {attempt:?}",
            who.arn().await?
        );
        Ok(())
    }
}
