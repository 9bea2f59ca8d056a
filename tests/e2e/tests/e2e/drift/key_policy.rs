//! The owner's administrators change the key policy.

use anyhow::Result;
use serde_json::{Value, json};
use sharedkey_api::DriftKind;
use sharedkey_e2e::statement;

use super::{
    change::{Change, Make, Of},
    everywhere, healed,
    scene::Scene,
    seen::Seen,
    watched,
};

#[tokio::test]
async fn changes_of_the_key_policy_are_healed() -> Result<()> {
    everywhere(&json!({}), async |scene| healed(scene, CHANGES).await).await
}

#[tokio::test]
async fn changes_of_the_key_policy_are_watched() -> Result<()> {
    everywhere(&json!({}), async |scene| watched(scene, CHANGES).await).await
}

#[tokio::test]
async fn changed_conditions_are_healed() -> Result<()> {
    everywhere(&conditions(), async |scene| healed(scene, CONDITIONS).await).await
}

#[tokio::test]
async fn changed_conditions_are_watched() -> Result<()> {
    everywhere(&conditions(), async |scene| watched(scene, CONDITIONS).await).await
}

#[tokio::test]
async fn changes_of_the_trust_in_an_account_are_healed() -> Result<()> {
    everywhere(&json!({"trust": "Account"}), async |scene| healed(scene, ACCOUNT).await).await
}

#[tokio::test]
async fn changes_of_the_trust_in_an_account_are_watched() -> Result<()> {
    everywhere(&json!({"trust": "Account"}), async |scene| watched(scene, ACCOUNT).await).await
}

const CHANGES: &[Change] = &[
    Change { name: "our statement is deleted", make: Make::KeyPolicy(without_ours), seen: |scene| vec![gone(scene)] },
    Change {
        name: "a principal is removed",
        make: Make::KeyPolicy(|scene, document| ours(scene, document)["Principal"]["AWS"] = json!(scene.stage.role)),
        seen: |scene| {
            let user = Of::User.arn(scene);
            let seen = Seen::in_key_policy(scene, DriftKind::PrincipalMissing).of(&[user]);
            vec![seen.difference(&[user], &["not named"]).saying("cannot use the key")]
        },
    },
    Change {
        name: "a principal is added",
        make: Make::KeyPolicy(|scene, document| {
            ours(scene, document)["Principal"]["AWS"] = json!([scene.stage.role, scene.stage.user, account(scene)]);
        }),
        seen: |scene| {
            let stranger = account(scene);
            let principals = [Of::Role.arn(scene), Of::User.arn(scene), &stranger];
            let seen = Seen::in_key_policy(scene, DriftKind::StatementChanged).of(&principals);
            let expected = format!("principals: without {stranger}");
            let observed = format!("principals: {stranger}");
            vec![seen.difference(&[&expected], &[&observed]).saying(&format!("unexpected {stranger}"))]
        },
    },
    Change {
        name: "actions are taken out",
        make: Make::KeyPolicy(|scene, document| {
            ours(scene, document)["Action"] = json!(["kms:Decrypt", "kms:DescribeKey"]);
        }),
        seen: |scene| {
            vec![
                changed(scene)
                    .difference(&["actions: [", "kms:Encrypt", "kms:GenerateDataKey*"], &["actions: without ["]),
            ]
        },
    },
    Change {
        name: "an action is added",
        make: Make::KeyPolicy(|scene, document| {
            if let Some(actions) = ours(scene, document)["Action"].as_array_mut() {
                actions.push(json!("kms:CreateGrant"));
            }
        }),
        seen: |scene| {
            vec![changed(scene).difference(&["actions: without kms:CreateGrant"], &["actions: kms:CreateGrant"])]
        },
    },
    Change {
        name: "a condition is added",
        make: Make::KeyPolicy(|scene, document| {
            let nobody = json!({"StringEquals": {"kms:CallerAccount": "999999999999"}});
            ours(scene, document)["Condition"] = nobody;
        }),
        seen: |scene| {
            let condition = "condition StringEquals kms:CallerAccount: ";
            let (expected, observed) = (format!("{condition}absent"), format!("{condition}[999999999999]"));
            vec![changed(scene).difference(&[&expected], &[&observed])]
        },
    },
    Change {
        name: "the effect is flipped",
        make: Make::KeyPolicy(|scene, document| ours(scene, document)["Effect"] = json!("Deny")),
        seen: |scene| {
            let blocked = [Of::Role, Of::User].map(|of| Seen::blocked(scene, of.arn(scene), &scene.sid()));
            let mut seen = vec![changed(scene).difference(&["effect: Allow"], &["effect: Deny"])];
            seen.extend(blocked);
            seen
        },
    },
    Change {
        name: "the whole policy is replaced by the default",
        make: Make::KeyPolicy(|scene, document| {
            *document = json!({"Version": "2012-10-17", "Id": "key-default-1", "Statement": [{
                "Sid": "Enable IAM User Permissions", "Effect": "Allow", "Principal": {"AWS": scene.stage.owner.account.root_arn()},
                "Action": "kms:*", "Resource": "*",
            }]});
        }),
        seen: |scene| vec![gone(scene)],
    },
];

