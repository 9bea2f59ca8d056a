//! What KMS can be asked to do, and what of it has an effect for whom (D§2.1–2.3).
//!
//! The list is knowledge, not a gate: an action that it lacks is carried and compared as it is spelled, because AWS adds
//! actions faster than operators are upgraded.

use crate::glob::{glob_match_by, is_literal};

/// What an action is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Uses or describes the key.
    Use,
    /// Makes, lists or ends grants.
    Grant,
    /// Changes the key, or reads how it is set up.
    Administration,
}

use Class::{Administration, Grant, Use};

/// (IAM action, class, works across accounts). `ReEncrypt` is two actions in IAM (D§2.1).
const ACTIONS: &[(&str, Class, bool)] = &[
    ("kms:Encrypt", Use, true),
    ("kms:Decrypt", Use, true),
    ("kms:ReEncryptFrom", Use, true),
    ("kms:ReEncryptTo", Use, true),
    ("kms:GenerateDataKey", Use, true),
    ("kms:GenerateDataKeyWithoutPlaintext", Use, true),
    ("kms:GenerateDataKeyPair", Use, true),
    ("kms:GenerateDataKeyPairWithoutPlaintext", Use, true),
    ("kms:GenerateMac", Use, true),
    ("kms:VerifyMac", Use, true),
    ("kms:Sign", Use, true),
    ("kms:Verify", Use, true),
    ("kms:DeriveSharedSecret", Use, true),
    ("kms:Encapsulate", Use, true),
    ("kms:Decapsulate", Use, true),
    ("kms:DescribeKey", Use, true),
    ("kms:GetPublicKey", Use, true),
    ("kms:GetKeyRotationStatus", Use, true),
    ("kms:GenerateRandom", Use, false),
    ("kms:CreateGrant", Grant, true),
    ("kms:ListGrants", Grant, true),
    ("kms:RevokeGrant", Grant, true),
    ("kms:RetireGrant", Grant, true),
    ("kms:ListRetirableGrants", Grant, false),
    ("kms:CancelKeyDeletion", Administration, false),
    ("kms:ConnectCustomKeyStore", Administration, false),
    ("kms:CreateAlias", Administration, false),
    ("kms:CreateCustomKeyStore", Administration, false),
    ("kms:CreateKey", Administration, false),
    ("kms:DeleteAlias", Administration, false),
    ("kms:DeleteCustomKeyStore", Administration, false),
    ("kms:DeleteImportedKeyMaterial", Administration, false),
    ("kms:DescribeCustomKeyStores", Administration, false),
    ("kms:DisableKey", Administration, false),
    ("kms:DisableKeyRotation", Administration, false),
    ("kms:DisconnectCustomKeyStore", Administration, false),
    ("kms:EnableKey", Administration, false),
    ("kms:EnableKeyRotation", Administration, false),
    ("kms:GetKeyLastUsage", Administration, false),
    ("kms:GetKeyPolicy", Administration, false),
    ("kms:GetParametersForImport", Administration, false),
    ("kms:ImportKeyMaterial", Administration, false),
    ("kms:ListAliases", Administration, false),
    ("kms:ListKeyPolicies", Administration, false),
    ("kms:ListKeyRotations", Administration, false),
    ("kms:ListKeys", Administration, false),
    ("kms:ListResourceTags", Administration, false),
    ("kms:PutKeyPolicy", Administration, false),
    ("kms:ReplicateKey", Administration, false),
    ("kms:RotateKeyOnDemand", Administration, false),
    ("kms:ScheduleKeyDeletion", Administration, false),
    ("kms:SynchronizeMultiRegionKey", Administration, false),
    ("kms:TagResource", Administration, false),
    ("kms:UntagResource", Administration, false),
    ("kms:UpdateAlias", Administration, false),
    ("kms:UpdateCustomKeyStore", Administration, false),
    ("kms:UpdateKeyDescription", Administration, false),
    ("kms:UpdatePrimaryRegion", Administration, false),
];

