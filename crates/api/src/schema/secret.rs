//! Leaves of `ExternalSecret`: names and tags in Secrets Manager, and the shape of a Kubernetes Secret.

use kube::core::Rule;
use schemars::{Schema, SchemaGenerator, json_schema};

use super::{formed, kubernetes::secret_key, ruled, set, text};
use crate::limits;

pub(crate) fn secret_name(_: &mut SchemaGenerator) -> Schema {
    ruled(
        text(limits::SECRET_NAME),
        &[
            Rule::new("self.matches('^[A-Za-z0-9/_+=.@-]+$')")
                .message("secretName must have letters, digits and /_+=.@- only, like orders/db; an ARN cannot be chosen"),
            // Secrets Manager ends each ARN like this, and takes such a name for one that has its end already (D§5.6).
            Rule::new("!self.matches('-[A-Za-z0-9]{6}$')").message(
                "secretName must not end with a hyphen and six letters or digits: Secrets Manager puts these behind each name \
                 in an ARN",
            ),
        ],
    )
}

pub(crate) fn secret_patterns(_: &mut SchemaGenerator) -> Schema {
    let pattern = formed(
        limits::SECRET_PATTERN,
        "^[A-Za-z0-9/_+=.@*?-]+$",
        "a secret pattern must be the name of a secret, like orders/db, with * and ? as wildcards; it has no ARN",
    );
    set(&pattern, limits::PATTERNS)
}

/// What AWS takes in keys and values of tags.
const TAG: &str = r"^[\p{L}\p{Z}\p{N}_.:/=+@-]*$";

pub(crate) fn tags(_: &mut SchemaGenerator) -> Schema {
    let value = ruled(
        json_schema!({"type": "string", "maxLength": limits::TAG_VALUE}),
        &[Rule::new(format!("self.matches(r'{TAG}')"))
            .message("a value of tags must have letters, digits, spaces and _.:/=+-@ only")],
    );
    let map = json_schema!({"type": "object", "additionalProperties": value, "maxProperties": limits::TAGS});
    let max = limits::TAG_KEY;
    ruled(
        map,
        &[
            Rule::new(format!("self.all(key, key.size() >= 1 && key.size() <= {max} && key.matches(r'{TAG}'))")).message(
                format!("a key of tags must have 1 to {max} letters, digits, spaces and _.:/=+-@ only").as_str(),
            ),
            // With the second, the operator marks what is its own.
            Rule::new("self.all(key, !key.lowerAscii().startsWith('aws:') && !key.startsWith('sharedkey.dev/'))")
                .message("a key of tags must not begin with aws: or sharedkey.dev/: AWS and the operator set these themselves"),
            Rule::new("!('managed-by' in self) || self['managed-by'] != 'external-secrets'").message(
                "tags must not have managed-by: external-secrets: the External Secrets Operator takes such a secret for its own",
            ),
        ],
    )
}

pub(crate) fn recovery_window_days(_: &mut SchemaGenerator) -> Schema {
    ruled(
        json_schema!({"type": "integer", "format": "int32"}),
        &[Rule::new("self >= 7 && self <= 30").message("recoveryWindowDays must be 7 to 30: AWS takes nothing else")],
    )
}

pub(crate) fn secret_type(_: &mut SchemaGenerator) -> Schema {
    ruled(
        text(limits::OBJECT_NAME),
        &[Rule::new("!(self in ['kubernetes.io/service-account-token', 'bootstrap.kubernetes.io/token'])").message(
            "type must not be one of Kubernetes' own tokens: kubernetes.io/service-account-token, bootstrap.kubernetes.io/token",
        )],
    )
}

/// From members of a JSON object to keys of a Secret.
pub(crate) fn target_keys(generator: &mut SchemaGenerator) -> Schema {
    let map = json_schema!({
        "type": "object",
        "additionalProperties": secret_key(generator),
        "minProperties": 1,
        "maxProperties": limits::TARGET_KEYS,
    });
    ruled(
        map,
        &[
            Rule::new(format!("self.all(member, member.size() <= {})", limits::OBJECT_NAME)).message(
                format!("a member in target.keys must have {} characters at most", limits::OBJECT_NAME).as_str(),
            ),
            Rule::new("self.all(member, self.exists_one(other, self[other] == self[member]))")
                .message("target.keys must not name a key of the Secret twice"),
        ],
    )
}
