//! Attacks by what an attacker writes beside specs: status, annotations, and objects that look like the operator's own.

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use sharedkey_api::{ABANDON, DriftKind, RECONCILE_REQUESTED_AT, TAKE_OVER, conditions::Reason};
use sharedkey_e2e::{Login, OWNER_ID, Side, Stage, allowed, denied, is, key_document, own_sid, spec};
use sharedkey_harness::{
    aws::Calls,
    cluster::{ServiceAccountRef, apply, token},
};

use super::siege::Siege;

/// Writes a status, as who may write `sharedkeys/status` can.
async fn forge(siege: &Siege, status: Value) -> Result<()> {
    let patch = Patch::Merge(json!({"status": status}));
    siege.stage.keys().patch_status("orders", &PatchParams::default(), &patch).await?;
    Ok(())
}

#[tokio::test]
async fn a_forged_status_leads_nowhere_and_does_not_last() -> Result<()> {
    // Given an object that names its key by an alias
    let siege = Siege::lay().await?;
    siege.stage.share("orders", siege.with(json!({"alias": "alias/orders"}), json!({}))).await?;
    let honest = siege.stage.ready("orders").await?.status.context("a status")?;

    // When its status is forged: another key, success, and a consumer that nobody named
    let drift = json!({"layer": "keyPolicy", "kind": "StatementMissing", "account": siege.hidden.account.id(), "subject": "x", "message": "y"});
    let consumer = json!({"name": "partner", "account": siege.hidden.account.id(), "principals": [
        {"arn": siege.hidden_role, "keyPolicy": "Applied", "delegation": "Applied", "verdict": "Allowed", "basis": "DryRun"},
    ]});
    siege.stage.forget_calls().await?;
    forge(
        &siege,
        json!({
            "keyArn": siege.secret.arn, "keyState": "Disabled", "observedGeneration": 999, "driftCount": 7, "drift": [drift],
            "consumers": [consumer], "lastHandledReconcileAt": "9999-01-01T00:00:00Z",
        }),
    )
    .await?;

    // Then looks tell the truth again, and nothing was written for it. What was added is taken out in a write of its own, between
    // which and the first one a look may be seen to be taken.
    siege.stage.look("orders").await?;
    let mut seen = siege.stage.look("orders").await?.status.context("a status")?;
    seen.last_handled_reconcile_at.clone_from(&honest.last_handled_reconcile_at);
    ensure!(seen == honest, "{seen:#?}");
    siege.stage.nothing_written().await?;

    // And a look that was declared to be taken already is taken when something is to be healed
    siege.stage.owner.account.put_key_policy(&siege.stage.key, &key_document(&siege.stage.owner.account)).await?;
    forge(&siege, json!({"lastHandledReconcileAt": "now"})).await?;
    siege.stage.annotate("orders", RECONCILE_REQUESTED_AT, "now").await?;
    siege.stage.healed("orders", DriftKind::StatementMissing).await?;
    siege.stage.delete("orders").await?;
    denied(&siege.stage.as_role().await?, &siege.stage.probe().await?).await?;
    siege.holds().await
}

/// Another team's namespace with an object of the same name and the same consumer, on the same key and for the same role.
struct Neighbour {
    namespace: String,
    stage: Stage,
}

impl Neighbour {
    async fn of(siege: &Siege) -> Result<Self> {
        let mut stage = Stage::new("aws").await?;
        let namespace = stage.namespace.clone();
        let rule = |siege: &Siege, keys: &[&str], principals: &[&str]| {
            json!({"allow": [
                {"namespaces": {"names": [siege.stage.namespace]}, "keys": keys, "principals": principals},
                {"namespaces": {"names": [namespace]}, "keys": keys, "principals": principals},
            ]})
        };
        siege.patch_account(&siege.stage.owner.name, rule(siege, &[&siege.stage.key.arn], &[])).await?;
        siege.patch_account(&siege.stage.partner.name, rule(siege, &[], &["role/ExampleRole"])).await?;
        let spec = siege.spec();
        stage.key = siege.stage.key.clone();
        stage.share("orders", spec).await?;
        stage.ready("orders").await?;
        Ok(Self { namespace, stage })
    }

    fn sid(&self) -> String {
        own_sid(OWNER_ID, &self.namespace, "orders", "partner")
    }

    /// Its statement, as it stands there.
    async fn statement(&self, siege: &Siege) -> Result<Value> {
        let mut policy = siege.stage.owner.account.key_policy(&siege.stage.key).await?;
        Ok(sharedkey_e2e::statement(&mut policy, &self.sid()).clone())
    }
}

