//! An account whose administrators let the operator write only below a permissions boundary, as the README proposes.

use anyhow::Result;
use serde_json::json;
use sharedkey_api::conditions::Reason;
use sharedkey_e2e::{Stage, allowed, denied, says, spec};

use super::PARTITIONS;

#[tokio::test]
async fn nothing_is_delegated_beyond_the_boundary_that_the_account_asks_for() -> Result<()> {
    for partition in PARTITIONS {
        // Given an account in which one role is bounded and a user is not
        let stage = Stage::new(partition).await?;
        let account = &stage.partner.account;
        let boundary = account
            .create_policy("apps", &json!({
                "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["kms:*", "s3:*"], "Resource": "*"}],
            }))
            .await?;
        let bound = account.root().iam().put_role_permissions_boundary().role_name("ExampleRole");
        bound.permissions_boundary(&boundary).send().await?;
        stage.write_only_below(&stage.partner, &boundary).await?;

        // When a key is shared with the role, then it can use the key for as long as it is, in either way of delegation
        let (role, probe) = (stage.as_role().await?, stage.probe().await?);
        for delegation in ["InlinePolicy", "ManagedPolicy"] {
            let consumer = json!({"principals": [{"role": "ExampleRole"}], "delegation": delegation});
            stage.share("orders", spec(&stage, json!({"arn": stage.key.arn}), consumer)).await?;
            stage.ready("orders").await?;
            allowed(&role, &probe).await?;
            stage.delete("orders").await?;
            denied(&role, &probe).await?;
        }

        // And when it is shared with the user, then the account refuses, and status says what of whom
        let consumer = json!({"principals": [{"user": "team/ExampleUser"}]});
        stage.share("billing", spec(&stage, json!({"arn": stage.key.arn}), consumer)).await?;
        let refused = stage.says("billing", "DelegationApplied", "False", Reason::OperatorUnauthorised).await?;
        says(&refused, &["iam:PutUserPolicy", account.id(), &stage.user])?;
        denied(&stage.as_user().await?, &probe).await?;
    }
    Ok(())
}
