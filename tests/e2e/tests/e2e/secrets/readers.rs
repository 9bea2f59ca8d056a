//! Who may be a reader, and what others state in the resource policy.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sharedkey_api::{DriftKind, ReaderStatus};
use sharedkey_e2e::{DEADLINE, Glance, Hands, IN_ACCOUNTS, has, merge, says, told};
use sharedkey_harness::{aws::Fault, wait_for};

use super::{Scene, allowed, arn, denied, names};

/// The only reader of a secret's status.
async fn reader(scene: &Scene) -> Result<ReaderStatus> {
    let secret = scene.stage.secret_ready("db").await?;
    let mut readers = secret.status.unwrap_or_default().readers;
    ensure!(readers.len() == 1, "{readers:?}");
    readers.pop().context("there is one")
}

#[tokio::test]
async fn users_and_principals_by_their_arn_are_readers_as_well() -> Result<()> {
    let scene = Scene::new("aws").await?;
    let who = [scene.stage.as_user().await?, scene.stage.as_role().await?];
    let principals = json!([{"user": "team/ExampleUser"}, {"arn": scene.stage.role}]);
    let readers =
        json!([{"name": "partner", "accountRef": {"name": scene.stage.partner.name}, "principals": principals}]);
    scene.stage.keep_secret("db", scene.owners(json!({"readers": readers}))).await?;
    let secret = arn(&scene.stage.secret_ready("db").await?)?;
    allowed(&who, &secret).await?;
    let told: Vec<String> = reader(&scene).await?.principals.into_iter().map(|principal| principal.arn).collect();
    ensure!(told == [scene.stage.user.clone(), scene.stage.role.clone()], "{told:?}");
    scene.stage.keep_secret("db", scene.owners(json!({}))).await?;
    scene.stage.secret_ready("db").await?;
    denied(&who, &secret).await
}

#[tokio::test]
async fn readers_by_a_managed_policy_read_until_they_leave_and_nothing_of_it_is_left() -> Result<()> {
    // Given a role and a user of the partner that read by a managed policy
    let scene = Scene::new("aws-cn").await?;
    let (stage, partner) = (&scene.stage, &scene.stage.partner);
    let spec = scene.owners(json!({"readers": [{
        "name": "partner", "accountRef": {"name": partner.name}, "delegation": "ManagedPolicy",
        "principals": [{"role": "ExampleRole"}, {"user": "team/ExampleUser"}],
    }]}));
    stage.keep_secret("db", spec.clone()).await?;
    let secret = arn(&stage.secret_ready("db").await?)?;
    let policy = partner.account.arn(&format!("policy/{}", names(stage, "db")?.policy_name("partner")));
    let (who, entities) = ([stage.as_role().await?, stage.as_user().await?], [&stage.role, &stage.user]);
    allowed(&who, &secret).await?;
    let hands = Hands::of(&partner.account);
    for entity in entities {
        ensure!(hands.attached(entity).await?.contains(&policy), "{entity} has no {policy}");
        ensure!(!hands.inline(entity).await?.keys().any(|name| name.contains("@secret=db@")), "{entity} has another");
    }

    // When the partner's administrators delete it, then it is named
    stage.observe_secret("db").await?;
    for entity in entities {
        hands.detach(entity, &policy).await?;
    }
    hands.delete_policy(&policy).await?;
    let drift = stage.secret_drift("db", DriftKind::PolicyMissing).await?;
    ensure!(drift.subject == policy && drift.account == partner.account.id(), "{drift:?}");
    says(&drift.message, &["cannot read the secret"])?;
    says(drift.principal.as_deref().unwrap_or_default(), &[&stage.role, &stage.user])?;
    denied(&who, &secret).await?;

    // And healed as soon as it may be
    stage.patch_secret("db", json!({"spec": {"mode": "Enforce"}})).await?;
    stage.secret_healed("db", DriftKind::PolicyMissing).await?;
    stage.secret_ready("db").await?;
    allowed(&who, &secret).await?;

    // When the reader leaves the spec, and when the object goes, then nobody reads, and neither attachment nor policy is left
    let is_gone = async || {
        denied(&who, &secret).await?;
        for entity in entities {
            let attached = hands.attached(entity).await?;
            ensure!(!attached.contains(&policy), "{entity} still has {policy}");
        }
        ensure!(hands.versions(&policy).await?.is_none(), "{policy} is still there");
        Ok(())
    };
    stage.keep_secret("db", scene.owners(json!({}))).await?;
    stage.secret_ready("db").await?;
    is_gone().await?;
    stage.keep_secret("db", spec).await?;
    stage.secret_ready("db").await?;
    allowed(&who, &secret).await?;
    stage.delete_secret("db").await?;
    is_gone().await
}

