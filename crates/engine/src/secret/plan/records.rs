//! What the ledger has to know of each write, and of what stands there without one.

use std::collections::BTreeMap;

use sharedkey_policy::{Edit, EntityArn, Region, SecretArn, Statement, fingerprint};

use super::Planner;
use crate::{
    compare::WantedStatement,
    ledger::{Aspect, Resource, State, Target},
    secret::{
        compare::{of_description, of_tags},
        observed::{SecretKey, SourceReading},
    },
};

impl Planner<'_> {
    fn record(&self, resource: Resource, fingerprint: String) -> Target {
        Target {
            resource,
            consumer: String::new(),
            account_ref: self.desired.account.name.clone(),
            state: State::Intended,
            fingerprint,
            principals: BTreeMap::new(),
            undone: Vec::new(),
        }
    }

    /// The ARN of a secret that is made is not known before AWS has answered; the next look at it tells.
    pub(super) fn secret_target(&self, arn: Option<&SecretArn>) -> Target {
        self.record(self.desired.resource(), arn.map(ToString::to_string).unwrap_or_default())
    }

    pub(super) fn key_target(&self) -> Option<Target> {
        Some(self.record(self.desired.aspect(Aspect::Key), self.desired.key_arn()?.to_string()))
    }

    pub(super) fn description_target(&self) -> Option<Target> {
        let description = self.desired.description.as_ref()?;
        Some(self.record(self.desired.aspect(Aspect::Description), of_description(description)))
    }

    pub(super) fn tags_target(&self) -> Target {
        let tags = self.desired.all_tags();
        self.record(self.desired.aspect(Aspect::Tags), of_tags(&tags, &tags))
    }

    pub(super) fn value_target(&self, version: String) -> Target {
        self.record(self.desired.aspect(Aspect::Value), version)
    }

    pub(super) fn replica_target(&self, region: &Region) -> Option<Target> {
        let key = self.desired.replicas.get(region)?.as_ref().ok()?;
        Some(self.record(self.desired.replica_in(region), key.arn.to_string()))
    }

    pub(super) fn statement_targets(&self, edit: &Edit) -> Vec<Target> {
        let written = |wanted: &WantedStatement| {
            let put = edit.put.iter().find(|put| put.sid() == wanted.statement.sid())?;
            Some(self.statement_target(wanted, put))
        };
        self.comparison.statements.iter().filter_map(written).collect()
    }

    fn statement_target(&self, wanted: &WantedStatement, statement: &Statement) -> Target {
        Target {
            consumer: wanted.consumer.clone(),
            principals: self.trusted(&wanted.consumer),
            ..self.record(wanted.resource.clone(), fingerprint(statement, &self.context()))
        }
    }

    /// The unique ids that a statement for this reader trusts.
    fn trusted(&self, reader: &str) -> BTreeMap<EntityArn, String> {
        let reader = self.desired.readers.iter().find(|candidate| candidate.name == reader);
        let id = |arn: &EntityArn| {
            match (self.comparison.left_out.get(arn), crate::observed::entity(&self.observed.entities, arn)) {
                // It stays left out: whoever stands behind the ARN now was not trusted.
                (Some(trusted), _) => Some(trusted.clone()),
                (None, Some(state)) => Some(state.unique_id.clone()),
                (None, None) => self.record.unique_id(arn).map(str::to_owned),
            }
        };
        let principals = reader.into_iter().flat_map(|reader| &reader.principals);
        principals.filter_map(|arn| Some((arn.clone(), id(arn)?))).collect()
    }

    /// Everything of the secret that stands there once nothing differs, as far as it was read.
    pub(super) fn standing(&self) -> Vec<Target> {
        let Some(described) = self.observed.described().filter(|described| described.deletion.is_none()) else {
            return Vec::new();
        };
        let mut standing = vec![self.tags_target()];
        standing.extend(self.key_target().filter(|_| described.key.failure().is_none()));
        // One that is only to be taken over becomes ours with its tags.
        if !self.comparison.adopting {
            standing.push(self.secret_target(Some(&described.arn)));
        }
        standing.extend(self.description_target());
        if let (SourceReading::Value(_), Some(current)) = (&self.observed.source, described.current()) {
            standing.push(self.value_target(current.to_owned()));
        }
        let copied = self.desired.replicas.iter().filter(|(region, key)| {
            let key = key.as_ref().ok().map(|key| SecretKey::Key(key.arn.clone()));
            described.replicas.get(*region).map(|found| &found.key) == key.as_ref()
        });
        standing.extend(copied.filter_map(|(region, _)| self.replica_target(region)));
        if self.observed.document().is_some() {
            let statements = self.comparison.statements.iter();
            standing.extend(statements.map(|wanted| self.statement_target(wanted, &wanted.statement)));
        }
        standing
    }
}