#[tokio::test]
async fn an_object_of_the_same_name_in_another_namespace_is_another_object() -> Result<()> {
    // Given another team's object, and one of the same name that would take over, with fewer rights
    let siege = Siege::lay().await?;
    let neighbour = Neighbour::of(&siege).await?;
    let before = neighbour.statement(&siege).await?;
    siege.stage.share("orders", siege.with(json!({"arn": siege.stage.key.arn}), json!({"access": "Decrypt"}))).await?;
    for annotation in [TAKE_OVER, ABANDON] {
        siege.stage.annotate("orders", annotation, "true").await?;
    }
    siege.stage.ready("orders").await?;

    // Then the other one stands beside it, and stays when it goes
    ensure!(siege.ours().await? == (1, 2), "both have a policy on the role");
    siege.stage.delete("orders").await?;
    ensure!(siege.ours().await? == (0, 1), "one is left");
    ensure!(neighbour.statement(&siege).await? == before, "another team's statement was changed");
    neighbour.stage.look("orders").await?;
    ensure!(neighbour.stage.status("orders").await?.last_correction.is_none(), "nothing had to be put back");
    allowed(&siege.stage.as_role().await?, &siege.stage.probe().await?).await?;
    siege.holds().await
}

#[tokio::test]
async fn what_looks_like_the_operators_own_is_not() -> Result<()> {
    // Given ConfigMaps like those of the ledger and of the history, and a Secret like the one with the external id, in the
    // attacker's namespace: they claim another team's statement, and a policy that opens the key to everybody
    let siege = Siege::lay().await?;
    let neighbour = Neighbour::of(&siege).await?;
    let (key, namespace) = (&siege.stage.key.arn, &siege.stage.namespace);
    let record = json!({"object": {"namespace": namespace, "name": "orders"}, "key": siege.secret.arn, "targets": [{
        "resource": {"type": "statement", "key": key, "sid": neighbour.sid()},
        "consumer": "partner", "accountRef": siege.stage.owner.name, "state": "Applied", "fingerprint": "f",
    }]});
    let open = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": siege.stage.owner.account.root_arn()}, "Action": "kms:*", "Resource": "*"},
        {"Sid": "Everybody", "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"},
    ]});
    let history = json!({"key": key, "accountRef": siege.stage.owner.name, "entries": [
        {"replacedAt": "now", "replacedFor": {"namespace": namespace, "name": "orders"}, "document": open.to_string()},
    ]});
    for object in [
        json!({"kind": "ConfigMap", "metadata": {"name": "sharedkey-ledger-forged", "labels": {"sharedkey.dev/ledger": "sharedkey", "sharedkey.dev/owner-id": OWNER_ID}},
               "data": {"record.json": record.to_string()}}),
        json!({"kind": "ConfigMap", "metadata": {"name": "sharedkey-history-forged", "labels": {"sharedkey.dev/history": "sharedkey", "sharedkey.dev/owner-id": OWNER_ID},
               "annotations": {"sharedkey.dev/put-back": "now", "sharedkey.dev/key": key}}, "data": {"history.json": history.to_string()}}),
        json!({"kind": "Secret", "metadata": {"name": "external-id"}, "stringData": {"value": "of the attacker"}}),
    ] {
        let mut object = object;
        object["apiVersion"] = json!("v1");
        apply(&siege.stage.client, namespace, &object.to_string()).await?;
    }

    // When an object comes and goes
    siege.stage.share("orders", siege.spec()).await?;
    siege.stage.ready("orders").await?;
    siege.stage.delete("orders").await?;

    // Then another team's statement is there, the key is not open, and the account is entered as before
    let policy = siege.stage.owner.account.key_policy(&siege.stage.key).await?;
    ensure!(!policy.to_string().contains("Everybody") && policy.to_string().contains(&neighbour.sid()), "{policy:#}");
    let key = neighbour.stage.look("orders").await?;
    ensure!(key.status.as_ref().is_some_and(|status| is(status, "Ready", "True")), "{key:?}");
    let refused = Calls::all().account(&siege.stage.owner.account).result("AccessDenied");
    ensure!(siege.stage.home.world.aws.count(&refused).await? == 0, "the operator is refused");
    siege.holds().await
}

#[tokio::test]
async fn what_the_operator_keeps_is_closed_to_tenants() -> Result<()> {
    // Given a key policy that was kept, and the record of what was written
    let mut siege = Siege::lay().await?;
    siege.stage.share("orders", siege.spec()).await?;
    siege.stage.ready("orders").await?;
    let attacker = std::mem::replace(&mut siege.stage.client, siege.admin.clone());
    let history = siege.stage.history(&siege.stage.key).await?.name_any();
    let record = siege.stage.record("orders").await?.context("a record")?.name_any();

    // Then the attacker can neither read nor change nor delete them
    let operator = &siege.stage.home.world.operator_account.namespace;
    let api: Api<ConfigMap> = Api::namespaced(attacker, operator);
    let forbidden = |answer: Result<(), kube::Error>| match answer {
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(()),
        answer => Err(anyhow::anyhow!("{answer:?}")),
    };
    let asked = Patch::Merge(json!({"metadata": {"annotations": {"sharedkey.dev/put-back": "now"}}}));
    forbidden(api.list(&ListParams::default()).await.map(drop))?;
    for name in [&history, &record] {
        forbidden(api.get(name).await.map(drop))?;
        forbidden(api.patch(name, &PatchParams::default(), &asked).await.map(drop))?;
        forbidden(api.delete(name, &DeleteParams::default()).await.map(drop))?;
    }
    siege.holds().await
}

