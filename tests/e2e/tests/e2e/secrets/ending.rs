//! The end of an ExternalSecret: its readers lose the secret, or it is said what stays.

use anyhow::{Context as _, Result, bail, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, api::DeleteParams};
use serde_json::{Value, json};
use sharedkey_api::{ABANDON, AwsAccount, ExternalSecretStatus, conditions::Reason};
use sharedkey_e2e::{DEADLINE, Hands, IN_ACCOUNTS, Stage, has, says};
use sharedkey_harness::{
    aws::{Fault, Identity},
    wait_for,
};

use super::{OWNERS, Scene, allowed, arn, denied};

/// A secret of the owner that both accounts read.
async fn read(fields: Value) -> Result<(Scene, [Identity; 2], String)> {
    let scene = Scene::new("aws").await?;
    let mut spec = scene.owners(scene.readers());
    sharedkey_e2e::merge(&mut spec, fields);
    scene.stage.keep_secret("db", spec).await?;
    let secret = arn(&scene.stage.secret_ready("db").await?)?;
    let who = scene.both().await?;
    allowed(&who, &secret).await?;
    Ok((scene, who, secret))
}

/// The object's policies on the partner's role.
async fn policies(stage: &Stage) -> Result<usize> {
    let policies = Hands::of(&stage.partner.account).inline(&stage.role).await?;
    Ok(policies.keys().filter(|name| name.contains("@secret=db@")).count())
}

async fn waiting(stage: &Stage, because: &str) -> Result<String> {
    let told = |status: &ExternalSecretStatus| {
        let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready")?;
        let is_ending = ready.reason == Reason::Deleting.as_ref() && ready.message.contains(because);
        is_ending.then(|| ready.message.clone())
    };
    let secret = stage.wait_secret("db", because, |status| told(status).is_some()).await?;
    secret.status.as_ref().and_then(told).context("it was there a moment ago")
}

/// What an object left in AWS, as its one last event tells.
async fn what_remains(stage: &Stage) -> Result<String> {
    let mut events = stage.events("db").await?;
    events.retain(|event| event.reason.as_deref() == Some("Remains"));
    let [event] = &events[..] else { bail!("one event tells what remains: {events:?}") };
    event.note.clone().context("the event has a note")
}

