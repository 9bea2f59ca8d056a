//! The strict AWS is driven through the official SDK, and its controls through the typed client.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};
use sharedkey_harness::{
    StrictAws,
    aws::{Account, Attempt, Calls, Fault, Identity, Key, Operation, Probe},
};
use tokio::sync::OnceCell;

async fn aws() -> Result<&'static StrictAws> {
    static SHARED: OnceCell<StrictAws> = OnceCell::const_new();
    SHARED.get_or_try_init(StrictAws::start).await
}

/// An owner with a key, and an external account with a role.
struct Sharing {
    owner: Account,
    external: Account,
    key: Key,
    role_arn: String,
    role: Identity,
    probe: Probe,
}

const USES: [&str; 5] = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"];

impl Sharing {
    async fn in_partition(partition: &str) -> Result<Self> {
        let aws = aws().await?;
        let (owner, external) = (aws.account(partition).await?, aws.account(partition).await?);
        let key = owner.create_key(None).await?;
        let role_arn = external.create_role("/team/", "ExampleRole").await?;
        let role = external.as_role(&role_arn).await?;
        let probe = Probe::new(&owner, &key).await?;
        Ok(Self { owner, external, key, role_arn, role, probe })
    }

    /// Both halves, written by hand.
    async fn share(&self) -> Result<()> {
        let mut policy = self.owner.key_policy(&self.key).await?;
        let statement =
            json!({"Effect": "Allow", "Principal": {"AWS": self.role_arn}, "Action": USES, "Resource": "*"});
        let foreign = policy["Statement"].take();
        policy["Statement"] = json!([foreign[0], statement]);
        self.owner.put_key_policy(&self.key, &policy).await?;
        self.external.put_role_policy("ExampleRole", "use-key", &self.delegation()).await
    }

    fn delegation(&self) -> Value {
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": USES, "Resource": self.key.arn}})
    }
}

#[tokio::test]
async fn a_role_can_use_a_foreign_key_once_both_halves_are_there() {
    for partition in ["aws", "aws-cn"] {
        let sharing = Sharing::in_partition(partition).await.unwrap();
        for (operation, attempt) in sharing.role.attempt_all(&sharing.probe).await.unwrap() {
            assert!(attempt.is_denied(), "{partition} {operation}: {attempt:?}");
        }
        sharing.share().await.unwrap();
        for (operation, attempt) in sharing.role.attempt_all(&sharing.probe).await.unwrap() {
            assert!(attempt.is_allowed(), "{partition} {operation}: {attempt:?}");
        }
    }
}

#[tokio::test]
async fn a_user_with_a_managed_policy_can_use_a_key_by_the_arn_of_its_alias() {
    let aws = aws().await.unwrap();
    let account = aws.account("aws").await.unwrap();
    let key = account.create_key(None).await.unwrap();
    let alias = account.create_alias("alias/orders", &key).await.unwrap();
    let user_arn = account.create_user("/", "ExampleUser").await.unwrap();
    let user = account.as_user("ExampleUser").await.unwrap();
    assert_eq!(user.arn().await.unwrap(), user_arn);

    let probe = Probe::new(&account, &key).await.unwrap().naming(alias);
    assert!(user.attempt(Operation::Encrypt, &probe).await.unwrap().is_denied());
    let allow =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": key.arn}]});
    let policy = account.create_policy("use-key", &allow).await.unwrap();
    account.attach_user_policy("ExampleUser", &policy).await.unwrap();
    assert_eq!(user.attempt(Operation::Encrypt, &probe).await.unwrap(), Attempt::Allowed);
}

#[tokio::test]
async fn what_is_no_denial_is_reported_as_what_it_is() {
    let sharing = Sharing::in_partition("aws").await.unwrap();
    sharing.share().await.unwrap();
    aws().await.unwrap().set_key_state(&sharing.key, "Disabled").await.unwrap();
    let attempt = sharing.role.attempt(Operation::Encrypt, &sharing.probe).await.unwrap();
    assert!(matches!(&attempt, Attempt::Failed { code, .. } if code == "DisabledException"), "{attempt:?}");
}

