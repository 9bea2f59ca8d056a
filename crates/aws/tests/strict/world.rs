//! One strict AWS for all tests, and in it, for each test, accounts of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use secrecy::SecretString;
use serde_json::{Value, json};
use sharedkey_api::{DeletionPolicy, Mode};
use sharedkey_aws::{
    Access, Aws, CallObserver, Endpoints, KeepError, Keeper, Method, Options, Rates, Timeouts, TokenError, TokenSource,
};
use sharedkey_engine::{
    desired::{self, Conditions, Delegation, Desired, DesiredConsumer, DesiredKey, KeySource, Trust},
    ledger::Record,
    names::{Names, ObjectName, OwnerId},
    observed::Observed,
    plan::{Action, Step},
};
use sharedkey_harness::{
    StrictAws,
    aws::{Account, Calls, Identity, Key},
};
use sharedkey_policy::{AccountId, EntityArn, KeyArn};
use tokio::sync::OnceCell;

/// The strict AWS of all tests. Its lists have two items a page.
pub(crate) async fn strict() -> &'static StrictAws {
    static STRICT: OnceCell<StrictAws> = OnceCell::const_new();
    STRICT.get_or_init(|| async { StrictAws::start_with(&["--small-pages"]).await.unwrap() }).await
}

/// An account, and in it somebody who may do all that IAM can give.
pub(crate) struct Tenant {
    pub(crate) account: Account,
    pub(crate) operator: Identity,
    pub(crate) operator_arn: String,
    url: String,
}

impl Tenant {
    pub(crate) async fn new(partition: &str) -> Self {
        let aws = strict().await;
        let account = aws.account(partition).await.unwrap();
        let operator_arn = account.create_user("/", "operator").await.unwrap();
        account.put_user_policy("operator", "everything", &allow("*", "*")).await.unwrap();
        let operator = account.as_user("operator").await.unwrap();
        Self { account, operator, operator_arn, url: aws.url().to_owned() }
    }

    pub(crate) fn id(&self) -> AccountId {
        self.account.id().parse().unwrap()
    }

    /// The way in by the operator's keys.
    pub(crate) fn access(&self) -> Access {
        self.access_as(&self.operator)
    }

    /// The way in by somebody's keys.
    pub(crate) fn access_as(&self, who: &Identity) -> Access {
        let credentials = who.credentials();
        self.access_by(Method::Static {
            access_key_id: credentials.access_key_id.clone(),
            secret_access_key: credentials.secret_access_key.clone().into(),
            session_token: None,
        })
    }

    pub(crate) fn access_by(&self, method: Method) -> Access {
        let url = Some(self.url.clone());
        Access {
            account_id: self.id(),
            partition: self.account.partition().parse().unwrap(),
            default_region: self.account.root().region().parse().unwrap(),
            method,
            endpoints: Endpoints { kms: url.clone(), iam: url.clone(), sts: url.clone(), secrets_manager: url },
        }
    }

    /// The account, as a step or an object names it.
    pub(crate) fn reach(&self, name: &str) -> desired::Account {
        desired::Account { name: name.to_owned(), id: self.id() }
    }

    /// How often the operator made each call: `kms:GetKeyPolicy` → 1.
    pub(crate) async fn calls(&self) -> BTreeMap<String, u64> {
        let mut calls = BTreeMap::new();
        for count in strict().await.counts(&self.operators_calls()).await.unwrap() {
            *calls.entry(format!("{}:{}", count.service, count.operation)).or_default() += count.count;
        }
        calls
    }

    /// Counting starts anew.
    pub(crate) async fn forget_calls(&self) {
        strict().await.forget(&self.operators_calls()).await.unwrap();
    }

    fn operators_calls(&self) -> Calls {
        Calls::all().principal(&self.operator_arn)
    }
}

/// Calls, as [`Tenant::calls`] counts them.
pub(crate) fn calls<const N: usize>(expected: [(&str, u64); N]) -> BTreeMap<String, u64> {
    expected.map(|(call, count)| (call.to_owned(), count)).into()
}

/// A policy that allows an action on a resource.
pub(crate) fn allow(action: &str, resource: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]})
}

/// The shell under test, with what it told of its calls.
pub(crate) struct Shell {
    pub(crate) aws: Arc<Aws>,
    pub(crate) seen: Arc<Seen>,
    pub(crate) kept: Kept,
}

/// The key policies that were handed over before they were replaced.
#[derive(Default)]
pub(crate) struct Kept(pub(crate) Mutex<Vec<String>>);

impl Keeper for Kept {
    fn keep<'a>(&'a self, _key: &'a KeyArn, document: &'a str) -> BoxFuture<'a, Result<(), KeepError>> {
        self.0.lock().unwrap().push(document.to_owned());
        async { Ok(()) }.boxed()
    }
}

