//! Schemas of the leaves: each kind of text has its bound, and where its form can be wrong, one rule with a message that
//! says what is right.

use std::borrow::Cow;

use kube::core::Rule;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::{cel, limits};

/// What a text has to match; `regex` is anchored by its author.
struct Form {
    regex: Cow<'static, str>,
    message: &'static str,
}

fn form(regex: impl Into<Cow<'static, str>>, message: &'static str) -> Form {
    Form { regex: regex.into(), message }
}

fn text(max: usize) -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": max})
}

fn ruled(mut schema: Schema, rules: &[Rule]) -> Schema {
    schema.insert("x-kubernetes-validations".to_owned(), json!(rules));
    schema
}

fn formed(max: usize, Form { regex, message }: Form) -> Schema {
    ruled(text(max), &[Rule::new(format!("self.matches(r'{regex}')")).message(message)])
}

fn list(items: &Schema, max: usize, list_type: &str) -> Schema {
    json_schema!({"type": "array", "items": items, "maxItems": max, "x-kubernetes-list-type": list_type})
}

/// A list without duplicates, the order of which means nothing.
fn set(items: &Schema, max: usize) -> Schema {
    list(items, max, "set")
}

pub(crate) fn object_name(_: &mut SchemaGenerator) -> Schema {
    formed(
        limits::OBJECT_NAME,
        form(
            r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
            "name must be the name of a Kubernetes object: lower case letters, digits, - and .",
        ),
    )
}

pub(crate) fn secret_key(_: &mut SchemaGenerator) -> Schema {
    formed(
        limits::OBJECT_NAME,
        form("^[-._a-zA-Z0-9]+$", "key must be a key of a Secret's data: letters, digits, -, _ and ."),
    )
}

pub(crate) fn consumer_name(_: &mut SchemaGenerator) -> Schema {
    formed(
        limits::LABEL,
        form(
            "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            "a consumer's name must be a DNS label: lower case letters, digits and -, beginning and ending with a letter \
             or digit",
        ),
    )
}

fn account_id_schema() -> Schema {
    formed(12, form("^[0-9]{12}$", "an account id has 12 digits; write it in quotes, like \"444455556666\""))
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
    formed(limits::REGION, form(cel::REGION, "region must be an AWS Region, like eu-central-1 or cn-north-1"))
}

pub(crate) fn key_id(_: &mut SchemaGenerator) -> Schema {
    formed(
        limits::LABEL,
        form(
            format!("^{}$", cel::KEY_ID),
            "key.id must be a key's id: a UUID, or mrk- and 32 hexadecimal digits; an ARN goes into key.arn, an alias into \
             key.alias",
        ),
    )
}

pub(crate) fn key_arn(_: &mut SchemaGenerator) -> Schema {
    formed(
        limits::ARN,
        form(
            format!("^arn:{}:kms:[a-z0-9-]+:[0-9]{{12}}:key/{}$", cel::PARTITION, cel::KEY_ID),
            "key.arn must be a key's ARN: arn:PARTITION:kms:REGION:ACCOUNT:key/ID; an alias goes into key.alias",
        ),
    )
}

