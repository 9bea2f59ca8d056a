//! Limits, timeouts, retries and classes of calls.

use std::time::Duration;

use sharedkey_engine::{plan::Action, problem::Class};
use sharedkey_harness::aws::{Calls, Fault};
use sharedkey_policy::Edit;

use crate::world::{Sharing, Shell, Tenant, owner_id, strict};

/// A tenant whose `GetAccountSummary` goes wrong like this.
async fn faulty(shell: &Shell, fault: Fault) -> Tenant {
    let tenant = Tenant::new("aws").await;
    let fault = fault.account(&tenant.account).operation("GetAccountSummary");
    strict().await.inject(&fault).await.unwrap();
    shell.aws.set_account("a", tenant.access());
    tenant
}

async fn asked(tenant: &Tenant, operation: &str) -> u64 {
    strict().await.count(&Calls::all().account(&tenant.account).operation(operation)).await.unwrap()
}

#[tokio::test]
async fn throttling_is_tried_again_within_the_call() {
    let shell = Shell::new();
    let tenant = faulty(&shell, Fault::error("Throttling", "Rate exceeded").times(1)).await;
    let summary = shell.aws.account_summary(&tenant.reach("a")).await.unwrap();
    assert_eq!(summary["RolePolicySizeQuota"], 10_240);
    assert_eq!(asked(&tenant, "GetAccountSummary").await, 2);
    assert_eq!(shell.seen.of("iam:GetAccountSummary"), ["ok"]);
}

#[tokio::test]
async fn what_does_not_end_within_three_attempts_is_transient() {
    let shell = Shell::new();
    let tenant = faulty(&shell, Fault::status(503)).await;
    let failure = shell.aws.account_summary(&tenant.reach("a")).await.unwrap_err();
    assert_eq!(failure.class, Class::Transient, "{failure}");
    assert_eq!(asked(&tenant, "GetAccountSummary").await, 3);
    assert_eq!(shell.seen.of("iam:GetAccountSummary"), ["server"]);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let shell = Shell::impatient(Duration::from_millis(200));
    let tenant = faulty(&shell, Fault::hang(Duration::from_mins(1))).await;
    let failure = shell.aws.account_summary(&tenant.reach("a")).await.unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Transient, "Timeout"));
    assert_eq!(shell.seen.of("iam:GetAccountSummary"), ["timeout"]);
}

#[tokio::test]
async fn a_connection_that_is_cut_is_transient() {
    let shell = Shell::new();
    let tenant = faulty(&shell, Fault::reset()).await;
    let failure = shell.aws.account_summary(&tenant.reach("a")).await.unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Transient, "ConnectionFailed"));
    assert_eq!(shell.seen.of("iam:GetAccountSummary"), ["connection"]);
}

#[tokio::test]
async fn a_missing_right_names_the_action_and_the_account() {
    let tenant = Tenant::new("aws").await;
    let user = tenant.account.create_user("/", "nobody").await.unwrap();
    let nobody = tenant.account.as_user("nobody").await.unwrap();
    let shell = Shell::new();
    shell.aws.set_account("a", tenant.access_as(&nobody));
    let failure = shell.aws.account_summary(&tenant.reach("a")).await.unwrap_err();
    assert_eq!(failure.class, Class::OperatorUnauthorised);
    assert_eq!((failure.action.as_str(), &failure.account), ("iam:GetAccountSummary", &tenant.id()));
    assert!(failure.message.contains(&user), "{failure}");
    assert_eq!(shell.seen.of("iam:GetAccountSummary"), ["denied"]);
}

#[tokio::test]
async fn a_policy_that_is_too_big_is_not_taken_for_throttling() {
    let sharing = Sharing::new().await;
    let fault = Fault::error("LimitExceededException", "the policy is too big");
    strict().await.inject(&fault.account(&sharing.owner.account).operation("PutKeyPolicy")).await.unwrap();
    let consumer = &sharing.desired.consumers[0];
    let put = consumer.key_statements(&sharing.desired.names, sharing.role.partition(), &[].into());
    let action = Action::PutKeyPolicy {
        key: sharing.key.arn.parse().unwrap(),
        owner: owner_id(),
        edit: Edit { put, remove: [].into() },
        prune: false,
        unique_ids: [].into(),
    };
    let error = sharing.shell.apply(sharing.owner.reach("owner"), action).await.unwrap_err();
    assert!(error.contains("LimitExceededException"), "{error}");
    assert_eq!(asked(&sharing.owner, "PutKeyPolicy").await, 1);
    assert_eq!(sharing.shell.seen.of("kms:PutKeyPolicy"), ["limit"]);
}
