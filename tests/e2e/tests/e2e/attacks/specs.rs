//! Attacks by what a SharedKey states.

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};
use sharedkey_api::{VerdictValue, conditions::Reason};
use sharedkey_e2e::{Hands, allowed, denied, says, statement};
use sharedkey_harness::aws::Probe;

use super::siege::Siege;

/// One attack: what is stated, and what the refusal says.
struct Attack {
    name: &'static str,
    spec: fn(&Siege) -> Value,
    says: &'static [&'static str],
}

/// Refused by the operator, before AWS is asked.
struct Refused {
    attack: Attack,
    reason: Reason,
}

#[tokio::test]
async fn the_api_server_does_not_admit_what_no_object_may_state() -> Result<()> {
    let siege = Siege::lay().await?;
    for Attack { name, spec, says } in NOT_ADMITTED {
        siege.not_admitted("attack", spec(&siege), says).await.context(*name)?;
    }
    // Names that would be taken apart where they are joined are none.
    for name in ["a@b", "a/b", "A", &"n".repeat(254)] {
        ensure!(siege.stage.share(name, siege.spec()).await.is_err(), "{name:?} was admitted");
    }
    // What an object is bound to cannot be changed afterwards.
    siege.stage.share("orders", siege.spec()).await?;
    siege.stage.ready("orders").await?;
    for (field, value) in [
        ("key", json!({"arn": siege.secret.arn})),
        ("key", json!({"arn": null, "alias": "alias/secret"})),
        ("accountRef", json!({"name": siege.hidden.name})),
        ("region", json!("eu-west-1")),
    ] {
        let refusal =
            siege.stage.patch("orders", json!({"spec": {field: value}})).await.err().context("it was admitted")?;
        says(&format!("{refusal:#}"), &[field, "immutable"])?;
    }
    siege.holds().await
}

#[tokio::test]
async fn the_operator_refuses_what_no_rule_opens_before_it_asks_aws() -> Result<()> {
    let siege = Siege::lay().await?;
    try_join_all(REFUSED.iter().enumerate().map(async |(index, Refused { attack, reason })| {
        let spec = (attack.spec)(&siege);
        siege.refused(&format!("attack-{index}"), spec, *reason, attack.says).await.context(attack.name)
    }))
    .await?;
    siege.holds().await?;
    siege.stage.nothing_written().await
}

#[tokio::test]
async fn accounts_that_are_closed_and_accounts_that_do_not_exist_are_told_alike() -> Result<()> {
    let siege = Siege::lay().await?;
    let told = async |object: &str, spec: Value, reason: Reason, name: &str| {
        siege.stage.share(object, spec).await?;
        anyhow::Ok(siege.stage.stalled(object, reason).await?.replace(name, "ACCOUNT"))
    };
    let hidden = siege.hidden.account.id();
    let handoff = |id: &str| {
        let mut spec = siege.spec();
        spec["consumers"] = json!([{"name": "partner", "accountId": id, "principals": [{"role": "Hidden"}]}]);
        spec
    };
    let known = told("known", handoff(hidden), Reason::SharingNotAllowed, hidden).await?;
    let unknown = told("unknown", handoff("999999999999"), Reason::SharingNotAllowed, "999999999999").await?;
    ensure!(known == unknown, "{known}\n{unknown}");
    siege.holds().await
}

