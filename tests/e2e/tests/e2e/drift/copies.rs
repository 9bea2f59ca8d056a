//! What our statement says stands in statements that are not ours: such a copy is named and never touched.

use anyhow::{Result, ensure};
use futures::FutureExt as _;
use serde_json::{Value, json};
use sharedkey_api::{DriftKind, SharedKeyStatus};
use sharedkey_e2e::{has_sid, statement};

use super::{
    change::{Change, Make, Of},
    everywhere,
    scene::{NAME, Scene},
    seen::{Seen, kinds},
    trouble::{Trouble, Unready, told},
    watched,
};

const COPY: &str = "Copied by hand";

#[tokio::test]
async fn a_statement_that_was_copied_is_named_and_the_copy_stays() -> Result<()> {
    everywhere(&json!({}), async |scene| told(scene, &[COPIED]).await).await
}

#[tokio::test]
async fn a_statement_that_was_moved_is_named_twice() -> Result<()> {
    everywhere(&json!({}), async |scene| watched(scene, &[MOVED]).await).await
}

#[tokio::test]
async fn a_statement_that_was_moved_is_put_back_and_its_copy_stays_named() -> Result<()> {
    everywhere(&json!({}), async |scene| {
        // When our statement is renamed by hand, then it is written again under its name
        let live = scene.live().await?;
        MOVED.make(scene, &live).await?;
        scene.stage.wait(NAME, "healed, and the copy named", is_corrected).await?;
        let mut policy = scene.stage.owner.account.key_policy(&scene.stage.key).await?;
        ensure!(has_sid(&policy, COPY), "the copy is nobody's but the owner's");
        let (ours, copy) = (statement(&mut policy, &scene.sid()).clone(), statement(&mut policy, COPY).clone());
        ensure!(ours["Resource"] == copy["Resource"], "{policy:#}");
        scene.everybody_is_allowed().await?;

        // And when the copy is removed, nothing differs any more
        scene.remove_statement(COPY).await?;
        scene.stage.wait(NAME, "in sync again", super::good).await?;
        scene.everybody_is_allowed().await
    })
    .await
}

fn is_corrected(status: &SharedKeyStatus) -> bool {
    let items = status.last_correction.iter().flat_map(|correction| &correction.items);
    let healed = items.into_iter().any(|item| item.kind == DriftKind::StatementMissing);
    healed && kinds(&status.drift) == [DriftKind::StatementDuplicated]
}

const COPIED: Trouble = Trouble {
    name: "our statement is copied under another Sid",
    make: |scene| {
        async move {
            let mut policy = scene.stage.owner.account.key_policy(&scene.stage.key).await?;
            let mut copy = statement(&mut policy, &scene.sid()).clone();
            copy["Sid"] = json!(COPY);
            scene.add_statement(copy).await
        }
        .boxed()
    },
    undo: |scene| scene.remove_statement(COPY).boxed(),
    seen: |scene| vec![copied(scene)],
    unready: Unready::Never,
};

const MOVED: Change = Change {
    name: "our statement is moved into a foreign one",
    make: Make::KeyPolicy(|scene, document: &mut Value| statement(document, &scene.sid())["Sid"] = json!(COPY)),
    seen: |scene| {
        let both = [Of::Role.arn(scene), Of::User.arn(scene)];
        let missing = Seen::in_key_policy(scene, DriftKind::StatementMissing).of(&both);
        vec![missing.difference(&["allows", "kms:Decrypt"], &["no such statement"]), copied(scene)]
    },
};

fn copied(scene: &Scene) -> Seen {
    let seen = Seen::in_key_policy(scene, DriftKind::StatementDuplicated).about(COPY);
    let seen = seen.of(&[Of::Role.arn(scene), Of::User.arn(scene)]).saying(COPY);
    seen.difference(&[&scene.sid(), "alone"], &[COPY, "too"])
}
