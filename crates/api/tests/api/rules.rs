//! The rules and the shape of the CRDs, without an API server.

use std::collections::{BTreeMap, BTreeSet};

use crate::tables::{Case, EnforcedBy, Table};
use kube::core::cel::Validator;
use serde_json::Value;
use sharedkey_api::{AwsAccount, ExternalSecret, SharedKey, catalogue, crd_files, crds, reference};

/// The schema of each kind.
#[expect(clippy::unwrap_used, reason = "no test here means anything without the CRDs")]
fn schemas() -> BTreeMap<String, Value> {
    crds()
        .unwrap()
        .into_iter()
        .map(|crd| {
            let kind = crd["spec"]["names"]["kind"].as_str().unwrap().to_owned();
            (kind, crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone())
        })
        .collect()
}

/// Visits a schema and everything in it, with its path.
fn visit(path: &str, schema: &Value, visitor: &mut impl FnMut(&str, &Value)) {
    visitor(path, schema);
    if let Some(properties) = schema["properties"].as_object() {
        for (name, property) in properties {
            visit(&format!("{path}.{name}"), property, visitor);
        }
    }
    for (key, suffix) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[key].is_object() {
            visit(&format!("{path}{suffix}"), &schema[key], visitor);
        }
    }
}

fn visit_all(mut visitor: impl FnMut(&str, &Value)) {
    for (kind, schema) in schemas() {
        visit(&kind, &schema, &mut visitor);
    }
}

/// Messages that the rules have for one object.
fn messages(schema: &Value, old: Option<&Value>, new: &Value) -> Vec<String> {
    match Validator::new().validate_with_defaults(schema, new, old) {
        Ok(()) => Vec::new(),
        Err(errors) => errors.iter().map(|error| error.message.clone()).collect(),
    }
}

#[test]
fn rules_accept_and_refuse_what_the_cases_say() {
    let schemas = schemas();
    for table in Table::all() {
        let schema = &schemas[&table.kind];
        for rule in &table.rules {
            for case in &rule.accept {
                let request = table.request(case);
                let messages = messages(schema, request.old.as_ref(), &request.new);
                assert!(messages.is_empty(), "{}: {case:?} is to be accepted, but: {messages:?}", rule.message);
            }
            for case in rule.refuse.iter().filter(|_| rule.enforced_by == EnforcedBy::Rule) {
                let request = table.request(case);
                let messages = messages(schema, request.old.as_ref(), &request.new);
                assert!(
                    messages.contains(&rule.message),
                    "{}: {case:?} is to be refused, but: {messages:?}",
                    rule.message
                );
            }
        }
    }
}

#[test]
fn every_rule_has_an_accepted_and_a_refused_case() {
    let mut rules = BTreeMap::new();
    visit_all(|path, schema| {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let message = rule["message"].as_str().unwrap_or_else(|| panic!("a rule of {path} has no message"));
            let is_transition = rule["rule"].as_str().unwrap().contains("oldSelf");
            rules.insert(message.to_owned(), is_transition);
        }
    });
    let mut covered = BTreeSet::new();
    for rule in Table::all().into_iter().flat_map(|table| table.rules) {
        assert!(!rule.accept.is_empty() && !rule.refuse.is_empty(), "{}: a side has no case", rule.message);
        if rule.enforced_by == EnforcedBy::Rule {
            let is_transition = rules.get(&rule.message).unwrap_or_else(|| panic!("no such rule: {}", rule.message));
            let updates = rule.accept.iter().chain(&rule.refuse).all(|case| matches!(case, Case::Update { .. }));
            assert_eq!(updates, *is_transition, "{}: transitions need updates, and only they", rule.message);
            covered.insert(rule.message);
        }
    }
    let all: BTreeSet<String> = rules.into_keys().collect();
    assert_eq!(all.difference(&covered).collect::<Vec<_>>(), Vec::<&String>::new(), "rules without a case");
}

#[test]
fn the_types_read_and_write_every_accepted_manifest() {
    let schemas = schemas();
    for table in Table::all() {
        for case in table.rules.iter().flat_map(|rule| &rule.accept) {
            let mut object = table.request(case).new;
            object = kube::core::cel::apply_defaults(&schemas[&table.kind], &object);
            let written = match table.kind.as_str() {
                "AwsAccount" => serde_json::to_value(serde_json::from_value::<AwsAccount>(object.clone()).unwrap()),
                "SharedKey" => serde_json::to_value(serde_json::from_value::<SharedKey>(object.clone()).unwrap()),
                "ExternalSecret" => {
                    serde_json::to_value(serde_json::from_value::<ExternalSecret>(object.clone()).unwrap())
                }
                kind => panic!("no such kind: {kind}"),
            };
            drop_empty_lists(&mut object);
            let mut written = written.unwrap();
            drop_empty_lists(&mut written);
            assert_eq!(written, object);
        }
    }
}

/// A list that is optional and empty is left out when it is written, except where absent means something else.
fn drop_empty_lists(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| field.as_array().is_none_or(|list| !list.is_empty()));
            fields.values_mut().for_each(drop_empty_lists);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_empty_lists),
        _ => {}
    }
}

#[test]
fn every_list_map_and_text_has_a_bound() {
    visit_all(|path, schema| {
        let bounded_by: &[&str] = match schema["type"].as_str() {
            Some("string") => &["maxLength", "enum", "format"],
            Some("array") => &["maxItems"],
            Some("object") if schema["additionalProperties"].is_object() => &["maxProperties"],
            _ => return,
        };
        let root = path.split('.').count() == 2;
        assert!(root || bounded_by.iter().any(|bound| !schema[*bound].is_null()), "{path} has no bound");
    });
}

#[test]
fn every_list_says_how_it_is_merged() {
    visit_all(|path, schema| {
        if schema["type"] == "array" {
            assert!(!schema["x-kubernetes-list-type"].is_null(), "{path} has no list type");
        }
    });
}

#[test]
fn nothing_is_nullable() {
    visit_all(|path, schema| assert!(schema["nullable"].is_null(), "{path}"));
}

#[test]
fn kubectl_explain_has_a_text_for_every_field() {
    visit_all(|path, schema| {
        if let Some(properties) = schema["properties"].as_object() {
            for (name, property) in properties {
                let text = property["description"].as_str().unwrap_or_default();
                let envelope = !path.contains('.');
                assert!(envelope || text.ends_with('.'), "{path}.{name} is described by {text:?}");
                assert!(!text.contains("D§"), "{path}.{name} cites what its readers do not have: {text:?}");
            }
        }
    });
}

#[test]
fn the_folder_crds_is_what_the_types_say() {
    for file in crd_files().unwrap() {
        let path = format!("{}/../../crds/{}", env!("CARGO_MANIFEST_DIR"), file.name);
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == file.yaml, "{} is out of date: run `make crds`", file.name);
    }
}

#[test]
fn the_reference_is_what_the_types_say() {
    for (name, page) in [("api.md", reference().unwrap()), ("reasons.md", catalogue())] {
        let path = format!("{}/../../docs/reference/{name}", env!("CARGO_MANIFEST_DIR"));
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == page, "docs/reference/{name} is out of date: run `make crds`");
    }
}
