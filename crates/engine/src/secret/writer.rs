//! Whether the operator itself may use the key: Secrets Manager uses it in the name of its caller (D§5.2).
//!
//! It is never added silently: the message names the principal that the SharedKey lacks. A key that the spec names by its ARN has no
//! SharedKey to ask, so it is AWS that says.

use std::collections::BTreeSet;

use sharedkey_api::{SharedKeyStatus, VerdictValue, conditions::Reason};
use sharedkey_policy::{EntityArn, EntityKind, KeyArn, SecretArn, action_matches};

use super::{
    desired::DesiredSecret,
    observed::{ObservedSecret, SecretKey},
};
use crate::{
    desired::{Account, Conditions, Desired, DesiredConsumer, Trust},
    plan::Blocker,
    problem::Failure,
    text::few,
};

/// What AWS does with the key when a value is written, and when a secret moves to it (D§5.4).
const ACTIONS: [&str; 3] = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"];

/// Keys that a message names: one that the secret leaves, and the one that it moves to.
const NAMED: usize = 2;

/// Who writes, and where the spec names the key.
pub(super) struct Writer<'a> {
    /// As AWS shows it: a session of a role, or a user. None before the account was entered.
    pub(super) identity: Option<&'a str>,
    /// The account of the secret.
    pub(super) account: &'a Account,
    /// The secret, if it is known already.
    pub(super) secret: Option<SecretArn>,
    /// The field that names the `SharedKey`.
    pub(super) field: &'a str,
    /// The name of the `SharedKey`.
    pub(super) name: &'a str,
}

/// What keeps the operator from using a key of another account. In the key's own account its policies decide, which nobody shares.
pub(super) fn obstacle(
    writer: &Writer<'_>,
    desired: &Desired,
    key: &KeyArn,
    status: Option<&SharedKeyStatus>,
) -> Option<Blocker> {
    let Writer { identity, account: Account { id: account, name: way }, field, name, secret } = writer;
    if key.account() == account {
        return None;
    }
    let Some(principal) = identity.and_then(Principal::of) else {
        return Some(Blocker {
            reason: Reason::AccountNotReady,
            message: format!(
                "{field}: it is not known yet as whom the operator enters account {account}, so neither is whether SharedKey {name:?} lets \
                 it use {key}; see the conditions of AwsAccount {way:?}"
            ),
        });
    };
    let consumers: Vec<&DesiredConsumer> = desired
        .consumers
        .iter()
        .filter(|consumer| &consumer.account == account && principal.is_let_in(consumer, secret.as_ref()))
        .collect();
    let may = |action: &str| {
        consumers.iter().any(|consumer| consumer.actions.iter().any(|pattern| action_matches(pattern, action)))
    };
    let lacks: Vec<&str> = ACTIONS.into_iter().filter(|action| !may(action)).collect();
    if !lacks.is_empty() {
        return Some(Blocker {
            reason: Reason::WriterNotConsumer,
            message: format!(
                "{field}: the operator writes secrets of account {account} as {principal}, and SharedKey {name:?} does not let it use {} on \
                 {key}, which AWS asks of whoever writes a secret; add {principal} to the principals of a consumer of account {account} \
                 there, with access: EncryptDecrypt and no conditions that Secrets Manager does not meet",
                lacks.join(", ")
            ),
        });
    }
    refused(&principal, &consumers, status).map(|why| Blocker {
        reason: Reason::SharedKeyNotReady,
        message: format!(
            "{field}: SharedKey {name:?} does not let {principal}, the operator's own role, use {key} yet: {why}"
        ),
    })
}

/// The role or user behind an identity.
pub(super) fn principal(identity: &str) -> Option<String> {
    Principal::of(identity).map(|principal| principal.to_string())
}

/// What is missing where AWS says of a call that its caller may not use the key. `observed` is the secret after it.
pub fn denied(desired: &DesiredSecret, observed: &ObservedSecret, failure: &Failure) -> Option<Blocker> {
    if !failure.is_of_key() {
        return None;
    }
    let keys = concerned(desired, observed, failure);
    let home = &desired.account.id;
    let halves = if keys.iter().all(|key| key.account() == home) {
        "by a policy of its own that the key's policy lets in (docs/iam/secrets.json)"
    } else {
        "in the policy of the key, and by a policy of its own (docs/iam/secrets.json)"
    };
    let named: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let named = if named.is_empty() { "the key of the secret".to_owned() } else { few(&named, NAMED) };
    // What to do comes first: the bound of the text cuts off what is behind.
    Some(Blocker {
        reason: Reason::WriterNotConsumer,
        message: format!(
            "let {}, as whom the operator writes secrets of account {home}, use {} on {}: {halves}; AWS denies it {}: {}",
            desired.writer.as_deref().unwrap_or("its own role"),
            ACTIONS.join(", "),
            named,
            failure.action,
            failure.message,
        ),
    })
}

/// The keys that AWS uses for a call: the one of the spec, those that the secret and its versions have, and for copies theirs as well.
fn concerned<'a>(desired: &'a DesiredSecret, observed: &'a ObservedSecret, failure: &Failure) -> BTreeSet<&'a KeyArn> {
    let versions = observed.versions.iter().flatten().flatten().flat_map(|version| &version.keys);
    let present = observed.described().map(|described| &described.key).into_iter().chain(versions);
    let present = present.filter_map(|key| match key {
        SecretKey::Key(key) => Some(key),
        _ => None,
    });
    let copies = desired.usable_keys().map(|key| &key.arn);
    let copies = copies.filter(|_| failure.action == "secretsmanager:ReplicateSecretToRegions");
    desired.key_arn().into_iter().chain(present).chain(copies).collect()
}

