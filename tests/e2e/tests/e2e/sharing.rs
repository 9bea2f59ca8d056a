//! A key is shared, and is not any more.

use anyhow::Result;
use sharedkey_e2e::{Stage, allowed, denied, foreign};

#[tokio::test]
async fn a_key_is_shared_with_a_role_and_a_user_and_taken_back() -> Result<()> {
    for partition in ["aws-cn", "aws"] {
        // Given a key of another account that a role and a user cannot use
        let stage = Stage::new(partition).await?;
        let probe = stage.probe().await?;
        let (role, user) = (stage.as_role().await?, stage.as_user().await?);
        denied(&role, &probe).await?;
        denied(&user, &probe).await?;
        let before = foreign(&stage.owner.account.key_policy(&stage.key).await?);

        // When it is shared with them, then they can
        stage.share("orders", stage.spec()).await?;
        stage.ready("orders").await?;
        allowed(&role, &probe).await?;
        allowed(&user, &probe).await?;

        // When the object is deleted, then they cannot, and nothing of others has changed
        stage.delete("orders").await?;
        denied(&role, &probe).await?;
        denied(&user, &probe).await?;
        assert_eq!(foreign(&stage.owner.account.key_policy(&stage.key).await?), before);
    }
    Ok(())
}
