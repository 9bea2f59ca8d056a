//! The resource policy of a secret: written as a whole, without versions or compare-and-set, like a key policy (D§1.5).

use sharedkey_engine::problem::Reading;

use super::{SecretsManager, api, retries};
use crate::{class, limits::Bucket, meter::Api};

/// One quota for all of them (D§6.1).
const POLICIES: Bucket = Bucket::Regional("policies of secrets", 50);

const GET_RESOURCE_POLICY: Api = api("GetResourcePolicy", POLICIES);
const PUT_RESOURCE_POLICY: Api = api("PutResourcePolicy", POLICIES);
const DELETE_RESOURCE_POLICY: Api = api("DeleteResourcePolicy", POLICIES);

impl SecretsManager<'_> {
    /// The policy as it is; none if there is no such secret, `Some(None)` if it has none.
    pub(crate) async fn policy(&self, secret: &str) -> Reading<Option<Option<String>>> {
        let request = self.client.get_resource_policy().secret_id(secret).send();
        let answer = class::or_absent(self.call(GET_RESOURCE_POLICY, secret, request).await)?;
        Ok(answer.map(|answer| answer.resource_policy.filter(|text| !text.is_empty())))
    }

    /// Waits until the policy may be replaced without leaving the quota.
    pub(crate) async fn turn_to_put_policy(&self) {
        self.reach.turn(PUT_RESOURCE_POLICY, self.region.as_str()).await;
    }

    /// Replaces the policy, or takes it away, once: a later attempt with this document would undo what others have written meanwhile. It
    /// has waited for its turn. A policy that opens the secret to everybody is refused by AWS, whoever wrote that statement (D§5.7).
    pub(crate) async fn put_policy(&self, secret: &str, document: Option<&str>) -> Reading<()> {
        let region = self.region.as_str();
        let Some(document) = document else {
            let request = self.client.delete_resource_policy().secret_id(secret);
            let request = request.customize().config_override(retries::none()).send();
            return self.reach.call_in_turn(DELETE_RESOURCE_POLICY, region, secret, request).await.map(drop);
        };
        let request = self.client.put_resource_policy().secret_id(secret).resource_policy(document);
        let request = request.block_public_policy(true).customize().config_override(retries::none()).send();
        self.reach.call_in_turn(PUT_RESOURCE_POLICY, region, secret, request).await.map(drop)
    }
}
