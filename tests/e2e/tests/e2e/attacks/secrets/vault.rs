//! What an attacker must not reach by ExternalSecrets.

use std::ops::Deref;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use sharedkey_api::conditions::Reason;
use sharedkey_e2e::{IN_ACCOUNTS, Side, Stage, let_keep_secrets, merge, says};
use sharedkey_harness::aws::{Account, Calls, Key};

use super::super::siege::Siege;

/// A value that the attacker may know: he has written it.
pub(super) const VALUE: &[u8] = b"hidden-from-logs: value of the attacker";
/// The values of secrets that he must not reach.
const HIDDEN: &str = "hidden-from-logs: value of somebody else";
/// Secrets beside those that are opened: of the owner, and of an account that is not opened.
const FORBIDDEN: &str = "finance/ledger";
const BURIED: &str = "hidden/vault";

/// A siege with secrets: `team/*` of both accounts is opened to the attacker, who has shared the key in SharedKey `orders`, and in
/// whose namespace the operator may read and write Secrets.
pub(super) struct Vault {
    siege: Siege,
    /// The ARN of a secret of the owner that no rule opens.
    pub(super) forbidden: String,
    /// The ARN of a secret of the account that is not opened.
    pub(super) buried: String,
    before: [String; 2],
}

impl Deref for Vault {
    type Target = Siege;

    fn deref(&self) -> &Siege {
        &self.siege
    }
}

impl Vault {
    pub(super) async fn lay() -> Result<Self> {
        let mut siege = Box::pin(Siege::lay()).await?;
        for account in [&siege.stage.owner.account, &siege.stage.partner.account, &siege.hidden.account] {
            let_keep_secrets(account).await?;
        }
        let namespaces = json!({"names": [siege.stage.namespace]});
        let keys = json!([siege.stage.key.arn, "alias/orders"]);
        let owners =
            json!({"namespaces": namespaces, "keys": keys, "principals": ["role/Reader"], "secrets": ["team/*"]});
        siege.patch_account(&siege.stage.owner.name, json!({"allow": [owners]})).await?;
        let principals = ["role/ExampleRole", "user/team/*", "role/sharedkey-operator"];
        let partners = json!({"namespaces": namespaces, "principals": principals, "secrets": ["team/*"]});
        siege.patch_account(&siege.stage.partner.name, json!({"allow": [partners]})).await?;
        let forbidden = create(&siege.stage.owner.account, FORBIDDEN, &siege.secret).await?;
        let buried = create(&siege.hidden.account, BURIED, &siege.hidden_key).await?;
        let attacker = std::mem::replace(&mut siege.stage.client, siege.admin.clone());
        siege.stage.grant_secrets().await?;
        siege.stage.client = attacker;
        siege.stage.put_kubernetes_secret("source", &[("password", VALUE)]).await?;
        siege.stage.share("orders", siege.spec()).await?;
        siege.stage.ready("orders").await?;
        siege.stage.forget_calls().await?;
        let before = standing_of(&siege, &forbidden, &buried).await?;
        Ok(Self { siege, forbidden, buried, before })
    }

    /// A spec that is allowed: `team/db` of the owner under the key, with a value, for the role.
    pub(super) fn secret(&self, fields: Value) -> Value {
        let mut spec = json!({
            "accountRef": {"name": self.stage.owner.name}, "region": self.stage.key.region, "secretName": "team/db",
            "sharedKeyRef": {"name": "orders"}, "source": {"secretRef": {"name": "source", "key": "password"}},
            "readers": [self.reader(json!({}))],
        });
        merge(&mut spec, fields);
        spec
    }

    /// The partner as a reader, with other fields.
    pub(super) fn reader(&self, fields: Value) -> Value {
        let mut reader = json!({
            "name": "partner", "accountRef": {"name": self.stage.partner.name}, "principals": [{"role": "ExampleRole"}],
        });
        merge(&mut reader, fields);
        reader
    }

    /// The API server does not take an object, and says why.
    pub(super) async fn secret_not_admitted(&self, name: &str, spec: Value, parts: &[&str]) -> Result<()> {
        match self.stage.keep_secret(name, spec).await {
            Ok(admitted) => bail!("it was admitted: {:?}", admitted.spec),
            Err(error) => says(&format!("{error:#}"), parts),
        }
    }

