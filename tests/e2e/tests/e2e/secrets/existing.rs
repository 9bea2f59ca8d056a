//! A secret of the name exists already, or is on its way out: what is left alone, and what is taken over.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use aws_sdk_secretsmanager::types::{ReplicaRegionType, Tag};
use serde_json::{Value, json};
use sharedkey_api::DriftKind;
use sharedkey_e2e::{Glance, Hands, ROLE, Side, says, told};
use sharedkey_harness::aws::Fault;

use super::{OWNERS, PARTNERS, Scene, VALUE, allowed, arn, names};

/// The object.
const NAME: &str = "db";
const THEIRS: &str = "hidden-from-logs: theirs";

/// Makes the secret of the name in the owner's account, as its administrators do, and returns its ARN.
async fn made_before(scene: &Scene, tags: &[(&str, &str)]) -> Result<String> {
    let client = scene.stage.secrets_manager(&scene.stage.owner.account);
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect();
    let made = client.create_secret().name(OWNERS).secret_string(THEIRS).description("theirs").set_tags(Some(tags));
    made.send().await?.arn.context("CreateSecret answered without an ARN")
}

/// The tags of a secret.
async fn tags(scene: &Scene, side: &Side, secret: &str) -> Result<BTreeMap<String, String>> {
    let described = scene.stage.secrets_manager(&side.account).describe_secret().secret_id(secret).send().await?;
    let tags = described.tags.into_iter().flatten();
    Ok(tags.filter_map(|tag| Some((tag.key?, tag.value?))).collect())
}

/// A spec that takes the secret over, with a reader.
fn adopting(scene: &Scene) -> Value {
    let mut spec = scene.owners(scene.reader());
    spec["adopt"] = json!("IfExists");
    spec
}

/// The object is refused for a reason, with all of this, and nothing is written nor told of what stands there.
async fn refused(scene: &Scene, spec: Value, reason: &str, parts: &[&str]) -> Result<()> {
    let stage = &scene.stage;
    stage.forget_calls().await?;
    stage.keep_secret(NAME, spec).await?;
    let message = stage.secret_stalled(NAME, reason).await?;
    says(&message, parts)?;
    let status = stage.look_at_secret(NAME).await?;
    ensure!(told(&status, "SecretApplied", reason)? == message, "{status:#?}");
    ensure!(status.secret_arn.is_none() && status.version_id.is_none(), "{status:#?}");
    stage.nothing_written().await
}

#[tokio::test]
async fn a_secret_that_was_made_under_an_alias_of_the_shared_key_is_taken_over_as_it_is() -> Result<()> {
    // Given a secret that the partner's user made under an alias of the owner, which means the shared key
    let scene = Scene::new("aws").await?;
    let stage = &scene.stage;
    let alias = stage.owner.account.create_alias("alias/orders", &stage.key).await?;
    let secret = stage.create_as_user(PARTNERS, VALUE).await?;
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "secretsmanager:UpdateSecret", "Resource": "*"},
    ]});
    stage.partner.account.put_user_policy("ExampleUser", "rename-key", &policy).await?;
    let user = stage.as_user().await?.in_region(&stage.key.region).secrets_manager();
    user.update_secret().secret_id(&secret).kms_key_id(&alias).send().await?;

    // When it is taken over, then its key is the one of the spec, and the name that somebody chose for it stays
    let mut spec = scene.partners(scene.readers());
    spec["adopt"] = json!("IfExists");
    stage.keep_secret(NAME, spec).await?;
    let status = stage.secret_ready(NAME).await?.status.context("a status")?;
    ensure!(status.kms_key_arn.as_ref() == Some(&stage.key.arn) && status.last_correction.is_none(), "{status:#?}");
    let described = stage.secrets_manager(&stage.partner.account).describe_secret().secret_id(&secret).send().await?;
    ensure!(described.kms_key_id.as_ref() == Some(&alias), "{described:#?}");
    allowed(&scene.both().await?, &secret).await
}

