//! Writes to the resource policy of a secret, which others write too.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use sharedkey_aws::{ApplyError, Outcome};
use sharedkey_engine::{plan::Action, problem::Class};
use sharedkey_harness::aws::Fault;
use sharedkey_policy::Edit;

use crate::{
    vault::{NAME, Vault, failed},
    world::{owner_id, strict},
};

impl Vault {
    fn share(&self) -> Edit {
        let put = self.desired.readers[0].statement(&self.desired.names, &BTreeMap::new());
        Edit { put: put.into_iter().collect(), remove: [].into() }
    }

    fn unshare(&self) -> Edit {
        Edit { put: Vec::new(), remove: [self.desired.names.secret_sid("partner")].into() }
    }

    async fn put_policy(&self, edit: Edit) -> Result<Outcome, ApplyError> {
        self.put_policy_knowing(edit, [("AROAEXAMPLE".to_owned(), self.role.to_string())].into()).await
    }

    async fn put_policy_knowing(
        &self,
        edit: Edit,
        unique_ids: BTreeMap<String, String>,
    ) -> Result<Outcome, ApplyError> {
        let (secret, owner) = (self.arn().await, owner_id());
        self.write(Action::PutResourcePolicy { secret, owner, edit, unique_ids }, None).await
    }

    async fn statements(&self) -> Vec<Value> {
        self.policy().await.map(|policy| policy["Statement"].as_array().unwrap().clone()).unwrap_or_default()
    }

    async fn with_foreign_statement(&self) -> Value {
        let foreign = json!({
            "Sid": "SomebodyElse", "Effect": "Deny", "Principal": {"AWS": self.owner.operator_arn},
            "Action": "secretsmanager:CancelRotateSecret", "Resource": "*",
        });
        let policy = json!({"Version": "2012-10-17", "Statement": [foreign]}).to_string();
        self.client().put_resource_policy().secret_id(NAME).resource_policy(policy).send().await.unwrap();
        foreign
    }
}

#[tokio::test]
async fn a_statement_is_put_and_removed_once_beside_those_of_others() {
    let vault = Vault::new().await;
    let foreign = vault.with_foreign_statement().await;
    assert!(vault.put_policy(vault.share()).await.unwrap().changed);
    assert!(!vault.put_policy(vault.share()).await.unwrap().changed);
    let shared = vault.statements().await;
    assert!(shared.len() == 2 && shared.contains(&foreign), "{shared:?}");
    assert!(vault.put_policy(vault.unshare()).await.unwrap().changed);
    assert!(!vault.put_policy(vault.unshare()).await.unwrap().changed);
    assert_eq!(vault.statements().await, [foreign]);
    assert_eq!(vault.owner.calls().await["secretsmanager:PutResourcePolicy"], 2);
}

#[tokio::test]
async fn a_policy_in_which_only_ours_were_goes_with_them() {
    let vault = Vault::new().await;
    assert!(vault.put_policy(vault.share()).await.unwrap().changed);
    assert!(vault.put_policy(vault.unshare()).await.unwrap().changed);
    assert_eq!(vault.policy().await, None);
    assert!(!vault.put_policy(vault.unshare()).await.unwrap().changed);
    let writes = vault.owner.calls().await;
    let deleted = writes["secretsmanager:DeleteResourcePolicy"];
    assert_eq!((writes["secretsmanager:PutResourcePolicy"], deleted), (1, 1));
}

#[tokio::test]
async fn writers_of_one_policy_take_turns() {
    let vault = Vault::new().await;
    let statement = vault.share().put[0].to_json().to_owned();
    let writes = (0..8).map(|number| {
        let mut statement: Value = serde_json::from_str(&statement).unwrap();
        statement["Sid"] = json!(format!("{}{number}", statement["Sid"].as_str().unwrap()));
        let document = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        let put = sharedkey_policy::PolicyDocument::parse(&document).unwrap().statements().to_vec();
        vault.put_policy(Edit { put, remove: [].into() })
    });
    let outcomes = futures::future::join_all(writes).await;
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_ok_and(|outcome| outcome.changed)), "{outcomes:?}");
    assert_eq!(vault.statements().await.len(), 8);
}

