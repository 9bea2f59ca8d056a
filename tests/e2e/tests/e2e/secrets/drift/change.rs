//! The out-of-band changes of a secret, and how status names each.

use anyhow::{Context as _, Result};
use aws_sdk_secretsmanager::types::Tag;
use futures::{FutureExt as _, future::BoxFuture};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use sharedkey_api::{DriftKind, DriftLayer};
use sharedkey_e2e::{Hands, statement};

use super::scene::{COPY, READER, Vault};
use crate::drift::seen::Seen;

/// Something that somebody does by hand, in one call.
pub(super) type Act = for<'a> fn(&'a Vault) -> BoxFuture<'a, Result<()>>;

/// A change, as somebody makes it.
pub(super) struct Change {
    pub(super) name: &'static str,
    pub(super) make: Act,
    /// What status says of it.
    pub(super) seen: fn(&Vault) -> Vec<Seen>,
}

/// The id of a version that somebody else makes.
const THEIRS: &str = "00000000-1111-2222-3333-444444444444";

pub(super) const SECRET: &[Change] = &[
    Change {
        name: "somebody else puts a value",
        make: |vault| {
            async move {
                let request = vault.client().put_secret_value().secret_id(&vault.arn).client_request_token(THEIRS);
                request.secret_string("hidden-from-logs: theirs").send().await?;
                Ok(())
            }
            .boxed()
        },
        seen: |vault| their_value(vault),
    },
    Change {
        name: "somebody else makes that version current again",
        make: |vault| {
            async move {
                let current = vault.standing().await?.version;
                vault.make_current(Some(THEIRS), current.as_deref()).await
            }
            .boxed()
        },
        seen: |vault| their_value(vault),
    },
    Change {
        name: "the secret moves to another key",
        make: |vault| rekey(vault, &vault.other.arn).boxed(),
        seen: |vault| vec![key_changed(vault, &vault.other.arn)],
    },
    Change {
        name: "the secret moves to the default key",
        make: |vault| rekey(vault, "alias/aws/secretsmanager").boxed(),
        seen: |vault| vec![key_changed(vault, "aws/secretsmanager")],
    },
    Change {
        name: "the description is changed",
        make: |vault| {
            async move {
                vault.client().update_secret().secret_id(&vault.arn).description("invoices").send().await?;
                Ok(())
            }
            .boxed()
        },
        seen: |vault| {
            let seen = secret(vault, DriftKind::DescriptionChanged, "description");
            vec![seen.difference(&["orders"], &["invoices"]).saying("invoices")]
        },
    },
    Change {
        name: "a tag is changed",
        make: |vault| {
            async move {
                let tag = Tag::builder().key("team").value("invoices").build();
                vault.client().tag_resource().secret_id(&vault.arn).tags(tag).send().await?;
                Ok(())
            }
            .boxed()
        },
        seen: |vault| vec![tags(vault, "team=orders", "team=invoices")],
    },
    Change {
        name: "tags are removed, the owner's mark among them",
        make: |vault| {
            async move {
                let request = vault.client().untag_resource().secret_id(&vault.arn);
                request.tag_keys("stage").tag_keys("sharedkey.dev/name").send().await?;
                Ok(())
            }
            .boxed()
        },
        seen: |vault| vec![tags(vault, "sharedkey.dev/name=db, stage=test", "sharedkey.dev/name=absent, stage=absent")],
    },
    Change {
        name: "the replica is removed",
        make: |vault| {
            async move {
                let request = vault.client().remove_regions_from_replication().secret_id(&vault.arn);
                request.remove_replica_regions(&vault.region).send().await?;
                Ok(())
            }
            .boxed()
        },
        seen: |vault| {
            let seen = secret(vault, DriftKind::ReplicaMissing, &vault.region);
            vec![seen.difference(&["a replica"], &["no replica"]).saying(&vault.region)]
        },
    },
];