#[tokio::test]
async fn a_secret_that_exists_is_taken_over_with_what_others_stated() -> Result<()> {
    // Given a secret that somebody made, with a tag and a statement in its policy
    let scene = Scene::new("aws").await?;
    let secret = made_before(&scene, &[("cost-center", "4711")]).await?;
    let client = scene.stage.secrets_manager(&scene.stage.owner.account);
    let auditors = json!({"Sid": "Auditors", "Effect": "Allow", "Principal": {"AWS": scene.stage.owner.account.root_arn()},
        "Action": "secretsmanager:DescribeSecret", "Resource": "*"});
    let policy = json!({"Version": "2012-10-17", "Statement": [auditors]});
    client.put_resource_policy().secret_id(&secret).resource_policy(policy.to_string()).send().await?;

    // When an object does not say that it may be taken over, then it is refused
    let mut spec = scene.owners(scene.reader());
    spec["description"] = json!("ours");
    spec["tags"] = json!({"team": "orders"});
    refused(&scene, spec.clone(), "SecretExists", &["exists already", "adopt: IfExists", &secret]).await?;
    ensure!(Glance::at(scene.stage.owner.account.root(), &secret).await?.shows(THEIRS.as_bytes()), "it is as it was");

    // When it does, then it becomes what the spec asks, and what others stated stays
    spec["adopt"] = json!("IfExists");
    scene.stage.keep_secret(NAME, spec).await?;
    ensure!(arn(&scene.stage.secret_ready(NAME).await?)? == secret, "it is the same secret");
    allowed(&[scene.stage.as_role().await?], &secret).await?;
    let tags = tags(&scene, &scene.stage.owner, &secret).await?;
    let wanted = [("cost-center", "4711"), ("team", "orders"), ("sharedkey.dev/name", NAME)];
    ensure!(wanted.iter().all(|(key, value)| tags.get(*key).is_some_and(|found| found == value)), "{tags:?}");
    let described = client.describe_secret().secret_id(&secret).send().await?;
    ensure!(described.description() == Some("ours") && described.kms_key_id() == Some(&scene.stage.key.arn));
    let policy = client.get_resource_policy().secret_id(&secret).send().await?.resource_policy.context("a policy")?;
    let policy: Value = serde_json::from_str(&policy)?;
    let statements = policy["Statement"].as_array().context("statements")?;
    ensure!(statements.len() == 2 && statements.contains(&auditors), "{policy}");
    Ok(())
}

#[tokio::test]
async fn a_secret_of_an_aws_service_is_left_alone() -> Result<()> {
    let scene = Scene::new("aws").await?;
    let secret = made_before(&scene, &[]).await?;
    scene.stage.home.world.aws.set_secret_owner(&secret, Some("rds")).await?;
    let parts = ["managed by the AWS service rds", "left alone", &secret];
    refused(&scene, adopting(&scene), "SecretOwnedElsewhere", &parts).await?;
    scene.stage.home.world.aws.set_secret_owner(&secret, None).await?;
    scene.stage.secret_ready(NAME).await.map(drop)
}

#[tokio::test]
async fn a_secret_that_another_manager_looks_after_is_left_alone() -> Result<()> {
    let scene = Scene::new("aws-cn").await?;
    let secret = made_before(&scene, &[("managed-by", "external-secrets")]).await?;
    let parts = ["its tag managed-by is external-secrets", "left alone", &secret];
    refused(&scene, adopting(&scene), "SecretOwnedElsewhere", &parts).await?;
    let client = scene.stage.secrets_manager(&scene.stage.owner.account);
    client.untag_resource().secret_id(&secret).tag_keys("managed-by").send().await?;
    scene.stage.secret_ready(NAME).await.map(drop)
}

