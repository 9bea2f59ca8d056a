//! Both sides of the world together: AWS believes the tokens that Kubernetes issues to the operator.

use sharedkey_harness::{World, cluster::token};

const AUDIENCE: &str = "sts.amazonaws.com";

#[tokio::test]
async fn the_operators_service_account_enters_a_role_of_any_partition_by_token() {
    let world = World::shared().await.unwrap();
    let client = world.control_plane.client().await.unwrap();
    for partition in ["aws", "aws-cn"] {
        let account = world.aws.account(partition).await.unwrap();
        let role = account.create_role_for("Operator", &world.operator_account, AUDIENCE).await.unwrap();

        let own = token(&client, &world.operator_account, &[AUDIENCE]).await.unwrap();
        let identity = account.root().assume_role_with_token(&role, &own).await.unwrap();
        let session = format!("arn:{partition}:sts::{}:assumed-role/Operator/harness", account.id());
        assert_eq!(identity.arn().await.unwrap(), session);

        let for_others = token(&client, &world.operator_account, &["somebody.else"]).await.unwrap();
        let refusal = account.root().assume_role_with_token(&role, &for_others).await.unwrap_err();
        assert!(format!("{refusal:?}").contains("InvalidIdentityToken"), "{refusal:?}");
    }
}
