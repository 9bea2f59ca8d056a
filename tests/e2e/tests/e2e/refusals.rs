//! What must not be written is not: status names what is in the way and what to do, and when that is done, the key is shared.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sharedkey_api::{DriftKind, conditions::Reason};
use sharedkey_e2e::{Hands, Stage, allowed, denied, foreign, key_document, merge, says, spec};

/// A SharedKey that is refused says why, and nothing is written anywhere, however often it is looked at.
async fn refused(stage: &Stage, spec: Value, reason: Reason, parts: &[&str]) -> Result<()> {
    stage.share("orders", spec).await?;
    says(&stage.stalled("orders", reason).await?, parts)?;
    stage.look("orders").await?;
    says(&stage.stalled("orders", reason).await?, parts)?;
    ensure!(!stage.calls(&stage.owner.account).await?.is_empty(), "the operator has looked");
    stage.nothing_written().await
}

/// By itself, once the cause is gone.
async fn shared_after_all(stage: &Stage) -> Result<()> {
    stage.ready("orders").await?;
    allowed(&stage.as_role().await?, &stage.probe().await?).await
}

fn with(stage: &Stage, principals: &Value) -> Value {
    spec(stage, json!({"arn": stage.key.arn}), json!({"principals": principals}))
}

#[tokio::test]
async fn a_role_that_does_not_exist_is_named() -> Result<()> {
    let stage = Stage::new("aws-cn").await?;
    let (owner, partner) = (&stage.owner.account, &stage.partner.account);
    let before = foreign(&owner.key_policy(&stage.key).await?);
    let missing = partner.arn("role/apps/Missing");

    let spec = with(&stage, &json!([{"role": "ExampleRole"}, {"role": "apps/Missing"}]));
    refused(&stage, spec, Reason::PrincipalNotFound, &[&missing, partner.id(), "does not exist", "create it"]).await?;
    assert_eq!(foreign(&owner.key_policy(&stage.key).await?), before);

    partner.create_role("/apps/", "Missing").await?;
    shared_after_all(&stage).await?;
    allowed(&partner.as_role(&missing).await?, &stage.probe().await?).await
}

#[tokio::test]
async fn a_user_under_another_path_is_found_and_named() -> Result<()> {
    let stage = Stage::new("aws").await?;
    let partner = &stage.partner.account;

    let spec = with(&stage, &json!([{"role": "ExampleRole"}, {"user": "ExampleUser"}]));
    let wanted = partner.arn("user/ExampleUser");
    refused(&stage, spec, Reason::PrincipalNotFound, &[&wanted, "does not exist", &stage.user, "path"]).await?;

    let iam = partner.root().iam();
    iam.update_user().user_name("ExampleUser").new_path("/").send().await?;
    shared_after_all(&stage).await
}

#[tokio::test]
async fn a_policy_without_room_says_how_large_it_would_be() -> Result<()> {
    let stage = Stage::new("aws").await?;
    let owner = &stage.owner.account;
    owner.put_key_policy(&stage.key, &full_document(&stage)).await?;

    refused(&stage, stage.spec(), Reason::PolicyTooLarge, &[&stage.key.arn, "32768", "bytes", "name fewer"]).await?;

    owner.put_key_policy(&stage.key, &key_document(owner)).await?;
    shared_after_all(&stage).await
}

/// A policy in which others have left less than a statement's room of the 32,768 bytes.
fn full_document(stage: &Stage) -> Value {
    let mut document = key_document(&stage.owner.account);
    let statement = |sid: String| json!({"Sid": sid, "Effect": "Allow", "Principal": {"AWS": stage.owner.account.root_arn()}, "Action": "kms:ListGrants", "Resource": "*"});
    let mut team = 0;
    while document.to_string().len() < 31_700 {
        team += 1;
        document["Statement"].as_array_mut().into_iter().for_each(|all| {
            all.push(statement(format!("Another team, number {team} {}", "x".repeat(700))));
        });
    }
    let left = 32_700_usize.saturating_sub(document.to_string().len() + statement(String::new()).to_string().len());
    document["Statement"].as_array_mut().into_iter().for_each(|all| all.push(statement("y".repeat(left))));
    document
}

#[tokio::test]
async fn a_policy_that_only_a_foreign_administrator_can_change_is_left_to_him() -> Result<()> {
    let stage = Stage::new("aws").await?;
    let owner = &stage.owner.account;
    let administrator = stage.home.world.aws.account("aws").await?;
    let locked = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Owner reads", "Effect": "Allow", "Principal": {"AWS": owner.root_arn()}, "Action": ["kms:Describe*", "kms:Get*"], "Resource": "*"},
        {"Sid": "Others manage", "Effect": "Allow", "Principal": {"AWS": administrator.root_arn()}, "Action": "kms:*", "Resource": "*"},
    ]});
    put_unchecked(&stage, &locked).await?;

    let parts = [stage.key.arn.as_str(), owner.id(), &owner.root_arn(), "kms:PutKeyPolicy", "add a statement"];
    refused(&stage, stage.spec(), Reason::LockoutRefused, &parts).await
}