/// Whether an action pattern covers an action. Case does not matter (D§1.4).
pub fn action_matches(pattern: &str, action: &str) -> bool {
    if is_literal(pattern) { pattern.eq_ignore_ascii_case(action) } else { covers(pattern, action) }
}

fn covers(pattern: &str, action: &str) -> bool {
    glob_match_by(pattern, action, |wanted, found| wanted.eq_ignore_ascii_case(&found))
}

/// The known actions that a pattern such as `kms:ReEncrypt*` covers, in AWS's spelling.
pub fn expand(pattern: &str) -> Vec<&'static str> {
    matched(pattern).map(|&(action, ..)| action).collect()
}

/// Whether the pattern covers an action that changes the key or reads how it is set up, so that no consumer may have it.
pub fn is_administrative(pattern: &str) -> bool {
    matched(pattern).any(|&(_, class, _)| class == Administration)
}

/// Whether the pattern covers an action of grants: whoever may create grants can hand on any operation (D§3.6).
pub fn is_grant_action(pattern: &str) -> bool {
    matched(pattern).any(|&(_, class, _)| class == Grant)
}

/// Whether the pattern covers an action that has an effect for a principal of another account (D§2.1).
pub fn is_cross_account(pattern: &str) -> bool {
    matched(pattern).any(|&(_, _, across)| across)
}

/// Whether the list knows an action that the pattern covers.
pub fn is_known(pattern: &str) -> bool {
    matched(pattern).next().is_some()
}

fn matched(pattern: &str) -> impl Iterator<Item = &'static (&'static str, Class, bool)> {
    // Most patterns are none, and every verdict asks.
    let matches = if is_literal(pattern) { str::eq_ignore_ascii_case } else { covers };
    ACTIONS.iter().filter(move |(action, ..)| matches(pattern, action))
}

/// AWS's spelling of an action or of a pattern's beginning, for messages. What is not known stays as it is spelled.
pub(crate) fn spelled(pattern: &str) -> String {
    let literal = pattern.find(['*', '?']).unwrap_or(pattern.len());
    let (begin, rest) = pattern.split_at(literal);
    let whole = rest.is_empty();
    let known = ACTIONS.iter().map(|&(known, ..)| known).find(|known| match known.get(..literal) {
        Some(spelling) => spelling.eq_ignore_ascii_case(begin) && (!whole || known.len() == literal),
        None => false,
    });
    format!("{}{rest}", known.map_or(begin, |known| &known[..literal]))
}

/// The actions whose requests carry an encryption context, on a symmetric key (D§2.4).
pub(crate) fn has_encryption_context(action: &str) -> bool {
    const WITH_CONTEXT: [&str; 9] = [
        "kms:Encrypt",
        "kms:Decrypt",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:GenerateDataKeyPair",
        "kms:GenerateDataKeyPairWithoutPlaintext",
        "kms:CreateGrant",
    ];
    WITH_CONTEXT.iter().any(|known| known.eq_ignore_ascii_case(action))
}

/// What a key can be used for, from its `KeyUsage` and `KeySpec` (D§2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::EnumIter)]
pub enum KeyKind {
    /// `ENCRYPT_DECRYPT` with `SYMMETRIC_DEFAULT`.
    Symmetric,
    /// `ENCRYPT_DECRYPT` with a key pair.
    AsymmetricEncryption,
    /// `SIGN_VERIFY`.
    Signing,
    /// `KEY_AGREEMENT`.
    Agreement,
    /// `GENERATE_VERIFY_MAC`.
    Mac,
    /// `ENCAPSULATE_DECAPSULATE`.
    Encapsulation,
}

impl KeyKind {
    /// Reads what `DescribeKey` says. None for a usage that is newer than this list.
    pub fn of(key_usage: &str, key_spec: &str) -> Option<Self> {
        match (key_usage, key_spec) {
            ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT") => Some(Self::Symmetric),
            ("ENCRYPT_DECRYPT", _) => Some(Self::AsymmetricEncryption),
            ("SIGN_VERIFY", _) => Some(Self::Signing),
            ("KEY_AGREEMENT", _) => Some(Self::Agreement),
            ("GENERATE_VERIFY_MAC", _) => Some(Self::Mac),
            ("ENCAPSULATE_DECAPSULATE", _) => Some(Self::Encapsulation),
            _ => None,
        }
    }

