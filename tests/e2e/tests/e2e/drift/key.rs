//! The key itself: it cannot be used any more, or its alias means another one.

use anyhow::Result;
use futures::FutureExt as _;
use serde_json::json;
use sharedkey_api::{DriftKind, conditions::Reason};

use super::{
    everywhere, everywhere_by_alias,
    scene::{ALIAS, Scene},
    seen::Seen,
    trouble::{Trouble, Unready, told},
};

#[tokio::test]
async fn a_key_that_nobody_can_use_is_named() -> Result<()> {
    everywhere(&json!({}), async |scene| told(scene, STATES).await).await
}

#[tokio::test]
async fn an_alias_that_means_another_key_is_named_and_not_followed() -> Result<()> {
    everywhere_by_alias(async |scene| told(scene, ALIASES).await).await
}

const STATES: &[Trouble] = &[
    Trouble {
        name: "the key is disabled",
        make: |scene| {
            async move {
                scene.kms().disable_key().key_id(&scene.stage.key.id).send().await?;
                Ok(())
            }
            .boxed()
        },
        undo: |scene| enabled(scene).boxed(),
        seen: |scene| vec![state(scene, DriftKind::KeyDisabled, "Disabled").saying("kms:EnableKey")],
        unready: Unready::Always(Reason::KeyDisabled),
    },
    Trouble {
        name: "the key is scheduled for deletion",
        make: |scene| {
            async move {
                scene.kms().schedule_key_deletion().key_id(&scene.stage.key.id).send().await?;
                Ok(())
            }
            .boxed()
        },
        undo: |scene| {
            async move {
                scene.kms().cancel_key_deletion().key_id(&scene.stage.key.id).send().await?;
                enabled(scene).await
            }
            .boxed()
        },
        seen: |scene| {
            vec![state(scene, DriftKind::KeyPendingDeletion, "PendingDeletion").saying("kms:CancelKeyDeletion")]
        },
        unready: Unready::Always(Reason::KeyPendingDeletion),
    },
];

const ALIASES: &[Trouble] = &[
    Trouble {
        name: "the alias is pointed elsewhere",
        make: |scene| {
            async move {
                let other = scene.stage.owner.account.create_key(None).await?;
                scene.kms().update_alias().alias_name(ALIAS).target_key_id(&other.id).send().await?;
                Ok(())
            }
            .boxed()
        },
        undo: |scene| {
            async move {
                let request = scene.kms().update_alias().alias_name(ALIAS).target_key_id(&scene.stage.key.id);
                request.send().await?;
                Ok(())
            }
            .boxed()
        },
        seen: |scene| vec![moved(scene, ":key/")],
        unready: Unready::Never,
    },
    Trouble {
        name: "the alias is deleted",
        make: |scene| {
            async move {
                scene.kms().delete_alias().alias_name(ALIAS).send().await?;
                Ok(())
            }
            .boxed()
        },
        undo: |scene| {
            async move { scene.stage.owner.account.create_alias(ALIAS, &scene.stage.key).await.map(drop) }.boxed()
        },
        seen: |scene| vec![moved(scene, "no such alias")],
        unready: Unready::Never,
    },
];

async fn enabled(scene: &Scene) -> Result<()> {
    scene.kms().enable_key().key_id(&scene.stage.key.id).send().await?;
    Ok(())
}

fn state(scene: &Scene, kind: DriftKind, state: &str) -> Seen {
    let seen = Seen::of_key(scene, kind, &scene.stage.key.arn);
    seen.difference(&["Enabled"], &[state]).saying("nobody can use")
}

fn moved(scene: &Scene, observed: &str) -> Seen {
    let key = &scene.stage.key.arn;
    let alias = key.replace(&format!("key/{}", scene.stage.key.id), ALIAS);
    Seen::of_key(scene, DriftKind::AliasMoved, &alias)
        .difference(&[key], &[observed])
        .saying("still shares")
        .saying(key)
}