pub(crate) fn key_alias(_: &mut SchemaGenerator) -> Schema {
    ruled(
        text(256),
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

/// `path/Name`, and what to write instead of the mistakes that are seen most.
fn entity(field: &str) -> Schema {
    let no_prefix = format!(
        "{field} must be path/Name without a leading {field}/ or /; if the path itself is {field}/, name the ARN in arn"
    );
    ruled(
        text(limits::ENTITY),
        &[
            Rule::new(format!("self.matches(r'^{}$')", cel::ENTITY)).message(
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
        form(
            format!("^arn:{}:iam::[0-9]{{12}}:(role|user)/{}$", cel::PARTITION, cel::ENTITY),
            "arn must be the ARN of an IAM role or user; wildcards, groups and assumed-role sessions cannot be named in a key \
             policy, and for a whole account (root) use trust: Account",
        ),
    )
}

pub(crate) fn role_arn(_: &mut SchemaGenerator) -> Schema {
    formed(
        limits::ARN,
        form(
            format!("^arn:{}:iam::[0-9]{{12}}:role/{}$", cel::PARTITION, cel::ENTITY),
            "roleArn must be the ARN of a role: arn:PARTITION:iam::ACCOUNT:role/path/Name",
        ),
    )
}

pub(crate) fn session_name(_: &mut SchemaGenerator) -> Schema {
    formed(64, form(r"^[A-Za-z0-9_+=,.@-]{2,64}$", "sessionName must have 2 to 64 letters, digits and _+=,.@-"))
}

pub(crate) fn audience() -> String {
    "sts.amazonaws.com".to_owned()
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

/// Actions that a guardrail lets pass; it may be wider than what any consumer may ask for.
pub(crate) fn allowed_actions(_: &mut SchemaGenerator) -> Schema {
    let action = formed(
        limits::ACTION,
        form(r"^kms:([A-Za-z]+\*?|\*)$", "an allowed action must be kms:Name, kms:Prefix* or kms:*"),
    );
    set(&action, limits::ACTIONS)
}

pub(crate) fn via_services(_: &mut SchemaGenerator) -> Schema {
    let service = formed(
        limits::LABEL,
        form(
            "^[a-z0-9-]+$",
            "a service must be its short name, like secretsmanager or s3; the operator adds Region and suffix",
        ),
    );
    set(&service, limits::SERVICES)
}

/// What a key policy can hold (D§1.1).
const LATIN_1: &str = r"^[\x{09}\x{0A}\x{0D}\x{20}-\x{FF}]+$";

pub(crate) fn encryption_context(_: &mut SchemaGenerator) -> Schema {
    let value = formed(
        limits::CONTEXT_TEXT,
        form(LATIN_1, "a value of encryptionContext must be Latin-1 text, for a key policy can hold nothing else"),
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
        ],
    )
}

pub(crate) fn organization_id(_: &mut SchemaGenerator) -> Schema {
    formed(
        34,
        form(
            "^o-[a-z0-9]{10,32}$",
            "organizationId must be o- and 10 to 32 lower case letters and digits, like o-a1b2c3d4e5",
        ),
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

pub(crate) fn endpoint(_: &mut SchemaGenerator) -> Schema {
    formed(
        limits::URL,
        form(
            r"^https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$",
            "an endpoint must be a URL: https:// (or http://, which the operator must be told to accept), host, port, path; \
             no user, query or fragment",
        ),
    )
}

pub(crate) fn namespaces(_: &mut SchemaGenerator) -> Schema {
    let namespace = formed(
        limits::LABEL,
        form(
            "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            "a namespace must be named in full, without wildcards; to cover many use selector, and selector: {} for all",
        ),
    );
    set(&namespace, limits::PATTERNS)
}

pub(crate) fn key_patterns(_: &mut SchemaGenerator) -> Schema {
    let pattern = formed(
        limits::ARN,
        form(
            r"^(\*|arn:[a-z*?-]+:kms:[a-z0-9*?-]+:[0-9*?]+:key/[0-9a-z*?-]+|alias/[a-zA-Z0-9/_*?-]+)$",
            "a key pattern must be *, a key's ARN (arn:PARTITION:kms:REGION:ACCOUNT:key/ID) or an alias (alias/NAME), with * \
             and ? as wildcards",
        ),
    );
    set(&pattern, limits::PATTERNS)
}

pub(crate) fn principal_patterns(_: &mut SchemaGenerator) -> Schema {
    let pattern = formed(
        limits::ENTITY,
        form(
            "^(\\*|root|(role|user)/[!-.0-~]+(/[!-.0-~]+)*)$",
            "a principal pattern must be *, root, role/path/Name or user/path/Name, with * and ? as wildcards",
        ),
    );
    set(&pattern, limits::PATTERNS)
}

/// A label selector of Kubernetes, with bounds.
pub(crate) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    let requirement = ruled(
        json_schema!({
            "type": "object",
            "required": ["key", "operator"],
            "properties": {
                "key": {"description": "Label that the requirement is about.", "type": "string", "minLength": 1, "maxLength": 317},
                "operator": {
                    "description": "How the label is compared with the values.",
                    "type": "string",
                    "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                },
                "values": {
                    "description": "What the label is compared with: at least one for In and NotIn, none for the others.",
                    "type": "array",
                    "items": {"type": "string", "maxLength": limits::LABEL},
                    "maxItems": limits::PATTERNS,
                    "x-kubernetes-list-type": "set",
                },
            },
        }),
        &[Rule::new("(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)")
            .message("operators In and NotIn take at least one value, Exists and DoesNotExist take none")],
    );
    json_schema!({
        "type": "object",
        "properties": {
            "matchLabels": {
                "description": "Labels that a namespace has to have, each with this value.",
                "type": "object",
                "additionalProperties": {"type": "string", "maxLength": limits::LABEL},
                "maxProperties": limits::PATTERNS,
            },
            "matchExpressions": {
                "description": "Requirements that a namespace's labels have to meet, all of them.",
                "type": "array",
                "items": requirement,
                "maxItems": limits::PATTERNS,
                "x-kubernetes-list-type": "atomic",
            },
        },
    })
}

/// The conditions of any object: a list map by type, as every tool expects it.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    let text = |description: &str, max: usize| -> Value {
        json!({"description": description, "type": "string", "maxLength": max})
    };
    json_schema!({
        "type": "array",
        "maxItems": limits::CONDITIONS,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": text("What the condition is about.", 64),
                "status": {"description": "Whether it holds.", "type": "string", "enum": ["True", "False", "Unknown"]},
                "reason": text("Why, in one word of a closed list.", 64),
                "message": text("Why, in full, and what to do about it.", limits::CONDITION_MESSAGE),
                "lastTransitionTime": {
                    "description": "When the status of the condition changed last.",
                    "type": "string",
                    "format": "date-time",
                },
                "observedGeneration": {
                    "description": "Generation of the spec that the condition speaks about.",
                    "type": "integer",
                    "format": "int64",
                },
            },
        },
    })
}
