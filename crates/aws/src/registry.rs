//! The accounts by the names of their `AwsAccount`s, and the chains between them.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use sharedkey_engine::{
    desired::Account,
    problem::{Class, Failure, Reading},
};

use sharedkey_policy::AccountId;

use crate::{access::Access, reach::Reach, session::Session, shared::Shared};

/// All accounts that can be reached.
pub(crate) struct Registry {
    shared: Arc<Shared>,
    entries: RwLock<BTreeMap<String, Entry>>,
}

struct Entry {
    access: Access,
    /// Made at its first use; dropped when the account, or one on its way, changes.
    reach: Option<Arc<Reach>>,
}

/// Why a name leads nowhere.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum ChainError {
    #[error("there are no credentials for AwsAccount {0}: see its status")]
    Unknown(String),
    #[error("AwsAccounts lead into each other: {}", .0.join(" via "))]
    Cycle(Vec<String>),
}

impl Registry {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, entries: RwLock::default() }
    }

    /// Sets how an account is reached. Sessions stay if nothing changed.
    pub(crate) fn set(&self, name: &str, access: Access) {
        let mut entries = self.write();
        if entries.get(name).is_some_and(|entry| entry.access == access) {
            return;
        }
        drop_reaches(&mut entries, name);
        entries.insert(name.to_owned(), Entry { access, reach: None });
    }

    /// Forgets an account, and the sessions that came through it.
    pub(crate) fn remove(&self, name: &str) {
        let mut entries = self.write();
        drop_reaches(&mut entries, name);
        entries.remove(name);
    }

    /// The way into an account.
    pub(crate) fn reach(&self, account: &Account) -> Reading<Arc<Reach>> {
        let reach = reach(&mut self.write(), &self.shared, &account.name, &mut Vec::new());
        let reach = reach.map_err(|error| unreachable(account, &error))?;
        if reach.access().account_id == account.id {
            Ok(reach)
        } else {
            Err(failure(
                account,
                Class::Transient,
                "AccountChanged",
                "the AwsAccount names another account by now".into(),
            ))
        }
    }

    /// The names under which an account is known.
    pub(crate) fn names_of(&self, account: &AccountId) -> Vec<String> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let of_account = entries.iter().filter(|(_, entry)| entry.access.account_id == *account);
        of_account.map(|(name, _)| name.clone()).collect()
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<String, Entry>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reach of a name, made if needed with all that it goes through. `path` holds the names that led here.
fn reach(
    entries: &mut BTreeMap<String, Entry>,
    shared: &Arc<Shared>,
    name: &str,
    path: &mut Vec<String>,
) -> Result<Arc<Reach>, ChainError> {
    let repeated = path.iter().any(|before| before == name);
    path.push(name.to_owned());
    if repeated {
        return Err(ChainError::Cycle(std::mem::take(path)));
    }
    let entry = entries.get(name).ok_or_else(|| ChainError::Unknown(name.to_owned()))?;
    if let Some(reach) = &entry.reach {
        return Ok(Arc::clone(reach));
    }
    let access = entry.access.clone();
    let via = match access.via() {
        Some(before) => Some(Arc::clone(reach(entries, shared, before, path)?.session())),
        None => None,
    };
    let session = Arc::new(Session::new(access.clone(), via, Arc::clone(shared)));
    let made = Arc::new(Reach::new(access, session, Arc::clone(shared)));
    if let Some(entry) = entries.get_mut(name) {
        entry.reach = Some(Arc::clone(&made));
    }
    Ok(made)
}

/// Drops what was made of a name and of all names that lead through it.
fn drop_reaches(entries: &mut BTreeMap<String, Entry>, name: &str) {
    let mut dropped = vec![name.to_owned()];
    while let Some(name) = dropped.pop() {
        if let Some(entry) = entries.get_mut(&name) {
            entry.reach = None;
        }
        // Only made ones: each is dropped once, so a cycle ends here too.
        let dependents = entries.iter().filter(|(_, entry)| entry.reach.is_some() && entry.access.via() == Some(&name));
        dropped.extend(dependents.map(|(dependent, _)| dependent.clone()));
    }
}

fn unreachable(account: &Account, error: &ChainError) -> Failure {
    match error {
        // The operator may be about to learn it.
        ChainError::Unknown(_) => failure(account, Class::Transient, "UnknownAccount", error.to_string()),
        ChainError::Cycle(_) => failure(account, Class::UserActionNeeded, "AccountCycle", error.to_string()),
    }
}

fn failure(account: &Account, class: Class, code: &str, message: String) -> Failure {
    Failure {
        class,
        account: account.id.clone(),
        action: "sts:AssumeRole".into(),
        resource: format!("AwsAccount {}", account.name),
        code: code.into(),
        message,
    }
}
