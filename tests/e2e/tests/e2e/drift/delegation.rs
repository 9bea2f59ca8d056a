//! The partner's administrators change the policies that let their roles and users use the key.

use anyhow::Result;
use serde_json::{Value, json};
use sharedkey_api::DriftKind;

use super::{
    change::{Change, Make, Of},
    everywhere, healed,
    scene::Scene,
    seen::Seen,
    watched,
};

#[tokio::test]
async fn changes_of_inline_policies_are_healed() -> Result<()> {
    everywhere(&json!({"delegation": "InlinePolicy"}), async |scene| healed(scene, INLINE).await).await
}

#[tokio::test]
async fn changes_of_inline_policies_are_watched() -> Result<()> {
    everywhere(&json!({"delegation": "InlinePolicy"}), async |scene| watched(scene, INLINE).await).await
}

#[tokio::test]
async fn changes_of_managed_policies_are_healed() -> Result<()> {
    everywhere(&json!({"delegation": "ManagedPolicy"}), async |scene| healed(scene, MANAGED).await).await
}

#[tokio::test]
async fn changes_of_managed_policies_are_watched() -> Result<()> {
    everywhere(&json!({"delegation": "ManagedPolicy"}), async |scene| watched(scene, MANAGED).await).await
}

const INLINE: &[Change] = &[
    Change {
        name: "the role's policy is deleted",
        make: Make::InlineDeleted(Of::Role),
        seen: |scene| vec![inline_gone(scene, Of::Role)],
    },
    Change {
        name: "the user's policy is deleted",
        make: Make::InlineDeleted(Of::User),
        seen: |scene| vec![inline_gone(scene, Of::User)],
    },
    Change {
        name: "actions of the role's policy are taken out",
        make: Make::Inline(Of::Role, only_reading),
        seen: |scene| {
            let seen = inline_changed(scene, Of::Role);
            vec![seen.difference(&["actions: [", "kms:Encrypt", "kms:GenerateDataKey*"], &["actions: without ["])]
        },
    },
    Change {
        name: "the user's policy is opened to every key",
        make: Make::Inline(Of::User, |_, document| document["Statement"][0]["Resource"] = json!("*")),
        seen: |scene| {
            let expected = format!("resources: {}, without *", scene.stage.key.arn);
            let observed = format!("resources: *, without {}", scene.stage.key.arn);
            vec![inline_changed(scene, Of::User).difference(&[&expected], &[&observed])]
        },
    },
    Change {
        name: "the role's policy denies",
        make: Make::Inline(Of::Role, |_, document| document["Statement"][0]["Effect"] = json!("Deny")),
        seen: |scene| {
            let seen = inline_changed(scene, Of::Role).difference(&["effect: Allow"], &["effect: Deny"]);
            vec![seen, Seen::blocked(scene, Of::Role.arn(scene), &scene.policy_name())]
        },
    },
];

const MANAGED: &[Change] = &[
    Change {
        name: "the policy is detached from the role",
        make: Make::Detached(Of::Role),
        seen: |scene| vec![detached(scene, Of::Role)],
    },
    Change {
        name: "the policy is detached from the user",
        make: Make::Detached(Of::User),
        seen: |scene| vec![detached(scene, Of::User)],
    },
    Change {
        name: "another version is the default",
        make: Make::NewVersion(only_reading),
        seen: |scene| {
            let seen = managed(scene, DriftKind::DefaultVersionChanged).difference(&["v1"], &["v2"]);
            vec![seen.saying("the default version").saying("was switched from v1 to v2").saying("kms:Encrypt")]
        },
    },
    Change {
        name: "the only version is another one",
        make: Make::OnlyVersion(only_reading),
        seen: |scene| {
            let seen = managed(scene, DriftKind::PolicyChanged);
            vec![seen.difference(&["actions: [", "kms:Encrypt"], &["actions: without ["]).saying("differs")]
        },
    },
    Change {
        name: "the policy is deleted",
        make: Make::PolicyDeleted,
        seen: |scene| {
            let seen = managed(scene, DriftKind::PolicyMissing);
            vec![seen.difference(&["kms:Decrypt"], &["no such policy"]).saying("cannot use the key")]
        },
    },
];

fn only_reading(_: &Scene, document: &mut Value) {
    document["Statement"][0]["Action"] = json!(["kms:Decrypt", "kms:DescribeKey"]);
}

fn inline(scene: &Scene, kind: DriftKind, of: Of) -> Seen {
    Seen::in_delegation(scene, kind, &scene.policy_name()).of(&[of.arn(scene)]).saying(of.arn(scene))
}

fn inline_gone(scene: &Scene, of: Of) -> Seen {
    let seen = inline(scene, DriftKind::PolicyMissing, of).difference(&["kms:Decrypt"], &["no such policy"]);
    seen.saying("cannot use the key")
}

fn inline_changed(scene: &Scene, of: Of) -> Seen {
    inline(scene, DriftKind::PolicyChanged, of).saying("differs")
}

fn managed(scene: &Scene, kind: DriftKind) -> Seen {
    Seen::in_delegation(scene, kind, &scene.policy_arn()).of(&[Of::Role.arn(scene), Of::User.arn(scene)])
}

fn detached(scene: &Scene, of: Of) -> Seen {
    let seen = Seen::in_delegation(scene, DriftKind::PolicyDetached, &scene.policy_arn()).of(&[of.arn(scene)]);
    seen.difference(&["attached"], &["not attached"]).saying(of.arn(scene)).saying("cannot use the key")
}
