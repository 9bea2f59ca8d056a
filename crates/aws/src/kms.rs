//! KMS: the three operations that sharing an existing key needs.

use aws_sdk_kms::types::{KeyManagerType, KeyMetadata as Described};
use aws_smithy_types::{date_time::Format, retry::RetryConfig};
use sharedkey_engine::{
    observed::KeyMetadata,
    problem::{Class, Reading},
};
use sharedkey_policy::{KeyArn, Region};

use crate::{
    class::{self, Answer},
    limits::Bucket,
    meter::Api,
    reach::Reach,
};

/// The only legal name of a key policy (D§1.1).
const POLICY_NAME: &str = "default";

const DESCRIBE_KEY: Api = api("DescribeKey", 2000);
const GET_KEY_POLICY: Api = api("GetKeyPolicy", 1000);
const PUT_KEY_POLICY: Api = api("PutKeyPolicy", 15);

/// An operation with its quota of D§6.1.
const fn api(operation: &'static str, per_second: u32) -> Api {
    Api { service: "kms", operation, bucket: Bucket::Regional(operation, per_second) }
}

/// KMS of one account in one Region.
pub(crate) struct Kms<'a> {
    reach: &'a Reach,
    region: &'a Region,
    client: aws_sdk_kms::Client,
}

impl<'a> Kms<'a> {
    pub(crate) fn new(reach: &'a Reach, region: &'a Region) -> Self {
        Self { reach, region, client: reach.kms_client(region) }
    }

    /// The key that an ARN of a key or alias means, and its state; none if KMS knows no such key.
    pub(crate) async fn describe(&self, key: &str) -> Reading<Option<(KeyArn, KeyMetadata)>> {
        let request = self.client.describe_key().key_id(key).send();
        let answer = class::or_absent(self.reach.call(DESCRIBE_KEY, self.region.as_str(), key, request).await)?;
        let Some(described) = answer.and_then(|answer| answer.key_metadata) else { return Ok(None) };
        let arn = described.arn().and_then(|arn| arn.parse().ok());
        let Some(arn) = arn else {
            let call = self.reach.access().call(DESCRIBE_KEY, self.region.as_str(), key);
            return Err(call.failure(Answer {
                class: Class::Transient,
                code: "UnreadableAnswer".into(),
                message: "the key has no ARN".into(),
                family: "connection",
            }));
        };
        Ok(Some((arn, metadata(&described))))
    }

    /// The key policy as it is; none if KMS knows no such key.
    pub(crate) async fn policy(&self, key: &KeyArn) -> Reading<Option<String>> {
        let arn = key.to_string();
        let request = self.client.get_key_policy().key_id(&arn).policy_name(POLICY_NAME).send();
        let answer = class::or_absent(self.reach.call(GET_KEY_POLICY, self.region.as_str(), &arn, request).await)?;
        Ok(answer.map(|answer| answer.policy.unwrap_or_default()))
    }

    /// Waits until the key policy may be replaced without leaving the quota.
    pub(crate) async fn turn_to_put(&self) {
        self.reach.turn(PUT_KEY_POLICY, self.region.as_str()).await;
    }

    /// Replaces the key policy, once: a later attempt with this document would undo what others have written meanwhile. It has
    /// waited for its turn. The lockout check is never bypassed (D§1.5).
    pub(crate) async fn put_policy(&self, key: &KeyArn, document: &str) -> Reading<()> {
        let arn = key.to_string();
        let request = self.client.put_key_policy().key_id(&arn).policy_name(POLICY_NAME).policy(document);
        let once = aws_sdk_kms::config::Builder::new().retry_config(RetryConfig::disabled());
        let request = request.customize().config_override(once).send();
        self.reach.call_in_turn(PUT_KEY_POLICY, self.region.as_str(), &arn, request).await.map(drop)
    }
}

fn metadata(described: &Described) -> KeyMetadata {
    KeyMetadata {
        state: described.key_state().map(|state| state.as_str().to_owned()).unwrap_or_default(),
        aws_managed: described.key_manager() == Some(&KeyManagerType::Aws),
        usage: described.key_usage().map(|usage| usage.as_str().to_owned()).unwrap_or_default(),
        spec: described.key_spec().map(|spec| spec.as_str().to_owned()).unwrap_or_default(),
        deletion_date: described.deletion_date().and_then(|date| date.fmt(Format::DateTime).ok()),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_kms::{
        primitives::DateTime,
        types::{KeySpec, KeyState, KeyUsageType},
    };

    use super::*;

    #[test]
    fn states_that_the_sdk_does_not_know_are_kept() {
        let described = Described::builder().key_id("k").key_state(KeyState::from("Hibernating")).build().unwrap();
        assert_eq!(metadata(&described).state, "Hibernating");
    }

    #[test]
    fn a_dying_key_says_when_it_goes() {
        let described = Described::builder()
            .key_id("k")
            .key_state(KeyState::PendingDeletion)
            .key_usage(KeyUsageType::EncryptDecrypt)
            .key_spec(KeySpec::SymmetricDefault)
            .key_manager(KeyManagerType::Customer)
            .deletion_date(DateTime::from_secs(1_800_000_000))
            .build()
            .unwrap();
        let expected = KeyMetadata {
            state: "PendingDeletion".into(),
            aws_managed: false,
            usage: "ENCRYPT_DECRYPT".into(),
            spec: "SYMMETRIC_DEFAULT".into(),
            deletion_date: Some("2027-01-15T08:00:00Z".into()),
        };
        assert_eq!(metadata(&described), expected);
    }
}
