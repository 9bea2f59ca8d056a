//! What the last look at each `AwsAccount` showed. A user more or less is no reason to ask AWS again.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kube::{Resource as _, ResourceExt as _};
use sharedkey_api::AwsAccount;
use sharedkey_engine::summarise::Reached;
use tokio::time::Instant;

/// Time between two looks at an account that is well.
pub(crate) const INTERVAL: Duration = Duration::from_mins(5);

/// The last looks, by the names of the accounts. Failures are not among them: they have a rhythm of their own.
#[derive(Debug, Default)]
pub(crate) struct Looks(Mutex<HashMap<String, Look>>);

#[derive(Debug)]
struct Look {
    spec: Spec,
    at: Instant,
    reached: Reached,
}

/// A spec that was looked at: of an account that was deleted and created again, another one.
type Spec = (Option<String>, Option<i64>);

fn spec(account: &AwsAccount) -> Spec {
    (account.uid(), account.meta().generation)
}

impl Looks {
    /// What was seen within the interval, if the spec is still the one that was looked at.
    pub(crate) fn recent(&self, account: &AwsAccount) -> Option<Reached> {
        let looks = self.looks();
        let look = looks.get(&account.name_any())?;
        let holds = look.spec == spec(account) && look.at.elapsed() < INTERVAL;
        holds.then(|| look.reached.clone())
    }

    /// Remembers a look that was just taken.
    pub(crate) fn took(&self, account: &AwsAccount, reached: Reached) {
        let look = Look { spec: spec(account), at: Instant::now(), reached };
        self.looks().insert(account.name_any(), look);
    }

    /// When the next one is due.
    pub(crate) fn next(&self, name: &str) -> Duration {
        self.looks().get(name).map_or(INTERVAL, |look| INTERVAL.saturating_sub(look.at.elapsed()))
    }

    /// Forgets an account that is gone.
    pub(crate) fn forget(&self, name: &str) {
        self.looks().remove(name);
    }

    fn looks(&self) -> MutexGuard<'_, HashMap<String, Look>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sharedkey_api::Identity;

    use super::*;

    fn account(uid: &str, generation: i64) -> AwsAccount {
        serde_json::from_value(json!({
            "apiVersion": "sharedkey.dev/v1alpha1", "kind": "AwsAccount",
            "metadata": {"name": "owner", "uid": uid, "generation": generation},
            "spec": {"accountId": "111122223333", "credentials": {"ambient": {}}},
        }))
        .unwrap()
    }

    fn reached() -> Reached {
        let identity = Identity { account: "111122223333".into(), arn: "arn".into(), user_id: "id".into() };
        Reached { identity, quotas: None }
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_holds_for_its_time_and_its_spec() {
        let looks = Looks::default();
        let looked_at = account("a", 1);
        assert_eq!((looks.recent(&looked_at), looks.next("owner")), (None, INTERVAL));
        looks.took(&looked_at, reached());
        tokio::time::advance(Duration::from_mins(4)).await;
        assert_eq!(looks.recent(&looked_at), Some(reached()));
        assert_eq!(looks.recent(&account("a", 2)), None);
        assert_eq!(looks.recent(&account("b", 1)), None);
        assert_eq!(looks.next("owner"), Duration::from_mins(1));
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(looks.recent(&looked_at), None);
    }
}
