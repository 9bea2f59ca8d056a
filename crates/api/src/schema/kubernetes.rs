//! Leaves that Kubernetes knows: names, labels, conditions.

use kube::core::Rule;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::{formed, ruled, set, text};
use crate::limits;

pub(crate) fn object_name(_: &mut SchemaGenerator) -> Schema {
    formed(
        limits::OBJECT_NAME,
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "name must be the name of a Kubernetes object: lower case letters, digits, - and .",
    )
}

pub(crate) fn secret_key(_: &mut SchemaGenerator) -> Schema {
    ruled(
        text(limits::OBJECT_NAME),
        &[
            Rule::new("self.matches('^[-._a-zA-Z0-9]+$')")
                .message("key must be a key of a Secret's data: letters, digits, -, _ and ."),
            Rule::new("self != '.' && !self.startsWith('..')").message("key must not be . and must not begin with .."),
        ],
    )
}

pub(crate) fn namespaces(_: &mut SchemaGenerator) -> Schema {
    let namespace = formed(
        limits::LABEL,
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "a namespace must be named in full, without wildcards; to cover many use selector, and selector: {} for all",
    );
    set(&namespace, limits::PATTERNS)
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
    let described = |description: &str, max: usize| -> Value {
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
                "type": described("What the condition is about.", 64),
                "status": {"description": "Whether it holds.", "type": "string", "enum": ["True", "False", "Unknown"]},
                "reason": described("Why, in one word of a closed list.", 64),
                "message": described("Why, in full, and what to do about it.", limits::CONDITION_MESSAGE),
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
