//! IAM: what roles and users are and may do, and the policies that delegate to them.

mod entity;
mod holder;
mod managed;

use std::{collections::BTreeMap, error::Error, future::Future};

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sharedkey_engine::problem::{Class, Failure, Reading};

pub(crate) use entity::Head;
pub(crate) use holder::{Holder, HolderKind};
pub(crate) use managed::Version;

use crate::{class::Answer, limits::Bucket, meter::Api, reach::Reach};

const GET_ACCOUNT_SUMMARY: Api = read("GetAccountSummary");

const fn read(operation: &'static str) -> Api {
    Api { service: "iam", operation, bucket: Bucket::IamRead }
}

const fn write(operation: &'static str) -> Api {
    Api { service: "iam", operation, bucket: Bucket::IamWrite }
}

/// IAM of one account.
pub(crate) struct Iam<'a> {
    reach: &'a Reach,
    client: &'a aws_sdk_iam::Client,
}

impl<'a> Iam<'a> {
    pub(crate) fn new(reach: &'a Reach) -> Self {
        Self { reach, client: reach.iam_client() }
    }

    /// The account's live quotas and what is used of them (D§4.1).
    pub(crate) async fn account_summary(&self) -> Reading<BTreeMap<String, i64>> {
        let account = self.reach.access().account_id.to_string();
        let answer = self.call(GET_ACCOUNT_SUMMARY, &account, self.client.get_account_summary().send()).await?;
        let summary = answer.summary_map.unwrap_or_default();
        Ok(summary.into_iter().map(|(key, value)| (key.as_str().to_owned(), value.into())).collect())
    }

    fn call<T, E, F>(&self, api: Api, resource: &str, request: F) -> impl Future<Output = Reading<T>>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        self.reach.call(api, self.reach.iam_region(), resource, request)
    }

    /// An answer that lacks what AWS always says.
    fn unreadable(&self, api: Api, resource: &str, message: &str) -> Failure {
        self.reach.access().call(api, self.reach.iam_region(), resource).failure(Answer {
            class: Class::Transient,
            code: "UnreadableAnswer".into(),
            message: message.to_owned(),
            family: "connection",
        })
    }
}
