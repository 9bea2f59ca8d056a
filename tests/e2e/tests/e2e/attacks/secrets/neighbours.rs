//! Two namespaces to which the same secrets are opened: the first that makes one has it.

use anyhow::{Context as _, Result, bail, ensure};
use futures::future::try_join;
use serde_json::json;
use sharedkey_api::{ABANDON, ExternalSecret, TAKE_OVER, conditions::Reason};
use sharedkey_e2e::{Glance, Hands, IN_ACCOUNTS, Stage, has, reads, says};
use sharedkey_harness::{aws::Calls, wait_for_object};

use super::vault::{Vault, standing};

/// Another team's value.
const THEIRS: &[u8] = b"hidden-from-logs: value of another team";
/// How often two objects run for one secret.
const ROUNDS: usize = 4;

/// Another team's namespace, to which the same is opened, with a value of its own.
async fn neighbour(vault: &Vault) -> Result<Stage> {
    let mut stage = Stage::new("aws").await?;
    let namespaces = json!({"names": [vault.stage.namespace, stage.namespace]});
    let everything =
        json!({"allow": [{"namespaces": namespaces, "keys": ["*"], "principals": ["*"], "secrets": ["team/*"]}]});
    for side in [&vault.stage.owner, &vault.stage.partner] {
        vault.patch_account(&side.name, everything.clone()).await?;
    }
    stage.key = vault.stage.key.clone();
    stage.grant_secrets().await?;
    stage.put_kubernetes_secret("source", &[("password", THEIRS)]).await?;
    stage.share("orders", vault.spec()).await?;
    stage.ready("orders").await?;
    Ok(stage)
}

fn arn(secret: &ExternalSecret) -> Result<String> {
    secret.status.as_ref().and_then(|status| status.secret_arn.clone()).context("status names the secret")
}

#[tokio::test]
async fn a_secret_of_another_namespace_is_left_alone_whatever_is_stated_and_annotated() -> Result<()> {
    // Given another team's secret
    let vault = Vault::lay().await?;
    let neighbour = neighbour(&vault).await?;
    neighbour.keep_secret("db", vault.secret(json!({"tags": {"stage": "production"}}))).await?;
    let secret = arn(&neighbour.secret_ready("db").await?)?;
    let before = standing(&vault.stage.owner.account, &secret).await?;

    // When an object of the same name would take it over, read it and delete it
    let theirs = json!({
        "adopt": "IfExists", "deletionPolicy": "Delete", "recoveryWindowDays": 7, "restoreDeleted": true,
        "target": {"name": "copy", "key": "all"},
    });
    vault.stage.keep_secret("db", vault.secret(theirs)).await?;
    for annotation in [TAKE_OVER, ABANDON] {
        vault.stage.annotate_secret("db", annotation, "true").await?;
    }
    let reason = Reason::SecretOwnedElsewhere;
    says(&vault.stage.secret_stalled("db", reason.as_ref()).await?, &["secretName", "another ExternalSecret"])?;

    // Then it is refused, hears nothing of the other one, and takes nothing with it when it goes
    let unknown = [neighbour.namespace.clone(), "production".to_owned()];
    vault.stage.look_at_secret("db").await?;
    vault.tells_none_of("db", &unknown).await?;
    ensure!(vault.stage.kubernetes_secrets().get_opt("copy").await?.is_none(), "the value was written to a target");
    vault.stage.delete_secret("db").await?;
    ensure!(standing(&vault.stage.owner.account, &secret).await? == before, "another team's secret was changed");
    let status = neighbour.look_at_secret("db").await?;
    ensure!(status.last_correction.is_none() && has(&status, "Ready", "True"), "{status:#?}");
    ensure!(Glance::at(&vault.stage.as_role().await?, &secret).await?.shows(THEIRS), "it is read as before");
    vault.holds().await
}

#[tokio::test]
async fn who_only_watches_a_secret_of_another_namespace_is_not_told_whose_it_is() -> Result<()> {
    // Given another team's secret
    let vault = Vault::lay().await?;
    let neighbour = neighbour(&vault).await?;
    neighbour.keep_secret("theirs", vault.secret(json!({}))).await?;
    let secret = arn(&neighbour.secret_ready("theirs").await?)?;
    let before = standing(&vault.stage.owner.account, &secret).await?;

    // When an object that only watches asks for everything that could differ
    let watched = json!({
        "mode": "Observe", "adopt": "IfExists", "description": "x", "tags": {"stage": "x"}, "target": {"name": "copy", "key": "all"},
    });
    vault.stage.keep_secret("db", vault.secret(watched)).await?;
    vault.stage.wait_secret("db", "observed", |status| !status.conditions.is_empty()).await?;
    vault.stage.look_at_secret("db").await?;

    // Then neither the other object nor the value is told, and nothing is written
    vault.tells_none_of("db", &[neighbour.namespace.clone(), "theirs".to_owned()]).await?;
    ensure!(vault.stage.kubernetes_secrets().get_opt("copy").await?.is_none(), "the value was written to a target");
    vault.stage.delete_secret("db").await?;
    ensure!(standing(&vault.stage.owner.account, &secret).await? == before, "another team's secret was changed");
    vault.holds().await
}

