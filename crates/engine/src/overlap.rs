//! Access that statements of others give to our principals, beside ours. It does not go when a `SharedKey` changes or goes, so it is
//! told while the object stands, and again when it is gone (design §5).

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use sharedkey_policy::{
    Access, Caller, Decision, EntityArn, IdentityPolicies, KeyArn, PolicyDocument, Verdict, key_policy_decision,
};

use crate::{
    desired::{Desired, DesiredConsumer},
    names::{Names, OwnerId, policy_in},
    observed::{EntityState, Observed},
    text::{few, few_joined},
    verdict::expanded,
};

/// Statements that a reason names.
const NAMED: usize = 3;
/// Principals that an event names. A note has 1,000 bytes.
const TOLD: usize = 4;

/// The names of the statements in a key policy that the operator wrote.
pub(crate) struct Ours(HashSet<String>);

impl Ours {
    pub(crate) fn of(document: &PolicyDocument, owner: &OwnerId) -> Self {
        let ours = document.named().filter(|(_, statement)| statement.sid().is_some_and(|sid| owner.wrote(sid)));
        Self(ours.map(|(name, _)| name.to_string()).collect())
    }

    /// Whether a way in, as a verdict names it, is by none of them.
    fn lack(&self, way: &str) -> bool {
        // How the statement means the caller stands in parentheses behind its name.
        let name = || way.rfind(" (").map(|end| &way[..end]);
        !self.0.contains(way) && !name().is_some_and(|name| self.0.contains(name))
    }
}

/// What statements of others allow somebody: the actions by the way in.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Overlap(BTreeMap<Arc<str>, BTreeSet<String>>);

impl Overlap {
    pub(crate) fn add(&mut self, ours: &Ours, ways: Vec<Arc<str>>, actions: &[&str]) {
        for way in ways.into_iter().filter(|way| ours.lack(way)) {
            self.0.entry(way).or_default().extend(actions.iter().map(|&action| action.to_owned()));
        }
    }

    /// For a verdict over so many actions.
    pub(crate) fn reason(&self, asked: usize) -> Option<String> {
        let told = |(way, actions): (&Arc<str>, &BTreeSet<String>)| match actions.len() {
            all if all >= asked => way.to_string(),
            _ => format!("{way} for {}", list(actions)),
        };
        let ways: Vec<String> = self.0.iter().map(told).collect();
        (!ways.is_empty())
            .then(|| format!("also allowed by {}, which no SharedKey wrote", few_joined(&ways, NAMED, ", and by ")))
    }
}

fn list(actions: &BTreeSet<String>) -> String {
    few(&actions.iter().cloned().collect::<Vec<_>>(), NAMED)
}

/// Which principals of an object that is un-shared keep which access through which statements of others; none if nobody keeps any.
///
/// Readings may still show what was removed a moment ago, so what carries the object's name counts for nothing.
pub fn remaining(desired: &Desired, observed: &Observed) -> Option<String> {
    let (key, document) = (observed.key.arn.as_ref().ok()?.as_ref()?, observed.document()?);
    let (names, owner) = (&desired.names, desired.names.owner());
    let own = |sid: &str| names.own_sid(sid);
    let document = document.clone().filter_map_statements(|one| (!one.sid().is_some_and(own)).then_some(one));
    let left = Left { key, ours: Ours::of(&document, owner), document, names };
    let mut keepers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for consumer in &desired.consumers {
        for principal in &consumer.principals {
            let kept = match observed.entity(principal) {
                Some(state) => left.of(consumer, principal, state),
                None if consumer.is_handoff() => left.of_handoff(consumer, principal),
                None => continue,
            };
            for (way, actions) in kept.0 {
                keepers.entry(format!("{} by {way}", list(&actions))).or_default().push(principal.to_string());
            }
        }
    }
    let told: Vec<String> = keepers.iter().map(|(what, who)| format!("{} may {what}", few(who, NAMED))).collect();
    (!told.is_empty()).then(|| format!("what others allow stays: {}", few_joined(&told, TOLD, "; ")))
}

