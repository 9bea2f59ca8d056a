//! What stands in AWS for an object: to be compared, and to be put back.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{Hands, Stage, hands::Versions};

/// Both halves, with all that others have there. Order in lists is KMS' own whim (D§1.4), so it is taken out.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// The key policy.
    pub key_policy: Value,
    /// Inline policies by role or user and name.
    pub inline: BTreeMap<String, BTreeMap<String, Value>>,
    /// Attached managed policies by role or user.
    pub attached: BTreeMap<String, BTreeSet<String>>,
    /// The managed policy of the object's consumer.
    pub managed: Option<Versions>,
}

impl Stage {
    /// The managed policy of a consumer.
    pub fn policy_arn(&self, name: &str, consumer: &str) -> String {
        self.partner.account.arn(&format!("policy/{}", self.policy_name(name, consumer)))
    }

    /// Both halves of an object as they are now.
    pub async fn live(&self, name: &str) -> Result<Live> {
        let hands = Hands::of(&self.partner.account);
        let (mut inline, mut attached) = (BTreeMap::new(), BTreeMap::new());
        for entity in [&self.role, &self.user] {
            let policies = hands.inline(entity).await?;
            inline.insert(
                entity.clone(),
                policies.into_iter().map(|(name, document)| (name, unordered(&document))).collect(),
            );
            attached.insert(entity.clone(), hands.attached(entity).await?);
        }
        Ok(Live {
            key_policy: unordered(&self.owner.account.key_policy(&self.key).await?),
            inline,
            attached,
            managed: hands.versions(&self.policy_arn(name, "partner")).await?,
        })
    }

    /// Puts everything back as it was, by the accounts' own administrators. What is as it was is not written.
    pub async fn put_back(&self, name: &str, before: &Live) -> Result<()> {
        let now = self.live(name).await?;
        if now.key_policy != before.key_policy {
            self.owner.account.put_key_policy(&self.key, &before.key_policy).await?;
        }
        let hands = Hands::of(&self.partner.account);
        if let Some(managed) = &before.managed {
            self.put_managed_back(&hands, name, managed, now.managed.as_ref()).await?;
        }
        for (entity, policies) in &before.inline {
            for (name, document) in
                policies.iter().filter(|(name, document)| now.inline[entity].get(*name) != Some(document))
            {
                hands.put_inline(entity, name, document).await?;
            }
        }
        for (entity, policies) in &before.attached {
            for policy in policies.difference(&now.attached[entity]) {
                hands.attach(entity, policy).await?;
            }
        }
        Ok(())
    }

    async fn put_managed_back(
        &self,
        hands: &Hands,
        name: &str,
        before: &Versions,
        now: Option<&Versions>,
    ) -> Result<()> {
        let document = before.in_force().context("a policy without a version in force")?;
        let arn = self.policy_arn(name, "partner");
        match now {
            None => self.partner.account.create_policy(&self.policy_name(name, "partner"), document).await.map(drop),
            Some(now) if now.in_force() == Some(document) => Ok(()),
            Some(now) => match now.documents.iter().find(|(_, known)| *known == document) {
                Some((version, _)) => hands.set_default_version(&arn, version).await,
                None => hands.put_version(&arn, document).await,
            },
        }
    }
}

/// A document with every list in one order.
pub fn unordered(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(unordered).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), unordered(field))).collect(),
        other => other.clone(),
    }
}
