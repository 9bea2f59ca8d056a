//! Copies of a secret: made and deleted once, of nobody else's secret, and before the secret itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_sdk_secretsmanager::types::ReplicaRegionType;
use sharedkey_aws::{ApplyError, Outcome};
use sharedkey_engine::{ledger::Resource, plan::Action, problem::Class, secret::observed::SecretKey};
use sharedkey_harness::aws::Fault;
use sharedkey_policy::{KeyArn, Region};

use crate::{
    vault::{NAME, Vault, elsewhere, failed, set},
    world::strict,
};

/// Where somebody else makes a copy.
const THEIR_REGION: &str = "eu-north-1";

/// A secret, and the key of its copy in another Region.
struct Copied {
    vault: Vault,
    key: KeyArn,
}

impl Copied {
    async fn new() -> Self {
        let vault = Vault::new().await;
        Self { key: vault.key_in(elsewhere().as_str()).await, vault }
    }

    async fn replicate(&self) -> Result<Outcome, ApplyError> {
        let (secret, replicas) = (self.vault.arn().await, BTreeMap::from([(elsewhere(), self.key.clone())]));
        self.vault.write(Action::ReplicateSecret { secret, replicas }, None).await
    }

    async fn remove(&self, tags: BTreeMap<String, String>) -> Result<Outcome, ApplyError> {
        let (secret, regions) = (self.vault.arn().await, set(&[elsewhere(), THEIR_REGION.parse().unwrap()]));
        self.vault.write(Action::RemoveReplicas { secret, regions, tags, anew: false }, None).await
    }

    async fn delete(&self, tags: BTreeMap<String, String>) -> Result<Outcome, ApplyError> {
        let (secret, arn, replicas) =
            (self.vault.desired.secret.clone(), Some(self.vault.arn().await), set(&[elsewhere()]));
        self.vault.write(Action::DeleteSecret { secret, arn, tags, replicas, window_days: 7 }, None).await
    }

    fn ours(&self) -> BTreeMap<String, String> {
        self.vault.desired.owner_tags()
    }

    async fn lag(&self, time: Duration) {
        strict().await.set_lag(&self.vault.owner.account, time, false).await.unwrap();
    }

    /// Where the secret has copies.
    async fn regions(&self) -> BTreeSet<Region> {
        let copies = self.vault.described().await.replication_status.unwrap_or_default();
        copies.into_iter().map(|copy| copy.region.unwrap().parse().unwrap()).collect()
    }

    /// Whether one may still be made by a call that AWS has not answered.
    fn may_come(&self) -> bool {
        let (secret, region) = (self.vault.desired.secret.clone(), elsewhere());
        self.vault.shell.aws.unanswered(&Resource::Replica { secret, region }).is_some()
    }
}

fn theirs() -> BTreeMap<String, String> {
    [("sharedkey.dev/owner-id".to_owned(), "another".to_owned())].into()
}

#[tokio::test]
async fn copies_are_made_and_deleted_once() {
    let copied = Copied::new().await;
    assert!(copied.replicate().await.unwrap().changed);
    assert!(!copied.replicate().await.unwrap().changed);
    let observed = copied.vault.observe().await;
    let copy = &observed.described().unwrap().replicas[&elsewhere()];
    assert_eq!((&copy.key, copy.status.as_str()), (&SecretKey::Key(copied.key.clone()), "InSync"));
    assert!(copied.remove(copied.ours()).await.unwrap().changed);
    assert!(!copied.remove(copied.ours()).await.unwrap().changed);
    assert_eq!(copied.regions().await, set(&[]));
}

#[tokio::test]
async fn copies_of_a_secret_that_is_somebody_else_s_by_now_stay() {
    let copied = Copied::new().await;
    assert!(copied.replicate().await.unwrap().changed);
    let failure = failed(copied.remove(theirs()).await);
    assert_eq!((failure.class, failure.code.as_str()), (Class::Propagating, "SecretOwnedElsewhere"));
    assert!(!copied.delete(theirs()).await.unwrap().changed);
    assert_eq!(copied.regions().await, set(&[elsewhere()]));
    assert!(!copied.vault.is_scheduled().await);
}