    /// The actions that use such a key, beside `DescribeKey` and the management of grants.
    pub fn use_actions(self) -> &'static [&'static str] {
        match self {
            Self::Symmetric => &[
                "kms:Encrypt",
                "kms:Decrypt",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
                "kms:GenerateDataKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:GenerateDataKeyPair",
                "kms:GenerateDataKeyPairWithoutPlaintext",
                "kms:GetKeyRotationStatus",
            ],
            Self::AsymmetricEncryption => {
                &["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GetPublicKey"]
            }
            Self::Signing => &["kms:Sign", "kms:Verify", "kms:GetPublicKey"],
            Self::Agreement => &["kms:DeriveSharedSecret", "kms:GetPublicKey"],
            Self::Mac => &["kms:GenerateMac", "kms:VerifyMac"],
            Self::Encapsulation => &["kms:Encapsulate", "kms:Decapsulate", "kms:GetPublicKey"],
        }
    }

    /// Whether a pattern covers something that this key can do. What is not known is not judged.
    pub fn supports(self, pattern: &str) -> bool {
        let any_key =
            |action: &&str| *action == "kms:DescribeKey" || is_grant_action(action) || is_administrative(action);
        !is_known(pattern)
            || expand(pattern).iter().any(|action| any_key(action) || self.use_actions().contains(action))
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn wildcards_expand_to_known_actions() {
        assert_eq!(expand("KMS:reencrypt*"), ["kms:ReEncryptFrom", "kms:ReEncryptTo"]);
        assert_eq!(expand("kms:GenerateDataKey*").len(), 4);
        assert_eq!(expand("*").len(), ACTIONS.len());
        assert!(expand("kms:ReEncrypt").is_empty() && expand("s3:*").is_empty());
    }

    #[test]
    fn actions_are_judged_by_what_they_cover() {
        for (pattern, administrative, grants, across) in [
            ("kms:Decrypt", false, false, true),
            ("kms:GenerateDataKey*", false, false, true),
            ("kms:CreateGrant", false, true, true),
            ("kms:PutKeyPolicy", true, false, false),
            ("kms:scheduleKEYdeletion", true, false, false),
            ("kms:GenerateRandom", false, false, false),
            ("kms:*", true, true, true),
            ("kms:D*", true, false, true),
            ("kms:NotYetKnown", false, false, false),
        ] {
            let judged = (is_administrative(pattern), is_grant_action(pattern), is_cross_account(pattern));
            assert_eq!(judged, (administrative, grants, across), "{pattern}");
        }
    }

    #[test]
    fn every_use_of_a_kind_of_key_is_a_known_action() {
        for kind in KeyKind::iter() {
            assert!(kind.use_actions().iter().all(|action| expand(action) == [*action]), "{kind:?}");
        }
    }

    #[test]
    fn an_action_that_the_key_cannot_do_is_known() {
        let mac = KeyKind::of("GENERATE_VERIFY_MAC", "HMAC_256").unwrap();
        assert!(!mac.supports("kms:Decrypt") && !mac.supports("kms:ReEncrypt*"));
        assert!(mac.supports("kms:Generate*") && mac.supports("kms:DescribeKey") && mac.supports("kms:NotYetKnown"));
        assert_eq!(KeyKind::of("NOT_YET_KNOWN", "X"), None);
    }

    #[test]
    fn actions_and_patterns_are_spelled_as_aws_spells_them() {
        for (text, spelling) in [
            ("kms:decrypt", "kms:Decrypt"),
            ("kms:generatedatakey*", "kms:GenerateDataKey*"),
            ("kms:reencrypt*", "kms:ReEncrypt*"),
            ("kms:*", "kms:*"),
            ("*", "*"),
            ("kms:somethingnew", "kms:somethingnew"),
        ] {
            assert_eq!(spelled(text), spelling);
        }
    }
}