#[tokio::test]
async fn a_policy_that_administrators_can_change_under_a_condition_only_is_no_promise() -> Result<()> {
    let stage = Stage::new("aws").await?;
    let owner = &stage.owner.account;
    let break_glass = owner.create_role("/", "BreakGlass").await?;
    let all = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]});
    owner.put_role_policy("BreakGlass", "keys", &all).await?;
    let conditional = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": owner.root_arn()}, "Action": ["kms:Describe*", "kms:Get*"], "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": owner.root_arn()}, "Action": "kms:*", "Resource": "*",
         "Condition": {"ArnEquals": {"aws:PrincipalArn": break_glass}}},
    ]});
    put_unchecked(&stage, &conditional).await?;

    refused(&stage, stage.spec(), Reason::LockoutRefused, &[&stage.key.arn, &owner.root_arn()]).await?;

    let kms = owner.as_role(&break_glass).await?.in_region(&stage.key.region).kms();
    kms.put_key_policy().key_id(&stage.key.id).policy(key_document(owner).to_string()).send().await?;
    shared_after_all(&stage).await
}

/// Writes a policy that locks its writer out, as somebody did who asked KMS not to check.
async fn put_unchecked(stage: &Stage, policy: &Value) -> Result<()> {
    let kms = stage.owner.account.root().in_region(&stage.key.region).kms();
    let request = kms.put_key_policy().key_id(&stage.key.id).policy(policy.to_string());
    request.bypass_policy_lockout_safety_check(true).send().await?;
    Ok(())
}

#[tokio::test]
async fn an_orphan_in_a_foreign_statement_is_named_with_its_sid() -> Result<()> {
    let stage = Stage::new("aws-cn").await?;
    let (owner, partner) = (&stage.owner.account, &stage.partner.account);
    let legacy = partner.create_role("/", "Legacy").await?;
    let mut document = key_document(owner);
    let statement = json!({"Sid": "Allow the old importer", "Effect": "Allow", "Principal": {"AWS": legacy}, "Action": "kms:Decrypt", "Resource": "*"});
    document["Statement"].as_array_mut().context("statements")?.push(statement);
    owner.put_key_policy(&stage.key, &document).await?;
    let iam = partner.root().iam();
    let id = iam.get_role().role_name("Legacy").send().await?.role.context("the role")?.role_id;
    iam.delete_role().role_name("Legacy").send().await?;

    refused(&stage, stage.spec(), Reason::ForeignOrphan, &["Allow the old importer", &id, "remove it"]).await?;

    owner.put_key_policy(&stage.key, &key_document(owner)).await?;
    shared_after_all(&stage).await
}

#[tokio::test]
async fn orphans_in_foreign_statements_go_where_the_spec_says_so_and_nothing_else_does() -> Result<()> {
    // Given a deleted role in two statements of others: once beside somebody who exists, once alone
    let stage = Stage::new("aws-cn").await?;
    let (owner, partner) = (&stage.owner.account, &stage.partner.account);
    let legacy = partner.create_role("/", "Legacy").await?;
    let importer = |sid: &str, principals: Value| json!({"Sid": sid, "Effect": "Allow", "Principal": {"AWS": principals}, "Action": "kms:Decrypt", "Resource": "*"});
    // As KMS stores it, which is not as it was written (D§1.4).
    let mut document = owner.key_policy(&stage.key).await?;
    let before = foreign(&document);
    let statements = document["Statement"].as_array_mut().context("statements")?;
    statements.push(importer("Both importers", json!([legacy, owner.root_arn()])));
    statements.push(importer("The old importer", json!(legacy)));
    owner.put_key_policy(&stage.key, &document).await?;
    partner.root().iam().delete_role().role_name("Legacy").send().await?;
    let mut spec = stage.spec();
    merge(&mut spec, json!({"pruneForeignOrphans": true, "mode": "Observe"}));

    // When the spec has them pruned, but only observes, then they are left
    stage.share("orders", spec).await?;
    stage.says("orders", "Ready", "True", Reason::Observed).await?;
    stage.nothing_written().await?;

    // When it writes, then the key is shared, and of what others stated only the deleted role is gone
    stage.enforce("orders").await?;
    shared_after_all(&stage).await?;
    let mut wanted = before;
    wanted.push(importer("Both importers", json!(owner.root_arn())).to_string());
    wanted.sort();
    assert_eq!(foreign(&owner.key_policy(&stage.key).await?), wanted);
    Ok(())
}

