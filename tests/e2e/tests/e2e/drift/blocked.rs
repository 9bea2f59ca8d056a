//! Both halves stand, and something else keeps a principal from the key.

use anyhow::Result;
use futures::FutureExt as _;
use serde_json::{Value, json};
use sharedkey_api::{DriftKind, conditions::Reason};
use sharedkey_e2e::Hands;

use super::{
    change::Of,
    everywhere,
    scene::Scene,
    seen::Seen,
    trouble::{Trouble, Unready, told},
};

#[tokio::test]
async fn whatever_else_blocks_a_principal_is_named() -> Result<()> {
    everywhere(&json!({}), async |scene| told(scene, BLOCKS).await).await
}

const NAME: &str = "NoKeys";
const UNREADY: Unready = Unready::InEnforce(Reason::AccessDenied);

const BLOCKS: &[Trouble] = &[
    Trouble {
        name: "a boundary without the key",
        make: |scene| {
            async move {
                let account = &scene.stage.partner.account;
                let boundary = account.create_policy("Boundary", &document("Allow", "s3:*")).await?;
                let request = account.root().iam().put_role_permissions_boundary().role_name("ExampleRole");
                request.permissions_boundary(boundary).send().await?;
                Ok(())
            }
            .boxed()
        },
        undo: |scene| {
            async move {
                let account = &scene.stage.partner.account;
                let request = account.root().iam().delete_role_permissions_boundary().role_name("ExampleRole");
                request.send().await?;
                Hands::of(account).delete_policy(&account.arn("policy/Boundary")).await
            }
            .boxed()
        },
        seen: |scene| {
            let (role, boundary) = (Of::Role.arn(scene), scene.stage.partner.account.arn("policy/Boundary"));
            let seen = Seen::in_delegation(scene, DriftKind::BlockedByBoundary, role).of(&[role]);
            vec![seen.difference(&["allowed: kms:Decrypt"], &["permissions boundary", &boundary]).saying(&boundary)]
        },
        unready: UNREADY,
    },
    Trouble {
        name: "an explicit deny on the role",
        make: |scene| {
            async move {
                Hands::of(&scene.stage.partner.account)
                    .put_inline(Of::Role.arn(scene), NAME, &document("Deny", "kms:Decrypt"))
                    .await
            }
            .boxed()
        },
        undo: |scene| {
            async move { Hands::of(&scene.stage.partner.account).delete_inline(Of::Role.arn(scene), NAME).await }
                .boxed()
        },
        seen: |scene| vec![denied(scene, Of::Role, NAME)],
        unready: UNREADY,
    },
    Trouble {
        name: "an explicit deny by a group",
        make: |scene| {
            async move {
                let iam = scene.stage.partner.account.root().iam();
                iam.create_group().group_name("Staff").send().await?;
                let denies = document("Deny", "kms:Decrypt").to_string();
                iam.put_group_policy().group_name("Staff").policy_name(NAME).policy_document(denies).send().await?;
                iam.add_user_to_group().group_name("Staff").user_name("ExampleUser").send().await?;
                Ok(())
            }
            .boxed()
        },
        undo: |scene| {
            async move {
                let iam = scene.stage.partner.account.root().iam();
                iam.remove_user_from_group().group_name("Staff").user_name("ExampleUser").send().await?;
                iam.delete_group_policy().group_name("Staff").policy_name(NAME).send().await?;
                iam.delete_group().group_name("Staff").send().await?;
                Ok(())
            }
            .boxed()
        },
        seen: |scene| vec![denied(scene, Of::User, "Staff").saying(NAME)],
        unready: UNREADY,
    },
    Trouble {
        name: "an explicit deny in the key policy",
        make: |scene| {
            let statement = json!({
                "Sid": NAME, "Effect": "Deny", "Principal": {"AWS": Of::Role.arn(scene)}, "Action": "kms:Decrypt", "Resource": "*",
            });
            scene.add_statement(statement).boxed()
        },
        undo: |scene| scene.remove_statement(NAME).boxed(),
        seen: |scene| vec![denied(scene, Of::Role, "key policy").saying(NAME)],
        unready: UNREADY,
    },
];

fn document(effect: &str, action: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": "*"}]})
}

fn denied(scene: &Scene, of: Of, by: &str) -> Seen {
    let principal = of.arn(scene);
    let seen = Seen::in_delegation(scene, DriftKind::BlockedByDeny, principal).of(&[principal]);
    seen.difference(&["allowed: kms:Decrypt"], &[by, "denies kms:Decrypt"]).saying("is kept from the key")
}
