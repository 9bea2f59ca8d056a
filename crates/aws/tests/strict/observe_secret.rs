//! Reading secrets: what is asked, how often, and what their keys mean.

use sharedkey_engine::{
    observed::Entity,
    problem::Class,
    secret::{
        desired::EncryptionKey,
        observed::{SecretKey, SecretState},
    },
};
use sharedkey_policy::KeyArn;

use crate::{
    vault::{NAME, VALUE, Vault, version},
    world::calls,
};

/// What a sweep asks in the account of the secret, whose key is there too.
const QUIET: [(&str, u64); 4] = [
    ("kms:DescribeKey", 1),
    ("kms:GetKeyPolicy", 1),
    ("secretsmanager:DescribeSecret", 1),
    ("secretsmanager:GetResourcePolicy", 1),
];

impl Vault {
    /// Names the secret's key in another way.
    async fn name_key(&self, key: &str) {
        self.client().update_secret().secret_id(NAME).kms_key_id(key).send().await.unwrap();
    }

    async fn observed_key(&self) -> SecretKey {
        self.observe().await.described().unwrap().key.clone()
    }
}

#[tokio::test]
async fn a_secret_costs_two_calls_and_its_value_is_never_read() {
    let vault = Vault::new().await;
    let observed = vault.observe().await;
    assert_eq!(vault.owner.calls().await, calls(QUIET));
    let described = observed.described().unwrap();
    assert_eq!((&described.arn, &described.tags), (&vault.arn().await, &vault.desired.all_tags()));
    assert_eq!((described.current(), &described.key), (Some(version('a').as_str()), &SecretKey::Key(vault.key_arn())));
    assert!(observed.policy.unwrap().is_none() && observed.versions.is_none());
    assert_eq!(observed.keys[&vault.key_arn()].metadata.as_ref().unwrap().as_ref().unwrap().state, "Enabled");
    assert!(matches!(observed.entities[&vault.role], Ok(Entity::Present(_))));
}

#[tokio::test]
async fn versions_are_listed_for_who_asks_with_their_labels_and_keys() {
    let vault = Vault::new().await;
    for digit in ['b', 'c', 'd'] {
        assert!(vault.put(&version(digit), &digit.to_string()).await.unwrap().changed);
    }
    let client = vault.client();
    let label = client.update_secret_version_stage().secret_id(NAME).version_stage("ours");
    label.move_to_version_id(version('a')).send().await.unwrap();
    let mut versions = vault.observe_listing(true).await.versions.unwrap().unwrap();
    versions.sort_by(|one, other| one.id.cmp(&other.id));
    let ids: Vec<&str> = versions.iter().map(|version| version.id.as_str()).collect();
    assert_eq!(ids, [version('a'), version('c'), version('d')], "one without labels is on its way out");
    assert!(versions[0].stages.contains("ours") && versions[2].stages.contains("AWSCURRENT"));
    assert!(versions.iter().all(|version| version.keys == [SecretKey::Key(vault.key_arn())]));
}

#[tokio::test]
async fn a_key_means_the_same_whichever_way_it_is_named() {
    let vault = Vault::new().await;
    let alias = vault.owner.account.create_alias("alias/orders", &vault.key).await.unwrap();
    for name in [vault.key.id.as_str(), &alias, "alias/orders", &vault.key.arn] {
        vault.name_key(name).await;
        assert_eq!(vault.observed_key().await, SecretKey::Key(vault.key_arn()), "{name}");
    }
    vault.name_key("").await;
    assert_eq!(vault.observed_key().await, SecretKey::Default);
}

