//! The accounts that admins opened, as `resolve` sees them.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use sharedkey_api::{AllowRule, AwsAccountSpec, Mode};
use sharedkey_policy::{AccountId, Partition, Region, glob_match};

/// All `AwsAccount`s by name.
#[derive(Clone, Debug, Default)]
pub struct Accounts(pub BTreeMap<String, AwsAccountSpec>);

/// A namespace, as allow rules select it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
}

/// The partition of an account: stated, or that of its default Region.
pub fn partition(spec: &AwsAccountSpec) -> Option<Partition> {
    let stated = spec.partition.as_deref().and_then(|text| text.parse().ok());
    stated.or_else(|| Some(spec.default_region.as_deref()?.parse::<Region>().ok()?.partition()))
}

/// An account's id, where it is one.
pub fn account_id(spec: &AwsAccountSpec) -> Option<AccountId> {
    spec.account_id.parse().ok()
}

impl Accounts {
    /// Every `AwsAccount` of one AWS account. Guardrails of all of them hold (design §3.1).
    pub fn of<'a>(
        &'a self,
        partition_: Partition,
        id: &'a AccountId,
    ) -> impl Iterator<Item = (&'a str, &'a AwsAccountSpec)> {
        self.0
            .iter()
            .filter(move |(_, spec)| partition(spec) == Some(partition_) && spec.account_id == id.as_str())
            .map(|(name, spec)| (name.as_str(), spec))
    }

    /// The strictest mode of all `AwsAccount`s of one AWS account.
    pub fn mode(&self, partition: Partition, id: &AccountId) -> Mode {
        let observed = self.of(partition, id).any(|(_, spec)| spec.mode == Mode::Observe);
        if observed { Mode::Observe } else { Mode::Enforce }
    }
}

/// What an allow rule is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// A key by its ARN, or an alias by its name.
    Key(&'a str),
    /// A secret by its name.
    Secret(&'a str),
    /// `role/path/Name`, `user/path/Name` or `root`.
    Principal(&'a str),
}

/// Whether a rule of the account opens it to the namespace for what is wanted. One rule has to say all of it: a namespace of
/// one rule never combines with the keys of another.
pub fn allows(spec: &AwsAccountSpec, namespace: &Namespace<'_>, wanted: Wanted<'_>) -> bool {
    spec.allow.iter().filter(|rule| selects(rule, namespace)).any(|rule| match wanted {
        Wanted::Key(key) => rule.keys.iter().any(|pattern| glob_match(pattern, key)),
        Wanted::Secret(secret) => rule.secrets.iter().any(|pattern| glob_match(pattern, secret)),
        Wanted::Principal(principal) => rule.principals.iter().any(|pattern| glob_match(pattern, principal)),
    })
}

/// Every pattern over principals that the account opens to the namespace.
pub fn opened_principals(spec: &AwsAccountSpec, namespace: &Namespace<'_>) -> Vec<String> {
    spec.allow.iter().filter(|rule| selects(rule, namespace)).flat_map(|rule| rule.principals.iter().cloned()).collect()
}

/// Whether any rule of the account names the namespace at all.
pub fn opens(spec: &AwsAccountSpec, namespace: &Namespace<'_>) -> bool {
    spec.allow.iter().any(|rule| selects(rule, namespace))
}

fn selects(rule: &AllowRule, namespace: &Namespace<'_>) -> bool {
    rule.namespaces.names.iter().any(|name| name == namespace.name)
        || rule.namespaces.selector.as_ref().is_some_and(|selector| matches(selector, namespace.labels))
}

/// Kubernetes' own meaning of a label selector: an empty one selects everything.
fn matches(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let mut equal = selector.match_labels.iter().flatten();
    let mut expressions = selector.match_expressions.iter().flatten();
    equal.all(|(key, value)| labels.get(key) == Some(value))
        && expressions.all(|expression| {
            let value = labels.get(&expression.key);
            let values = expression.values.as_deref().unwrap_or_default();
            match expression.operator.as_str() {
                "In" => value.is_some_and(|value| values.contains(value)),
                "NotIn" => value.is_none_or(|value| !values.contains(value)),
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn requirement(key: &str, operator: &str, values: &[&str]) -> LabelSelector {
        LabelSelector {
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: key.into(),
                operator: operator.into(),
                values: Some(values.iter().map(ToString::to_string).collect()),
            }]),
            match_labels: None,
        }
    }

    #[test]
    fn selectors_mean_what_kubernetes_means() {
        let team_a = labels(&[("team", "a")]);
        for (selector, selected) in [
            (LabelSelector { match_labels: Some(labels(&[("team", "a")])), match_expressions: None }, true),
            (LabelSelector { match_labels: Some(labels(&[("team", "b")])), match_expressions: None }, false),
            (requirement("team", "In", &["a", "b"]), true),
            (requirement("team", "NotIn", &["a"]), false),
            (requirement("other", "NotIn", &["a"]), true),
            (requirement("team", "Exists", &[]), true),
            (requirement("team", "DoesNotExist", &[]), false),
            (requirement("team", "Gt", &["a"]), false),
            (LabelSelector::default(), true),
        ] {
            assert_eq!(matches(&selector, &team_a), selected, "{selector:?}");
        }
    }
}
