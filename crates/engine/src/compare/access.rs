//! Layer `delegation`, seen from the outcome: both halves may stand, and somebody's boundary or explicit deny still decides.

use sharedkey_api::DriftKind;
use sharedkey_policy::Half;

use super::{Case, Cause, Finding};
use crate::verdict::{Block, PrincipalVerdict};

/// `BlockedByBoundary` and `BlockedByDeny`
pub(super) fn of_key(case: &Case<'_>) -> Vec<Finding> {
    let principals = case.verdicts.iter().flat_map(|consumer| &consumer.principals);
    principals.flat_map(|principal| blocked(principal, "key")).collect()
}

/// The same for one principal. `from` is what it is kept from.
pub(crate) fn blocked(principal: &PrincipalVerdict, from: &str) -> Vec<Finding> {
    let finding = |block: &Block| {
        let kind = match block.half {
            Half::Boundary => DriftKind::BlockedByBoundary,
            _ => DriftKind::BlockedByDeny,
        };
        let actions = block.actions.iter().cloned().collect::<Vec<_>>().join(", ");
        Finding {
            kind,
            cause: Cause::Drift,
            account: principal.arn.account().clone(),
            principals: vec![principal.arn.to_string()],
            resource: None,
            subject: principal.arn.to_string(),
            expected: Some(format!("allowed: {actions}")),
            observed: Some(block.reason.clone()),
            message: format!("{} is kept from the {from}: {}", principal.arn, block.reason),
        }
    };
    principal.blocks.iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use sharedkey_policy::AttachedDocument;

    use super::*;
    use crate::compare::testing::{ANNA, APP, World, page, parse};

    fn attached(name: &str, statement: &str) -> AttachedDocument {
        let document = parse(&format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#));
        AttachedDocument { name: name.into(), document }
    }

    #[test]
    fn both_halves_in_place_block_nobody() {
        assert_eq!(World::shared().check(of_key), []);
    }

    #[test]
    fn a_boundary_and_a_deny_are_named_with_what_they_take() {
        let mut world = World::shared();
        world.entity(APP).policies.boundary = Some(attached(
            "arn:aws:iam::444455556666:policy/Boundary",
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#,
        ));
        world.entity(ANNA).policies.policies.push(attached(
            "group Staff: inline policy NoKeys",
            r#"{"Sid":"NoKeys","Effect":"Deny","Action":"kms:Decrypt","Resource":"*"}"#,
        ));
        insta::assert_snapshot!(page(&world.check(of_key)), @r#"
        delegation BlockedByBoundary (Drift) in 444455556666 for [role/App], arn:aws:iam::444455556666:role/App
          expected: allowed: kms:Decrypt, kms:DescribeKey, kms:Encrypt, kms:GenerateDataKey, kms:GenerateDataKeyPair, kms:GenerateDataKeyPairWithoutPlaintext, kms:GenerateDataKeyWithoutPlaintext, kms:ReEncryptFrom, kms:ReEncryptTo
          observed: the permissions boundary arn:aws:iam::444455556666:policy/Boundary of arn:aws:iam::444455556666:role/App does not allow kms:Decrypt
          arn:aws:iam::444455556666:role/App is kept from the key: the permissions boundary arn:aws:iam::444455556666:policy/Boundary of arn:aws:iam::444455556666:role/App does not allow kms:Decrypt
        delegation BlockedByDeny (Drift) in 444455556666 for [user/Anna], arn:aws:iam::444455556666:user/Anna
          expected: allowed: kms:Decrypt
          observed: group Staff: inline policy NoKeys, statement "NoKeys" denies kms:Decrypt
          arn:aws:iam::444455556666:user/Anna is kept from the key: group Staff: inline policy NoKeys, statement "NoKeys" denies kms:Decrypt
        "#);
    }

    #[test]
    fn a_half_that_is_missing_is_no_block_but_a_finding_of_its_own() {
        let mut world = World::shared();
        world.entity(APP).inline.clear();
        assert_eq!(world.check(of_key), []);
    }
}
