//! Secrets Manager: what a secret is, what it holds, and who may read it.
//!
//! A secret is named by its ARN, or by its name, which means the secret of that name in the account that asks (D§5.1).

mod facts;
mod policy;
mod replicas;
mod retries;
mod silence;
mod values;

use std::{collections::BTreeMap, error::Error, future::Future};

use aws_sdk_secretsmanager::{operation::update_secret::UpdateSecretError, types::Tag};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sharedkey_engine::problem::{Class, Failure, Reading};
use sharedkey_policy::{KeyArn, Region};

pub(crate) use self::{
    facts::{Facts, Replica},
    values::CURRENT,
};
use crate::{
    class::{self, Answer},
    limits::Bucket,
    meter::Api,
    reach::Reach,
};

const DESCRIBE_SECRET: Api = api("DescribeSecret", Bucket::Regional("DescribeSecret", 40_000));
const CREATE_SECRET: Api = api("CreateSecret", Bucket::Regional("CreateSecret", 50));
const UPDATE_SECRET: Api = api("UpdateSecret", CHANGES);
const TAG_RESOURCE: Api = api("TagResource", TAGS);
const UNTAG_RESOURCE: Api = api("UntagResource", TAGS);
const DELETE_SECRET: Api = api("DeleteSecret", Bucket::Regional("DeleteSecret", 50));
const RESTORE_SECRET: Api = api("RestoreSecret", Bucket::Regional("RestoreSecret", 50));

/// Operations that share a quota (D§6.1).
const CHANGES: Bucket = Bucket::Regional("changes of secrets", 50);
const TAGS: Bucket = Bucket::Regional("tags of secrets", 50);

const fn api(operation: &'static str, bucket: Bucket) -> Api {
    Api { service: "secretsmanager", operation, bucket }
}

/// Secrets Manager of one account in one Region.
pub(crate) struct SecretsManager<'a> {
    reach: &'a Reach,
    region: &'a Region,
    client: aws_sdk_secretsmanager::Client,
}

/// A secret that is to be made, without its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewSecret<'a> {
    pub(crate) name: &'a str,
    pub(crate) description: Option<&'a str>,
    pub(crate) key: &'a KeyArn,
    pub(crate) tags: &'a BTreeMap<String, String>,
}

impl<'a> SecretsManager<'a> {
    pub(crate) fn new(reach: &'a Reach, region: &'a Region) -> Self {
        Self { reach, region, client: reach.secrets_manager_client(region) }
    }

    /// What is known of a secret; none if there is none.
    pub(crate) async fn describe(&self, secret: &str) -> Reading<Option<Facts>> {
        let request = self.client.describe_secret().secret_id(secret).send();
        let Some(answer) = class::or_absent(self.call(DESCRIBE_SECRET, secret, request).await)? else {
            return Ok(None);
        };
        let facts = Facts::of(answer);
        let facts = facts.ok_or_else(|| self.unreadable(DESCRIBE_SECRET, secret, "the secret has no ARN"))?;
        Ok(Some(facts))
    }

    /// Changes what is not nothing of the two. A new key is used for values from now on, and values that carry one of AWS' own labels
    /// are encrypted anew with it, if we may encrypt with it (D§5.4).
    pub(crate) async fn update(&self, secret: &str, description: Option<&str>, key: Option<&KeyArn>) -> Reading<()> {
        let request = self.client.update_secret().secret_id(secret);
        let request = request.set_description(description.map(str::to_owned));
        let request = request.set_kms_key_id(key.map(ToString::to_string));
        let request = request.customize().config_override(retries::not_of_limits::<UpdateSecretError>()).send();
        self.call(UPDATE_SECRET, secret, request).await.map(drop)
    }

    /// Sets tags. Others stay.
    pub(crate) async fn tag(&self, secret: &str, tags: &BTreeMap<String, String>) -> Reading<()> {
        let request = self.client.tag_resource().secret_id(secret).set_tags(Some(sdk_tags(tags))).send();
        self.call(TAG_RESOURCE, secret, request).await.map(drop)
    }

    /// Removes tags; one that is not there is gone.
    pub(crate) async fn untag(&self, secret: &str, keys: &[String]) -> Reading<()> {
        let request = self.client.untag_resource().secret_id(secret).set_tag_keys(Some(keys.to_vec())).send();
        self.call(UNTAG_RESOURCE, secret, request).await.map(drop)
    }

    /// Schedules a secret for deletion.
    pub(crate) async fn delete(&self, secret: &str, window_days: i32) -> Reading<()> {
        let request = self.client.delete_secret().secret_id(secret).recovery_window_in_days(window_days.into()).send();
        self.call(DELETE_SECRET, secret, request).await.map(drop)
    }

    /// Takes a secret back that was scheduled for deletion.
    pub(crate) async fn restore(&self, secret: &str) -> Reading<()> {
        let request = self.client.restore_secret().secret_id(secret).send();
        self.call(RESTORE_SECRET, secret, request).await.map(drop)
    }

    fn call<T, E, F>(&self, api: Api, secret: &str, request: F) -> impl Future<Output = Reading<T>>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        self.reach.call(api, self.region.as_str(), secret, request)
    }

    /// An answer that lacks what AWS always says.
    fn unreadable(&self, api: Api, secret: &str, message: &str) -> Failure {
        self.reach.access().call(api, self.region.as_str(), secret).failure(Answer {
            class: Class::Transient,
            code: "UnreadableAnswer".into(),
            message: message.into(),
            family: "connection",
        })
    }
}

fn sdk_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}
