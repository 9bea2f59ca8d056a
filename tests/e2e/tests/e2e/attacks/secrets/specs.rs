//! Attacks by what an ExternalSecret states.

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};
use sharedkey_api::conditions::Reason;
use sharedkey_e2e::{Glance, says};

use super::vault::{VALUE, Vault, names};

/// One attack: what is stated, and what the refusal says.
struct Attack {
    name: &'static str,
    spec: fn(&Vault) -> Value,
    says: &'static [&'static str],
}

/// Refused by the operator, before Secrets Manager is asked.
struct Refused {
    attack: Attack,
    reason: Reason,
}

/// The fields that name something.
type Naming<'a> = &'a dyn Fn(&str) -> Value;

#[tokio::test]
async fn the_api_server_does_not_admit_what_no_secret_may_be() -> Result<()> {
    let vault = Vault::lay().await?;
    for Attack { name, spec, says } in NOT_ADMITTED {
        vault.secret_not_admitted("attack", spec(&vault), says).await.context(*name)?;
    }
    // What an object is bound to cannot be changed afterwards.
    vault.stage.keep_secret("db", vault.secret(json!({}))).await?;
    vault.stage.secret_ready("db").await?;
    for (field, value) in [
        ("secretName", json!("team/other")),
        ("accountRef", json!({"name": vault.hidden.name})),
        ("region", json!("eu-west-1")),
    ] {
        let refusal = vault.stage.patch_secret("db", json!({"spec": {field: value}})).await;
        says(&format!("{:#}", refusal.err().context("it was admitted")?), &[field, "immutable"])?;
    }
    vault.holds().await
}

#[tokio::test]
async fn the_operator_refuses_a_secret_that_no_rule_opens_before_it_asks_aws() -> Result<()> {
    let vault = Vault::lay().await?;
    try_join_all(REFUSED.iter().enumerate().map(async |(index, Refused { attack, reason })| {
        let spec = (attack.spec)(&vault);
        vault.secret_refused(&format!("attack-{index}"), spec, *reason, attack.says).await.context(attack.name)
    }))
    .await?;
    vault.no_secret_was_asked_for().await?;
    vault.stage.nothing_written().await?;
    vault.holds().await
}

