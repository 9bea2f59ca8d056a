//! Leaves of `AwsAccount`, and what a `SharedKey` takes from there.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::{formed, set};
use crate::{cel, limits};

fn account_id_schema() -> Schema {
    formed(32, "^[0-9]{12}$", "an account id has 12 digits; write it in quotes, like \"444455556666\"")
}

pub(crate) fn account_id(_: &mut SchemaGenerator) -> Schema {
    account_id_schema()
}

pub(crate) fn account_ids(_: &mut SchemaGenerator) -> Schema {
    set(&account_id_schema(), limits::TRUSTED_ACCOUNTS)
}

pub(crate) fn partition(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": cel::PARTITIONS})
}

pub(crate) fn region(_: &mut SchemaGenerator) -> Schema {
    formed(limits::REGION, cel::REGION, "region must be an AWS Region, like eu-central-1 or cn-north-1")
}

pub(crate) fn endpoint(_: &mut SchemaGenerator) -> Schema {
    formed(
        limits::URL,
        r"^https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$",
        "an endpoint must be a URL: https:// (or http://, which the operator must be told to accept), host, port, path; \
             no user, query or fragment",
    )
}

pub(crate) fn role_arn(_: &mut SchemaGenerator) -> Schema {
    formed(
        limits::ARN,
        &format!("^arn:{}:iam::[0-9]{{12}}:role/{}$", cel::PARTITION, cel::ENTITY),
        "roleArn must be the ARN of a role: arn:PARTITION:iam::ACCOUNT:role/path/Name",
    )
}

pub(crate) fn session_name(_: &mut SchemaGenerator) -> Schema {
    formed(64, r"^[A-Za-z0-9_+=,.@-]{2,64}$", "sessionName must have 2 to 64 letters, digits and _+=,.@-")
}

pub(crate) fn audience() -> String {
    "sts.amazonaws.com".to_owned()
}

/// Actions that a guardrail lets pass; it may be wider than what any consumer may ask for.
pub(crate) fn allowed_actions(_: &mut SchemaGenerator) -> Schema {
    let action =
        formed(limits::ACTION, r"^kms:([A-Za-z]+\*?|\*)$", "an allowed action must be kms:Name, kms:Prefix* or kms:*");
    set(&action, limits::ACTIONS)
}

pub(crate) fn key_patterns(_: &mut SchemaGenerator) -> Schema {
    let pattern = formed(
        limits::ALIAS,
        r"^(\*|arn:[a-z*?-]+:kms:[a-z0-9*?-]+:[0-9*?]+:key/[0-9a-z*?-]+|alias/[a-zA-Z0-9/_*?-]+)$",
        "a key pattern must be *, a key's ARN (arn:PARTITION:kms:REGION:ACCOUNT:key/ID) or an alias (alias/NAME), with * \
             and ? as wildcards",
    );
    set(&pattern, limits::PATTERNS)
}

pub(crate) fn principal_patterns(_: &mut SchemaGenerator) -> Schema {
    let pattern = formed(
        limits::ENTITY,
        "^(\\*|root|(role|user)/[!-.0-~]+(/[!-.0-~]+)*)$",
        "a principal pattern must be *, root, role/path/Name or user/path/Name, with * and ? as wildcards",
    );
    set(&pattern, limits::PATTERNS)
}
