//! Reading keys: what is asked, how often, and what an alias means.

use std::time::Duration;

use sharedkey_engine::{
    desired::{Desired, KeySource},
    ledger::Record,
    observed::{AliasTarget, Observed},
    problem::Class,
};
use sharedkey_harness::aws::Key;
use sharedkey_policy::KeyArn;

use crate::world::{Shell, Tenant, calls, desired_key};

const A_WHILE: Duration = Duration::from_secs(30);

struct World {
    owner: Tenant,
    key: Key,
    shell: Shell,
}

impl World {
    async fn new() -> Self {
        let owner = Tenant::new("aws").await;
        let key = owner.account.create_key(None).await.unwrap();
        let shell = Shell::new();
        shell.aws.set_account("owner", owner.access());
        // What the session asks is not what is counted here.
        shell.aws.identity(&owner.reach("owner")).await.unwrap();
        owner.forget_calls().await;
        Self { owner, key, shell }
    }

    fn arn(&self) -> KeyArn {
        self.key.arn.parse().unwrap()
    }

    async fn alias(&self, name: &str, key: &Key, pinned: Option<KeyArn>) -> Desired {
        let alias = self.owner.account.create_alias(name, key).await.unwrap();
        desired_key(&self.owner, KeySource::Alias { alias: alias.parse().unwrap(), pinned }, Vec::new())
    }

    fn by_arn(&self, arn: KeyArn) -> Desired {
        desired_key(&self.owner, KeySource::Key(arn), Vec::new())
    }

    async fn observe(&self, desired: &Desired) -> Observed {
        self.shell.aws.observe(desired, &Record::default(), A_WHILE).await
    }
}

#[tokio::test]
async fn a_key_costs_two_calls_however_many_objects_name_it() {
    let world = World::new().await;
    let desired = world.by_arn(world.arn());
    let (one, other) = futures::join!(world.observe(&desired), world.observe(&desired));
    assert_eq!(one.key.arn, Ok(Some(world.arn())));
    assert_eq!(one.key.metadata.as_ref().unwrap().as_ref().unwrap().state, "Enabled");
    assert_eq!(one.document(), other.document());
    assert!(one.document().is_some());
    assert_eq!(world.owner.calls().await, calls([("kms:DescribeKey", 1), ("kms:GetKeyPolicy", 1)]));
}

#[tokio::test]
async fn a_reading_that_is_too_old_is_made_again() {
    let world = World::new().await;
    let desired = world.by_arn(world.arn());
    for _ in 0..2 {
        world.shell.aws.observe(&desired, &Record::default(), Duration::ZERO).await;
    }
    assert_eq!(world.owner.calls().await, calls([("kms:DescribeKey", 2), ("kms:GetKeyPolicy", 2)]));
}

#[tokio::test]
async fn an_alias_that_means_its_key_costs_two_calls_too() {
    let world = World::new().await;
    let desired = world.alias("alias/orders", &world.key, Some(world.arn())).await;
    world.owner.forget_calls().await;
    let observed = world.observe(&desired).await;
    assert_eq!(observed.key.alias_target, Some(AliasTarget::Key(world.arn())));
    assert!(observed.key.metadata.unwrap().is_some());
    assert_eq!(world.owner.calls().await, calls([("kms:DescribeKey", 1), ("kms:GetKeyPolicy", 1)]));
    // And those who name the key by its ARN are served from the same readings.
    world.observe(&world.by_arn(world.arn())).await;
    assert_eq!(world.owner.calls().await, calls([("kms:DescribeKey", 1), ("kms:GetKeyPolicy", 1)]));
}

#[tokio::test]
async fn an_alias_is_resolved_at_first() {
    let world = World::new().await;
    let observed = world.observe(&world.alias("alias/orders", &world.key, None).await).await;
    assert_eq!(observed.key.arn, Ok(Some(world.arn())));
    assert!(observed.document().is_some());
}

#[tokio::test]
async fn a_moved_alias_does_not_move_the_object() {
    let world = World::new().await;
    let other = world.owner.account.create_key(None).await.unwrap();
    let observed = world.observe(&world.alias("alias/orders", &other, Some(world.arn())).await).await;
    assert_eq!(observed.key.arn, Ok(Some(world.arn())));
    assert_eq!(observed.key.alias_target, Some(AliasTarget::Key(other.arn.parse().unwrap())));
    assert_eq!(observed.key.metadata.unwrap().unwrap().state, "Enabled");
}

#[tokio::test]
async fn a_missing_alias_leaves_the_object_at_its_key() {
    let world = World::new().await;
    let alias = format!("arn:aws:kms:{}:{}:alias/none", world.key.region, world.owner.account.id());
    let source = |pinned| KeySource::Alias { alias: alias.parse().unwrap(), pinned };
    let pinned = world.observe(&desired_key(&world.owner, source(Some(world.arn())), Vec::new())).await;
    assert_eq!(pinned.key.alias_target, Some(AliasTarget::Missing));
    assert!(pinned.document().is_some());
    let unpinned = world.observe(&desired_key(&world.owner, source(None), Vec::new())).await;
    assert_eq!((unpinned.key.arn, unpinned.key.metadata), (Ok(None), Ok(None)));
}

#[tokio::test]
async fn a_key_that_does_not_exist_is_an_answer() {
    let world = World::new().await;
    let nowhere = world.key.arn.replace(&world.key.id, "00000000-0000-0000-0000-000000000000");
    let observed = world.observe(&world.by_arn(nowhere.parse().unwrap())).await;
    assert_eq!(observed.key.metadata, Ok(None));
    assert!(observed.key.policy.unwrap().is_none());
}

#[tokio::test]
async fn a_dying_key_says_so() {
    let world = World::new().await;
    let kms = world.owner.account.root().kms();
    kms.schedule_key_deletion().key_id(&world.key.id).pending_window_in_days(7).send().await.unwrap();
    let metadata = world.observe(&world.by_arn(world.arn())).await.key.metadata.unwrap().unwrap();
    assert_eq!(metadata.state, "PendingDeletion");
    assert!(metadata.deletion_date.is_some());
}

#[tokio::test]
async fn what_may_not_be_read_is_said_in_its_place() {
    let world = World::new().await;
    let deny = serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Action": "kms:GetKeyPolicy", "Resource": "*"},
    ]});
    world.owner.account.put_user_policy("operator", "deny", &deny).await.unwrap();
    let observed = world.observe(&world.by_arn(world.arn())).await;
    let failure = observed.key.policy.unwrap_err();
    assert_eq!((failure.class, failure.action.as_str()), (Class::OperatorUnauthorised, "kms:GetKeyPolicy"));
    assert!(observed.key.metadata.unwrap().is_some());
}