#[tokio::test]
async fn an_account_that_the_operator_cannot_enter_attaches_its_half_itself() -> Result<()> {
    let scene = Scene::new("aws-cn").await?;
    let stage = &scene.stage;
    let (partner, who) = (&stage.partner.account, [stage.as_role().await?]);
    let trusted = json!({"sharing": {"allowAccountScope": true, "trustedAccounts": [partner.id()]}});
    let readers = json!([{"name": "partner", "accountId": partner.id(), "principals": [{"role": "ExampleRole"}]}]);
    stage.keep_secret("db", scene.owners(json!({"readers": readers}))).await?;
    let message = stage.secret_stalled("db", "SharingNotAllowed").await?;
    says(&message, &["trustedAccounts", partner.id()])?;

    // Once the owner lists the account, its half is written, and status has the other
    stage.patch_account(&stage.owner.name, trusted).await?;
    let secret = arn(&stage.secret_ready("db").await?)?;
    denied(&who, &secret).await?;
    let reader = reader(&scene).await?;
    let policy: Value = serde_json::from_str(reader.handoff_policy.as_deref().unwrap_or_default())?;
    partner.put_role_policy("ExampleRole", "from-the-owner", &policy).await?;
    allowed(&who, &secret).await?;

    // And the owner's half is enough to end it
    stage.delete_secret("db").await?;
    denied(&who, &secret).await
}

#[tokio::test]
async fn a_statement_of_others_that_opens_the_secret_to_all_keeps_us_from_writing_and_is_told() -> Result<()> {
    let scene = Scene::new("aws").await?;
    let stage = &scene.stage;
    stage.keep_secret("db", scene.owners(json!({}))).await?;
    let secret = arn(&stage.secret_ready("db").await?)?;
    let client = stage.owner.account.root().in_region(&stage.key.region).secrets_manager();
    let public = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "ForAll", "Effect": "Allow", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*",
    }]});
    client.put_resource_policy().secret_id(&secret).resource_policy(public.to_string()).send().await?;
    stage.keep_secret("db", scene.owners(scene.readers())).await?;
    let refused = |status: &_| has(status, "SecretApplied", "False");
    let object = stage.wait_secret("db", "SecretApplied=False", refused).await?;
    let message = told(object.status.as_ref().context("it has a status")?, "SecretApplied", "AwsRefused")?;
    says(&message, &["secretsmanager:PutResourcePolicy", "PublicPolicyException", &secret])?;

    // Once it is gone, everybody gets in who is to
    client.delete_resource_policy().secret_id(&secret).send().await?;
    stage.secret_ready("db").await?;
    allowed(&scene.both().await?, &secret).await
}

#[tokio::test]
async fn who_leaves_is_out_although_something_else_cannot_be_written() -> Result<()> {
    for (operation, fields) in [
        ("TagResource", json!({"tags": {"team": "orders"}})),
        ("UpdateSecret", json!({"description": "of the orders"})),
    ] {
        // Given two readers of one name, for whom the secret's policy is enough
        let scene = Scene::new("aws").await?;
        let (stage, owner) = (&scene.stage, &scene.stage.owner.account);
        owner.create_role("/", "Stays").await?;
        stage.share("orders", stage.spec_for_secrets(&["Reader", "Stays"])).await?;
        stage.ready("orders").await?;
        let readers =
            |principals| json!([{"name": "owner", "accountRef": {"name": stage.owner.name}, "principals": principals}]);
        let both = readers(json!([{"role": "Reader"}, {"role": "Stays"}]));
        stage.keep_secret("db", scene.owners(json!({"readers": both}))).await?;
        let secret = arn(&stage.secret_ready("db").await?)?;
        let reader = owner.as_role(&scene.reader).await?;
        allowed(std::slice::from_ref(&reader), &secret).await?;

        // When one of them leaves together with a change that AWS refuses, then he is out all the same
        let refused = Fault::error("AccessDeniedException", "not this one").operation(operation).account(owner);
        let refused = stage.home.world.aws.inject(&refused.principal(IN_ACCOUNTS)).await?;
        let mut spec = scene.owners(fields);
        spec["readers"] = readers(json!([{"role": "Stays"}]));
        stage.keep_secret("db", spec).await?;
        wait_for("the end of his access", DEADLINE, async || {
            let glance = Glance::at(&reader, &secret).await?;
            ensure!(glance.is_denied(), "{operation}: {glance:?}");
            Ok(())
        })
        .await?;
        ensure!(stage.home.world.aws.fault_hits(refused).await? > 0, "{operation} was not refused");

        // And what was refused is made when it may be
        stage.home.world.aws.remove_fault(refused).await?;
        stage.secret_ready("db").await?;
    }
    Ok(())
}

