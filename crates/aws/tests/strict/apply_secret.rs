//! Writes to a secret itself: each does what it says, does nothing the second time, and is told from drift.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_sdk_secretsmanager::types::Tag;
use serde_json::json;
use sharedkey_engine::{
    plan::Action,
    problem::Class,
    secret::observed::{Lag, SecretKey, SecretState},
};
use sharedkey_harness::aws::Fault;

use crate::{
    vault::{NAME, VALUE, Vault, elsewhere, failed, set, version},
    world::{calls, strict},
};

impl Vault {
    async fn update(&self, description: Option<&str>, key: Option<&sharedkey_policy::KeyArn>) -> bool {
        let description = description.map(str::to_owned);
        self.apply(Action::UpdateSecret { secret: self.arn().await, description, key: key.cloned() }).await
    }

    async fn delete(&self, tags: BTreeMap<String, String>) -> bool {
        let (secret, arn) = (self.desired.secret.clone(), Some(self.arn().await));
        self.apply(Action::DeleteSecret { secret, arn, tags, replicas: BTreeSet::new(), window_days: 7 }).await
    }

    pub(crate) async fn is_scheduled(&self) -> bool {
        self.described().await.deleted_date.is_some()
    }

    pub(crate) async fn inject(&self, fault: Fault) {
        strict().await.inject(&fault.account(&self.owner.account)).await.unwrap();
    }
}

#[tokio::test]
async fn a_secret_is_made_with_its_value_key_and_tags_in_one_call() {
    let vault = Vault::empty().await;
    assert!(vault.make(&version('a'), VALUE).await.unwrap().changed);
    assert_eq!(vault.owner.calls().await, calls([("secretsmanager:CreateSecret", 1)]));
    let described = vault.described().await;
    assert_eq!(
        (described.description(), described.kms_key_id()),
        (Some("of the orders"), Some(vault.key.arn.as_str()))
    );
    assert_eq!((vault.tags().await, vault.value().await), (vault.desired.all_tags(), VALUE.to_owned()));
    assert_eq!(vault.current().await, version('a'));
}

#[tokio::test]
async fn a_secret_whose_making_was_not_answered_is_made_once() {
    let vault = Vault::empty().await;
    vault.inject(Fault::answer_lost().operation("CreateSecret").times(2)).await;
    assert!(vault.make(&version('a'), VALUE).await.unwrap().changed);
    assert_eq!(vault.versions().await.len(), 1);
    // And by another process that does not know of it.
    assert!(vault.make(&version('a'), VALUE).await.is_ok());
    assert_eq!(vault.versions().await.len(), 1);
}

#[tokio::test]
async fn a_name_that_is_taken_is_looked_at_again() {
    let vault = Vault::new().await;
    for action in [vault.create(None), vault.create(Some(&version('b')))] {
        let failure = failed(vault.write(action, Some("another")).await);
        assert_eq!((failure.class, failure.code.as_str()), (Class::Propagating, "ResourceExistsException"));
    }
    assert_eq!(vault.value().await, VALUE);
}

#[tokio::test]
async fn a_step_without_its_value_writes_nothing() {
    let vault = Vault::new().await;
    let put = Action::PutSecretValue { secret: vault.arn().await, token: version('b') };
    for action in [vault.create(Some(&version('b'))), put] {
        let failure = failed(vault.write(action, None).await);
        assert_eq!((failure.class, failure.code.as_str()), (Class::Transient, "NoValue"));
    }
    assert_eq!(vault.owner.calls().await, calls([]));
}

#[tokio::test]
async fn a_value_is_put_once() {
    let vault = Vault::new().await;
    assert!(vault.put(&version('b'), "another").await.unwrap().changed);
    assert!(!vault.put(&version('b'), "another").await.unwrap().changed);
    assert_eq!(vault.owner.calls().await["secretsmanager:PutSecretValue"], 1);
    assert_eq!((vault.value().await, vault.versions().await.len()), ("another".to_owned(), 2));
}