#[tokio::test]
async fn an_old_answer_is_neither_drift_nor_written_over() {
    let vault = Vault::new().await;
    strict().await.set_lag(&vault.owner.account, Duration::from_mins(10), false).await.unwrap();
    assert!(vault.put_policy(vault.share()).await.unwrap().changed);
    assert!(vault.observe().await.policy.unwrap().unwrap().lagging, "without a policy it is the old answer");
    let failure = failed(vault.put_policy(vault.unshare()).await);
    assert_eq!((failure.class, failure.code.as_str()), (Class::Propagating, "StaleRead"));
    strict().await.set_lag(&vault.owner.account, Duration::ZERO, false).await.unwrap();
    assert!(!vault.observe().await.policy.unwrap().unwrap().lagging);
    assert!(vault.put_policy(vault.unshare()).await.unwrap().changed);
    assert!(vault.observe().await.policy.unwrap().is_none());
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_not_made_twice() {
    let vault = Vault::new().await;
    let fault = Fault::answer_lost().account(&vault.owner.account).operation("PutResourcePolicy").times(1);
    strict().await.inject(&fault).await.unwrap();
    assert!(vault.put_policy(vault.share()).await.unwrap().changed);
    assert_eq!(vault.owner.calls().await["secretsmanager:PutResourcePolicy"], 1);
    assert_eq!(vault.statements().await.len(), 1);
}

#[tokio::test]
async fn a_principal_that_does_not_exist_is_named() {
    let vault = Vault::new().await;
    let statement = vault.share().put[0].to_json().replace("role/team/app", "role/team/gone");
    let document = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
    let put = sharedkey_policy::PolicyDocument::parse(&document).unwrap().statements().to_vec();
    let failure = failed(vault.put_policy(Edit { put: put.clone(), remove: [].into() }).await);
    assert_eq!((failure.class, failure.code.as_str()), (Class::UserActionNeeded, "MalformedPolicyDocumentException"));
    assert!(failure.message.contains("role/team/gone"), "{failure}");
    // One that exists is not seen everywhere yet.
    let known = [("AROAEXAMPLE".to_owned(), vault.role.to_string().replace("app", "gone"))].into();
    let failure = failed(vault.put_policy_knowing(Edit { put, remove: [].into() }, known).await);
    assert_eq!(failure.class, Class::Propagating);
}

#[tokio::test]
async fn what_opens_the_secret_to_everybody_is_not_written_again() {
    let vault = Vault::new().await;
    let open = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*"},
    ]});
    vault.client().put_resource_policy().secret_id(NAME).resource_policy(open.to_string()).send().await.unwrap();
    let failure = failed(vault.put_policy(vault.share()).await);
    assert_eq!((failure.class, failure.code.as_str()), (Class::UserActionNeeded, "PublicPolicyException"));
    assert_eq!(vault.policy().await, Some(open));
}

#[tokio::test]
async fn what_was_stated_for_a_secret_that_is_gone_is_gone_and_what_is_to_be_stated_waits() {
    let vault = Vault::new().await;
    let secret = vault.arn().await;
    let client = vault.client();
    client.delete_secret().secret_id(NAME).force_delete_without_recovery(true).send().await.unwrap();
    let put = |edit| {
        let (secret, owner, unique_ids) = (secret.clone(), owner_id(), BTreeMap::new());
        vault.write(Action::PutResourcePolicy { secret, owner, edit, unique_ids }, None)
    };
    assert!(!put(vault.unshare()).await.unwrap().changed);
    let failure = failed(put(vault.share()).await);
    assert_eq!((failure.class, failure.code.as_str()), (Class::Propagating, "ResourceNotFoundException"));
}
