//! What objects of either kind have told in the storm.

use std::{collections::BTreeMap, fmt::Debug};

use anyhow::{Result, ensure};
use sharedkey_e2e::{History, is};
use sharedkey_engine::summarise::Status;

/// Statuses that were written.
pub(crate) struct Told {
    /// Of all objects.
    pub(crate) writes: usize,
    /// Of the object that has the most.
    pub(crate) most: usize,
}

/// How many objects were ready at some time.
pub(crate) fn ready_once<S>(histories: impl Iterator<Item = History<S>>) -> usize
where
    S: Status + PartialEq + Debug + Send + 'static,
{
    let ready = |statuses: &Vec<S>| statuses.iter().any(|status| is(status, "Ready", "True"));
    histories.flat_map(|history| history.by_object().into_values()).filter(ready).count()
}

/// The most statuses that a storm gives reason for: two for each transition, which is a change of any condition's status or reason.
pub(crate) fn most_in_the_storm<S: Status>(statuses: &[S]) -> usize {
    let changes = statuses.windows(2).filter(|pair| conditions(&pair[0]) != conditions(&pair[1]));
    2 * (1 + changes.count())
}

/// How many statuses were written of each object since it had so many. None has more than `most` allows for them.
pub(crate) fn told<S>(
    histories: impl Iterator<Item = (History<S>, BTreeMap<String, usize>)>,
    most: impl Fn(&[S]) -> usize,
) -> Result<Told>
where
    S: Status + PartialEq + Debug + Send + 'static,
{
    let mut told = Told { writes: 0, most: 0 };
    for (history, known) in histories {
        for (name, statuses) in history.by_object() {
            let new = &statuses[known.get(&name).copied().unwrap_or_default()..];
            let (most, conditions): (_, Vec<_>) = (most(new), new.iter().map(conditions).collect());
            ensure!(new.len() <= most, "{name}: {} writes instead of {most} at most: {conditions:#?}", new.len());
            told = Told { writes: told.writes + new.len(), most: told.most.max(new.len()) };
        }
    }
    Ok(told)
}

fn conditions(status: &impl Status) -> Vec<(&str, &str, &str)> {
    let conditions = status.conditions().iter();
    conditions.map(|condition| (&*condition.type_, &*condition.status, &*condition.reason)).collect()
}
