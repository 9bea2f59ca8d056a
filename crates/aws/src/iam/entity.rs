//! Roles and users: who they are, and the policies that are written to them.

use sharedkey_engine::problem::Reading;
use sharedkey_policy::{EntityArn, EntityKind, PolicyArn};

use super::{Iam, read, write};
use crate::{
    class,
    meter::Api,
    pages::{self, Page},
};

const GET_ROLE: Api = read("GetRole");
const GET_USER: Api = read("GetUser");
const LIST_GROUPS_FOR_USER: Api = read("ListGroupsForUser");
const PUT_ROLE_POLICY: Api = write("PutRolePolicy");
const PUT_USER_POLICY: Api = write("PutUserPolicy");
const DELETE_ROLE_POLICY: Api = write("DeleteRolePolicy");
const DELETE_USER_POLICY: Api = write("DeleteUserPolicy");
const ATTACH_ROLE_POLICY: Api = write("AttachRolePolicy");
const ATTACH_USER_POLICY: Api = write("AttachUserPolicy");

/// A role or user as `GetRole` and `GetUser` show it.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// With the path that it really has: the request names none (D§4.3).
    pub(crate) arn: String,
    /// `AROA…` or `AIDA…`
    pub(crate) unique_id: String,
    /// ARN of the permissions boundary.
    pub(crate) boundary: Option<String>,
}

impl Iam<'_> {
    /// The role or user of this name, under whichever path.
    pub(crate) async fn head(&self, entity: &EntityArn) -> Reading<Option<Head>> {
        match entity.kind() {
            EntityKind::Role => self.role(entity).await,
            EntityKind::User => self.user(entity).await,
        }
    }

    async fn role(&self, entity: &EntityArn) -> Reading<Option<Head>> {
        let resource = entity.to_string();
        let request = self.client.get_role().role_name(entity.name()).send();
        let Some(answer) = class::or_absent(self.call(GET_ROLE, &resource, request).await)? else { return Ok(None) };
        let role = answer.role.ok_or_else(|| self.unreadable(GET_ROLE, &resource, "the answer has no role"))?;
        let boundary = role.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn);
        Ok(Some(Head { arn: role.arn, unique_id: role.role_id, boundary }))
    }

    async fn user(&self, entity: &EntityArn) -> Reading<Option<Head>> {
        let resource = entity.to_string();
        let request = self.client.get_user().user_name(entity.name()).send();
        let Some(answer) = class::or_absent(self.call(GET_USER, &resource, request).await)? else { return Ok(None) };
        let user = answer.user.ok_or_else(|| self.unreadable(GET_USER, &resource, "the answer has no user"))?;
        let boundary = user.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn);
        Ok(Some(Head { arn: user.arn, unique_id: user.user_id, boundary }))
    }

    /// Names of the groups that a user is in.
    pub(crate) async fn groups(&self, user: &EntityArn) -> Reading<Vec<String>> {
        pages::all(|marker| self.groups_page(user, marker)).await
    }

    async fn groups_page(&self, user: &EntityArn, marker: Option<String>) -> Reading<Page<String>> {
        let request = self.client.list_groups_for_user().user_name(user.name()).set_marker(marker).send();
        let answer = self.call(LIST_GROUPS_FOR_USER, &user.to_string(), request).await?;
        let names = answer.groups.into_iter().map(|group| group.group_name).collect();
        Ok(Page::new(names, answer.is_truncated, answer.marker))
    }

    /// Creates or replaces an inline policy.
    pub(crate) async fn put_inline(&self, entity: &EntityArn, name: &str, document: &str) -> Reading<()> {
        let (resource, who) = (entity.to_string(), entity.name());
        match entity.kind() {
            EntityKind::Role => {
                let request = self.client.put_role_policy().role_name(who).policy_name(name).policy_document(document);
                self.call(PUT_ROLE_POLICY, &resource, request.send()).await.map(drop)
            }
            EntityKind::User => {
                let request = self.client.put_user_policy().user_name(who).policy_name(name).policy_document(document);
                self.call(PUT_USER_POLICY, &resource, request.send()).await.map(drop)
            }
        }
    }

    /// Deletes an inline policy; none if there was no such policy or entity.
    pub(crate) async fn delete_inline(&self, entity: &EntityArn, name: &str) -> Reading<Option<()>> {
        let (resource, who) = (entity.to_string(), entity.name());
        let answer = match entity.kind() {
            EntityKind::Role => {
                let request = self.client.delete_role_policy().role_name(who).policy_name(name);
                self.call(DELETE_ROLE_POLICY, &resource, request.send()).await.map(drop)
            }
            EntityKind::User => {
                let request = self.client.delete_user_policy().user_name(who).policy_name(name);
                self.call(DELETE_USER_POLICY, &resource, request.send()).await.map(drop)
            }
        };
        class::or_absent(answer)
    }

    /// Attaches a managed policy. AWS takes a second attachment of the same policy for the first one.
    pub(crate) async fn attach(&self, entity: &EntityArn, policy: &PolicyArn) -> Reading<()> {
        let (resource, who, policy) = (entity.to_string(), entity.name(), policy.to_string());
        match entity.kind() {
            EntityKind::Role => {
                let request = self.client.attach_role_policy().role_name(who).policy_arn(policy);
                self.call(ATTACH_ROLE_POLICY, &resource, request.send()).await.map(drop)
            }
            EntityKind::User => {
                let request = self.client.attach_user_policy().user_name(who).policy_arn(policy);
                self.call(ATTACH_USER_POLICY, &resource, request.send()).await.map(drop)
            }
        }
    }
}