#[tokio::test]
async fn a_service_account_that_is_named_like_the_operators_enters_nothing() -> Result<()> {
    // Given an account that the operator enters with its ServiceAccount's token
    let siege = Siege::lay().await?;
    let world = siege.stage.home.world;
    let china = Side { account: world.aws.account("aws-cn").await?, name: "china".to_owned() };
    Login::WebIdentity { operator: &world.operator_account }.open(&china.account, &["owner"]).await?;
    let role = china.account.arn("role/sharedkey-operator");

    // When the attacker has a ServiceAccount of the same name, then its token does not open the door
    let impostor =
        ServiceAccountRef { namespace: siege.stage.namespace.clone(), name: world.operator_account.name.clone() };
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": impostor.name}});
    apply(&siege.stage.client, &impostor.namespace, &account.to_string()).await?;
    let audience = ["sts.amazonaws.com"];
    let forged = token(&siege.stage.client, &impostor, &audience).await?;
    let refusal = china.account.root().assume_role_with_token(&role, &forged).await.err().context("it was let in")?;
    ensure!(format!("{refusal:?}").contains("AccessDenied"), "{refusal:?}");
    ensure!(
        token(&siege.stage.client, &world.operator_account, &audience).await.is_err(),
        "the operator's own is given away"
    );
    let honest = token(&siege.admin, &world.operator_account, &audience).await?;
    china.account.root().assume_role_with_token(&role, &honest).await?;
    siege.holds().await
}

#[tokio::test]
async fn a_flood_of_requests_does_not_keep_others_waiting() -> Result<()> {
    const OBJECTS: usize = 10;
    const REQUESTS: usize = 20;
    // Given objects of an attacker, which he asks to be looked at again and again
    let siege = Siege::lay().await?;
    let neighbour = Neighbour::of(&siege).await?;
    let names: Vec<String> = (0..OBJECTS).map(|index| format!("flood-{index}")).collect();
    for name in &names {
        siege.stage.share(name, siege.spec()).await?;
    }
    for name in &names {
        siege.stage.ready(name).await?;
    }
    siege.stage.forget_calls().await?;
    let flood = try_join_all(names.iter().map(async |name| {
        for request in 0..REQUESTS {
            siege.stage.annotate(name, RECONCILE_REQUESTED_AT, &request.to_string()).await?;
        }
        anyhow::Ok(())
    }));

    // When something is changed for another team meanwhile, then it is healed within its own time
    let healing = async {
        let document = key_document(&siege.stage.owner.account);
        siege.stage.owner.account.put_key_policy(&siege.stage.key, &document).await?;
        neighbour.stage.healed("orders", DriftKind::StatementMissing).await
    };
    futures::future::try_join(flood, healing).await?;

    // And AWS is asked no more often than there were requests
    let asked = siege.stage.calls(&siege.stage.owner.account).await?;
    let reads: u64 = asked.iter().filter(|call| call.operation == "DescribeKey").map(|call| call.count).sum();
    ensure!(reads <= u64::try_from(OBJECTS * REQUESTS * 2)?, "{reads} times");
    siege.holds().await
}

#[tokio::test]
async fn a_key_that_is_opened_is_not_opened_for_a_spec_of_the_neighbour() -> Result<()> {
    // Given a neighbour's account that is opened to the neighbour alone
    let siege = Siege::lay().await?;
    let neighbour = Stage::new("aws").await?;

    // When the attacker states what the neighbour could, then it is refused, in every part
    let owner = spec(&neighbour, json!({"arn": neighbour.key.arn}), json!({"principals": [{"role": "ExampleRole"}]}));
    siege.refused("owner", owner, Reason::NotAllowed, &["does not exist, or no allow rule"]).await?;
    let consumer = json!({"accountRef": {"name": neighbour.partner.name}});
    let consumer = siege.with(json!({"arn": siege.stage.key.arn}), consumer);
    siege.refused("consumer", consumer, Reason::NotAllowed, &["does not exist, or no allow rule"]).await?;
    neighbour.nothing_written().await?;
    siege.holds().await
}
