//! Who can read the secret: computed from the secret's policy, the reader's policies and the key, of which each can refuse (D§5.1).

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_api::{Reader, VerdictValue};
use sharedkey_policy::{
    Access, AccountId, Caller, EntityArn, Half, IdentityPolicies, KeyArn, PolicyDocument, SecretArn, Verdict,
};

use super::{
    desired::{DesiredReader, DesiredSecret},
    observed::{Described, ObservedKey, ObservedSecret, SecretKey},
};
use crate::{
    observed::{Entity, EntityState},
    verdict::{Block, PrincipalVerdict},
};

/// What AWS asks of the key when somebody reads the secret (D§5.2).
const DECRYPT: &str = "kms:Decrypt";
const READ: &str = "secretsmanager:GetSecretValue";

/// What the principals of one reader can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderVerdict {
    /// The reader's name.
    pub name: String,
    /// Its account.
    pub account: AccountId,
    /// One for each principal of the spec, in its order.
    pub principals: Vec<SecretVerdict>,
}

/// What one principal can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretVerdict {
    /// Whether it can read the secret, which takes all halves.
    pub principal: PrincipalVerdict,
    /// Whether it can decrypt with the key.
    pub key: VerdictValue,
}

/// The verdict of every principal of the spec.
pub(super) fn verdicts(desired: &DesiredSecret, observed: &ObservedSecret) -> Vec<ReaderVerdict> {
    let judged = |reader: &DesiredReader| ReaderVerdict {
        name: reader.name.clone(),
        account: reader.account.clone(),
        principals: reader.principals.iter().map(|arn| judge(desired, observed, reader, arn)).collect(),
    };
    desired.readers.iter().map(judged).collect()
}

/// The same while the secret of the name is somebody else's: nothing is told of it.
pub(super) fn of_others(desired: &DesiredSecret) -> Vec<ReaderVerdict> {
    let unknown = |arn: &EntityArn| SecretVerdict {
        principal: PrincipalVerdict {
            arn: arn.clone(),
            unique_id: None,
            value: VerdictValue::Unknown,
            reason: Some("the secret is not this object's".to_owned()),
            blocks: Vec::new(),
        },
        key: VerdictValue::Unknown,
    };
    let judged = |reader: &DesiredReader| ReaderVerdict {
        name: reader.name.clone(),
        account: reader.account.clone(),
        principals: reader.principals.iter().map(unknown).collect(),
    };
    desired.readers.iter().map(judged).collect()
}

fn judge(desired: &DesiredSecret, observed: &ObservedSecret, reader: &DesiredReader, arn: &EntityArn) -> SecretVerdict {
    let state = crate::observed::entity(&observed.entities, arn);
    let without = |value: VerdictValue, reason: String| SecretVerdict {
        principal: PrincipalVerdict {
            arn: arn.clone(),
            unique_id: state.map(|state| state.unique_id.clone()),
            value,
            reason: Some(reason),
            blocks: Vec::new(),
        },
        key: VerdictValue::Unknown,
    };
    let unknown = |reason: String| without(VerdictValue::Unknown, reason);
    if reader.is_handoff() {
        return unknown(format!(
            "Handoff: account {} is named by accountId alone, so its half is not read; attach the policy in handoffPolicy there",
            reader.account
        ));
    }
    match (observed.entities.get(arn), state) {
        (Some(Ok(Entity::Absent { .. })), _) => {
            return without(VerdictValue::Denied, format!("{arn} does not exist"));
        }
        (Some(Err(failure)), _) => return unknown(format!("the principal's half could not be read: {failure}")),
        (None, _) => return unknown("the principal's half was not read".to_owned()),
        _ => {}
    }
    let Some(state) = state else { return unknown("the principal's half was not read".to_owned()) };
    if let Some((name, malformed)) = state.malformed() {
        return unknown(format!("inline policy {name:?} of {arn} cannot be read as a policy: {malformed}"));
    }
    let (described, document) = match (&observed.secret, observed.described(), observed.document()) {
        (Err(failure), ..) => return unknown(format!("the secret could not be read: {failure}")),
        (Ok(_), None, _) => return without(VerdictValue::Denied, "the secret does not exist".to_owned()),
        (Ok(_), Some(_), None) => return unknown("the resource policy could not be read".to_owned()),
        (Ok(_), Some(described), Some(document)) => (described, document),
    };
    let subject = Subject { desired, observed, described, arn, state };
    let (secret, key) = (subject.secret(&document), subject.key());
    let value = match (secret.value, key.value) {
        _ if described.deletion.is_some() => VerdictValue::Denied,
        (VerdictValue::Denied, _) | (_, VerdictValue::Denied) => VerdictValue::Denied,
        (VerdictValue::Unknown, _) | (_, VerdictValue::Unknown) => VerdictValue::Unknown,
        (value, _) => value,
    };
    let pending = described.deletion.is_some().then(|| "the secret is scheduled for deletion".to_owned());
    let reasons: Vec<String> = pending.into_iter().chain(key.reason).chain(secret.reason).collect();
    SecretVerdict {
        key: key.value,
        principal: PrincipalVerdict {
            arn: arn.clone(),
            unique_id: Some(state.unique_id.clone()),
            value,
            reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
            blocks: secret.blocks.into_iter().chain(key.blocks).collect(),
        },
    }
}