#[tokio::test]
async fn what_may_not_be_taken_back_stays_and_is_named() -> Result<()> {
    for (change, why) in [(json!({"mode": "Observe"}), "the mode is Observe"), (json!({"suspend": true}), "suspended")]
    {
        // Given a secret whose object may not write any more, although it is to delete the secret
        let (scene, who, secret) = read(json!({"deletionPolicy": "Delete", "recoveryWindowDays": 7})).await?;
        scene.stage.patch_secret("db", json!({"spec": change})).await?;
        scene.stage.forget_calls().await?;

        // When it is deleted, then it goes, an event names what stays, and that still works
        scene.stage.delete_secret("db").await?;
        says(&what_remains(&scene.stage).await?, &[why, "quickstart/MyCustomTypeSecret", &scene.stage.role])?;
        scene.stage.nothing_written().await?;
        allowed(&who, &secret).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_account_that_may_only_be_observed_keeps_what_was_given_through_it() -> Result<()> {
    let (scene, who, secret) = read(json!({})).await?;
    scene.stage.patch_account(&scene.stage.partner.name, json!({"mode": "Observe"})).await?;
    scene.stage.look_at_secret("db").await?;
    scene.stage.forget_calls().await?;
    scene.stage.delete_secret("db").await?;
    says(&what_remains(&scene.stage).await?, &["the mode is Observe", &scene.stage.role])?;
    scene.stage.nothing_written().await?;
    allowed(&who, &secret).await
}

#[tokio::test]
async fn a_readers_account_that_cannot_be_reached_is_waited_for_and_then_left() -> Result<()> {
    // Given a reader's account that lets nobody in any more
    let (scene, _, secret) = read(json!({})).await?;
    scene.stage.shut(&scene.stage.partner).await?;
    // Sessions of others have ended with it.
    let who = scene.both().await?;

    // When the object is deleted, then nobody reads the secret any longer, and what could not be removed is waited for
    scene.stage.secrets().delete("db", &DeleteParams::default()).await?;
    let message = waiting(&scene.stage, "AccessDenied").await?;
    says(&message, &["still in AWS", &scene.stage.role, scene.stage.partner.account.id()])?;
    ensure!(!message.contains(ABANDON), "there is no need to: {message}");
    denied(&who, &secret).await?;

    // And after the deletion timeout it goes, and an event names what is left
    scene.stage.secret_gone("db").await?;
    says(&what_remains(&scene.stage).await?, &["could not be reached", &scene.stage.role])?;
    ensure!(policies(&scene.stage).await? == 1, "the policy was removed");
    denied(&who, &secret).await
}

#[tokio::test]
async fn the_secrets_account_that_cannot_be_reached_keeps_the_object_until_it_is_abandoned() -> Result<()> {
    // Given an account of the secret that lets nobody in any more
    let (scene, who, secret) = read(json!({})).await?;
    scene.stage.shut(&scene.stage.owner).await?;

    // When the object is deleted, then the reader's half goes, and it waits for the secret's account for ever
    scene.stage.secrets().delete("db", &DeleteParams::default()).await?;
    let message = waiting(&scene.stage, "AccessDenied").await?;
    says(&message, &["still in AWS", scene.stage.owner.account.id(), ABANDON])?;
    ensure!(policies(&scene.stage).await? == 0, "the policy was left");
    denied(&who[..1], &secret).await?;

    // And when it is told to let go, it goes, and an event names the secret
    scene.stage.annotate_secret("db", ABANDON, "true").await?;
    scene.stage.secret_gone("db").await?;
    says(&what_remains(&scene.stage).await?, &["abandoned", "quickstart/MyCustomTypeSecret"])
}

#[tokio::test]
async fn a_statement_that_could_not_be_removed_is_not_forgotten_with_the_secret() -> Result<()> {
    for policy in ["Retain", "Delete"] {
        // Given AWS that refuses once to take the readers out of the policy, and nothing else
        let (scene, who, secret) = read(json!({"deletionPolicy": policy})).await?;
        let refused = Fault::error("AccessDeniedException", "not now").operation("DeleteResourcePolicy").times(1);
        scene.stage.home.world.aws.inject(&refused.account(&scene.stage.owner.account)).await?;

        // When the object is deleted, then it goes, and not before nobody reads the secret, also when it is brought back
        scene.stage.delete_secret("db").await?;
        if policy == "Delete" {
            let client = scene.stage.secrets_manager(&scene.stage.owner.account);
            client.restore_secret().secret_id(&secret).send().await?;
        }
        denied(&who, &secret).await?;
        ensure!(policies(&scene.stage).await? == 0, "the policy was left");
        scene.stage.forgotten("db").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_secret_that_was_made_anew_without_an_answer_does_not_outlive_its_object() -> Result<()> {
    for fields in [json!({}), json!({"deletionPolicy": "Delete", "recoveryWindowDays": 7})] {
        // Given a secret that somebody deletes, and AWS that makes it anew and never says so
        let (scene, _, secret) = read(fields.clone()).await?;
        let (stage, owner) = (&scene.stage, &scene.stage.owner.account);
        let creates = |fault: Fault| fault.operation("CreateSecret").account(owner).principal(IN_ACCOUNTS);
        let performed = Fault::hang(DEADLINE).after_call().then_reset();
        let performed = stage.home.world.aws.inject(&creates(performed).times(1)).await?;
        stage.home.world.aws.inject(&creates(Fault::reset())).await?;
        let client = stage.secrets_manager(owner);
        client.delete_secret().secret_id(&secret).force_delete_without_recovery(true).send().await?;
        wait_for("the making", DEADLINE, async || {
            ensure!(stage.home.world.aws.fault_hits(performed).await? > 0, "nobody makes it anew");
            Ok(())
        })
        .await?;

        // When the object is deleted before it is looked at again, then the new one goes too, or is nobody's
        stage.leave_secret("db").await?;
        stage.home.world.aws.remove_fault(performed).await?;
        stage.secret_gone("db").await?;
        let left = client.describe_secret().secret_id(OWNERS).send().await?;
        ensure!(left.arn().is_some_and(|arn| arn != secret), "it was made anew: {left:?}");
        ensure!(left.deleted_date.is_some() == fields.get("deletionPolicy").is_some(), "{left:?}");
        ensure!(left.deleted_date.is_some() || left.tags().is_empty(), "{left:?}");
    }
    Ok(())
}

#[tokio::test]
async fn accounts_that_are_deleted_first_wait_for_the_secret_and_open_nothing_new() -> Result<()> {
    // Given accounts that are to go, and are in use
    let (scene, who, secret) = read(json!({})).await?;
    let stage = &scene.stage;
    let accounts: Api<AwsAccount> = Api::all(stage.client.clone());
    for side in [&stage.owner, &stage.partner] {
        accounts.delete(&side.name, &DeleteParams::default()).await?;
    }

    // When one more of their users is to read, then it is refused, and the others keep what they have
    let mut more = scene.readers();
    more["readers"][0]["principals"] = json!([{"role": "ExampleRole"}, {"user": "team/ExampleUser"}]);
    stage.patch_secret("db", json!({"spec": more})).await?;
    let message = stage.secret_stalled("db", Reason::NotAllowed.as_ref()).await?;
    says(&message, &["is being deleted", "user/team/ExampleUser"])?;
    allowed(&who, &secret).await?;
    denied(&[stage.as_user().await?], &secret).await?;

    // And when the objects end, everything goes through the accounts, and then they go
    stage.delete_secret("db").await?;
    denied(&who, &secret).await?;
    ensure!(policies(stage).await? == 0, "a policy was left");
    stage.delete("orders").await?;
    for side in [&stage.owner, &stage.partner] {
        wait_for("the end of an AwsAccount", DEADLINE, async || {
            let left = accounts.get_opt(&side.name).await?;
            ensure!(left.is_none(), "it is still there: {left:?}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_namespace_ends_with_its_secrets_and_with_the_key_that_they_use() -> Result<()> {
    // Given a secret with a target, under a key that is shared in the same namespace
    let (scene, who, secret) = read(json!({"target": {"name": "copy", "key": "all"}})).await?;
    let stage = &scene.stage;

    // When the namespace is deleted, and the operator's grant with it, then it ends, and nobody reads the secret
    let namespaces: Api<Namespace> = Api::all(stage.client.clone());
    namespaces.delete(&stage.namespace, &DeleteParams::default()).await?;
    wait_for("the end of the namespace", DEADLINE, async || {
        let left = namespaces.get_opt(&stage.namespace).await?;
        ensure!(left.is_none(), "it is still there: {:?}", left.and_then(|namespace| namespace.status));
        Ok(())
    })
    .await?;
    denied(&who, &secret).await?;
    ensure!(policies(stage).await? == 0, "a policy was left");
    stage.forgotten("db").await?;
    stage.forgotten("orders").await
}

#[tokio::test]
async fn a_suspended_secret_is_left_alone_until_it_is_not() -> Result<()> {
    // Given a suspended object, and a policy that somebody deletes meanwhile
    let (scene, who, secret) = read(json!({})).await?;
    let stage = &scene.stage;
    stage.patch_secret("db", json!({"spec": {"suspend": true}})).await?;
    let hands = Hands::of(&stage.partner.account);
    let policies = hands.inline(&stage.role).await?;
    let name = policies.keys().find(|name| name.contains("@secret=db@")).context("there is a policy")?;
    stage.forget_calls().await?;
    hands.delete_inline(&stage.role, name).await?;
    stage.put_kubernetes_secret("source", &[("password", b"hidden-from-logs: another")]).await?;
    // Another object is looked at meanwhile: the operator is at work.
    stage.look("orders").await?;
    stage.nothing_written().await?;
    denied(&who[..1], &secret).await?;

    // When it is not suspended any more, then both are made up for
    stage.put_kubernetes_secret("source", &[("password", super::VALUE)]).await?;
    stage.patch_secret("db", json!({"spec": {"suspend": false}})).await?;
    let status = stage.secret_ready("db").await?.status.context("it has a status")?;
    ensure!(has(&status, "AccessVerified", "True"), "{status:#?}");
    allowed(&who, &secret).await
}
