//! What stands in AWS under this object's own name, and neither the spec nor the ledger knows: the ledger was lost or is older than
//! AWS, and a consumer left the spec meanwhile. It may give access that nobody asks for, and it may be somebody else's, so it is
//! named and left until a person decides (design §5).

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_api::{DriftKind, TAKE_OVER};
use sharedkey_policy::{EntityArn, Statement};

use super::{Case, Cause, Finding, side::Side};
use crate::{
    ledger::{Resource, State, Target},
    text::few,
};

/// Principals that a message names.
const NAMED: usize = 5;

/// `StatementChanged` of statements that nobody asks for.
pub(super) fn statements(case: &Case<'_>) -> Vec<Finding> {
    let (Some(key), Some(document)) = (case.key, case.document()) else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let own = document.statements().iter().filter_map(|statement| Some((statement.sid()?, statement)));
    let own = own.filter(|(sid, _)| case.desired.names.own_sid(sid) && seen.insert(*sid));
    own.filter_map(|(sid, statement)| {
        let resource = Resource::Statement { key: key.clone(), sid: sid.to_owned() };
        case.side.is_stray(&resource).then(|| case.stray_statement(sid, statement, resource))
    })
    .collect()
}

/// `PolicyChanged` of inline policies that nobody asks for, on the principals that are read.
pub(crate) fn policies(side: &Side<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for entity in side.entities.keys() {
        let Some(state) = side.entity(entity) else { continue };
        for name in state.inline.keys().filter(|name| side.names.own_policy(name)) {
            let resource = Resource::InlinePolicy { entity: entity.clone(), name: name.clone() };
            if side.is_stray(&resource) {
                findings.push(side.stray_policy(entity, name, resource, state.lagging.contains(name)));
            }
        }
    }
    findings
}

/// The same as targets to take away, once a person has decided so; before, nothing is looked for.
pub(crate) fn taken_over(side: &Side<'_>, strays: impl FnOnce() -> Vec<Finding>) -> Vec<Target> {
    let found = if side.take_over { strays() } else { Vec::new() };
    let decided = found.into_iter().filter(|finding| finding.cause == Cause::NotYet);
    let resources = decided.filter_map(|finding| finding.resource);
    resources
        .filter_map(|resource| {
            Some(Target {
                account_ref: side.way_to(&resource)?,
                resource,
                consumer: String::new(),
                state: State::Applied,
                fingerprint: String::new(),
                principals: BTreeMap::new(),
                undone: Vec::new(),
            })
        })
        .collect()
}

impl Case<'_> {
    fn stray_statement(&self, sid: &str, statement: &Statement, resource: Resource) -> Finding {
        let principals: Vec<String> = statement.aws_principals().map(str::to_owned).collect();
        let message = format!(
            "statement {sid:?} in the key policy of {} has the name of this object, and neither its spec nor the ledger knows it; it names \
             {}; {}",
            self.key_name(),
            few(&principals, NAMED),
            advice(),
        );
        Finding {
            kind: DriftKind::StatementChanged,
            cause: self.side.stray_cause(self.policy_lags()),
            account: self.owner().clone(),
            principals,
            resource: Some(resource),
            subject: sid.to_owned(),
            expected: Some("no such statement".to_owned()),
            observed: Some("stands in the key policy".to_owned()),
            message,
        }
    }
}

impl Side<'_> {
    pub(crate) fn is_stray(&self, resource: &Resource) -> bool {
        !self.asked.contains(resource) && self.record.get(resource).is_none()
    }

    pub(crate) fn stray_cause(&self, lagging: bool) -> Cause {
        match self.take_over {
            _ if lagging => Cause::Propagating,
            true => Cause::NotYet,
            false => Cause::Conflict,
        }
    }

    fn stray_policy(&self, entity: &EntityArn, name: &str, resource: Resource, lagging: bool) -> Finding {
        Finding {
            kind: DriftKind::PolicyChanged,
            cause: self.stray_cause(lagging),
            account: entity.account().clone(),
            principals: vec![entity.to_string()],
            resource: Some(resource),
            subject: name.to_owned(),
            expected: Some("no such policy".to_owned()),
            observed: Some(format!("stands on {entity}")),
            message: format!(
                "inline policy {name:?} of {entity} has the name of this object, and neither its spec nor the ledger knows it; {}",
                advice()
            ),
        }
    }

    /// The name of the `AwsAccount` through which a resource is reached.
    fn way_to(&self, resource: &Resource) -> Option<String> {
        let account = resource.account()?;
        let reaches = self.delegates.iter().filter_map(|delegate| delegate.reach);
        let reaches = reaches.chain([self.home]).find(|reach| reach.id == account);
        let recorded =
            || self.record.targets.iter().find(|target| target.resource.account().as_ref() == Some(&account));
        reaches.map(|reach| reach.name.clone()).or_else(|| Some(recorded()?.account_ref.clone()))
    }
}

pub(crate) fn advice() -> String {
    format!("it is left as it is: remove it, or annotate this object with {TAKE_OVER}=true to have it removed")
}