#[tokio::test]
async fn a_fault_strikes_as_often_as_it_was_told_to_and_only_whom() {
    let aws = aws().await.unwrap();
    let sharing = Sharing::in_partition("aws").await.unwrap();
    sharing.share().await.unwrap();
    let fault = Fault::error("DependencyTimeoutException", "not now")
        .service("kms")
        .operation("Decrypt")
        .account(&sharing.external)
        .skip(1)
        .times(1);
    let fault = aws.inject(&fault).await.unwrap();

    let mut seen = Vec::new();
    for operation in [Operation::Decrypt, Operation::Encrypt, Operation::Decrypt, Operation::Decrypt] {
        seen.push(sharing.role.attempt(operation, &sharing.probe).await.unwrap());
    }
    let failed = Attempt::Failed { code: String::from("DependencyTimeoutException"), message: String::from("not now") };
    assert_eq!(seen, [Attempt::Allowed, Attempt::Allowed, failed, Attempt::Allowed]);
    assert_eq!(aws.fault_hits(fault).await.unwrap(), 1);
    aws.remove_fault(fault).await.unwrap();
    assert_eq!(aws.fault_hits(fault).await.unwrap(), 0);
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_was_performed() {
    let aws = aws().await.unwrap();
    let account = aws.account("aws").await.unwrap();
    let fault = Fault::answer_lost().operation("CreateUser").account(&account).times(1);
    aws.inject(&fault).await.unwrap();
    // The SDK tries again, and finds the user there.
    let error = account.create_user("/", "twice").await.unwrap_err();
    assert!(format!("{error:?}").contains("EntityAlreadyExists"), "{error:?}");
}

#[tokio::test]
async fn calls_are_counted_and_logged_by_who_made_them() {
    let aws = aws().await.unwrap();
    let account = aws.account("aws").await.unwrap();
    let key = account.create_key(None).await.unwrap();
    account.key_policy(&key).await.unwrap();
    account.key_policy(&key).await.unwrap();

    let reads = Calls::all().account(&account).service("kms").operation("Get*").result("OK");
    assert_eq!(aws.count(&reads).await.unwrap(), 2);
    assert_eq!(aws.counts(&reads).await.unwrap()[0].operation, "GetKeyPolicy");
    let log = aws.log(&Calls::all().account(&account), 0).await.unwrap();
    let operations: Vec<_> = log.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(operations, ["CreateKey", "GetKeyPolicy", "GetKeyPolicy"]);
    assert!(aws.log(&Calls::all().account(&account), log[2].seq).await.unwrap().is_empty());

    aws.forget(&reads).await.unwrap();
    assert_eq!(aws.count(&Calls::all().account(&account)).await.unwrap(), 1);
}

#[tokio::test]
async fn reads_lag_behind_writes_where_told_to() {
    let aws = aws().await.unwrap();
    let sharing = Sharing::in_partition("aws").await.unwrap();
    let before = sharing.owner.key_policy(&sharing.key).await.unwrap();
    aws.set_lag(&sharing.owner, Duration::from_mins(10), false).await.unwrap();
    sharing.share().await.unwrap();
    assert_eq!(sharing.owner.key_policy(&sharing.key).await.unwrap(), before);
    aws.set_lag(&sharing.owner, Duration::ZERO, false).await.unwrap();
    assert_ne!(sharing.owner.key_policy(&sharing.key).await.unwrap(), before);
}

#[tokio::test]
async fn a_hanging_call_is_answered_late() {
    let aws = aws().await.unwrap();
    let account = aws.account("aws").await.unwrap();
    let pause = Duration::from_millis(300);
    aws.inject(&Fault::hang(pause).operation("GetCallerIdentity").account(&account)).await.unwrap();
    let started = Instant::now();
    account.root().arn().await.unwrap();
    assert!(started.elapsed() >= pause);
}

#[tokio::test]
async fn sessions_and_quotas_end_when_told_to() {
    let aws = aws().await.unwrap();
    let sharing = Sharing::in_partition("aws").await.unwrap();
    aws.expire_sessions(&sharing.external).await.unwrap();
    let attempt = sharing.role.attempt(Operation::DescribeKey, &sharing.probe).await.unwrap();
    assert!(matches!(&attempt, Attempt::Failed { code, .. } if code.contains("Expired")), "{attempt:?}");

    let quotas = [(String::from("RolesQuota"), 2)].into();
    aws.set_quotas(&sharing.external, &quotas).await.unwrap();
    sharing.external.create_role("/", "second").await.unwrap();
    let error = sharing.external.create_role("/", "third").await.unwrap_err();
    assert!(format!("{error:?}").contains("LimitExceeded"), "{error:?}");
}
