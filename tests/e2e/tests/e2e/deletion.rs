//! The end of an object: what it shared is taken back, or it is said what stays.

mod combined;

use anyhow::{Context as _, Result, bail};
use kube::api::DeleteParams;
use serde_json::json;
use sharedkey_api::{ABANDON, RELEASE_SECRETS, SharedKeyStatus, conditions::Reason};
use sharedkey_e2e::{Hands, Stage, allowed, condition, denied, has_sid, key_document, says, statement};
use sharedkey_harness::aws::Probe;

/// A key that is shared with a role and a user.
async fn shared(partition: &str) -> Result<(Stage, Probe)> {
    let stage = Stage::new(partition).await?;
    let probe = stage.probe().await?;
    stage.share("orders", stage.spec()).await?;
    stage.ready("orders").await?;
    Ok((stage, probe))
}

/// Asks for the end of an object and does not wait for it.
async fn ask_for_the_end(stage: &Stage) -> Result<()> {
    stage.keys().delete("orders", &DeleteParams::default()).await?;
    Ok(())
}

/// Waits until an object waits for its end because of something, and returns what it says. It may have other reasons before:
/// a session that ends is opened anew.
async fn waiting(stage: &Stage, because: &str) -> Result<String> {
    let told = |status: &SharedKeyStatus| {
        let ready = condition(status, "Ready").filter(|ready| ready.reason == Reason::Deleting.as_ref());
        ready.map(|ready| ready.message.clone()).filter(|message| message.contains(because))
    };
    let key = stage.wait("orders", because, |status| told(status).is_some()).await?;
    key.status.as_ref().and_then(told).context("it was there a moment ago")
}

/// What an object left in AWS, as its one last event tells.
async fn what_remains(stage: &Stage) -> Result<String> {
    let mut events = stage.events("orders").await?;
    events.retain(|event| event.reason.as_deref() == Some("Remains"));
    let [event] = &events[..] else { bail!("one event tells what remains: {events:?}") };
    assert_eq!(event.type_.as_deref(), Some("Warning"));
    event.note.clone().context("the event has a note")
}

async fn policies(stage: &Stage) -> Result<usize> {
    let hands = Hands::of(&stage.partner.account);
    Ok(hands.inline(&stage.role).await?.len() + hands.inline(&stage.user).await?.len())
}

async fn has_statement(stage: &Stage) -> Result<bool> {
    Ok(has_sid(&stage.owner.account.key_policy(&stage.key).await?, &stage.sid("orders", "partner")))
}

