//! The key of the secret: it can be used, encrypts the secret, and every version that is in use.

use std::collections::BTreeSet;

use sharedkey_api::{DriftKind, conditions::Reason};
use sharedkey_policy::{KeyArn, KeyKind};

use super::Case;
use crate::{
    compare::{Cause, Finding, key as any_key},
    ledger::{Aspect, Record},
    names::digest,
    observed::KeyMetadata,
    plan::Blocker,
    secret::{
        desired::{DesiredSecret, EncryptionKey},
        observed::{Described, Lag, SecretKey, Version},
    },
    summarise::failure_reason,
    text::few,
};

/// The labels of versions that AWS moves to another key (D§5.4).
const IN_USE: [&str; 3] = ["AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"];
/// Versions that a message names.
const NAMED: usize = 3;

impl std::fmt::Display for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("aws/secretsmanager"),
            Self::Key(key) => key.fmt(f),
            Self::Unresolved { text, .. } | Self::Unread { text, .. } => f.write_str(text),
        }
    }
}

impl Case<'_> {
    /// The keys of the secret and its replicas, each once.
    fn keys(&self) -> Vec<&EncryptionKey> {
        let mut seen = BTreeSet::new();
        self.desired.usable_keys().filter(|key| seen.insert(&key.arn)).collect()
    }

    /// What KMS says of a key, if it could be asked and knows it.
    fn metadata(&self, key: &KeyArn) -> Option<&KeyMetadata> {
        self.observed.keys.get(key)?.metadata.as_ref().ok()?.as_ref()
    }

    fn is_gone(&self, key: &KeyArn) -> bool {
        self.observed.keys.get(key).is_some_and(|key| matches!(key.metadata, Ok(None)))
    }
}

/// `KeyMissing`
pub(super) fn missing(case: &Case<'_>) -> Vec<Finding> {
    let gone = case.keys().into_iter().filter(|key| case.is_gone(&key.arn));
    gone.map(|EncryptionKey { arn, .. }| {
        let message = format!("{arn} does not exist; correct the spec or create it, nothing is encrypted until then");
        any_key::absent(arn.account(), arn.to_string(), message)
    })
    .collect()
}

/// `KeyDisabled`, `KeyPendingDeletion`, `KeyUnavailable`
pub(super) fn state(case: &Case<'_>) -> Vec<Finding> {
    let known = case.keys().into_iter().filter_map(|key| Some((&key.arn, case.metadata(&key.arn)?)));
    known.filter_map(|(key, metadata)| any_key::unusable(key, metadata)).collect()
}

/// Keys that Secrets Manager cannot use (D§5.2), or that no reader of another account ever can (D§5.1).
pub(super) fn incapable(case: &Case<'_>) -> Vec<Blocker> {
    let home = &case.desired.account.id;
    let foreign = case.desired.readers.iter().any(|reader| &reader.account != home);
    let mut blockers = Vec::new();
    for EncryptionKey { arn, .. } in case.keys() {
        let Some(metadata) = case.metadata(arn) else { continue };
        if KeyKind::of(&metadata.usage, &metadata.spec).is_some_and(|kind| kind != KeyKind::Symmetric) {
            blockers.push(Blocker {
                reason: Reason::InvalidSpec,
                message: format!(
                    "{arn} has key usage {} and key spec {}, and Secrets Manager encrypts with symmetric keys only; name another key",
                    metadata.usage, metadata.spec
                ),
            });
        }
        if metadata.aws_managed && foreign {
            blockers.push(Blocker {
                reason: Reason::KeyNotShareable,
                message: format!(
                    "{arn} is managed by AWS, and no reader of another account can use it; use a customer managed key"
                ),
            });
        }
    }
    blockers
}

/// A key that could not be looked up. It may be the one that is wanted, so it is no drift; and it may be another one, so nothing is given
/// under it, and the secret is not moved either: whoever has chosen an alias has perhaps chosen this key.
pub(super) fn unread(case: &Case<'_>) -> Option<Blocker> {
    let described = case.described?;
    // What passes by itself is waited for without a word to a person.
    let failure = described.key.failure().filter(|failure| failure.class.is_lasting())?;
    Some(Blocker {
        reason: failure_reason(failure),
        message: format!(
            "it is not known which key encrypts secret {}, because AWS names it {}: {failure}; or name the key of the secret by its ARN",
            described.arn, described.key
        ),
    })
}