/// What is left of the key policy.
struct Left<'a> {
    key: &'a KeyArn,
    ours: Ours,
    document: PolicyDocument,
    names: &'a Names,
}

impl Left<'_> {
    fn of(&self, consumer: &DesiredConsumer, principal: &EntityArn, state: &EntityState) -> Overlap {
        let caller = Caller { arn: principal, unique_id: Some(&state.unique_id) };
        let mut identity: IdentityPolicies = state.policies.clone();
        identity.policies.retain(|policy| !self.is_own(&policy.name));
        let tells = |name: &str| self.names.tells(name);
        let access = Access::new(&self.document, &identity, self.key, &caller, &tells);
        let mut overlap = Overlap::default();
        for (verdict, actions) in access.verdicts(expanded(&consumer.actions).iter().map(String::as_str)) {
            if let Verdict::Allowed { by, .. } = verdict {
                overlap.add(&self.ours, by, &actions);
            }
        }
        overlap
    }

    /// Of a handoff only the key's half is known: administrators of the other account decide about theirs.
    fn of_handoff(&self, consumer: &DesiredConsumer, principal: &EntityArn) -> Overlap {
        let caller = Caller { arn: principal, unique_id: None };
        let mut overlap = Overlap::default();
        for action in expanded(&consumer.actions) {
            if let Decision::Allowed { by, .. } = key_policy_decision(&self.document, self.key, &caller, &action) {
                overlap.add(&self.ours, vec![by.into()], &[&action]);
            }
        }
        overlap
    }

    /// Whether a policy of a principal, by the name that verdicts use, carries the object's name.
    fn is_own(&self, policy: &str) -> bool {
        self.names.own_policy(policy_in(policy))
    }
}

#[cfg(test)]
mod tests {
    use sharedkey_api::VerdictValue;
    use sharedkey_policy::AttachedDocument;

    use super::*;
    use crate::{
        compare::testing::{ANNA, APP, DELEGATION, FOREIGN, OURS, SID, World, parse},
        desired::Delegation,
    };

    fn theirs(sid: &str, principal: &str, action: &str) -> String {
        format!(
            r#"{{"Sid":"{sid}","Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"{action}","Resource":"*"}}"#
        )
    }

    /// Everything is in place, and others have stated this beside it.
    fn with(statements: &[String]) -> World {
        let mut world = World::shared();
        let all: Vec<&str> = FOREIGN.into_iter().chain([OURS]).chain(statements.iter().map(String::as_str)).collect();
        world.put_statements(&all);
        world
    }

    fn reasons(world: &World) -> Vec<Option<String>> {
        let verdicts = &world.compare().verdicts[0].principals;
        assert!(verdicts.iter().all(|verdict| verdict.value == VerdictValue::Allowed));
        verdicts.iter().map(|verdict| verdict.reason.clone()).collect()
    }

    #[test]
    fn who_is_allowed_by_us_alone_needs_no_reason() {
        let neighbour = OURS.replace("orders/partner", "invoices/partner");
        for world in [World::shared(), with(&[neighbour]), with(&[theirs("Deny it", APP, "s3:*")])] {
            assert_eq!(reasons(&world), [None, None]);
        }
    }

