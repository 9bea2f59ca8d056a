//! Whether the policies that delegate would fit into the quotas of IAM (D§4.1). Found out before the key's half is written: a key
//! policy that trusts somebody who cannot be delegated to is half a share.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use sharedkey_api::{Quotas, conditions::Reason};
use sharedkey_policy::{EntityArn, EntityKind, PolicyArn, PolicyDocument};

use super::{Cause, Finding, side::Side};
use crate::{
    delegate::Delegate, desired::Delegation, ledger::Resource, observed::EntityState, plan::Blocker, text::few,
};

/// Policies that a message names.
const NAMED: usize = 5;

/// What a message says of a policy by which an object of another namespace shares.
const OF_ANOTHER: &str = "one of another namespace";

/// What AWS allows where an account says nothing else (D§4.1).
struct Limits {
    inline: usize,
    managed: usize,
    attached: usize,
}

impl Limits {
    fn of(kind: EntityKind, live: Option<&Quotas>) -> Self {
        let live = live.copied().unwrap_or_default();
        let (inline, attached) = match kind {
            EntityKind::Role => ((live.role_policy_size, 10_240), live.attached_policies_per_role),
            EntityKind::User => ((live.user_policy_size, 2_048), live.attached_policies_per_user),
        };
        let or = |value: Option<i64>, default| value.and_then(|value| usize::try_from(value).ok()).unwrap_or(default);
        Self { inline: or(inline.0, inline.1), managed: or(live.policy_size, 6_144), attached: or(attached, 10) }
    }
}

/// Everything that would not fit. What stands as it has to is not judged: it did fit.
pub(crate) fn exceeded(side: &Side<'_>, findings: &[Finding]) -> Vec<Blocker> {
    let open = findings.iter().filter(|finding| !matches!(finding.cause, Cause::Propagating | Cause::Conflict));
    let open: BTreeSet<&Resource> = open.filter_map(|finding| finding.resource.as_ref()).collect();
    let messages =
        side.inline_too_long(&open).into_iter().chain(side.managed_too_long(&open)).chain(side.too_many(&open));
    messages.map(|message| Blocker { reason: Reason::DelegationQuotaExceeded, message }).collect()
}

/// Roles and users on which something is to be written, each with the first entry of the spec that asks for it.
type Writes<'a, T> = BTreeMap<&'a EntityArn, (&'a Delegate<'a>, T)>;

impl<'a> Side<'a> {
    fn limits(&self, delegate: &Delegate<'_>, kind: EntityKind) -> Limits {
        Limits::of(kind, delegate.reach.and_then(|reach| self.quotas.get(&reach.name)))
    }

    /// Roles and users on which inline policies are to be written, with the size of each by its name.
    fn inline_to_write(&self, open: &BTreeSet<&Resource>) -> Writes<'a, BTreeMap<String, usize>> {
        let mut writes = Writes::new();
        for delegate in self.delegating(Delegation::InlinePolicy) {
            let Some(size) = delegate.document.as_ref().map(PolicyDocument::size) else { continue };
            let name = self.names.policy_name(delegate.name);
            for (entity, _) in self.present(delegate) {
                if open.contains(&Resource::InlinePolicy { entity: entity.clone(), name: name.clone() }) {
                    let (_, sizes) = writes.entry(entity).or_insert_with(|| (delegate, BTreeMap::new()));
                    sizes.insert(name.clone(), size);
                }
            }
        }
        writes
    }

    fn inline_too_long(&self, open: &BTreeSet<&Resource>) -> Vec<String> {
        let mut messages = Vec::new();
        for (entity, (delegate, ours)) in self.inline_to_write(open) {
            let Some(state) = self.entity(entity) else { continue };
            let limit = self.limits(delegate, entity.kind()).inline;
            let others = others(state, &ours);
            let used: usize = others.iter().map(|(_, size)| size).sum();
            let needed: usize = ours.values().sum();
            if used + needed <= limit {
                continue;
            }
            let told = |name: &str| if self.names.tells(name) { format!("{name:?}") } else { OF_ANOTHER.to_owned() };
            let others: Vec<String> = others.iter().map(|(name, size)| format!("{} {size}", told(name))).collect();
            let others = if others.is_empty() { String::new() } else { format!(" ({})", few(&others, NAMED)) };
            messages.push(format!(
                "inline policies of {entity} may have {limit} characters together, without white space; {used} are used{others}, and ours \
                 needs {needed}, so nothing was written; shorten or remove one of them, or set delegation: ManagedPolicy for {} {:?}",
                delegate.given.entry(),
                delegate.name
            ));
        }
        messages
    }

    fn managed_too_long(&self, open: &BTreeSet<&Resource>) -> Vec<String> {
        let too_long = |delegate: &Delegate<'_>| {
            let policy = delegate.managed_policy(self.names, self.context.partition);
            let limit = self.limits(delegate, EntityKind::Role).managed;
            let size = delegate.document.as_ref()?.size();
            let written = open.contains(&Resource::ManagedPolicy { policy: policy.clone() });
            (written && size > limit).then(|| {
                format!(
                    "managed policy {policy} needs {size} characters, and a managed policy may have {limit}, so nothing was written; name \
                     fewer actions for {} {:?}",
                    delegate.given.entry(),
                    delegate.name
                )
            })
        };
        self.delegating(Delegation::ManagedPolicy).filter_map(too_long).collect()
    }

    fn too_many(&self, open: &BTreeSet<&Resource>) -> Vec<String> {
        let mut messages = Vec::new();
        for (entity, (delegate, ours)) in self.to_attach(open) {
            let Some(state) = self.entity(entity) else { continue };
            let (limit, used) = (self.limits(delegate, entity.kind()).attached, state.attached.len());
            if used + ours.len() <= limit {
                continue;
            }
            let told = |policy: String| if self.names.tells(&policy) { policy } else { OF_ANOTHER.to_owned() };
            let attached: Vec<String> = state.attached.iter().map(|policy| told(policy.to_string())).collect();
            messages.push(format!(
                "{entity} may have {limit} managed policies attached; it has {used} ({}), and ours would be {} more, so nothing was \
                 written; detach one of them, ask AWS for a higher quota, or set delegation: InlinePolicy for {} {:?}",
                few(&attached, NAMED),
                ours.len(),
                delegate.given.entry(),
                delegate.name
            ));
        }
        messages
    }

    /// Roles and users to which managed policies are to be attached.
    fn to_attach(&self, open: &BTreeSet<&Resource>) -> Writes<'a, Vec<PolicyArn>> {
        let mut writes = Writes::new();
        for delegate in self.delegating(Delegation::ManagedPolicy) {
            let policy = delegate.managed_policy(self.names, self.context.partition);
            for (entity, _) in self.present(delegate) {
                if open.contains(&Resource::Attachment { policy: policy.clone(), entity: entity.clone() }) {
                    writes.entry(entity).or_insert_with(|| (delegate, Vec::new())).1.push(policy.clone());
                }
            }
        }
        writes
    }
}