#[tokio::test]
async fn both_halves_go_with_the_object_even_when_nobody_can_use_the_key() -> Result<()> {
    for state in ["Enabled", "Disabled", "PendingDeletion"] {
        let (stage, probe) = shared("aws-cn").await?;
        let kms = stage.owner.account.root().in_region(&stage.key.region).kms();
        match state {
            "Disabled" => drop(kms.disable_key().key_id(&stage.key.id).send().await?),
            "PendingDeletion" => drop(kms.schedule_key_deletion().key_id(&stage.key.id).send().await?),
            _ => allowed(&stage.as_role().await?, &probe).await?,
        }
        stage.delete("orders").await?;
        assert_eq!((has_statement(&stage).await?, policies(&stage).await?), (false, 0), "{state}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_to_stay_stays_and_is_named() -> Result<()> {
    for (change, why) in [
        (json!({"deletionPolicy": "Retain"}), "deletionPolicy is Retain"),
        (json!({"mode": "Observe"}), "the mode is Observe"),
        (json!({"suspend": true}), "suspended"),
    ] {
        // Given a shared key whose object may not take anything back
        let (stage, probe) = shared("aws").await?;
        stage.patch("orders", json!({"spec": change})).await?;
        stage.forget_calls().await?;

        // When it is deleted, then it goes, an event names what stays, and that still works
        stage.delete("orders").await?;
        let parts = [
            why,
            &stage.key.arn,
            &stage.sid("orders", "partner"),
            &stage.role,
            &stage.user,
            &stage.policy_name("orders", "partner"),
        ];
        says(&what_remains(&stage).await?, &parts)?;
        stage.nothing_written().await?;
        allowed(&stage.as_role().await?, &probe).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_account_that_may_only_be_observed_keeps_what_was_shared_through_it() -> Result<()> {
    let (stage, probe) = shared("aws").await?;
    stage.patch_account(&stage.partner.name, json!({"mode": "Observe"})).await?;
    stage.says("orders", "Ready", "True", Reason::Observed).await?;
    stage.forget_calls().await?;

    stage.delete("orders").await?;
    says(&what_remains(&stage).await?, &["the mode is Observe", &stage.sid("orders", "partner")])?;
    stage.nothing_written().await?;
    allowed(&stage.as_user().await?, &probe).await
}

#[tokio::test]
async fn a_consumers_account_that_cannot_be_reached_is_waited_for_and_then_left() -> Result<()> {
    // Given a consumer's account that lets nobody in any more
    let (stage, probe) = shared("aws").await?;
    stage.shut(&stage.partner).await?;

    // When the object is deleted, then access ends at once, and what could not be removed is waited for
    ask_for_the_end(&stage).await?;
    let message = waiting(&stage, "AccessDenied").await?;
    says(&message, &["still in AWS", &stage.role, stage.partner.account.id(), "AccessDenied"])?;
    assert!(!message.contains(ABANDON), "there is no need to: {message}");
    denied(&stage.as_role().await?, &probe).await?;

    // And after the deletion timeout it goes, and an event names what is left
    stage.gone("orders").await?;
    let parts = ["could not be reached", &stage.role, &stage.user, &stage.policy_name("orders", "partner")];
    says(&what_remains(&stage).await?, &parts)?;
    assert_eq!((has_statement(&stage).await?, policies(&stage).await?), (false, 2));
    denied(&stage.as_role().await?, &probe).await
}

#[tokio::test]
async fn an_owner_that_cannot_be_reached_keeps_the_object_until_it_is_abandoned() -> Result<()> {
    // Given an owner's account that lets nobody in any more
    let (stage, probe) = shared("aws").await?;
    stage.shut(&stage.owner).await?;

    // When the object is deleted, then the other half goes, and it waits for the owner for ever
    ask_for_the_end(&stage).await?;
    let message = waiting(&stage, "AccessDenied").await?;
    says(&message, &["still in AWS", &stage.sid("orders", "partner"), &stage.key.arn, "AccessDenied", ABANDON])?;
    assert_eq!(policies(&stage).await?, 0);
    denied(&stage.as_role().await?, &probe).await?;

    // And when it is told to let go, it goes, and an event names the statement
    stage.annotate("orders", ABANDON, "true").await?;
    stage.gone("orders").await?;
    says(&what_remains(&stage).await?, &["abandoned", &stage.sid("orders", "partner"), &stage.key.arn])?;
    assert!(has_statement(&stage).await?);
    Ok(())
}

#[tokio::test]
async fn an_owner_that_can_be_reached_again_lets_the_object_go() -> Result<()> {
    let (stage, _) = shared("aws").await?;
    stage.shut(&stage.owner).await?;
    ask_for_the_end(&stage).await?;
    waiting(&stage, "AccessDenied").await?;

    stage.unshut(&stage.owner).await?;
    stage.gone("orders").await?;
    assert_eq!((has_statement(&stage).await?, policies(&stage).await?), (false, 0));
    Ok(())
}

#[tokio::test]
async fn a_foreign_orphan_in_the_way_is_named_while_the_other_half_goes() -> Result<()> {
    // Given a shared key, and a foreign statement whose principal was deleted since
    let (stage, probe) = shared("aws-cn").await?;
    let (owner, partner) = (&stage.owner.account, &stage.partner.account);
    let legacy = partner.create_role("/", "Legacy").await?;
    let mut document = owner.key_policy(&stage.key).await?;
    let orphaned = json!({"Sid": "Old importer", "Effect": "Allow", "Principal": {"AWS": legacy}, "Action": "kms:Decrypt", "Resource": "*"});
    document["Statement"].as_array_mut().context("statements")?.push(orphaned);
    owner.put_key_policy(&stage.key, &document).await?;
    partner.root().iam().delete_role().role_name("Legacy").send().await?;

    // When the object is deleted, then access ends, and it says why the statement stays
    ask_for_the_end(&stage).await?;
    let message = waiting(&stage, "Old importer").await?;
    says(&message, &["Old importer", "AROA", &stage.sid("orders", "partner"), ABANDON])?;
    assert_eq!((has_statement(&stage).await?, policies(&stage).await?), (true, 0));
    denied(&stage.as_role().await?, &probe).await?;

    // And when its owner has put that right, the object goes with the rest
    let mut document = owner.key_policy(&stage.key).await?;
    statement(&mut document, "Old importer")["Principal"] = json!({"AWS": owner.root_arn()});
    owner.put_key_policy(&stage.key, &document).await?;
    stage.gone("orders").await?;
    assert!(!has_statement(&stage).await?);
    Ok(())
}

#[tokio::test]
async fn what_is_gone_already_does_not_keep_the_object() -> Result<()> {
    // Given a shared key whose statement was deleted by hand, as was the role
    let (stage, probe) = shared("aws").await?;
    stage.patch_account(&stage.owner.name, json!({"mode": "Observe"})).await?;
    stage.says("orders", "Ready", "True", Reason::Observed).await?;
    stage.owner.account.put_key_policy(&stage.key, &key_document(&stage.owner.account)).await?;
    let iam = stage.partner.account.root().iam();
    Hands::of(&stage.partner.account).delete_inline(&stage.role, &stage.policy_name("orders", "partner")).await?;
    iam.delete_role().role_name("ExampleRole").send().await?;
    stage.patch_account(&stage.owner.name, json!({"mode": "Enforce"})).await?;

    // When it is deleted, then the rest goes with it
    stage.delete("orders").await?;
    denied(&stage.as_user().await?, &probe).await?;
    assert_eq!(Hands::of(&stage.partner.account).inline(&stage.user).await?.len(), 0);
    Ok(())
}

/// An ExternalSecret that names the key.
async fn secret_under_the_key(stage: &Stage, name: &str) -> Result<()> {
    let spec = json!({
        "accountRef": {"name": stage.owner.name}, "region": stage.key.region, "secretName": format!("orders/{name}"),
        "sharedKeyRef": {"name": "orders"},
    });
    stage.keep_secret(name, spec).await?;
    Ok(())
}

#[tokio::test]
async fn a_key_stays_shared_for_as_long_as_a_secret_names_it() -> Result<()> {
    let (stage, probe) = shared("aws-cn").await?;
    secret_under_the_key(&stage, "first").await?;
    secret_under_the_key(&stage, "second").await?;
    ask_for_the_end(&stage).await?;
    says(&waiting(&stage, "first, second").await?, &["ExternalSecret", &format!("{RELEASE_SECRETS}=true")])?;
    stage.delete_secret("first").await?;
    waiting(&stage, ": second (").await?;
    allowed(&stage.as_role().await?, &probe).await?;
    stage.delete_secret("second").await?;
    stage.gone("orders").await?;
    denied(&stage.as_role().await?, &probe).await
}

#[tokio::test]
async fn a_key_that_a_secret_names_goes_if_it_is_told_to() -> Result<()> {
    let (stage, probe) = shared("aws").await?;
    secret_under_the_key(&stage, "db").await?;
    ask_for_the_end(&stage).await?;
    waiting(&stage, ": db (").await?;
    stage.annotate("orders", RELEASE_SECRETS, "true").await?;
    stage.gone("orders").await?;
    denied(&stage.as_role().await?, &probe).await
}
