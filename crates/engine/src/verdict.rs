//! What each principal can do with the key: computed from both halves as they were read, never guessed (design §7).

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_api::VerdictValue;
use sharedkey_policy::{
    Access, AccountId, Caller, EntityArn, Half, KeyArn, PolicyDocument, Verdict, expand, is_cross_account, is_known,
};

use crate::{
    desired::{Desired, DesiredConsumer},
    names::Names,
    observed::{Entity, EntityState, Observed},
    overlap::{Ours, Overlap},
};

/// What the principals of one consumer can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerVerdict {
    /// The consumer's name.
    pub name: String,
    /// Its account.
    pub account: AccountId,
    /// One for each principal of the spec, in its order.
    pub principals: Vec<PrincipalVerdict>,
}

/// What one principal can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalVerdict {
    /// The role or user.
    pub arn: EntityArn,
    /// Its unique id, when it exists and could be read.
    pub unique_id: Option<String>,
    /// All of the consumer's actions, some, none, or not known.
    pub value: VerdictValue,
    /// Why not all of them, or under which conditions.
    pub reason: Option<String>,
    /// Denials that no half of ours can mend.
    pub blocks: Vec<Block>,
}

/// A denial by somebody's policy or boundary although both halves are in place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block {
    /// What denies.
    pub half: Half,
    /// Which policy or statement, and how.
    pub reason: String,
    /// The actions that it denies.
    pub actions: BTreeSet<String>,
}

/// The verdict of every principal of the spec.
pub(crate) fn verdicts(desired: &Desired, observed: &Observed, key: Option<&KeyArn>) -> Vec<ConsumerVerdict> {
    let policy = key.zip(observed.document());
    let policy = policy.map(|(key, document)| KeyHalf {
        key,
        document,
        names: &desired.names,
        ours: Ours::of(document, desired.names.owner()),
    });
    let judged = |consumer: &DesiredConsumer| {
        let asked = Asked::by(consumer, &desired.key.account.id);
        let judged = consumer.principals.iter().map(|arn| judge(consumer, &asked, arn, observed, policy.as_ref()));
        ConsumerVerdict { name: consumer.name.clone(), account: consumer.account.clone(), principals: judged.collect() }
    };
    desired.consumers.iter().map(judged).collect()
}

/// The key policy, once it is known.
struct KeyHalf<'a> {
    key: &'a KeyArn,
    document: &'a PolicyDocument,
    names: &'a Names,
    ours: Ours,
}

/// What a consumer asks for, without patterns.
struct Asked {
    /// What has an effect for it: across accounts most actions have none, whatever both halves say (D§2.1).
    known: Vec<String>,
    /// Misspelled, or newer than this operator.
    strange: Vec<String>,
}

impl Asked {
    fn by(consumer: &DesiredConsumer, owner: &AccountId) -> Self {
        let (mut known, strange): (Vec<_>, _) =
            expanded(&consumer.actions).into_iter().partition(|action| is_known(action));
        known.retain(|action| consumer.account == *owner || is_cross_account(action));
        Self { known, strange }
    }
}

fn judge(
    consumer: &DesiredConsumer,
    asked: &Asked,
    arn: &EntityArn,
    observed: &Observed,
    policy: Option<&KeyHalf<'_>>,
) -> PrincipalVerdict {
    let unknown = |reason: String| PrincipalVerdict {
        arn: arn.clone(),
        unique_id: observed.entity(arn).map(|state| state.unique_id.clone()),
        value: VerdictValue::Unknown,
        reason: Some(reason),
        blocks: Vec::new(),
    };
    if consumer.is_handoff() {
        return unknown(format!(
            "Handoff: account {} is named by accountId alone, so its half is not read; attach the policy in handoffPolicy there",
            consumer.account
        ));
    }
    let state = match observed.entities.get(arn) {
        Some(Ok(Entity::Present(state))) => state,
        Some(Ok(Entity::Absent { .. })) => {
            return PrincipalVerdict { value: VerdictValue::Denied, ..unknown(format!("{arn} does not exist")) };
        }
        Some(Err(failure)) => return unknown(format!("the principal's half could not be read: {failure}")),
        None => return unknown("the principal's half was not read".to_owned()),
    };
    if let Some(dead) = unusable(observed) {
        return PrincipalVerdict { value: VerdictValue::Denied, ..unknown(dead) };
    }
    // What it says may allow, deny, or do neither.
    if let Some((name, malformed)) = state.malformed() {
        return unknown(format!("inline policy {name:?} of {arn} cannot be read as a policy: {malformed}"));
    }
    match policy {
        None => unknown("the key policy could not be read".to_owned()),
        Some(policy) => decide(asked, arn, state, policy),
    }
}

