//! How status names a change, whatever the kind of the object.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use sharedkey_api::{Drift, DriftKind, DriftLayer};
use sharedkey_e2e::says;

/// An entry of status that names a change. Texts are parts of what it says.
pub(crate) struct Seen {
    pub(crate) kind: DriftKind,
    layer: DriftLayer,
    account: String,
    principals: Vec<String>,
    subject: String,
    expected: Vec<String>,
    observed: Vec<String>,
    message: Vec<String>,
    /// Whether it is what comes of a change, and goes with it.
    pub(crate) follows: bool,
}

impl Seen {
    /// Of a kind, in a layer and an account.
    pub(crate) fn new(kind: DriftKind, layer: DriftLayer, account: &str, subject: &str) -> Self {
        Self {
            kind,
            layer,
            account: account.to_owned(),
            principals: Vec::new(),
            subject: subject.to_owned(),
            expected: Vec::new(),
            observed: Vec::new(),
            message: Vec::new(),
            follows: false,
        }
    }

    /// Of these principals.
    pub(crate) fn of(self, principals: &[&str]) -> Self {
        Self { principals: principals.iter().map(ToString::to_string).collect(), ..self }
    }

    /// With this difference.
    pub(crate) fn difference(self, expected: &[&str], observed: &[&str]) -> Self {
        let owned = |parts: &[&str]| parts.iter().map(ToString::to_string).collect();
        Self { expected: owned(expected), observed: owned(observed), ..self }
    }

    /// About another thing than our statement, and the message still names that.
    pub(crate) fn about(self, subject: &str) -> Self {
        Self { subject: subject.to_owned(), ..self }
    }

    /// The message speaks of a principal in place of the key.
    pub(crate) fn about_principal(self, principal: &str) -> Self {
        Self { message: vec![principal.to_owned()], ..self }
    }

    /// It comes of another change, and goes with it.
    pub(crate) fn following(self) -> Self {
        Self { follows: true, ..self }
    }

    /// And this in its message.
    pub(crate) fn saying(mut self, part: &str) -> Self {
        self.message.push(part.to_owned());
        self
    }

    /// The entry names the change.
    pub(crate) fn names(&self, drift: &Drift) -> Result<()> {
        let found = (drift.layer, drift.kind, drift.account.as_str(), drift.subject.as_str());
        let wanted = (self.layer, self.kind, self.account.as_str(), self.subject.as_str());
        ensure!(found == wanted, "expected {wanted:?}: {drift:?}");
        let principals: BTreeSet<&str> =
            drift.principal.as_deref().into_iter().flat_map(|all| all.split(", ")).collect();
        let wanted: BTreeSet<&str> = self.principals.iter().map(String::as_str).collect();
        ensure!(principals == wanted, "expected principals {wanted:?}: {drift:?}");
        says(drift.expected.as_deref().unwrap_or_default(), &parts(&self.expected)).context("expected")?;
        says(drift.observed.as_deref().unwrap_or_default(), &parts(&self.observed)).context("observed")?;
        says(&drift.message, &parts(&self.message)).context("message")
    }
}

fn parts(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}

/// The entries name the changes, one for one, in any order.
pub(crate) fn named(seen: &[Seen], drift: &[Drift]) -> Result<()> {
    ensure!(seen.len() == drift.len(), "expected {} entries: {drift:#?}", seen.len());
    for entry in drift {
        let errors: Vec<_> = seen.iter().filter(|seen| seen.kind == entry.kind).map(|seen| seen.names(entry)).collect();
        if !errors.iter().any(Result::is_ok) {
            errors.into_iter().collect::<Result<()>>()?;
            anyhow::bail!("nobody changed this: {entry:#?}");
        }
    }
    Ok(())
}

/// The kinds of entries.
pub(crate) fn kinds(drift: &[Drift]) -> Vec<DriftKind> {
    sorted(drift.iter().map(|drift| drift.kind))
}

/// The kinds that they have to be of.
pub(crate) fn wanted(seen: &[Seen]) -> Vec<DriftKind> {
    sorted(seen.iter().map(|seen| seen.kind))
}

fn sorted(kinds: impl Iterator<Item = DriftKind>) -> Vec<DriftKind> {
    let mut kinds: Vec<DriftKind> = kinds.collect();
    kinds.sort();
    kinds
}
