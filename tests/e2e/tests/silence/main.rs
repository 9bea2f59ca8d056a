//! A value is in AWS and in the Secrets that it comes from and goes to. Nobody else tells it: no log line of an operator that logs all
//! that it, its clients and their libraries can, no event, status, metric or ledger entry, and nothing that AWS counts.
//!
//! A binary of its own, for the sake of that operator.

mod hidden;
mod said;

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, ensure};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use sharedkey_api::{DriftKind, ExternalSecretStatus};
use sharedkey_e2e::{DEADLINE, Glance, IN_ACCOUNTS, Service, Stage, is, merge, says, told};
use sharedkey_harness::{
    aws::{Fault, FaultId},
    wait_for,
};

use crate::{hidden::Hidden, said::Said};

/// What is never told.
struct Values {
    first: Hidden,
    second: Hidden,
    third: Hidden,
    /// What an administrator of the account writes.
    foreign: Hidden,
    /// What somebody writes to the target.
    edited: Hidden,
    binary: Hidden,
    user: Hidden,
    password: Hidden,
    adopted: Hidden,
    large: Hidden,
    words: Hidden,
    refused: Hidden,
    denied: Hidden,
    shared: Hidden,
    waiting: Hidden,
    moved: Hidden,
    lost: Hidden,
}

impl Values {
    fn new() -> Self {
        let text = Hidden::text;
        Self {
            first: text(),
            second: text(),
            third: text(),
            foreign: text(),
            edited: text(),
            binary: Hidden::binary(),
            user: text(),
            password: text(),
            adopted: text(),
            large: text(),
            words: text(),
            refused: text(),
            denied: text(),
            shared: text(),
            waiting: text(),
            moved: text(),
            lost: text(),
        }
    }

