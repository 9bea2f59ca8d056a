//! Every way into an account, and what must never happen on it.

use std::{process::Command, sync::Arc};

use futures::future::join_all;
use serde_json::json;
use sharedkey_aws::Method;
use sharedkey_engine::problem::Class;
use sharedkey_harness::aws::Calls;

use crate::{
    token::Issuer,
    world::{Shell, Tenant, allow, strict},
};

const SESSION: &str = "sharedkey-operator";

/// A role that the guest's account may enter, with an external id if it asks for one.
async fn role_for(host: &Tenant, guest: &Tenant, external_id: Option<&str>) -> String {
    let mut statement =
        json!({"Effect": "Allow", "Principal": {"AWS": guest.account.root_arn()}, "Action": "sts:AssumeRole"});
    if let Some(id) = external_id {
        statement["Condition"] = json!({"StringEquals": {"sts:ExternalId": id}});
    }
    let trust = json!({"Version": "2012-10-17", "Statement": [statement]});
    let role = host.account.create_role_trusting("/", "sharedkey", &trust).await.unwrap();
    host.account.put_role_policy("sharedkey", "everything", &allow("*", "*")).await.unwrap();
    role
}

fn assume(role_arn: &str, external_id: Option<&str>, via: &str) -> Method {
    Method::AssumeRole {
        role_arn: role_arn.to_owned(),
        external_id: external_id.map(Into::into),
        session_name: SESSION.into(),
        via: Some(via.to_owned()),
    }
}

/// How many sessions of the host's role were begun by the guest.
async fn sessions_begun(guest: &Tenant) -> u64 {
    strict().await.count(&Calls::all().account(&guest.account).operation("AssumeRole")).await.unwrap()
}

#[tokio::test]
async fn static_keys_lead_in() {
    let tenant = Tenant::new("aws").await;
    let shell = Shell::new();
    shell.aws.set_account("a", tenant.access());
    let identity = shell.aws.identity(&tenant.reach("a")).await.unwrap();
    assert_eq!((identity.account, identity.arn), (tenant.id(), tenant.operator_arn));
}

#[tokio::test]
async fn a_role_is_entered_through_another_account_with_its_external_id() {
    let (hub, spoke) = futures::join!(Tenant::new("aws"), Tenant::new("aws"));
    let role = role_for(&spoke, &hub, Some("right")).await;
    let shell = Shell::new();
    shell.aws.set_account("hub", hub.access());
    shell.aws.set_account("spoke", spoke.access_by(assume(&role, Some("right"), "hub")));
    let identity = shell.aws.identity(&spoke.reach("spoke")).await.unwrap();
    assert_eq!(identity.arn, format!("arn:aws:sts::{}:assumed-role/sharedkey/{SESSION}", spoke.account.id()));
}

#[tokio::test]
async fn a_wrong_external_id_is_ours_to_mend_and_is_not_shown() {
    let (hub, spoke) = futures::join!(Tenant::new("aws"), Tenant::new("aws"));
    let role = role_for(&spoke, &hub, Some("right")).await;
    let shell = Shell::new();
    shell.aws.set_account("hub", hub.access());
    shell.aws.set_account("spoke", spoke.access_by(assume(&role, Some("wrong-and-secret"), "hub")));
    let failure = shell.aws.identity(&spoke.reach("spoke")).await.unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::OperatorUnauthorised, "AccessDenied"));
    assert_eq!((failure.action.as_str(), failure.resource.as_str()), ("sts:AssumeRole", role.as_str()));
    assert!(!failure.to_string().contains("wrong-and-secret"), "{failure}");
}

