//! Writes to a key policy that others write too.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use sharedkey_aws::{ApplyError, Outcome};
use sharedkey_engine::{
    ledger::{Record, Resource},
    plan::{Action, Step},
    problem::{Class, Failure},
};
use sharedkey_harness::aws::{Calls, Fault};
use sharedkey_policy::{Edit, EntityArn, Sid, Statement};

use crate::world::{Sharing, Shell, owner_id, strict};

const SID: &str = "SharedKey/tests/team/orders/partner";

impl Sharing {
    /// What the desired consumer needs.
    fn share(&self) -> Edit {
        let consumer = &self.desired.consumers[0];
        let put = consumer.key_statements(&self.desired.names, self.role.partition(), &[].into());
        Edit { put, remove: [].into() }
    }

    fn unshare() -> Edit {
        Edit { put: Vec::new(), remove: [SID.parse::<Sid>().unwrap()].into() }
    }

    async fn put(&self, edit: Edit) -> Result<Outcome, ApplyError> {
        self.put_knowing(edit, [("AROAEXAMPLE".to_owned(), self.role.to_string())].into()).await
    }

    async fn put_knowing(&self, edit: Edit, unique_ids: BTreeMap<String, String>) -> Result<Outcome, ApplyError> {
        let action = Action::PutKeyPolicy {
            key: self.key.arn.parse().unwrap(),
            owner: owner_id(),
            edit,
            unique_ids,
            prune: false,
        };
        let account = self.owner.reach("owner");
        let step = Step { account, action, records: Vec::new(), forgets: Vec::new() };
        self.shell.aws.apply(&step, &self.shell.kept, None).await
    }

    /// Whether a write of which AWS said nothing may bring our statement back.
    fn may_return(&self) -> bool {
        let statement = Resource::Statement { key: self.key.arn.parse().unwrap(), sid: SID.into() };
        self.shell.aws.unanswered(&statement).is_some()
    }

    async fn statements(&self) -> Vec<Value> {
        let policy = self.owner.account.key_policy(&self.key).await.unwrap();
        policy["Statement"].as_array().unwrap().clone()
    }

    /// The owner's own statement, and one that somebody else added.
    async fn with_foreign_statement(&self) -> Value {
        let foreign = json!({
            "Sid": "Somebody else's", "Effect": "Allow", "Principal": {"AWS": self.owner.operator_arn},
            "Action": "kms:Verify", "Resource": "*",
        });
        let mut policy = self.owner.account.key_policy(&self.key).await.unwrap();
        policy["Statement"].as_array_mut().unwrap().push(foreign.clone());
        self.owner.account.put_key_policy(&self.key, &policy).await.unwrap();
        foreign
    }
}

