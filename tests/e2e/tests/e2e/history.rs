//! What a key policy said before the operator wrote it is kept, and comes back when an administrator asks for it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sharedkey_api::CollisionOutcome;
use sharedkey_e2e::{DEADLINE, IN_ACCOUNTS, Stage, allowed, foreign, has_sid, key_document, says};
use sharedkey_harness::{aws::Fault, wait_for};

/// A key that is shared, and whose owner lost what others had stated.
async fn robbed(partition: &str) -> Result<Stage> {
    let stage = Stage::new(partition).await?;
    let owner = &stage.owner.account;
    stage.share("orders", stage.spec()).await?;
    stage.ready("orders").await?;
    let mut document = owner.key_policy(&stage.key).await?;
    if let Some(statements) = document["Statement"].as_array_mut() {
        let stays = |sid: &Value| sid == "Enable IAM User Permissions" || *sid == json!(stage.sid("orders", "partner"));
        statements.retain(|statement| stays(&statement["Sid"]));
    }
    owner.put_key_policy(&stage.key, &document).await?;
    Ok(stage)
}

#[tokio::test]
async fn what_others_had_stated_comes_back_and_what_is_shared_stays() -> Result<()> {
    for partition in ["aws-cn", "aws"] {
        // Given a key whose foreign statements are gone since it was shared
        let stage = robbed(partition).await?;
        let owner = &stage.owner.account;
        let before = foreign(&key_document(owner));
        ensure!(foreign(&owner.key_policy(&stage.key).await?).len() < before.len(), "something is gone");
        let kept = stage.kept(&stage.key).await?;
        let [first] = &kept[..] else { panic!("one document was replaced: {kept:?}") };
        let of = [("namespace".to_owned(), stage.namespace.clone()), ("name".to_owned(), "orders".to_owned())];
        assert_eq!(first.replaced_for, of.into());

        // When an administrator asks for the document that was replaced then
        let answer = stage.ask_back(&stage.key, &first.replaced_at).await?;

        // Then what others had stated is back, what is shared stands beside it, and nothing had to be healed
        says(&answer, &[&first.replaced_at, "are back"])?;
        let policy = owner.key_policy(&stage.key).await?;
        ensure!(policy["Statement"].as_array().map(Vec::len) == Some(before.len() + 1), "{policy:#}");
        ensure!(
            has_sid(&policy, "Allow use through S3") && has_sid(&policy, &stage.sid("orders", "partner")),
            "{policy:#}"
        );
        stage.look("orders").await?;
        let status = stage.ready("orders").await?.status.unwrap_or_default();
        ensure!(status.last_correction.is_none(), "{status:#?}");
        allowed(&stage.as_role().await?, &stage.probe().await?).await?;

        // And the document that stood there in between is kept too, and asking again changes nothing
        assert_eq!(stage.kept(&stage.key).await?.len(), 2);
        stage.forget_calls().await?;
        says(&stage.ask_back(&stage.key, &first.replaced_at).await?, &["nothing to do"])?;
        stage.nothing_written().await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_must_not_come_back_does_not_and_the_answer_says_why() -> Result<()> {
    let stage = robbed("aws").await?;
    let first = stage.kept(&stage.key).await?.remove(0).replaced_at;
    let live = stage.live("orders").await?;
    let anybody = json!({"Sid": "Deny", "Effect": "Deny", "Principal": "*", "Action": "kms:Sign", "Resource": "*"});
    let nobody = json!({"Version": "2012-10-17", "Statement": [anybody]});
    let orphaned = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": stage.owner.account.root_arn()}, "Action": "kms:*", "Resource": "*"},
        {"Sid": "Old", "Effect": "Allow", "Principal": {"AWS": "AROAAAAAAAAAAAAAAAAAA"}, "Action": "kms:Decrypt", "Resource": "*"},
    ]});
    stage.forget_calls().await?;

    // A time at which nothing was replaced
    says(&stage.ask_back(&stage.key, "2001-01-01T00:00:00Z").await?, &["nothing was written", "known are", &first])?;
    // A document without a way back for the owner, one with a deleted principal, and one that is none
    for (document, parts) in [
        (&nobody, &["nothing was written", "lock the owner out"][..]),
        (&orphaned, &["nothing was written", "Old", "AROAAAAAAAAAAAAAAAAAA"]),
        (&json!("text"), &["nothing was written", "cannot be understood"]),
    ] {
        stage.rewrite_kept(&stage.key, &first, document).await?;
        says(&stage.ask_back(&stage.key, &first).await?, parts)?;
    }
    // An account that may only be observed
    stage.rewrite_kept(&stage.key, &first, &key_document(&stage.owner.account)).await?;
    stage.patch_account(&stage.owner.name, json!({"mode": "Observe"})).await?;
    stage.says("orders", "Ready", "True", sharedkey_api::conditions::Reason::Observed).await?;
    says(&stage.ask_back(&stage.key, &first).await?, &["nothing was written", "Observe"])?;

    stage.nothing_written().await?;
    ensure!(stage.live("orders").await? == live, "AWS was changed");
    Ok(())
}

