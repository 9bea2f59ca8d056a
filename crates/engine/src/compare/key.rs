//! Layer `key`: the key exists, can be used, and is still the one that the alias means.

use sharedkey_api::{DriftKind, conditions::Reason};
use sharedkey_policy::{AccountId, KeyArn, KeyKind};

use super::{Case, Cause, Finding};
use crate::{
    desired::DesiredConsumer,
    observed::{AliasTarget, KeyMetadata},
    plan::Blocker,
};

fn finding(
    account: &AccountId,
    kind: DriftKind,
    subject: String,
    expected: &str,
    observed: &str,
    message: String,
) -> Finding {
    Finding {
        kind,
        cause: Cause::Drift,
        account: account.clone(),
        principals: Vec::new(),
        resource: None,
        subject,
        expected: Some(expected.to_owned()),
        observed: Some(observed.to_owned()),
        message,
    }
}

/// `KeyMissing`: KMS knows no such key or alias.
pub(super) fn missing(case: &Case<'_>) -> Vec<Finding> {
    let (Ok(known), Ok(metadata)) = (&case.observed.key.arn, &case.observed.key.metadata) else { return Vec::new() };
    if known.is_some() && metadata.is_some() {
        return Vec::new();
    }
    let subject = known.as_ref().map_or_else(|| case.desired.key.source.to_string(), ToString::to_string);
    let (owner, region) = (case.owner(), &case.desired.key.region);
    let message = format!(
        "{subject} does not exist in account {owner}, Region {region}; correct spec.key or create it, nothing can be shared until then"
    );
    vec![absent(owner, subject, message)]
}

pub(crate) fn absent(account: &AccountId, subject: String, message: String) -> Finding {
    finding(account, DriftKind::KeyMissing, subject, "exists", "does not exist", message)
}

/// `KeyDisabled`, `KeyPendingDeletion`, `KeyUnavailable`: nobody can use the key (D§1.6).
pub(super) fn state(case: &Case<'_>) -> Vec<Finding> {
    let (Some(key), Ok(Some(metadata))) = (case.key, &case.observed.key.metadata) else { return Vec::new() };
    unusable(key, metadata).into_iter().collect()
}

/// The same for any key.
pub(crate) fn unusable(key: &KeyArn, metadata: &KeyMetadata) -> Option<Finding> {
    let (kind, advice) = match metadata.state.as_str() {
        "Enabled" | "Updating" => return None,
        "Disabled" => (DriftKind::KeyDisabled, "enable it with kms:EnableKey".to_owned()),
        "PendingDeletion" | "PendingReplicaDeletion" => {
            let when = metadata.deletion_date.as_deref().map(|date| format!(" on {date}")).unwrap_or_default();
            (DriftKind::KeyPendingDeletion, format!("it will be gone{when}, stop that with kms:CancelKeyDeletion"))
        }
        _ => (DriftKind::KeyUnavailable, "wait for it, or bring its key material or key store back".to_owned()),
    };
    let message = format!("nobody can use {key}, because it is in state {}; {advice}", metadata.state);
    Some(finding(key.account(), kind, key.to_string(), "Enabled", &metadata.state, message))
}

/// The reason for which a finding about the key keeps everything from being written.
pub(crate) fn reason(kind: DriftKind) -> Option<Reason> {
    Some(match kind {
        DriftKind::KeyMissing => Reason::KeyNotFound,
        DriftKind::KeyDisabled => Reason::KeyDisabled,
        DriftKind::KeyPendingDeletion => Reason::KeyPendingDeletion,
        DriftKind::KeyUnavailable => Reason::KeyUnavailable,
        _ => return None,
    })
}

/// `AliasMoved`: the alias no longer points to the key that this object shares. The object stays with its key: following the
/// alias would share another one that nobody asked for.
pub(super) fn alias(case: &Case<'_>) -> Vec<Finding> {
    let (Some(key), Some(target)) = (case.key, &case.observed.key.alias_target) else { return Vec::new() };
    let observed = match target {
        AliasTarget::Key(target) if target == key => return Vec::new(),
        AliasTarget::Key(target) => target.to_string(),
        AliasTarget::Missing => "no such alias".to_owned(),
    };
    let alias = case.desired.key.source.to_string();
    let message = format!(
        "{alias} meant {key} when it was resolved and now points to: {observed}; this object still shares {key}; point the alias back, or \
         create a new SharedKey for the other key"
    );
    vec![finding(case.owner(), DriftKind::AliasMoved, alias, &key.to_string(), &observed, message)]
}

/// A key whose policy belongs to AWS can never be shared (D§1.5).
pub(super) fn unwritable(case: &Case<'_>) -> Option<Blocker> {
    let (Some(key), Ok(Some(metadata))) = (case.key, &case.observed.key.metadata) else { return None };
    metadata.aws_managed.then(|| Blocker {
        reason: Reason::KeyNotShareable,
        message: format!("{key} is managed by AWS, and its key policy cannot be changed; share a customer managed key"),
    })
}

