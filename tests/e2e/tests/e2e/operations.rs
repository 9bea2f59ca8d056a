//! What whoever runs the operator sees of it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sharedkey_api::{DriftKind, FLUX_REQUESTED_AT, conditions::Reason};
use sharedkey_e2e::{Stage, key_document, operator};
use strum::IntoEnumIterator as _;

#[tokio::test]
async fn metrics_count_reconciles_and_calls_and_show_drift_without_names() -> Result<()> {
    // Given an object in Observe mode whose key was never shared
    let service = operator().await?;
    let stage = Stage::new("aws").await?;
    let mut spec = stage.spec();
    spec["mode"] = json!("Observe");
    stage.share("orders", spec).await?;
    stage.drift("orders", DriftKind::StatementMissing).await?;

    // Then health says yes, and metrics say how much of what
    assert_eq!(service.operator.get("/healthz").await?, "ok\n");
    assert_eq!(service.operator.get("/readyz").await?, "ok\n");
    let metrics = service.operator.metrics().await?;
    for (name, labels) in [
        ("sharedkey_reconciles_total", &[("kind", "SharedKey"), ("result", "ok")][..]),
        ("sharedkey_reconciles_total", &[("kind", "AwsAccount"), ("result", "ok")]),
        ("sharedkey_reconcile_duration_seconds_count", &[("kind", "SharedKey")]),
        ("sharedkey_status_writes_total", &[("kind", "SharedKey")]),
        ("sharedkey_aws_calls_total", &[("service", "kms"), ("operation", "GetKeyPolicy"), ("result", "ok")]),
        ("sharedkey_aws_calls_total", &[("service", "iam"), ("operation", "GetRole"), ("result", "ok")]),
        ("sharedkey_aws_calls_total", &[("service", "sts"), ("operation", "AssumeRole"), ("result", "ok")]),
        ("sharedkey_aws_call_duration_seconds_count", &[("service", "kms"), ("operation", "GetKeyPolicy")]),
        ("sharedkey_drift", &[("layer", "keyPolicy"), ("kind", "StatementMissing")]),
        ("sharedkey_drift", &[("layer", "delegation"), ("kind", "PolicyMissing")]),
        ("sharedkey_objects", &[("kind", "SharedKey"), ("ready", "True")]),
    ] {
        ensure!(metrics.sum(name, labels) >= 1.0, "{name}{labels:?} should count something");
    }
    for kind in DriftKind::iter() {
        let layer = kind.layer();
        let labels = [("layer", layer.as_ref()), ("kind", kind.as_ref())];
        assert_eq!(metrics.find("sharedkey_drift", &labels).count(), 1, "there is a gauge for {kind} of {layer}");
    }

    // And no label is as many as there are names
    let text = service.operator.get("/metrics").await?;
    for name in [stage.owner.account.id(), stage.partner.account.id(), &stage.namespace, "orders", &stage.key.id] {
        ensure!(!text.contains(name), "{name} should not be in the metrics");
    }
    Ok(())
}

#[tokio::test]
async fn drift_that_ends_leaves_the_gauges() -> Result<()> {
    // Given a kind of drift that no other story has
    let stage = Stage::new("aws").await?;
    let (aws, operator) = (&stage.home.world.aws, &operator().await?.operator);
    let gauge = async || {
        let metrics = operator.metrics().await?;
        anyhow::Ok(metrics.sum("sharedkey_drift", &[("kind", "KeyUnavailable")]).to_string())
    };
    stage.share("orders", stage.spec()).await?;
    stage.ready("orders").await?;
    assert_eq!(gauge().await?, "0");

    // When the key's store is out of reach for a while, then the gauge shows it for as long
    aws.set_key_state(&stage.key, "Unavailable").await?;
    stage.drift("orders", DriftKind::KeyUnavailable).await?;
    stage.says("orders", "Ready", "False", Reason::KeyUnavailable).await?;
    stage.look("orders").await?;
    assert_eq!(gauge().await?, "1");
    aws.set_key_state(&stage.key, "Enabled").await?;
    stage.ready("orders").await?;
    stage.look("orders").await?;
    assert_eq!(gauge().await?, "0");
    Ok(())
}

/// Type and reason of the events of an object, in order.
async fn told(stage: &Stage) -> Result<Vec<(String, String)>> {
    let events = stage.events("orders").await?.into_iter();
    Ok(events.map(|event| (event.type_.unwrap_or_default(), event.reason.unwrap_or_default())).collect())
}

