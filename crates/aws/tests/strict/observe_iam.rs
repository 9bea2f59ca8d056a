//! Reading roles, users and managed policies: every document that decides, over all pages, and no call too many.

use std::collections::BTreeSet;

use sharedkey_engine::{
    desired::Delegation,
    ledger::{Record, Resource, State, Target},
    observed::{Entity, EntityState, ManagedPolicy, Observed},
    problem::Class,
};
use sharedkey_policy::{EntityArn, NormalContext, PolicyArn, document_fingerprint};

use crate::world::{Sharing, allow, calls};

fn entity<'a>(observed: &'a Observed, arn: &EntityArn) -> &'a EntityState {
    observed.entity(arn).unwrap_or_else(|| panic!("{arn} was not read: {:?}", observed.entities.get(arn)))
}

fn names(state: &EntityState) -> Vec<String> {
    let mut names: Vec<_> = state.policies.policies.iter().map(|policy| policy.name.clone()).collect();
    names.sort_unstable();
    names
}

async fn policy(sharing: &Sharing, name: &str) -> String {
    sharing.partner.account.create_policy(name, &allow("kms:Decrypt", "*")).await.unwrap()
}

#[tokio::test]
async fn a_role_is_read_with_all_that_decides_over_all_pages() {
    let sharing = Sharing::new().await;
    let account = &sharing.partner.account;
    for name in ["one", "two", "three"] {
        account.put_role_policy("app", name, &allow("kms:Decrypt", "arn:aws:kms:*:*:key/a b%2B+c")).await.unwrap();
    }
    let mut attached = BTreeSet::new();
    for name in ["a", "b", "c"] {
        let arn = policy(&sharing, name).await;
        account.attach_role_policy("app", &arn).await.unwrap();
        attached.insert(arn.parse::<PolicyArn>().unwrap());
    }
    let boundary = policy(&sharing, "boundary").await;
    let iam = account.root().iam();
    iam.put_role_permissions_boundary().role_name("app").permissions_boundary(&boundary).send().await.unwrap();
    let first = sharing.observe().await;
    sharing.partner.forget_calls().await;
    let again = sharing.observe().await;

    let state = entity(&first, &sharing.role);
    assert!(state.unique_id.starts_with("AROA"), "{}", state.unique_id);
    assert_eq!(state.attached, attached);
    assert_eq!(state.inline.keys().collect::<Vec<_>>(), ["one", "three", "two"]);
    let document = state.inline["one"].as_ref().unwrap().to_json();
    assert!(document.contains("key/a b%2B+c"), "decoded once and only once: {document}");
    let mut expected: Vec<String> = attached.iter().map(ToString::to_string).collect();
    expected.extend(["one", "three", "two"].map(|name| format!("inline policy {name}")));
    expected.sort_unstable();
    assert_eq!(names(state), expected);
    assert_eq!(state.policies.boundary.as_ref().map(|document| document.name.clone()), Some(boundary));
    assert_eq!(names(entity(&again, &sharing.role)), expected);
    // The second sweep: two pages a list, and no version is read twice.
    let expected = calls([
        ("iam:GetRole", 1),
        ("iam:ListRolePolicies", 2),
        ("iam:GetRolePolicy", 3),
        ("iam:ListAttachedRolePolicies", 2),
        ("iam:GetPolicy", 4),
    ]);
    assert_eq!(sharing.partner.calls().await, expected);
}

#[tokio::test]
async fn a_user_has_what_its_groups_have() {
    let mut sharing = Sharing::new().await;
    let account = &sharing.partner.account;
    let user: EntityArn = account.create_user("/team/", "ann").await.unwrap().parse().unwrap();
    let iam = account.root().iam();
    iam.create_group().group_name("admins").send().await.unwrap();
    iam.add_user_to_group().group_name("admins").user_name("ann").send().await.unwrap();
    let document = allow("kms:*", "*").to_string();
    iam.put_group_policy().group_name("admins").policy_name("all").policy_document(document).send().await.unwrap();
    let managed = policy(&sharing, "managed").await;
    iam.attach_group_policy().group_name("admins").policy_arn(&managed).send().await.unwrap();
    sharing.desired.consumers[0].principals = vec![user.clone()];
    sharing.observe().await;
    sharing.partner.forget_calls().await;
    let observed = sharing.observe().await;

    let state = entity(&observed, &user);
    assert_eq!(names(state), [format!("group admins: {managed}"), "group admins: inline policy all".to_owned()]);
    assert!(state.inline.is_empty() && state.attached.is_empty(), "a group's policies are not the user's own");
    let expected = calls([
        ("iam:GetUser", 1),
        ("iam:ListUserPolicies", 1),
        ("iam:ListAttachedUserPolicies", 1),
        ("iam:ListGroupsForUser", 1),
        ("iam:ListGroupPolicies", 1),
        ("iam:GetGroupPolicy", 1),
        ("iam:ListAttachedGroupPolicies", 1),
        ("iam:GetPolicy", 1),
    ]);
    assert_eq!(sharing.partner.calls().await, expected);
}