#[tokio::test]
async fn a_token_of_the_cluster_leads_into_another_partition() {
    let tenant = Tenant::new("aws-cn").await;
    let issuer = Issuer::trusted_by(&tenant, "sts.amazonaws.com").await;
    let trust = issuer.trust_policy(&tenant);
    let role_arn = tenant.account.create_role_trusting("/", "sharedkey", &trust).await.unwrap();
    tenant.account.put_role_policy("sharedkey", "everything", &allow("*", "*")).await.unwrap();
    let shell = Shell::with_tokens(Arc::new(issuer));
    let method = Method::WebIdentity { role_arn, audience: "sts.amazonaws.com".into() };
    shell.aws.set_account("cn", tenant.access_by(method));
    let identity = shell.aws.identity(&tenant.reach("cn")).await.unwrap();
    assert_eq!(identity.arn, format!("arn:aws-cn:sts::{}:assumed-role/sharedkey/{SESSION}", tenant.account.id()));
    // IAM is asked where China's IAM lives (D§7).
    shell.aws.account_summary(&tenant.reach("cn")).await.unwrap();
}

#[tokio::test]
async fn without_a_token_nothing_is_asked() {
    let tenant = Tenant::new("aws").await;
    let shell = Shell::new();
    let role_arn = tenant.account.arn("role/sharedkey");
    let method = Method::WebIdentity { role_arn, audience: "sts.amazonaws.com".into() };
    shell.aws.set_account("a", tenant.access_by(method));
    let failure = shell.aws.identity(&tenant.reach("a")).await.unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Transient, "NoToken"));
    assert_eq!(failure.message, "this test has no tokens");
    assert!(shell.seen.of("sts:AssumeRoleWithWebIdentity").is_empty());
}

/// The environment belongs to the whole process, so the child of this test has one of its own.
#[tokio::test]
async fn the_operators_own_identity_leads_in() {
    let tenant = Tenant::new("aws").await;
    let credentials = tenant.operator.credentials();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sessions::child_with_an_identity_in_its_environment", "--ignored", "--nocapture"])
        .env("AWS_ACCESS_KEY_ID", &credentials.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key)
        .env("TEST_ENDPOINT", strict().await.url())
        .env("TEST_ACCOUNT", tenant.account.id())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert!(log.contains("1 passed"), "{log}");
}

#[tokio::test]
#[ignore = "is run by `the_operators_own_identity_leads_in`, which gives it an environment"]
async fn child_with_an_identity_in_its_environment() {
    let (url, account) = (std::env::var("TEST_ENDPOINT").unwrap(), std::env::var("TEST_ACCOUNT").unwrap());
    let shell = Shell::new();
    let id: sharedkey_policy::AccountId = account.parse().unwrap();
    let endpoints = sharedkey_aws::Endpoints { sts: Some(url), ..Default::default() };
    shell.aws.set_account(
        "a",
        sharedkey_aws::Access {
            account_id: id.clone(),
            partition: "aws".parse().unwrap(),
            default_region: "us-east-1".parse().unwrap(),
            method: Method::Ambient,
            endpoints,
        },
    );
    let account = sharedkey_engine::desired::Account { name: "a".into(), id: id.clone() };
    assert_eq!(shell.aws.identity(&account).await.unwrap().account, id);
}

#[tokio::test]
async fn accounts_that_lead_into_each_other_are_an_error_and_not_a_hang() {
    let tenant = Tenant::new("aws").await;
    let role = tenant.account.arn("role/sharedkey");
    let shell = Shell::new();
    shell.aws.set_account("a", tenant.access_by(assume(&role, None, "b")));
    shell.aws.set_account("b", tenant.access_by(assume(&role, None, "c")));
    shell.aws.set_account("c", tenant.access_by(assume(&role, None, "b")));
    let failure = shell.aws.identity(&tenant.reach("a")).await.unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::UserActionNeeded, "AccountCycle"));
    assert_eq!(failure.message, "AwsAccounts lead into each other: a via b via c via b");
}

