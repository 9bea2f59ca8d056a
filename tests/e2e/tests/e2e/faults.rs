//! AWS fails now and then. What was asked for comes true all the same, and nobody is told of drift that never was.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use sharedkey_api::conditions::Reason;
use sharedkey_e2e::{History, Stage, allowed, is, says};
use sharedkey_harness::aws::Fault;

/// As often as the SDK tries a call by itself, so that the operator sees a failure.
const ALL_ATTEMPTS: u32 = 3;
/// Longer than the operator waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(11);

/// Everything that goes wrong between the operator and AWS, from the first call on.
fn faults() -> [(&'static str, Fault); 7] {
    [
        ("throttled once", Fault::error("ThrottlingException", "Rate exceeded").times(1)),
        ("throttled", Fault::error("ThrottlingException", "Rate exceeded").times(ALL_ATTEMPTS + 1)),
        ("an error of AWS", Fault::status(500).times(ALL_ATTEMPTS + 1)),
        ("no answer in time", Fault::hang(TIMEOUT).times(1)),
        ("a cut connection", Fault::reset().times(ALL_ATTEMPTS)),
        ("performed, and the answer lost", Fault::answer_lost().times(ALL_ATTEMPTS)),
        ("performed, and an error", Fault::status(503).after_call().times(ALL_ATTEMPTS)),
    ]
}

/// A key is shared while an operation fails in each of these ways.
async fn shared_in_spite_of(service: &str, operation: &str) -> Result<()> {
    try_join_all(faults().map(async |(what, fault)| {
        // Given an operation that fails in an account
        let stage = Stage::new("aws").await?;
        let side = if service == "kms" { &stage.owner } else { &stage.partner };
        let aws = &stage.home.world.aws;
        let fault = aws.inject(&fault.service(service).operation(operation).account(&side.account)).await?;
        let history = History::from_now_on(stage.keys());

        // When a key is shared, then it is, and nothing was drift on the way
        stage.share("orders", stage.spec()).await?;
        stage.ready("orders").await?;
        stage.look("orders").await?;
        stage.ready("orders").await?;
        allowed(&stage.as_role().await?, &stage.probe().await?).await?;
        allowed(&stage.as_user().await?, &stage.probe().await?).await?;
        ensure!(aws.fault_hits(fault).await? > 0, "{what}: {operation} has failed");
        history.no_drift()
    }))
    .await?;
    Ok(())
}

#[tokio::test]
async fn the_key_policy_is_written_in_spite_of_everything() -> Result<()> {
    shared_in_spite_of("kms", "PutKeyPolicy").await
}

#[tokio::test]
async fn the_key_policy_is_read_in_spite_of_everything() -> Result<()> {
    shared_in_spite_of("kms", "GetKeyPolicy").await
}

#[tokio::test]
async fn policies_of_roles_are_written_in_spite_of_everything() -> Result<()> {
    shared_in_spite_of("iam", "PutRolePolicy").await
}

#[tokio::test]
async fn while_aws_is_down_what_was_known_stays() -> Result<()> {
    for (service, operation, half) in
        [("kms", "GetKeyPolicy", "KeyPolicyApplied"), ("iam", "GetRole", "DelegationApplied")]
    {
        // Given a shared key
        let stage = Stage::new("aws-cn").await?;
        let history = History::from_now_on(stage.keys());
        stage.share("orders", stage.spec()).await?;
        stage.ready("orders").await?;
        let known = stage.status("orders").await?;
        stage.forget_calls().await?;

        // When AWS answers nothing but errors, then it is said which call fails, and nothing is undone
        let side = if service == "kms" { &stage.owner } else { &stage.partner };
        let aws = &stage.home.world.aws;
        let down = aws.inject(&Fault::status(500).service(service).operation(operation).account(&side.account)).await?;
        let message = stage.says("orders", half, "Unknown", Reason::AwsUnavailable).await?;
        says(&message, &[&format!("{service}:{operation}"), side.account.id()])?;
        let status = stage.status("orders").await?;
        ensure!(
            is(&status, "Reconciling", "True") && !is(&status, "Stalled", "True"),
            "it goes on by itself: {status:?}"
        );
        assert_eq!((status.key_arn, status.drift_count), (known.key_arn, 0));
        stage.nothing_written().await?;

        // And when it is back, all is as it was, and nothing has been drift
        aws.remove_fault(down).await?;
        stage.ready("orders").await?;
        stage.nothing_written().await?;
        history.no_drift()?;
    }
    Ok(())
}
