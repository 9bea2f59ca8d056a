//! The API reference as a page, from the same definitions that are installed.

use serde_json::Value;
use strum::IntoEnumIterator as _;

use crate::{
    conditions::{ConditionType, Reason},
    crds::crds,
    drift::DriftKind,
};

const HEAD: &str = "# API reference

<!-- Generated from crates/api by `cargo run -p sharedkey-api --bin apidoc -- docs/reference/api.md docs/reference/reasons.md`; do not edit. -->

Group `sharedkey.dev`, version `v1alpha1`. `kubectl explain awsaccount`, `kubectl explain sharedkey` and `kubectl explain
externalsecrets.sharedkey.dev` show the same in a terminal.
";

/// The page, as Markdown.
pub fn reference() -> serde_json::Result<String> {
    let kinds = crds()?.iter().map(kind).collect::<String>();
    Ok([HEAD.to_owned(), kinds, conditions(), drift()].concat())
}

fn kind(crd: &Value) -> String {
    let names = &crd["spec"]["names"];
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let name = text(&names["kind"]);
    let mut messages = Vec::new();
    collect_messages(schema, &mut messages);
    [
        format!("\n## {name}\n\n{}\n", text(&schema["description"])),
        format!("\nShort name `{}`, scope {}.\n", text(&names["shortNames"][0]), text(&crd["spec"]["scope"])),
        fields(&format!("Spec of {name}"), &schema["properties"]["spec"]),
        fields(&format!("Status of {name}"), &schema["properties"]["status"]),
        table(
            &format!("What the API server refuses of {name}"),
            &["Message"],
            messages.into_iter().map(|message| vec![message.to_owned()]),
        ),
    ]
    .concat()
}

fn fields(title: &str, schema: &Value) -> String {
    let mut rows = Vec::new();
    collect_fields("", schema, &mut rows);
    table(title, &["Field", "Type", "Default", "Meaning"], rows)
}

/// Rows of all fields of an object and of what is in them, in the order of the alphabet.
fn collect_fields(path: &str, schema: &Value, rows: &mut Vec<Vec<String>>) {
    let required = schema["required"].as_array();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let is_required = required.is_some_and(|required| required.contains(&Value::String(name.clone())));
        let default = match &field["default"] {
            Value::Null if is_required => "required".to_owned(),
            Value::Null => String::new(),
            Value::String(default) => code(default),
            default => code(&default.to_string()),
        };
        rows.push(vec![code(&path), type_of(field), default, text(&field["description"]).to_owned()]);
        collect_fields(&path, field, rows);
        collect_fields(&format!("{path}[]"), &field["items"], rows);
    }
}

fn type_of(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| code(text(value))).collect::<Vec<_>>().join(", ");
    }
    let bounded = |bound: &str, unit: &str| match &schema[bound] {
        Value::Null => String::new(),
        max => format!(", at most {max}{unit}"),
    };
    match text(&schema["type"]) {
        "array" => format!("list of {}s{}", text(&schema["items"]["type"]), bounded("maxItems", "")),
        "object" if schema["additionalProperties"].is_object() => {
            format!("map of {}s{}", text(&schema["additionalProperties"]["type"]), bounded("maxProperties", ""))
        }
        "string" if schema["format"] == "date-time" => "time".to_owned(),
        "string" => format!("string{}", bounded("maxLength", " characters")),
        other => other.to_owned(),
    }
}

/// Messages of all rules, each once, from the outside to the inside.
fn collect_messages<'a>(schema: &'a Value, messages: &mut Vec<&'a str>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let message = text(&rule["message"]);
        if !messages.contains(&message) {
            messages.push(message);
        }
    }
    let fields = schema["properties"].as_object().into_iter().flatten().map(|(_, field)| field);
    let inner = ["items", "additionalProperties"].into_iter().map(|key| &schema[key]).filter(|inner| inner.is_object());
    fields.chain(inner).for_each(|inner| collect_messages(inner, messages));
}

fn conditions() -> String {
    let types = ConditionType::iter().map(|condition| vec![code(condition.as_ref()), condition.doc().to_owned()]);
    let reasons = Reason::iter().map(|reason| vec![code(reason.as_ref()), reason.doc().to_owned()]);
    [
        "\n## Conditions and drift\n".to_owned(),
        table("Conditions", &["Type", "Where it is True"], types),
        table("Reasons of conditions", &["Reason", "Meaning"], reasons),
    ]
    .concat()
}

fn drift() -> String {
    let rows = DriftKind::iter().map(|kind| {
        let healed = if kind.healed() { "yes" } else { "no" };
        vec![code(kind.layer().as_ref()), code(kind.as_ref()), kind.doc().to_owned(), healed.to_owned()]
    });
    table("Kinds of drift", &["Layer", "Kind", "Meaning", "Healed in Enforce"], rows)
}

pub(crate) fn table(title: &str, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let head = [head.iter().map(ToString::to_string).collect(), vec!["---".to_owned(); head.len()]];
    let lines = head.into_iter().chain(rows).map(|cells: Vec<String>| {
        let cells: Vec<String> = cells.iter().map(|cell| cell_text(cell)).collect();
        format!("| {} |", cells.join(" | "))
    });
    format!("\n### {title}\n\n{}\n", lines.collect::<Vec<_>>().join("\n"))
}

/// A cell's text, with what Markdown would take for its own escaped; code stays as it is.
fn cell_text(text: &str) -> String {
    let text = text.replace('|', "\\|").replace('\n', " ");
    if text.starts_with('`') { text } else { text.replace('*', "\\*") }
}

pub(crate) fn code(text: &str) -> String {
    format!("`{text}`")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
