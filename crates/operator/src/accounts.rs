//! One reconcile of an `AwsAccount`: read the way in, try it, say who it leads to, and wake the objects that use it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::FutureExt as _;
use kube::{Api, Resource as _, ResourceExt as _, runtime::controller::Action};
use sharedkey_api::{AwsAccount, AwsAccountStatus, Identity, Quotas, conditions::ConditionType};
use sharedkey_engine::{
    accounts as engine_accounts,
    desired::Account,
    names::ObjectName,
    problem::{Class, Failure},
    summarise::{self, AccountCourse, Notice, Reached, Trouble, condition, failure_reason},
};
use tokio::time::{Instant, timeout};

use crate::{
    access::{self, NoAccess},
    context::{Context, now},
    looks::INTERVAL,
    objects::Objects,
    patch,
    reconcile::{Error, LONGEST},
    served::{Id, Named, Served},
    waking,
};

/// Time between two looks at whether an account that is being deleted still has users.
const LEAVING: Duration = Duration::from_secs(10);

/// Reconciles one account.
pub(crate) async fn reconcile(account: Arc<AwsAccount>, context: Arc<Context>) -> Result<Action, Error> {
    context.known().await;
    let started = Instant::now();
    let result = timeout(LONGEST, carry_out(&account, &context).boxed()).await.unwrap_or(Err(Error::Timeout));
    context.metrics.reconciled("AwsAccount", if result.is_ok() { "ok" } else { "error" }, started.elapsed());
    result
}

/// What follows a reconcile that could not end.
#[expect(clippy::needless_pass_by_value, reason = "the controller hands these over")]
pub(crate) fn after_error(account: Arc<AwsAccount>, error: &Error, context: Arc<Context>) -> Action {
    tracing::warn!(account.name = account.name_any(), %error, "a reconcile did not end");
    Action::requeue(context.backoffs.wait(&account.name_any(), Class::Transient))
}

async fn carry_out(account: &AwsAccount, context: &Context) -> Result<Action, Error> {
    let name = account.name_any();
    let api: Api<AwsAccount> = Api::all(context.client.clone());
    let users = users(account, context).await;
    if account.meta().deletion_timestamp.is_some() && users.is_empty() {
        context.aws.remove_account(&name);
        context.looks.forget(&name);
        if patch::has_finalizer(account) {
            patch::finalizer(&api, account, false).await?;
        }
        return Ok(Action::await_change());
    }
    if account.meta().deletion_timestamp.is_none() && patch::has_finalizer(account) == users.is_empty() {
        patch::finalizer(&api, account, !users.is_empty()).await?;
        return Ok(Action::requeue(Duration::ZERO));
    }
    let looked = match context.looks.recent(account) {
        Some(reached) => Ok(reached),
        None => look(account, context).await,
    };
    let status = status(account, &looked, &users);
    if account.status.as_ref() != Some(&status) {
        patch::status(&api, account, &status).await?;
        context.metrics.status_written("AwsAccount");
        tell(account, &status, context).await;
    }
    let again = again(account, context, looked.as_ref().err());
    Ok(if account.meta().deletion_timestamp.is_some() { Action::requeue(LEAVING) } else { again })
}

/// Registers the way into an account. Nothing is asked of AWS.
pub(crate) async fn register(account: &AwsAccount, context: &Context) -> Result<(), NoAccess> {
    let name = account.name_any();
    match access::access(&context.client, &context.args, &account.spec).await {
        Ok(access) => {
            context.aws.set_account(&name, access);
            Ok(())
        }
        Err(error) => {
            // Credentials that were valid a moment ago are not, or not surely: nothing may go on with them.
            if !error.transient {
                context.aws.remove_account(&name);
            }
            Err(error)
        }
    }
}

/// Registers the ways into all accounts.
pub(crate) async fn register_all(context: &Context) {
    for account in context.accounts.all() {
        if let Err(error) = register(&account, context).await {
            tracing::warn!(account.name = account.name_any(), %error, "an account gives no way into AWS");
        }
    }
}

fn no_access(error: &NoAccess) -> Trouble {
    let class = if error.transient { Class::Transient } else { Class::UserActionNeeded };
    Trouble { reason: error.reason, message: error.to_string(), class }
}

