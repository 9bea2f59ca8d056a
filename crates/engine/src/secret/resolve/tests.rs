use serde_json::{Value, json};
use sharedkey_api::{Mode, VerdictValue};

use super::*;
use crate::{
    compare::testing::{ANNA, APP, KEY},
    desired::Delegation,
};

/// The secret, once it exists.
const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:444455556666:secret:team/db-AbCdEf";
const WRITER: &str = "arn:aws:sts::444455556666:assumed-role/Operator/sharedkey-operator";

/// Changes of the base case: JSON pointers and what stands there instead; null takes it out.
type Changes<'a> = &'a [(&'a str, Value)];

/// A secret in an external account under a shared key of another one, as people write them.
fn base() -> Value {
    json!({
        "spec": {
            "accountRef": {"name": "partner"},
            "region": "eu-west-1",
            "secretName": "team/db",
            "sharedKeyRef": {"name": "orders"},
            "source": {"secretRef": {"name": "db"}},
            "readers": [{"name": "apps", "accountRef": {"name": "owner"}, "principals": [{"role": "own/Api"}]}],
        },
        "accounts": {
            "owner": {
                "accountId": "111122223333", "defaultRegion": "eu-west-1", "credentials": {"ambient": {}},
                "allow": [{"namespaces": {"names": ["team"]}, "keys": ["arn:aws:kms:*:111122223333:key/*"], "principals": ["role/own/*"]}],
            },
            "partner": {
                "accountId": "444455556666", "defaultRegion": "eu-west-1", "credentials": {"ambient": {}},
                "allow": [{
                    "namespaces": {"names": ["team"]}, "secrets": ["team/*"], "keys": ["arn:aws:kms:eu-west-1:*:key/*"],
                    "principals": ["role/*", "user/*"],
                }],
            },
        },
        "key": {
            "accountRef": {"name": "owner"},
            "region": "eu-west-1",
            "key": {"arn": KEY},
            "consumers": [{"name": "partner", "accountRef": {"name": "partner"}, "principals": [{"role": "App"}, {"role": "ops/Operator"}]}],
        },
        "verdict": "Allowed",
        "identity": WRITER,
        "deleting": false,
        "leaving": [],
        "annotations": {},
        "record": {},
        "keyRecord": {},
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

/// What the SharedKey says of the operator's role.
fn status(case: &Value) -> Option<SharedKeyStatus> {
    let verdict: Option<VerdictValue> = read(case, "verdict");
    let principal = json!({
        "arn": "arn:aws:iam::444455556666:role/ops/Operator", "keyPolicy": "Applied", "delegation": "Applied",
        "verdict": verdict?, "basis": "Computed", "reason": "the key policy does not allow it",
    });
    let status = json!({"consumers": [{"name": "partner", "account": "444455556666", "principals": [principal]}]});
    Some(serde_json::from_value(status).unwrap())
}

fn resolved(changes: Changes<'_>) -> Result<DesiredSecret, Refusal> {
    let case = with(changes);
    let object = ObjectName { namespace: "team".into(), name: "db".into() };
    let (key, key_record, status) = (read(&case, "key"), read(&case, "keyRecord"), status(&case));
    let referenced =
        Referenced { spec: &key, status: status.as_ref(), record: &key_record, deleting: read(&case, "deleting") };
    let identity = case["identity"].as_str();
    resolve(&Input {
        object: &object,
        spec: &read(&case, "spec"),
        annotations: &read(&case, "annotations"),
        namespace_labels: &BTreeMap::new(),
        accounts: &Accounts(read(&case, "accounts")),
        record: &read(&case, "record"),
        leaving: &read(&case, "leaving"),
        owner_id: &"prod".parse().unwrap(),
        shared_keys: &BTreeMap::from([("orders".to_owned(), referenced)]),
        identity,
    })
}

fn accepted(changes: Changes<'_>) -> DesiredSecret {
    resolved(changes).unwrap_or_else(|refusal| panic!("{changes:?} was refused: {refusal}"))
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
    assert_eq!(desired.secret.to_string(), "arn:aws:secretsmanager:eu-west-1:444455556666:secret:team/db");
    assert_eq!((desired.mode, desired.adopt, desired.has_source), (Mode::Enforce, false, true));
    assert_eq!(desired.writer.as_deref(), Some("arn:aws:iam::444455556666:role/Operator"));
    let key = desired.key.as_ref().unwrap();
    assert_eq!(key.arn.to_string(), KEY);
    assert_eq!(key.reach.as_ref().map(|reach| reach.name.as_str()), Some("owner"));
    assert_eq!(desired.waits, []);
    let [apps] = &desired.readers[..] else { panic!("one reader") };
    assert_eq!((apps.account.as_str(), apps.delegation), ("111122223333", Delegation::InlinePolicy));
    assert_eq!(apps.principals[0].to_string(), "arn:aws:iam::111122223333:role/own/Api");
}

#[test]
fn readers_of_the_secrets_own_account_need_nothing_on_their_side() {
    let own =
        json!({"name": "own", "accountRef": {"name": "partner"}, "principals": [{"role": "App"}, {"user": "Anna"}]});
    let desired = accepted(&[("/spec/readers/-", own.clone())]);
    assert_eq!(desired.readers[1].delegation, Delegation::None);
    assert_eq!(desired.readers[1].principals.iter().map(ToString::to_string).collect::<Vec<_>>(), [APP, ANNA]);
    let mut asked = own;
    asked["delegation"] = json!("ManagedPolicy");
    assert_eq!(accepted(&[("/spec/readers/-", asked)]).readers[1].delegation, Delegation::ManagedPolicy);
}

#[test]
fn what_no_rule_names_for_the_namespace_is_refused_without_a_hint() {
    refused_all(&[
        (
            &[("/spec/accountRef/name", json!("elsewhere"))],
            Reason::NotAllowed,
            "accountRef: AwsAccount \"elsewhere\" does not exist, or no allow rule of it names namespace \"team\"",
        ),
        (
            &[("/spec/secretName", json!("other/db"))],
            Reason::NotAllowed,
            "secretName: no allow rule of AwsAccount \"partner\" opens other/db to namespace \"team\"; ask a cluster administrator to add \
             it to allow[].secrets",
        ),
        (
            &[("/accounts/partner/allow/0/secrets", json!([]))],
            Reason::NotAllowed,
            "secretName: no allow rule of AwsAccount \"partner\"",
        ),
        (
            &[("/spec/readers/0/principals/0/role", json!("Admin"))],
            Reason::NotAllowed,
            "readers[0] (apps): no allow rule of AwsAccount \"owner\" opens role/Admin",
        ),
        (
            &[
                ("/spec/sharedKeyRef", Value::Null),
                ("/spec/kmsKeyArn", json!("arn:aws:kms:eu-west-1:777788889999:key/1234abcd")),
                ("/accounts/partner/allow/0/keys", json!([])),
            ],
            Reason::NotAllowed,
            "kmsKeyArn: no allow rule of AwsAccount \"partner\" opens arn:aws:kms:eu-west-1:777788889999:key/1234abcd",
        ),
        (
            &[("/spec/readers/0", json!({"name": "x", "accountId": "777788889999", "principals": [{"role": "R"}]}))],
            Reason::SharingNotAllowed,
            "trustedAccounts has to list account 777788889999",
        ),
        (
            &[("/spec/readers/0", json!({"name": "x", "accountId": "444455556666", "principals": [{"role": "R"}]}))],
            Reason::NotAllowed,
            "444455556666 is the secret's own account",
        ),
    ]);
}

#[test]
fn guardrails_of_the_secrets_account_hold_for_its_readers() {
    let sharing = |accounts: Value| ("/accounts/partner/sharing", json!({"trustedAccounts": accounts}));
    refused_all(&[(
        &[sharing(json!(["777788889999"]))],
        Reason::SharingNotAllowed,
        "sharing of AwsAccount \"partner\" forbids it: trustedAccounts does not list account 111122223333",
    )]);
    accepted(&[sharing(json!(["111122223333"]))]);
}

#[test]
fn a_shared_key_that_is_not_there_or_not_ready_is_waited_for() {
    refused_all(&[
        (
            &[("/spec/sharedKeyRef/name", json!("other"))],
            Reason::SharedKeyNotFound,
            "sharedKeyRef: there is no SharedKey \"other\" in namespace \"team\"",
        ),
        (&[("/deleting", json!(true))], Reason::SharedKeyNotReady, "is being deleted"),
        (
            &[("/key/key", json!({"alias": "alias/orders"}))],
            Reason::SharedKeyNotReady,
            "is refused itself: key: no allow rule",
        ),
        (
            &[("/key/key", json!({"alias": "alias/orders"})), ("/accounts/owner/allow/0/keys/-", json!("alias/*"))],
            Reason::SharedKeyNotReady,
            "has not found its key yet",
        ),
    ]);
    let pinned = accepted(&[
        ("/key/key", json!({"alias": "alias/orders"})),
        ("/accounts/owner/allow/0/keys/-", json!("alias/*")),
        ("/keyRecord/key", json!(KEY)),
    ]);
    assert_eq!(pinned.key.unwrap().arn.to_string(), KEY);
}

#[test]
fn a_key_that_is_refused_later_leaves_the_rest_to_be_looked_after() {
    let target = json!({
        "resource": {"type": "secret", "secret": "arn:aws:secretsmanager:eu-west-1:444455556666:secret:team/db"},
        "consumer": "", "accountRef": "partner", "state": "Applied", "fingerprint": "",
    });
    let given = ("/record/targets", json!([target]));
    let copies =
        ("/spec/replicas", json!([{"region": "us-east-1", "kmsKeyArn": KEY.replace("eu-west-1", "us-east-1")}]));
    for (change, reason) in [
        (("/spec/sharedKeyRef/name", json!("other")), Reason::SharedKeyNotFound),
        (("/deleting", json!(true)), Reason::SharedKeyNotReady),
        (("/key/key", json!({"alias": "alias/orders"})), Reason::SharedKeyNotReady),
        (("/key/region", json!("us-east-1")), Reason::SharedKeyNotReady),
    ] {
        let desired = accepted(&[given.clone(), change]);
        assert_eq!(desired.key.as_ref().unwrap_err().reason, reason);
        assert_eq!((desired.readers.len(), desired.usable_keys().count()), (1, 0));
    }
    // A namespace for which nobody has opened the key does not get it asked about.
    let desired = accepted(&[given, copies]);
    let refused = desired.replicas.values().filter_map(|key| key.as_ref().err());
    assert_eq!(refused.map(|refusal| refusal.reason).collect::<Vec<_>>(), [Reason::NotAllowed]);
    assert_eq!(desired.usable_keys().map(|key| key.arn.to_string()).collect::<Vec<_>>(), [KEY]);
}

#[test]
fn a_key_is_of_the_secrets_own_region() {
    let other = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    refused_all(&[
        (
            &[("/key/region", json!("us-east-1")), ("/key/key/arn", json!(other))],
            Reason::InvalidSpec,
            "sharedKeyRef: SharedKey \"orders\" is about arn:aws:kms:us-east-1",
        ),
        (
            &[("/spec/replicas", json!([{"region": "us-east-1", "sharedKeyRef": {"name": "orders"}}]))],
            Reason::InvalidSpec,
            "replicas[0].sharedKeyRef: SharedKey \"orders\" is about",
        ),
        (
            &[("/spec/replicas", json!([{"region": "cn-north-1", "sharedKeyRef": {"name": "orders"}}]))],
            Reason::PartitionMismatch,
            "replicas[0].region: cn-north-1 is not in partition aws",
        ),
    ]);
    let replica = json!([{"region": "us-east-1", "kmsKeyArn": other}]);
    let desired = accepted(&[
        ("/spec/replicas", replica),
        ("/accounts/partner/allow/0/keys/-", json!("arn:aws:kms:us-east-1:*:key/*")),
    ]);
    assert_eq!(desired.replicas.into_values().map(|key| key.unwrap().arn.to_string()).collect::<Vec<_>>(), [other]);
}

#[test]
fn a_key_by_its_arn_is_read_through_an_account_that_the_namespace_may_use() {
    let plain = [("/spec/sharedKeyRef", Value::Null), ("/spec/kmsKeyArn", json!(KEY))];
    assert_eq!(accepted(&plain).key.unwrap().reach.map(|reach| reach.name), Some("owner".to_owned()));
    let closed = [plain.as_slice(), &[("/accounts/owner/allow/0/keys", json!([]))]].concat();
    assert_eq!(accepted(&closed).key.unwrap().reach, None);
}

fn waits(changes: Changes<'_>) -> Vec<(Reason, String)> {
    accepted(changes).waits.into_iter().map(|blocker| (blocker.reason, blocker.message)).collect()
}

#[test]
fn the_operators_own_role_has_to_be_a_consumer_and_is_never_added_silently() {
    let alone = json!([{"role": "App"}]);
    let found = waits(&[("/key/consumers/0/principals", alone.clone())]);
    assert_eq!(
        found,
        [(
            Reason::WriterNotConsumer,
            format!(
                "sharedKeyRef: the operator writes secrets of account 444455556666 as arn:aws:iam::444455556666:role/Operator, and SharedKey \
                 \"orders\" does not let it use kms:Decrypt, kms:Encrypt, kms:GenerateDataKey on {KEY}, which AWS asks of whoever writes a \
                 secret; add arn:aws:iam::444455556666:role/Operator to the principals of a consumer of account 444455556666 there, with \
                 access: EncryptDecrypt and no conditions that Secrets Manager does not meet"
            )
        )]
    );
    for changes in [
        [("/key/consumers/0/access", json!("Decrypt"))],
        [("/key/consumers/0/conditions", json!({"viaServices": ["s3"]}))],
        [("/key/consumers/0/conditions", json!({"encryptionContext": {"tenant": "a"}}))],
        // Nobody knows its ARN before it exists.
        [("/key/consumers/0/conditions", json!({"encryptionContext": {"SecretARN": SECRET}}))],
    ] {
        assert_eq!(waits(&changes).first().map(|wait| wait.0), Some(Reason::WriterNotConsumer), "{changes:?}");
    }
    let known = json!({
        "resource": {"type": "secret", "secret": "arn:aws:secretsmanager:eu-west-1:444455556666:secret:team/db"},
        "consumer": "", "accountRef": "partner", "state": "Applied", "fingerprint": SECRET,
    });
    let others = json!({"encryptionContext": {"SecretARN": format!("{SECRET}X")}});
    let found = waits(&[("/key/consumers/0/conditions", others), ("/record/targets", json!([known]))]);
    assert_eq!(found.first().map(|wait| wait.0), Some(Reason::WriterNotConsumer), "it is about another secret");
    for changes in [
        vec![("/key/consumers/0/conditions", json!({"viaServices": ["secretsmanager"]}))],
        // Whoever has the whole account's trust is a matter of that account's policies.
        vec![
            ("/key/consumers/0/principals", alone),
            ("/key/consumers/0/trust", json!("Account")),
            ("/accounts/owner/sharing", json!({"allowAccountScope": true})),
            ("/accounts/partner/allow/0/principals/-", json!("root")),
        ],
        vec![
            ("/key/consumers/0/conditions", json!({"encryptionContext": {"secretarn": SECRET}})),
            ("/record/targets", json!([known])),
        ],
    ] {
        assert_eq!(waits(&changes), [], "{changes:?}");
    }
}

#[test]
fn whether_the_operator_may_write_is_not_taken_for_granted_before_it_is_known_who_it_is() {
    let found = waits(&[("/identity", Value::Null)]);
    let [(Reason::AccountNotReady, message)] = &found[..] else { panic!("{found:?}") };
    assert!(message.contains("AwsAccount \"partner\""), "{message}");
    let own = KEY.replace("111122223333", "444455556666");
    let in_its_own_account = [
        ("/identity", Value::Null),
        ("/key/accountRef/name", json!("partner")),
        ("/key/key/arn", json!(own)),
        ("/key/consumers", json!([])),
    ];
    assert_eq!(waits(&in_its_own_account), []);
}

#[test]
fn a_role_that_the_key_does_not_let_in_yet_is_waited_for() {
    let found = waits(&[("/verdict", json!("Denied"))]);
    assert_eq!(found[0].0, Reason::SharedKeyNotReady);
    assert!(found[0].1.ends_with("yet: the key policy does not allow it"), "{}", found[0].1);
    assert_eq!(waits(&[("/verdict", json!("Partial"))]), []);
}

#[test]
fn a_key_of_the_secrets_own_account_is_a_matter_of_its_own_policies() {
    let own = KEY.replace("111122223333", "444455556666");
    let desired = accepted(&[
        ("/key/accountRef/name", json!("partner")),
        ("/key/key/arn", json!(own)),
        ("/key/consumers", json!([])),
    ]);
    assert_eq!((desired.key.unwrap().arn.to_string(), desired.waits.len()), (own, 0));
}

#[test]
fn the_strictest_mode_of_all_accounts_holds() {
    for changes in [
        [("/spec/mode", json!("Observe"))],
        [("/accounts/partner/mode", json!("Observe"))],
        [("/accounts/owner/mode", json!("Observe"))],
    ] {
        assert_eq!(accepted(&changes).mode, Mode::Observe, "{changes:?}");
    }
}

#[test]
fn a_reader_that_is_refused_later_loses_nothing_and_the_others_go_on() {
    let target = json!({
        "resource": {"type": "secret", "secret": "arn:aws:secretsmanager:eu-west-1:444455556666:secret:team/db"},
        "consumer": "", "accountRef": "partner", "state": "Applied", "fingerprint": "",
    });
    let desired = accepted(&[
        ("/record/targets", json!([target])),
        ("/spec/readers/-", json!({"name": "own", "accountRef": {"name": "partner"}, "principals": [{"role": "App"}]})),
        ("/accounts/owner/allow/0/principals", json!(["role/other/*"])),
    ]);
    assert_eq!(desired.readers.iter().map(|reader| reader.name.as_str()).collect::<Vec<_>>(), ["own"]);
    assert_eq!(desired.refused.keys().collect::<Vec<_>>(), ["apps"]);
}

#[test]
fn an_account_that_is_being_deleted_opens_nothing_new() {
    let secret = json!({
        "resource": {"type": "secret", "secret": "arn:aws:secretsmanager:eu-west-1:444455556666:secret:team/db"},
        "consumer": "", "accountRef": "partner", "state": "Applied", "fingerprint": "",
    });
    let policy = json!({
        "resource": {"type": "inlinePolicy", "entity": "arn:aws:iam::111122223333:role/own/Api", "name": "sharedkey@prod@team@secret=db@apps"},
        "consumer": "apps", "accountRef": "owner", "state": "Applied", "fingerprint": "f",
    });
    // The SharedKey has shared its key before, so that its accounts stay open to it.
    let shared = |account: &str| {
        let key = json!({"type": "statement", "key": KEY, "sid": "SharedKey/prod/team/orders/partner"});
        json!([{"resource": key, "consumer": "partner", "accountRef": account, "state": "Applied", "fingerprint": "f"}])
    };
    refused_all(&[
        (
            &[("/leaving", json!(["owner"])), ("/keyRecord/targets", shared("owner"))],
            Reason::NotAllowed,
            "readers[0] (apps).accountRef",
        ),
        (&[("/leaving", json!(["partner"]))], Reason::NotAllowed, "accountRef: AwsAccount \"partner\""),
    ]);
    // What was given is looked after, and a reader more is not let in through it.
    let more = json!({"name": "more", "accountRef": {"name": "partner"}, "principals": [{"role": "App"}]});
    for leaving in ["owner", "partner"] {
        let desired = accepted(&[
            ("/leaving", json!([leaving])),
            ("/record/targets", json!([secret, policy])),
            ("/keyRecord/targets", shared(leaving)),
            ("/spec/readers/-", more.clone()),
        ]);
        assert_eq!(
            desired.refused.keys().collect::<Vec<_>>(),
            if leaving == "owner" { vec![] } else { vec!["more"] },
            "{leaving}"
        );
    }
}