#[tokio::test]
async fn what_is_closed_to_a_secret_and_what_does_not_exist_are_told_alike() -> Result<()> {
    // Given a SharedKey of another namespace, and an account and a role that are not opened
    let vault = Vault::lay().await?;
    let neighbour = sharedkey_e2e::Stage::new("aws").await?;
    neighbour.share("theirs", neighbour.spec()).await?;
    neighbour.ready("theirs").await?;

    // When they are named, then nobody can tell them from what does not exist
    let key = |name: &str| json!({"sharedKeyRef": {"name": name}});
    let account = |name: &str| json!({"accountRef": {"name": name}});
    let reader = |name: &str| json!({"readers": [vault.reader(json!({"accountRef": {"name": name}}))]});
    let role = |role: &str| json!({"readers": [vault.reader(json!({"principals": [{"role": role}]}))]});
    let cases: [(&str, &str, Naming<'_>, Reason); 4] = [
        ("theirs", "nobodys", &key, Reason::SharedKeyNotFound),
        (&vault.hidden.name, "nobodys", &account, Reason::NotAllowed),
        (&vault.hidden.name, "nobodys", &reader, Reason::NotAllowed),
        ("Admin", "Nobody", &role, Reason::NotAllowed),
    ];
    for (index, (known, unknown, fields, reason)) in cases.into_iter().enumerate() {
        let mut told = Vec::new();
        for name in [known, unknown] {
            let object = format!("attack-{index}-{}", if name == known { "known" } else { "unknown" });
            vault.stage.keep_secret(&object, vault.secret(fields(name))).await?;
            told.push(vault.stage.secret_stalled(&object, reason.as_ref()).await?.replace(name, "NAME"));
            vault.tells_none_of(&object, std::slice::from_ref(&neighbour.namespace)).await?;
        }
        ensure!(told[0] == told[1], "{told:?}");
    }
    vault.no_secret_was_asked_for().await?;
    vault.holds().await
}

#[tokio::test]
async fn a_name_that_leads_back_is_a_name_like_any_other() -> Result<()> {
    // Given names that would be another one if they were taken for paths, or for the beginning of an ARN
    let vault = Vault::lay().await?;
    let stated = ["team/../finance/ledger", "team/./db", "team//db", "team/db-abcde", "team/=@+"];
    for (index, name) in stated.iter().enumerate() {
        let object = format!("attack-{index}");
        vault.stage.keep_secret(&object, vault.secret(json!({"secretName": name}))).await?;
        let secret = vault.stage.secret_ready(&object).await?;
        let arn = secret.status.and_then(|status| status.secret_arn).context("status names the secret")?;
        ensure!(arn.contains(&format!(":secret:{name}-")), "{arn}");
        ensure!(Glance::at(&vault.stage.as_role().await?, &arn).await?.shows(VALUE), "{name} should be read");
    }
    // Then they stand beside one another, and nothing else is there
    let mut expected: Vec<String> = stated.map(str::to_owned).to_vec();
    expected.sort();
    let owner = &vault.stage.owner.account;
    ensure!(names(&vault.stage, owner, "").await? == [vec!["finance/ledger".to_owned()], expected].concat());
    forbidden_stays_so(&vault).await
}

async fn forbidden_stays_so(vault: &Vault) -> Result<()> {
    for secret in [&vault.forbidden, &vault.buried] {
        let glance = Glance::at(&vault.stage.as_role().await?, secret).await?;
        ensure!(glance.is_denied(), "{secret}: {glance:?}");
    }
    vault.stands().await
}

#[tokio::test]
async fn a_rule_that_is_withdrawn_gives_a_secret_no_more_and_takes_back_what_it_gave() -> Result<()> {
    // Given a secret that is read, and the role of which is closed then
    let vault = Vault::lay().await?;
    vault.stage.keep_secret("db", vault.secret(json!({}))).await?;
    let secret = vault.stage.secret_ready("db").await?;
    let arn = secret.status.and_then(|status| status.secret_arn).context("status names the secret")?;
    let rule = json!([{"namespaces": {"names": [vault.stage.namespace]}, "principals": ["user/team/*"]}]);
    vault.patch_account(&vault.stage.partner.name, json!({"allow": rule})).await?;
    let message = vault.stage.secret_stalled("db", Reason::NotAllowed.as_ref()).await?;
    says(&message, &["role/ExampleRole", "allow[].principals"])?;

    // When the reader leaves the spec, and the object is deleted, then both are taken back all the same
    vault.stage.patch_secret("db", json!({"spec": {"readers": []}})).await?;
    vault.stage.secret_ready("db").await?;
    ensure!(Glance::at(&vault.stage.as_role().await?, &arn).await?.is_denied());
    vault.stage.delete_secret("db").await?;
    vault.holds().await
}

fn name(vault: &Vault, name: &str) -> Value {
    vault.secret(json!({"secretName": name}))
}

/// A spec with these fields and without another one.
fn in_place_of(field: &str, vault: &Vault, fields: Value) -> Value {
    let mut spec = vault.secret(fields);
    spec.as_object_mut().map(|fields| fields.remove(field));
    spec
}

fn key(vault: &Vault, arn: &str) -> Value {
    in_place_of("sharedKeyRef", vault, json!({"kmsKeyArn": arn}))
}

fn copy(vault: &Vault, key: Value) -> Value {
    let mut copy = json!({"region": "eu-west-1"});
    sharedkey_e2e::merge(&mut copy, key);
    vault.secret(json!({"replicas": [copy]}))
}

fn reader(vault: &Vault, fields: Value) -> Value {
    vault.secret(json!({"readers": [vault.reader(fields)]}))
}

fn principal(vault: &Vault, principal: Value) -> Value {
    reader(vault, json!({"principals": Value::Array(vec![principal])}))
}

fn handoff(vault: &Vault, account: &str) -> Value {
    vault.secret(json!({"readers": [{"name": "theirs", "accountId": account, "principals": [{"role": "R"}]}]}))
}

#[rustfmt::skip]
const NOT_ADMITTED: &[Attack] = &[
    Attack { name: "every secret", spec: |vault| name(vault, "team/*"), says: &["secretName"] },
    Attack { name: "a secret with one letter of any kind", spec: |vault| name(vault, "team/d?"), says: &["secretName"] },
    Attack { name: "a secret by its ARN", spec: |vault| name(vault, &vault.forbidden), says: &["secretName"] },
    Attack { name: "a name that looks like an opened one", spec: |vault| name(vault, "te\u{430}m/db"), says: &["secretName"] },
    Attack { name: "a name with a letter that is wider than an opened one", spec: |vault| name(vault, "\u{ff54}eam/db"), says: &["secretName"] },
    Attack { name: "a name with what is not seen", spec: |vault| name(vault, "team/db\u{200b}"), says: &["secretName"] },
    Attack { name: "a name with a line break", spec: |vault| name(vault, "team/db\nfinance/ledger"), says: &["secretName"] },
    Attack { name: "a name that ends as ARNs do", spec: |vault| name(vault, "team/db-abcdef"), says: &["secretName", "hyphen"] },
    Attack { name: "no name", spec: |vault| name(vault, ""), says: &["secretName"] },
    Attack { name: "a key by its id", spec: |vault| key(vault, &vault.secret.id), says: &["kmsKeyArn"] },
    Attack { name: "a key by an alias", spec: |vault| key(vault, "alias/secret"), says: &["kmsKeyArn"] },
    Attack { name: "every key", spec: |vault| key(vault, &vault.secret.arn.replace(&vault.secret.id, "*")), says: &["kmsKeyArn"] },
    Attack { name: "two keys at once", spec: |vault| vault.secret(json!({"kmsKeyArn": vault.secret.arn})), says: &["exactly one of"] },
    Attack { name: "a key of another partition", spec: |vault| key(vault, &vault.secret.arn.replace("arn:aws:", "arn:aws-cn:")), says: &["kmsKeyArn must be a key of region"] },
    Attack { name: "a SharedKey of another namespace", spec: |vault| vault.secret(json!({"sharedKeyRef": {"name": "another-team/orders"}})), says: &["sharedKeyRef.name"] },
    Attack { name: "a Secret of another namespace", spec: |vault| vault.secret(json!({"source": {"secretRef": {"name": "../another-team/secret"}}})), says: &["secretRef.name"] },
    Attack { name: "a target in another namespace", spec: |vault| vault.secret(json!({"target": {"name": "sharedkey-system/external-id"}})), says: &["target.name"] },
    Attack { name: "a token of a ServiceAccount", spec: |vault| vault.secret(json!({"target": {"name": "copy", "type": "kubernetes.io/service-account-token"}})), says: &["type must not be"] },
    Attack { name: "a bootstrap token", spec: |vault| vault.secret(json!({"target": {"name": "copy", "type": "bootstrap.kubernetes.io/token"}})), says: &["type must not be"] },
    Attack { name: "a source that is written to", spec: |vault| vault.secret(json!({"target": {"name": "source"}})), says: &["target.name must be another Secret"] },
    Attack { name: "a tag of the operator's", spec: |vault| vault.secret(json!({"tags": {"sharedkey.dev/namespace": "another-team"}})), says: &["sharedkey.dev/"] },
    Attack { name: "everybody as a reader", spec: |vault| principal(vault, json!({"arn": "*"})), says: &["must be the ARN of an IAM role or user"] },
    Attack { name: "a whole account as a reader", spec: |vault| principal(vault, json!({"arn": vault.hidden.account.root_arn()})), says: &["must be the ARN of an IAM role or user"] },
    Attack { name: "every role as a reader", spec: |vault| principal(vault, json!({"role": "*"})), says: &["without wildcards"] },
    Attack { name: "a reader of another partition", spec: |vault| principal(vault, json!({"arn": vault.stage.role.replace("arn:aws:", "arn:aws-cn:")})), says: &["no access crosses partitions"] },
    Attack { name: "a reader with a slash", spec: |vault| reader(vault, json!({"name": "a/b"})), says: &["DNS label"] },
    Attack { name: "a reader with an at", spec: |vault| reader(vault, json!({"name": "a@b"})), says: &["DNS label"] },
    Attack { name: "a copy in another partition", spec: |vault| copy(vault, json!({"region": "cn-north-1", "sharedKeyRef": {"name": "orders"}})), says: &["replicas[].region"] },
];

#[rustfmt::skip]
const REFUSED: &[Refused] = &[
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "an account that is not opened", spec: |vault| vault.secret(json!({"accountRef": {"name": vault.hidden.name}, "secretName": "hidden/vault"})), says: &["accountRef", "does not exist, or no allow rule"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "another secret of the account", spec: |vault| name(vault, "finance/ledger"), says: &["allow[].secrets"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "another secret, to be taken over and read", spec: |vault| in_place_of("source", vault, json!({"secretName": "finance/ledger", "adopt": "IfExists", "target": {"name": "copy"}})), says: &["allow[].secrets"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "the folder itself", spec: |vault| name(vault, "team"), says: &["allow[].secrets"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "a folder that begins as the opened one", spec: |vault| name(vault, "team2/db"), says: &["allow[].secrets"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "a folder that ends as the opened one", spec: |vault| name(vault, "my-team/db"), says: &["allow[].secrets"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "the opened folder below another one", spec: |vault| name(vault, "finance/team/db"), says: &["allow[].secrets"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "the opened folder from the root", spec: |vault| name(vault, "/team/db"), says: &["allow[].secrets"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "the opened folder in other letters", spec: |vault| name(vault, "Team/db"), says: &["allow[].secrets"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "a path that leads into the opened folder", spec: |vault| name(vault, "../team/db"), says: &["allow[].secrets"] } },
    Refused { reason: Reason::SharedKeyNotFound, attack: Attack { name: "a SharedKey that is not there", spec: |vault| vault.secret(json!({"sharedKeyRef": {"name": "theirs"}})), says: &["sharedKeyRef", "there is no SharedKey"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "another key of the account", spec: |vault| key(vault, &vault.secret.arn), says: &["kmsKeyArn", "allow[].keys"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "a key of an account that is not opened", spec: |vault| key(vault, &vault.hidden_key.arn), says: &["kmsKeyArn", "allow[].keys"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "the opened key, from an account that does not open it", spec: |vault| {
        let mut spec = key(vault, &vault.stage.key.arn);
        spec["accountRef"]["name"] = json!(vault.stage.partner.name);
        spec
    }, says: &["kmsKeyArn", "allow[].keys"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "another key for a copy", spec: |vault| copy(vault, json!({"kmsKeyArn": vault.hidden_key.arn.replace(&vault.hidden_key.region, "eu-west-1")})), says: &["replicas[0].kmsKeyArn", "allow[].keys"] } },
    Refused { reason: Reason::SharedKeyNotFound, attack: Attack { name: "a SharedKey that is not there, for a copy", spec: |vault| copy(vault, json!({"sharedKeyRef": {"name": "theirs"}})), says: &["replicas[0].sharedKeyRef"] } },
    Refused { reason: Reason::InvalidSpec, attack: Attack { name: "the key of another Region", spec: |vault| vault.secret(json!({"region": "eu-west-1"})), says: &["sharedKeyRef", "is not in Region eu-west-1"] } },
    Refused { reason: Reason::PartitionMismatch, attack: Attack { name: "a Region of another partition", spec: |vault| vault.secret(json!({"region": "cn-north-1"})), says: &["no access crosses partitions"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "another role as a reader", spec: |vault| principal(vault, json!({"role": "Admin"})), says: &["role/Admin", "allow[].principals"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "another role as a reader, by ARN", spec: |vault| principal(vault, json!({"arn": vault.forbidden_role})), says: &["role/Admin", "allow[].principals"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "an opened role in other letters", spec: |vault| principal(vault, json!({"role": "EXAMPLEROLE"})), says: &["allow[].principals"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "a role as a user is opened", spec: |vault| principal(vault, json!({"role": "team/ExampleUser"})), says: &["allow[].principals"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "one that is opened, and one that is not", spec: |vault| reader(vault, json!({"principals": [{"role": "ExampleRole"}, {"role": "Admin"}]})), says: &["role/Admin"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "a role of the secret's own account", spec: |vault| reader(vault, json!({"accountRef": {"name": vault.stage.owner.name}})), says: &["role/ExampleRole", "allow[].principals"] } },
    Refused { reason: Reason::AccountMismatch, attack: Attack { name: "a role of another account, through an opened one", spec: |vault| principal(vault, json!({"arn": vault.hidden_role})), says: &["is not of the reader's account"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "a reader in an account that is not opened", spec: |vault| reader(vault, json!({"accountRef": {"name": vault.hidden.name}, "principals": [{"role": "Hidden"}]})), says: &["readers[0] (partner).accountRef", "does not exist, or no allow rule"] } },
    Refused { reason: Reason::SharingNotAllowed, attack: Attack { name: "a handoff to an account that is not listed", spec: |vault| handoff(vault, "999999999999"), says: &["trustedAccounts"] } },
    Refused { reason: Reason::SharingNotAllowed, attack: Attack { name: "a handoff to an account that is not opened", spec: |vault| handoff(vault, vault.hidden.account.id()), says: &["trustedAccounts"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "the secret's own account, as a handoff", spec: |vault| handoff(vault, vault.stage.owner.account.id()), says: &["the secret's own account"] } },
];
