//! One reconcile of an ExternalSecret: resolve → observe → compare → plan → apply → summarise.

use std::{sync::Arc, time::Duration};

use kube::{ResourceExt as _, runtime::reflector::ObjectRef};
use sharedkey_api::{ExternalSecret, ExternalSecretStatus, Mode, SharedKey, conditions::Reason};
use sharedkey_engine::{
    compare::Finding,
    ledger::Record,
    names::Names,
    plan::{Blocker, Plan},
    problem::{Class, Failure, Trouble},
    resolve::Refusal,
    secret::{
        compare::{SecretComparison, compare},
        denied,
        desired::DesiredSecret,
        observed::{Described, ObservedSecret},
        plan::{SecretPlan, TargetStep, plan},
        resolve::{Input, Referenced, resolve},
        revoke,
        summarise::{SecretCourse, summarise},
        versions_due,
    },
    summarise::{self, Notice, Summary},
};

use super::pair::{Pair, Source};
use crate::{
    context::{Context, now},
    reconcile::{Error, freshness, told},
    served::{Id, Served as _},
    steps::{Done, Run, undone},
    waking,
};

/// A secret has to exist, and must not be on its way out, before anything else can be written of it: so a plan may only clear the way
/// for the next one. More of them in a row would be somebody else who takes away what we write.
const ROUNDS: usize = 3;

/// Makes AWS and the target what the spec asks, or says how they differ.
pub(super) async fn keep(object: &ExternalSecret, context: &Context) -> Result<Summary<ExternalSecretStatus>, Error> {
    let mut run = Run::new(context, object.id()).await;
    let now = now();
    let told = told(object, &now);
    let desired = match desired(object, context, &run.id, &run.record).await {
        Ok(desired) => desired,
        Err(refusal) => return refused(object, run, &told, refusal).await,
    };
    run.record.keep_principals(|principal| desired.asks_for(principal));
    run.save().await?;
    let pair = Pair::of(object, context);
    let Source { reading, value } = pair.source().await?;
    run.value = value;
    let mut observed = observe(&run, &desired, freshness(object, context)).await;
    (observed.source, observed.target) = (reading, pair.target().await?);
    let keeping = Keeping { run, desired: &desired, pair: &pair, done: Done::default(), target: None };
    let went = keeping.carry_out(observed).await?;
    let mut summary = summarise(&told, &went.of(&desired));
    summary.notices.extend(went.notices);
    Ok(summary)
}

async fn desired(
    object: &ExternalSecret,
    context: &Context,
    id: &Id,
    record: &Record,
) -> Result<DesiredSecret, Refusal> {
    let keys = shared_keys(object, context).await;
    let referenced = keys.iter().map(|(key, record)| {
        let referenced =
            Referenced { spec: &key.spec, status: key.status.as_ref(), record, deleting: key.is_leaving() };
        (key.name_any(), referenced)
    });
    let account = context.accounts.get(&ObjectRef::new(&object.spec.account_ref.name));
    let identity = account.as_ref().and_then(|account| account.status.as_ref()?.identity.as_ref());
    let desired = resolve(&Input {
        object: &id.name,
        spec: &object.spec,
        annotations: object.annotations(),
        namespace_labels: &context.namespace_labels(&id.name.namespace),
        accounts: &context.all_accounts(),
        leaving: &context.leaving_accounts(),
        record,
        owner_id: &context.args.owner_id,
        shared_keys: &referenced.collect(),
        identity: identity.map(|identity| identity.arn.as_str()),
    })?;
    let quotas = context.quotas(desired.readers.iter().filter_map(|reader| reader.reach.as_ref()));
    Ok(DesiredSecret { quotas, ..desired })
}

/// The SharedKeys that the object names, with what they have written.
async fn shared_keys(object: &ExternalSecret, context: &Context) -> Vec<(Arc<SharedKey>, Record)> {
    let mut keys = Vec::new();
    for key in waking::keys_of(object, context) {
        let record = context.ledger.get(&key.id()).await;
        keys.push((key, record));
    }
    keys
}

/// Nothing is given to an object that is refused, and what left its spec is taken back all the same.
async fn refused(
    object: &ExternalSecret,
    mut run: Run<'_>,
    told: &summarise::Context<'_, ExternalSecretStatus>,
    mut refusal: Refusal,
) -> Result<Summary<ExternalSecretStatus>, Error> {
    let named: Vec<&str> = object.spec.readers.iter().map(|reader| reader.name.as_str()).collect();
    let names = Names::of_secret(run.context.args.owner_id.clone(), run.id.name.clone());
    let steps = revoke::departed(&run.record, &named, &names);
    let notices = run.take_back(object.spec.mode, &steps, &mut refusal).await?;
    let mut summary = summarise::refused(told, &refusal);
    summary.notices.extend(notices);
    Ok(summary)
}

