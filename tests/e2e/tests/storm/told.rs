//! What objects of either kind have told in the storm.

use std::{collections::BTreeMap, fmt::Debug};

use anyhow::{Result, ensure};
use sharedkey_e2e::{History, is};
use sharedkey_engine::summarise::Status;

/// What an object goes through: it is being shared, it waits until AWS shows it, it is ready.
const PHASES: usize = 3;
/// Statuses that tell of failed calls, beside those: some of them more than once, as each half fails and recovers by itself.
const ERRORS: usize = 12;
/// Statuses of one object in a storm that lasts as long as usual.
const MOST: usize = 2 * PHASES + ERRORS;

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

/// The most statuses that a storm gives reason for: two for each time that an object became ready, or stopped to be for another reason.
/// The longer it lasts, the more often that happens.
pub(crate) fn most_in_the_storm<S: Status>(statuses: &[S]) -> usize {
    let ready = |status: &S| {
        let ready = status.conditions().iter().find(|condition| condition.type_ == "Ready");
        ready.map(|ready| (ready.status.clone(), ready.reason.clone()))
    };
    let transitions = statuses.iter().map(ready).collect::<Vec<_>>();
    let transitions = 1 + transitions.windows(2).filter(|pair| pair[0] != pair[1]).count();
    MOST.max(2 * transitions)
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
