//! The principals' side of an object, be it a key that is shared or a secret that is read: what the checks of its delegation look at.

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_api::Quotas;
use sharedkey_policy::{EntityArn, NormalContext, PolicyArn};

use super::Cause;
use crate::{
    delegate::Delegate,
    desired::{Account, Delegation},
    ledger::{Record, Resource},
    names::Names,
    observed::{Entity, EntityState, ManagedPolicy, entity},
    problem::Reading,
};

/// Everything that is known of the principals' side.
pub(crate) struct Side<'a> {
    pub(crate) names: &'a Names,
    /// The way into the account of the key or secret.
    pub(crate) home: &'a Account,
    pub(crate) delegates: &'a [Delegate<'a>],
    pub(crate) entities: &'a BTreeMap<EntityArn, Reading<Entity>>,
    pub(crate) managed: &'a BTreeMap<PolicyArn, Reading<ManagedPolicy>>,
    pub(crate) record: &'a Record,
    pub(crate) asked: &'a BTreeSet<Resource>,
    pub(crate) left_out: &'a BTreeMap<EntityArn, String>,
    pub(crate) healing: &'a BTreeMap<EntityArn, String>,
    pub(crate) context: &'a NormalContext,
    pub(crate) quotas: &'a BTreeMap<String, Quotas>,
    pub(crate) take_over: bool,
}

impl<'a> Side<'a> {
    /// Consumers or readers whose half in their own account is ours.
    pub(crate) fn delegating(&self, delegation: Delegation) -> impl Iterator<Item = &'a Delegate<'a>> + use<'a> {
        self.delegates.iter().filter(move |one| one.delegation == delegation && one.reach.is_some())
    }

    /// A role or user that exists and could be read.
    pub(crate) fn entity(&self, arn: &EntityArn) -> Option<&'a EntityState> {
        entity(self.entities, arn)
    }

    /// The principals of one that exist and are the ones that were trusted.
    pub(crate) fn present(
        &self,
        delegate: &Delegate<'a>,
    ) -> impl Iterator<Item = (&'a EntityArn, &'a EntityState)> + use<'a> {
        let (entities, left_out) = (self.entities, self.left_out);
        let trusted = delegate.principals.iter().filter(move |principal| !left_out.contains_key(*principal));
        trusted.filter_map(move |principal| Some((principal, entity(entities, principal)?)))
    }

    /// Why a thing of ours that is not as it should be differs, from what the ledger knows of it. `found` is the fingerprint
    /// of what stands there, if anything does.
    pub(crate) fn cause(&self, resource: &Resource, found: Option<&str>, lagging: bool) -> Cause {
        match (self.record.applied(resource), found) {
            _ if lagging => Cause::Propagating,
            (Some(known), Some(found)) if known.fingerprint == found => Cause::SpecChanged,
            (Some(_), _) => Cause::Drift,
            (None, None) => Cause::NotYet,
            (None, Some(found)) => match self.record.get(resource) {
                // Our own write whose answer never came, or one that a crash cut off from its confirmation. Nothing is intended
                // over what is not known, so whatever else stands there came after it.
                Some(intended) if intended.fingerprint == found => Cause::SpecChanged,
                Some(_) => Cause::Drift,
                None if self.take_over => Cause::NotYet,
                None => Cause::Conflict,
            },
        }
    }
}
