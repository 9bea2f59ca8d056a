//! Managed policies and their versions (D§4.2).

use std::collections::BTreeMap;

use aws_sdk_iam::types::{PolicyVersion, Tag};
use sharedkey_engine::problem::Reading;
use sharedkey_policy::PolicyArn;

use super::{Holder, HolderKind, Iam, read, write};
use crate::{
    class,
    meter::Api,
    pages::{self, Page},
};

const GET_POLICY: Api = read("GetPolicy");
const GET_POLICY_VERSION: Api = read("GetPolicyVersion");
const LIST_POLICY_VERSIONS: Api = read("ListPolicyVersions");
const LIST_ENTITIES_FOR_POLICY: Api = read("ListEntitiesForPolicy");
const CREATE_POLICY: Api = write("CreatePolicy");
const CREATE_POLICY_VERSION: Api = write("CreatePolicyVersion");
const DELETE_POLICY_VERSION: Api = write("DeletePolicyVersion");
const SET_DEFAULT_POLICY_VERSION: Api = write("SetDefaultPolicyVersion");
const DELETE_POLICY: Api = write("DeletePolicy");

/// A managed policy as `GetPolicy` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// `ANPA…`: another one after deletion and recreation.
    pub(crate) id: String,
    /// The version in force.
    pub(crate) default_version: String,
}

/// A version of a managed policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// `v3`
    pub(crate) id: String,
    pub(crate) is_default: bool,
}

impl Version {
    /// Versions count upwards and are never used twice.
    pub(crate) fn number(&self) -> u64 {
        self.id.trim_start_matches('v').parse().unwrap_or_default()
    }
}

impl Iam<'_> {
    /// A managed policy; none if there is none.
    pub(crate) async fn policy(&self, policy: &PolicyArn) -> Reading<Option<Policy>> {
        let resource = policy.to_string();
        let request = self.client.get_policy().policy_arn(&resource).send();
        let Some(answer) = class::or_absent(self.call(GET_POLICY, &resource, request).await)? else { return Ok(None) };
        let policy = answer
            .policy
            .and_then(|policy| Some(Policy { id: policy.policy_id?, default_version: policy.default_version_id? }));
        policy.map(Some).ok_or_else(|| self.unreadable(GET_POLICY, &resource, "the policy has no default version"))
    }

    /// A version's document as IAM encodes it; none if there is no such version.
    pub(crate) async fn version_document(&self, policy: &PolicyArn, version: &str) -> Reading<Option<String>> {
        let resource = policy.to_string();
        let request = self.client.get_policy_version().policy_arn(&resource).version_id(version).send();
        let answer = class::or_absent(self.call(GET_POLICY_VERSION, &resource, request).await)?;
        Ok(answer.and_then(|answer| answer.policy_version?.document))
    }

    /// All versions; none if there is no such policy.
    pub(crate) async fn versions(&self, policy: &PolicyArn) -> Reading<Option<Vec<Version>>> {
        class::or_absent(pages::all(|marker| self.versions_page(policy, marker)).await)
    }

    async fn versions_page(&self, policy: &PolicyArn, marker: Option<String>) -> Reading<Page<Version>> {
        let resource = policy.to_string();
        let request = self.client.list_policy_versions().policy_arn(&resource).set_marker(marker).send();
        let answer = self.call(LIST_POLICY_VERSIONS, &resource, request).await?;
        let version =
            |version: PolicyVersion| Some(Version { is_default: version.is_default_version, id: version.version_id? });
        let versions = answer.versions.unwrap_or_default().into_iter().filter_map(version).collect();
        Ok(Page::new(versions, answer.is_truncated, answer.marker))
    }

    /// Everything that a policy is attached to; none if there is no such policy.
    pub(crate) async fn holders(&self, policy: &PolicyArn) -> Reading<Option<Vec<Holder>>> {
        class::or_absent(pages::all(|marker| self.holders_page(policy, marker)).await)
    }

    async fn holders_page(&self, policy: &PolicyArn, marker: Option<String>) -> Reading<Page<Holder>> {
        let resource = policy.to_string();
        let request = self.client.list_entities_for_policy().policy_arn(&resource).set_marker(marker).send();
        let answer = self.call(LIST_ENTITIES_FOR_POLICY, &resource, request).await?;
        let roles = answer.policy_roles.into_iter().flatten().filter_map(|role| role.role_name);
        let users = answer.policy_users.into_iter().flatten().filter_map(|user| user.user_name);
        let groups = answer.policy_groups.into_iter().flatten().filter_map(|group| group.group_name);
        let holders = roles
            .map(|name| Holder { kind: HolderKind::Role, name })
            .chain(users.map(|name| Holder { kind: HolderKind::User, name }))
            .chain(groups.map(Holder::group));
        Ok(Page::new(holders.collect(), answer.is_truncated, answer.marker))
    }

    /// Creates a managed policy.
    pub(crate) async fn create_policy(
        &self,
        policy: &PolicyArn,
        document: &str,
        tags: &BTreeMap<String, String>,
        description: &str,
    ) -> Reading<()> {
        let resource = policy.to_string();
        // A tag that has both is always built.
        let tags = tags.iter().filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok()).collect();
        let request = self
            .client
            .create_policy()
            .path(policy.path())
            .policy_name(policy.name())
            .policy_document(document)
            .description(description)
            .set_tags(Some(tags));
        self.call(CREATE_POLICY, &resource, request.send()).await.map(drop)
    }

    /// Adds a version and makes it the default.
    pub(crate) async fn create_version(&self, policy: &PolicyArn, document: &str) -> Reading<()> {
        let resource = policy.to_string();
        let request = self.client.create_policy_version().policy_arn(&resource).policy_document(document);
        self.call(CREATE_POLICY_VERSION, &resource, request.set_as_default(true).send()).await.map(drop)
    }

    /// Makes an existing version the default.
    pub(crate) async fn set_default_version(&self, policy: &PolicyArn, version: &str) -> Reading<()> {
        let resource = policy.to_string();
        let request = self.client.set_default_policy_version().policy_arn(&resource).version_id(version);
        self.call(SET_DEFAULT_POLICY_VERSION, &resource, request.send()).await.map(drop)
    }

    /// Deletes a version that is not the default; none if there was none.
    pub(crate) async fn delete_version(&self, policy: &PolicyArn, version: &str) -> Reading<Option<()>> {
        let resource = policy.to_string();
        let request = self.client.delete_policy_version().policy_arn(&resource).version_id(version);
        class::or_absent(self.call(DELETE_POLICY_VERSION, &resource, request.send()).await.map(drop))
    }

    /// Deletes a policy that is attached to nothing and has one version; none if there was none.
    pub(crate) async fn delete_policy(&self, policy: &PolicyArn) -> Reading<Option<()>> {
        let resource = policy.to_string();
        let request = self.client.delete_policy().policy_arn(&resource).send();
        class::or_absent(self.call(DELETE_POLICY, &resource, request).await.map(drop))
    }
}
