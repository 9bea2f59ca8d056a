//! One change behind the operator's back, and how status names it.

use anyhow::{Context as _, Result};
use serde_json::Value;
use sharedkey_api::{DriftKind, DriftLayer};
use sharedkey_e2e::{Hands, Live};

use super::{scene::Scene, seen::Seen};

/// A change, as somebody makes it.
pub(crate) struct Change {
    pub(crate) name: &'static str,
    pub(crate) make: Make,
    /// What status says of it.
    pub(crate) seen: fn(&Scene) -> Vec<Seen>,
}

/// Of the two principals.
#[derive(Clone, Copy)]
pub(crate) enum Of {
    Role,
    User,
}

/// By which means.
#[derive(Clone, Copy)]
pub(crate) enum Make {
    /// The owner's administrators write the key policy.
    KeyPolicy(fn(&Scene, &mut Value)),
    /// The partner's administrators write an inline policy of ours.
    Inline(Of, fn(&Scene, &mut Value)),
    /// They delete it.
    InlineDeleted(Of),
    /// They detach the managed policy.
    Detached(Of),
    /// They put another document in force as a new version.
    NewVersion(fn(&Scene, &mut Value)),
    /// They do, and delete the version before.
    OnlyVersion(fn(&Scene, &mut Value)),
    /// They detach the managed policy from everybody and delete it.
    PolicyDeleted,
}

impl Change {
    /// Makes it.
    pub(crate) async fn make(&self, scene: &Scene, before: &Live) -> Result<()> {
        let stage = &scene.stage;
        let hands = Hands::of(&stage.partner.account);
        let (name, policy) = (scene.policy_name(), scene.policy_arn());
        match self.make {
            Make::KeyPolicy(_) => stage.owner.account.put_key_policy(&stage.key, &self.key_policy(scene, before)).await,
            Make::Inline(of, edit) => {
                let mut document = before.inline[of.arn(scene)].get(&name).context("no inline policy")?.clone();
                edit(scene, &mut document);
                hands.put_inline(of.arn(scene), &name, &document).await
            }
            Make::InlineDeleted(of) => hands.delete_inline(of.arn(scene), &name).await,
            Make::Detached(of) => hands.detach(of.arn(scene), &policy).await,
            Make::NewVersion(edit) => hands.put_version(&policy, &edited(scene, before, edit)?).await,
            Make::OnlyVersion(edit) => {
                hands.put_version(&policy, &edited(scene, before, edit)?).await?;
                for version in before.managed.iter().flat_map(|managed| managed.documents.keys()) {
                    hands.delete_version(&policy, version).await?;
                }
                Ok(())
            }
            Make::PolicyDeleted => {
                for of in [Of::Role, Of::User] {
                    hands.detach(of.arn(scene), &policy).await?;
                }
                hands.delete_policy(&policy).await
            }
        }
    }

    /// The key policy that it leaves.
    pub(crate) fn key_policy(&self, scene: &Scene, before: &Live) -> Value {
        let mut document = before.key_policy.clone();
        if let Make::KeyPolicy(edit) = self.make {
            edit(scene, &mut document);
        }
        document
    }

    /// Whether it takes several calls, between which the operator might already be healing.
    pub(crate) fn takes_time(&self) -> bool {
        matches!(self.make, Make::OnlyVersion(_) | Make::PolicyDeleted)
    }
}

impl Of {
    pub(crate) fn arn(self, scene: &Scene) -> &str {
        match self {
            Self::Role => &scene.stage.role,
            Self::User => &scene.stage.user,
        }
    }
}

fn edited(scene: &Scene, before: &Live, edit: fn(&Scene, &mut Value)) -> Result<Value> {
    let managed = before.managed.as_ref().and_then(|managed| managed.in_force());
    let mut document = managed.context("no managed policy")?.clone();
    edit(scene, &mut document);
    Ok(document)
}

/// How it is named.
impl Seen {
    /// In the key policy.
    pub(crate) fn in_key_policy(scene: &Scene, kind: DriftKind) -> Self {
        let (sid, key) = (scene.sid(), &scene.stage.key.arn);
        let seen = Self::new(kind, DriftLayer::KeyPolicy, scene.stage.owner.account.id(), &sid);
        seen.saying(&sid).saying(key)
    }

    /// Of the key itself.
    pub(crate) fn of_key(scene: &Scene, kind: DriftKind, subject: &str) -> Self {
        Self::new(kind, DriftLayer::Key, scene.stage.owner.account.id(), subject).saying(subject)
    }

    /// On the consumer's side, in a policy or about a principal.
    pub(crate) fn in_delegation(scene: &Scene, kind: DriftKind, subject: &str) -> Self {
        Self::new(kind, DriftLayer::Delegation, scene.stage.partner.account.id(), subject).saying(subject)
    }

    /// A principal is denied the key by something of ours that was turned around.
    pub(crate) fn blocked(scene: &Scene, principal: &str, by: &str) -> Self {
        let seen = Self::in_delegation(scene, DriftKind::BlockedByDeny, principal).of(&[principal]);
        seen.difference(&["allowed: kms:Decrypt"], &[by, "denies kms:Decrypt"]).following()
    }
}