#[tokio::test]
async fn a_handoff_does_not_get_past_the_rules_of_an_account_that_has_some() -> Result<()> {
    // Given an owner that trusts two accounts: one opens nothing of itself to this namespace, the other one some of itself
    let siege = Siege::lay().await?;
    let (hidden, partner) = (siege.hidden.account.id(), siege.stage.partner.account.id());
    let sharing = json!({"sharing": {"trustedAccounts": [hidden, partner], "allowAccountScope": true}});
    siege.patch_account(&siege.stage.owner.name, sharing).await?;

    // When they are named by their ids alone, then it is as if their AwsAccounts were named
    for (index, (id, role, trust, refused)) in [
        (hidden, "Hidden", "Principals", "role/Hidden"),
        (partner, "Admin", "Principals", "role/Admin"),
        (partner, "ExampleRole", "Account", "root"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut spec = siege.spec();
        spec["consumers"] = json!([{"name": "x", "accountId": id, "principals": [{"role": role}], "trust": trust}]);
        let refused = format!("no allow rule of account {id} opens {refused}");
        siege.refused(&format!("handoff-{index}"), spec, Reason::NotAllowed, &[&refused]).await?;
    }
    siege.holds().await?;
    siege.stage.nothing_written().await
}

#[tokio::test]
async fn what_another_namespace_shares_by_the_same_key_with_the_same_role_is_not_told() -> Result<()> {
    // Given what the operator writes for another namespace: some of the key in its policy, and another key on the role
    let siege = Siege::lay().await?;
    let stage = &siege.stage;
    let of_another = |name: &str| name.replace(&stage.namespace, "payroll");
    let mut policy = stage.owner.account.key_policy(&stage.key).await?;
    let theirs = json!({
        "Sid": of_another(&stage.sid("wages", "partner")), "Effect": "Allow", "Principal": {"AWS": stage.role},
        "Action": "kms:DescribeKey", "Resource": "*",
    });
    policy["Statement"].as_array_mut().context("statements")?.push(theirs);
    stage.owner.account.put_key_policy(&stage.key, &policy).await?;
    let theirs = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": ["kms:Decrypt", "kms:DescribeKey"], "Resource": siege.secret.arn,
    }});
    let hands = Hands::of(&stage.partner.account);
    hands.put_inline(&stage.role, &of_another(&stage.policy_name("wages", "partner")), &theirs).await?;

    // When objects ask for more of the same key for the same role: one only looks, one leaves the role's half to others
    let (mut looking, mut half) = (siege.spec(), siege.spec());
    looking["mode"] = json!("Observe");
    half["consumers"][0]["delegation"] = json!("None");
    for (name, spec) in [("looking", looking), ("half", half)] {
        stage.share(name, spec).await?;
        let reason = stage
            .wait(name, "a verdict with its reason", |status| {
                let mut principals = status.consumers.iter().flat_map(|consumer| &consumer.principals);
                principals.any(|principal| principal.verdict == VerdictValue::Denied && principal.reason.is_some())
            })
            .await?
            .status
            .unwrap_or_default();

        // Then they learn what is missing, and nothing of what the other one shares
        let told = format!("{}{:?}", serde_json::to_string(&reason)?, stage.events(name).await?);
        says(&told, &["kms:Decrypt"])?;
        for secret in ["payroll", "wages", &siege.secret.id] {
            ensure!(!told.contains(secret), "it tells {secret}: {told}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_stands_in_conditions_is_never_more_than_a_condition() -> Result<()> {
    // Given conditions that would change the statement around them if they were put into it as text
    let siege = Siege::lay().await?;
    let context = json!({
        "a\"},\"Principal\":{\"AWS\":\"*\"},\"x\":{\"": "\"}]}", "wild": "*", "variable": "{aws:username} $5", "huge": "x".repeat(384),
    });
    let conditions = json!({"conditions": {"encryptionContext": context, "viaServices": ["s3", "kms"]}});
    siege.stage.share("orders", siege.with(json!({"alias": "alias/orders"}), conditions)).await?;
    siege.stage.ready("orders").await?;

    // Then they stand in the statement as they were stated, beside the principal that was opened
    let mut policy = siege.stage.owner.account.key_policy(&siege.stage.key).await?;
    let ours = statement(&mut policy, &siege.stage.sid("orders", "partner"));
    ensure!(ours["Principal"] == json!({"AWS": siege.stage.role}), "{ours:#}");
    for (key, value) in context.as_object().context("pairs")? {
        let stated = &ours["Condition"]["StringEquals"][format!("kms:EncryptionContext:{key}")];
        ensure!(stated == value, "{key:?} is {stated}");
    }
    denied_without_context(&siege).await?;
    siege.holds().await
}

async fn denied_without_context(siege: &Siege) -> Result<()> {
    let probe = siege.stage.probe().await?;
    let attempt = siege.stage.as_role().await?.attempt(sharedkey_harness::aws::Operation::Decrypt, &probe).await?;
    ensure!(attempt.is_denied(), "{attempt:?}");
    Ok(())
}

#[tokio::test]
async fn a_rule_that_is_withdrawn_gives_nothing_any_more_and_takes_back_what_it_gave() -> Result<()> {
    // Given a key that is shared, and then closed
    let siege = Siege::lay().await?;
    siege.stage.share("orders", siege.spec()).await?;
    siege.stage.ready("orders").await?;
    let probe = siege.stage.probe().await?;
    let namespace = &siege.stage.namespace;
    let none = json!({"allow": [{"namespaces": {"names": [namespace]}, "keys": ["alias/team-*"]}]});
    siege.patch_account(&siege.stage.owner.name, none).await?;
    siege.stage.stalled("orders", Reason::NotAllowed).await?;

    // When more is asked for, then nothing is given
    let both = json!({"principals": [{"role": "ExampleRole"}, {"user": "team/ExampleUser"}]});
    siege.stage.forget_calls().await?;
    siege.stage.share("orders", siege.with(json!({"arn": siege.stage.key.arn}), both)).await?;
    siege.stage.stalled("orders", Reason::NotAllowed).await?;
    siege.stage.look("orders").await?;
    siege.stage.nothing_written().await?;
    denied(&siege.stage.as_user().await?, &probe).await?;
    allowed(&siege.stage.as_role().await?, &probe).await?;

    // And when the object goes, what it gave goes too
    siege.stage.delete("orders").await?;
    denied(&siege.stage.as_role().await?, &probe).await?;
    siege.holds().await
}

#[tokio::test]
async fn names_that_could_be_joined_to_one_stay_apart() -> Result<()> {
    // Given objects and consumers whose names would be one if they were joined with a dot or a hyphen, or cut
    let siege = Siege::lay().await?;
    let long = "o".repeat(200);
    let longer = format!("{long}-partner");
    let pairs = [
        ("a", "b-c"),
        ("a-b", "c"),
        ("a.b", "c"),
        ("a", "use"),
        ("a-b", "use"),
        (&long, "partner"),
        (&longer, "partner"),
    ];
    let other = siege.stage.owner.account.create_key(None).await?;
    let probes = [siege.stage.probe().await?, Probe::new(&siege.stage.owner.account, &other).await?];
    for (object, _) in pairs {
        let mut spec = siege.spec();
        let names = pairs.iter().filter(|(name, _)| *name == object).map(|(_, consumer)| consumer);
        let consumers = names.map(|name| json!({"name": name, "accountRef": {"name": siege.stage.partner.name}, "principals": [{"role": "ExampleRole"}]}));
        spec["consumers"] = json!(consumers.collect::<Vec<_>>());
        siege.stage.share(object, spec).await?;
    }
    for (object, _) in pairs {
        siege.stage.ready(object).await?;
    }

    // Then each has a statement and a policy of its own, which go with it and with nothing else
    let objects = [&long, &longer, "a.b", "a-b", "a"];
    for (gone, object) in objects.iter().enumerate() {
        let (statements, policies) = siege.ours().await?;
        let left = pairs.iter().filter(|(name, _)| objects[gone..].contains(name)).count();
        ensure!((statements, policies) == (left, left), "{statements} statements and {policies} policies of {left}");
        allowed(&siege.stage.as_role().await?, &probes[0]).await?;
        siege.stage.delete(object).await?;
    }
    for probe in &probes {
        denied(&siege.stage.as_role().await?, probe).await?;
    }
    siege.holds().await
}

#[tokio::test]
async fn a_principal_that_is_not_opened_is_not_found_by_its_name() -> Result<()> {
    // Given a user below a path that is not opened, and a spec that tries its name below one that is
    let siege = Siege::lay().await?;
    siege.stage.partner.account.create_user("/finance/", "Treasurer").await?;
    let spec = principal(&siege, json!({"user": "team/Treasurer"}));
    siege.stage.share("orders", spec).await?;

    // Then it is told as one that does not exist
    let message = siege.stage.stalled("orders", Reason::PrincipalNotFound).await?;
    says(&message, &["user/team/Treasurer", "does not exist"])?;
    let told = serde_json::to_string(&siege.stage.status("orders").await?)?;
    ensure!(!told.contains("finance"), "{told}");
    siege.holds().await?;
    siege.stage.nothing_written().await
}

fn key(siege: &Siege, key: Value) -> Value {
    siege.with(key, json!({}))
}

fn consumer(siege: &Siege, fields: Value) -> Value {
    siege.with(json!({"arn": siege.stage.key.arn}), fields)
}

fn action(siege: &Siege, action: &str) -> Value {
    consumer(siege, json!({"actions": [action]}))
}

fn principal(siege: &Siege, principal: Value) -> Value {
    consumer(siege, json!({"principals": Value::Array(vec![principal])}))
}

fn from(siege: &Siege, account: &str) -> Value {
    let mut spec = siege.spec();
    spec["accountRef"]["name"] = json!(account);
    spec
}

fn many(count: usize, of: fn(usize) -> Value) -> Value {
    (0..count).map(of).collect()
}

#[rustfmt::skip]
const NOT_ADMITTED: &[Attack] = &[
    Attack { name: "every key, by id", spec: |siege| key(siege, json!({"id": "*"})), says: &["key.id"] },
    Attack { name: "every key, by ARN", spec: |siege| key(siege, json!({"arn": siege.stage.key.arn.replace(&siege.stage.key.id, "*")})), says: &["key.arn"] },
    Attack { name: "every alias", spec: |siege| key(siege, json!({"alias": "alias/*"})), says: &["key.alias"] },
    Attack { name: "an alias of AWS", spec: |siege| key(siege, json!({"alias": "alias/aws/ebs"})), says: &["key.alias", "alias/aws/"] },
    Attack { name: "an alias as an ARN", spec: |siege| key(siege, json!({"arn": siege.stage.key.arn.replace(&format!("key/{}", siege.stage.key.id), "alias/secret")})), says: &["key.arn"] },
    Attack { name: "two keys at once", spec: |siege| key(siege, json!({"arn": siege.stage.key.arn, "alias": "alias/secret"})), says: &["exactly one of"] },
    Attack { name: "a key of another Region", spec: |siege| key(siege, json!({"arn": siege.stage.key.arn.replace(&siege.stage.key.region, "eu-west-1")})), says: &["key.arn must be a key of region"] },
    Attack { name: "a key of another partition", spec: |siege| key(siege, json!({"arn": siege.stage.key.arn.replace("arn:aws:", "arn:aws-cn:")})), says: &["key.arn must be a key of region"] },
    Attack { name: "every account", spec: |siege| from(siege, "*"), says: &["accountRef.name"] },
    Attack { name: "two accounts at once", spec: |siege| consumer(siege, json!({"accountId": siege.hidden.account.id()})), says: &["exactly one of accountRef and accountId"] },
    Attack { name: "every role", spec: |siege| principal(siege, json!({"role": "*"})), says: &["without wildcards"] },
    Attack { name: "every role of a path", spec: |siege| principal(siege, json!({"role": "apps/*"})), says: &["without wildcards"] },
    Attack { name: "a wildcard inside of a path", spec: |siege| principal(siege, json!({"role": "a*s/Admin"})), says: &["without wildcards"] },
    Attack { name: "a wildcard for one character", spec: |siege| principal(siege, json!({"role": "Admi?"})), says: &["without wildcards"] },
    Attack { name: "everybody", spec: |siege| principal(siege, json!({"arn": "*"})), says: &["must be the ARN of an IAM role or user"] },
    Attack { name: "a whole account by ARN", spec: |siege| principal(siege, json!({"arn": siege.hidden.account.root_arn()})), says: &["trust: Account"] },
    Attack { name: "a group", spec: |siege| principal(siege, json!({"arn": siege.stage.partner.account.arn("group/Staff")})), says: &["group"] },
    Attack { name: "a session", spec: |siege| principal(siege, json!({"arn": siege.stage.partner.account.arn("assumed-role/Admin/s").replace(":iam:", ":sts:")})), says: &["session"] },
    Attack { name: "a principal of another partition", spec: |siege| principal(siege, json!({"arn": siege.stage.role.replace("arn:aws:", "arn:aws-cn:")})), says: &["no access crosses partitions"] },
    Attack { name: "every action", spec: |siege| action(siege, "kms:*"), says: &["kms:Name"] },
    Attack { name: "every action of every service", spec: |siege| action(siege, "*"), says: &["kms:Name"] },
    Attack { name: "an action of another service", spec: |siege| action(siege, "iam:PassRole"), says: &["kms:Name"] },
    Attack { name: "grants", spec: |siege| action(siege, "kms:CreateGrant"), says: &["awsServiceGrants"] },
    Attack { name: "grants in capitals", spec: |siege| action(siege, "kms:CREATEGRANT"), says: &["administrative"] },
    Attack { name: "grants by a prefix", spec: |siege| action(siege, "kms:Cr*"), says: &["administrative"] },
    Attack { name: "key policies by a prefix in capitals", spec: |siege| action(siege, "kms:PU*"), says: &["administrative"] },
    Attack { name: "key policies behind a line break", spec: |siege| action(siege, "kms:Encrypt\nkms:PutKeyPolicy"), says: &["kms:Name"] },
    Attack { name: "a wildcard in the middle", spec: |siege| action(siege, "kms:P*Policy"), says: &["kms:Name"] },
    Attack { name: "a service with a quote", spec: |siege| consumer(siege, json!({"conditions": {"viaServices": ["s3\",\"*"]}})), says: &["short name"] },
    Attack { name: "every service", spec: |siege| consumer(siege, json!({"conditions": {"viaServices": ["*"]}})), says: &["short name"] },
    Attack { name: "every organization", spec: |siege| consumer(siege, json!({"conditions": {"organizationId": "o-*"}})), says: &["organizationId"] },
    Attack { name: "a context that no key policy can hold", spec: |siege| consumer(siege, json!({"conditions": {"encryptionContext": {"a": "\u{4e2d}"}}})), says: &["Latin-1"] },
    Attack { name: "a context without end", spec: |siege| consumer(siege, json!({"conditions": {"encryptionContext": {"a": "x".repeat(1 << 20)}}})), says: &["encryptionContext"] },
    Attack { name: "a consumer with a slash", spec: |siege| consumer(siege, json!({"name": "a/b"})), says: &["DNS label"] },
    Attack { name: "a consumer with an at", spec: |siege| consumer(siege, json!({"name": "a@b"})), says: &["DNS label"] },
    Attack { name: "a consumer of too many letters", spec: |siege| consumer(siege, json!({"name": "n".repeat(64)})), says: &["name"] },
    Attack { name: "too many principals", spec: |siege| consumer(siege, json!({"principals": many(65, |index| json!({"role": format!("R{index}")}))})), says: &["principals"] },
    Attack { name: "too many consumers", spec: |siege| {
        let mut spec = siege.spec();
        spec["consumers"] = many(33, |index| json!({"name": format!("c{index}"), "accountId": "999999999999", "principals": [{"role": "R"}]}));
        spec
    }, says: &["consumers"] },
];

#[rustfmt::skip]
const REFUSED: &[Refused] = &[
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "the key of an account that is not opened", spec: |siege| {
        let mut spec = key(siege, json!({"arn": siege.hidden_key.arn}));
        spec["accountRef"]["name"] = json!(siege.hidden.name);
        spec
    }, says: &["accountRef", "does not exist, or no allow rule"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "an account that is not opened, as a consumer", spec: |siege| consumer(siege, json!({"accountRef": {"name": siege.hidden.name}, "principals": [{"role": "Hidden"}]})), says: &["consumers[0] (partner).accountRef", "does not exist, or no allow rule"] } },
    Refused { reason: Reason::AccountMismatch, attack: Attack { name: "the key of another account, through an opened one", spec: |siege| key(siege, json!({"arn": siege.hidden_key.arn})), says: &["key.arn", "is not a key of account"] } },
    Refused { reason: Reason::AccountMismatch, attack: Attack { name: "a role of another account, through an opened one", spec: |siege| principal(siege, json!({"arn": siege.hidden_role})), says: &["principals[0]", "is not of the consumer's account"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "another key of the account, by id", spec: |siege| key(siege, json!({"id": siege.secret.id})), says: &["allow[].keys"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "another key of the account, by ARN", spec: |siege| key(siege, json!({"arn": siege.secret.arn})), says: &["allow[].keys"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "another key of the account, by alias", spec: |siege| key(siege, json!({"alias": "alias/secret"})), says: &["allow[].keys"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "an alias that begins as an opened one", spec: |siege| key(siege, json!({"alias": "alias/orders/secret"})), says: &["allow[].keys"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "an alias that is an opened one but for its case", spec: |siege| key(siege, json!({"alias": "alias/Orders"})), says: &["allow[].keys"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "the opened key's id in another Region", spec: |siege| {
        let mut spec = key(siege, json!({"id": siege.stage.key.id}));
        spec["region"] = json!("eu-west-1");
        spec
    }, says: &["eu-west-1", "allow[].keys"] } },
    Refused { reason: Reason::PartitionMismatch, attack: Attack { name: "a Region of another partition", spec: |siege| {
        let mut spec = key(siege, json!({"id": siege.stage.key.id}));
        spec["region"] = json!("cn-north-1");
        spec
    }, says: &["no access crosses partitions"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "another role of the account", spec: |siege| principal(siege, json!({"role": "Admin"})), says: &["role/Admin", "allow[].principals"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "another role of the account, by ARN", spec: |siege| principal(siege, json!({"arn": siege.forbidden_role})), says: &["role/Admin", "allow[].principals"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "a role as a user is opened", spec: |siege| principal(siege, json!({"role": "team/ExampleUser"})), says: &["role/team/ExampleUser", "allow[].principals"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "one that is opened, and one that is not", spec: |siege| consumer(siege, json!({"principals": [{"role": "ExampleRole"}, {"role": "Admin"}]})), says: &["role/Admin"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "a path that leads back", spec: |siege| principal(siege, json!({"role": "ExampleRole/../Admin"})), says: &["allow[].principals"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "an opened role in other letters", spec: |siege| principal(siege, json!({"role": "EXAMPLEROLE"})), says: &["allow[].principals"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "a role of the owner's own account", spec: |siege| consumer(siege, json!({"accountRef": {"name": siege.stage.owner.name}})), says: &["role/ExampleRole", "allow[].principals"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "the owner's own account, as a handoff", spec: |siege| {
        let mut spec = siege.spec();
        spec["consumers"] = json!([{"name": "own", "accountId": siege.stage.owner.account.id(), "principals": [{"role": "Admin"}]}]);
        spec
    }, says: &["accountId", "the key's own account"] } },
    Refused { reason: Reason::SharingNotAllowed, attack: Attack { name: "a handoff to an account that is not listed", spec: |siege| {
        let mut spec = siege.spec();
        spec["consumers"] = json!([{"name": "theirs", "accountId": "999999999999", "principals": [{"role": "R"}]}]);
        spec
    }, says: &["trustedAccounts"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "the whole account", spec: |siege| consumer(siege, json!({"trust": "Account"})), says: &["root", "allow[].principals"] } },
    Refused { reason: Reason::SharingNotAllowed, attack: Attack { name: "an action that the owner does not give", spec: |siege| action(siege, "kms:GetPublicKey"), says: &["allowedActions", "kms:GetPublicKey"] } },
    Refused { reason: Reason::SharingNotAllowed, attack: Attack { name: "the same in capitals", spec: |siege| action(siege, "kms:GETPUBLICKEY"), says: &["allowedActions"] } },
    Refused { reason: Reason::SharingNotAllowed, attack: Attack { name: "a wildcard that covers more than is given", spec: |siege| action(siege, "kms:Generate*"), says: &["allowedActions", "kms:Generate"] } },
    Refused { reason: Reason::SharingNotAllowed, attack: Attack { name: "an action that nobody knows yet", spec: |siege| action(siege, "kms:Foo*"), says: &["allowedActions", "kms:Foo*"] } },
    Refused { reason: Reason::SharingNotAllowed, attack: Attack { name: "grants for AWS services", spec: |siege| consumer(siege, json!({"awsServiceGrants": true})), says: &["allowedActions", "Grant"] } },
    Refused { reason: Reason::NotAllowed, attack: Attack { name: "as many principals as a consumer may have, of which the last is not opened", spec: |siege| consumer(siege, json!({"principals": many(64, |index| if index == 63 { json!({"role": "Admin"}) } else { json!({"user": format!("team/U{index}")}) })})), says: &["role/Admin"] } },
];
