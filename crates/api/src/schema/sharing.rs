//! Leaves of `SharedKey`, and what an `ExternalSecret` takes from there.

use kube::core::Rule;
use schemars::{Schema, SchemaGenerator, json_schema};

use super::{formed, ruled, set, text};
use crate::{cel, limits};

pub(crate) fn key_id(_: &mut SchemaGenerator) -> Schema {
    formed(
        limits::LABEL,
        &format!("^{}$", cel::KEY_ID),
        "key.id must be a key's id: a UUID, or mrk- and 32 hexadecimal digits; an ARN goes into key.arn, an alias into \
             key.alias",
    )
}

fn arn_of_key(field: &str, instead: &str) -> Schema {
    formed(
        limits::ARN,
        &format!("^arn:{}:kms:[a-z0-9-]+:[0-9]{{12}}:key/{}$", cel::PARTITION, cel::KEY_ID),
        &format!("{field} must be a key's ARN: arn:PARTITION:kms:REGION:ACCOUNT:key/ID; {instead}"),
    )
}

pub(crate) fn key_arn(_: &mut SchemaGenerator) -> Schema {
    arn_of_key("key.arn", "an alias goes into key.alias")
}

/// An id or alias would be looked up in the account of whoever calls (D§2.5), which need not be the key's.
pub(crate) fn kms_key_arn(_: &mut SchemaGenerator) -> Schema {
    arn_of_key("kmsKeyArn", "an id or an alias means another key in each account")
}

pub(crate) fn key_alias(_: &mut SchemaGenerator) -> Schema {
    ruled(
        text(limits::ALIAS),
        &[
            Rule::new("self.matches(r'^alias/[a-zA-Z0-9/_-]+$')")
                .message("key.alias must be alias/ and letters, digits, /, _ and -, like alias/orders"),
            // Keys behind alias/aws/ are AWS managed: their policy cannot be written (D§1.5).
            Rule::new("!self.startsWith('alias/aws/')").message(
                "key.alias must not begin with alias/aws/: AWS managed keys cannot be shared; use a customer managed key",
            ),
        ],
    )
}

/// A name that becomes a part of names in AWS.
fn entry_name(whose: &str) -> Schema {
    formed(
        limits::LABEL,
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        &format!(
            "{whose} name must be a DNS label: lower case letters, digits and -, beginning and ending with a letter or digit"
        ),
    )
}

pub(crate) fn consumer_name(_: &mut SchemaGenerator) -> Schema {
    entry_name("a consumer's")
}

pub(crate) fn reader_name(_: &mut SchemaGenerator) -> Schema {
    entry_name("a reader's")
}

/// `path/Name`, and what to write instead of the mistakes that are seen most.
fn entity(field: &str) -> Schema {
    let no_prefix = format!(
        "{field} must be path/Name without a leading {field}/ or /; if the path itself is {field}/, name the ARN in arn"
    );
    ruled(
        text(limits::ENTITY),
        &[
            // An ARN would pass for a path.
            Rule::new(format!("self.matches(r'^{}$') && !self.startsWith('arn:')", cel::ENTITY)).message(
                format!(
                    "{field} must be Name or path/Name, without wildcards and without an ARN; an ARN goes into arn"
                )
                .as_str(),
            ),
            Rule::new(format!("!self.startsWith('/') && !self.startsWith('{field}/')")).message(no_prefix.as_str()),
        ],
    )
}

pub(crate) fn role(_: &mut SchemaGenerator) -> Schema {
    entity("role")
}

pub(crate) fn user(_: &mut SchemaGenerator) -> Schema {
    entity("user")
}

pub(crate) fn principal_arn(_: &mut SchemaGenerator) -> Schema {
    formed(
        limits::ARN,
        &format!("^arn:{}:iam::[0-9]{{12}}:(role|user)/{}$", cel::PARTITION, cel::ENTITY),
        "arn must be the ARN of an IAM role or user: no wildcard, group or assumed-role session; for a whole account (root) a \
             consumer of a SharedKey has trust: Account",
    )
}

/// Actions that a consumer is given.
pub(crate) fn actions(_: &mut SchemaGenerator) -> Schema {
    let action = ruled(
        text(limits::ACTION),
        &[
            Rule::new(r"self.matches(r'^kms:[A-Za-z]+\*?$')")
                .message("an action must be kms:Name or, with one wildcard at its end, kms:Prefix*, like kms:GenerateDataKey*"),
            Rule::new(cel::not_administrative()).message(
                "an action must not be or cover an administrative one, kms:CreateGrant included; for AWS services that take \
                 grants use awsServiceGrants: true",
            ),
            // There is no such action; KMS accepts the name, and it permits nothing (D§2.1).
            Rule::new("self != 'kms:ReEncrypt'")
                .message("kms:ReEncrypt is no action: use kms:ReEncrypt*, kms:ReEncryptFrom or kms:ReEncryptTo"),
        ],
    );
    set(&action, limits::ACTIONS)
}

pub(crate) fn via_services(_: &mut SchemaGenerator) -> Schema {
    let service = formed(
        limits::LABEL,
        "^[a-z0-9-]+$",
        "a service must be its short name, like secretsmanager or s3; the operator adds Region and suffix",
    );
    set(&service, limits::SERVICES)
}

/// What a key policy can hold (D§1.1).
const LATIN_1: &str = r"^[\x{09}\x{0A}\x{0D}\x{20}-\x{FF}]+$";

pub(crate) fn encryption_context(_: &mut SchemaGenerator) -> Schema {
    let value = formed(
        limits::CONTEXT_TEXT,
        LATIN_1,
        "a value of encryptionContext must be Latin-1 text, for a key policy can hold nothing else",
    );
    let map = json_schema!({
        "type": "object",
        "additionalProperties": value,
        "minProperties": 1,
        "maxProperties": limits::ENCRYPTION_CONTEXT,
    });
    ruled(
        map,
        &[
            Rule::new(format!("self.all(key, key.size() <= 128 && key.matches(r'{LATIN_1}'))")).message(
                "a key of encryptionContext must be Latin-1 text of 1 to 128 characters, for a key policy can hold nothing \
                 else",
            ),
            // The key becomes part of a condition key, which IAM reads without case (D§2.4).
            Rule::new("self.all(key, self.exists_one(other, other.lowerAscii() == key.lowerAscii()))")
                .message("keys of encryptionContext must differ in more than case: IAM does not see it"),
            // IAM would put in what it knows of the caller.
            Rule::new("self.all(key, !self[key].contains('${'))")
                .message("a value of encryptionContext must not contain ${: IAM takes it for a policy variable"),
        ],
    )
}

pub(crate) fn organization_id(_: &mut SchemaGenerator) -> Schema {
    formed(
        limits::LABEL,
        "^o-[a-z0-9]{10,32}$",
        "organizationId must be o- and 10 to 32 lower case letters and digits, like o-a1b2c3d4e5",
    )
}

pub(crate) fn interval(_: &mut SchemaGenerator) -> Schema {
    const FORM: &str = "^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$";
    ruled(
        text(18),
        &[
            Rule::new(format!("self.matches(r'{FORM}')"))
                .message("interval must be whole hours, minutes and seconds, like 90s, 10m or 1h30m"),
            Rule::new(format!(
                "!self.matches(r'{FORM}') || (duration(self) >= duration('30s') && duration(self) <= duration('24h'))"
            ))
            .message("interval must be 30s at least and 24h at most"),
        ],
    )
}
