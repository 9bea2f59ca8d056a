//! The tables of cases: manifests that each rule accepts and refuses. Both test binaries read them, so what the rules say
//! in Rust's own evaluator and in the API server is the same thing.

#![expect(clippy::expect_used, clippy::panic, reason = "a table that cannot be read fails every test that needs it")]

use std::{fs, path::Path};

use serde::Deserialize;
use serde_json::{Value, json};

/// One file of `tests/cases`.
#[derive(Deserialize)]
pub(crate) struct Table {
    /// Kind of every object of the table.
    pub(crate) kind: String,
    /// JSON pointer into the spec to where the cases' patches apply.
    #[serde(default)]
    at: String,
    /// Spec that every case starts from.
    base: Value,
    /// The rules.
    pub(crate) rules: Vec<Rule>,
}

/// One rule, with what it accepts and refuses.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Rule {
    /// The rule's message, in full; for one of the schema, a part of what the API server says.
    pub(crate) message: String,
    /// Who enforces it.
    #[serde(default)]
    pub(crate) enforced_by: EnforcedBy,
    /// Cases that pass.
    pub(crate) accept: Vec<Case>,
    /// Cases that are refused with the message.
    pub(crate) refuse: Vec<Case>,
}

/// What a rule is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum EnforcedBy {
    /// CEL.
    #[default]
    Rule,
    /// A bound, an enum or a list type, which only an API server enforces.
    Schema,
}

/// A JSON merge patch, or two for an update.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Case {
    /// An object is changed.
    Update {
        /// Before.
        from: Value,
        /// After.
        to: Value,
    },
    /// An object is created.
    Create(Value),
}

/// What a case asks the API server to take.
pub(crate) struct Request {
    /// The object before, where it is an update.
    pub(crate) old: Option<Value>,
    /// The object.
    pub(crate) new: Value,
}

impl Table {
    /// All tables.
    pub(crate) fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
        let files = fs::read_dir(&folder).expect("the folder of cases");
        let tables: Vec<Self> = files
            .map(|file| {
                let path = file.expect("a file of cases").path();
                let text = fs::read_to_string(&path).expect("a readable file of cases");
                serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
            })
            .collect();
        assert!(!tables.is_empty(), "no cases in {}", folder.display());
        tables
    }

    /// The objects of a case.
    pub(crate) fn request(&self, case: &Case) -> Request {
        match case {
            Case::Create(patch) => Request { old: None, new: self.object(patch) },
            Case::Update { from, to } => Request { old: Some(self.object(from)), new: self.object(to) },
        }
    }

    fn object(&self, patch: &Value) -> Value {
        let mut spec = self.base.clone();
        let target = spec.pointer_mut(&self.at).unwrap_or_else(|| panic!("base has nothing at {}", self.at));
        json_patch::merge(target, &expanded(patch));
        let mut metadata = json!({"name": "case"});
        if self.kind != "AwsAccount" {
            metadata["namespace"] = json!("default");
        }
        json!({"apiVersion": "sharedkey.dev/v1alpha1", "kind": self.kind, "metadata": metadata, "spec": spec})
    }
}

/// `ROLES-40` stands for a list of forty principals, `READERS-40` for one of forty readers, `TAGS-40` and `KEYS-40` for maps of forty
/// tags and keys of a target, and `TEXT-40` for forty characters.
fn expanded(patch: &Value) -> Value {
    match patch {
        Value::String(text) => match text.rsplit_once('-').map(|(what, count)| (what, count.parse::<usize>())) {
            Some(("ROLES", Ok(count))) => (0..count).map(|n| json!({"role": format!("Role{n}")})).collect(),
            Some(("TAGS", Ok(count))) => Value::Object((0..count).map(|n| (format!("tag{n}"), json!("x"))).collect()),
            Some(("KEYS", Ok(count))) => {
                Value::Object((0..count).map(|n| (format!("m{n}"), format!("k{n}").into())).collect())
            }
            Some(("READERS", Ok(count))) => (0..count).map(reader).collect(),
            Some(("TEXT", Ok(count))) => "x".repeat(count).into(),
            _ => patch.clone(),
        },
        Value::Array(items) => items.iter().map(expanded).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), expanded(value))).collect(),
        _ => patch.clone(),
    }
}

fn reader(n: usize) -> Value {
    json!({"name": format!("r{n}"), "accountId": "444455556666", "principals": [{"role": "ExampleRole"}]})
}
