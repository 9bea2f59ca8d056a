//! ExternalSecrets of every shape: two calls to Secrets Manager for each secret and sweep, and never its value.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use kube::{ResourceExt as _, api::ListParams};
use serde_json::{Value, json};
use sharedkey_e2e::{Glance, History, Service, Stage, merge, reconciles, statuses_written, told};
use sharedkey_harness::wait_for;

use crate::{ALONE, BUSY, INTERVAL, LONGEST, SWEEPS, asked, by_operator, is_about};

const KINDS: [&str; 2] = ["ExternalSecret", "SharedKey"];
const VALUE: &[u8] = b"hidden-from-logs: correct horse battery staple";

/// What one sweep of five secrets asks for each of them alone.
const THEIR_OWN: [(&str, u32); 2] = [("DescribeSecret", 5), ("GetResourcePolicy", 5)];
/// What one sweep of five secrets and their SharedKey asks beside that, were nothing shared: the key; two readers of two secrets, and
/// the four roles and the user of the SharedKey, with two or three inline policies each.
const AT_MOST: [(&str, u32); 11] = [
    ("DescribeKey", 6),
    ("GetKeyPolicy", 6),
    ("GetRole", 8),
    ("GetRolePolicy", 17),
    ("GetUser", 1),
    ("GetUserPolicy", 2),
    ("ListAttachedRolePolicies", 8),
    ("ListAttachedUserPolicies", 1),
    ("ListGroupsForUser", 1),
    ("ListRolePolicies", 8),
    ("ListUserPolicies", 1),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_quiet_sweeps_of_secrets_write_nothing_and_read_no_value() -> Result<()> {
    let _alone = ALONE.lock().await;
    // Given secrets of every shape in both accounts
    let service = Service::start(INTERVAL, &[]).await?;
    let stage = Stage::on(&service.home, "aws-cn").await?.keeping_secrets().await?;
    let reader = stage.owner.account.create_role("/", "Reader").await?;
    stage.grant_secrets().await?;
    stage.put_kubernetes_secret("source", &[("password", VALUE)]).await?;
    stage.share("orders", stage.spec_for_secrets(&["Reader"])).await?;
    stage.ready("orders").await?;
    stage.create_as_user("quickstart/watched", VALUE).await?;
    let seen = History::from_now_on(stage.secrets());
    let objects = objects(&stage);
    try_join_all(objects.iter().map(|(name, spec)| stage.keep_secret(name, spec.clone()))).await?;
    let is_observed = |spec: &Value| spec["mode"] == "Observe";
    try_join_all(objects.iter().map(async |(name, spec)| {
        if is_observed(spec) {
            return stage.wait_secret(name, "Observed", |status| told(status, "Ready", "Observed").is_ok()).await;
        }
        stage.secret_ready(name).await
    }))
    .await?;
    stage.ready("orders").await?;
    let reader = stage.owner.account.as_role(&reader).await?;
    for (name, side) in [("read", &stage.owner), ("external", &stage.partner)] {
        let arn = stage.secrets().get(name).await?.status.and_then(|status| status.secret_arn).unwrap_or_default();
        let shown = Glance::at(&reader, &arn).await?.shows(VALUE);
        ensure!(shown, "Reader reads secret {name} of account {}", side.account.id());
    }

    // When each has been swept a thousand times
    let before = versions(&stage).await?;
    let start = service.operator.metrics().await?;
    service.home.world.aws.forget(&by_operator()).await?;
    let count = f64::from(u32::try_from(objects.len())?);
    let sweeps = wait_for("a thousand sweeps", LONGEST, async || {
        let sweeps = (reconciles(&service.operator.metrics().await?, KINDS[0]) - reconciles(&start, KINDS[0])) / count;
        ensure!(sweeps >= f64::from(SWEEPS), "{sweeps} sweeps");
        Ok(sweeps)
    })
    .await?;

    // Then nothing was ever drift, and neither statuses nor targets nor secrets were written
    seen.no_drift()?;
    let end = service.operator.metrics().await?;
    for kind in KINDS {
        let written = statuses_written(&end, kind) - statuses_written(&start, kind);
        ensure!(written < 0.5, "{written} statuses of a {kind} were written");
    }
    assert_eq!(versions(&stage).await?, before);

    // And AWS was asked what the docs say: no value, no list of versions, and no write
    let mut asked = asked(&stage).await?;
    for (operation, times) in THEIR_OWN {
        let in_a_sweep = asked.remove(operation).unwrap_or_default() / sweeps;
        ensure!(is_about(in_a_sweep, times), "{operation}: {in_a_sweep} calls in a sweep instead of {times}");
    }
    assert_eq!(asked.keys().collect::<Vec<_>>(), AT_MOST.map(|(operation, _)| operation));
    // The SharedKey may have been swept more often than the secrets, for which AWS gives no more turns.
    let often = sweeps.max(reconciles(&end, KINDS[1]) - reconciles(&start, KINDS[1]));
    for (operation, most) in AT_MOST {
        let in_a_sweep = asked[operation] / often;
        ensure!(in_a_sweep < f64::from(most) * (1.0 + BUSY), "{operation}: {in_a_sweep} calls in a sweep: {asked:?}");
    }
    crate::end(&stage).await
}

/// With source and target, with source and readers, with nothing of it, and one of somebody else that was never more than watched. Two or
/// three in each account: ten times a second, AWS is asked for no more policies than that (D§6.1).
fn objects(stage: &Stage) -> Vec<(&'static str, Value)> {
    let source = json!({"source": {"secretRef": {"name": "source", "key": "password"}}});
    let (mut target, mut read) = (source.clone(), source);
    merge(&mut target, json!({"target": {"name": "copy", "key": "all"}}));
    merge(
        &mut read,
        json!({"description": "of the orders", "tags": {"team": "orders"}, "readers": [
            {"name": "partner", "accountRef": {"name": stage.partner.name}, "principals": [{"role": "ExampleRole"}]},
            {"name": "owner", "accountRef": {"name": stage.owner.name}, "principals": [{"role": "Reader"}]},
        ]}),
    );
    let (owner, partner) = (&stage.owner, &stage.partner);
    [
        ("copied", owner, target),
        ("bare", partner, json!({})),
        ("read", owner, read.clone()),
        ("external", partner, read),
        ("watched", partner, json!({"mode": "Observe"})),
    ]
    .map(|(name, side, fields)| {
        let mut spec = stage.secret_spec(side, &format!("quickstart/{name}"));
        merge(&mut spec, fields);
        (name, spec)
    })
    .into()
}

/// Versions of the objects and of the Kubernetes Secrets, which any write makes anew, and those of the secrets in AWS.
async fn versions(stage: &Stage) -> Result<BTreeMap<String, Vec<String>>> {
    let mut versions = BTreeMap::new();
    for secret in stage.kubernetes_secrets().list(&ListParams::default()).await? {
        versions.insert(format!("Secret {}", secret.name_any()), secret.resource_version().into_iter().collect());
    }
    for secret in stage.secrets().list(&ListParams::default()).await? {
        let arn = secret.status.as_ref().and_then(|status| status.secret_arn.as_deref()).unwrap_or_default();
        let side = if secret.spec.account_ref.name == stage.owner.name { &stage.owner } else { &stage.partner };
        let client = side.account.root().in_region(&stage.key.region).secrets_manager();
        let listed = client.list_secret_version_ids().secret_id(arn).include_deprecated(true).send().await?;
        let listed = listed.versions.unwrap_or_default().into_iter().filter_map(|version| version.version_id);
        versions.insert(secret.name_any(), secret.resource_version().into_iter().chain(listed).collect());
    }
    Ok(versions)
}