/// What one of the two services says.
struct Said {
    value: VerdictValue,
    reason: Option<String>,
    blocks: Vec<Block>,
}

impl Said {
    fn new(value: VerdictValue, reason: impl Into<Option<String>>) -> Self {
        Self { value, reason: reason.into(), blocks: Vec::new() }
    }
}

/// One principal before the secret.
struct Subject<'a> {
    desired: &'a DesiredSecret,
    observed: &'a ObservedSecret,
    described: &'a Described,
    arn: &'a EntityArn,
    state: &'a EntityState,
}

impl Subject<'_> {
    fn caller(&self) -> Caller<'_> {
        Caller { arn: self.arn, unique_id: Some(&self.state.unique_id) }
    }

    /// The secret's half and the reader's half.
    fn secret(&self, document: &PolicyDocument) -> Said {
        let (secret, caller): (&SecretArn, _) = (&self.described.arn, self.caller());
        let tells = |name: &str| self.desired.names.tells(name);
        let access = Access::to_secret(document, &self.state.policies, secret, &caller, &tells);
        let (mut conditions, mut denied) = (BTreeSet::new(), BTreeSet::new());
        let (mut why, mut denials) = (None, BTreeMap::new());
        let mut actions = Reader::ACTIONS;
        actions.sort_by_key(|action| *action != READ);
        for action in actions {
            match access.verdict(action) {
                Verdict::Allowed { conditions: stated, .. } => conditions.extend(stated),
                Verdict::Denied { half, reason } => {
                    denied.insert(action);
                    // What differs in nothing but the action is told once, and of reading first.
                    let denial = denials.entry((half, reason.replace(action, "")));
                    let denial =
                        denial.or_insert_with(|| Block { half, reason: reason.clone(), actions: BTreeSet::new() });
                    denial.actions.insert(action.to_owned());
                    why.get_or_insert(reason);
                }
            }
        }
        let value = match (denied.contains(READ), denied.is_empty()) {
            (true, _) => VerdictValue::Denied,
            (false, false) => VerdictValue::Partial,
            (false, true) => VerdictValue::Allowed,
        };
        let blocks = denials.into_values().filter(is_block).collect();
        Said { value, reason: why.or_else(|| open(&conditions)), blocks }
    }

    /// The key's half, which is both halves of the key's sharing.
    fn key(&self) -> Said {
        let foreign = self.arn.account() != self.described.arn.account();
        let key = match &self.described.key {
            SecretKey::Key(key) => key,
            SecretKey::Default if foreign => {
                return Said::new(
                    VerdictValue::Denied,
                    "key: the secret is encrypted with aws/secretsmanager, which nobody of another account can use"
                        .to_owned(),
                );
            }
            // Its policy lets everybody of the account in who comes through Secrets Manager.
            SecretKey::Default => return Said::new(VerdictValue::Allowed, None),
            SecretKey::Unresolved { text, message } => {
                return Said::new(VerdictValue::Unknown, format!("key: {text} could not be resolved: {message}"));
            }
            SecretKey::Unread { text, failure } => {
                return Said::new(VerdictValue::Unknown, format!("key: {text} could not be resolved: {failure}"));
            }
        };
        let Some(ObservedKey { metadata, policy }) = self.observed.keys.get(key) else {
            let why = if let Err(refusal) = &self.desired.key {
                format!("the secret is encrypted with {key}, and the spec names no key that may be used: {refusal}")
            } else if self.desired.usable_keys().any(|wanted| &wanted.arn == key) {
                format!("no AwsAccount here reaches account {}, so the policy of {key} cannot be read", key.account())
            } else {
                format!("the secret is encrypted with {key}, which the spec does not name, so its policy is not read")
            };
            return Said::new(VerdictValue::Unknown, format!("key: {why}"));
        };
        match metadata {
            Ok(None) => return Said::new(VerdictValue::Denied, format!("key: {key} does not exist")),
            Ok(Some(metadata)) if !matches!(metadata.state.as_str(), "Enabled" | "Updating") => {
                return Said::new(VerdictValue::Denied, format!("key: {key} is in state {}", metadata.state));
            }
            _ => {}
        }
        match policy {
            Err(failure) => Said::new(VerdictValue::Unknown, format!("key: {failure}")),
            Ok(policy) => match policy.as_ref().map(|policy| &policy.document) {
                Some(Ok(document)) => self.decrypts(key, document),
                _ => Said::new(VerdictValue::Unknown, format!("key: the policy of {key} cannot be read as a policy")),
            },
        }
    }

    fn decrypts(&self, key: &KeyArn, document: &PolicyDocument) -> Said {
        let identity: &IdentityPolicies = &self.state.policies;
        let caller = self.caller();
        let tells = |name: &str| self.desired.names.tells(name);
        match Access::within(document, identity, key, &self.described.arn, &caller, &tells).verdict(DECRYPT) {
            Verdict::Allowed { conditions, .. } => {
                Said::new(VerdictValue::Allowed, open(&conditions.into_iter().collect()))
            }
            Verdict::Denied { half, reason } => Said {
                value: VerdictValue::Denied,
                reason: Some(format!("key: {}{reason}", self.advice(key, half))),
                blocks: Some(Block { half, reason, actions: [DECRYPT.to_owned()].into() })
                    .into_iter()
                    .filter(is_block)
                    .collect(),
            },
        }
    }

    /// Who can mend the key's half. It stands in front, where the bound of the text does not cut it off.
    fn advice(&self, key: &KeyArn, half: Half) -> String {
        let mut keys = self.desired.usable_keys().filter(|wanted| &wanted.arn == key);
        let shared = keys.find_map(|wanted| wanted.shared_key.as_ref());
        match (half, shared) {
            (Half::Boundary | Half::ExplicitDeny, _) => String::new(),
            (_, Some(name)) => format!("add it to a consumer of SharedKey {name:?} with access: Decrypt; "),
            (_, None) => "let it use kms:Decrypt on the key; ".to_owned(),
        }
    }
}

