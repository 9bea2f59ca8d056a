//! A key that is shared, and whoever may use it.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sharedkey_api::{PrincipalStatus, SharedKeyStatus, VerdictValue};
use sharedkey_e2e::{Live, Stage, allowed, merge, spec};
use sharedkey_harness::aws::{Identity, KmsClient, Operation, Probe};

/// The object.
pub(crate) const NAME: &str = "orders";
/// An alias of the key.
pub(crate) const ALIAS: &str = "alias/orders";

/// A shared key, in use.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    people: [(String, Identity); 2],
    probe: Probe,
}

impl Scene {
    /// Shares a key with a role and a user, with these further fields of the consumer.
    pub(crate) async fn open(partition: &str, consumer: &Value) -> Result<Self> {
        let stage = Stage::new(partition).await?;
        let key = json!({"arn": stage.key.arn});
        Self::sharing(stage, key, consumer).await
    }

    /// The same, in accounts that the operator enters by roles that it assumes.
    pub(crate) async fn entered_by_roles(partition: &str) -> Result<Self> {
        let stage = Stage::entered_by_roles(partition).await?;
        let key = json!({"arn": stage.key.arn});
        Self::sharing(stage, key, &json!({})).await
    }

    /// The same, by an alias of the key.
    pub(crate) async fn open_by_alias(partition: &str) -> Result<Self> {
        let stage = Stage::new(partition).await?;
        stage.owner.account.create_alias(ALIAS, &stage.key).await?;
        Self::sharing(stage, json!({"alias": ALIAS}), &json!({})).await
    }

    async fn sharing(stage: Stage, key: Value, consumer: &Value) -> Result<Self> {
        let mut fields = json!({"principals": [{"role": "ExampleRole"}, {"user": "team/ExampleUser"}]});
        merge(&mut fields, consumer.clone());
        stage.share(NAME, spec(&stage, key, fields)).await?;
        stage.ready(NAME).await?;
        let context: HashMap<String, String> = match &consumer["conditions"]["encryptionContext"] {
            Value::Null => HashMap::new(),
            pairs => serde_json::from_value(pairs.clone())?,
        };
        let probe = Probe::with_context(&stage.owner.account, &stage.key, context).await?;
        let people = [(stage.role.clone(), stage.as_role().await?), (stage.user.clone(), stage.as_user().await?)];
        Ok(Self { stage, people, probe })
    }

    /// The Sid of the statement.
    pub(crate) fn sid(&self) -> String {
        self.stage.sid(NAME, "partner")
    }

    /// The inline policy's name.
    pub(crate) fn policy_name(&self) -> String {
        self.stage.policy_name(NAME, "partner")
    }

    /// The managed policy's ARN.
    pub(crate) fn policy_arn(&self) -> String {
        self.stage.policy_arn(NAME, "partner")
    }

    pub(crate) async fn live(&self) -> Result<Live> {
        self.stage.live(NAME).await
    }

    pub(crate) async fn status(&self) -> Result<SharedKeyStatus> {
        self.stage.status(NAME).await
    }

    /// KMS, as the key's owner.
    pub(crate) fn kms(&self) -> KmsClient {
        self.stage.owner.account.root().in_region(&self.stage.key.region).kms()
    }

    /// The owner adds a statement to the key policy.
    pub(crate) async fn add_statement(&self, statement: Value) -> Result<()> {
        let mut policy = self.stage.owner.account.key_policy(&self.stage.key).await?;
        policy["Statement"].as_array_mut().context("statements")?.push(statement);
        self.stage.owner.account.put_key_policy(&self.stage.key, &policy).await
    }

    /// The owner removes a statement from the key policy.
    pub(crate) async fn remove_statement(&self, sid: &str) -> Result<()> {
        let mut policy = self.stage.owner.account.key_policy(&self.stage.key).await?;
        policy["Statement"].as_array_mut().context("statements")?.retain(|statement| statement["Sid"] != sid);
        self.stage.owner.account.put_key_policy(&self.stage.key, &policy).await
    }

    /// How often the operator has looked at the key policy: once a sweep.
    pub(crate) async fn looks(&self) -> Result<u64> {
        let calls = self.stage.calls(&self.stage.owner.account).await?;
        Ok(calls.iter().filter(|call| call.operation == "GetKeyPolicy").map(|call| call.count).sum())
    }

    /// Everybody can use the key.
    pub(crate) async fn everybody_is_allowed(&self) -> Result<()> {
        for (_, who) in &self.people {
            allowed(who, &self.probe).await?;
        }
        Ok(())
    }

    /// Whoever is told to be able to use the key can, and whoever is told not to be cannot. Under a condition that only a request
    /// decides, it is told to be able to, and AWS decides.
    pub(crate) async fn verdicts_are_true(&self, status: &SharedKeyStatus) -> Result<()> {
        let told: BTreeMap<&str, &PrincipalStatus> =
            status.consumers[0].principals.iter().map(|principal| (principal.arn.as_str(), principal)).collect();
        // A key that nobody can use can still be described (D§1.6).
        let usable = status.key_state.as_deref() == Some("Enabled");
        for (arn, who) in &self.people {
            let mut attempts = who.attempt_all(&self.probe).await?;
            attempts.retain(|(operation, _)| usable || *operation != Operation::DescribeKey);
            let worked = attempts.iter().filter(|(_, attempt)| attempt.is_allowed()).count();
            let truth = match worked {
                0 => VerdictValue::Denied,
                all if all == attempts.len() => VerdictValue::Allowed,
                _ => VerdictValue::Partial,
            };
            let told = told.get(arn.as_str()).context("no verdict")?;
            let open = told.verdict == VerdictValue::Allowed
                && told.reason.as_ref().is_some_and(|reason| reason.starts_with("if "));
            ensure!(told.verdict == truth || open, "{arn} is told to be {told:?}, and AWS says {attempts:?}");
        }
        Ok(())
    }

    /// The reasons of all events so far.
    pub(crate) async fn events(&self) -> Result<Vec<String>> {
        Ok(self.stage.events(NAME).await?.into_iter().filter_map(|event| event.reason).collect())
    }
}
