use serde_json::{Value, json};
use sharedkey_api::Mode;

use super::*;
use crate::{
    compare::testing::{ANNA, APP, KEY},
    desired::Delegation,
};

const KEY_ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

/// Changes of the base case: JSON pointers and what stands there instead; null takes it out.
type Changes<'a> = &'a [(&'a str, Value)];

/// A SharedKey and the accounts around it, as people write them.
fn base() -> Value {
    json!({
        "spec": {
            "accountRef": {"name": "owner"},
            "region": "eu-west-1",
            "key": {"id": KEY_ID},
            "consumers": [{"name": "partner", "accountRef": {"name": "partner"}, "principals": [{"role": "App"}, {"user": "Anna"}]}],
        },
        "accounts": {
            "owner": {
                "accountId": "111122223333", "defaultRegion": "eu-west-1", "credentials": {"ambient": {}},
                "allow": [{"namespaces": {"names": ["team"]}, "keys": ["arn:aws:kms:*:111122223333:key/*", "alias/orders/*"], "principals": ["role/own/*"]}],
            },
            "partner": {
                "accountId": "444455556666", "defaultRegion": "eu-west-1", "credentials": {"ambient": {}},
                "allow": [{"namespaces": {"names": ["team"]}, "principals": ["role/App", "user/*"]}],
            },
        },
        "labels": {"tier": "gold"},
        "annotations": {},
        "record": {},
    })
}

fn with(changes: Changes<'_>) -> Value {
    let mut case = base();
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match case.pointer_mut(parent).unwrap_or_else(|| panic!("{parent} is not there")) {
            Value::Object(object) if value.is_null() => assert!(object.remove(key).is_some(), "{pointer} is not there"),
            Value::Object(object) => drop(object.insert(key.to_owned(), value.clone())),
            Value::Array(list) if key == "-" => list.push(value.clone()),
            Value::Array(list) => list[key.parse::<usize>().unwrap()] = value.clone(),
            other => panic!("{other} has no parts"),
        }
    }
    case
}

fn read<T: serde::de::DeserializeOwned>(case: &Value, part: &str) -> T {
    serde_json::from_value(case[part].clone()).unwrap()
}

fn input<R>(case: &Value, then: impl FnOnce(&Input<'_>) -> R) -> R {
    let object = ObjectName { namespace: "team".into(), name: "orders".into() };
    then(&Input {
        object: &object,
        spec: &read(case, "spec"),
        annotations: &read(case, "annotations"),
        namespace_labels: &read(case, "labels"),
        accounts: &Accounts(read(case, "accounts")),
        record: &read(case, "record"),
        leaving: &BTreeSet::new(),
        owner_id: &"prod".parse().unwrap(),
    })
}

fn resolved(changes: Changes<'_>) -> Result<Desired, Refusal> {
    input(&with(changes), resolve)
}

fn accepted(changes: Changes<'_>) -> Desired {
    resolved(changes).unwrap_or_else(|refusal| panic!("{changes:?} was refused: {refusal}"))
}

fn partner(changes: Changes<'_>) -> DesiredConsumer {
    accepted(changes).consumers.remove(0)
}

fn refused_all(cases: &[(Changes<'_>, Reason, &str)]) {
    for (changes, reason, fragment) in cases {
        match resolved(changes) {
            Ok(_) => panic!("{changes:?} was accepted"),
            Err(refusal) => {
                assert_eq!(refusal.reason, *reason, "{refusal}");
                assert!(refusal.message.contains(fragment), "{refusal} should say: {fragment}");
            }
        }
    }
}

#[test]
fn what_is_allowed_is_resolved() {
    let desired = accepted(&[]);
    assert_eq!(desired.key.source, KeySource::Key(KEY.parse().unwrap()));
    assert_eq!((desired.mode, desired.take_over), (Mode::Enforce, false));
    let [partner] = &desired.consumers[..] else { panic!("one consumer") };
    let reach = Account { name: "partner".into(), id: "444455556666".parse().unwrap() };
    assert_eq!((partner.account.as_str(), &partner.reach), ("444455556666", &Some(reach)));
    assert_eq!(partner.principals.iter().map(ToString::to_string).collect::<Vec<_>>(), [APP, ANNA]);
    assert_eq!((partner.trust, partner.delegation), (Trust::Principals, Delegation::InlinePolicy));
}

#[test]
fn a_key_is_named_by_id_by_arn_or_by_alias() {
    let source = |changes: Changes<'_>| accepted(changes).key.source;
    assert_eq!(source(&[("/spec/key", json!({"arn": KEY}))]), KeySource::Key(KEY.parse().unwrap()));
    let alias = "arn:aws:kms:eu-west-1:111122223333:alias/orders/a".parse::<AliasArn>().unwrap();
    let by_alias = ("/spec/key", json!({"alias": "alias/orders/a"}));
    assert_eq!(source(std::slice::from_ref(&by_alias)), KeySource::Alias { alias: alias.clone(), pinned: None });
    let pinned = Some(KEY.parse().unwrap());
    assert_eq!(source(&[by_alias, ("/record/key", json!(KEY))]), KeySource::Alias { alias, pinned });
}

#[test]
fn what_no_rule_names_for_the_namespace_is_refused() {
    let other = json!({"names": ["other"]});
    refused_all(&[
        (
            &[("/accounts/owner/allow", json!([]))],
            Reason::NotAllowed,
            "accountRef: AwsAccount \"owner\" does not exist, or no allow",
        ),
        (&[("/accounts/owner/allow/0/namespaces", other.clone())], Reason::NotAllowed, "names namespace \"team\""),
        (
            &[("/accounts/partner/allow/0/namespaces", other)],
            Reason::NotAllowed,
            "consumers[0] (partner).accountRef: AwsAccount \"partner\"",
        ),
        (
            &[("/accounts/owner/allow/0/keys", json!(["arn:aws:kms:*:111122223333:key/other"]))],
            Reason::NotAllowed,
            "opens arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab to namespace \"team\"; ask a cluster",
        ),
        (
            &[("/spec/key", json!({"alias": "alias/invoices"}))],
            Reason::NotAllowed,
            "opens alias/invoices to namespace \"team\"; ask a cluster administrator to add it to allow[].keys",
        ),
        (
            &[("/spec/consumers/0/principals/-", json!({"role": "team/App"}))],
            Reason::NotAllowed,
            "no allow rule of AwsAccount \"partner\" opens role/team/App to namespace \"team\"",
        ),
        (
            &[
                ("/spec/consumers/0/trust", json!("Account")),
                ("/accounts/owner/sharing", json!({"allowAccountScope": true})),
            ],
            Reason::NotAllowed,
            "opens root to namespace",
        ),
    ]);
}

#[test]
fn a_namespace_is_named_or_selected_by_its_labels() {
    let gold = json!({"selector": {"matchLabels": {"tier": "gold"}}});
    let silver = json!({"selector": {"matchLabels": {"tier": "silver"}}});
    let either = json!({"names": ["team"], "selector": {"matchLabels": {"tier": "silver"}}});
    accepted(&[("/accounts/owner/allow/0/namespaces", gold.clone())]);
    accepted(&[("/accounts/owner/allow/0/namespaces", json!({"selector": {}}))]);
    accepted(&[("/accounts/owner/allow/0/namespaces", either)]);
    refused_all(&[
        (&[("/accounts/owner/allow/0/namespaces", silver)], Reason::NotAllowed, "names namespace"),
        (
            &[("/accounts/owner/allow/0/namespaces", gold), ("/labels", json!({}))],
            Reason::NotAllowed,
            "names namespace",
        ),
    ]);
}

#[test]
fn rules_do_not_add_up() {
    let keys_for_others = json!([
        {"namespaces": {"names": ["team"]}, "keys": ["alias/none"]},
        {"namespaces": {"names": ["other"]}, "keys": ["*"], "principals": ["*"]},
    ]);
    refused_all(&[
        (&[("/accounts/owner/allow", keys_for_others.clone())], Reason::NotAllowed, "opens arn:aws:kms"),
        (&[("/accounts/partner/allow", keys_for_others)], Reason::NotAllowed, "opens role/App"),
    ]);
}

#[test]
fn patterns_cover_paths_and_nothing_beyond_what_they_say() {
    let principals = |pattern: &str| [("/accounts/partner/allow/0/principals", json!([pattern, "user/Anna"]))];
    for pattern in ["*", "role/*", "role/App", "role/A?p", "role/*p"] {
        accepted(&principals(pattern));
    }
    for pattern in ["App", "role/app", "role/App/*", "role/Ap", "user/App", "*/App/"] {
        assert_eq!(resolved(&principals(pattern)).unwrap_err().reason, Reason::NotAllowed, "{pattern}");
    }
}

#[test]
fn a_missing_account_and_one_that_does_not_open_read_the_same() {
    let text = |changes: Changes<'_>| resolved(changes).unwrap_err().to_string();
    let closed = json!([{"namespaces": {"names": ["other"]}, "keys": ["*"], "principals": ["*"]}]);
    for name in ["owner", "partner"] {
        let (account, allow) = (format!("/accounts/{name}"), format!("/accounts/{name}/allow"));
        assert_eq!(text(&[(&account, Value::Null)]), text(&[(&allow, closed.clone())]), "{name}");
        // Nor does it show through another mistake.
        let elsewhere = format!("/accounts/{name}/defaultRegion");
        let both = text(&[(&allow, closed.clone()), (&elsewhere, json!("cn-north-1"))]);
        assert_eq!(both, text(&[(&account, Value::Null)]), "{name}");
    }
}

#[test]
fn a_guardrail_of_an_account_that_does_not_open_is_kept_without_its_name() {
    let hidden = json!({
        "accountId": "111122223333", "defaultRegion": "eu-west-1", "credentials": {"ambient": {}},
        "sharing": {"trustedAccounts": []},
    });
    let refusal = resolved(&[("/accounts/security-audit", hidden)]).unwrap_err();
    assert_eq!(refusal.reason, Reason::SharingNotAllowed);
    assert!(!refusal.message.contains("security-audit"), "{refusal}");
    assert!(refusal.message.contains("111122223333") && refusal.message.contains("trustedAccounts"), "{refusal}");
}

#[test]
fn guardrails_of_the_owner_bind_and_are_named() {
    let sharing = |value: Value| ("/accounts/owner/sharing", value);
    accepted(&[sharing(json!({"trustedAccounts": ["444455556666"]}))]);
    accepted(&[sharing(json!({"allowedActions": ["kms:*"]}))]);
    accepted(&[
        sharing(json!({"allowedActions": ["kms:decrypt", "kms:DescribeKey"]})),
        ("/spec/consumers/0/access", json!("Decrypt")),
    ]);
    refused_all(&[
        (
            &[sharing(json!({"trustedAccounts": []}))],
            Reason::SharingNotAllowed,
            "trustedAccounts does not list account 444455556666",
        ),
        (
            &[sharing(json!({"allowedActions": ["kms:Decrypt", "kms:DescribeKey"]}))],
            Reason::SharingNotAllowed,
            "sharing of AwsAccount \"owner\" forbids it: allowedActions does not list kms:Encrypt",
        ),
        (
            &[
                sharing(json!({"allowedActions": ["kms:Decrypt"]})),
                ("/spec/consumers/0/actions", json!(["kms:ReEncrypt*"])),
            ],
            Reason::SharingNotAllowed,
            "allowedActions does not list kms:ReEncryptFrom",
        ),
        (
            &[
                sharing(json!({"allowedActions": ["kms:Decrypt", "kms:DescribeKey"]})),
                ("/spec/consumers/0/access", json!("Decrypt")),
                ("/spec/consumers/0/awsServiceGrants", json!(true)),
            ],
            Reason::SharingNotAllowed,
            "allowedActions does not list kms:CreateGrant",
        ),
        (
            &[("/spec/consumers/0/trust", json!("Account")), ("/accounts/partner/allow/0/principals", json!(["*"]))],
            Reason::SharingNotAllowed,
            "allowAccountScope is not true",
        ),
    ]);
}

#[test]
fn of_several_accounts_for_one_the_strictest_counts() {
    let second = |more: Value| {
        let mut spec =
            json!({"accountId": "111122223333", "defaultRegion": "eu-west-1", "credentials": {"ambient": {}}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ("/accounts/second", spec)
    };
    let scope = ("/accounts/owner/sharing", json!({"allowAccountScope": true}));
    let whole = ("/spec/consumers/0/trust", json!("Account"));
    let root = ("/accounts/partner/allow/0/principals", json!(["*"]));
    accepted(&[scope.clone(), whole.clone(), root.clone()]);
    refused_all(&[(
        &[scope, whole, root, second(json!({"sharing": {"allowAccountScope": false}}))],
        Reason::SharingNotAllowed,
        "allowAccountScope",
    )]);
    assert_eq!(accepted(&[second(json!({"mode": "Observe"}))]).mode, Mode::Observe);
    assert_eq!(accepted(&[second(json!({}))]).mode, Mode::Enforce);
    let elsewhere = json!({"mode": "Observe", "defaultRegion": "cn-north-1", "sharing": {"trustedAccounts": []}});
    assert_eq!(
        accepted(&[second(elsewhere)]).mode,
        Mode::Enforce,
        "an account id of another partition is another account"
    );
}

#[test]
fn the_strictest_mode_counts() {
    let observe = json!("Observe");
    assert_eq!(accepted(&[("/spec/mode", observe.clone())]).mode, Mode::Observe);
    assert_eq!(accepted(&[("/accounts/owner/mode", observe.clone())]).mode, Mode::Observe);
    assert_eq!(accepted(&[("/accounts/partner/mode", observe.clone())]).mode, Mode::Observe);
    assert_eq!(accepted(&[("/accounts/partner/mode", observe), ("/spec/consumers", json!([]))]).mode, Mode::Enforce);
}

/// A consumer that is named by its account id alone.
const HANDOFF: fn() -> (&'static str, Value) =
    || ("/spec/consumers/0", json!({"name": "partner", "accountId": "777788889999", "principals": [{"role": "Any"}]}));

#[test]
fn a_handoff_has_to_be_trusted_by_name() {
    let trusted = ("/accounts/owner/sharing", json!({"trustedAccounts": ["777788889999"]}));
    let consumer = partner(&[HANDOFF(), trusted]);
    assert_eq!((consumer.is_handoff(), consumer.delegation), (true, Delegation::None));
    refused_all(&[
        (
            &[HANDOFF()],
            Reason::SharingNotAllowed,
            "trustedAccounts has to list account 777788889999, which is named by accountId alone",
        ),
        (
            &[HANDOFF(), ("/accounts/owner/sharing", json!({"trustedAccounts": ["444455556666"]}))],
            Reason::SharingNotAllowed,
            "trustedAccounts does not list account 777788889999",
        ),
        (
            &[HANDOFF(), ("/spec/consumers/0/accountId", json!("111122223333"))],
            Reason::NotAllowed,
            "111122223333 is the key's own account; name its AwsAccount by accountRef instead",
        ),
        (
            &[HANDOFF(), ("/spec/consumers/0/accountId", json!("7777"))],
            Reason::InvalidSpec,
            "consumers[0] (partner).accountId",
        ),
    ]);
}

#[test]
fn a_handoff_does_not_get_past_the_rules_of_an_account_that_has_some() {
    let handoff = |name: &str| {
        let consumer = json!({"name": "partner", "accountId": "444455556666", "principals": [{"role": name}]});
        ("/spec/consumers/0", consumer)
    };
    let sharing = json!({"trustedAccounts": ["444455556666"], "allowAccountScope": true});
    let trusted = ("/accounts/owner/sharing", sharing);
    let opened = ("/accounts/partner/allow/0/principals", json!(["role/App"]));
    assert!(partner(&[handoff("App"), trusted.clone(), opened.clone()]).is_handoff());
    refused_all(&[
        (
            &[handoff("Admin"), trusted.clone(), opened.clone()],
            Reason::NotAllowed,
            "no allow rule of account 444455556666 opens role/Admin to namespace",
        ),
        (
            &[handoff("App"), trusted.clone(), opened.clone(), ("/spec/consumers/0/trust", json!("Account"))],
            Reason::NotAllowed,
            "no allow rule of account 444455556666 opens root to namespace",
        ),
        (&[handoff("Admin"), opened], Reason::SharingNotAllowed, "trustedAccounts has to list account 444455556666"),
    ]);
}

#[test]
fn the_owners_own_principals_need_the_key_policy_and_their_allow_rule() {
    let own = |role: &str| {
        ("/spec/consumers/0", json!({"name": "own", "accountRef": {"name": "owner"}, "principals": [{"role": role}]}))
    };
    assert_eq!(
        partner(&[own("own/App"), ("/accounts/owner/sharing", json!({"trustedAccounts": []}))]).delegation,
        Delegation::None
    );
    refused_all(&[(&[own("Admin")], Reason::NotAllowed, "opens role/Admin")]);
}

#[test]
fn partitions_and_accounts_have_to_agree() {
    let arn = |arn: &str| ("/spec/consumers/0/principals/0", json!({"arn": arn}));
    accepted(&[arn(APP)]);
    refused_all(&[
        (
            &[("/accounts/owner/defaultRegion", json!("cn-north-1"))],
            Reason::PartitionMismatch,
            "accountRef: AwsAccount \"owner\" is in partition aws-cn",
        ),
        (
            &[("/accounts/partner/partition", json!("aws-cn"))],
            Reason::PartitionMismatch,
            "no access crosses partitions",
        ),
        (
            &[arn("arn:aws-cn:iam::444455556666:role/App")],
            Reason::PartitionMismatch,
            "principals[0]: arn:aws-cn:iam::444455556666:role/App is not in",
        ),
        (
            &[arn("arn:aws:iam::777788889999:role/App")],
            Reason::AccountMismatch,
            "is not of the consumer's account 444455556666",
        ),
        (
            &[("/spec/key", json!({"arn": KEY.replace("1111", "9999")}))],
            Reason::AccountMismatch,
            "is not a key of account 111122223333",
        ),
        (
            &[("/spec/key", json!({"arn": KEY.replace("eu-west-1", "eu-west-2")}))],
            Reason::AccountMismatch,
            "in Region eu-west-1",
        ),
    ]);
}

#[test]
fn what_the_api_server_should_have_refused_names_its_field() {
    refused_all(&[
        (&[("/spec/region", json!("nowhere"))], Reason::InvalidSpec, "region: "),
        (&[("/spec/key", json!({"id": "a/b"}))], Reason::InvalidSpec, "key.id: "),
        (&[("/spec/key", json!({"arn": "arn:x"}))], Reason::InvalidSpec, "key.arn: "),
        (&[("/spec/key", json!({}))], Reason::InvalidSpec, "key.alias: "),
        (
            &[("/spec/consumers/0/principals/1", json!({"user": "/Anna"}))],
            Reason::InvalidSpec,
            "consumers[0] (partner).principals[1]: ",
        ),
        (
            &[("/spec/consumers/0/principals/1", json!({"arn": "arn:aws:iam::444455556666:group/G"}))],
            Reason::InvalidSpec,
            "principals[1]: ",
        ),
        (
            &[("/spec/consumers/0/accountId", json!("444455556666"))],
            Reason::InvalidSpec,
            "exactly one of accountRef and accountId",
        ),
        (
            &[("/accounts/partner/defaultRegion", Value::Null)],
            Reason::AccountNotReady,
            "has no valid accountId and partition",
        ),
    ]);
}

#[test]
fn a_principal_that_is_named_twice_counts_once() {
    let consumer = partner(&[("/spec/consumers/0/principals/-", json!({"arn": APP}))]);
    assert_eq!(consumer.principals.len(), 2);
}

#[test]
fn presets_and_actions_add_up_and_actions_alone_gain_nothing() {
    let actions = |changes: Changes<'_>| partner(changes).actions.into_iter().collect::<Vec<_>>().join(" ");
    let access = |preset: &str| ("/spec/consumers/0/access", json!(preset));
    let named = ("/spec/consumers/0/actions", json!(["kms:Decrypt"]));
    for (changes, expected) in [
        (&[][..], "kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey* kms:ReEncrypt*"),
        (&[access("EncryptDecrypt")], "kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey* kms:ReEncrypt*"),
        (&[access("Decrypt")], "kms:Decrypt kms:DescribeKey"),
        (&[access("Encrypt")], "kms:DescribeKey kms:Encrypt kms:GenerateDataKey*"),
        (std::slice::from_ref(&named), "kms:Decrypt"),
        (&[access("Encrypt"), named.clone()], "kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey*"),
    ] {
        assert_eq!(actions(changes), expected, "{changes:?}");
    }
}

#[test]
fn delegation_follows_from_what_is_left_out() {
    let consumer = |more: Value| {
        let mut consumer = base()["spec"]["consumers"][0].clone();
        consumer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ("/spec/consumers/0", consumer)
    };
    let everything = |name: &str| {
        (
            format!("/accounts/{name}/allow/0"),
            json!({"namespaces": {"names": ["team"]}, "keys": ["*"], "principals": ["*"]}),
        )
    };
    let (owner, partner_) = (everything("owner"), everything("partner"));
    let opened = [
        (owner.0.as_str(), owner.1),
        (partner_.0.as_str(), partner_.1),
        ("/accounts/owner/sharing", json!({"allowAccountScope": true})),
    ];
    for (more, expected) in [
        (json!({}), Delegation::InlinePolicy),
        (json!({"trust": "Account"}), Delegation::InlinePolicy),
        (json!({"delegation": "ManagedPolicy"}), Delegation::ManagedPolicy),
        (json!({"delegation": "None"}), Delegation::None),
        (json!({"accountRef": {"name": "owner"}}), Delegation::None),
        (json!({"accountRef": {"name": "owner"}, "trust": "Account"}), Delegation::InlinePolicy),
        (json!({"accountRef": {"name": "owner"}, "delegation": "InlinePolicy"}), Delegation::InlinePolicy),
    ] {
        let changes: Vec<(&str, Value)> = opened.iter().cloned().chain([consumer(more.clone())]).collect();
        assert_eq!(partner(&changes).delegation, expected, "{more}");
    }
}

#[test]
fn roles_that_only_aws_may_write_on_take_no_policy() {
    let everything = ("/accounts/partner/allow/0/principals", json!(["*"]));
    let none = ("/spec/consumers/0/delegation", json!("None"));
    for role in [
        "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
        "aws-reserved/sso.amazonaws.com/AWSReservedSSO_A_1",
    ] {
        let principal = ("/spec/consumers/0/principals/0", json!({"role": role}));
        accepted(&[everything.clone(), principal.clone(), none.clone()]);
        refused_all(&[(&[everything.clone(), principal], Reason::PrincipalProtected, "set delegation: None")]);
    }
}

#[test]
fn conditions_are_spelled_as_aws_has_them() {
    let conditions =
        json!({"viaServices": ["s3"], "encryptionContext": {"tenant": "a"}, "organizationId": "o-a1b2c3d4e5"});
    let found = partner(&[("/spec/consumers/0/conditions", conditions.clone())]).conditions;
    assert_eq!(found.via_services, ["s3.eu-west-1.amazonaws.com".to_owned()].into());
    assert_eq!(
        (found.encryption_context["tenant"].as_str(), found.organization_id.as_deref()),
        ("a", Some("o-a1b2c3d4e5"))
    );
    // The suffix is amazonaws.com in China too (D§2.4).
    let china = [
        ("/spec/region", json!("cn-north-1")),
        ("/accounts/owner/defaultRegion", json!("cn-north-1")),
        ("/accounts/owner/allow/0/keys", json!(["*"])),
        ("/accounts/partner/defaultRegion", json!("cn-north-1")),
        ("/spec/consumers/0/conditions", conditions),
    ];
    assert_eq!(partner(&china).conditions.via_services, ["s3.cn-north-1.amazonaws.com".to_owned()].into());
}

#[test]
fn taking_over_is_asked_for_by_an_annotation() {
    let asked = |value: &str| accepted(&[("/annotations", json!({"sharedkey.dev/take-over": value}))]).take_over;
    assert_eq!((asked("true"), asked("yes"), asked("")), (true, false, false));
}

#[test]
fn an_alias_is_pinned_to_what_it_meant_and_another_alias_is_not() {
    let alias: AliasArn = "arn:aws:kms:eu-west-1:111122223333:alias/orders/a".parse().unwrap();
    for (known, stays) in
        [(Value::Null, true), (json!(alias), true), (json!(alias.to_string().replace("/a", "/b")), false)]
    {
        let mut record = json!({"key": KEY, "alias": known});
        record.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let desired = accepted(&[("/spec/key", json!({"alias": "alias/orders/a"})), ("/record", record)]);
        let pinned = stays.then(|| KEY.parse().unwrap());
        assert_eq!(desired.key.source, KeySource::Alias { alias: alias.clone(), pinned }, "{known}");
    }
}

#[test]
fn a_consumer_that_is_named_as_another_one_is_cut_is_refused() {
    let object = ObjectName { namespace: "team".into(), name: "orders".into() };
    let names = Names::new("prod".parse().unwrap(), object);
    // Only a long object name makes a Sid that has to be cut, and the base case has a short one.
    let consumer = |name: &str| DesiredConsumer { name: name.into(), ..partner(&[]) };
    let long = ObjectName { namespace: "team".into(), name: "o".repeat(80) };
    let long = Names::new("prod".parse().unwrap(), long);
    let cut = long.sid(&"c".repeat(63), Part::Use).to_string();
    let same = cut.rsplit_once('/').unwrap().1;
    assert_eq!(long.sid(same, Part::Use).to_string(), cut);
    let consumers = [consumer(&"c".repeat(63)), consumer(same)];
    let refusal = distinct(&long, &consumers).unwrap_err();
    assert_eq!(refusal.reason, Reason::InvalidSpec);
    assert!(refusal.message.contains("consumers[1]") && refusal.message.contains("choose another name"), "{refusal}");
    assert_eq!(distinct(&names, &consumers), Ok(()));
}

#[test]
fn what_does_nothing_across_accounts_is_refused_there_and_nowhere_else() {
    let actions = |actions: Value| ("/spec/consumers/0/actions", actions);
    refused_all(&[(
        &[actions(json!(["kms:Decrypt", "kms:GenerateRandom", "kms:ListRetirableGrants"]))],
        Reason::InvalidSpec,
        "consumers[0] (partner).actions: IneffectiveCrossAccountAction: AWS gives kms:GenerateRandom, kms:ListRetirableGrants to nobody",
    )]);
    accepted(&[actions(json!(["kms:Decrypt", "kms:Generate*", "kms:SomethingNew"]))]);
    let own = json!({"name": "own", "accountRef": {"name": "owner"}, "principals": [{"role": "own/App"}], "actions": ["kms:GenerateRandom"]});
    accepted(&[("/spec/consumers/-", own)]);
}

/// A record of what consumer `partner` was given through AwsAccount `partner`.
fn shared_before() -> Value {
    json!([{
        "resource": {"type": "inlinePolicy", "entity": APP, "name": "sharedkey@prod@team@orders@partner"},
        "consumer": "partner", "accountRef": "partner", "state": "Applied", "fingerprint": "f",
    }])
}

#[test]
fn what_was_shared_is_looked_after_while_one_consumer_is_refused() {
    let stranger = (
        "/spec/consumers/-",
        json!({"name": "other", "accountRef": {"name": "nope"}, "principals": [{"role": "App"}]}),
    );
    assert!(resolved(std::slice::from_ref(&stranger)).is_err());
    let desired = accepted(&[stranger, ("/record/targets", shared_before())]);
    assert_eq!(desired.consumers.iter().map(|consumer| consumer.name.as_str()).collect::<Vec<_>>(), ["partner"]);
    assert_eq!(desired.refused["other"].reason, Reason::NotAllowed);
}

#[test]
fn an_account_that_is_being_deleted_opens_nothing_new() {
    let leaving = BTreeSet::from(["partner".to_owned()]);
    let decide = |case: &Value| input(case, |input| resolve(&Input { leaving: &leaving, ..*input }));
    assert_eq!(decide(&base()).unwrap_err().reason, Reason::NotAllowed);
    assert!(decide(&with(&[("/record/targets", shared_before())])).is_ok());
}
