//! The operator's own way of writing a policy.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::{Result, anyhow, ensure};
use futures::{FutureExt as _, future::BoxFuture};
use secrecy::SecretString;
use serde_json::json;
use sharedkey_aws::{
    Access, Aws, CallObserver, Endpoints, KeepError, Keeper, Method, Options, Outcome, TokenError, TokenSource,
};
use sharedkey_e2e::has_sid;
use sharedkey_engine::{desired, meanwhile::Meanwhile, plan::Step};
use sharedkey_harness::{StrictAws, aws::Account};
use sharedkey_policy::{AccountId, KeyArn, Statement};

use crate::policy::{Kind, Policy};

/// Statements of others by their Sids, each of which is made once.
#[derive(Default)]
pub(crate) struct Changes {
    /// Written by others, and gone.
    pub(crate) lost: BTreeSet<String>,
    /// Removed by others, and back.
    pub(crate) revived: BTreeSet<String>,
}

impl Changes {
    fn of(meanwhile: &Meanwhile) -> Self {
        let sids = |statements: &[Statement]| statements.iter().filter_map(Statement::sid).map(str::to_owned).collect();
        Self { lost: sids(&meanwhile.lost), revived: sids(&meanwhile.revived) }
    }

    fn extend(&mut self, more: Self) {
        self.lost.extend(more.lost);
        self.revived.extend(more.revived);
    }
}

/// What a writer has done.
#[derive(Default)]
pub(crate) struct Report {
    /// Writes that changed the policy.
    pub(crate) writes: u32,
    /// Writes of ours that somebody else's undid as a whole. A sweep would find and mend that.
    pub(crate) undone: u32,
    /// Statements of others that ours took away or brought back, as it has told itself, where ours was not undone.
    pub(crate) seen: Changes,
}

/// An account with a key or a secret, which the operator reaches.
pub(crate) struct Writer {
    pub(crate) policy: Policy,
    partner: Account,
    aws: Aws,
}

impl Writer {
    pub(crate) async fn new(strict: &StrictAws, kind: Kind) -> Result<Self> {
        let (account, partner) = futures::try_join!(strict.account("aws"), strict.account("aws"))?;
        account.create_user("/", "operator").await?;
        let all = json!({"Effect": "Allow", "Action": ["kms:*", "secretsmanager:*"], "Resource": "*"});
        let all = json!({"Version": "2012-10-17", "Statement": [all]});
        account.put_user_policy("operator", "policies", &all).await?;
        let operator = account.as_user("operator").await?;
        let aws = Aws::new(Options::default(), Arc::new(Unobserved), Arc::new(NoTokens));
        let url = Some(strict.url().to_owned());
        aws.set_account(
            "owner",
            Access {
                account_id: account.id().parse()?,
                partition: account.partition().parse()?,
                default_region: account.root().region().parse()?,
                method: Method::Static {
                    access_key_id: operator.credentials().access_key_id.clone(),
                    secret_access_key: operator.credentials().secret_access_key.clone().into(),
                    session_token: None,
                },
                endpoints: Endpoints { kms: url.clone(), iam: url.clone(), sts: url.clone(), secrets_manager: url },
            },
        );
        Ok(Self { policy: Policy::new(account, kind).await?, partner, aws })
    }

    /// Shares the key or secret with one action and then with another, until it has written often enough.
    pub(crate) async fn write(&self, writes: u32) -> Result<Report> {
        let mut report = Report::default();
        let mut last = Changes::default();
        for action in self.policy.actions().iter().cycle() {
            let Outcome { changed, meanwhile } = self.aws.apply(&self.step(action)?, &Nowhere, None).await?;
            let last = std::mem::replace(&mut last, Changes::of(&meanwhile));
            if !changed {
                // What we wrote last is as it was before: the other one had read before it and wrote after it, and what it had
                // undone stands there again too.
                report.undone += 1;
                continue;
            }
            report.writes += 1;
            report.seen.extend(last);
            if report.writes > writes {
                break;
            }
        }
        Ok(report)
    }

    fn step(&self, action: &str) -> Result<Step> {
        Ok(Step {
            account: desired::Account { name: "owner".to_owned(), id: self.policy.account.id().parse()? },
            action: self.policy.action(&self.partner, action)?,
            records: Vec::new(),
            forgets: Vec::new(),
        })
    }

    /// When nobody else writes any more, one look is enough for ours to stand, beside all that they have.
    pub(crate) async fn settles(&self, theirs: &BTreeSet<String>) -> Result<()> {
        let _ = self.aws.apply(&self.step(self.policy.actions()[0])?, &Nowhere, None).await?;
        let document = self.policy.read().await?;
        let missing: Vec<&String> =
            theirs.iter().chain([&self.policy.sid]).filter(|sid| !has_sid(&document, sid)).collect();
        ensure!(missing.is_empty(), "{missing:?} should stand: {document:#}");
        Ok(())
    }
}

/// The operator keeps what it replaces in Kubernetes, which takes some milliseconds.
struct Nowhere;

impl Keeper for Nowhere {
    fn keep<'a>(&'a self, _key: &'a KeyArn, _document: &'a str) -> BoxFuture<'a, Result<(), KeepError>> {
        tokio::time::sleep(Duration::from_millis(10)).map(Ok).boxed()
    }
}

struct Unobserved;

impl CallObserver for Unobserved {
    fn observed(&self, _: &AccountId, _: &'static str, _: &'static str, _: &'static str, _: Duration) {}
}

struct NoTokens;

impl TokenSource for NoTokens {
    fn token<'a>(&'a self, _audience: &'a str) -> BoxFuture<'a, Result<SecretString, TokenError>> {
        async { Err(anyhow!("nobody asks for one").into()) }.boxed()
    }
}