    /// The operator refuses an object, says why, and says nothing that its writer does not know.
    pub(super) async fn secret_refused(&self, name: &str, spec: Value, reason: Reason, parts: &[&str]) -> Result<()> {
        let unknown = self.unknown(&spec);
        self.stage.keep_secret(name, spec).await?;
        says(&self.stage.secret_stalled(name, reason.as_ref()).await?, parts)?;
        self.stage.look_at_secret(name).await?;
        self.stage.secret_stalled(name, reason.as_ref()).await?;
        self.tells_none_of(name, &unknown).await
    }

    /// Neither status nor events of an object have any of these texts.
    pub(super) async fn tells_none_of(&self, name: &str, unknown: &[String]) -> Result<()> {
        let secret = self.stage.secrets().get(name).await?;
        let told = format!("{}{:?}", serde_json::to_string(&secret.status)?, self.stage.events(name).await?);
        let leaks: Vec<_> = unknown.iter().filter(|text| told.contains(text.as_str())).collect();
        ensure!(leaks.is_empty(), "it tells {leaks:?}: {told}");
        Ok(())
    }

    /// Nobody has asked Secrets Manager about anything in the accounts that are opened.
    pub(super) async fn no_secret_was_asked_for(&self) -> Result<()> {
        for Side { account, .. } in [&self.stage.owner, &self.stage.partner] {
            let calls = Calls::all().account(account).principal(IN_ACCOUNTS).service("secretsmanager");
            let asked = self.stage.home.world.aws.counts(&calls).await?;
            ensure!(asked.is_empty(), "{asked:?}");
        }
        Ok(())
    }

    /// No secret that is forbidden was changed.
    pub(super) async fn stands(&self) -> Result<()> {
        let now = standing_of(&self.siege, &self.forbidden, &self.buried).await?;
        ensure!(now == self.before, "a secret was changed that is not opened: {now:?}");
        Ok(())
    }

    /// Nothing that is forbidden was changed, and nobody asked AWS about it.
    pub(super) async fn holds(&self) -> Result<()> {
        self.stands().await?;
        let here = [self.stage.owner.account.id(), self.stage.partner.account.id(), self.hidden.account.id()];
        for name in [FORBIDDEN, BURIED] {
            let calls = Calls::all().principal(IN_ACCOUNTS).service("secretsmanager").resource(&format!("*{name}*"));
            let asked = self.stage.home.world.aws.log(&calls, 0).await?;
            let asked: Vec<_> = asked.iter().filter(|call| here.contains(&call.account.as_str())).collect();
            ensure!(asked.is_empty(), "AWS was asked about {name}: {asked:?}");
        }
        self.siege.holds().await
    }
}

async fn create(account: &Account, name: &str, key: &Key) -> Result<String> {
    let client = account.root().in_region(&key.region).secrets_manager();
    let made = client.create_secret().name(name).kms_key_id(&key.arn).secret_string(HIDDEN).send().await?;
    made.arn.context("CreateSecret answered without an ARN")
}

async fn standing_of(siege: &Siege, forbidden: &str, buried: &str) -> Result<[String; 2]> {
    Ok([standing(&siege.stage.owner.account, forbidden).await?, standing(&siege.hidden.account, buried).await?])
}

/// Everything about a secret that somebody could change, as its account's administrator sees it.
pub(super) async fn standing(account: &Account, secret: &str) -> Result<String> {
    let region = secret.split(':').nth(3).context("no ARN of a secret")?;
    let client = account.root().in_region(region).secrets_manager();
    let found = client.describe_secret().secret_id(secret).send().await?;
    let policy = client.get_resource_policy().secret_id(secret).send().await?.resource_policy;
    let versions = found.version_ids_to_stages.into_iter().flatten().collect::<std::collections::BTreeMap<_, _>>();
    Ok(format!(
        "{:?} {:?} {:?} {:?} {versions:?} {policy:?}",
        found.kms_key_id, found.description, found.tags, found.deleted_date
    ))
}

/// The names of the secrets of an account whose names begin so, as its administrator lists them.
pub(super) async fn names(stage: &Stage, account: &Account, prefix: &str) -> Result<Vec<String>> {
    let client = account.root().in_region(&stage.key.region).secrets_manager();
    let listed = client.list_secrets().send().await?.secret_list.unwrap_or_default();
    let mut names: Vec<String> = listed.into_iter().filter_map(|secret| secret.name).collect();
    names.retain(|name| name.starts_with(prefix));
    names.sort();
    Ok(names)
}
