//! Roles, users and groups alike hold inline policies and have managed ones attached.

use std::fmt;

use sharedkey_engine::problem::Reading;
use sharedkey_policy::{EntityArn, EntityKind, PolicyArn};

use super::{Iam, read, write};
use crate::{
    class,
    meter::Api,
    pages::{self, Page},
};

const LIST_ROLE_POLICIES: Api = read("ListRolePolicies");
const LIST_USER_POLICIES: Api = read("ListUserPolicies");
const LIST_GROUP_POLICIES: Api = read("ListGroupPolicies");
const GET_ROLE_POLICY: Api = read("GetRolePolicy");
const GET_USER_POLICY: Api = read("GetUserPolicy");
const GET_GROUP_POLICY: Api = read("GetGroupPolicy");
const LIST_ATTACHED_ROLE_POLICIES: Api = read("ListAttachedRolePolicies");
const LIST_ATTACHED_USER_POLICIES: Api = read("ListAttachedUserPolicies");
const LIST_ATTACHED_GROUP_POLICIES: Api = read("ListAttachedGroupPolicies");
const DETACH_ROLE_POLICY: Api = write("DetachRolePolicy");
const DETACH_USER_POLICY: Api = write("DetachUserPolicy");
const DETACH_GROUP_POLICY: Api = write("DetachGroupPolicy");

/// Which kind of thing holds policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HolderKind {
    Role,
    User,
    Group,
}

/// A role, user or group, by its name, which is unique in its account whatever its path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Holder {
    pub(crate) kind: HolderKind,
    pub(crate) name: String,
}

impl Holder {
    pub(crate) fn group(name: String) -> Self {
        Self { kind: HolderKind::Group, name }
    }
}

impl From<&EntityArn> for Holder {
    fn from(entity: &EntityArn) -> Self {
        let kind = match entity.kind() {
            EntityKind::Role => HolderKind::Role,
            EntityKind::User => HolderKind::User,
        };
        Self { kind, name: entity.name().to_owned() }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            HolderKind::Role => "role",
            HolderKind::User => "user",
            HolderKind::Group => "group",
        };
        write!(f, "{kind}/{}", self.name)
    }
}

impl Iam<'_> {
    /// Names of all inline policies.
    pub(crate) async fn inline_names(&self, holder: &Holder) -> Reading<Vec<String>> {
        pages::all(|marker| self.inline_page(holder, marker)).await
    }

    async fn inline_page(&self, holder: &Holder, marker: Option<String>) -> Reading<Page<String>> {
        let (resource, name) = (holder.to_string(), &holder.name);
        match holder.kind {
            HolderKind::Role => {
                let request = self.client.list_role_policies().role_name(name).set_marker(marker);
                let answer = self.call(LIST_ROLE_POLICIES, &resource, request.send()).await?;
                Ok(Page::new(answer.policy_names, answer.is_truncated, answer.marker))
            }
            HolderKind::User => {
                let request = self.client.list_user_policies().user_name(name).set_marker(marker);
                let answer = self.call(LIST_USER_POLICIES, &resource, request.send()).await?;
                Ok(Page::new(answer.policy_names, answer.is_truncated, answer.marker))
            }
            HolderKind::Group => {
                let request = self.client.list_group_policies().group_name(name).set_marker(marker);
                let answer = self.call(LIST_GROUP_POLICIES, &resource, request.send()).await?;
                Ok(Page::new(answer.policy_names, answer.is_truncated, answer.marker))
            }
        }
    }

    /// An inline policy's document as IAM encodes it; none if there is no such policy.
    pub(crate) async fn inline(&self, holder: &Holder, policy: &str) -> Reading<Option<String>> {
        let (resource, name) = (format!("{holder} policy {policy}"), &holder.name);
        let document = match holder.kind {
            HolderKind::Role => {
                let request = self.client.get_role_policy().role_name(name).policy_name(policy);
                self.call(GET_ROLE_POLICY, &resource, request.send()).await.map(|answer| answer.policy_document)
            }
            HolderKind::User => {
                let request = self.client.get_user_policy().user_name(name).policy_name(policy);
                self.call(GET_USER_POLICY, &resource, request.send()).await.map(|answer| answer.policy_document)
            }
            HolderKind::Group => {
                let request = self.client.get_group_policy().group_name(name).policy_name(policy);
                self.call(GET_GROUP_POLICY, &resource, request.send()).await.map(|answer| answer.policy_document)
            }
        };
        class::or_absent(document)
    }

    /// ARNs of all attached managed policies.
    pub(crate) async fn attached(&self, holder: &Holder) -> Reading<Vec<String>> {
        let policies = pages::all(|marker| self.attached_page(holder, marker)).await?;
        Ok(policies.into_iter().filter_map(|policy| policy.policy_arn).collect())
    }

    async fn attached_page(
        &self,
        holder: &Holder,
        marker: Option<String>,
    ) -> Reading<Page<aws_sdk_iam::types::AttachedPolicy>> {
        let (resource, name) = (holder.to_string(), &holder.name);
        match holder.kind {
            HolderKind::Role => {
                let request = self.client.list_attached_role_policies().role_name(name).set_marker(marker);
                let answer = self.call(LIST_ATTACHED_ROLE_POLICIES, &resource, request.send()).await?;
                Ok(Page::new(answer.attached_policies.unwrap_or_default(), answer.is_truncated, answer.marker))
            }
            HolderKind::User => {
                let request = self.client.list_attached_user_policies().user_name(name).set_marker(marker);
                let answer = self.call(LIST_ATTACHED_USER_POLICIES, &resource, request.send()).await?;
                Ok(Page::new(answer.attached_policies.unwrap_or_default(), answer.is_truncated, answer.marker))
            }
            HolderKind::Group => {
                let request = self.client.list_attached_group_policies().group_name(name).set_marker(marker);
                let answer = self.call(LIST_ATTACHED_GROUP_POLICIES, &resource, request.send()).await?;
                Ok(Page::new(answer.attached_policies.unwrap_or_default(), answer.is_truncated, answer.marker))
            }
        }
    }

    /// Detaches a managed policy; none if it was not attached.
    pub(crate) async fn detach(&self, holder: &Holder, policy: &PolicyArn) -> Reading<Option<()>> {
        let (resource, name, policy) = (holder.to_string(), &holder.name, policy.to_string());
        let answer = match holder.kind {
            HolderKind::Role => {
                let request = self.client.detach_role_policy().role_name(name).policy_arn(policy);
                self.call(DETACH_ROLE_POLICY, &resource, request.send()).await.map(drop)
            }
            HolderKind::User => {
                let request = self.client.detach_user_policy().user_name(name).policy_arn(policy);
                self.call(DETACH_USER_POLICY, &resource, request.send()).await.map(drop)
            }
            HolderKind::Group => {
                let request = self.client.detach_group_policy().group_name(name).policy_arn(policy);
                self.call(DETACH_GROUP_POLICY, &resource, request.send()).await.map(drop)
            }
        };
        class::or_absent(answer)
    }
}