    #[test]
    fn a_statement_of_others_that_allows_by_itself_is_named_with_how_and_what() {
        let root = "arn:aws:iam::444455556666:root";
        let unnamed = theirs("x", ANNA, "kms:*").replace(r#""Sid":"x","#, "");
        let world = with(&[theirs("Old", APP, "kms:*"), theirs("Partner", root, "kms:D*"), unnamed]);
        let reasons: Vec<String> = reasons(&world).into_iter().flatten().collect();
        insta::assert_snapshot!(reasons.join("\n"), @r#"
        also allowed by statement "Old", and by statement "Partner" (by account) for kms:Decrypt, kms:DescribeKey, which no SharedKey wrote
        also allowed by statement "Partner" (by account) for kms:Decrypt, kms:DescribeKey, and by statement 6, which no SharedKey wrote
        "#);
    }

    #[test]
    fn conditions_come_before_what_else_allows() {
        let mut world = with(&[]);
        world.partner().conditions.organization_id = Some("o-1".into());
        world.settle();
        let condition = r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-2"}}}"#;
        let other = theirs("Other", APP, "kms:*").replace(r#""*"}"#, &format!(r#""*"{condition}"#));
        let all = format!("{},{other}", world.policy_text().trim_end_matches("]}"));
        world.key_policy().document = Ok(parse(&format!("{all}]}}")));
        insta::assert_snapshot!(reasons(&world)[0].as_deref().unwrap_or_default(), @r#"if StringEquals aws:PrincipalOrgID [o-1], or StringEquals aws:PrincipalOrgID [o-2]; also allowed by statement "Other", which no SharedKey wrote"#);
    }

    /// As it is after everything of ours was removed, and before every reading shows that.
    fn unshared(world: &World) -> Option<String> {
        remaining(&world.desired, &world.seen())
    }

    fn grants_itself(world: &mut World, entity: &str) {
        world
            .entity(entity)
            .policies
            .policies
            .push(AttachedDocument { name: "inline policy Own".into(), document: parse(DELEGATION) });
    }

    #[test]
    fn nobody_keeps_what_we_alone_gave_or_what_one_half_alone_allows() {
        assert_eq!(unshared(&World::shared()), None);
        // The other half is gone with the object.
        assert_eq!(unshared(&with(&[theirs("Old", APP, "kms:*")])), None);
        let mut world = World::shared();
        grants_itself(&mut world, APP);
        assert_eq!(unshared(&world), None);
        // A neighbour of ours is not somebody else.
        let mut world = with(&[OURS.replace("orders/partner", "invoices/partner")]);
        grants_itself(&mut world, APP);
        assert_eq!(unshared(&world), None);
    }

    #[test]
    fn who_keeps_access_is_told_with_what_gives_it() {
        let mut world = with(&[theirs("Old", APP, "kms:*"), theirs("Partner", "444455556666", "kms:Decrypt")]);
        for entity in [APP, ANNA] {
            grants_itself(&mut world, entity);
        }
        insta::assert_snapshot!(unshared(&world).unwrap(), @r#"what others allow stays: arn:aws:iam::444455556666:role/App, arn:aws:iam::444455556666:user/Anna may kms:Decrypt by statement "Partner" (by account); arn:aws:iam::444455556666:role/App may kms:Decrypt, kms:DescribeKey, kms:Encrypt and 6 more by statement "Old""#);
        // In the key's own account a name in the key policy is enough.
        let mut world = with(&[theirs("Old", "arn:aws:iam::111122223333:role/Own", "kms:Decrypt")]);
        world.exists("arn:aws:iam::111122223333:role/Own", "AROAOWN0000000000001");
        world.partner().principals = vec!["arn:aws:iam::111122223333:role/Own".parse().unwrap()];
        insta::assert_snapshot!(unshared(&world).unwrap(), @r#"what others allow stays: arn:aws:iam::111122223333:role/Own may kms:Decrypt by statement "Old""#);
    }

    #[test]
    fn of_a_handoff_the_key_policy_tells() {
        let mut world = with(&[theirs("Old", APP, "kms:Decrypt")]);
        world.partner().reach = None;
        world.partner().delegation = Delegation::None;
        world.observed.entities.clear();
        insta::assert_snapshot!(unshared(&world).unwrap(), @r#"what others allow stays: arn:aws:iam::444455556666:role/App may kms:Decrypt by statement "Old""#);
    }

    #[test]
    fn however_many_keep_access_the_text_fits_into_an_event() {
        let statements: Vec<String> =
            (0..20).map(|number| theirs(&format!("{}{number}", SID.replace('/', "-")), APP, "kms:*")).collect();
        let mut world = with(&statements);
        grants_itself(&mut world, APP);
        let text = unshared(&world).unwrap();
        assert!(text.len() < 1000 && text.ends_with("and 16 more"), "{text}");
    }
}