/// What the shell told of its calls.
#[derive(Default)]
pub(crate) struct Seen(Mutex<Vec<(String, &'static str)>>);

impl Seen {
    /// Results of an operation, in order.
    pub(crate) fn of(&self, operation: &str) -> Vec<&'static str> {
        let seen = self.0.lock().unwrap();
        seen.iter().filter(|(made, _)| made == operation).map(|(_, result)| *result).collect()
    }
}

impl CallObserver for Seen {
    fn observed(
        &self,
        _account: &AccountId,
        service: &'static str,
        operation: &'static str,
        result: &'static str,
        _duration: Duration,
    ) {
        self.0.lock().unwrap().push((format!("{service}:{operation}"), result));
    }
}

struct NoTokens;

impl TokenSource for NoTokens {
    fn token<'a>(&'a self, _audience: &'a str) -> BoxFuture<'a, Result<SecretString, TokenError>> {
        async { Err("this test has no tokens".into()) }.boxed()
    }
}

impl Shell {
    pub(crate) fn new() -> Self {
        Self::with_tokens(Arc::new(NoTokens))
    }

    pub(crate) fn with_tokens(tokens: Arc<dyn TokenSource>) -> Self {
        Self::with(Timeouts::default(), tokens)
    }

    pub(crate) fn impatient(attempt: Duration) -> Self {
        Self::with(Timeouts { read: attempt, attempt, ..Timeouts::default() }, Arc::new(NoTokens))
    }

    fn with(timeouts: Timeouts, tokens: Arc<dyn TokenSource>) -> Self {
        let fast = NonZeroU32::new(1000).unwrap();
        let rates = Rates { iam_reads_per_second: fast, iam_writes_per_second: fast };
        let seen = Arc::new(Seen::default());
        let aws = Aws::new(Options { rates, timeouts, ..Options::default() }, Arc::clone(&seen) as _, tokens);
        Self { aws: Arc::new(aws), seen, kept: Kept::default() }
    }

    pub(crate) async fn apply(&self, account: desired::Account, action: Action) -> Result<bool, String> {
        let step = Step { account, action, records: Vec::new(), forgets: Vec::new() };
        self.aws.apply(&step, &self.kept, None).await.map(|outcome| outcome.changed).map_err(|error| error.to_string())
    }
}

/// A key of an owner, shared with a partner whose role exists, and a shell that reaches both.
pub(crate) struct Sharing {
    pub(crate) owner: Tenant,
    pub(crate) partner: Tenant,
    pub(crate) key: Key,
    pub(crate) role: EntityArn,
    pub(crate) shell: Shell,
    pub(crate) desired: Desired,
}

impl Sharing {
    pub(crate) async fn new() -> Self {
        Self::with(Shell::new()).await
    }

    pub(crate) async fn with(shell: Shell) -> Self {
        let (owner, partner) = futures::join!(Tenant::new("aws"), Tenant::new("aws"));
        let key = owner.account.create_key(None).await.unwrap();
        let role: EntityArn = partner.account.create_role("/team/", "app").await.unwrap().parse().unwrap();
        shell.aws.set_account("owner", owner.access());
        shell.aws.set_account("partner", partner.access());
        let source = KeySource::Key(key.arn.parse().unwrap());
        let consumer = consumer(&partner, vec![role.clone()]);
        let desired = desired_key(&owner, source, vec![consumer]);
        Self { owner, partner, key, role, shell, desired }
    }

    /// A reading that is not older than this call.
    pub(crate) async fn observe(&self) -> Observed {
        self.shell.aws.observe(&self.desired, &Record::default(), Duration::ZERO).await
    }
}

/// An object that shares a key of the owner.
pub(crate) fn desired_key(owner: &Tenant, source: KeySource, consumers: Vec<DesiredConsumer>) -> Desired {
    let object = ObjectName { namespace: "team".into(), name: "orders".into() };
    Desired {
        names: Names::new(owner_id(), object),
        key: DesiredKey {
            account: owner.reach("owner"),
            region: owner.account.root().region().parse().unwrap(),
            source,
        },
        consumers,
        mode: Mode::Enforce,
        deletion_policy: DeletionPolicy::Revoke,
        take_over: false,
        heal_recreated: false,
        prune_foreign_orphans: false,
        quotas: BTreeMap::new(),
        refused: BTreeMap::new(),
    }
}

pub(crate) fn owner_id() -> OwnerId {
    "tests".parse().unwrap()
}

/// A consumer that decrypts.
pub(crate) fn consumer(partner: &Tenant, principals: Vec<EntityArn>) -> DesiredConsumer {
    DesiredConsumer {
        name: "partner".into(),
        account: partner.id(),
        reach: Some(partner.reach("partner")),
        trust: Trust::Principals,
        principals,
        opened: vec!["*".into()],
        actions: BTreeSet::from(["kms:Decrypt".to_owned(), "kms:DescribeKey".to_owned()]),
        conditions: Conditions::default(),
        aws_service_grants: false,
        delegation: Delegation::InlinePolicy,
    }
}