pub(super) const ACCESS: &[Change] = &[
    Change {
        name: "our statement is taken out",
        make: |vault| {
            edit(vault, |vault, policy| {
                if let Some(statements) = policy["Statement"].as_array_mut() {
                    statements.retain(|statement| statement["Sid"] != vault.sid().as_str());
                }
            })
            .boxed()
        },
        seen: |vault| {
            let seen = in_policy(vault, DriftKind::ResourcePolicyMissing);
            vec![
                seen.difference(&["allows", "secretsmanager:GetSecretValue"], &["no such statement"])
                    .saying("cannot read the secret"),
            ]
        },
    },
    Change {
        name: "an action is taken out",
        make: |vault| {
            edit(vault, |vault, policy| ours(vault, policy)["Action"] = json!("secretsmanager:DescribeSecret")).boxed()
        },
        seen: |vault| {
            let action = "secretsmanager:GetSecretValue";
            vec![policy_changed(vault).difference(&[action], &[&format!("without {action}")])]
        },
    },
    Change {
        name: "somebody else is let in",
        make: |vault| {
            edit(vault, |vault, policy| {
                ours(vault, policy)["Principal"]["AWS"] = json!([vault.scene.stage.role, vault.scene.stage.user]);
            })
            .boxed()
        },
        seen: |vault| {
            let (role, user) = (&vault.scene.stage.role, &vault.scene.stage.user);
            let seen = policy_changed(vault).of(&[role, user]);
            vec![seen.difference(&[&format!("without {user}")], &[user]).saying(user)]
        },
    },
    Change {
        name: "a condition is added",
        make: |vault| {
            edit(vault, |vault, policy| {
                let nobody = json!({"StringEquals": {"aws:PrincipalOrgID": "o-nobody0000"}});
                ours(vault, policy)["Condition"] = nobody;
            })
            .boxed()
        },
        seen: |vault| {
            let condition = "condition StringEquals aws:PrincipalOrgID: ";
            let (expected, observed) = (format!("{condition}absent"), format!("{condition}[o-nobody0000]"));
            vec![policy_changed(vault).difference(&[&expected], &[&observed])]
        },
    },
    Change {
        name: "the effect is flipped",
        make: |vault| edit(vault, |vault, policy| ours(vault, policy)["Effect"] = json!("Deny")).boxed(),
        seen: |vault| {
            let role = &vault.scene.stage.role;
            let blocked = Seen::new(DriftKind::BlockedByDeny, DriftLayer::Delegation, partner(vault), role);
            let blocked = blocked.of(&[role]).difference(&["secretsmanager:GetSecretValue"], &[&vault.sid()]);
            let changed = policy_changed(vault).difference(&["effect: Allow"], &["effect: Deny"]);
            vec![changed, blocked.saying("is kept from the secret").following()]
        },
    },
    Change {
        name: "the reader's policy is deleted",
        make: |vault| {
            async move {
                let hands = Hands::of(&vault.scene.stage.partner.account);
                hands.delete_inline(&vault.scene.stage.role, &vault.policy_name()).await
            }
            .boxed()
        },
        seen: |vault| {
            let seen = on_reader(vault, DriftKind::PolicyMissing);
            vec![
                seen.difference(&["secretsmanager:GetSecretValue"], &["no such policy"])
                    .saying("cannot read the secret"),
            ]
        },
    },
    Change {
        name: "the reader's policy is opened to every secret",
        make: |vault| {
            async move {
                let (hands, stage) = (Hands::of(&vault.scene.stage.partner.account), &vault.scene.stage);
                let mut document = hands.inline(&stage.role).await?[&vault.policy_name()].clone();
                document["Statement"][0]["Resource"] = json!("*");
                hands.put_inline(&stage.role, &vault.policy_name(), &document).await
            }
            .boxed()
        },
        seen: |vault| {
            let (expected, observed) = (format!("{}, without *", vault.arn), format!("*, without {}", vault.arn));
            vec![on_reader(vault, DriftKind::PolicyChanged).difference(&[&expected], &[&observed]).saying("differs")]
        },
    },
];