#[tokio::test]
async fn a_value_whose_writing_was_not_answered_is_one_version() {
    let vault = Vault::new().await;
    vault.inject(Fault::answer_lost().operation("PutSecretValue").times(3)).await;
    let failure = failed(vault.put(&version('b'), "another").await);
    assert_eq!(failure.class, Class::Transient);
    assert!(!vault.put(&version('b'), "another").await.unwrap().changed);
    assert_eq!((vault.current().await, vault.versions().await.len()), (version('b'), 2));
}

#[tokio::test]
async fn a_label_that_somebody_moved_back_is_moved_again_without_a_new_version() {
    let vault = Vault::new().await;
    assert!(vault.put(&version('b'), "another").await.unwrap().changed);
    let request = vault.client().update_secret_version_stage().secret_id(NAME).version_stage("AWSCURRENT");
    request.move_to_version_id(version('a')).remove_from_version_id(version('b')).send().await.unwrap();
    assert_eq!(vault.value().await, VALUE);
    assert!(vault.put(&version('b'), "another").await.unwrap().changed);
    assert_eq!((vault.value().await, vault.versions().await.len()), ("another".to_owned(), 2));
}

#[tokio::test]
async fn a_token_that_stands_for_another_value_is_not_taken() {
    let vault = Vault::new().await;
    assert!(vault.put(&version('b'), "another").await.unwrap().changed);
    let failure = failed(vault.put(&version('a'), "a third").await);
    assert_eq!((failure.class, failure.code.as_str()), (Class::UserActionNeeded, "ResourceExistsException"));
    assert!(!failure.to_string().contains("a third"), "{failure}");
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_not_taken_for_throttling() {
    let vault = Vault::new().await;
    vault.inject(Fault::error("LimitExceededException", "too many versions").operation("PutSecretValue")).await;
    let failure = failed(vault.put(&version('b'), "another").await);
    assert_eq!((failure.class, failure.code.as_str()), (Class::UserActionNeeded, "LimitExceededException"));
    assert_eq!(vault.owner.calls().await["secretsmanager:PutSecretValue"], 1);
    assert_eq!(vault.shell.seen.of("secretsmanager:PutSecretValue"), ["limit"]);
}

#[tokio::test]
async fn a_key_that_the_operator_may_not_use_is_said_and_nothing_is_made() {
    let mut vault = Vault::empty().await;
    vault.key = vault.partner.account.create_key(None).await.unwrap();
    let failure = failed(vault.make(&version('a'), VALUE).await);
    assert_eq!((failure.class, failure.code.as_str()), (Class::OperatorUnauthorised, "AccessDeniedException"));
    assert!(matches!(vault.observe().await.secret, Ok(SecretState::Absent { lagging: false })));
}

#[tokio::test]
async fn a_secret_is_made_under_the_key_of_another_account() {
    let mut vault = Vault::empty().await;
    vault.key = vault.partner.account.create_key(None).await.unwrap();
    let mut policy = vault.partner.account.key_policy(&vault.key).await.unwrap();
    policy["Statement"].as_array_mut().unwrap().push(json!({
        "Sid": "Writer", "Effect": "Allow", "Principal": {"AWS": vault.owner.operator_arn}, "Resource": "*",
        "Action": ["kms:GenerateDataKey", "kms:Decrypt", "kms:Encrypt"],
    }));
    vault.partner.account.put_key_policy(&vault.key, &policy).await.unwrap();
    assert!(vault.make(&version('a'), VALUE).await.unwrap().changed);
    assert_eq!(vault.observe().await.described().unwrap().key, SecretKey::Key(vault.key_arn()));
}

#[tokio::test]
async fn a_disabled_key_takes_no_value() {
    let vault = Vault::new().await;
    vault.owner.account.root().kms().disable_key().key_id(&vault.key.id).send().await.unwrap();
    let failure = failed(vault.put(&version('b'), "another").await);
    assert_eq!(failure.class, Class::UserActionNeeded, "{failure}");
    assert_eq!(vault.current().await, version('a'));
}

#[tokio::test]
async fn a_description_is_written_only_if_it_differs() {
    let vault = Vault::new().await;
    assert!(!vault.update(Some("of the orders"), None).await);
    assert!(vault.update(Some("of all orders"), None).await);
    assert_eq!(vault.described().await.description(), Some("of all orders"));
    assert_eq!(vault.owner.calls().await["secretsmanager:UpdateSecret"], 1);
    assert_eq!(vault.versions().await.len(), 1, "no version was made");
}

#[tokio::test]
async fn another_key_takes_the_versions_with_it() {
    let vault = Vault::new().await;
    let other = vault.key_in(&vault.key.region).await;
    assert!(vault.update(None, Some(&other)).await);
    assert_eq!(vault.described().await.kms_key_id(), Some(other.to_string().as_str()));
    let versions = vault.observe_listing(true).await.versions.unwrap().unwrap();
    assert_eq!((versions.len(), &versions[0].keys), (1, &vec![SecretKey::Key(other.clone())]));
    assert!(vault.update(None, Some(&other)).await, "what was left on the old key may move now");
}

#[tokio::test]
async fn a_secret_that_somebody_has_claimed_meanwhile_is_not_claimed_again() {
    let vault = Vault::new().await;
    let secret = vault.arn().await;
    let mut theirs = vault.desired.owner_tags();
    theirs.insert("sharedkey.dev/namespace".to_owned(), "another".to_owned());
    let tag = |claims| Action::TagSecret { secret: secret.clone(), tags: theirs.clone(), claims };
    let before = vault.tags().await;
    let failure = failed(vault.write(tag(true), None).await);
    assert_eq!((failure.class, failure.code.as_str()), (Class::Propagating, "SecretOwnedElsewhere"));
    assert_eq!(vault.tags().await, before);
    // What is known to be ours is tagged as such again, whoever has tagged it since.
    assert!(vault.apply(tag(false)).await);
    assert_eq!(vault.tags().await["sharedkey.dev/namespace"], "another");
}

#[tokio::test]
async fn tags_of_others_stay() {
    let vault = Vault::new().await;
    let foreign = Tag::builder().key("cost").value("12").build();
    vault.client().tag_resource().secret_id(NAME).tags(foreign).send().await.unwrap();
    let tag = |value: &str| {
        let tags = BTreeMap::from([("team".to_owned(), value.to_owned())]);
        async { vault.apply(Action::TagSecret { secret: vault.arn().await, tags, claims: false }).await }
    };
    assert!(!tag("orders").await);
    assert!(tag("billing").await);
    let untag = async |arn, tags| {
        let secret = vault.desired.secret.clone();
        vault.apply(Action::UntagSecret { secret, arn, tags }).await
    };
    let (arn, ours) = (vault.arn().await, vault.desired.owner_tags());
    // Of two objects of one operator only the names differ.
    let mut theirs = ours.clone();
    theirs.insert("sharedkey.dev/namespace".to_owned(), "another".to_owned());
    for arn in [Some(arn.clone()), None] {
        assert!(!untag(arn, theirs.clone()).await, "they say that it is another's by now");
    }
    assert!(untag(Some(arn.clone()), ours.clone()).await);
    assert!(!untag(Some(arn), ours.clone()).await);
    assert!(vault.apply(Action::TagSecret { secret: vault.arn().await, tags: ours.clone(), claims: true }).await);
    assert!(untag(None, ours.clone()).await, "it is known by its tags");
    assert!(!untag(None, ours).await);
    let left = [("cost", "12"), ("team", "billing")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(vault.tags().await, BTreeMap::from(left));
}

#[tokio::test]
async fn a_secret_is_scheduled_for_deletion_and_restored_once() {
    let vault = Vault::new().await;
    let tags = vault.desired.owner_tags();
    assert!(vault.delete(tags.clone()).await);
    assert!(vault.is_scheduled().await);
    assert!(!vault.delete(tags).await);
    let restore = async || vault.apply(Action::RestoreSecret { secret: vault.arn().await }).await;
    assert!(restore().await);
    assert!(!vault.is_scheduled().await);
    assert!(!restore().await);
    let writes = vault.owner.calls().await;
    assert_eq!((writes["secretsmanager:DeleteSecret"], writes["secretsmanager:RestoreSecret"]), (1, 1));
}

#[tokio::test]
async fn a_secret_that_is_somebody_else_s_by_now_stays() {
    let vault = Vault::new().await;
    assert!(!vault.delete([("sharedkey.dev/owner-id".to_owned(), "another".to_owned())].into()).await);
    // Another secret of the name.
    let (before, secret) = (vault.arn().await, vault.desired.secret.clone());
    let client = vault.client();
    client.delete_secret().secret_id(NAME).force_delete_without_recovery(true).send().await.unwrap();
    let tags = vault.desired.owner_tags();
    let sdk_tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    client.create_secret().name(NAME).set_tags(Some(sdk_tags)).send().await.unwrap();
    let (arn, replicas) = (Some(before), BTreeSet::new());
    assert!(!vault.apply(Action::DeleteSecret { secret, arn, tags, replicas, window_days: 7 }).await);
    assert!(!vault.is_scheduled().await);
}

#[tokio::test]
async fn nothing_is_left_to_do_about_a_secret_that_is_gone_and_what_is_wanted_of_it_waits() {
    let vault = Vault::new().await;
    let secret = vault.arn().await;
    let client = vault.client();
    client.delete_secret().secret_id(NAME).force_delete_without_recovery(true).send().await.unwrap();
    let tags = vault.desired.owner_tags();
    let name = vault.desired.secret.clone();
    for done in [
        Action::UntagSecret { secret: name.clone(), arn: Some(secret.clone()), tags: tags.clone() },
        Action::RemoveReplicas {
            secret: secret.clone(),
            regions: set(&[elsewhere()]),
            tags: tags.clone(),
            anew: false,
        },
        Action::DeleteSecret {
            secret: name,
            arn: Some(secret.clone()),
            tags: tags.clone(),
            replicas: set(&[elsewhere()]),
            window_days: 7,
        },
    ] {
        assert!(!vault.apply(done).await);
    }
    for wanted in [
        Action::TagSecret { secret: secret.clone(), tags, claims: false },
        Action::PutSecretValue { secret: secret.clone(), token: version('b') },
        Action::RestoreSecret { secret },
    ] {
        let failure = failed(vault.write(wanted, Some(VALUE)).await);
        assert_eq!((failure.class, failure.code.as_str()), (Class::Propagating, "ResourceNotFoundException"));
    }
}

#[tokio::test]
async fn a_secret_that_was_just_made_is_not_taken_for_missing() {
    let vault = Vault::empty().await;
    strict().await.set_lag(&vault.owner.account, Duration::from_mins(10), false).await.unwrap();
    assert!(vault.make(&version('a'), VALUE).await.unwrap().changed);
    assert!(matches!(vault.observe().await.secret, Ok(SecretState::Absent { lagging: true })));
    let (secret, tags) = (vault.desired.secret.clone(), vault.desired.owner_tags());
    let replicas = BTreeSet::new();
    let delete = Action::DeleteSecret { secret, arn: None, tags, replicas, window_days: 7 };
    let failure = failed(vault.write(delete, None).await);
    assert_eq!(failure.class, Class::Propagating, "it is not gone, but not seen yet: {failure}");
    strict().await.set_lag(&vault.owner.account, Duration::ZERO, false).await.unwrap();
    assert!(vault.observe().await.described().unwrap().lagging.is_empty());
}

#[tokio::test]
async fn old_answers_are_told_from_drift() {
    let vault = Vault::new().await;
    let secret = vault.arn().await;
    strict().await.set_lag(&vault.owner.account, Duration::from_mins(10), false).await.unwrap();
    let description = Some("of all orders".to_owned());
    assert!(vault.apply(Action::UpdateSecret { secret: secret.clone(), description, key: None }).await);
    let put = Action::PutSecretValue { secret, token: version('b') };
    assert!(vault.write(put, Some("another")).await.unwrap().changed);
    let observed = vault.observe().await;
    let lagging = &observed.described().unwrap().lagging;
    assert_eq!(lagging, &set(&[Lag::Description, Lag::Value]));
}
