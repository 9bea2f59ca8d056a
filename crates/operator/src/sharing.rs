//! One reconcile of a SharedKey: resolve → observe → compare → plan → apply → summarise.

use std::{collections::BTreeMap, time::Duration};

use kube::ResourceExt as _;
use sharedkey_api::{Quotas, SharedKey};
use sharedkey_engine::{
    compare::{Comparison, Finding, compare},
    desired::{Desired, KeySource},
    ledger::Record,
    meanwhile::Meanwhile,
    observed::Observed,
    plan::{Plan, plan},
    problem::Failure,
    resolve::{Input, Refusal, resolve},
    revoke,
    summarise::{self, Course, Notice, Summary},
};

use crate::{
    context::{Context, now},
    reconcile::{Error, freshness, told},
    served::{Id, Served},
    steps::{Done, Run, undone},
};

/// Makes AWS what the spec asks, or says how it differs.
pub(crate) async fn share(object: &SharedKey, context: &Context) -> Result<Summary, Error> {
    let mut run = Run::new(context, object.id()).await;
    let now = now();
    let told = told(object, &now);
    let mut desired = match desired(object, context, &run.id, &run.record) {
        Ok(desired) => Desired { quotas: quotas(context, &desired), ..desired },
        Err(refusal) => return refused(object, run, &told, refusal).await,
    };
    let observed = context.aws.observe(&desired, &run.record, freshness(object, context)).await;
    pin(&mut run, &mut desired, &observed).await?;
    let comparison = compare(&desired, &observed, &run.record);
    tidy(&mut run, &desired).await?;
    let plan = plan(&desired, &observed, &run.record, &comparison, context.clock());
    let course = apply(&mut run, &desired, observed, comparison, plan).await?;
    let mut summary = summarise::summarise(&told, &course.of(&desired));
    summary.notices.extend(course.notices);
    Ok(summary)
}

/// Nothing is given to an object that is refused, and what left its spec is taken back all the same.
async fn refused(
    object: &SharedKey,
    mut run: Run<'_>,
    told: &summarise::Context<'_>,
    mut refusal: Refusal,
) -> Result<Summary, Error> {
    let named: Vec<&str> = object.spec.consumers.iter().map(|consumer| consumer.name.as_str()).collect();
    let prune = object.spec.prune_foreign_orphans;
    let steps = revoke::departed(&run.record, &named, &run.context.args.owner_id, prune);
    let notices = run.take_back(object.spec.mode, &steps, &mut refusal).await?;
    let mut summary = summarise::refused(told, &refusal);
    summary.notices.extend(notices);
    Ok(summary)
}

pub(crate) fn desired(object: &SharedKey, context: &Context, id: &Id, record: &Record) -> Result<Desired, Refusal> {
    resolve(&Input {
        object: &id.name,
        spec: &object.spec,
        annotations: object.annotations(),
        namespace_labels: &context.namespace_labels(&id.name.namespace),
        accounts: &context.all_accounts(),
        leaving: &context.leaving_accounts(),
        record,
        owner_id: &context.args.owner_id,
    })
}

/// What IAM allows in the accounts that an object delegates in, as far as it is known.
fn quotas(context: &Context, desired: &Desired) -> BTreeMap<String, Quotas> {
    context.quotas(desired.consumers.iter().filter_map(|consumer| consumer.reach.as_ref()))
}

/// How it went, as far as the summary is concerned.
struct Went {
    observed: Observed,
    comparison: Comparison,
    plan: Plan,
    failures: Vec<Failure>,
    /// What has to be told although the object's own status does not show it.
    notices: Vec<Notice>,
    before: Vec<Finding>,
    meanwhile: Meanwhile,
}

impl Went {
    fn of<'a>(&'a self, desired: &'a Desired) -> Course<'a> {
        Course {
            desired,
            observed: &self.observed,
            comparison: &self.comparison,
            blockers: &self.plan.blockers,
            failures: &self.failures,
            before: &self.before,
            meanwhile: &self.meanwhile,
        }
    }
}

/// Keeps what the alias means, before anything is written under it.
async fn pin(run: &mut Run<'_>, desired: &mut Desired, observed: &Observed) -> Result<(), Error> {
    let KeySource::Alias { alias, pinned } = &mut desired.key.source else { return Ok(()) };
    let Ok(Some(key)) = &observed.key.arn else { return Ok(()) };
    run.record.pin(alias.clone(), key.clone());
    *pinned = Some(key.clone());
    run.save().await
}

/// Forgets principals that the spec no longer names: added again, they are trusted anew.
async fn tidy(run: &mut Run<'_>, desired: &Desired) -> Result<(), Error> {
    run.record.keep_principals(|principal| desired.asks_for(principal));
    run.save().await
}

/// Carries out a plan and looks at what came of it.
async fn apply(
    run: &mut Run<'_>,
    desired: &Desired,
    observed: Observed,
    comparison: Comparison,
    mut plan: Plan,
) -> Result<Went, Error> {
    plan.adopts.drain(..).for_each(|target| run.record.confirm(target));
    if plan.steps.is_empty() {
        run.save().await?;
        return Ok(Went {
            observed,
            comparison,
            plan,
            failures: Vec::new(),
            notices: Vec::new(),
            before: Vec::new(),
            meanwhile: Meanwhile::default(),
        });
    }
    let mut done = Done { undone: undone(&comparison.findings), ..Done::default() };
    run.steps(&plan.steps, &mut done).await?;
    run.retreat(plan.retreat.take(), &mut done).await?;
    plan.blockers.append(&mut done.blockers);
    let after = run.context.aws.observe(desired, &run.record, Duration::ZERO).await;
    let compared = compare(desired, &after, &run.record);
    let Done { failures, notices, meanwhile, .. } = done;
    Ok(Went { observed: after, comparison: compared, plan, failures, notices, before: comparison.findings, meanwhile })
}