async fn observe(run: &Run<'_>, desired: &DesiredSecret, freshness: Duration) -> ObservedSecret {
    let due = |described: &Described| versions_due(desired, described, &run.record);
    run.context.aws.observe_secret(desired, &run.record, due, freshness).await
}

/// One object on its way through plan and apply.
struct Keeping<'a> {
    run: Run<'a>,
    desired: &'a DesiredSecret,
    pair: &'a Pair<'a>,
    done: Done,
    /// Why the target could not be written.
    target: Option<Trouble>,
}

/// How it went, as far as the summary is concerned.
struct Went {
    observed: ObservedSecret,
    comparison: SecretComparison,
    blockers: Vec<Blocker>,
    failures: Vec<Failure>,
    target: Option<Trouble>,
    notices: Vec<Notice>,
    before: Vec<Finding>,
}

impl Went {
    fn of<'a>(&'a self, desired: &'a DesiredSecret) -> SecretCourse<'a> {
        SecretCourse {
            desired,
            observed: &self.observed,
            comparison: &self.comparison,
            blockers: &self.blockers,
            failures: &self.failures,
            target: self.target.as_ref(),
            before: &self.before,
        }
    }
}

impl Keeping<'_> {
    /// Plans and carries out until nothing is left to be done, and looks at what came of it.
    async fn carry_out(mut self, mut observed: ObservedSecret) -> Result<Went, Error> {
        let mut comparison = compare(self.desired, &observed, &self.run.record);
        let before = comparison.findings.clone();
        let (mut blockers, mut acted) = (Vec::new(), false);
        for _ in 0..ROUNDS {
            let mut plan = plan(self.desired, &observed, &self.run.record, &comparison, self.run.context.clock());
            self.note(&mut plan).await?;
            blockers = std::mem::take(&mut plan.plan.blockers);
            self.done.undone.extend(undone(&comparison.findings));
            let more = plan.more;
            if !self.act(plan).await? {
                break;
            }
            acted = true;
            observed = self.observe_anew(observed).await?;
            comparison = compare(self.desired, &observed, &self.run.record);
            if !more || self.has_failed() {
                break;
            }
        }
        let Self { done: Done { mut failures, blockers: refusals, notices, .. }, target, .. } = self;
        blockers.extend(refusals);
        blockers.extend(failures.iter().filter_map(|failure| denied(self.desired, &observed, failure)));
        failures.retain(|failure| !failure.is_of_key());
        let before = if acted { before } else { Vec::new() };
        Ok(Went { observed, comparison, blockers, failures, target, notices, before })
    }

    /// Writes down what a plan knows without a write.
    async fn note(&mut self, plan: &mut SecretPlan) -> Result<(), Error> {
        plan.plan.adopts.drain(..).for_each(|target| self.run.record.confirm(target));
        plan.forgets.iter().for_each(|resource| self.run.record.forget(resource));
        self.run.record.versions.clone_from(&plan.versions);
        self.run.save().await
    }

    /// Carries out one plan, and says whether that was anything.
    async fn act(&mut self, plan: SecretPlan) -> Result<bool, Error> {
        let SecretPlan { plan: Plan { steps, retreat, .. }, target, .. } = plan;
        let acts = !steps.is_empty() || target.is_some();
        self.run.steps(&steps, &mut self.done).await?;
        self.run.retreat(retreat, &mut self.done).await?;
        // The ledger knows one target at a time, so the one before goes first.
        if self.desired.mode == Mode::Enforce {
            self.target = self.pair.tidy(&mut self.run).await?;
        }
        if let Some(step) = target.filter(|_| self.target.is_none()) {
            self.write_target(&step).await?;
        }
        Ok(acts)
    }

    /// Reads the current value and writes it to the target.
    async fn write_target(&mut self, TargetStep { secret }: &TargetStep) -> Result<(), Error> {
        self.target = match self.run.context.aws.secret_value(&self.desired.account, secret, None).await {
            Ok(Some((version, value))) => self.pair.write(&mut self.run, &version, &value).await?,
            Ok(None) => {
                let message = format!("{secret} has no value yet");
                Some(Trouble { reason: Reason::ValueMissing, message, class: Class::UserActionNeeded })
            }
            Err(failure) => {
                self.done.failures.push(failure);
                None
            }
        };
        Ok(())
    }

    /// What came of it. The source is the one that was pushed, so that it is told of one value throughout.
    async fn observe_anew(&self, before: ObservedSecret) -> Result<ObservedSecret, Error> {
        let mut observed = observe(&self.run, self.desired, Duration::ZERO).await;
        (observed.source, observed.target) = (before.source, self.pair.target().await?);
        Ok(observed)
    }

    fn has_failed(&self) -> bool {
        !self.done.failures.is_empty() || !self.done.blockers.is_empty()
    }
}