/// Actions that this kind of key cannot do: both halves would stand, and nobody could do what the spec asks (D§2.2).
pub(super) fn incapable(case: &Case<'_>) -> Vec<Blocker> {
    let (Some(key), Ok(Some(metadata))) = (case.key, &case.observed.key.metadata) else { return Vec::new() };
    let Some(kind) = KeyKind::of(&metadata.usage, &metadata.spec) else { return Vec::new() };
    let incapable = |consumer: &DesiredConsumer| {
        let vain: Vec<String> = consumer.actions.iter().filter(|action| !kind.supports(action)).cloned().collect();
        (!vain.is_empty()).then(|| Blocker {
            reason: Reason::InvalidSpec,
            message: format!(
                "consumer {:?} asks for {}, which {key} cannot do: its key usage is {} and its key spec {}, so it can {}; correct access or \
                 actions",
                consumer.name,
                vain.join(", "),
                metadata.usage,
                metadata.spec,
                [kind.use_actions(), &["kms:DescribeKey"]].concat().join(", "),
            ),
        })
    };
    case.desired.consumers.iter().filter_map(incapable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing::World;

    #[test]
    fn what_a_key_of_another_kind_cannot_do_blocks_with_what_it_can() {
        let mut world = World::fresh();
        (world.metadata().usage, world.metadata().spec) = ("GENERATE_VERIFY_MAC".into(), "HMAC_256".into());
        world.partner().actions =
            ["kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateMac", "kms:DescribeKey"].map(String::from).into();
        let plan = world.plan();
        assert_eq!(plan.steps.len(), 0);
        let [blocker] = &plan.blockers[..] else { panic!("{:?}", plan.blockers) };
        assert_eq!(blocker.reason, Reason::InvalidSpec);
        insta::assert_snapshot!(blocker.message, @r#"consumer "partner" asks for kms:Decrypt, kms:ReEncrypt*, which arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab cannot do: its key usage is GENERATE_VERIFY_MAC and its key spec HMAC_256, so it can kms:GenerateMac, kms:VerifyMac, kms:DescribeKey; correct access or actions"#);
    }

    #[test]
    fn every_kind_of_key_is_judged_by_its_usage_and_spec() {
        let symmetric = ["kms:Decrypt", "kms:GenerateDataKey*"];
        for (usage, spec, actions, fits) in [
            ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", &symmetric[..], true),
            ("ENCRYPT_DECRYPT", "RSA_2048", &symmetric[..], false),
            ("ENCRYPT_DECRYPT", "RSA_2048", &["kms:Decrypt", "kms:GetPublicKey"], true),
            ("SIGN_VERIFY", "ECC_NIST_P256", &["kms:Sign", "kms:Verify", "kms:DescribeKey"], true),
            ("SIGN_VERIFY", "ECC_NIST_P256", &["kms:Encrypt"], false),
            ("KEY_AGREEMENT", "ECC_NIST_P256", &["kms:DeriveSharedSecret"], true),
            ("ENCAPSULATE_DECAPSULATE", "ML_KEM_768", &["kms:Sign"], false),
            // Neither a usage nor an action that is newer than this operator is judged.
            ("SOMETHING_NEW", "X", &["kms:Encrypt"], true),
            ("SIGN_VERIFY", "RSA_2048", &["kms:SomethingNew"], true),
        ] {
            let mut world = World::fresh();
            (world.metadata().usage, world.metadata().spec) = (usage.into(), spec.into());
            world.partner().actions = actions.iter().map(ToString::to_string).collect();
            assert_eq!(world.compare().blockers.is_empty(), fits, "{usage} {spec} {actions:?}");
        }
    }

    #[test]
    fn a_key_that_is_enabled_is_no_finding() {
        let world = World::shared();
        assert_eq!(world.check(missing), vec![]);
        assert_eq!(world.check(state), vec![]);
    }

    #[test]
    fn each_state_in_which_nobody_can_use_the_key_has_its_kind() {
        for (state_name, kind) in [
            ("Disabled", DriftKind::KeyDisabled),
            ("PendingDeletion", DriftKind::KeyPendingDeletion),
            ("PendingReplicaDeletion", DriftKind::KeyPendingDeletion),
            ("PendingImport", DriftKind::KeyUnavailable),
            ("Unavailable", DriftKind::KeyUnavailable),
            ("Creating", DriftKind::KeyUnavailable),
            ("SomethingNew", DriftKind::KeyUnavailable),
        ] {
            let mut world = World::shared();
            world.metadata().state = state_name.into();
            let found = world.check(state);
            assert_eq!(found.iter().map(|finding| finding.kind).collect::<Vec<_>>(), vec![kind], "{state_name}");
            assert_eq!(found[0].observed.as_deref(), Some(state_name));
        }
    }

    #[test]
    fn a_key_that_kms_does_not_know_is_missing() {
        let mut world = World::shared();
        world.observed.key.metadata = Ok(None);
        assert_eq!(world.check(missing)[0].kind, DriftKind::KeyMissing);
    }

    #[test]
    fn an_alias_that_points_elsewhere_has_moved() {
        let mut world = World::shared();
        world.by_alias("alias/orders");
        let key = world.key();
        world.observed.key.alias_target = Some(AliasTarget::Key(key));
        assert_eq!(world.check(alias), vec![]);
        for (target, observed) in [
            (
                AliasTarget::Key("arn:aws:kms:eu-west-1:111122223333:key/other".parse().unwrap()),
                "arn:aws:kms:eu-west-1:111122223333:key/other",
            ),
            (AliasTarget::Missing, "no such alias"),
        ] {
            world.observed.key.alias_target = Some(target);
            let found = world.check(alias);
            assert_eq!((found[0].kind, found[0].observed.as_deref()), (DriftKind::AliasMoved, Some(observed)));
        }
    }
}