#[tokio::test]
async fn a_secret_of_another_operator_is_left_alone() -> Result<()> {
    let scene = Scene::new("aws-cn").await?;
    // It has the same name there: two clusters are fed from one repository.
    let namespace = scene.stage.namespace.clone();
    let marks = [
        ("sharedkey.dev/owner-id", "another-cluster"),
        ("sharedkey.dev/namespace", &namespace),
        ("sharedkey.dev/name", NAME),
        ("sharedkey.dev/kind", "ExternalSecret"),
    ];
    let secret = made_before(&scene, &marks).await?;
    let parts = ["managed by another ExternalSecret", "left alone", &secret];
    refused(&scene, adopting(&scene), "SecretOwnedElsewhere", &parts).await?;
    let found = tags(&scene, &scene.stage.owner, &secret).await?;
    ensure!(found["sharedkey.dev/owner-id"] == "another-cluster", "{found:?}");
    Ok(())
}

#[tokio::test]
async fn a_replica_of_another_secret_is_left_alone() -> Result<()> {
    let scene = Scene::new("aws-cn").await?;
    let (stage, region) = (&scene.stage, scene.stage.other_region());
    let root = stage.owner.account.root().in_region(region);
    let copy = ReplicaRegionType::builder().region(&stage.key.region).build();
    let made = root.secrets_manager().create_secret().name(OWNERS).secret_string(THEIRS).add_replica_regions(copy);
    made.send().await?;
    let parts = ["is a replica", &format!("only the secret in Region {region} changes"), "left alone"];
    refused(&scene, adopting(&scene), "SecretOwnedElsewhere", &parts).await
}

#[tokio::test]
async fn a_secret_that_is_scheduled_for_deletion_is_restored_only_if_asked() -> Result<()> {
    // Given a secret that somebody made and scheduled for deletion
    let scene = Scene::new("aws-cn").await?;
    let (stage, secret) = (&scene.stage, made_before(&scene, &[]).await?);
    let client = stage.secrets_manager(&stage.owner.account);
    client.delete_secret().secret_id(&secret).recovery_window_in_days(7).send().await?;

    // When an object may take it over, then that is said, and not more done
    stage.forget_calls().await?;
    stage.keep_secret(NAME, adopting(&scene)).await?;
    let message = stage.secret_stalled(NAME, "SecretPendingDeletion").await?;
    says(&message, &[&secret, "scheduled for deletion", "secretsmanager:RestoreSecret", "restoreDeleted: true"])?;
    stage.nothing_written().await?;

    // When it is to be restored, then it is, and becomes what the spec asks
    stage.patch_secret(NAME, json!({"spec": {"restoreDeleted": true}})).await?;
    ensure!(arn(&stage.secret_ready(NAME).await?)? == secret, "it is the same secret");
    allowed(&[stage.as_role().await?], &secret).await?;

    // And again, when somebody deletes it behind the operator's back
    client.delete_secret().secret_id(&secret).recovery_window_in_days(7).send().await?;
    stage.secret_healed(NAME, DriftKind::SecretPendingDeletion).await?;
    allowed(&[stage.as_role().await?], &secret).await
}

