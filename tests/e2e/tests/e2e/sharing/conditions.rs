//! The key is shared under conditions, and AWS holds everybody to them.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sharedkey_api::{SharedKey, VerdictValue};
use sharedkey_e2e::{Side, Stage, allowed, denied, says, spec, statement};
use sharedkey_harness::aws::{Operation, Probe};

use super::{PARTITIONS, account_policy, all_allowed, all_denied};

#[tokio::test]
async fn a_key_for_use_through_services_cannot_be_used_directly() -> Result<()> {
    for partition in PARTITIONS {
        let stage = Stage::new(partition).await?;
        let probe = stage.probe().await?;

        // When the key is shared for Secrets Manager and S3
        let ready = shared_if(&stage, json!({"viaServices": ["secretsmanager", "s3"]})).await?;

        // Then the statement names them as they are called in this partition, verdicts state the condition, and direct use is denied
        let region = &stage.key.region;
        let services = [format!("s3.{region}.amazonaws.com"), format!("secretsmanager.{region}.amazonaws.com")];
        let condition = &own_statement(&stage, "partner").await?["Condition"]["StringEquals"]["kms:ViaService"];
        assert_eq!(condition, &json!(services));
        verdicts_state(&ready, &["kms:ViaService", &services[0], &services[1]])?;
        all_denied(&[stage.as_role().await?, stage.as_user().await?], &probe).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_key_for_one_encryption_context_is_good_for_nothing_else() -> Result<()> {
    for partition in PARTITIONS {
        let stage = Stage::new(partition).await?;
        let context = HashMap::from([("department".to_owned(), "orders".to_owned())]);
        let with_context = Probe::with_context(&stage.owner.account, &stage.key, context).await?;
        let without = stage.probe().await?;

        // When the key is shared for one encryption context
        let ready = shared_if(&stage, json!({"encryptionContext": {"department": "orders"}})).await?;
        verdicts_state(&ready, &["kms:EncryptionContext:department", "orders"])?;

        // Then it can be used with it, and without it there is only DescribeKey, which carries none
        for who in [stage.as_role().await?, stage.as_user().await?] {
            allowed(&who, &with_context).await?;
            for (operation, attempt) in who.attempt_all(&without).await? {
                let wanted = operation == Operation::DescribeKey;
                assert_eq!(attempt.is_allowed(), wanted, "{operation} without the context: {attempt:?}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_key_for_an_organization_is_closed_to_accounts_outside_of_it() -> Result<()> {
    for partition in PARTITIONS {
        // Given one account in the organization and one outside of it, and a key that both are to use if they are in it
        let stage = Stage::new(partition).await?;
        let member = stage.home.world.aws.account_in_organization(partition, "o-a1b2c3d4e5").await?;
        let member = Side { name: format!("member-{}", stage.namespace), account: member };
        stage.open(&member, &["consumer"], json!({})).await?;
        let app = member.account.create_role("/", "App").await?;
        let conditions = json!({"organizationId": "o-a1b2c3d4e5"});
        let mut wanted = spec(&stage, json!({"arn": stage.key.arn}), consumer(&conditions));
        let inside = json!({"name": "member", "accountRef": {"name": member.name}, "principals": [{"role": "App"}], "conditions": conditions});
        wanted["consumers"].as_array_mut().context("consumers")?.push(inside);

        // When it is shared
        stage.share("orders", wanted).await?;
        let ready = stage.ready("orders").await?;

        // Then the one inside can use it and the one outside cannot; verdicts state the condition, which only a request decides
        verdicts_state(&ready, &["aws:PrincipalOrgID", "o-a1b2c3d4e5"])?;
        let probe = stage.probe().await?;
        all_allowed(&[member.account.as_role(&app).await?], &probe).await?;
        denied(&stage.as_role().await?, &probe).await?;
        denied(&stage.as_user().await?, &probe).await?;
    }
    Ok(())
}

fn consumer(conditions: &Value) -> Value {
    json!({"principals": [{"role": "ExampleRole"}, {"user": "team/ExampleUser"}], "conditions": conditions})
}

async fn shared_if(stage: &Stage, conditions: Value) -> Result<SharedKey> {
    stage.share("orders", spec(stage, json!({"arn": stage.key.arn}), consumer(&conditions))).await?;
    stage.ready("orders").await
}

/// The statement of a consumer as it stands in the key policy, its lists in the order of the alphabet.
async fn own_statement(stage: &Stage, consumer: &str) -> Result<Value> {
    let mut document = account_policy(stage).await?;
    let mut found = statement(&mut document, &stage.sid("orders", consumer)).take();
    for values in found["Condition"].as_object_mut().into_iter().flat_map(|operators| operators.values_mut()) {
        for value in values.as_object_mut().into_iter().flat_map(|keys| keys.values_mut()) {
            value.as_array_mut().into_iter().for_each(|values| values.sort_by_key(Value::to_string));
        }
    }
    Ok(found)
}

/// Every verdict is Allowed under the condition that it names.
fn verdicts_state(key: &SharedKey, parts: &[&str]) -> Result<()> {
    let consumers = key.status.iter().flat_map(|status| &status.consumers);
    for principal in consumers.flat_map(|consumer| &consumer.principals) {
        assert_eq!(principal.verdict, VerdictValue::Allowed, "{principal:?}");
        says(principal.reason.as_deref().unwrap_or_default(), parts)?;
    }
    Ok(())
}
