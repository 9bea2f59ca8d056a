//! What an account's own administrators do to roles, users and policies by hand. Roles and users are named by ARN.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use aws_sdk_iam::{Client, error::ProvideErrorMetadata};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use sharedkey_harness::aws::Account;

/// An administrator of an account.
#[derive(Debug)]
pub struct Hands(Client);

/// A role or user, as IAM's calls name it.
enum Entity<'a> {
    Role(&'a str),
    User(&'a str),
}

impl<'a> Entity<'a> {
    fn of(arn: &'a str) -> Result<Self> {
        let (_, resource) = arn.rsplit_once(':').context("no ARN")?;
        let (kind, path) = resource.split_once('/').context("no role or user")?;
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        Ok(if kind == "role" { Self::Role(name) } else { Self::User(name) })
    }
}

/// The versions of a managed policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Versions {
    /// `v1`: the one in force.
    pub default: String,
    /// The documents of all of them.
    pub documents: BTreeMap<String, Value>,
}

impl Versions {
    /// The document in force.
    pub fn in_force(&self) -> Option<&Value> {
        self.documents.get(&self.default)
    }
}

impl Hands {
    /// Those of an account.
    pub fn of(account: &Account) -> Self {
        Self(account.root().iam())
    }

    /// The inline policies of a role or user, by name.
    pub async fn inline(&self, entity: &str) -> Result<BTreeMap<String, Value>> {
        let names = match Entity::of(entity)? {
            Entity::Role(role) => self.0.list_role_policies().role_name(role).send().await?.policy_names,
            Entity::User(user) => self.0.list_user_policies().user_name(user).send().await?.policy_names,
        };
        let mut policies = BTreeMap::new();
        for name in names {
            let text = match Entity::of(entity)? {
                Entity::Role(role) => {
                    self.0.get_role_policy().role_name(role).policy_name(&name).send().await?.policy_document
                }
                Entity::User(user) => {
                    self.0.get_user_policy().user_name(user).policy_name(&name).send().await?.policy_document
                }
            };
            policies.insert(name, decoded(&text)?);
        }
        Ok(policies)
    }

    /// Writes an inline policy.
    pub async fn put_inline(&self, entity: &str, name: &str, document: &Value) -> Result<()> {
        let text = document.to_string();
        match Entity::of(entity)? {
            Entity::Role(role) => {
                self.0.put_role_policy().role_name(role).policy_name(name).policy_document(text).send().await?;
            }
            Entity::User(user) => {
                self.0.put_user_policy().user_name(user).policy_name(name).policy_document(text).send().await?;
            }
        }
        Ok(())
    }

    /// Deletes an inline policy.
    pub async fn delete_inline(&self, entity: &str, name: &str) -> Result<()> {
        match Entity::of(entity)? {
            Entity::Role(role) => {
                self.0.delete_role_policy().role_name(role).policy_name(name).send().await?;
            }
            Entity::User(user) => {
                self.0.delete_user_policy().user_name(user).policy_name(name).send().await?;
            }
        }
        Ok(())
    }

    /// Deletes a role or user with its inline policies and access keys.
    pub async fn delete_entity(&self, entity: &str) -> Result<()> {
        for name in self.inline(entity).await?.keys() {
            self.delete_inline(entity, name).await?;
        }
        match Entity::of(entity)? {
            Entity::Role(role) => {
                self.0.delete_role().role_name(role).send().await?;
            }
            Entity::User(user) => {
                let keys = self.0.list_access_keys().user_name(user).send().await?.access_key_metadata;
                for key in keys.into_iter().filter_map(|key| key.access_key_id) {
                    self.0.delete_access_key().user_name(user).access_key_id(key).send().await?;
                }
                self.0.delete_user().user_name(user).send().await?;
            }
        }
        Ok(())
    }

    /// The managed policies that are attached to a role or user.
    pub async fn attached(&self, entity: &str) -> Result<BTreeSet<String>> {
        let attached = match Entity::of(entity)? {
            Entity::Role(role) => self.0.list_attached_role_policies().role_name(role).send().await?.attached_policies,
            Entity::User(user) => self.0.list_attached_user_policies().user_name(user).send().await?.attached_policies,
        };
        Ok(attached.into_iter().flatten().filter_map(|policy| policy.policy_arn).collect())
    }

    /// Attaches a managed policy.
    pub async fn attach(&self, entity: &str, policy: &str) -> Result<()> {
        match Entity::of(entity)? {
            Entity::Role(role) => {
                self.0.attach_role_policy().role_name(role).policy_arn(policy).send().await?;
            }
            Entity::User(user) => {
                self.0.attach_user_policy().user_name(user).policy_arn(policy).send().await?;
            }
        }
        Ok(())
    }

    /// Detaches a managed policy.
    pub async fn detach(&self, entity: &str, policy: &str) -> Result<()> {
        match Entity::of(entity)? {
            Entity::Role(role) => {
                self.0.detach_role_policy().role_name(role).policy_arn(policy).send().await?;
            }
            Entity::User(user) => {
                self.0.detach_user_policy().user_name(user).policy_arn(policy).send().await?;
            }
        }
        Ok(())
    }

    /// A managed policy, if there is one.
    pub async fn versions(&self, policy: &str) -> Result<Option<Versions>> {
        let listed = match self.0.list_policy_versions().policy_arn(policy).send().await {
            Err(error) if error.code() == Some("NoSuchEntity") => return Ok(None),
            listed => listed?.versions.unwrap_or_default(),
        };
        let mut versions = Versions { default: String::new(), documents: BTreeMap::new() };
        for version in listed {
            let id = version.version_id.context("a version without an id")?;
            let answer = self.0.get_policy_version().policy_arn(policy).version_id(&id).send().await?;
            let text =
                answer.policy_version.and_then(|version| version.document).context("a version without a document")?;
            if version.is_default_version {
                versions.default.clone_from(&id);
            }
            versions.documents.insert(id, decoded(&text)?);
        }
        Ok(Some(versions))
    }

    /// Gives a managed policy another document: a new version, in force at once.
    pub async fn put_version(&self, policy: &str, document: &Value) -> Result<()> {
        let request = self.0.create_policy_version().policy_arn(policy).set_as_default(true);
        request.policy_document(document.to_string()).send().await?;
        Ok(())
    }

    /// Puts another version in force.
    pub async fn set_default_version(&self, policy: &str, version: &str) -> Result<()> {
        self.0.set_default_policy_version().policy_arn(policy).version_id(version).send().await?;
        Ok(())
    }

    /// Deletes a version that is not in force.
    pub async fn delete_version(&self, policy: &str, version: &str) -> Result<()> {
        self.0.delete_policy_version().policy_arn(policy).version_id(version).send().await?;
        Ok(())
    }

    /// Deletes a managed policy that is attached to nobody, with its other versions.
    pub async fn delete_policy(&self, policy: &str) -> Result<()> {
        let versions = self.versions(policy).await?.context("there is no such policy")?;
        for version in versions.documents.keys().filter(|version| **version != versions.default) {
            self.delete_version(policy, version).await?;
        }
        self.0.delete_policy().policy_arn(policy).send().await?;
        Ok(())
    }
}

/// IAM returns documents URL-encoded (D§4.2).
pub(crate) fn decoded(text: &str) -> Result<Value> {
    Ok(serde_json::from_str(&percent_decode_str(text).decode_utf8()?)?)
}