/// What keeps everybody from using the key.
fn unusable(observed: &Observed) -> Option<String> {
    match observed.key.metadata.as_ref().ok()? {
        None => Some("the key does not exist".to_owned()),
        Some(key) if matches!(key.state.as_str(), "Enabled" | "Updating") => None,
        Some(key) => Some(format!("the key is in state {}", key.state)),
    }
}

fn decide(
    Asked { known, strange }: &Asked,
    arn: &EntityArn,
    state: &EntityState,
    KeyHalf { key, document, names, ours }: &KeyHalf<'_>,
) -> PrincipalVerdict {
    let caller = Caller { arn, unique_id: Some(&state.unique_id) };
    let tells = |name: &str| names.tells(name);
    let access = Access::new(document, &state.policies, key, &caller, &tells);
    let mut allowed = 0;
    let mut conditions = BTreeSet::new();
    let mut overlap = Overlap::default();
    let mut denials: BTreeMap<(Half, String), Denial> = BTreeMap::new();
    for (verdict, actions) in access.verdicts(known.iter().map(String::as_str)) {
        match verdict {
            Verdict::Allowed { by, conditions: stated } => {
                allowed += actions.len();
                overlap.add(ours, by, &actions);
                conditions.extend(stated);
            }
            Verdict::Denied { half, reason } => {
                // What differs in nothing but the action is told once.
                let alike = actions.iter().fold(reason.clone(), |alike, action| alike.replace(action, ""));
                let denial = denials.entry((half, alike)).or_default();
                denial.reason.get_or_insert(reason);
                denial.actions.extend(actions.into_iter().map(str::to_owned));
            }
        }
    }
    let value = match (allowed, denials.is_empty()) {
        // Policies say what they say of an action that does not exist, and KMS permits nothing.
        (0, true) => VerdictValue::Unknown,
        (_, true) => VerdictValue::Allowed,
        (0, false) => VerdictValue::Denied,
        _ => VerdictValue::Partial,
    };
    PrincipalVerdict {
        arn: arn.clone(),
        unique_id: Some(state.unique_id.clone()),
        value,
        reason: with_strange(strange, reason(&conditions, denials.values(), value, overlap.reason(allowed))),
        blocks: blocks(denials, value),
    }
}

/// Says of which actions nothing is known: misspelled, or newer than this operator.
fn with_strange(strange: &[String], reason: Option<String>) -> Option<String> {
    if strange.is_empty() {
        return reason;
    }
    let unknown = format!("{}: no action that this operator knows, so it is not judged", strange.join(", "));
    Some(reason.map_or(unknown.clone(), |reason| format!("{reason}; {unknown}")))
}

/// The known actions that the patterns cover. An action that is not known yet is asked about as it is.
pub(crate) fn expanded(actions: &BTreeSet<String>) -> BTreeSet<String> {
    let known = |pattern: &String| match expand(pattern) {
        known if known.is_empty() => vec![pattern.clone()],
        known => known.into_iter().map(str::to_owned).collect(),
    };
    actions.iter().flat_map(known).collect()
}

/// One way in which actions are denied.
#[derive(Default)]
struct Denial {
    /// As it is told of the first of them.
    reason: Option<String>,
    actions: BTreeSet<String>,
}

impl Denial {
    /// One action stands for all where all are denied.
    fn text(&self, value: VerdictValue) -> String {
        let reason = self.reason.clone().unwrap_or_default();
        match self.actions.iter().skip(1).cloned().collect::<Vec<_>>() {
            others if others.is_empty() || value == VerdictValue::Denied => reason,
            others => format!("{reason}; likewise {}", others.join(", ")),
        }
    }
}