const ACCOUNT: &[Change] = &[
    Change {
        name: "the statement that trusts the account is deleted",
        make: Make::KeyPolicy(without_ours),
        seen: |scene| {
            let seen = Seen::in_key_policy(scene, DriftKind::StatementMissing).of(&[&account(scene)]);
            vec![seen.difference(&["allows", "kms:Decrypt"], &["no such statement"]).saying("cannot use the key")]
        },
    },
    Change {
        name: "one role is trusted instead of the account",
        make: Make::KeyPolicy(|scene, document| ours(scene, document)["Principal"]["AWS"] = json!(scene.stage.role)),
        seen: |scene| {
            let (account, role) = (account(scene), Of::Role.arn(scene));
            let seen = Seen::in_key_policy(scene, DriftKind::StatementChanged).of(&[&account, role]);
            let expected = format!("principals: {account}, without {role}");
            let observed = format!("principals: {role}, without {account}");
            vec![seen.difference(&[&expected], &[&observed]).saying("differs")]
        },
    },
];

fn conditions() -> Value {
    json!({"conditions": {"encryptionContext": {"department": "orders"}}})
}

const CONDITIONS: &[Change] = &[
    Change {
        name: "the condition is removed",
        make: Make::KeyPolicy(|scene, document| {
            if let Some(statement) = ours(scene, document).as_object_mut() {
                statement.remove("Condition");
            }
        }),
        seen: |scene| vec![condition(scene, "absent")],
    },
    Change {
        name: "the condition is changed",
        make: Make::KeyPolicy(|scene, document| {
            ours(scene, document)["Condition"] =
                json!({"StringEquals": {"kms:EncryptionContext:department": "invoices"}});
        }),
        seen: |scene| vec![condition(scene, "[invoices]")],
    },
];

fn condition(scene: &Scene, observed: &str) -> Seen {
    let condition = "condition StringEquals kms:EncryptionContext:department: ";
    let (expected, observed) = (format!("{condition}[orders]"), format!("{condition}{observed}"));
    changed(scene).difference(&[&expected], &[&observed])
}

fn without_ours(scene: &Scene, document: &mut Value) {
    let sid = scene.sid();
    if let Some(statements) = document["Statement"].as_array_mut() {
        statements.retain(|statement| statement["Sid"] != sid);
    }
}

fn ours<'a>(scene: &Scene, document: &'a mut Value) -> &'a mut Value {
    statement(document, &scene.sid())
}

/// The partner as a whole: it exists, and only `trust: Account` names it.
fn account(scene: &Scene) -> String {
    scene.stage.partner.account.root_arn()
}

fn gone(scene: &Scene) -> Seen {
    let both = [Of::Role.arn(scene), Of::User.arn(scene)];
    let seen = Seen::in_key_policy(scene, DriftKind::StatementMissing).of(&both);
    seen.difference(&["allows", "kms:Decrypt"], &["no such statement"]).saying("cannot use the key")
}

fn changed(scene: &Scene) -> Seen {
    Seen::in_key_policy(scene, DriftKind::StatementChanged)
        .of(&[Of::Role.arn(scene), Of::User.arn(scene)])
        .saying("differs")
}
