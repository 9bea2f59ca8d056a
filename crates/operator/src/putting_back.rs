//! An administrator asks for a kept key policy, and gets it or hears why not. See [`crate::history`].

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt as _,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt as _,
        reflector::ObjectRef,
        watcher::{self, watcher},
    },
};
use sharedkey_aws::{ApplyError, Outcome};
use sharedkey_engine::{
    accounts::account_id,
    desired::Account,
    history::{Entry, History},
    names::ObjectName,
    plan::{Action, Step},
};
use tokio_util::sync::CancellationToken;

use crate::{
    context::Context,
    history::{KeptFor, PUT_BACK, parse},
    waking,
};

/// Serves requests until the operator stops. Only who may write `ConfigMap`s in the operator's namespace can ask.
pub(crate) async fn run(context: &Context, stop: &CancellationToken) {
    let api: Api<ConfigMap> = Api::namespaced(context.client.clone(), &context.args.operator_namespace);
    let config = watcher::Config::default().labels(&context.histories.selector());
    let metadata: Api<PartialObjectMeta<ConfigMap>> =
        Api::namespaced(context.client.clone(), &context.args.operator_namespace);
    let requests = watcher(metadata, config).default_backoff().applied_objects();
    let served = requests.for_each(async |changed| {
        if let Ok(config_map) = changed {
            serve(context, &api, &config_map).await;
        }
    });
    tokio::select! {
        () = served => {}
        () = stop.cancelled() => {}
    }
}

async fn serve(context: &Context, api: &Api<ConfigMap>, asked: &PartialObjectMeta<ConfigMap>) {
    let name = asked.name_any();
    let Some(wanted) = asked.annotations().get(PUT_BACK) else { return };
    let answer = match put_back(context, api, &name, wanted).await {
        Ok(true) => format!("{wanted}: the statements of others are back"),
        Ok(false) => format!("{wanted}: nothing to do, the key policy says the same"),
        Err(error) => format!("{wanted}: nothing was written: {error:#}"),
    };
    tracing::info!(config_map = name, answer, "a key policy was asked for");
    if let Err(error) = context.histories.answer(&name, &answer).await {
        tracing::warn!(config_map = name, %error, "the answer could not be written");
    }
}

async fn put_back(context: &Context, api: &Api<ConfigMap>, name: &str, wanted: &str) -> anyhow::Result<bool> {
    let history = parse(&api.get(name).await?).map_err(anyhow::Error::from_boxed)?;
    let Some(entry) = history.at(wanted) else {
        let known: Vec<&str> = history.entries.iter().map(|entry| entry.replaced_at.as_str()).collect();
        anyhow::bail!("no document was replaced at that time; known are {}", known.join(", "));
    };
    let outcome = write(context, &history, entry).await?;
    if let Some(account) = context.accounts.get(&ObjectRef::new(&history.account_ref)) {
        waking::users_of(&account, context);
    }
    Ok(outcome.changed)
}

async fn write(context: &Context, history: &History, entry: &Entry) -> anyhow::Result<Outcome> {
    let spec = context.all_accounts().0.remove(&history.account_ref);
    let id = spec.as_ref().and_then(account_id);
    let Some(id) = id.filter(|id| id == history.key.account()) else {
        anyhow::bail!("AwsAccount {:?}, the way to {}, is gone", history.account_ref, history.key);
    };
    if context.all_accounts().mode(history.key.partition(), &id) == sharedkey_api::Mode::Observe {
        anyhow::bail!("the mode of account {id} is Observe");
    }
    let step = Step {
        account: Account { name: history.account_ref.clone(), id },
        action: Action::PutBackKeyPolicy {
            key: history.key.clone(),
            owner: context.args.owner_id.clone(),
            entry: entry.clone(),
        },
        records: Vec::new(),
        forgets: Vec::new(),
    };
    let administrator = ObjectName { namespace: context.args.operator_namespace.clone(), name: "put-back".to_owned() };
    let keeper = KeptFor { histories: &context.histories, object: &administrator, account_ref: &history.account_ref };
    context.aws.apply(&step, &keeper, None).await.map_err(|error| match error {
        ApplyError::Failed(failure) => anyhow::anyhow!("{failure}"),
        ApplyError::Refused(refusal) => anyhow::anyhow!("{refusal}"),
    })
}