fn reason<'a>(
    conditions: &BTreeSet<String>,
    denials: impl Iterator<Item = &'a Denial>,
    value: VerdictValue,
    overlap: Option<String>,
) -> Option<String> {
    let mut parts: Vec<String> = denials.map(|denial| denial.text(value)).collect();
    if parts.is_empty() && !conditions.is_empty() {
        parts.push(format!("if {}", conditions.iter().cloned().collect::<Vec<_>>().join(" and ")));
    }
    parts.extend(overlap);
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn blocks(denials: BTreeMap<(Half, String), Denial>, value: VerdictValue) -> Vec<Block> {
    denials
        .into_iter()
        .filter(|((half, _), _)| matches!(half, Half::Boundary | Half::ExplicitDeny))
        .map(|((half, _), denial)| Block { half, reason: denial.text(value), actions: denial.actions })
        .collect()
}

#[cfg(test)]
mod tests {
    use sharedkey_policy::PolicyDocument;

    use crate::compare::testing::{APP, DELEGATION, FOREIGN, OURS, World, parse};

    /// The reason of the first principal, where our statement is gone and these others stand in the key policy.
    fn reason_beside(statements: &[&str], change: impl FnOnce(&mut World)) -> String {
        let mut world = World::shared();
        world.put_statements(&[&FOREIGN[..], statements].concat());
        change(&mut world);
        world.compare().verdicts[0].principals[0].reason.clone().unwrap_or_default()
    }

    #[test]
    fn what_another_namespace_shares_is_not_told_by_a_reason() {
        let theirs = OURS.replace("prod/team/orders", "prod/payroll/wages").replace(r#""kms:Decrypt","#, "");
        let elsewhere = OURS.replace("prod/team/orders", "test/team/orders").replace("444455556666", "777788889999");
        let reason = reason_beside(&[&theirs, &elsewhere], |_| ());
        insta::assert_snapshot!(reason, @"the key policy does not allow kms:Decrypt to arn:aws:iam::444455556666:role/App");
        let policy = parse(&DELEGATION.replace("key/", "key/0"));
        let reason = reason_beside(&[OURS], |world| {
            let inline = &mut world.entity(APP).inline;
            inline.clear();
            inline.insert("sharedkey@prod@payroll@wages@partner".into(), Ok(policy));
        });
        insta::assert_snapshot!(reason, @"no identity policy in account 444455556666 allows kms:Decrypt on the key to arn:aws:iam::444455556666:role/App");
        // Conditions of theirs count, and are not told either.
        let when = r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-payroll"}}}"#;
        let theirs = OURS
            .replace("prod/team/orders", "prod/payroll/wages")
            .replace(r#""Resource":"*"}"#, &format!(r#""Resource":"*"{when}"#));
        let reason = reason_beside(&[&theirs], |_| ());
        insta::assert_snapshot!(reason, @"if the conditions of a statement that is not shown here");
    }

    #[test]
    fn what_others_of_the_namespace_share_is_told() {
        let theirs = OURS.replace("prod/team/orders", "prod/team/wages").replace(r#""kms:Decrypt","#, "");
        let reason = reason_beside(&[&theirs], |_| ());
        insta::assert_snapshot!(reason, @r#"the key policy does not allow kms:Decrypt to arn:aws:iam::444455556666:role/App; statement "SharedKey/prod/team/wages/partner" names it, but not for this action"#);
    }

    /// IAM refuses such a policy today; a grammar that is newer than this operator would be read so.
    #[test]
    fn a_policy_that_nobody_understands_leaves_the_verdict_open() {
        let mut world = World::shared();
        let strange = PolicyDocument::parse(r#"{"Version":"2030-01-01","Rules":[]}"#);
        world.entity(APP).inline.insert("Strange".into(), strange);
        let verdicts = world.compare().verdicts;
        let app = &verdicts[0].principals[0];
        insta::assert_snapshot!(format!("{:?}: {}", app.value, app.reason.clone().unwrap_or_default()), @r#"Unknown: inline policy "Strange" of arn:aws:iam::444455556666:role/App cannot be read as a policy: malformed policy: Version: expected "2012-10-17" or "2008-10-17""#);
    }
}