/// `KeyChanged`
pub(super) fn changed(case: &Case<'_>) -> Vec<Finding> {
    let (Some(described), Some(wanted)) = (case.described, case.desired.key_arn()) else { return Vec::new() };
    if !described.key.is_other(wanted) {
        return Vec::new();
    }
    let (resource, found) = (case.desired.aspect(Aspect::Key), described.key.to_string());
    let cause = case.part_cause(&resource, &found, described.lagging.contains(&Lag::Key));
    let message = format!(
        "secret {} is encrypted with {found}, not with {wanted}; who cannot use that key cannot read it",
        described.arn
    );
    vec![Finding {
        expected: Some(wanted.to_string()),
        observed: Some(found),
        ..case.finding(DriftKind::KeyChanged, cause, Some(resource), "kmsKeyId", message)
    }]
}

/// `VersionsOnOldKey`: AWS moves them, but not if the caller may not use `kms:Encrypt` on the new key, and then says nothing (D§5.4).
pub(super) fn versions(case: &Case<'_>) -> Vec<Finding> {
    let (Some(described), Some(Ok(versions))) = (case.described, &case.observed.versions) else { return Vec::new() };
    let Some(wanted) = case.desired.key_arn().filter(|key| is_key(described, key)) else { return Vec::new() };
    let old: Vec<&Version> = on_old_key(wanted, versions);
    let Some(first) = old.first() else { return Vec::new() };
    let named: Vec<String> = old.iter().map(|version| labelled(version)).collect();
    let keys: BTreeSet<String> = old.iter().flat_map(|version| &version.keys).map(ToString::to_string).collect();
    let keys: Vec<String> = keys.into_iter().collect();
    let (versions, are) = if old.len() == 1 { ("version", "is") } else { ("versions", "are") };
    // What to do comes first: the bound of the text cuts off what is behind.
    let message = format!(
        "let the operator's role use kms:Encrypt on {wanted}, and keep the old key until then: {versions} {} of secret {} {are} still \
         encrypted with {}",
        few(&named, NAMED),
        described.arn,
        few(&keys, NAMED),
    );
    vec![Finding {
        expected: Some(wanted.to_string()),
        observed: Some(few(&keys, NAMED)),
        ..case.finding(
            DriftKind::VersionsOnOldKey,
            Cause::Drift,
            Some(case.desired.aspect(Aspect::Key)),
            first.id.clone(),
            message,
        )
    }]
}

fn labelled(version: &Version) -> String {
    format!("{} ({})", version.id, version.stages.iter().cloned().collect::<Vec<_>>().join(", "))
}

fn is_key(described: &Described, key: &KeyArn) -> bool {
    described.key == SecretKey::Key(key.clone())
}

fn with_labels(versions: &[Version]) -> impl Iterator<Item = &Version> {
    versions.iter().filter(|version| version.stages.iter().any(|stage| IN_USE.contains(&stage.as_str())))
}

fn on_old_key<'a>(wanted: &KeyArn, versions: &'a [Version]) -> Vec<&'a Version> {
    with_labels(versions).filter(|version| version.keys.iter().all(|key| key.is_other(wanted))).collect()
}

/// Whether the versions have to be listed: the key or the labelled versions are not those of the last time that all was well.
pub fn versions_due(desired: &DesiredSecret, described: &Described, record: &Record) -> bool {
    let settled = |key: &&KeyArn| is_key(described, key) && described.deletion.is_none();
    let key = desired.key_arn().filter(settled).filter(|_| !in_use(described).is_empty());
    key.is_some_and(|key| record.versions.as_ref() != Some(&fingerprint(key, described)))
}

/// What the ledger is to know of key and versions.
pub(super) fn checked(case: &Case<'_>) -> Option<String> {
    let (described, key) = (case.described?, case.desired.key_arn()?);
    let has_moved = |version: &Version| version.keys.contains(&SecretKey::Key(key.clone()));
    match &case.observed.versions {
        Some(Ok(versions)) if is_key(described, key) && with_labels(versions).all(has_moved) => {
            Some(fingerprint(key, described))
        }
        _ => None,
    }
}

fn in_use(described: &Described) -> Vec<&str> {
    IN_USE.iter().filter_map(|stage| described.version(stage)).collect()
}

fn fingerprint(key: &KeyArn, described: &Described) -> String {
    let key = key.to_string();
    let parts: Vec<&str> = [key.as_str()].into_iter().chain(in_use(described)).collect();
    digest(&parts)
}
