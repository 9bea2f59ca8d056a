//! What stands in AWS and in the target for a secret: to be compared, and to be put back.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use aws_sdk_secretsmanager::types::{ReplicaRegionType, Tag};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use serde_json::Value;
use sharedkey_e2e::{Glance, Hands, unordered};

use super::scene::{COPY, Vault};

/// All of it, with what others have there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Standing {
    pub(super) value: Glance,
    /// The id of the current version.
    pub(super) version: Option<String>,
    key: Option<String>,
    description: Option<String>,
    tags: BTreeMap<String, String>,
    pub(super) policy: Value,
    /// Keys by Region.
    replicas: BTreeMap<String, Option<String>>,
    /// The reader's inline policies by name.
    inline: BTreeMap<String, Value>,
    pub(super) target: Option<Secret>,
}

impl Vault {
    pub(super) async fn standing(&self) -> Result<Standing> {
        let (stage, client) = (&self.scene.stage, self.client());
        let described = client.describe_secret().secret_id(&self.arn).send().await?;
        let policy = client.get_resource_policy().secret_id(&self.arn).send().await?.resource_policy;
        let labels = described.version_ids_to_stages.iter().flatten();
        let current = labels.into_iter().find(|(_, labels)| labels.iter().any(|label| label == "AWSCURRENT"));
        let tags = described.tags.iter().flatten();
        let replicas = described.replication_status.iter().flatten();
        let inline = Hands::of(&stage.partner.account).inline(&stage.role).await?;
        Ok(Standing {
            value: Glance::at(stage.owner.account.root(), &self.arn).await?,
            version: current.map(|(id, _)| id.clone()),
            key: described.kms_key_id.clone(),
            tags: tags.filter_map(|tag| Some((tag.key.clone()?, tag.value.clone()?))).collect(),
            policy: policy
                .map_or(Ok(Value::Null), |text| serde_json::from_str(&text).map(|policy| unordered(&policy)))?,
            replicas: replicas.filter_map(|copy| Some((copy.region.clone()?, copy.kms_key_id.clone()))).collect(),
            inline: inline.into_iter().map(|(name, document)| (name, unordered(&document))).collect(),
            target: stage.kubernetes_secrets().get_opt(COPY).await?.map(portable),
            description: described.description,
        })
    }

    /// Puts everything back as it was, by administrators. What is as it was is not written.
    pub(super) async fn put_back(&self, before: &Standing) -> Result<()> {
        let (now, client, arn) = (self.standing().await?, self.client(), &self.arn);
        if now.version != before.version {
            self.make_current(before.version.as_deref(), now.version.as_deref()).await?;
        }
        if (&now.key, &now.description) != (&before.key, &before.description) {
            let request = client.update_secret().secret_id(arn).set_kms_key_id(before.key.clone());
            request.set_description(before.description.clone()).send().await?;
        }
        if now.tags != before.tags {
            let tags = before.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
            client.tag_resource().secret_id(arn).set_tags(Some(tags)).send().await?;
        }
        if now.policy != before.policy {
            self.put_policy(&before.policy).await?;
        }
        for (region, key) in before.replicas.iter().filter(|(region, _)| !now.replicas.contains_key(*region)) {
            let copy = ReplicaRegionType::builder().region(region).set_kms_key_id(key.clone()).build();
            client.replicate_secret_to_regions().secret_id(arn).add_replica_regions(copy).send().await?;
        }
        let hands = Hands::of(&self.scene.stage.partner.account);
        for (name, document) in before.inline.iter().filter(|(name, document)| now.inline.get(*name) != Some(document))
        {
            hands.put_inline(&self.scene.stage.role, name, document).await?;
        }
        self.put_target_back(before.target.as_ref(), now.target.as_ref()).await
    }

    async fn put_target_back(&self, before: Option<&Secret>, now: Option<&Secret>) -> Result<()> {
        let (before, secrets) = (before.context("a target")?, self.scene.stage.kubernetes_secrets());
        match now {
            None => drop(secrets.create(&PostParams::default(), before).await?),
            Some(now) if now.data != before.data => drop(secrets.replace(COPY, &PostParams::default(), before).await?),
            Some(_) => {}
        }
        Ok(())
    }

    /// Makes a version the current one in place of another.
    pub(super) async fn make_current(&self, version: Option<&str>, instead_of: Option<&str>) -> Result<()> {
        let label = self.client().update_secret_version_stage().secret_id(&self.arn).version_stage("AWSCURRENT");
        let label = label.set_remove_from_version_id(instead_of.map(str::to_owned));
        label.set_move_to_version_id(version.map(str::to_owned)).send().await?;
        Ok(())
    }

    /// Replaces the resource policy.
    pub(super) async fn put_policy(&self, policy: &Value) -> Result<()> {
        let request = self.client().put_resource_policy().secret_id(&self.arn);
        request.resource_policy(policy.to_string()).send().await?;
        Ok(())
    }
}

/// As it can be created anew, or compared.
fn portable(secret: Secret) -> Secret {
    let ObjectMeta { name, namespace, labels, annotations, owner_references, .. } = secret.metadata;
    let metadata = ObjectMeta { name, namespace, labels, annotations, owner_references, ..ObjectMeta::default() };
    Secret { metadata, ..secret }
}