#[tokio::test]
async fn a_role_of_another_path_is_another_role() {
    let mut sharing = Sharing::new().await;
    let elsewhere: EntityArn = sharing.partner.account.arn("role/app").parse().unwrap();
    let nobody: EntityArn = sharing.partner.account.arn("role/nobody").parse().unwrap();
    sharing.desired.consumers[0].principals = vec![elsewhere.clone(), nobody.clone()];
    let observed = sharing.observe().await;
    let absent = |arn| match observed.entities.get(arn) {
        Some(Ok(Entity::Absent { elsewhere })) => elsewhere.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(absent(&elsewhere), Some(sharing.role.clone()));
    assert_eq!(absent(&nobody), None);
}

#[tokio::test]
async fn an_account_that_is_closed_to_us_does_not_hide_the_other_half() {
    let sharing = Sharing::new().await;
    let iam = sharing.partner.account.root().iam();
    iam.delete_user_policy().user_name("operator").policy_name("everything").send().await.unwrap();
    let observed = sharing.observe().await;
    let failure = observed.entities[&sharing.role].as_ref().unwrap_err();
    assert_eq!((failure.class, failure.action.as_str()), (Class::OperatorUnauthorised, "iam:GetRole"));
    assert!(observed.document().is_some());
}

#[tokio::test]
async fn what_only_the_ledger_knows_is_read_too() {
    let mut sharing = Sharing::new().await;
    sharing.desired.consumers.clear();
    let policy: PolicyArn = sharing.partner.account.arn("policy/ours").parse().unwrap();
    let target = |resource| Target {
        resource,
        consumer: "partner".into(),
        account_ref: "partner".into(),
        state: State::Applied,
        fingerprint: String::new(),
        principals: [].into(),
        undone: Vec::new(),
    };
    let entity = sharing.role.clone();
    let targets = [
        Resource::InlinePolicy { entity: entity.clone(), name: "ours".into() },
        Resource::ManagedPolicy { policy: policy.clone() },
    ];
    let record = Record { targets: targets.map(target).into(), ..Record::default() };
    let observed = sharing.shell.aws.observe(&sharing.desired, &record, std::time::Duration::ZERO).await;
    assert!(observed.entity(&entity).is_some());
    assert!(matches!(observed.managed[&policy], Ok(ManagedPolicy::Absent { lagging: false })));
}

#[tokio::test]
async fn other_versions_are_read_only_if_the_default_is_not_what_is_wanted() {
    let mut sharing = Sharing::new().await;
    sharing.desired.consumers[0].delegation = Delegation::ManagedPolicy;
    let consumer = &sharing.desired.consumers[0];
    let arn = consumer.managed_policy(&sharing.desired.names, sharing.role.partition());
    let wanted = consumer.delegation_document(&sharing.key.arn.parse().unwrap());
    let document = serde_json::from_str(&wanted.to_json()).unwrap();
    sharing.partner.account.create_policy(arn.name(), &document).await.unwrap();

    let observed = sharing.observe().await;
    let Ok(ManagedPolicy::Present { default_version, others, .. }) = &observed.managed[&arn] else { panic!() };
    assert_eq!((default_version.as_str(), others.len()), ("v1", 0));
    assert!(!sharing.partner.calls().await.contains_key("iam:ListPolicyVersions"));

    let other = allow("kms:*", "*").to_string();
    let iam = sharing.partner.account.root().iam();
    let request = iam.create_policy_version().policy_arn(arn.to_string()).policy_document(other);
    request.set_as_default(true).send().await.unwrap();
    let observed = sharing.observe().await;
    let Ok(ManagedPolicy::Present { default_version, others, .. }) = &observed.managed[&arn] else { panic!() };
    assert_eq!(default_version, "v2");
    assert_eq!(others.keys().collect::<Vec<_>>(), ["v1"]);
    let context = NormalContext::new(arn.partition());
    assert_eq!(document_fingerprint(&others["v1"], &context), document_fingerprint(&wanted, &context));
}
