//! One change behind the operator's back, and how status names it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use sharedkey_api::{Drift, DriftKind, DriftLayer};
use sharedkey_e2e::{Hands, Live, says};

use super::scene::Scene;

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

/// An entry of status that names a change. Texts are parts of what it says.
pub(crate) struct Seen {
    pub(crate) kind: DriftKind,
    layer: DriftLayer,
    account: String,
    principals: Vec<String>,
    subject: String,
    expected: Vec<String>,
    observed: Vec<String>,
    message: Vec<String>,
    /// Whether it is what comes of a change, and goes with it.
    pub(crate) follows: bool,
}

impl Seen {
    /// In the key policy.
    pub(crate) fn in_key_policy(scene: &Scene, kind: DriftKind) -> Self {
        let (sid, key) = (scene.sid(), scene.stage.key.arn.clone());
        Self {
            message: vec![sid.clone(), key],
            ..Self::new(kind, DriftLayer::KeyPolicy, scene.stage.owner.account.id(), sid)
        }
    }

    /// Of the key itself.
    pub(crate) fn of_key(scene: &Scene, kind: DriftKind, subject: String) -> Self {
        Self {
            message: vec![subject.clone()],
            ..Self::new(kind, DriftLayer::Key, scene.stage.owner.account.id(), subject)
        }
    }

    /// On the consumer's side, in a policy or about a principal.
    pub(crate) fn in_delegation(scene: &Scene, kind: DriftKind, subject: String) -> Self {
        Self {
            message: vec![subject.clone()],
            ..Self::new(kind, DriftLayer::Delegation, scene.stage.partner.account.id(), subject)
        }
    }

    fn new(kind: DriftKind, layer: DriftLayer, account: &str, subject: String) -> Self {
        Self {
            kind,
            layer,
            account: account.to_owned(),
            principals: Vec::new(),
            subject,
            expected: Vec::new(),
            observed: Vec::new(),
            message: Vec::new(),
            follows: false,
        }
    }

    /// A principal is denied the key by something of ours that was turned around.
    pub(crate) fn blocked(scene: &Scene, principal: &str, by: &str) -> Self {
        let seen = Self::in_delegation(scene, DriftKind::BlockedByDeny, principal.to_owned()).of(&[principal]);
        let seen = seen.difference(&["allowed: kms:Decrypt"], &[by, "denies kms:Decrypt"]);
        Self { follows: true, ..seen }
    }

    /// Of these principals.
    pub(crate) fn of(self, principals: &[&str]) -> Self {
        Self { principals: principals.iter().map(ToString::to_string).collect(), ..self }
    }

    /// With this difference.
    pub(crate) fn difference(self, expected: &[&str], observed: &[&str]) -> Self {
        let owned = |parts: &[&str]| parts.iter().map(ToString::to_string).collect();
        Self { expected: owned(expected), observed: owned(observed), ..self }
    }

    /// About another thing than our statement, and the message still names that.
    pub(crate) fn about(self, subject: &str) -> Self {
        Self { subject: subject.to_owned(), ..self }
    }

    /// The message speaks of a principal in place of the key.
    pub(crate) fn about_principal(self, principal: &str) -> Self {
        Self { message: vec![principal.to_owned()], ..self }
    }

    /// And this in its message.
    pub(crate) fn saying(mut self, part: &str) -> Self {
        self.message.push(part.to_owned());
        self
    }

    /// The entry names the change.
    pub(crate) fn names(&self, drift: &Drift) -> Result<()> {
        let found = (drift.layer, drift.kind, drift.account.as_str(), drift.subject.as_str());
        let wanted = (self.layer, self.kind, self.account.as_str(), self.subject.as_str());
        ensure!(found == wanted, "expected {wanted:?}: {drift:?}");
        let principals: BTreeSet<&str> =
            drift.principal.as_deref().into_iter().flat_map(|all| all.split(", ")).collect();
        let wanted: BTreeSet<&str> = self.principals.iter().map(String::as_str).collect();
        ensure!(principals == wanted, "expected principals {wanted:?}: {drift:?}");
        says(drift.expected.as_deref().unwrap_or_default(), &parts(&self.expected)).context("expected")?;
        says(drift.observed.as_deref().unwrap_or_default(), &parts(&self.observed)).context("observed")?;
        says(&drift.message, &parts(&self.message)).context("message")
    }
}

fn parts(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}

/// The entries name the changes, one for one, in any order.
pub(crate) fn named(seen: &[Seen], drift: &[Drift]) -> Result<()> {
    ensure!(seen.len() == drift.len(), "expected {} entries: {drift:#?}", seen.len());
    for entry in drift {
        let errors: Vec<_> = seen.iter().filter(|seen| seen.kind == entry.kind).map(|seen| seen.names(entry)).collect();
        if !errors.iter().any(Result::is_ok) {
            errors.into_iter().collect::<Result<()>>()?;
            anyhow::bail!("nobody changed this: {entry:#?}");
        }
    }
    Ok(())
}