fn failed(failure: &Failure) -> Trouble {
    Trouble { reason: failure_reason(failure), message: failure.to_string(), class: failure.class }
}

async fn look(account: &AwsAccount, context: &Context) -> Result<Reached, Trouble> {
    register(account, context).await.map_err(|error| no_access(&error))?;
    let way = way(account).ok_or_else(|| no_access(&NoAccess::invalid("accountId")))?;
    let caller = context.aws.identity(&way).await.map_err(|failure| failed(&failure))?;
    let identity = Identity { account: caller.account.to_string(), arn: caller.arn, user_id: caller.user_id };
    // Quotas are good to know and nothing depends on them here, so an account without that right is still ready.
    let quotas = context.aws.account_summary(&way).await.ok().map(|summary| quotas(&summary));
    let reached = Reached { identity, quotas };
    context.looks.took(account, reached.clone());
    Ok(reached)
}

fn way(account: &AwsAccount) -> Option<Account> {
    Some(Account { name: account.name_any(), id: engine_accounts::account_id(&account.spec)? })
}

fn quotas(summary: &BTreeMap<String, i64>) -> Quotas {
    let value = |key: &str| summary.get(key).copied();
    Quotas {
        role_policy_size: value("RolePolicySizeQuota"),
        user_policy_size: value("UserPolicySizeQuota"),
        policy_size: value("PolicySizeQuota"),
        attached_policies_per_role: value("AttachedPoliciesPerRoleQuota"),
        attached_policies_per_user: value("AttachedPoliciesPerUserQuota"),
        versions_per_policy: value("VersionsPerPolicyQuota"),
        policies: value("PoliciesQuota"),
        policies_in_use: value("Policies"),
    }
}

/// The objects that name the account and may use it, or that have written something through it.
async fn users(account: &AwsAccount, context: &Context) -> BTreeSet<Id> {
    let name = account.name_any();
    let mut users = context.ledger.users_of(&name).await;
    users.extend(naming(account, &context.keys, context));
    users.extend(naming(account, &context.secrets, context));
    users
}

fn naming<K: Served>(account: &AwsAccount, objects: &Objects<K>, context: &Context) -> Vec<Id> {
    let mut naming = objects.names_naming(&Named::Account(account.name_any()));
    // They come by namespace, and each is judged once.
    let mut judged: Option<(String, bool)> = None;
    naming.retain(|ObjectName { namespace, .. }| match &judged {
        Some((same, is_open)) if same == namespace => *is_open,
        _ => judged.insert((namespace.clone(), waking::is_open_to(account, namespace, context))).1,
    });
    naming.into_iter().map(|name| Id { kind: K::KIND, name }).collect()
}

fn status(account: &AwsAccount, looked: &Result<Reached, Trouble>, users: &BTreeSet<Id>) -> AwsAccountStatus {
    summarise::account(&AccountCourse {
        generation: account.meta().generation,
        now: &now(),
        previous: account.status.as_ref(),
        users: users.len(),
        deleting: account.meta().deletion_timestamp.is_some(),
        reached: looked.as_ref(),
    })
}

/// Events and the users of an account hear of it when it becomes ready, or stops to be.
async fn tell(account: &AwsAccount, status: &AwsAccountStatus, context: &Context) {
    let before = account.status.as_ref().and_then(|status| condition(&status.conditions, ConditionType::Ready));
    let Some(ready) = condition(&status.conditions, ConditionType::Ready) else { return };
    let changed = before.is_none_or(|before| before.status != ready.status || before.reason != ready.reason);
    if !changed {
        return;
    }
    let notice = Notice { warning: ready.status == "False", reason: ready.reason.clone(), note: ready.message.clone() };
    context.events.publish(account, &[notice]).await;
    waking::users_of(account, context);
}

fn again(account: &AwsAccount, context: &Context, trouble: Option<&Trouble>) -> Action {
    let name = account.name_any();
    match trouble {
        None => {
            context.backoffs.calm(&name);
            Action::requeue(context.looks.next(&name))
        }
        Some(trouble) => Action::requeue(context.backoffs.wait(&name, trouble.class).min(INTERVAL)),
    }
}