#[tokio::test]
async fn a_chain_heals_when_its_missing_link_comes() {
    let (hub, spoke) = futures::join!(Tenant::new("aws"), Tenant::new("aws"));
    let role = role_for(&spoke, &hub, None).await;
    let shell = Shell::new();
    shell.aws.set_account("spoke", spoke.access_by(assume(&role, None, "hub")));
    let failure = shell.aws.identity(&spoke.reach("spoke")).await.unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Transient, "UnknownAccount"));
    shell.aws.set_account("hub", hub.access());
    shell.aws.identity(&spoke.reach("spoke")).await.unwrap();
}

#[tokio::test]
async fn credentials_of_another_account_are_never_used() {
    let (meant, other) = futures::join!(Tenant::new("aws"), Tenant::new("aws"));
    let shell = Shell::new();
    let access = sharedkey_aws::Access { account_id: meant.id(), ..other.access() };
    shell.aws.set_account("a", access);
    let failure = shell.aws.account_summary(&meant.reach("a")).await.unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::UserActionNeeded, "IdentityMismatch"));
    assert!(failure.message.contains(&other.operator_arn), "{failure}");
    assert!(shell.seen.of("iam:GetAccountSummary").is_empty());
}

#[tokio::test]
async fn a_session_is_begun_once_for_all_who_need_it() {
    let (hub, spoke) = futures::join!(Tenant::new("aws"), Tenant::new("aws"));
    let role = role_for(&spoke, &hub, None).await;
    let shell = Shell::new();
    shell.aws.set_account("hub", hub.access());
    shell.aws.set_account("spoke", spoke.access_by(assume(&role, None, "hub")));
    let account = spoke.reach("spoke");
    let summaries = join_all((0..20).map(|_| shell.aws.account_summary(&account))).await;
    assert!(summaries.iter().all(Result::is_ok), "{summaries:?}");
    assert_eq!(sessions_begun(&hub).await, 1);
    assert_eq!(shell.seen.of("sts:AssumeRole"), ["ok"]);
    assert_eq!(shell.seen.of("sts:GetCallerIdentity"), ["ok"; 2], "one for each account of the chain");
}

#[tokio::test]
async fn a_session_that_aws_ends_is_begun_again() {
    let (hub, spoke) = futures::join!(Tenant::new("aws"), Tenant::new("aws"));
    let role = role_for(&spoke, &hub, None).await;
    let shell = Shell::new();
    shell.aws.set_account("hub", hub.access());
    shell.aws.set_account("spoke", spoke.access_by(assume(&role, None, "hub")));
    let account = spoke.reach("spoke");
    shell.aws.account_summary(&account).await.unwrap();
    strict().await.expire_sessions(&spoke.account).await.unwrap();
    let failure = shell.aws.account_summary(&account).await.unwrap_err();
    assert_eq!(failure.class, Class::Transient, "{failure}");
    shell.aws.account_summary(&account).await.unwrap();
    assert_eq!(sessions_begun(&hub).await, 2);
}

#[tokio::test]
async fn sessions_stay_until_something_on_their_way_changes() {
    let (hub, spoke) = futures::join!(Tenant::new("aws"), Tenant::new("aws"));
    let role = role_for(&spoke, &hub, None).await;
    let shell = Shell::new();
    let account = spoke.reach("spoke");
    for begun in [1, 1] {
        shell.aws.set_account("hub", hub.access());
        shell.aws.set_account("spoke", spoke.access_by(assume(&role, None, "hub")));
        shell.aws.account_summary(&account).await.unwrap();
        assert_eq!(sessions_begun(&hub).await, begun);
    }
    let other_key = hub.account.as_user("operator").await.unwrap();
    shell.aws.set_account("hub", hub.access_as(&other_key));
    shell.aws.account_summary(&account).await.unwrap();
    assert_eq!(shell.seen.of("sts:AssumeRole").len(), 2);
    shell.aws.remove_account("hub");
    let failure = shell.aws.account_summary(&account).await.unwrap_err();
    assert_eq!(failure.code, "UnknownAccount");
}