/// Why the key does not work for the operator yet, although its SharedKey asks for it.
fn refused(principal: &Principal, consumers: &[&DesiredConsumer], status: Option<&SharedKeyStatus>) -> Option<String> {
    let Some(status) = status else { return Some("it was not looked at yet".to_owned()) };
    let of_spec = |name: &str| consumers.iter().any(|consumer| consumer.name == name);
    let told =
        status.consumers.iter().filter(|consumer| of_spec(&consumer.name)).flat_map(|consumer| &consumer.principals);
    let told = told.filter(|told| told.arn.parse::<EntityArn>().is_ok_and(|arn| principal.is(&arn)));
    let denied = told.into_iter().find(|told| told.verdict == VerdictValue::Denied)?;
    Some(denied.reason.clone().unwrap_or_else(|| "it is denied".to_owned()))
}

/// The role or user behind an identity. The ARN of a session lacks the role's path (D§1.2).
struct Principal {
    kind: EntityKind,
    name: String,
    arn: String,
}

impl Principal {
    fn of(identity: &str) -> Option<Self> {
        if let Ok(user) = identity.parse::<EntityArn>() {
            return Some(Self { kind: user.kind(), name: user.name().to_owned(), arn: identity.to_owned() });
        }
        let (head, session) = identity.split_once(":assumed-role/")?;
        let (name, _) = session.split_once('/')?;
        let arn = format!("{}:role/{name}", head.replacen(":sts:", ":iam:", 1));
        Some(Self { kind: EntityKind::Role, name: name.to_owned(), arn })
    }

    fn is(&self, arn: &EntityArn) -> bool {
        arn.kind() == self.kind && arn.name() == self.name
    }

    /// Whether a consumer of its account is about it, and Secrets Manager may use the key on its behalf.
    fn is_let_in(&self, consumer: &DesiredConsumer, secret: Option<&SecretArn>) -> bool {
        let named = consumer.principals.iter().any(|arn| self.is(arn)) || consumer.trust == Trust::Account;
        let Conditions { via_services, encryption_context, .. } = &consumer.conditions;
        let is_service = via_services.iter().any(|service| service.starts_with("secretsmanager."));
        // Of what Secrets Manager states only this is the same at each call, and nobody knows it before the secret exists (D§5.3).
        let is_secret = |(key, value): (&String, &String)| {
            key.eq_ignore_ascii_case("SecretARN") && secret.is_some_and(|secret| *value == secret.to_string())
        };
        named && (via_services.is_empty() || is_service) && encryption_context.iter().all(is_secret)
    }
}

impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.arn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        problem::Class,
        secret::testing::{KEY, OTHER_KEY, REPLICA_KEY, World, key},
    };

    fn failure(action: &str, message: &str) -> Failure {
        Failure {
            class: Class::OperatorUnauthorised,
            account: "111122223333".parse().unwrap(),
            action: action.into(),
            resource: "team/db".into(),
            code: "AccessDeniedException".into(),
            message: message.into(),
        }
    }

    fn told(world: &World, action: &str) -> String {
        let failure = failure(action, "Access to KMS is not allowed");
        let blocker = denied(&world.desired, &world.seen(), &failure).unwrap();
        assert_eq!(blocker.reason, Reason::WriterNotConsumer);
        blocker.message
    }

    #[test]
    fn a_key_that_aws_denies_the_operator_is_told_with_the_role_and_with_what_to_do() {
        let mut world = World::fresh();
        let own = "let arn:aws:iam::111122223333:role/Operator, as whom the operator writes secrets of account 111122223333, use \
                   kms:Decrypt, kms:Encrypt, kms:GenerateDataKey on";
        let made = "secretsmanager:CreateSecret";
        assert_eq!(
            told(&world, made),
            format!(
                "{own} {KEY}: by a policy of its own that the key's policy lets in (docs/iam/secrets.json); AWS denies it {made}: Access to \
                 KMS is not allowed"
            )
        );
        let foreign = KEY.replace("111122223333", "777788889999");
        world.desired.key = Ok(key(&foreign));
        let message = told(&world, made);
        let halves = "in the policy of the key, and by a policy of its own (docs/iam/secrets.json)";
        assert!(message.starts_with(&format!("{own} {foreign}: {halves}")), "{message}");
        world.desired.writer = None;
        assert!(told(&world, made).starts_with("let its own role, as whom the operator writes"));
    }

    #[test]
    fn the_key_that_a_secret_leaves_and_those_of_copies_are_named_where_aws_uses_them() {
        let mut world = World::complete();
        world.desired.key = Ok(key(OTHER_KEY));
        let message = told(&world, "secretsmanager:UpdateSecret");
        assert!(message.contains(&format!("{OTHER_KEY}, {KEY}: by")), "{message}");
        world.desired.key = Ok(key(KEY));
        let message = told(&world, "secretsmanager:ReplicateSecretToRegions");
        assert!(message.contains(KEY) && message.contains(REPLICA_KEY), "{message}");
    }

    #[test]
    fn what_is_denied_otherwise_is_no_matter_of_the_key() {
        let world = World::fresh();
        let failure =
            failure("secretsmanager:CreateSecret", "User is not authorized to perform: secretsmanager:CreateSecret");
        assert_eq!(denied(&world.desired, &world.seen(), &failure), None);
    }
}
