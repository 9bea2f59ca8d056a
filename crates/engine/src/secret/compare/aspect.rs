//! Description and tags.

use std::collections::BTreeMap;

use sharedkey_api::DriftKind;

use super::{Case, owner::Owner};
use crate::{
    compare::Finding,
    ledger::Aspect,
    names::digest,
    secret::observed::{Described, Lag},
};

/// The fingerprint of a description.
pub(crate) fn of_description(text: &str) -> String {
    digest(&[text])
}

/// The fingerprint of what the tags that are wanted are.
pub(crate) fn of_tags(wanted: &BTreeMap<String, String>, found: &BTreeMap<String, String>) -> String {
    let pairs = wanted.keys().filter_map(|key| Some((key, found.get(key)?)));
    let parts: Vec<&str> = pairs.flat_map(|(key, value)| [key.as_str(), value.as_str()]).collect();
    digest(&parts)
}

/// `DescriptionChanged`
pub(super) fn description(case: &Case<'_>) -> Vec<Finding> {
    let (Some(described), Some(wanted)) = (case.described, &case.desired.description) else { return Vec::new() };
    let found = described.description.as_deref().unwrap_or_default();
    if found == wanted {
        return Vec::new();
    }
    let resource = case.desired.aspect(Aspect::Description);
    let cause = case.part_cause(&resource, &of_description(found), described.lagging.contains(&Lag::Description));
    let message = format!("the description of secret {} is {found:?}, not {wanted:?}", described.arn);
    vec![Finding {
        expected: Some(wanted.clone()),
        observed: Some(found.to_owned()),
        ..case.finding(DriftKind::DescriptionChanged, cause, Some(resource), "description", message)
    }]
}

/// `TagsChanged`: one finding for all of them, because they are written together. Other tags are left alone.
pub(super) fn tags(case: &Case<'_>) -> Vec<Finding> {
    let Some(described) = case.described else { return Vec::new() };
    let wanted = case.desired.expected_tags(case.owner == &Owner::Us);
    let differing = differing(&wanted, described);
    if differing.is_empty() {
        return Vec::new();
    }
    let resource = case.desired.aspect(Aspect::Tags);
    let found = of_tags(&wanted, &described.tags);
    let cause = case.part_cause(&resource, &found, described.lagging.contains(&Lag::Tags));
    let told = |value: Option<&String>| value.map_or_else(|| "absent".to_owned(), Clone::clone);
    let list = |side: &dyn Fn(&str) -> String| {
        differing.keys().map(|key| format!("{key}={}", side(key))).collect::<Vec<_>>().join(", ")
    };
    let expected = list(&|key| told(wanted.get(key)));
    let observed = list(&|key| told(described.tags.get(key)));
    let message = format!("tags of secret {} differ: expected {expected}; observed {observed}", described.arn);
    vec![Finding {
        expected: Some(expected),
        observed: Some(observed),
        ..case.finding(DriftKind::TagsChanged, cause, Some(resource), "tags", message)
    }]
}

/// The tags that have to be set.
pub(crate) fn differing(wanted: &BTreeMap<String, String>, described: &Described) -> BTreeMap<String, String> {
    let differs = |(key, value): &(&String, &String)| described.tags.get(*key) != Some(*value);
    wanted.iter().filter(differs).map(|(key, value)| (key.clone(), value.clone())).collect()
}