pub(super) const TARGET: &[Change] = &[
    Change {
        name: "the target is edited",
        make: |vault| {
            async move {
                let edit = json!({"stringData": {"password": "hidden-from-logs: edited", "more": "added"}});
                let secrets = vault.scene.stage.kubernetes_secrets();
                secrets.patch(COPY, &PatchParams::default(), &Patch::Merge(&edit)).await?;
                Ok(())
            }
            .boxed()
        },
        seen: |vault| {
            let seen = target(vault, DriftKind::TargetChanged);
            vec![seen.difference(&["the value of version"], &["other data or another type"]).saying("does not have")]
        },
    },
    Change {
        name: "the target is deleted",
        make: |vault| {
            async move {
                vault.scene.stage.kubernetes_secrets().delete(COPY, &DeleteParams::default()).await?;
                Ok(())
            }
            .boxed()
        },
        seen: |vault| {
            let seen = target(vault, DriftKind::TargetMissing);
            vec![seen.difference(&["the value of version"], &["no such Secret"]).saying("does not exist")]
        },
    },
];

async fn rekey(vault: &Vault, key: &str) -> Result<()> {
    vault.client().update_secret().secret_id(&vault.arn).kms_key_id(key).send().await?;
    Ok(())
}

async fn edit(vault: &Vault, edit: fn(&Vault, &mut Value)) -> Result<()> {
    let mut policy = vault.policy().await.context("the policy before")?;
    edit(vault, &mut policy);
    vault.put_policy(&policy).await
}

fn ours<'a>(vault: &Vault, policy: &'a mut Value) -> &'a mut Value {
    statement(policy, &vault.sid())
}

fn owner(vault: &Vault) -> &str {
    vault.scene.stage.owner.account.id()
}

fn partner(vault: &Vault) -> &str {
    vault.scene.stage.partner.account.id()
}

pub(super) fn secret(vault: &Vault, kind: DriftKind, subject: &str) -> Seen {
    Seen::new(kind, DriftLayer::Secret, owner(vault), subject).saying(&vault.arn)
}

fn their_value(vault: &Vault) -> Vec<Seen> {
    let seen = secret(vault, DriftKind::ValueChanged, "AWSCURRENT");
    let target = target(vault, DriftKind::TargetChanged).difference(&[THEIRS], &[]).saying(THEIRS);
    vec![
        seen.difference(&["the version that was made from the source"], &[THEIRS]).saying("another value"),
        target.following(),
    ]
}

fn key_changed(vault: &Vault, observed: &str) -> Seen {
    let wanted = &vault.scene.stage.key.arn;
    secret(vault, DriftKind::KeyChanged, "kmsKeyId").difference(&[wanted], &[observed]).saying(wanted).saying(observed)
}

fn tags(vault: &Vault, expected: &str, observed: &str) -> Seen {
    secret(vault, DriftKind::TagsChanged, "tags").difference(&[expected], &[observed]).saying(expected).saying(observed)
}

/// In the resource policy, about the reader.
pub(super) fn in_policy(vault: &Vault, kind: DriftKind) -> Seen {
    secret(vault, kind, &vault.sid()).of(&[&vault.scene.stage.role]).saying(&vault.sid()).saying(READER)
}

fn policy_changed(vault: &Vault) -> Seen {
    in_policy(vault, DriftKind::ResourcePolicyChanged).saying("differs")
}

/// On the reader's side.
fn on_reader(vault: &Vault, kind: DriftKind) -> Seen {
    let (name, role) = (vault.policy_name(), &vault.scene.stage.role);
    Seen::new(kind, DriftLayer::Delegation, partner(vault), &name).of(&[role]).saying(&name).saying(role)
}

fn target(vault: &Vault, kind: DriftKind) -> Seen {
    Seen::new(kind, DriftLayer::Target, owner(vault), COPY).saying(COPY)
}