#[tokio::test]
async fn of_two_objects_that_make_one_secret_at_once_one_has_it() -> Result<()> {
    // Given two namespaces that ask for one secret at the same moment, and both would take it over and delete it
    let vault = Vault::lay().await?;
    let neighbour = neighbour(&vault).await?;
    let spec = vault.secret(json!({"deletionPolicy": "Delete"}));
    try_join(vault.stage.keep_secret("db", spec.clone()), neighbour.keep_secret("db", spec)).await?;

    // Then one makes it, and the other one is told that it is not its own
    let (first, second) = try_join(decided(&vault.stage, "db"), decided(&neighbour, "db")).await?;
    let (winner, loser) = match (first, second) {
        (true, false) => (&vault.stage, &neighbour),
        (false, true) => (&neighbour, &vault.stage),
        both => bail!("one of them has it: {both:?}"),
    };
    let made = Calls::all().account(&vault.stage.owner.account).operation("CreateSecret").result("OK");
    let role = vault.stage.as_role().await?;
    let secret = arn(&winner.secrets().get("db").await?)?;
    let value = match Glance::at(&role, &secret).await? {
        Glance::Value(value) => value,
        denied => bail!("{denied:?}"),
    };
    // The administrator has made one beside them.
    ensure!(vault.stage.home.world.aws.count(&made.principal(IN_ACCOUNTS)).await? == 1, "made once");

    // And when that one goes, the secret stays, with the value of the one that has it
    loser.delete_secret("db").await?;
    ensure!(Glance::at(&role, &secret).await?.shows(&value), "it is read as before");
    let status = winner.look_at_secret("db").await?;
    ensure!(status.last_correction.is_none() && has(&status, "Ready", "True"), "{status:#?}");
    vault.holds().await
}

#[tokio::test]
async fn of_two_objects_that_take_over_one_secret_at_once_one_has_it() -> Result<()> {
    // Given secrets that are nobody's, and two namespaces that would take over each at the same moment, and read it
    let vault = Vault::lay().await?;
    let neighbour = neighbour(&vault).await?;
    let account = &vault.stage.owner.account;
    let client = account.root().in_region(&vault.stage.key.region).secrets_manager();
    for round in 0..ROUNDS {
        let (object, name) = (format!("db-{round}"), format!("team/nobodys/{round}"));
        client
            .create_secret()
            .name(&name)
            .kms_key_id(&vault.stage.key.arn)
            .secret_string("hidden-from-logs: nobodys")
            .send()
            .await?;
        let policy = if round % 2 == 0 { "Retain" } else { "Delete" };
        let mut spec = vault.secret(json!({
            "secretName": name, "adopt": "IfExists", "target": {"name": object, "key": "all"}, "deletionPolicy": policy,
        }));
        spec.as_object_mut().map(|fields| fields.remove("source"));
        try_join(vault.stage.keep_secret(&object, spec.clone()), neighbour.keep_secret(&object, spec)).await?;

        // Then one has it, and the other one has not read its value
        let (first, second) = try_join(decided(&vault.stage, &object), decided(&neighbour, &object)).await?;
        ensure!(first != second, "one of them has it: {first} {second}");
        for (stage, has_it) in [(&vault.stage, first), (&neighbour, second)] {
            let target = stage.kubernetes_secrets().get_opt(&object).await?;
            ensure!(target.is_some() == has_it, "the value is in {}", stage.namespace);
            let status = stage.look_at_secret(&object).await?;
            ensure!(has(&status, "Ready", "True") == has_it, "{status:#?}");
        }

        // And no role has a policy for it
        let (winner, loser) = if first { (&vault.stage, &neighbour) } else { (&neighbour, &vault.stage) };
        let policies = Hands::of(&vault.stage.partner.account).inline(&vault.stage.role).await?;
        let of_loser = format!("@{}@secret={object}@", loser.namespace);
        ensure!(!policies.keys().any(|name| name.contains(&of_loser)), "{policies:?}");

        // And when it goes, nothing is written to the secret
        let secret = arn(&winner.secrets().get(&object).await?)?;
        let before = (standing(account, &secret).await?, writes(&vault, &name).await?);
        loser.delete_secret(&object).await?;
        let after = (standing(account, &secret).await?, writes(&vault, &name).await?);
        ensure!(after == before, "{policy}: {after:?}, not {before:?}");
        let status = winner.look_at_secret(&object).await?;
        ensure!(status.last_correction.is_none() && has(&status, "Ready", "True"), "{status:#?}");
    }
    vault.holds().await
}

/// The writes of the operator to a secret of the owner.
async fn writes(vault: &Vault, name: &str) -> Result<Vec<String>> {
    let calls = Calls::all().account(&vault.stage.owner.account).principal(IN_ACCOUNTS).service("secretsmanager");
    let calls = vault.stage.home.world.aws.log(&calls.resource(&format!("*{name}*")), 0).await?;
    Ok(calls.into_iter().map(|call| call.operation).filter(|operation| !reads(operation)).collect())
}

/// Whether an object has the secret; otherwise it is refused.
async fn decided(stage: &Stage, object: &str) -> Result<bool> {
    let ready = |secret: &ExternalSecret| {
        let conditions = secret.status.iter().flat_map(|status| &status.conditions);
        let ready = conditions.into_iter().find(|condition| condition.type_ == "Ready")?;
        match (ready.status.as_str(), ready.reason.as_str()) {
            ("True", _) => Some(true),
            ("False", reason) if reason == Reason::SecretOwnedElsewhere.as_ref() => Some(false),
            _ => None,
        }
    };
    let decided = |secret: &ExternalSecret| ready(secret).is_some();
    let secret = wait_for_object(&stage.secrets(), object, "decided", sharedkey_e2e::DEADLINE, decided).await?;
    ready(&secret).context("it was decided a moment ago")
}