#[tokio::test]
async fn who_is_not_let_in_by_the_owner_is_given_nothing_in_his_own_account() -> Result<()> {
    // Given a secret that nobody reads
    let scene = Scene::new("aws-cn").await?;
    let (stage, aws) = (&scene.stage, &scene.stage.home.world.aws);
    stage.keep_secret("db", scene.owners(json!({}))).await?;
    let secret = arn(&stage.secret_ready("db").await?)?;
    let who = [stage.as_role().await?];
    for (operation, fields) in [
        ("TagResource", json!({"tags": {"team": "orders"}})),
        ("UpdateSecret", json!({"description": "of the orders"})),
    ] {
        // When a role of the partner is to read it, together with a change that AWS refuses in the owner's account
        let refused = Fault::error("AccessDeniedException", "not this one").operation(operation);
        let refused = aws.inject(&refused.account(&stage.owner.account).principal(IN_ACCOUNTS)).await?;
        let mut spec = scene.owners(fields.clone());
        merge(&mut spec, scene.reader());
        stage.keep_secret("db", spec).await?;
        wait_for("a refusal", DEADLINE, async || {
            ensure!(aws.fault_hits(refused).await? > 0, "{operation} was not refused");
            Ok(())
        })
        .await?;
        stage.look_at_secret("db").await?;

        // Then the role has no policy for it
        let policies = Hands::of(&stage.partner.account).inline(&stage.role).await?;
        ensure!(!policies.keys().any(|name| name.contains("@secret=db@")), "{operation}: {policies:?}");
        denied(&who, &secret).await?;

        // And when AWS takes the change, it reads the secret
        aws.remove_fault(refused).await?;
        stage.secret_ready("db").await?;
        allowed(&who, &secret).await?;
        stage.keep_secret("db", scene.owners(fields)).await?;
        stage.secret_ready("db").await?;
        denied(&who, &secret).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_a_write_of_the_policy_undid_of_others_is_named() -> Result<()> {
    // Given a write of the policy that AWS takes its time for, and a reading beside it
    let scene = Scene::new("aws-cn").await?;
    let (stage, aws) = (&scene.stage, &scene.stage.home.world.aws);
    let by_operator = |seconds: u64, operation: &str| {
        let fault = Fault::hang(Duration::from_secs(seconds)).operation(operation).account(&stage.owner.account);
        fault.principal(IN_ACCOUNTS).times(1)
    };
    let write = aws.inject(&by_operator(4, "PutResourcePolicy")).await?;
    // Before it come those before and after the secret is made, and two before the write.
    let beside = aws.inject(&by_operator(2, "GetResourcePolicy").skip(4)).await?;
    stage.keep_secret("db", scene.owners(scene.readers())).await?;
    wait_for("both calls to be under way", DEADLINE, async || {
        let hits = [aws.fault_hits(write).await?, aws.fault_hits(beside).await?];
        ensure!(hits == [1, 1], "{hits:?}");
        Ok(())
    })
    .await?;

    // When somebody adds a statement at this moment
    let client = stage.secrets_manager(&stage.owner.account);
    let auditors = json!({"Sid": "Auditors", "Effect": "Allow", "Principal": {"AWS": stage.owner.account.root_arn()},
        "Action": "secretsmanager:DescribeSecret", "Resource": "*"});
    let policy = json!({"Version": "2012-10-17", "Statement": [auditors]}).to_string();
    client.put_resource_policy().secret_id(super::OWNERS).resource_policy(policy).send().await?;

    // Then the write undoes it, and an event names it
    let secret = arn(&stage.secret_ready("db").await?)?;
    let policy = client.get_resource_policy().secret_id(&secret).send().await?.resource_policy.context("a policy")?;
    ensure!(!policy.contains("Auditors"), "nothing was lost: {policy}");
    let lost = wait_for("an event", DEADLINE, async || {
        let events = stage.events("db").await?;
        let event = events.into_iter().find(|event| event.reason.as_deref() == Some("ForeignStatementLost"));
        event.and_then(|event| event.note).context("there is none")
    })
    .await?;
    says(&lost, &["Auditors", "secretsmanager:DescribeSecret", &secret, "has to state them again"])?;
    allowed(&scene.both().await?, &secret).await
}