#[tokio::test]
async fn events_tell_transitions_once() -> Result<()> {
    // Given a key that is shared and looked at again and again
    let stage = Stage::new("aws").await?;
    stage.share("orders", stage.spec()).await?;
    stage.ready("orders").await?;
    stage.look("orders").await?;
    let normal = |reason: &str| ("Normal".to_owned(), reason.to_owned());
    let warning = |reason: &str| ("Warning".to_owned(), reason.to_owned());
    assert_eq!(told(&stage).await?, [normal("Succeeded")]);

    // When its statement is deleted and put back, then that is told, once
    stage.owner.account.put_key_policy(&stage.key, &key_document(&stage.owner.account)).await?;
    stage.healed("orders", DriftKind::StatementMissing).await?;
    stage.look("orders").await?;
    stage.look("orders").await?;
    assert_eq!(told(&stage).await?, [normal("Succeeded"), normal("CorrectedStatementMissing")]);

    // When the same happens in Observe mode, then it is drift, once, however long it lasts
    stage.patch("orders", json!({"spec": {"mode": "Observe"}})).await?;
    stage.says("orders", "Ready", "True", Reason::Observed).await?;
    stage.owner.account.put_key_policy(&stage.key, &key_document(&stage.owner.account)).await?;
    stage.drift("orders", DriftKind::StatementMissing).await?;
    stage.look("orders").await?;
    stage.look("orders").await?;
    let observed = [normal("Observed"), warning("StatementMissing")];
    assert_eq!(told(&stage).await?[2..], observed);

    // When the key is disabled, then that is a warning of its own, and readiness ends
    let kms = stage.owner.account.root().in_region(&stage.key.region).kms();
    kms.disable_key().key_id(&stage.key.id).send().await?;
    stage.says("orders", "Ready", "False", Reason::KeyDisabled).await?;
    stage.look("orders").await?;
    let last: BTreeSet<_> = told(&stage).await?.split_off(4).into_iter().collect();
    assert_eq!(last, BTreeSet::from([warning("KeyDisabled")]));
    Ok(())
}

#[tokio::test]
async fn the_log_is_json_and_holds_no_secret() -> Result<()> {
    let service = operator().await?;
    let stage = Stage::new("aws").await?;
    stage.share("orders", stage.spec()).await?;
    stage.ready("orders").await?;
    // What is logged of a reconcile comes after its status, and before the next one.
    stage.look("orders").await?;

    let log = service.operator.log()?;
    // The last line may be half written.
    let (lines, _) = log.rsplit_once('\n').context("something was logged")?;
    let parsed = lines.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned()));
    let entries: Vec<Value> = parsed.collect::<Result<_>>()?;
    let tells = |entry: &&Value| {
        entry["fields"]["object.namespace"] == json!(stage.namespace) && entry["fields"]["message"] == "status changed"
    };
    let change = entries.iter().find(tells).context("it says that status changed")?;
    let fields = &change["fields"];
    assert_eq!(
        (fields["object.name"].as_str(), fields["key.arn"].as_str()),
        (Some("orders"), Some(stage.key.arn.as_str()))
    );
    ensure!(
        entries.iter().all(|entry| ["timestamp", "level", "target"].iter().all(|field| entry[field].is_string())),
        "each has them"
    );
    ensure!(!log.contains("external-id-of-the-tests"), "an external id is a secret");
    Ok(())
}

#[tokio::test]
async fn kubectl_shows_at_a_glance_how_things_are() -> Result<()> {
    let stage = Stage::new("aws").await?;
    stage.share("orders", stage.spec()).await?;
    stage.ready("orders").await?;
    let control_plane = &stage.home.world.control_plane;
    let rows = |args: &[&str]| -> Result<Vec<Vec<String>>> {
        let text = control_plane.kubectl(&[&["get", "--namespace", &stage.namespace], args].concat())?;
        Ok(text
            .lines()
            .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect())
            .collect())
    };

    let [header, row] = &rows(&["shk"])?[..] else { panic!("one object") };
    assert_eq!(header, &["NAME", "READY", "INSYNC", "DRIFT", "KEY", "ACCOUNT", "AGE"]);
    assert_eq!(row[..6], ["orders", "True", "True", "0", &stage.key.arn, &stage.owner.name]);

    let [header, row] = &rows(&["sharedkeys", "--output", "wide"])?[..] else { panic!("one object") };
    assert_eq!(header[7..], ["MODE", "REGION", "KEYSTATE", "KEYARN", "SUSPENDED", "MESSAGE"]);
    assert_eq!(
        row[7..],
        ["Enforce", &stage.key.region, "Enabled", &stage.key.arn, "false", "both halves are in place"]
    );

    let [_, row] = &rows(&["awsacct", &stage.owner.name])?[..] else { panic!("one account") };
    ensure!(row.contains(&"True".to_owned()) && row.contains(&stage.owner.account.id().to_owned()), "{row:?}");
    Ok(())
}

#[tokio::test]
async fn a_look_can_be_asked_for_and_is_acknowledged() -> Result<()> {
    let stage = Stage::new("aws").await?;
    stage.share("orders", stage.spec()).await?;
    stage.ready("orders").await?;
    stage.look("orders").await?;
    let ours = stage.status("orders").await?.last_handled_reconcile_at.context("it is acknowledged")?;

    // Flux asks in its own words. Ours come first, so they are taken away.
    stage.patch("orders", json!({"metadata": {"annotations": {"sharedkey.dev/reconcile-requested-at": null}}})).await?;
    stage.annotate("orders", FLUX_REQUESTED_AT, "by-flux").await?;
    stage
        .wait("orders", "acknowledged to Flux", |status| status.last_handled_reconcile_at.as_deref() == Some("by-flux"))
        .await?;
    ensure!(ours != "by-flux");
    Ok(())
}