/// Conditions that only a request decides.
fn open(conditions: &BTreeSet<String>) -> Option<String> {
    (!conditions.is_empty()).then(|| format!("if {}", conditions.iter().cloned().collect::<Vec<_>>().join(" and ")))
}

/// A denial that no half of ours can mend.
fn is_block(denial: &Block) -> bool {
    matches!(denial.half, Half::Boundary | Half::ExplicitDeny)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        compare::testing::parse,
        desired::Delegation,
        secret::testing::{APP, KEY, OTHER_KEY, World},
    };

    /// Key, outcome and reason of the role of the partner.
    fn app(world: &World) -> (VerdictValue, VerdictValue, String) {
        let verdicts = world.compare().verdicts;
        let SecretVerdict { principal, key } = &verdicts[0].principals[0];
        assert_eq!(principal.arn.to_string(), APP);
        (*key, principal.value, principal.reason.clone().unwrap_or_default())
    }

    #[test]
    fn whoever_has_all_three_halves_can_read() {
        assert_eq!(app(&World::settled()), (VerdictValue::Allowed, VerdictValue::Allowed, String::new()));
    }

    #[test]
    fn each_half_that_is_missing_is_named() {
        use VerdictValue::{Allowed, Denied};
        type Change = fn(&mut World);
        let cases: [(Change, VerdictValue, &str); 5] = [
            (
                |world| world.aws.policy = None,
                Allowed,
                "the resource policy does not allow secretsmanager:GetSecretValue to",
            ),
            (|world| world.entity(APP).inline.clear(), Allowed, "no identity policy in account 444455556666 allows"),
            (
                |world| world.entity(APP).policies.policies.clear(),
                Denied,
                "key: add it to a consumer of SharedKey \"orders\" with access: Decrypt; no identity policy",
            ),
            (
                |world| {
                    let key = world.aws.keys.get_mut(&KEY.parse().unwrap()).unwrap();
                    key.policy.as_mut().unwrap().as_mut().unwrap().document = Ok(PolicyDocument::empty());
                },
                Denied,
                "key: add it to a consumer of SharedKey \"orders\" with access: Decrypt; the key policy does not allow",
            ),
            (
                |world| {
                    let key = world.aws.keys.get_mut(&KEY.parse().unwrap()).unwrap();
                    key.metadata.as_mut().unwrap().as_mut().unwrap().state = "Disabled".into();
                },
                Denied,
                "is in state Disabled",
            ),
        ];
        for (change, key, reason) in cases {
            let mut world = World::settled();
            change(&mut world);
            let found = app(&world);
            assert_eq!((found.0, found.1), (key, Denied), "{reason}");
            assert!(found.2.contains(reason), "{} should say: {reason}", found.2);
        }
    }

    #[test]
    fn a_key_whose_account_cannot_be_entered_is_not_guessed_about() {
        let mut world = World::settled();
        world.aws.keys.clear();
        let (key, value, reason) = app(&world);
        assert_eq!((key, value), (VerdictValue::Unknown, VerdictValue::Unknown));
        assert!(reason.contains("no AwsAccount here reaches account 111122223333"), "{reason}");
    }

    #[test]
    fn a_key_that_the_spec_does_not_name_is_not_looked_at() {
        let mut world = World::settled();
        world.aws.keys.remove(&OTHER_KEY.parse().unwrap());
        world.secret().key = SecretKey::Key(OTHER_KEY.parse().unwrap());
        let (key, value, reason) = app(&world);
        assert_eq!((key, value), (VerdictValue::Unknown, VerdictValue::Unknown));
        assert!(reason.contains(&format!("encrypted with {OTHER_KEY}, which the spec does not name")), "{reason}");
    }

    #[test]
    fn the_default_key_is_for_nobody_of_another_account() {
        let mut world = World::settled();
        world.secret().key = SecretKey::Default;
        let (key, value, reason) = app(&world);
        assert_eq!((key, value), (VerdictValue::Denied, VerdictValue::Denied));
        assert!(reason.contains("aws/secretsmanager"), "{reason}");
    }

    #[test]
    fn a_handoff_is_left_to_the_other_side() {
        let mut world = World::settled();
        world.partner().reach = None;
        world.partner().delegation = Delegation::None;
        let (_, value, reason) = app(&world);
        assert!(value == VerdictValue::Unknown && reason.starts_with("Handoff: "), "{value} {reason}");
    }

    #[test]
    fn a_deny_of_both_actions_is_one_block_and_told_of_reading() {
        let mut world = World::settled();
        world.edit_policy(r#""Effect":"Allow""#, r#""Effect":"Deny""#);
        let verdicts = world.compare().verdicts;
        let [block] = &verdicts[0].principals[0].principal.blocks[..] else { panic!("{verdicts:#?}") };
        assert_eq!(block.actions, Reader::ACTIONS.map(str::to_owned).into());
        assert!(block.reason.contains(READ), "{}", block.reason);
    }

    #[test]
    fn a_deny_of_others_is_a_block() {
        let mut world = World::settled();
        let deny = r#"{"Version":"2012-10-17","Statement":[{"Sid":"No","Effect":"Deny","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}"#;
        world
            .entity(APP)
            .policies
            .policies
            .push(sharedkey_policy::AttachedDocument { name: "policy P".into(), document: parse(deny) });
        let verdicts = world.compare().verdicts;
        let blocks = &verdicts[0].principals[0].principal.blocks;
        assert_eq!(blocks.iter().map(|block| block.half).collect::<Vec<_>>(), [Half::ExplicitDeny]);
    }
}
