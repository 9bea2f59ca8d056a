//! Statements of ours. The same input gives the same text, whatever the order it was given in.

use std::collections::{BTreeMap, BTreeSet};

use super::statement::{Condition, Effect, Principal, PrincipalKind, Principals, Selection, Statement};
use crate::json::quote;

/// Builds an Allow statement: for a key policy with principals, for an identity policy without.
#[derive(Debug, Clone, Default)]
pub struct StatementBuilder {
    sid: Option<String>,
    principals: BTreeSet<String>,
    actions: BTreeSet<String>,
    resources: BTreeSet<String>,
    conditions: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl StatementBuilder {
    /// Starts a statement that allows nothing yet.
    pub fn allow() -> Self {
        Self::default()
    }

    /// Sets the Sid.
    #[must_use]
    pub fn sid(mut self, sid: impl Into<String>) -> Self {
        self.sid = Some(sid.into());
        self
    }

    /// Adds `AWS` principals: ARNs or account roots.
    #[must_use]
    pub fn principals<S: Into<String>>(mut self, principals: impl IntoIterator<Item = S>) -> Self {
        self.principals.extend(principals.into_iter().map(Into::into));
        self
    }

    /// Adds actions.
    #[must_use]
    pub fn actions<S: Into<String>>(mut self, actions: impl IntoIterator<Item = S>) -> Self {
        self.actions.extend(actions.into_iter().map(Into::into));
        self
    }

    /// Adds a resource. Without any it is `*`, which in a key policy means this key (D§1.1).
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resources.insert(resource.into());
        self
    }

    /// Adds values to a condition key under an operator.
    #[must_use]
    pub fn condition<S: Into<String>>(
        mut self,
        operator: impl Into<String>,
        key: impl Into<String>,
        values: impl IntoIterator<Item = S>,
    ) -> Self {
        let keys = self.conditions.entry(operator.into()).or_default();
        keys.entry(key.into()).or_default().extend(values.into_iter().map(Into::into));
        self
    }

    /// The statement.
    pub fn build(mut self) -> Statement {
        if self.resources.is_empty() {
            self.resources.insert("*".to_owned());
        }
        let text = self.text();
        let selection =
            |patterns: BTreeSet<String>| Selection { negated: false, patterns: patterns.into_iter().collect() };
        let principal = |value| Principal { kind: PrincipalKind::Aws, value };
        let listed: Vec<Principal> = self.principals.into_iter().map(principal).collect();
        Statement {
            text,
            sid: self.sid,
            effect: Effect::Allow,
            principals: (!listed.is_empty()).then_some(Principals { negated: false, listed }),
            actions: Some(selection(self.actions)),
            resources: Some(selection(self.resources)),
            conditions: flat(self.conditions),
            unknown: BTreeMap::new(),
        }
    }

    fn text(&self) -> String {
        let mut elements = Vec::new();
        if let Some(sid) = &self.sid {
            elements.push(format!("\"Sid\":{}", quote(sid)));
        }
        elements.push("\"Effect\":\"Allow\"".to_owned());
        if !self.principals.is_empty() {
            elements.push(format!("\"Principal\":{{\"AWS\":{}}}", scalar_or_list(&self.principals)));
        }
        elements.push(format!("\"Action\":{}", scalar_or_list(&self.actions)));
        elements.push(format!("\"Resource\":{}", scalar_or_list(&self.resources)));
        if !self.conditions.is_empty() {
            elements.push(format!("\"Condition\":{}", object(&self.conditions, |keys| object(keys, scalar_or_list))));
        }
        format!("{{{}}}", elements.join(","))
    }
}

fn flat(conditions: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>) -> Vec<Condition> {
    let of_operator = |(operator, keys): (String, BTreeMap<String, BTreeSet<String>>)| {
        keys.into_iter().map(move |(key, values)| Condition {
            operator: operator.clone(),
            key,
            values: values.into_iter().collect(),
        })
    };
    conditions.into_iter().flat_map(of_operator).collect()
}

fn object<V>(entries: &BTreeMap<String, V>, value: impl Fn(&V) -> String) -> String {
    let entries: Vec<String> = entries.iter().map(|(key, v)| format!("{}:{}", quote(key), value(v))).collect();
    format!("{{{}}}", entries.join(","))
}

/// One value as a bare string, as KMS gives it back (D§1.4).
fn scalar_or_list(values: &BTreeSet<String>) -> String {
    let mut quoted: Vec<String> = values.iter().map(|value| quote(value)).collect();
    match quoted.len() {
        1 => quoted.remove(0),
        _ => format!("[{}]", quoted.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> StatementBuilder {
        StatementBuilder::allow().sid("SharedKey/prod/team/payments/analytics").resource("*")
    }

    #[test]
    fn the_text_is_the_same_whatever_the_order() {
        let left = statement().principals(["b", "a"]).actions(["kms:Encrypt", "kms:Decrypt"]);
        let right = statement().actions(["kms:Decrypt"]).principals(["a", "b", "a"]).actions(["kms:Encrypt"]);
        assert_eq!(left.build(), right.build());
    }

    #[test]
    fn the_view_is_what_parsing_the_text_gives() {
        let built = statement()
            .principals(["arn:aws:iam::444455556666:role/R"])
            .actions(["kms:Decrypt", "kms:DescribeKey"])
            .condition("StringEquals", "kms:ViaService", ["s3.eu-west-1.amazonaws.com"])
            .condition("StringEquals", "aws:PrincipalOrgID", ["o-abc", "o-def"])
            .build();
        insta::assert_snapshot!(built.to_json(), @r#"
        {"Sid":"SharedKey/prod/team/payments/analytics","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:role/R"},"Action":["kms:Decrypt","kms:DescribeKey"],"Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":["o-abc","o-def"],"kms:ViaService":"s3.eu-west-1.amazonaws.com"}}}
        "#);
        assert_eq!(Statement::parse(built.to_json(), 1).unwrap(), built);
        let identity = StatementBuilder::allow().actions(["kms:Decrypt"]).resource("arn").build();
        assert_eq!(Statement::parse(identity.to_json(), 1).unwrap(), identity);
    }
}
