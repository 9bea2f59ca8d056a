//! Writes on the consumer's side: each does what it says, does nothing the second time, and is told from drift.

use std::time::Duration;

use sharedkey_engine::{observed::ManagedPolicy, plan::Action};
use sharedkey_harness::aws::Fault;
use sharedkey_policy::{EntityArn, PolicyArn, PolicyDocument};

use crate::world::{Sharing, allow, strict};

const NAME: &str = "sharedkey@tests@team@orders@partner";

fn document(action: &str) -> PolicyDocument {
    PolicyDocument::parse(&allow(action, "*").to_string()).unwrap()
}

impl Sharing {
    async fn apply(&self, action: Action) -> bool {
        self.shell.apply(self.partner.reach("partner"), action).await.unwrap()
    }

    fn policy(&self) -> PolicyArn {
        self.partner.account.arn(&format!("policy/{NAME}")).parse().unwrap()
    }

    async fn user(&self) -> EntityArn {
        self.partner.account.create_user("/team/", "ann").await.unwrap().parse().unwrap()
    }

    fn put_managed(&self, action: &str) -> Action {
        Action::PutManagedPolicy {
            policy: self.policy(),
            document: document(action),
            tags: [("sharedkey.dev/owner-id".to_owned(), "tests".to_owned())].into(),
            description: "Delegates a key".into(),
        }
    }

    fn attach(&self) -> Action {
        Action::AttachPolicy { policy: self.policy(), entity: self.role.clone() }
    }

    /// Versions of our managed policy, and the one in force.
    async fn versions(&self) -> (Vec<String>, String) {
        let iam = self.partner.account.root().iam();
        let pages = iam.list_policy_versions().policy_arn(self.policy().to_string()).into_paginator().items().send();
        let versions = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
        let default = versions.iter().find(|version| version.is_default_version).unwrap();
        let default = default.version_id.clone().unwrap();
        let mut ids: Vec<String> = versions.into_iter().filter_map(|version| version.version_id).collect();
        ids.sort_unstable();
        (ids, default)
    }
}

#[tokio::test]
async fn an_inline_policy_is_put_once_and_again_when_it_differs() {
    let sharing = Sharing::new().await;
    for entity in [sharing.role.clone(), sharing.user().await] {
        let put = |action| {
            let (entity, name) = (entity.clone(), NAME.to_owned());
            Action::PutInlinePolicy { entity, name, document: document(action) }
        };
        assert!(sharing.apply(put("kms:Decrypt")).await);
        assert!(!sharing.apply(put("kms:Decrypt")).await);
        assert!(sharing.apply(put("kms:Encrypt")).await);
        let delete = || Action::DeleteInlinePolicy { entity: entity.clone(), name: NAME.into() };
        assert!(sharing.apply(delete()).await);
        assert!(!sharing.apply(delete()).await);
    }
    let writes = sharing.partner.calls().await;
    assert_eq!((writes["iam:PutRolePolicy"], writes["iam:PutUserPolicy"]), (2, 2), "equal documents are not written");
}

#[tokio::test]
async fn what_hung_on_an_entity_that_is_gone_is_gone() {
    let sharing = Sharing::new().await;
    let gone: EntityArn = sharing.partner.account.arn("role/gone").parse().unwrap();
    assert!(!sharing.apply(Action::DeleteInlinePolicy { entity: gone.clone(), name: NAME.into() }).await);
    assert!(!sharing.apply(Action::DetachPolicy { policy: sharing.policy(), entity: gone }).await);
    assert!(!sharing.apply(Action::DeleteManagedPolicy { policy: sharing.policy() }).await);
}

#[tokio::test]
async fn a_policy_is_attached_and_detached() {
    let sharing = Sharing::new().await;
    assert!(sharing.apply(sharing.put_managed("kms:Decrypt")).await);
    sharing.apply(sharing.attach()).await;
    sharing.apply(sharing.attach()).await;
    let observed = sharing.observe().await;
    assert!(observed.entity(&sharing.role).unwrap().attached.contains(&sharing.policy()));
    let detach = || Action::DetachPolicy { policy: sharing.policy(), entity: sharing.role.clone() };
    assert!(sharing.apply(detach()).await);
    assert!(!sharing.apply(detach()).await);
    assert!(sharing.observe().await.entity(&sharing.role).unwrap().attached.is_empty());
}

#[tokio::test]
async fn a_managed_policy_gets_a_version_only_if_none_has_the_document() {
    let sharing = Sharing::new().await;
    assert!(sharing.apply(sharing.put_managed("kms:Decrypt")).await);
    assert!(!sharing.apply(sharing.put_managed("kms:Decrypt")).await);
    assert!(sharing.apply(sharing.put_managed("kms:Encrypt")).await);
    assert_eq!(sharing.versions().await, (vec!["v1".to_owned(), "v2".to_owned()], "v2".to_owned()));
    assert!(sharing.apply(sharing.put_managed("kms:Decrypt")).await);
    assert_eq!(sharing.versions().await.1, "v1", "the version that has the document is in force again");
}

