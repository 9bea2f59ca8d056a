//! Roles and users that are deleted, and created again by somebody: whoever that is, nobody asked to trust him (D§1.4).

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use sharedkey_api::{DriftKind, SharedKeyStatus, conditions::Reason};
use sharedkey_e2e::{Hands, allowed, denied, is, is_for, spec};
use sharedkey_harness::wait_for;

use super::{
    LOOKS,
    change::Of,
    everywhere, good,
    scene::{NAME, Scene},
    seen::{Seen, kinds, named, wanted},
};

#[tokio::test]
async fn a_role_that_was_created_again_is_left_out_until_the_spec_asks_for_it() -> Result<()> {
    everywhere(&json!({}), async |scene| {
        let old = deleted(scene, Of::Role, false).await?;
        let new = recreated(scene, &old, false).await?;

        // When healing is asked for, then the new one is trusted
        let before = scene.status().await?.last_correction;
        scene.stage.patch(NAME, json!({"spec": {"healRecreatedPrincipals": true}})).await?;
        let healed = |status: &SharedKeyStatus| status.last_correction != before && good(status);
        let key = scene.stage.wait(NAME, "healed", healed).await?;
        let items = key.status.and_then(|status| status.last_correction).map(|correction| correction.items);
        let kinds: Vec<DriftKind> = items.unwrap_or_default().iter().map(|item| item.kind).collect();
        ensure!(kinds.contains(&DriftKind::PrincipalRecreated), "{kinds:?}");
        allowed(&scene.stage.partner.account.as_role(&new).await?, &scene.stage.probe().await?).await
    })
    .await
}

#[tokio::test]
async fn a_role_that_is_removed_from_the_spec_and_added_again_is_trusted_anew() -> Result<()> {
    everywhere(&json!({}), async |scene| {
        let old = deleted(scene, Of::Role, false).await?;
        let new = recreated(scene, &old, false).await?;
        let with = |principals: serde_json::Value| {
            spec(&scene.stage, json!({"arn": scene.stage.key.arn}), json!({"principals": principals}))
        };
        scene.stage.share(NAME, with(json!([{"user": "team/ExampleUser"}]))).await?;
        scene.stage.ready(NAME).await?;
        denied(&scene.stage.partner.account.as_role(&new).await?, &scene.stage.probe().await?).await?;
        scene.stage.share(NAME, with(json!([{"user": "team/ExampleUser"}, {"role": "ExampleRole"}]))).await?;
        scene.stage.ready(NAME).await?;
        allowed(&scene.stage.partner.account.as_role(&new).await?, &scene.stage.probe().await?).await
    })
    .await
}

#[tokio::test]
async fn a_role_that_was_created_again_is_only_told_in_observe() -> Result<()> {
    everywhere(&json!({}), async |scene| {
        scene.stage.observe(NAME).await?;
        let old = deleted(scene, Of::Role, true).await?;
        let new = recreated(scene, &old, true).await?;

        // When healing is asked for, then it is still only told
        scene.stage.patch(NAME, json!({"spec": {"healRecreatedPrincipals": true}})).await?;
        let status = scene.stage.look(NAME).await?.status.context("a status")?;
        ensure!(kinds(&status.drift).contains(&DriftKind::PrincipalRecreated), "{status:#?}");
        scene.stage.nothing_written().await?;
        denied(&scene.stage.partner.account.as_role(&new).await?, &scene.stage.probe().await?).await
    })
    .await
}

#[tokio::test]
async fn a_user_that_was_deleted_is_named_until_the_spec_lets_go_of_it() -> Result<()> {
    for observes in [false, true] {
        everywhere(&json!({}), async |scene| {
            if observes {
                scene.stage.observe(NAME).await?;
            }
            deleted(scene, Of::User, observes).await?;
            let role = json!({"principals": [{"role": "ExampleRole"}]});
            scene.stage.patch(NAME, json!({"spec": {"mode": "Enforce"}})).await?;
            let mut alone = spec(&scene.stage, json!({"arn": scene.stage.key.arn}), role);
            alone["mode"] = json!("Enforce");
            scene.stage.share(NAME, alone).await?;
            scene.stage.ready(NAME).await?;
            let policy = scene.stage.owner.account.key_policy(&scene.stage.key).await?;
            ensure!(!policy.to_string().contains("AIDA"), "the deleted user is still named: {policy:#}");
            allowed(&scene.stage.as_role().await?, &scene.stage.probe().await?).await
        })
        .await?;
    }
    Ok(())
}

/// Deletes a principal: it is named in both layers by what it was, and nothing is written. Returns its unique id.
async fn deleted(scene: &Scene, of: Of, observes: bool) -> Result<String> {
    let stage = &scene.stage;
    let hands = Hands::of(&stage.partner.account);
    let id = unique_id(&scene.status().await?, of.arn(scene))?;
    // The operator may put its policy back while the principal is being deleted.
    let looks = scene.looks().await?;
    wait_for("the end of a principal", sharedkey_e2e::DEADLINE, async || hands.delete_entity(of.arn(scene)).await)
        .await?;

    let arn = of.arn(scene);
    let seen = [
        Seen::in_delegation(scene, DriftKind::EntityMissing, arn)
            .of(&[arn])
            .difference(&["exists"], &["does not exist"])
            .saying("remove it from the spec"),
        Seen::in_key_policy(scene, DriftKind::OrphanedPrincipal)
            .of(&[arn])
            .difference(&[arn], &[&id])
            .about_principal(arn),
    ];
    told(scene, &seen, looks, observes).await?;
    Ok(id)
}

/// Creates the role again: it is somebody else, who is named and left out. Returns its ARN.
async fn recreated(scene: &Scene, old: &str, observes: bool) -> Result<String> {
    let looks = scene.looks().await?;
    let arn = scene.stage.partner.account.create_role("/", "ExampleRole").await?;
    ensure!(arn == scene.stage.role, "it has the same ARN");
    let seen = Seen::in_key_policy(scene, DriftKind::PrincipalRecreated).of(&[&arn]).difference(&[old], &["AROA"]);
    told(scene, &[seen.about_principal(&arn).saying("deleted and created again")], looks, observes).await?;
    denied(&scene.stage.partner.account.as_role(&arn).await?, &scene.stage.probe().await?).await?;
    Ok(arn)
}

/// Status names it within one interval of a moment at which the operator had looked so often, and nothing is written.
async fn told(scene: &Scene, seen: &[Seen], looks: u64, observes: bool) -> Result<()> {
    let stage = &scene.stage;
    let status =
        stage.wait(NAME, "drift", |status| kinds(&status.drift) == wanted(seen)).await?.status.context("a status")?;
    let looks = scene.looks().await? - looks;
    ensure!(looks <= LOOKS, "it took {looks} sweeps");
    named(seen, &status.drift)?;
    ensure!(is_for(&status, "InSync", "False", Reason::DriftFound), "{status:#?}");
    ensure!(is(&status, "Ready", if observes { "True" } else { "False" }), "{status:#?}");
    ensure!(is(&status, "Stalled", "True") != observes, "{status:#?}");
    stage.forget_calls().await?;
    let again = stage.look(NAME).await?.status.context("a status")?;
    ensure!(again.drift == status.drift, "{:#?}, then {:#?}", status.drift, again.drift);
    stage.nothing_written().await
}

fn unique_id(status: &SharedKeyStatus, arn: &str) -> Result<String> {
    let mut principals = status.consumers.iter().flat_map(|consumer| &consumer.principals);
    let principal = principals.find(|principal| principal.arn == arn).context("it is not in status")?;
    principal.unique_id.clone().context("it has no unique id")
}