#[tokio::test]
async fn copies_go_before_the_secret() {
    let copied = Copied::new().await;
    assert!(copied.replicate().await.unwrap().changed);
    assert!(copied.delete(copied.ours()).await.unwrap().changed);
    assert!(copied.vault.is_scheduled().await);
    assert!(!copied.delete(copied.ours()).await.unwrap().changed);
    let writes = copied.vault.owner.calls().await;
    let removals = writes["secretsmanager:RemoveRegionsFromReplication"];
    assert_eq!((removals, writes["secretsmanager:DeleteSecret"]), (1, 1));
}

#[tokio::test]
async fn only_a_copy_of_others_is_named_as_what_keeps_the_secret() {
    let copied = Copied::new().await;
    assert!(copied.replicate().await.unwrap().changed);
    let copy = ReplicaRegionType::builder().region(THEIR_REGION).build();
    let request = copied.vault.client().replicate_secret_to_regions().secret_id(NAME);
    request.add_replica_regions(copy).send().await.unwrap();
    let failure = failed(copied.delete(copied.ours()).await);
    assert!(
        failure.message.contains(&format!("its copies in {THEIR_REGION}, which this object did not make")),
        "{failure}"
    );
    assert_eq!(copied.regions().await, set(&[THEIR_REGION.parse().unwrap()]));
    assert!(!copied.vault.is_scheduled().await);
}

#[tokio::test]
async fn a_copy_that_aws_has_not_let_go_of_is_not_called_one_of_others() {
    let copied = Copied::new().await;
    assert!(copied.replicate().await.unwrap().changed);
    let kept = "You can't delete secret that still has replica regions";
    copied.vault.inject(Fault::error("InvalidRequestException", kept).operation("DeleteSecret").times(1)).await;
    assert_eq!(failed(copied.delete(copied.ours()).await).message, kept);
    assert!(copied.delete(copied.ours()).await.unwrap().changed);
}

#[tokio::test]
async fn a_copy_that_was_just_made_is_not_taken_for_gone() {
    let copied = Copied::new().await;
    copied.lag(Duration::from_mins(10)).await;
    assert!(copied.replicate().await.unwrap().changed);
    for outcome in [copied.remove(copied.ours()).await, copied.delete(copied.ours()).await] {
        let failure = failed(outcome);
        assert_eq!((failure.class, failure.code.as_str()), (Class::Propagating, "StaleRead"));
    }
    copied.lag(Duration::ZERO).await;
    assert!(copied.remove(copied.ours()).await.unwrap().changed);
    assert_eq!(copied.regions().await, set(&[]));
}

#[tokio::test]
async fn a_copy_whose_making_was_not_answered_may_come_until_it_is_seen() {
    let copied = Copied::new().await;
    copied.vault.inject(Fault::reset().operation("ReplicateSecretToRegions").times(3)).await;
    assert_eq!(failed(copied.replicate().await).class, Class::Transient);
    copied.vault.observe().await;
    assert!(copied.may_come(), "it is not seen");
    assert!(copied.replicate().await.unwrap().changed);
    assert!(copied.may_come(), "it may be the first call that is still to come");
    copied.vault.observe().await;
    assert!(!copied.may_come(), "a second one cannot be made");
}

#[tokio::test]
async fn a_repetition_that_aws_refuses_is_no_failure() {
    let copied = Copied::new().await;
    for operation in ["ReplicateSecretToRegions", "RemoveRegionsFromReplication"] {
        copied.vault.inject(Fault::answer_lost().operation(operation).times(1)).await;
    }
    assert!(copied.replicate().await.unwrap().changed);
    assert_eq!(copied.regions().await, set(&[elsewhere()]));
    assert!(copied.remove(copied.ours()).await.unwrap().changed);
    assert_eq!(copied.regions().await, set(&[]));
}
