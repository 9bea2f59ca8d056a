//! The rules say in CEL what the policy crate says in Rust: what the API server lets pass, the operator can read, and what
//! is refused is refused for the same reason.

use std::collections::BTreeSet;

use crate::tables::Table;
use kube::core::cel::Validator;
use serde_json::{Value, json};
use sharedkey_api::{Access, AwsAccount, ExternalSecret, PrincipalRef, SharedKey, crds};
use sharedkey_policy::{
    AccountId, AliasName, EntityArn, EntityKind, KeyArn, KeyKind, Partition, Region, action_matches, expand,
    is_administrative, is_cross_account,
};
use strum::IntoEnumIterator as _;

/// The part of SharedKey's schema at a JSON pointer below `spec`.
#[expect(clippy::unwrap_used, reason = "no test here means anything without the CRDs")]
fn schema_of(pointer: &str) -> Value {
    let crds = crds().unwrap();
    let crd = crds.iter().find(|crd| crd["spec"]["names"]["kind"] == "SharedKey").unwrap();
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
    crd.pointer(&format!("{spec}{pointer}")).unwrap().clone()
}

#[test]
fn administrative_actions_are_those_that_the_policy_crate_knows() {
    let schema = schema_of("/properties/consumers/items/properties/actions/items");
    let known = expand("kms:*");
    assert!(known.len() > 50, "only {} actions are known", known.len());
    let prefixes =
        known.iter().flat_map(|action| ("kms:".len() + 1..action.len()).map(|end| format!("{}*", &action[..end])));
    let patterns: BTreeSet<String> = prefixes.chain(known.iter().map(ToString::to_string)).collect();
    for pattern in patterns {
        let hands_on = ["kms:CreateGrant", "kms:RevokeGrant"].iter().any(|action| action_matches(&pattern, action));
        let accepted = Validator::new().validate(&schema, &json!(pattern), None).is_ok();
        assert_eq!(accepted, !is_administrative(&pattern) && !hands_on, "{pattern}");
    }
}

#[test]
fn presets_work_across_accounts_on_a_symmetric_key() {
    for action in Access::iter().flat_map(Access::actions) {
        let works = is_cross_account(action) && !is_administrative(action) && KeyKind::Symmetric.supports(action);
        assert!(works, "{action}");
    }
}

#[test]
fn the_partition_of_a_region_is_the_one_that_the_policy_crate_finds() {
    let schema = schema_of("");
    for of_region in Partition::iter() {
        for of_principal in Partition::iter() {
            let spec = json!({
                "accountRef": {"name": "owner"},
                "region": of_region.iam_region(),
                "key": {"alias": "alias/orders"},
                "consumers": [{
                    "name": "partner",
                    "accountRef": {"name": "partner"},
                    "principals": [{"arn": format!("arn:{of_principal}:iam::444455556666:role/ExampleRole")}],
                }],
            });
            let accepted = Validator::new().validate_with_defaults(&schema, &spec, None).is_ok();
            assert_eq!(accepted, of_region == of_principal, "{of_principal} in {}", of_region.iam_region());
        }
    }
}

fn read_shared_key(object: Value) -> Result<(), Box<dyn std::error::Error>> {
    let spec = serde_json::from_value::<SharedKey>(object)?.spec;
    let region: Region = spec.region.parse()?;
    let account: AccountId = "444455556666".parse()?;
    if let Some(arn) = spec.key.arn {
        arn.parse::<KeyArn>()?;
    }
    if let Some(id) = spec.key.id {
        KeyArn::new(region.clone(), account.clone(), &id)?;
    }
    if let Some(alias) = spec.key.alias {
        alias.parse::<AliasName>()?;
    }
    for consumer in spec.consumers {
        consumer.account_id.map(|id| id.parse::<AccountId>()).transpose()?;
        read_principals(&region, consumer.principals)?;
    }
    Ok(())
}

fn read_principals(region: &Region, principals: Vec<PrincipalRef>) -> Result<(), Box<dyn std::error::Error>> {
    let account: AccountId = "444455556666".parse()?;
    for principal in principals {
        let named = [(EntityKind::Role, principal.role), (EntityKind::User, principal.user)];
        for (kind, name) in named.into_iter().filter_map(|(kind, name)| Some((kind, name?))) {
            EntityArn::new(region.partition(), account.clone(), kind, &name)?;
        }
        principal.arn.map(|arn| arn.parse::<EntityArn>()).transpose()?;
    }
    Ok(())
}

fn read_external_secret(object: Value) -> Result<(), Box<dyn std::error::Error>> {
    let spec = serde_json::from_value::<ExternalSecret>(object)?.spec;
    let region: Region = spec.region.parse()?;
    for key in spec.replicas.into_iter().map(|replica| replica.key).chain([spec.key]) {
        key.kms_key_arn.map(|arn| arn.parse::<KeyArn>()).transpose()?;
    }
    for reader in spec.readers {
        reader.account_id.map(|id| id.parse::<AccountId>()).transpose()?;
        read_principals(&region, reader.principals)?;
    }
    Ok(())
}

fn read_account(object: Value) -> Result<(), Box<dyn std::error::Error>> {
    let spec = serde_json::from_value::<AwsAccount>(object)?.spec;
    spec.account_id.parse::<AccountId>()?;
    spec.partition.map(|partition| partition.parse::<Partition>()).transpose()?;
    spec.default_region.map(|region| region.parse::<Region>()).transpose()?;
    let roles =
        [spec.credentials.assume_role.map(|way| way.role_arn), spec.credentials.web_identity.map(|way| way.role_arn)];
    for role in roles.into_iter().flatten() {
        role.parse::<EntityArn>()?;
    }
    Ok(())
}

#[test]
fn the_policy_crate_reads_every_name_that_the_rules_accept() {
    for table in Table::all() {
        for case in table.rules.iter().flat_map(|rule| &rule.accept) {
            let object = table.request(case).new;
            let read = match table.kind.as_str() {
                "SharedKey" => read_shared_key(object),
                "ExternalSecret" => read_external_secret(object),
                _ => read_account(object),
            };
            assert!(read.is_ok(), "{case:?}: {read:?}");
        }
    }
}