fn failed(outcome: Result<Outcome, ApplyError>) -> Failure {
    match outcome {
        Err(ApplyError::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_statement_is_put_and_removed_once_beside_those_of_others() {
    let sharing = Sharing::new().await;
    let foreign = sharing.with_foreign_statement().await;
    let before = sharing.statements().await;
    assert!(sharing.put(sharing.share()).await.unwrap().changed);
    assert!(!sharing.put(sharing.share()).await.unwrap().changed);
    let shared = sharing.statements().await;
    assert_eq!(shared.len(), before.len() + 1);
    assert!(shared.contains(&foreign) && shared.iter().any(|statement| statement["Sid"] == SID));
    assert!(sharing.put(Sharing::unshare()).await.unwrap().changed);
    assert!(!sharing.put(Sharing::unshare()).await.unwrap().changed);
    assert_eq!(sharing.statements().await, before);
    assert_eq!(sharing.owner.calls().await["kms:PutKeyPolicy"], 2);
}

#[tokio::test]
async fn writers_of_one_key_take_turns() {
    let sharing = Sharing::new().await;
    let statement = sharing.share().put[0].to_json().to_owned();
    let writes = (0..8).map(|number| {
        let mut statement: Value = serde_json::from_str(&statement).unwrap();
        statement["Sid"] = json!(format!("{SID}{number}"));
        let document = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        let put = sharedkey_policy::PolicyDocument::parse(&document).unwrap().statements().to_vec();
        sharing.put(Edit { put, remove: [].into() })
    });
    let outcomes = futures::future::join_all(writes).await;
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_ok_and(|outcome| outcome.changed)), "{outcomes:?}");
    assert_eq!(sharing.statements().await.len(), 1 + 8);
}

#[tokio::test]
async fn what_was_written_is_read_anew() {
    let sharing = Sharing::new().await;
    let (record, minute) = (Record::default(), Duration::from_mins(1));
    let observe = || sharing.shell.aws.observe(&sharing.desired, &record, minute);
    assert_eq!(observe().await.document().unwrap().with_sid(SID).count(), 0);
    let _ = sharing.put(sharing.share()).await.unwrap();
    assert_eq!(observe().await.document().unwrap().with_sid(SID).count(), 1);
}

#[tokio::test]
async fn an_old_answer_is_neither_drift_nor_written_over() {
    let sharing = Sharing::new().await;
    strict().await.set_lag(&sharing.owner.account, Duration::from_mins(10), false).await.unwrap();
    assert!(sharing.put(sharing.share()).await.unwrap().changed);
    assert!(sharing.observe().await.key.policy.unwrap().unwrap().lagging);
    let failure = failed(sharing.put(Sharing::unshare()).await);
    assert_eq!((failure.class, failure.code.as_str()), (Class::Propagating, "StaleRead"));
    assert_eq!(sharing.owner.calls().await["kms:PutKeyPolicy"], 1);
    strict().await.set_lag(&sharing.owner.account, Duration::ZERO, false).await.unwrap();
    assert!(!sharing.observe().await.key.policy.unwrap().unwrap().lagging);
    assert!(sharing.put(Sharing::unshare()).await.unwrap().changed);
}

#[tokio::test]
async fn answers_that_go_to_and_fro_never_look_like_drift() {
    let sharing = Sharing::new().await;
    strict().await.set_lag(&sharing.owner.account, Duration::from_mins(10), true).await.unwrap();
    assert!(sharing.put(sharing.share()).await.unwrap().changed);
    let mut lagged = 0;
    for _ in 0..50 {
        let policy = sharing.observe().await.key.policy.unwrap().unwrap();
        let shared = policy.document.unwrap().with_sid(SID).count() == 1;
        assert_eq!(policy.lagging, !shared);
        lagged += u32::from(policy.lagging);
    }
    assert!((1..50).contains(&lagged), "the strict AWS did not flap: {lagged}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sweeps_and_writes_run_on_any_thread() {
    let sharing = Arc::new(Sharing::new().await);
    let spawned = |share: bool| {
        let sharing = Arc::clone(&sharing);
        tokio::spawn(async move {
            let edit = if share { sharing.share() } else { Edit::default() };
            let _ = sharing.put(edit).await.unwrap();
            sharing.observe().await.entity(&sharing.role).is_some()
        })
    };
    assert!(spawned(true).await.unwrap());
    assert!(spawned(false).await.unwrap());
}

#[tokio::test]
async fn a_principal_that_may_not_exist_is_named() {
    let mut sharing = Sharing::new().await;
    let nobody: EntityArn = sharing.partner.account.arn("role/nobody").parse().unwrap();
    sharing.desired.consumers[0].principals.push(nobody.clone());
    let failure = failed(sharing.put(sharing.share()).await);
    assert_eq!((failure.class, failure.code.as_str()), (Class::UserActionNeeded, "MalformedPolicyDocumentException"));
    assert!(failure.message.ends_with(&format!("one of: {nobody}")), "{failure}");
}

#[tokio::test]
async fn a_principal_that_is_known_to_exist_is_waited_for() {
    let sharing = Sharing::new().await;
    let message = "Policy contains a statement with one or more invalid principals.";
    let fault = Fault::error("MalformedPolicyDocumentException", message);
    let fault = fault.account(&sharing.owner.account).operation("PutKeyPolicy").times(1);
    strict().await.inject(&fault).await.unwrap();
    assert_eq!(failed(sharing.put(sharing.share()).await).class, Class::Propagating);
    assert!(sharing.put(sharing.share()).await.unwrap().changed);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_was_made() {
    let sharing = Sharing::new().await;
    let fault = Fault::answer_lost().account(&sharing.owner.account).operation("PutKeyPolicy");
    strict().await.inject(&fault).await.unwrap();
    assert!(sharing.put(sharing.share()).await.unwrap().changed);
    assert!(!sharing.observe().await.key.policy.unwrap().unwrap().lagging);
}

#[tokio::test]
async fn a_write_that_is_performed_long_after_its_attempt_is_expected() {
    let sharing = Sharing::with(Shell::impatient(Duration::from_secs(1))).await;
    let fault = Fault::hang(Duration::from_mins(1)).principal(&sharing.owner.operator_arn).times(1);
    let fault = fault.account(&sharing.owner.account).operation("PutKeyPolicy");
    let late = strict().await.inject(&fault).await.unwrap();
    assert!(sharing.put(sharing.share()).await.unwrap().changed && sharing.may_return());
    assert!(sharing.put(Sharing::unshare()).await.unwrap().changed && sharing.may_return());
    strict().await.remove_fault(late).await.unwrap();
    let returned = async || {
        let statements = sharing.statements().await;
        anyhow::ensure!(statements.iter().any(|statement| statement["Sid"] == SID), "{statements:?}");
        Ok(())
    };
    sharedkey_harness::wait_for("the statement that was removed", Duration::from_secs(10), returned).await.unwrap();
}

#[tokio::test]
async fn a_write_that_was_answered_or_stands_there_is_not_expected_any_more() {
    let sharing = Sharing::new().await;
    assert!(sharing.put(sharing.share()).await.unwrap().changed && !sharing.may_return());
    let sharing = Sharing::new().await;
    let fault = Fault::answer_lost().account(&sharing.owner.account).operation("PutKeyPolicy").times(1);
    strict().await.inject(&fault).await.unwrap();
    assert!(sharing.put(sharing.share()).await.unwrap().changed && !sharing.may_return());
}

#[tokio::test]
async fn a_write_that_was_not_made_is_a_failure() {
    let sharing = Sharing::new().await;
    let fault = Fault::status(500).account(&sharing.owner.account).operation("PutKeyPolicy");
    strict().await.inject(&fault).await.unwrap();
    assert_eq!(failed(sharing.put(sharing.share()).await).class, Class::Transient);
}

#[tokio::test]
async fn a_write_that_was_turned_away_is_no_write() {
    let sharing = Sharing::new().await;
    let fault = Fault::error("ThrottlingException", "Rate exceeded").account(&sharing.owner.account);
    strict().await.inject(&fault.operation("PutKeyPolicy").times(3)).await.unwrap();
    assert_eq!(failed(sharing.put(sharing.share()).await).class, Class::Transient);
    assert!(!sharing.observe().await.key.policy.unwrap().unwrap().lagging);
    assert!(sharing.put(sharing.share()).await.unwrap().changed);
}

#[tokio::test]
async fn a_statement_that_somebody_removes_right_after_our_write_is_told() {
    let sharing = Sharing::new().await;
    let foreign = sharing.with_foreign_statement().await;
    // The write is performed and its answer held back until somebody else has written.
    let fault = Fault::hang(Duration::from_mins(1)).account(&sharing.owner.account).operation("PutKeyPolicy");
    let fault = fault.principal(&sharing.owner.operator_arn).after_call().times(1);
    let fault = strict().await.inject(&fault).await.unwrap();
    let somebody_else = async {
        let shared = sharedkey_harness::wait_for("our statement", Duration::from_secs(10), async || {
            let statements = sharing.statements().await;
            let ours = statements.iter().any(|statement| statement["Sid"] == SID);
            if ours { Ok(statements) } else { Err(anyhow::anyhow!("{statements:?}")) }
        });
        let left: Vec<Value> = shared.await.unwrap().into_iter().filter(|statement| *statement != foreign).collect();
        let policy = json!({"Version": "2012-10-17", "Statement": left});
        sharing.owner.account.put_key_policy(&sharing.key, &policy).await.unwrap();
        strict().await.remove_fault(fault).await.unwrap();
    };
    let (outcome, ()) = futures::join!(sharing.put(sharing.share()), somebody_else);
    let meanwhile = outcome.unwrap().meanwhile;
    assert_eq!(sids(&meanwhile.gone), ["Somebody else's"]);
    assert_eq!((meanwhile.lost, meanwhile.revived), (vec![], vec![]));
}

#[tokio::test]
async fn what_somebody_changes_right_before_our_write_is_told_and_kept() {
    let sharing = Sharing::new().await;
    let before = sharing.with_foreign_statement().await;
    // Our write waits until somebody else has written, and the reading beside it, the third one, sees that.
    let ours = |fault: Fault| fault.principal(&sharing.owner.operator_arn).account(&sharing.owner.account).times(1);
    let write = ours(Fault::hang(Duration::from_mins(1)).operation("PutKeyPolicy"));
    let reading = ours(Fault::hang(Duration::from_mins(1)).operation("GetKeyPolicy").skip(2));
    let aws = strict().await;
    let (write, reading) = (aws.inject(&write).await.unwrap(), aws.inject(&reading).await.unwrap());
    let somebody_else = async {
        let struck = async |fault| match aws.fault_hits(fault).await? {
            0 => Err(anyhow::anyhow!("not yet")),
            _ => Ok(()),
        };
        let both = async || futures::try_join!(struck(write), struck(reading));
        sharedkey_harness::wait_for("our write", Duration::from_secs(10), both).await.unwrap();
        let mut theirs = before.clone();
        theirs["Sid"] = json!("Another one's");
        let mut policy = sharing.owner.account.key_policy(&sharing.key).await.unwrap();
        policy["Statement"].as_array_mut().unwrap().retain(|statement| *statement != before);
        policy["Statement"].as_array_mut().unwrap().push(theirs);
        sharing.owner.account.put_key_policy(&sharing.key, &policy).await.unwrap();
        aws.remove_fault(reading).await.unwrap();
        let answered = Calls::all().principal(&sharing.owner.operator_arn).operation("GetKeyPolicy");
        let third = async || match aws.count(&answered).await? {
            3 => Ok(()),
            count => Err(anyhow::anyhow!("{count} readings")),
        };
        sharedkey_harness::wait_for("the reading", Duration::from_secs(10), third).await.unwrap();
        aws.remove_fault(write).await.unwrap();
    };
    let (outcome, ()) = futures::join!(sharing.put(sharing.share()), somebody_else);
    let meanwhile = outcome.unwrap().meanwhile;
    assert_eq!((sids(&meanwhile.lost), sids(&meanwhile.revived)), (vec!["Another one's"], vec!["Somebody else's"]));
    assert_eq!(sids(&meanwhile.gone), Vec::<&str>::new());
    let kept = sharing.shell.kept.0.lock().unwrap().clone();
    assert!(kept.last().unwrap().contains("Another one's"), "{kept:?}");
}

fn sids(statements: &[Statement]) -> Vec<&str> {
    statements.iter().filter_map(Statement::sid).collect()
}

#[tokio::test]
async fn an_attempt_that_failed_is_made_again_with_what_others_wrote_meanwhile() {
    let sharing = Sharing::new().await;
    let fault = Fault::hang(Duration::from_mins(1)).principal(&sharing.owner.operator_arn);
    let fault = fault.then_reset().account(&sharing.owner.account).operation("PutKeyPolicy").times(1);
    let aws = strict().await;
    let fault = aws.inject(&fault).await.unwrap();
    let somebody_else = async {
        let struck = async || match aws.fault_hits(fault).await? {
            0 => Err(anyhow::anyhow!("not yet")),
            _ => Ok(()),
        };
        sharedkey_harness::wait_for("our write", Duration::from_secs(10), struck).await.unwrap();
        let theirs = sharing.with_foreign_statement().await;
        aws.remove_fault(fault).await.unwrap();
        theirs
    };
    let (outcome, theirs) = futures::join!(sharing.put(sharing.share()), somebody_else);
    assert!(outcome.unwrap().changed);
    let statements = sharing.statements().await;
    assert!(
        statements.contains(&theirs) && statements.iter().any(|statement| statement["Sid"] == SID),
        "{statements:?}"
    );
}

#[tokio::test]
async fn a_key_that_is_gone_needs_no_unsharing() {
    let mut sharing = Sharing::new().await;
    sharing.key.arn = sharing.key.arn.replace(&sharing.key.id, "00000000-0000-0000-0000-000000000000");
    assert!(!sharing.put(Sharing::unshare()).await.unwrap().changed);
    assert_eq!(failed(sharing.put(sharing.share()).await).class, Class::UserActionNeeded);
}

#[tokio::test]
async fn what_the_engine_refuses_is_not_sent() {
    let sharing = Sharing::new().await;
    // A principal that is deleted is read back by its unique id, and KMS refuses every write while it stands there (D§1.4).
    let gone = sharing.owner.account.create_role("/", "gone").await.unwrap();
    let mut policy = sharing.owner.account.key_policy(&sharing.key).await.unwrap();
    let orphan = json!({"Sid": "Orphan", "Effect": "Allow", "Principal": {"AWS": gone}, "Action": "kms:Verify", "Resource": "*"});
    policy["Statement"].as_array_mut().unwrap().push(orphan);
    sharing.owner.account.put_key_policy(&sharing.key, &policy).await.unwrap();
    sharing.owner.account.root().iam().delete_role().role_name("gone").send().await.unwrap();
    let error = sharing.put(sharing.share()).await.unwrap_err();
    assert!(matches!(&error, ApplyError::Refused(refusal) if refusal.message.contains("Orphan")), "{error}");
    assert!(!sharing.owner.calls().await.contains_key("kms:PutKeyPolicy"));
}
