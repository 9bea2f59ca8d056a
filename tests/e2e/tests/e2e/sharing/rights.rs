//! The key is shared for some uses, or within the owner's own account: nobody gets more than the spec says.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sharedkey_api::{HalfState, VerdictValue};
use sharedkey_e2e::{Hands, Stage, allowed, denied, merge, spec, statement};
use sharedkey_harness::aws::{Identity, Operation, Probe};

use super::{PARTITIONS, account_policy};

#[tokio::test]
async fn access_and_actions_give_exactly_what_they_name() -> Result<()> {
    use Operation::{Decrypt, DescribeKey, Encrypt, GenerateDataKey};
    let cases: [(Value, &[Operation]); 6] = [
        (json!({}), &Operation::ALL),
        (json!({"access": "EncryptDecrypt"}), &Operation::ALL),
        (json!({"access": "Decrypt"}), &[Decrypt, DescribeKey]),
        (json!({"access": "Encrypt"}), &[Encrypt, GenerateDataKey, DescribeKey]),
        (json!({"actions": ["kms:Decrypt"]}), &[Decrypt]),
        (json!({"access": "Decrypt", "actions": ["kms:GenerateDataKey*"]}), &[Decrypt, DescribeKey, GenerateDataKey]),
    ];
    for partition in PARTITIONS {
        let stage = Stage::new(partition).await?;
        let probe = stage.probe().await?;
        let people = [stage.as_role().await?, stage.as_user().await?];
        for (rights, given) in &cases {
            let mut consumer = json!({"principals": [{"role": "ExampleRole"}, {"user": "team/ExampleUser"}]});
            merge(&mut consumer, rights.clone());
            stage.share("orders", spec(&stage, json!({"arn": stage.key.arn}), consumer)).await?;
            let ready = stage.ready("orders").await?;
            for who in &people {
                exactly(who, &probe, given).await.with_context(|| format!("{partition}, {rights}"))?;
            }
            let status = ready.status.context("a status")?;
            let verdicts: Vec<_> = status.consumers[0].principals.iter().map(|principal| principal.verdict).collect();
            assert_eq!(verdicts, [VerdictValue::Allowed; 2], "{rights}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn grants_are_given_to_services_and_to_nobody_else() -> Result<()> {
    for partition in PARTITIONS {
        // When a key is shared with grants for AWS services
        let stage = Stage::new(partition).await?;
        let consumer = json!({"principals": [{"role": "ExampleRole"}], "awsServiceGrants": true});
        stage.share("orders", spec(&stage, json!({"arn": stage.key.arn}), consumer)).await?;
        stage.ready("orders").await?;

        // Then both halves have a statement of their own for them, which a service alone can use
        let mut document = account_policy(&stage).await?;
        let grants = statement(&mut document, &format!("{}/grants", stage.sid("orders", "partner")));
        for_services(grants);
        assert_eq!(grants["Principal"], json!({"AWS": stage.role}));
        let policies = Hands::of(&stage.partner.account).inline(&stage.role).await?;
        let mut delegation = policies[&stage.policy_name("orders", "partner")].clone();
        let grants = statement(&mut delegation, "SharedKeyGrants");
        for_services(grants);
        assert_eq!(grants["Resource"], json!(stage.key.arn));

        // And the role uses the key, but gives no grant to anybody
        let role = stage.as_role().await?;
        allowed(&role, &stage.probe().await?).await?;
        let grant = role.kms().create_grant().key_id(&stage.key.arn).grantee_principal(&stage.user);
        let refused = grant.operations("Decrypt".into()).send().await.map_err(|error| format!("{error:?}"));
        assert!(refused.clone().is_err_and(|error| error.contains("AccessDenied")), "{refused:?}");
    }
    Ok(())
}

/// A statement lets grants be given on behalf of AWS services only.
fn for_services(statement: &Value) {
    let mut actions: Vec<&str> =
        statement["Action"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"]);
    assert_eq!(statement["Effect"], "Allow");
    let spellings = [json!("true"), json!(["true"])].map(|value| json!({"Bool": {"kms:GrantIsForAWSResource": value}}));
    assert!(spellings.contains(&statement["Condition"]), "{statement}");
}

#[tokio::test]
async fn in_the_owners_own_account_the_keys_half_is_enough() -> Result<()> {
    for partition in PARTITIONS {
        // Given a role of the key's own account, without any policy
        let stage = Stage::new(partition).await?;
        let arn = stage.owner.account.create_role("/", "Billing").await?;
        let billing = stage.owner.account.as_role(&arn).await?;
        let probe = stage.probe().await?;
        denied(&billing, &probe).await?;

        // When the key is shared with it
        let mut wanted = stage.spec();
        wanted["consumers"] = json!([
            {"name": "own", "accountRef": {"name": stage.owner.name}, "principals": [{"role": "Billing"}]},
        ]);
        stage.share("orders", wanted).await?;
        let ready = stage.ready("orders").await?;

        // Then it can use the key, and nothing was written on its side
        allowed(&billing, &probe).await?;
        let status = ready.status.context("a status")?;
        let principal = &status.consumers[0].principals[0];
        assert_eq!((principal.delegation, principal.verdict), (HalfState::NotManaged, VerdictValue::Allowed));
        let hands = Hands::of(&stage.owner.account);
        assert_eq!((hands.inline(&arn).await?.len(), hands.attached(&arn).await?.len()), (0, 0));

        // When the object is deleted, then it cannot
        stage.delete("orders").await?;
        denied(&billing, &probe).await?;
    }
    Ok(())
}

/// These uses of the key work, and no other.
async fn exactly(who: &Identity, probe: &Probe, given: &[Operation]) -> Result<()> {
    for (operation, attempt) in who.attempt_all(probe).await? {
        anyhow::ensure!(attempt.is_allowed() || attempt.is_denied(), "{operation}: {attempt:?}");
        anyhow::ensure!(attempt.is_allowed() == given.contains(&operation), "{operation}: {attempt:?}");
    }
    Ok(())
}