/// Inline policies that stay as they are, the largest first. One that is no policy is not counted, because its text is not known.
fn others(state: &EntityState, ours: &BTreeMap<String, usize>) -> Vec<(String, usize)> {
    let others = state.inline.iter().filter(|(name, _)| !ours.contains_key(*name));
    let sizes = others.filter_map(|(name, document)| Some((name.clone(), document.as_ref().ok()?.size())));
    let mut sizes: Vec<_> = sizes.collect();
    sizes.sort_by_key(|(name, size)| (Reverse(*size), name.clone()));
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        compare::testing::{ANNA, APP, POLICY, World, account, consumer, parse},
        plan::Action,
    };

    /// A policy of exactly so many characters.
    fn policy(size: usize) -> PolicyDocument {
        let text = |sid: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"{sid}","Effect":"Allow","Action":"s3:*","Resource":"*"}}]}}"#
            )
        };
        parse(&text(&"x".repeat(size - text("").len())))
    }

    fn size_of_ours(world: &World) -> usize {
        world.desired.consumers[0].delegation_document(&world.key()).size()
    }

    fn messages(world: &World) -> Vec<String> {
        let blockers = world.compare().blockers.into_iter();
        let quota = blockers.filter(|blocker| blocker.reason == Reason::DelegationQuotaExceeded);
        quota.map(|blocker| blocker.message).collect()
    }

    fn attach(world: &mut World, entity: &str, count: usize) {
        let arns = (0..count).map(|number| format!("arn:aws:iam::444455556666:policy/P{number}").parse().unwrap());
        world.entity(entity).attached.extend(arns);
    }

    #[test]
    fn policies_of_other_namespaces_are_counted_and_not_named() {
        let mut world = World::fresh();
        for (namespace, size) in [("payroll", 6_000), ("team", 4_000)] {
            world.entity(APP).inline.insert(format!("sharedkey@prod@{namespace}@wages@partner"), Ok(policy(size)));
        }
        insta::assert_snapshot!(messages(&world).join("\n"), @r#"inline policies of arn:aws:iam::444455556666:role/App may have 10240 characters together, without white space; 10000 are used (one of another namespace 6000, "sharedkey@prod@team@wages@partner" 4000), and ours needs 264, so nothing was written; shorten or remove one of them, or set delegation: ManagedPolicy for consumer "partner""#);
    }

    #[test]
    fn inline_policies_fit_up_to_the_last_character() {
        for (entity, quota) in [(APP, 10_240), (ANNA, 2_048)] {
            for (over, fits) in [(0, true), (1, false)] {
                let mut world = World::fresh();
                let others = quota - size_of_ours(&world) + over;
                world.entity(entity).inline.insert("Small".into(), Ok(policy(100)));
                world.entity(entity).inline.insert("Large".into(), Ok(policy(others - 100)));
                assert_eq!(messages(&world).is_empty(), fits, "{entity} {over}");
                assert_eq!(world.plan().steps.is_empty(), !fits);
            }
        }
    }

    #[test]
    fn who_uses_how_much_is_told_largest_first() {
        let mut world = World::fresh();
        for (name, size) in [("Alpha", 300), ("Beta", 1_000), ("Gamma", 600)] {
            world.entity(ANNA).inline.insert(name.into(), Ok(policy(size)));
        }
        insta::assert_snapshot!(messages(&world).join("\n"), @r#"inline policies of arn:aws:iam::444455556666:user/Anna may have 2048 characters together, without white space; 1900 are used ("Beta" 1000, "Gamma" 600, "Alpha" 300), and ours needs 264, so nothing was written; shorten or remove one of them, or set delegation: ManagedPolicy for consumer "partner""#);
    }

    #[test]
    fn a_policy_that_is_replaced_makes_room_and_one_that_stands_is_not_judged() {
        let mut world = World::shared();
        world.entity(ANNA).inline.insert("Large".into(), Ok(policy(2_000)));
        assert_eq!(messages(&world), Vec::<String>::new());
        let mut world = World::shared();
        let others = 2_048 - size_of_ours(&world);
        world.entity(ANNA).inline.insert("Large".into(), Ok(policy(others)));
        world.entity(ANNA).inline.insert(POLICY.into(), Ok(policy(1_000)));
        assert_eq!(messages(&world), Vec::<String>::new());
    }

    #[test]
    fn two_consumers_share_what_one_role_may_carry() {
        let mut world = World::fresh();
        let needed = size_of_ours(&world);
        world.desired.consumers.push(consumer("second", &account("partner", "444455556666"), &[ANNA]));
        world.entity(ANNA).inline.insert("Large".into(), Ok(policy(2_048 - needed)));
        let [message] = &messages(&world)[..] else { panic!("one for {ANNA}") };
        assert!(message.contains(&format!("ours needs {}", 2 * needed)), "{message}");
    }

    #[test]
    fn what_an_account_says_of_its_quotas_counts() {
        let mut world = World::fresh();
        world.entity(ANNA).inline.insert("Large".into(), Ok(policy(2_048)));
        world.desired.quotas.insert("owner".into(), Quotas { user_policy_size: Some(1), ..Quotas::default() });
        assert_eq!(messages(&world).len(), 1);
        world.desired.quotas.insert("partner".into(), Quotas { user_policy_size: Some(4_096), ..Quotas::default() });
        assert_eq!(messages(&world), Vec::<String>::new());
    }

    #[test]
    fn attached_policies_are_counted() {
        let world = |count| {
            let mut world = World::fresh();
            world.partner().delegation = Delegation::ManagedPolicy;
            attach(&mut world, APP, count);
            world
        };
        assert_eq!(messages(&world(9)), Vec::<String>::new());
        let mut full = world(10);
        insta::assert_snapshot!(messages(&full).join("\n"), @r#"arn:aws:iam::444455556666:role/App may have 10 managed policies attached; it has 10 (arn:aws:iam::444455556666:policy/P0, arn:aws:iam::444455556666:policy/P1, arn:aws:iam::444455556666:policy/P2, arn:aws:iam::444455556666:policy/P3, arn:aws:iam::444455556666:policy/P4 and 5 more), and ours would be 1 more, so nothing was written; detach one of them, ask AWS for a higher quota, or set delegation: InlinePolicy for consumer "partner""#);
        let more = Quotas { attached_policies_per_role: Some(20), ..Quotas::default() };
        full.desired.quotas.insert("partner".into(), more);
        assert_eq!(messages(&full), Vec::<String>::new());
        full.settle();
        // It is attached now, so it needs no place.
        full.desired.quotas.clear();
        assert_eq!(messages(&full), Vec::<String>::new());
    }

    #[test]
    fn a_managed_policy_that_is_too_long_says_so() {
        let mut world = World::fresh();
        world.partner().delegation = Delegation::ManagedPolicy;
        world.desired.quotas.insert("partner".into(), Quotas { policy_size: Some(100), ..Quotas::default() });
        insta::assert_snapshot!(messages(&world).join("\n"), @r#"managed policy arn:aws:iam::444455556666:policy/sharedkey@prod@team@orders@partner needs 264 characters, and a managed policy may have 100, so nothing was written; name fewer actions for consumer "partner""#);
    }

    #[test]
    fn what_was_shared_is_still_taken_away() {
        let mut world = World::shared();
        world.desired.consumers.push(consumer("second", &account("partner", "444455556666"), &[ANNA]));
        world.entity(ANNA).inline.insert("Large".into(), Ok(policy(2_000)));
        world.desired.consumers.remove(0);
        let plan = world.plan();
        assert!(plan.steps.iter().all(|step| step.action.revokes()));
        assert!(plan.steps.iter().any(|step| matches!(step.action, Action::DeleteInlinePolicy { .. })));
    }
}