#[tokio::test]
async fn a_role_without_room_for_a_policy_keeps_the_key_policy_as_it_is_too() -> Result<()> {
    let stage = Stage::new("aws").await?;
    let (owner, partner) = (&stage.owner.account, &stage.partner.account);
    let before = owner.key_policy(&stage.key).await?;
    let buckets: Vec<String> = (0..216).map(|n| format!("arn:aws:s3:::a-bucket-with-a-long-name-{n:04}")).collect();
    let large = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": buckets}]});
    partner.put_role_policy("ExampleRole", "large", &large).await?;

    let parts = [stage.role.as_str(), "10240", "\"large\"", "delegation: ManagedPolicy", "\"partner\""];
    refused(&stage, stage.spec(), Reason::DelegationQuotaExceeded, &parts).await?;
    assert_eq!(foreign(&owner.key_policy(&stage.key).await?), foreign(&before));
    denied(&stage.as_user().await?, &stage.probe().await?).await?;

    Hands::of(partner).delete_inline(&stage.role, "large").await?;
    shared_after_all(&stage).await
}

#[tokio::test]
async fn a_key_that_nobody_can_use_is_not_shared_until_somebody_can() -> Result<()> {
    let stage = Stage::new("aws").await?;
    let kms = stage.owner.account.root().in_region(&stage.key.region).kms();
    let id = &stage.key.id;

    kms.disable_key().key_id(id).send().await?;
    refused(&stage, stage.spec(), Reason::KeyDisabled, &[&stage.key.arn, "Disabled", "kms:EnableKey"]).await?;
    let drift = stage.drift("orders", DriftKind::KeyDisabled).await?;
    assert_eq!((drift.account.as_str(), drift.subject.as_str()), (stage.owner.account.id(), stage.key.arn.as_str()));

    kms.schedule_key_deletion().key_id(id).pending_window_in_days(7).send().await?;
    let message = stage.stalled("orders", Reason::KeyPendingDeletion).await?;
    says(&message, &[&stage.key.arn, "PendingDeletion", "it will be gone on 2", "kms:CancelKeyDeletion"])?;
    stage.drift("orders", DriftKind::KeyPendingDeletion).await?;
    stage.nothing_written().await?;

    kms.cancel_key_deletion().key_id(id).send().await?;
    stage.stalled("orders", Reason::KeyDisabled).await?;
    kms.enable_key().key_id(id).send().await?;
    shared_after_all(&stage).await
}

#[tokio::test]
async fn a_key_or_alias_that_does_not_exist_is_named() -> Result<()> {
    let stage = Stage::new("aws").await?;
    let nobody = stage.key.arn.replace(&stage.key.id, "00000000-0000-0000-0000-000000000000");
    let owner = stage.owner.account.id();
    let principals = || json!({"principals": [{"role": "ExampleRole"}]});

    let no_key = spec(&stage, json!({"arn": nobody}), principals());
    stage.share("no-key", no_key).await?;
    says(&stage.stalled("no-key", Reason::KeyNotFound).await?, &[&nobody, owner, "does not exist"])?;

    let by_alias = spec(&stage, json!({"alias": "alias/orders"}), principals());
    refused(&stage, by_alias, Reason::KeyNotFound, &["alias/orders", owner, &stage.key.region, "does not exist"])
        .await?;

    stage.owner.account.create_alias("alias/orders", &stage.key).await?;
    shared_after_all(&stage).await
}

#[tokio::test]
async fn a_key_of_aws_itself_cannot_be_shared() -> Result<()> {
    let stage = Stage::new("aws").await?;
    let kms = stage.owner.account.root().in_region(&stage.key.region).kms();
    let metadata = kms.describe_key().key_id("alias/aws/s3").send().await?.key_metadata.context("metadata")?;
    let arn = metadata.arn.context("an ARN")?;

    let spec = spec(&stage, json!({"arn": arn}), json!({"principals": [{"role": "ExampleRole"}]}));
    refused(&stage, spec, Reason::KeyNotShareable, &[&arn, "managed by AWS", "customer managed key"]).await
}

#[tokio::test]
async fn whom_kms_refuses_is_named_where_the_account_cannot_be_read() -> Result<()> {
    // Given a handoff to a role that does not exist, which nobody here can know
    let stage = Stage::new("aws").await?;
    let partner = &stage.partner.account;
    let sharing = json!({"sharing": {"trustedAccounts": [partner.id()]}});
    stage.patch_account(&stage.owner.name, sharing).await?;
    let mut handoff = stage.spec();
    handoff["consumers"] = json!([{"name": "partner", "accountId": partner.id(), "principals": [{"role": "Missing"}]}]);

    // When it is shared, then KMS refuses it, and the message names whom it can be about
    stage.share("orders", handoff).await?;
    let message = stage.stalled("orders", Reason::AwsRefused).await?;
    says(
        &message,
        &["kms:PutKeyPolicy", &stage.key.arn, "MalformedPolicyDocument", "one of: ", &partner.arn("role/Missing")],
    )?;
    let policy = stage.owner.account.key_policy(&stage.key).await?;
    ensure!(
        foreign(&policy).len() == policy["Statement"].as_array().map_or(0, Vec::len),
        "nothing is stored: {policy}"
    );

    // When the role is created there, then it is shared by itself
    partner.create_role("/", "Missing").await?;
    stage.ready("orders").await?;
    Ok(())
}
