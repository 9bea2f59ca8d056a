//! Whether the operator itself may use the key: Secrets Manager uses it in the name of its caller (D§5.2).
//!
//! It is never added silently: the message names the principal that the SharedKey lacks.

use sharedkey_api::{SharedKeyStatus, VerdictValue, conditions::Reason};
use sharedkey_policy::{EntityArn, EntityKind, KeyArn, SecretArn, action_matches};

use crate::{
    desired::{Account, Conditions, Desired, DesiredConsumer, Trust},
    plan::Blocker,
};

/// What AWS does with the key when a value is written, and when a secret moves to it (D§5.4).
const ACTIONS: [&str; 3] = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"];

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