#[tokio::test]
async fn the_sixth_version_takes_the_place_of_the_oldest_that_is_not_in_force() {
    let sharing = Sharing::new().await;
    for action in ["kms:Decrypt", "kms:Encrypt", "kms:DescribeKey", "kms:GetPublicKey", "kms:Sign"] {
        assert!(sharing.apply(sharing.put_managed(action)).await);
    }
    assert!(sharing.apply(sharing.put_managed("kms:Decrypt")).await, "v1 is in force again");
    assert!(sharing.apply(sharing.put_managed("kms:Verify")).await);
    let (versions, default) = sharing.versions().await;
    assert_eq!((versions, default.as_str()), (["v1", "v3", "v4", "v5", "v6"].map(String::from).into(), "v6"));
}

#[tokio::test]
async fn a_managed_policy_goes_with_all_that_hangs_on_it() {
    let sharing = Sharing::new().await;
    sharing.apply(sharing.put_managed("kms:Decrypt")).await;
    sharing.apply(sharing.put_managed("kms:Encrypt")).await;
    sharing.apply(sharing.attach()).await;
    let (account, policy) = (&sharing.partner.account, sharing.policy().to_string());
    sharing.user().await;
    account.attach_user_policy("ann", &policy).await.unwrap();
    let iam = account.root().iam();
    iam.create_group().group_name("admins").send().await.unwrap();
    iam.attach_group_policy().group_name("admins").policy_arn(&policy).send().await.unwrap();
    let delete = || Action::DeleteManagedPolicy { policy: sharing.policy() };
    assert!(sharing.apply(delete()).await);
    assert!(!sharing.apply(delete()).await);
    assert!(iam.get_policy().policy_arn(&policy).send().await.is_err());
}

#[tokio::test]
async fn a_role_of_aws_is_not_ours_to_change() {
    let sharing = Sharing::new().await;
    let path = "/aws-reserved/sso.amazonaws.com/";
    let arn = strict().await.protected_role(&sharing.partner.account, path, "AWSReservedSSO_Dev_1").await.unwrap();
    let entity: EntityArn = arn.parse().unwrap();
    let put = Action::PutInlinePolicy { entity, name: NAME.into(), document: document("kms:Decrypt") };
    let error = sharing.shell.apply(sharing.partner.reach("partner"), put).await.unwrap_err();
    assert!(error.contains("UnmodifiableEntity"), "{error}");
    assert_eq!(sharing.shell.seen.of("iam:PutRolePolicy"), ["state"]);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_was_made() {
    let sharing = Sharing::new().await;
    for operation in ["CreatePolicy", "DeletePolicy"] {
        let fault = Fault::answer_lost().account(&sharing.partner.account).operation(operation).times(1);
        strict().await.inject(&fault).await.unwrap();
    }
    sharing.apply(sharing.put_managed("kms:Decrypt")).await;
    assert_eq!(sharing.versions().await.1, "v1");
    sharing.apply(Action::DeleteManagedPolicy { policy: sharing.policy() }).await;
    let iam = sharing.partner.account.root().iam();
    assert!(iam.get_policy().policy_arn(sharing.policy().to_string()).send().await.is_err());
}

#[tokio::test]
async fn old_answers_of_iam_are_told_from_drift() {
    let mut sharing = Sharing::new().await;
    sharing.desired.consumers[0].delegation = sharedkey_engine::desired::Delegation::ManagedPolicy;
    let account = &sharing.partner.account;
    strict().await.set_lag(account, Duration::from_mins(10), false).await.unwrap();
    let inline = Action::PutInlinePolicy {
        entity: sharing.role.clone(),
        name: "inline".into(),
        document: document("kms:Decrypt"),
    };
    sharing.apply(inline).await;
    sharing.apply(sharing.put_managed("kms:Decrypt")).await;
    sharing.apply(sharing.attach()).await;

    let observed = sharing.observe().await;
    let lagging = &observed.entity(&sharing.role).unwrap().lagging;
    assert_eq!(lagging, &["inline".to_owned(), sharing.policy().to_string()].into());
    let managed = &observed.managed[&sharing.policy()];
    assert!(matches!(managed, Ok(ManagedPolicy::Absent { lagging: true })), "{managed:?}");

    strict().await.set_lag(account, Duration::ZERO, false).await.unwrap();
    let observed = sharing.observe().await;
    let state = observed.entity(&sharing.role).unwrap();
    assert!(state.lagging.is_empty());
    assert!(state.inline.contains_key("inline") && state.attached.contains(&sharing.policy()));
    let managed = &observed.managed[&sharing.policy()];
    assert!(matches!(managed, Ok(ManagedPolicy::Present { lagging: false, .. })), "{managed:?}");
}