#[cfg(test)]
mod tests {
    use sharedkey_api::DriftKind as K;

    use super::*;
    use crate::{
        compare::testing::{ANNA, APP, DELEGATION, FOREIGN, OURS, SID, World, kinds, page, parse},
        plan::Plan,
    };

    const OLD_SID: &str = "SharedKey/prod/team/orders/old";
    const OLD_POLICY: &str = "sharedkey@prod@team@orders@old";

    fn all(world: &World) -> Vec<Finding> {
        [world.check(statements), world.check(|case| policies(case.side))].concat()
    }

    /// A consumer that the spec had once, and that a lost ledger has forgotten.
    fn world() -> World {
        let mut world = World::shared();
        let old = OURS.replace(SID, OLD_SID).replace("role/App", "role/Old");
        world.put_statements(&[FOREIGN[0], OURS, &old, FOREIGN[1]]);
        world.entity(APP).inline.insert(OLD_POLICY.into(), Ok(parse(DELEGATION)));
        world
    }

    fn written(plan: &Plan) -> Vec<String> {
        plan.steps.iter().map(|step| format!("{}: {}", step.account.name, step.action)).collect()
    }

    #[test]
    fn what_nobody_asks_for_under_our_name_is_named_and_left() {
        let mut world = world();
        insta::assert_snapshot!(page(&all(&world)), @r#"
        keyPolicy StatementChanged (Conflict) in 111122223333 for [role/Old, user/Anna], SharedKey/prod/team/orders/old
          expected: no such statement
          observed: stands in the key policy
          statement "SharedKey/prod/team/orders/old" in the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab has the name of this object, and neither its spec nor the ledger knows it; it names arn:aws:iam::444455556666:role/Old, arn:aws:iam::444455556666:user/Anna; it is left as it is: remove it, or annotate this object with sharedkey.dev/take-over=true to have it removed
        delegation PolicyChanged (Conflict) in 444455556666 for [role/App], sharedkey@prod@team@orders@old
          expected: no such policy
          observed: stands on arn:aws:iam::444455556666:role/App
          inline policy "sharedkey@prod@team@orders@old" of arn:aws:iam::444455556666:role/App has the name of this object, and neither its spec nor the ledger knows it; it is left as it is: remove it, or annotate this object with sharedkey.dev/take-over=true to have it removed
        "#);
        let reasons: Vec<_> = world.plan().blockers.iter().map(|blocker| blocker.reason.to_string()).collect();
        assert_eq!((reasons, written(&world.settle())), (vec!["OwnerConflict".to_owned(); 2], vec![]));
    }

    #[test]
    fn it_goes_when_somebody_decides_so_and_leaves_everything_else_as_it_is() {
        let mut world = world();
        world.desired.take_over = true;
        assert_eq!(
            written(&world.settle()),
            [
                format!("owner: write the key policy of {} -\"{OLD_SID}\"", world.key()),
                format!("partner: delete inline policy {OLD_POLICY:?} from {APP}"),
            ]
        );
        assert_eq!(world.observed.document().unwrap().statements().len(), 3);
        assert_eq!((all(&world), world.compare().findings), (vec![], vec![]));
    }

    #[test]
    fn what_the_spec_or_the_ledger_knows_is_no_stray() {
        let mut world = World::shared();
        assert_eq!(all(&world), []);
        world.record.targets.clear();
        assert_eq!(all(&world), []);
        let mut world = World::shared();
        world.desired.consumers.clear();
        assert_eq!(all(&world), []);
    }

    #[test]
    fn names_of_others_are_no_strays() {
        let mut world = World::shared();
        let others =
            ["SharedKey/prod/team/orders-eu/old", "SharedKey/prod-eu/team/orders/old", "SharedKey/prod/team/orders"];
        let others = others.map(|sid| OURS.replace(SID, sid));
        world.put_statements(&[OURS, &others[0], &others[1], &others[2]]);
        world.entity(ANNA).inline.insert("sharedkey@prod@team@orders-eu@old".into(), Ok(parse(DELEGATION)));
        assert_eq!(all(&world), []);
    }

    #[test]
    fn what_we_took_away_a_moment_ago_may_still_be_shown() {
        for take_over in [false, true] {
            let mut world = world();
            world.desired.take_over = take_over;
            world.key_policy().lagging = true;
            assert!(world.entity(APP).lagging.insert(OLD_POLICY.into()));
            assert_eq!(
                kinds(&all(&world)),
                [(K::StatementChanged, Cause::Propagating), (K::PolicyChanged, Cause::Propagating),]
            );
            assert_eq!((world.plan().blockers, written(&world.plan())), (vec![], vec![]));
        }
    }

    #[test]
    fn a_statement_that_somebody_puts_back_after_we_took_it_away_is_a_stray() {
        let mut world = World::shared();
        world.desired.consumers.clear();
        world.settle();
        world.put_statements(&[FOREIGN[0], OURS]);
        assert_eq!(kinds(&all(&world)), [(K::StatementChanged, Cause::Conflict)]);
    }
}
