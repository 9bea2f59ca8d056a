//! What a user sees of an object: conditions, events, and that it was looked at.

use anyhow::{Context, Result, ensure};
use k8s_openapi::{
    api::events::v1::Event,
    apimachinery::pkg::apis::meta::v1::{Condition, MicroTime},
    jiff::Timestamp,
};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;
use sharedkey_api::{RECONCILE_REQUESTED_AT, SharedKey, SharedKeyStatus, conditions::Reason};
use sharedkey_engine::summarise::Status;

use crate::{Stage, is};

/// A condition.
pub fn condition<'a>(status: &'a impl Status, type_: &str) -> Option<&'a Condition> {
    status.conditions().iter().find(|condition| condition.type_ == type_)
}

/// Whether a condition has a status and a reason.
pub fn is_for(status: &impl Status, type_: &str, value: &str, reason: Reason) -> bool {
    is(status, type_, value) && condition(status, type_).is_some_and(|condition| condition.reason == reason.as_ref())
}

/// A text says all of it.
pub fn says(text: &str, parts: &[&str]) -> Result<()> {
    let missing: Vec<_> = parts.iter().filter(|part| !text.contains(**part)).collect();
    ensure!(missing.is_empty(), "{text:?} should say {missing:?}");
    Ok(())
}

impl Stage {
    /// Waits until an object stands still because of something that a person has to change, and returns what it says to that
    /// person.
    pub async fn stalled(&self, name: &str, reason: Reason) -> Result<String> {
        let what = format!("Ready=False and Stalled=True, {reason}");
        let key = self
            .wait(name, &what, |status| {
                is_for(status, "Ready", "False", reason) && is_for(status, "Stalled", "True", reason)
            })
            .await?;
        Ok(message(&key, "Ready"))
    }

    /// Waits until a condition has a status and a reason, and returns its message.
    pub async fn says(&self, name: &str, type_: &str, value: &str, reason: Reason) -> Result<String> {
        let what = format!("{type_}={value}, {reason}");
        let key = self.wait(name, &what, |status| is_for(status, type_, value, reason)).await?;
        Ok(message(&key, type_))
    }

    /// Asks for a look at an object, as `kubectl annotate` does, and waits until it was taken.
    pub async fn look(&self, name: &str) -> Result<SharedKey> {
        let token = Timestamp::now().to_string();
        self.annotate(name, RECONCILE_REQUESTED_AT, &token).await?;
        let handled = |status: &SharedKeyStatus| status.last_handled_reconcile_at.as_deref() == Some(&token);
        self.wait(name, "the requested look was taken", handled).await
    }

    /// Annotates an object.
    pub async fn annotate(&self, name: &str, annotation: &str, value: &str) -> Result<()> {
        self.patch(name, json!({"metadata": {"annotations": {annotation: value}}})).await
    }

    /// Changes an object.
    pub async fn patch(&self, name: &str, change: serde_json::Value) -> Result<()> {
        self.keys().patch(name, &PatchParams::default(), &Patch::Merge(change)).await?;
        Ok(())
    }

    /// The object as it is, with a status.
    pub async fn status(&self, name: &str) -> Result<SharedKeyStatus> {
        self.keys().get(name).await?.status.with_context(|| format!("SharedKey {name} has no status"))
    }

    /// The events of an object, oldest first. An event that was told again is in the list as often as it was told.
    pub async fn events(&self, name: &str) -> Result<Vec<Event>> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let about = |event: &Event| event.regarding.as_ref().is_some_and(|object| object.name.as_deref() == Some(name));
        let mut events: Vec<Event> = api.list(&ListParams::default()).await?.items;
        events.retain(about);
        events.sort_by_key(|event| event.event_time.clone().map(|MicroTime(time)| time));
        let times =
            |event: &Event| event.series.as_ref().map_or(1, |series| usize::try_from(series.count).unwrap_or(1));
        Ok(events.into_iter().flat_map(|event| std::iter::repeat_n(event.clone(), times(&event))).collect())
    }
}

fn message(key: &SharedKey, type_: &str) -> String {
    let condition = key.status.as_ref().and_then(|status| condition(status, type_));
    condition.map(|condition| condition.message.clone()).unwrap_or_default()
}