    fn all(&self) -> Vec<&Hidden> {
        let Self { first, second, third, foreign, edited, binary, user, password, adopted, .. } = self;
        let Self { large, words, refused, denied, shared, waiting, moved, lost, .. } = self;
        let unfit = [large, words, refused, denied];
        let mut all = vec![first, second, third, foreign, edited, binary, user, password, adopted];
        all.extend(unfit.into_iter().chain([shared, waiting, moved, lost]));
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_tells_a_value_in_the_whole_life_of_secrets() -> Result<()> {
    // Given an operator that logs all that it can
    let service = Service::talkative().await?;
    let stage = Stage::on(&service.home, "aws").await?.keeping_secrets().await?;
    let said = Said::from_now_on(&service, &stage);
    stage.grant_secrets().await?;
    stage.share("orders", stage.spec_for_secrets(&[])).await?;
    stage.ready("orders").await?;

    // When values are pushed, changed, read, edited, taken over and refused
    let values = Values::new();
    let (stage_, values_) = (&stage, &values);
    futures::try_join!(
        text(stage_, values_),
        binary(stage_, values_),
        object(stage_, values_),
        adopted(stage_, values_),
        unfit(stage_, values_),
        refused_by_aws(stage_, values_),
        refused_by_kubernetes(stage_, values_),
        shared(stage_, values_),
    )?;

    // Then nobody has told one, although calls that hold none are logged with all that they hold
    let log = service.operator.log()?;
    let asked = format!(r#"{{"SecretId":"{}"}}"#, secret_name("text"));
    let asked: Vec<String> = asked.bytes().map(|byte| byte.to_string()).collect();
    says(&log, &["\"level\":\"TRACE\"", "PutSecretValue", &asked.join(", ")])?;
    said.nothing_of(&values.all()).await?;

    // And neither when the operator is lost while it pushes one, and another one ends that
    drop(said);
    let service = lost(service, &stage, &values).await?;
    let said = Said::from_now_on(&service, &stage);
    stage.look_at_secret("shared").await?;
    stage.look("orders").await?;
    said.nothing_of(&values.all()).await?;

    // And neither when the objects go
    for name in ["text", "binary", "object", "adopted", "refused", "denied", "shared"] {
        stage.delete_secret(name).await?;
    }
    said.nothing_of(&values.all()).await
}

fn secret_name(name: &str) -> String {
    format!("quickstart/{name}")
}

/// An object whose secret is the owner's, with a value of the Kubernetes Secret that has its name.
fn spec(stage: &Stage, name: &str, fields: Value) -> Value {
    let mut spec = stage.secret_spec(&stage.owner, &secret_name(name));
    merge(&mut spec, json!({"source": {"secretRef": {"name": name, "key": "value"}}}));
    merge(&mut spec, fields);
    spec
}

async fn put(stage: &Stage, name: &str, value: &Hidden) -> Result<()> {
    stage.put_kubernetes_secret(name, &[("value", &value.bytes)]).await
}

/// What a target holds.
async fn holds(stage: &Stage, target: &str, expected: &[(&str, &Hidden)]) -> Result<()> {
    let data = stage.kubernetes_secrets().get(target).await?.data.unwrap_or_default();
    let data: BTreeMap<_, _> = data.into_iter().map(|(key, bytes)| (key, bytes.0)).collect();
    let expected = expected.iter().map(|(key, hidden)| ((*key).to_owned(), hidden.bytes.clone())).collect();
    ensure!(data == expected, "{target} holds other values");
    Ok(())
}

/// Changes the source, and waits until that is the current version.
async fn change(stage: &Stage, name: &str, value: &Hidden) -> Result<()> {
    let before = stage.secret_ready(name).await?.status.and_then(|status| status.version_id);
    put(stage, name, value).await?;
    let changed = |status: &ExternalSecretStatus| status.version_id != before && is(status, "Ready", "True");
    stage.wait_secret(name, "another version", changed).await?;
    stage.secret_ready(name).await.map(drop)
}

/// A text: made, changed, changed by others in AWS and in the target, and changed while calls fail.
async fn text(stage: &Stage, values: &Values) -> Result<()> {
    put(stage, "text", &values.first).await?;
    let target = json!({"target": {"name": "copy", "key": "all"}, "deletionPolicy": "Delete", "recoveryWindowDays": 7});
    stage.keep_secret("text", spec(stage, "text", target)).await?;
    let secret = stage.secret_ready("text").await?.status.and_then(|status| status.secret_arn).context("an ARN")?;
    holds(stage, "copy", &[("all", &values.first)]).await?;
    change(stage, "text", &values.second).await?;

    let client = stage.owner.account.root().in_region(&stage.key.region).secrets_manager();
    let foreign = String::from_utf8(values.foreign.bytes.clone())?;
    client.put_secret_value().secret_id(&secret).secret_string(foreign).send().await?;
    stage.secret_healed("text", DriftKind::ValueChanged).await?;
    let edit = json!({"stringData": {"all": str::from_utf8(&values.edited.bytes)?}});
    stage.kubernetes_secrets().patch("copy", &PatchParams::default(), &Patch::Merge(&edit)).await?;
    stage.secret_healed("text", DriftKind::TargetChanged).await?;

    let faults = failing(stage, &secret).await?;
    change(stage, "text", &values.third).await?;
    for fault in faults {
        ensure!(stage.home.world.aws.fault_hits(fault).await? > 0, "a fault never struck");
    }
    holds(stage, "copy", &[("all", &values.third)]).await?;
    let glance = Glance::at(stage.owner.account.root(), &secret).await?;
    ensure!(glance.shows(&values.third.bytes), "the value did not arrive");
    Ok(())
}

/// Calls about the values of a secret fail in every way, as often as the SDK tries them by itself.
async fn failing(stage: &Stage, secret: &str) -> Result<Vec<FaultId>> {
    let mut faults = Vec::new();
    for operation in ["PutSecretValue", "GetSecretValue"] {
        for fault in [
            Fault::error("ThrottlingException", "Rate exceeded").times(1),
            Fault::status(500).times(2),
            Fault::reset().times(2),
            Fault::answer_lost().times(1),
        ] {
            let fault = fault.operation(operation).resource(secret).principal(IN_ACCOUNTS);
            faults.push(stage.home.world.aws.inject(&fault).await?);
        }
    }
    Ok(faults)
}

async fn binary(stage: &Stage, values: &Values) -> Result<()> {
    put(stage, "binary", &values.binary).await?;
    stage.keep_secret("binary", spec(stage, "binary", json!({"target": {"name": "bytes", "key": "all"}}))).await?;
    stage.secret_ready("binary").await?;
    holds(stage, "bytes", &[("all", &values.binary)]).await
}

/// All of a Secret as a JSON object, and back.
async fn object(stage: &Stage, values: &Values) -> Result<()> {
    let data = [("user", &values.user), ("password", &values.password)];
    let bytes = data.map(|(key, hidden)| (key, hidden.bytes.as_slice()));
    stage.put_kubernetes_secret("object", &bytes).await?;
    let fields = json!({"source": {"secretRef": {"name": "object"}}, "target": {"name": "members"}});
    stage.keep_secret("object", spec(stage, "object", fields)).await?;
    stage.secret_ready("object").await?;
    holds(stage, "members", &data).await
}

/// A secret that somebody else made, and that is only read.
async fn adopted(stage: &Stage, values: &Values) -> Result<()> {
    let name = secret_name("adopted");
    stage.create_as_user(&name, &values.adopted.bytes).await?;
    let mut spec = stage.secret_spec(&stage.partner, &name);
    merge(&mut spec, json!({"adopt": "IfExists", "target": {"name": "theirs", "key": "all"}}));
    stage.keep_secret("adopted", spec).await?;
    stage.secret_ready("adopted").await?;
    holds(stage, "theirs", &[("all", &values.adopted)]).await
}

/// Values that AWS or the target could not hold.
async fn unfit(stage: &Stage, values: &Values) -> Result<()> {
    let large = values.large.bytes.repeat(2000);
    stage.put_kubernetes_secret("large", &[("value", &large)]).await?;
    stage.keep_secret("large", spec(stage, "large", json!({}))).await?;
    refused(stage, "large", "ValueSynced", "SourceTooLarge").await?;

    let whole = json!({"source": {"secretRef": {"name": "mixed"}}});
    let mixed = [("binary", values.binary.bytes.as_slice()), ("text", &values.large.bytes)];
    stage.put_kubernetes_secret("mixed", &mixed).await?;
    stage.keep_secret("mixed", spec(stage, "mixed", whole)).await?;
    refused(stage, "mixed", "ValueSynced", "SourceInvalid").await?;

    put(stage, "words", &values.words).await?;
    stage.keep_secret("words", spec(stage, "words", json!({"target": {"name": "parts"}}))).await?;
    refused(stage, "words", "TargetSynced", "TargetInvalid").await?;

    let typed =
        json!({"target": {"name": "login", "key": ".dockerconfigjson", "type": "kubernetes.io/dockerconfigjson"}});
    put(stage, "typed", &values.words).await?;
    stage.keep_secret("typed", spec(stage, "typed", typed)).await?;
    refused(stage, "typed", "TargetSynced", "TargetInvalid").await.map(drop)
}

/// AWS quotes what it does not take.
async fn refused_by_aws(stage: &Stage, values: &Values) -> Result<()> {
    let value = str::from_utf8(&values.refused.bytes)?;
    let message =
        format!("1 validation error detected: Value '{value}' at 'secretString' failed to satisfy constraint");
    let fault = Fault::error("ValidationException", &message).resource(&format!("*{}*", secret_name("refused")));
    let create = stage.home.world.aws.inject(&fault.clone().operation("CreateSecret")).await?;
    put(stage, "refused", &values.refused).await?;
    stage.keep_secret("refused", spec(stage, "refused", json!({}))).await?;
    let failed = |status: &ExternalSecretStatus| is(status, "SecretApplied", "False");
    let secret = stage.wait_secret("refused", "SecretApplied=False", failed).await?;
    says(&serde_json::to_string(&secret.status)?, &["ValidationException", "may quote the value"])?;
    stage.home.world.aws.remove_fault(create).await?;
    stage.secret_ready("refused").await.map(drop)
}

/// Whoever guards a namespace may quote what it does not take.
async fn refused_by_kubernetes(stage: &Stage, values: &Values) -> Result<()> {
    put(stage, "denied", &values.denied).await?;
    for (target, reason) in [("denied-as-invalid", "Invalid"), ("denied-as-forbidden", "Forbidden")] {
        stage.guard_secret(target, reason).await?;
        let fields = json!({"target": {"name": target, "key": "all"}});
        stage.keep_secret("denied", spec(stage, "denied", fields)).await?;
        refused(stage, "denied", "TargetSynced", "TargetDenied").await?;
    }
    Ok(())
}

/// A secret with a reader and a copy, while its key is refused, when it has moved to another one, and when it was deleted and restored.
async fn shared(stage: &Stage, values: &Values) -> Result<()> {
    let copies = stage.owner.account.create_key_in("us-west-2", None).await?;
    let invoices = stage.owner.account.create_key(None).await?;
    for (name, key) in [("copies", &copies), ("invoices", &invoices)] {
        let mut spec = stage.spec_for_secrets(&[]);
        merge(&mut spec, json!({"region": key.region, "key": {"arn": key.arn}}));
        stage.share(name, spec).await?;
        stage.ready(name).await?;
    }
    put(stage, "shared", &values.shared).await?;
    let fields = json!({
        "readers": [{"name": "app", "accountRef": {"name": stage.partner.name}, "principals": [{"role": "ExampleRole"}]}],
        "replicas": [{"region": copies.region, "sharedKeyRef": {"name": "copies"}}],
        "restoreDeleted": true,
    });
    stage.keep_secret("shared", spec(stage, "shared", fields)).await?;
    let secret = stage.secret_ready("shared").await?.status.and_then(|status| status.secret_arn).context("an ARN")?;
    let reads = async |value: &Hidden| {
        let glance = Glance::at(&stage.as_role().await?, &secret).await?;
        ensure!(glance.shows(&value.bytes), "the reader does not read the value");
        anyhow::Ok(())
    };
    reads(&values.shared).await?;

    stage.patch_secret("shared", json!({"spec": {"sharedKeyRef": {"name": "nowhere"}}})).await?;
    stage.secret_stalled("shared", "SharedKeyNotFound").await?;
    put(stage, "shared", &values.waiting).await?;
    stage.look_at_secret("shared").await?;
    reads(&values.shared).await?;
    stage.patch_secret("shared", json!({"spec": {"sharedKeyRef": {"name": "invoices"}}})).await?;
    stage.secret_ready("shared").await?;
    reads(&values.waiting).await?;
    change(stage, "shared", &values.moved).await?;

    stage.patch_secret("shared", json!({"spec": {"replicas": []}})).await?;
    stage.secret_ready("shared").await?;
    stage.secrets_manager(&stage.owner.account).delete_secret().secret_id(&secret).send().await?;
    stage.secret_healed("shared", DriftKind::SecretPendingDeletion).await?;
    stage.secret_ready("shared").await?;
    reads(&values.moved).await
}

/// Kills the operator while AWS has not answered it to a push, and returns the one that follows. The log of the one that is lost was
/// searched to its end, as every log is.
async fn lost(service: Service, stage: &Stage, values: &Values) -> Result<Service> {
    let Service { home, operator } = service;
    let status = stage.secret_status("shared").await?;
    let secret = status.secret_arn.context("an ARN")?;
    let hang = Fault::hang(Duration::from_secs(5)).operation("PutSecretValue").resource(&secret).principal(IN_ACCOUNTS);
    let hang = home.world.aws.inject(&hang).await?;
    put(stage, "shared", &values.lost).await?;
    wait_for("a push without an answer", DEADLINE, async || {
        ensure!(home.world.aws.fault_hits(hang).await? > 0, "nothing is pushed");
        Ok(())
    })
    .await?;
    operator.kill9()?;
    home.world.aws.remove_fault(hang).await?;
    let service = Service { operator: home.start().await?, home };
    stage.wait_secret("shared", "another version", |now| now.version_id != status.version_id).await?;
    stage.secret_ready("shared").await?;
    let glance = Glance::at(&stage.as_role().await?, &secret).await?;
    ensure!(glance.shows(&values.lost.bytes), "the value did not arrive");
    Ok(service)
}

async fn refused(stage: &Stage, name: &str, condition: &str, reason: &str) -> Result<()> {
    let refused = |status: &ExternalSecretStatus| is(status, condition, "False");
    let secret = stage.wait_secret(name, &format!("{condition}=False"), refused).await?;
    told(secret.status.as_ref().context("it has a status")?, condition, reason).map(drop)
}
