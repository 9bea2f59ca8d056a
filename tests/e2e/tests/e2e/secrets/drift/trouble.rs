//! What no write of ours mends, in either mode: it is named and left as it is until somebody undoes it.

use anyhow::{Context as _, Result, ensure};
use futures::FutureExt as _;
use sharedkey_api::{DriftKind, DriftLayer, ExternalSecretStatus, conditions::Reason};
use sharedkey_e2e::{has, told};
use sharedkey_harness::aws::KmsClient;

use super::{
    change::{Act, secret},
    everywhere_without_replica, good,
    scene::{NAME, Vault},
};
use crate::{
    drift::{
        LOOKS,
        seen::{Seen, kinds, named, wanted},
        trouble::Unready,
    },
    secrets::OWNERS,
};

/// Such a change.
struct Trouble {
    name: &'static str,
    make: Act,
    undo: Act,
    seen: fn(&Vault) -> Vec<Seen>,
    unready: Unready,
}

#[tokio::test]
async fn a_secret_that_is_scheduled_for_deletion_and_a_key_that_nobody_can_use_are_named() -> Result<()> {
    everywhere_without_replica(async |vault| {
        for observes in [false, true] {
            if observes {
                vault.scene.stage.observe_secret(NAME).await?;
            }
            vault.scene.stage.look_at_secret(NAME).await?;
            vault.scene.stage.forget_calls().await?;
            for trouble in TROUBLES {
                let told = told_once(vault, trouble, observes).await;
                told.with_context(|| format!("{}, observes: {observes}", trouble.name))?;
            }
        }
        Ok(())
    })
    .await
}

async fn told_once(vault: &Vault, trouble: &Trouble, observes: bool) -> Result<()> {
    // When somebody does it, then status names it within one interval
    let stage = &vault.scene.stage;
    let looks = vault.looks().await?;
    (trouble.make)(vault).await?;
    let seen = (trouble.seen)(vault);
    let all = |status: &ExternalSecretStatus| kinds(&status.drift) == wanted(&seen);
    let status = stage.wait_secret(NAME, "drift", all).await?.status.context("a status")?;
    let looks = vault.looks().await? - looks;
    ensure!(looks <= LOOKS, "it took {looks} sweeps");
    named(&seen, &status.drift)?;

    // And says truly whether the reader can read the secret, and whether the object does what it should
    told(&status, "InSync", "DriftFound")?;
    match trouble.unready {
        Unready::Always(reason) => drop(told(&status, "Ready", reason.as_ref())?),
        Unready::InEnforce(reason) if !observes => drop(told(&status, "Ready", reason.as_ref())?),
        _ => ensure!(has(&status, "Ready", "True"), "{status:#?}"),
    }
    vault.verdict_is_true(&status).await?;

    // And nothing is done about it, and the next look says the same, since the same moment
    let again = stage.look_at_secret(NAME).await?;
    ensure!(again.drift == status.drift, "{:#?}, then {:#?}", status.drift, again.drift);
    ensure!(again.drift.iter().all(|drift| drift.first_observed_time.is_some()), "{:#?}", again.drift);
    stage.nothing_written().await?;

    // When it is undone, then it is no longer named
    (trouble.undo)(vault).await?;
    let status = stage.wait_secret(NAME, "in sync again", good).await?.status.context("a status")?;
    vault.verdict_is_true(&status).await?;
    stage.nothing_written().await
}

const TROUBLES: &[Trouble] = &[
    Trouble {
        name: "the secret is scheduled for deletion",
        make: |vault| {
            async move {
                vault.client().delete_secret().secret_id(&vault.arn).recovery_window_in_days(7).send().await?;
                Ok(())
            }
            .boxed()
        },
        undo: |vault| {
            async move {
                vault.client().restore_secret().secret_id(&vault.arn).send().await?;
                Ok(())
            }
            .boxed()
        },
        seen: |vault| {
            let seen = secret(vault, DriftKind::SecretPendingDeletion, OWNERS);
            let seen = seen.difference(&["not deleted"], &["deleted on "]);
            vec![seen.saying("secretsmanager:RestoreSecret").saying("restoreDeleted: true")]
        },
        unready: Unready::InEnforce(Reason::SecretPendingDeletion),
    },
    Trouble {
        name: "the key is disabled",
        make: |vault| {
            async move {
                kms(vault).disable_key().key_id(key(vault)).send().await?;
                Ok(())
            }
            .boxed()
        },
        undo: |vault| enabled(vault).boxed(),
        seen: |vault| vec![state(vault, DriftKind::KeyDisabled, "Disabled").saying("kms:EnableKey")],
        unready: Unready::Always(Reason::KeyDisabled),
    },
    Trouble {
        name: "the key is scheduled for deletion",
        make: |vault| {
            async move {
                kms(vault).schedule_key_deletion().key_id(key(vault)).send().await?;
                Ok(())
            }
            .boxed()
        },
        undo: |vault| {
            async move {
                kms(vault).cancel_key_deletion().key_id(key(vault)).send().await?;
                enabled(vault).await
            }
            .boxed()
        },
        seen: |vault| {
            vec![state(vault, DriftKind::KeyPendingDeletion, "PendingDeletion").saying("kms:CancelKeyDeletion")]
        },
        unready: Unready::Always(Reason::KeyPendingDeletion),
    },
];

fn kms(vault: &Vault) -> KmsClient {
    let stage = &vault.scene.stage;
    stage.owner.account.root().in_region(&stage.key.region).kms()
}

fn key(vault: &Vault) -> &str {
    &vault.scene.stage.key.arn
}

async fn enabled(vault: &Vault) -> Result<()> {
    kms(vault).enable_key().key_id(key(vault)).send().await?;
    Ok(())
}

fn state(vault: &Vault, kind: DriftKind, state: &str) -> Seen {
    let owner = vault.scene.stage.owner.account.id();
    let seen = Seen::new(kind, DriftLayer::Key, owner, key(vault)).saying(key(vault));
    seen.difference(&["Enabled"], &[state]).saying("nobody can use")
}