#[tokio::test]
async fn an_alias_of_another_account_is_looked_up_there_and_is_not_known_where_it_cannot_be() {
    // Given a secret under an alias of the partner, whose key policy lets the owner use the key and not look at it
    let mut vault = Vault::new().await;
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": vault.partner.account.root_arn()}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": vault.owner.account.root_arn()}, "Resource": "*",
         "Action": ["kms:GenerateDataKey", "kms:Decrypt", "kms:Encrypt"]},
    ]});
    let theirs = vault.partner.account.create_key(Some(&policy)).await.unwrap();
    let alias = vault.partner.account.create_alias("alias/orders", &theirs).await.unwrap();
    vault.name_key(&alias).await;

    // Then nobody but the partner says which key it is
    let key = vault.observed_key().await;
    let SecretKey::Unread { text, failure } = &key else { panic!("{key:?}") };
    assert_eq!(
        (text, failure.action.as_str(), failure.class),
        (&alias, "kms:DescribeKey", Class::OperatorUnauthorised)
    );
    let theirs: KeyArn = theirs.arn.parse().unwrap();
    let reach = Some(vault.partner.reach("partner"));
    vault.desired.key = Ok(EncryptionKey { arn: theirs.clone(), reach, shared_key: None });
    assert_eq!(vault.observed_key().await, SecretKey::Key(theirs));
}

#[tokio::test]
async fn an_alias_that_is_gone_is_said() {
    let vault = Vault::new().await;
    vault.owner.account.create_alias("alias/orders", &vault.key).await.unwrap();
    vault.name_key("alias/orders").await;
    let kms = vault.owner.account.root().kms();
    kms.delete_alias().alias_name("alias/orders").send().await.unwrap();
    let key = vault.observed_key().await;
    assert!(matches!(&key, SecretKey::Unresolved { text, .. } if text == "alias/orders"), "{key:?}");
}

#[tokio::test]
async fn a_secret_that_does_not_exist_is_an_answer() {
    let vault = Vault::empty().await;
    let observed = vault.observe().await;
    assert!(matches!(observed.secret, Ok(SecretState::Absent { lagging: false })));
    assert!(observed.policy.unwrap().is_none());
    assert_eq!(vault.owner.calls().await, calls(QUIET));
}

#[tokio::test]
async fn a_secret_that_goes_says_when_and_shows_no_policy() {
    let vault = Vault::new().await;
    vault.client().delete_secret().secret_id(NAME).recovery_window_in_days(7).send().await.unwrap();
    let observed = vault.observe().await;
    assert!(observed.described().unwrap().deletion.is_some());
    assert!(observed.policy.unwrap().is_none());
}

#[tokio::test]
async fn another_secret_of_the_name_is_seen_with_its_own_arn() {
    let vault = Vault::new().await;
    let before = vault.arn().await;
    let client = vault.client();
    client.delete_secret().secret_id(NAME).force_delete_without_recovery(true).send().await.unwrap();
    client.create_secret().name(NAME).secret_string("theirs").send().await.unwrap();
    let observed = vault.observe().await;
    let described = observed.described().unwrap();
    assert!(described.arn != before && described.arn.secret() == before.secret());
    assert_eq!(described.key, SecretKey::Default);
}

#[tokio::test]
async fn what_may_not_be_read_is_said_in_its_place() {
    let vault = Vault::new().await;
    let deny = serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Action": "secretsmanager:GetResourcePolicy", "Resource": "*"},
    ]});
    vault.owner.account.put_user_policy("operator", "deny", &deny).await.unwrap();
    let observed = vault.observe().await;
    let failure = observed.policy.as_ref().unwrap_err();
    assert_eq!(failure.class, Class::OperatorUnauthorised);
    assert_eq!(failure.action, "secretsmanager:GetResourcePolicy");
    assert!(observed.described().is_some());
}

#[tokio::test]
async fn keys_of_accounts_that_cannot_be_entered_are_not_asked_for() {
    let mut vault = Vault::new().await;
    vault.desired.key.as_mut().unwrap().reach = None;
    let key: KeyArn = vault.key_arn();
    assert!(!vault.observe().await.keys.contains_key(&key));
    assert_eq!(vault.owner.calls().await, calls([QUIET[2], QUIET[3]]));
}

#[tokio::test]
async fn the_value_is_read_for_who_asks_with_the_id_of_its_version() {
    let vault = Vault::new().await;
    let (account, secret) = (vault.owner.reach("owner"), vault.arn().await);
    let read = async |version: Option<&str>| vault.shell.aws.secret_value(&account, &secret, version).await.unwrap();
    let (id, value) = read(None).await.unwrap();
    assert_eq!((id, value.expose()), (version('a'), VALUE.as_bytes()));
    assert!(read(Some(&version('f'))).await.is_none());
}