#[tokio::test]
async fn the_last_ten_documents_are_kept() -> Result<()> {
    let stage = Stage::new("aws").await?;
    let mut documents = Vec::new();
    for round in 0..12 {
        documents.push(foreign_and_ours(&stage).await?);
        let access = ["Decrypt", "Encrypt"][round % 2];
        let mut spec = stage.spec();
        spec["consumers"][0]["access"] = json!(access);
        stage.share("orders", spec).await?;
        stage.ready("orders").await?;
    }

    let kept = stage.kept(&stage.key).await?;
    let times: Vec<&String> = kept.iter().map(|kept| &kept.replaced_at).collect();
    ensure!(times.len() == 10 && times.is_sorted(), "{times:?}");
    for (kept, before) in kept.iter().zip(&documents[2..]) {
        let document: Value = serde_json::from_str(&kept.document)?;
        ensure!(sorted(&document) == *before, "{document:#}");
    }
    Ok(())
}

async fn foreign_and_ours(stage: &Stage) -> Result<Vec<String>> {
    Ok(sorted(&stage.owner.account.key_policy(&stage.key).await?))
}

/// The Sid and actions of each statement: what does not come in another order at each reading (D§1.4).
fn sorted(document: &Value) -> Vec<String> {
    let statements = document["Statement"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut statements: Vec<String> =
        statements.iter().map(|statement| format!("{} {}", statement["Sid"], statement["Action"])).collect();
    statements.sort();
    statements
}

#[tokio::test]
async fn what_a_write_of_the_operator_undid_is_named_in_status_and_comes_back() -> Result<()> {
    for partition in ["aws-cn", "aws"] {
        // Given a write of the operator that AWS takes its time for, and a reading beside it
        let stage = Stage::new(partition).await?;
        let (owner, aws) = (&stage.owner.account, &stage.home.world.aws);
        let by_operator = |seconds: u64, operation: &str| {
            let fault = Fault::hang(Duration::from_secs(seconds)).operation(operation).account(owner).times(1);
            fault.principal(IN_ACCOUNTS)
        };
        let write = aws.inject(&by_operator(4, "PutKeyPolicy")).await?;
        // Before it come the reading of the sweep, and those before and after the document is kept.
        let beside = aws.inject(&by_operator(2, "GetKeyPolicy").skip(3)).await?;
        stage.share("orders", stage.spec()).await?;
        wait_for("both calls to be under way", DEADLINE, async || {
            let hits = [aws.fault_hits(write).await?, aws.fault_hits(beside).await?];
            ensure!(hits == [1, 1], "{hits:?}");
            Ok(())
        })
        .await?;

        // When somebody adds a statement at this moment
        let mut policy = owner.key_policy(&stage.key).await?;
        let statements = policy["Statement"].as_array_mut().context("statements")?;
        statements.push(json!({
            "Sid": "Added meanwhile", "Effect": "Allow", "Principal": {"AWS": owner.root_arn()},
            "Action": "kms:ListKeyRotations", "Resource": "*",
        }));
        owner.put_key_policy(&stage.key, &policy).await?;

        // Then the write undoes it, and status names it
        let status = stage.ready("orders").await?.status.context("a status")?;
        ensure!(!has_sid(&owner.key_policy(&stage.key).await?, "Added meanwhile"), "nothing was lost");
        let collision = status.last_collision.context("a collision")?;
        let [lost] = &collision.items[..] else { panic!("one statement was lost: {collision:?}") };
        assert_eq!((lost.outcome, lost.sid.as_deref()), (CollisionOutcome::Lost, Some("Added meanwhile")));
        says(&lost.statement, &["kms:ListKeyRotations"])?;

        // And it comes back when an administrator asks for the document that was undone
        let undone = stage.kept(&stage.key).await?.pop().context("a document")?;
        says(&stage.ask_back(&stage.key, &undone.replaced_at).await?, &["are back"])?;
        let policy = owner.key_policy(&stage.key).await?;
        ensure!(has_sid(&policy, "Added meanwhile") && has_sid(&policy, &stage.sid("orders", "partner")), "{policy:#}");
        allowed(&stage.as_role().await?, &stage.probe().await?).await?;
    }
    Ok(())
}