#[tokio::test]
async fn whoever_writes_has_to_be_a_consumer_of_the_key_and_is_named() -> Result<()> {
    // Given a key that is shared with the partner, but not with the operator's role there
    let scene = Scene::new("aws").await?;
    let stage = &scene.stage;
    let spec = stage.spec_for_secrets(&["Reader"]);
    let mut without = spec.clone();
    without["consumers"].as_array_mut().context("consumers")?.retain(|consumer| consumer["name"] != "writer-partner");
    stage.share("orders", without.clone()).await?;
    stage.ready("orders").await?;

    // When a secret of the partner is to be under it, then the role is named, and nothing is written
    let writer = stage.partner.account.arn(&format!("role/{ROLE}"));
    let source = json!({"source": {"secretRef": {"name": "source", "key": "password"}}});
    let lacks = ["kms:Decrypt, kms:Encrypt, kms:GenerateDataKey", &writer, "\"orders\"", stage.partner.account.id()];
    refused(&scene, scene.partners(source), "WriterNotConsumer", &lacks).await?;

    // When it may do less than a writer has to, then what it lacks is named
    let mut less = spec.clone();
    for consumer in less["consumers"].as_array_mut().into_iter().flatten() {
        if consumer["name"] == "writer-partner" {
            consumer["actions"] = json!(["kms:GenerateDataKey", "kms:Decrypt"]);
        }
    }
    stage.share("orders", less).await?;
    stage.ready("orders").await?;
    let is_named = |status: &_| {
        let message = told(status, "SecretApplied", "WriterNotConsumer");
        message.is_ok_and(|message| message.contains("does not let it use kms:Encrypt on"))
    };
    stage.wait_secret(NAME, "kms:Encrypt is named", is_named).await?;

    // And when it is a consumer, the secret is made without a further word
    stage.share("orders", spec).await?;
    stage.secret_ready(NAME).await.map(drop)
}

#[tokio::test]
async fn an_object_whose_secret_somebody_schedules_for_deletion_can_go() -> Result<()> {
    // Given a secret that a reader of the owner reads, too
    let scene = Scene::new("aws-cn").await?;
    let stage = &scene.stage;
    stage.keep_secret(NAME, scene.owners(scene.readers())).await?;
    let secret = arn(&stage.secret_ready(NAME).await?)?;
    let client = stage.secrets_manager(&stage.owner.account);
    client.delete_secret().secret_id(&secret).recovery_window_in_days(7).send().await?;
    stage.secret_stalled(NAME, "SecretPendingDeletion").await?;

    // When the object is deleted, then it goes, takes what it can, and says what stays
    stage.delete_secret(NAME).await?;
    let events = stage.events(NAME).await?;
    let remains = events.iter().find(|event| event.reason.as_deref() == Some("Remains")).context("Remains")?;
    let sid = names(stage, NAME)?.secret_sid("partner").to_string();
    says(remains.note.as_deref().unwrap_or_default(), &["scheduled for deletion", &sid, OWNERS])?;
    let policies = Hands::of(&stage.partner.account).inline(&stage.role).await?;
    ensure!(!policies.contains_key(&names(stage, NAME)?.policy_name("partner")), "{policies:?}");

    // And when the secret is restored, its readers of other accounts have lost it all the same
    client.restore_secret().secret_id(&secret).send().await?;
    ensure!(Glance::at(&stage.as_role().await?, &secret).await?.is_denied(), "the reader's half is gone");
    Ok(())
}

#[tokio::test]
async fn an_object_whose_secret_is_gone_goes_without_a_word() -> Result<()> {
    let scene = Scene::new("aws").await?;
    let stage = &scene.stage;
    stage.keep_secret(NAME, scene.owners(scene.reader())).await?;
    let secret = arn(&stage.secret_ready(NAME).await?)?;
    // Otherwise it would be made anew.
    let fault =
        Fault::error("AccessDeniedException", "not today").operation("CreateSecret").account(&stage.owner.account);
    let fault = stage.home.world.aws.inject(&fault).await?;
    let client = stage.secrets_manager(&stage.owner.account);
    client.delete_secret().secret_id(&secret).force_delete_without_recovery(true).send().await?;
    stage.secret_drift(NAME, DriftKind::SecretMissing).await?;
    stage.delete_secret(NAME).await?;
    stage.home.world.aws.remove_fault(fault).await?;
    let events = stage.events(NAME).await?;
    ensure!(!events.iter().any(|event| event.reason.as_deref() == Some("Remains")), "{events:#?}");
    let policies = Hands::of(&stage.partner.account).inline(&stage.role).await?;
    ensure!(!policies.contains_key(&names(stage, NAME)?.policy_name("partner")), "{policies:?}");
    Ok(())
}
