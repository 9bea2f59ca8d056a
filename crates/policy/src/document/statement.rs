//! One statement: its exact text, and a view of what it says.

use std::collections::BTreeMap;

use super::malformed::{MalformedPolicy, Place, Problem};
use crate::json::{self, Json};

/// A statement as it came in, insignificant whitespace aside, with a parsed view beside the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub(super) text: String,
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    pub(super) principals: Option<Principals>,
    pub(super) actions: Option<Selection>,
    pub(super) resources: Option<Selection>,
    pub(super) conditions: Vec<Condition>,
    pub(super) unknown: BTreeMap<String, String>,
}

/// What a statement does when it applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::Display, strum::EnumString)]
#[strum(ascii_case_insensitive)]
pub enum Effect {
    /// Allows, unless something denies.
    Allow,
    /// Denies, whatever allows.
    Deny,
}

/// `Principal` or `NotPrincipal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principals {
    /// Whether it is `NotPrincipal`.
    pub negated: bool,
    /// Who is listed. `"*"` is read as `{"AWS": "*"}`, which means the same (D§1.4).
    pub listed: Vec<Principal>,
}

/// One listed principal, as spelled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal {
    /// Which kind of name the value is.
    pub kind: PrincipalKind,
    /// An ARN, an account id, a unique id, `*`, or a service.
    pub value: String,
}

/// The kinds of principals of D§1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::Display, strum::EnumString)]
pub enum PrincipalKind {
    /// Accounts, roles, users, sessions, everyone.
    #[strum(serialize = "AWS")]
    Aws,
    /// An AWS service.
    Service,
    /// An identity provider.
    Federated,
    /// An S3 canonical user.
    CanonicalUser,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`: patterns as spelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Whether it is the `Not…` element.
    pub negated: bool,
    /// The patterns.
    pub patterns: Vec<String>,
}

/// One key under one operator of `Condition`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Such as `StringEquals` or `ForAnyValue:StringLike`.
    pub operator: String,
    /// Such as `kms:ViaService`.
    pub key: String,
    /// The values; numbers and booleans as they are spelled.
    pub values: Vec<String>,
}

impl Principals {
    /// What stands under `AWS`.
    pub(crate) fn aws(&self) -> impl Iterator<Item = &str> {
        self.listed
            .iter()
            .filter(|principal| principal.kind == PrincipalKind::Aws)
            .map(|principal| principal.value.as_str())
    }
}

impl Statement {
    /// The Sid.
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// The statement's JSON without insignificant whitespace, in its own order and spelling.
    pub fn to_json(&self) -> &str {
        &self.text
    }

    /// Allow or Deny.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// `Principal` or `NotPrincipal`. None is not everyone: identity policies have none.
    pub fn principals(&self) -> Option<&Principals> {
        self.principals.as_ref()
    }

    /// What stands under `AWS` of `Principal` or `NotPrincipal`, as spelled.
    pub fn aws_principals(&self) -> impl Iterator<Item = &str> {
        self.principals.iter().flat_map(Principals::aws)
    }

    /// `Action` or `NotAction`.
    pub fn actions(&self) -> Option<&Selection> {
        self.actions.as_ref()
    }

    /// `Resource` or `NotResource`.
    pub fn resources(&self) -> Option<&Selection> {
        self.resources.as_ref()
    }

    /// All conditions; every one of them must hold.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Elements that the grammar does not know, with their canonical JSON. They are compared, never dropped.
    pub fn unknown(&self) -> &BTreeMap<String, String> {
        &self.unknown
    }

    /// The same statement without the `AWS` principals that `is_gone` picks; none if nobody is left in it.
    ///
    /// Only `Principal` is rewritten. Fewer names in a `NotPrincipal` would mean more people, so it stays as it is.
    pub fn without_principals(&self, is_gone: impl Fn(&str) -> bool) -> Option<Self> {
        let gone = |principal: &Principal| principal.kind == PrincipalKind::Aws && is_gone(&principal.value);
        match &self.principals {
            Some(Principals { negated: false, listed }) if listed.iter().any(gone) => {
                let left: Vec<Principal> = listed.iter().filter(|principal| !gone(principal)).cloned().collect();
                (!left.is_empty()).then(|| self.with_principals(left))
            }
            _ => Some(self.clone()),
        }
    }

    fn with_principals(&self, listed: Vec<Principal>) -> Self {
        let mut kinds: BTreeMap<PrincipalKind, Vec<String>> = BTreeMap::new();
        for Principal { kind, value } in &listed {
            kinds.entry(*kind).or_default().push(json::quote(value));
        }
        let kinds = kinds.iter().map(|(kind, values)| format!("\"{kind}\":[{}]", values.join(",")));
        let principal = format!("{{{}}}", kinds.collect::<Vec<_>>().join(","));
        let text = json::replace_value(&self.text, "Principal", &principal);
        Self { text, principals: Some(Principals { negated: false, listed }), ..self.clone() }
    }

    /// Reads the statement that is the `number`th (from 1) of its document.
    pub(super) fn parse(text: &str, number: usize) -> Result<Self, MalformedPolicy> {
        let place = Place { statement: Some(number), ..Place::default() };
        let Json::Object(entries) = json::open(text).map_err(|e| place.fault(None, e))? else {
            return Err(place.fault(None, Problem::Expected { expected: "an object" }));
        };
        let mut reader = Reader { place, entries: entries.into_iter().collect() };
        let sid = reader.sid()?;
        reader.place.sid.clone_from(&sid);
        Ok(Self {
            text: json::minify(text),
            effect: reader.effect()?,
            principals: reader.principals()?,
            actions: reader.selection("Action", "NotAction")?,
            resources: reader.selection("Resource", "NotResource")?,
            conditions: reader.conditions()?,
            unknown: reader.unknown()?,
            sid,
        })
    }
}

/// The elements of a statement that are not read yet.
struct Reader<'a> {
    place: Place,
    entries: BTreeMap<String, &'a str>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, element: &str) -> Option<&'a str> {
        self.entries.remove(element)
    }

    /// Takes an element or its negation, which exclude each other.
    fn take_either(
        &mut self,
        plain: &'static str,
        negated: &'static str,
    ) -> Result<Option<(bool, &'static str, &'a str)>, MalformedPolicy> {
        match (self.take(plain), self.take(negated)) {
            (Some(_), Some(_)) => Err(self.place.fault(Some(negated), Problem::Exclusive { other: plain })),
            (Some(text), None) => Ok(Some((false, plain, text))),
            (None, Some(text)) => Ok(Some((true, negated, text))),
            (None, None) => Ok(None),
        }
    }

    fn open(&self, element: &str, text: &'a str) -> Result<Json<'a>, MalformedPolicy> {
        json::open(text).map_err(|e| self.place.fault(Some(element), e))
    }

    fn expected(&self, element: &str, expected: &'static str) -> MalformedPolicy {
        self.place.fault(Some(element), Problem::Expected { expected })
    }

    fn sid(&mut self) -> Result<Option<String>, MalformedPolicy> {
        let Some(text) = self.take("Sid") else { return Ok(None) };
        match self.open("Sid", text)? {
            Json::Text(sid) => Ok(Some(sid)),
            _ => Err(self.expected("Sid", "a string")),
        }
    }

    fn effect(&mut self) -> Result<Effect, MalformedPolicy> {
        let text = self.take("Effect").ok_or_else(|| self.place.fault(Some("Effect"), Problem::Missing))?;
        let effect = match self.open("Effect", text)? {
            Json::Text(effect) => effect.parse().ok(),
            _ => None,
        };
        effect.ok_or_else(|| self.expected("Effect", "\"Allow\" or \"Deny\""))
    }

    fn principals(&mut self) -> Result<Option<Principals>, MalformedPolicy> {
        let Some((negated, element, text)) = self.take_either("Principal", "NotPrincipal")? else { return Ok(None) };
        let kinds = match self.open(element, text)? {
            Json::Text(star) if star == "*" => {
                let everyone = Principal { kind: PrincipalKind::Aws, value: star };
                return Ok(Some(Principals { negated, listed: vec![everyone] }));
            }
            Json::Object(kinds) => kinds,
            _ => return Err(self.expected(element, "\"*\" or an object")),
        };
        let mut listed = Vec::new();
        for (name, text) in kinds {
            let inner = format!("{element}.{name}");
            let kind = name.parse().map_err(|_| self.expected(&inner, "AWS, Service, Federated or CanonicalUser"))?;
            listed.extend(self.scalars(&inner, text)?.into_iter().map(|value| Principal { kind, value }));
        }
        Ok(Some(Principals { negated, listed }))
    }

    fn selection(&mut self, plain: &'static str, not: &'static str) -> Result<Option<Selection>, MalformedPolicy> {
        let Some((negated, element, text)) = self.take_either(plain, not)? else { return Ok(None) };
        Ok(Some(Selection { negated, patterns: self.scalars(element, text)? }))
    }

    fn conditions(&mut self) -> Result<Vec<Condition>, MalformedPolicy> {
        let Some(text) = self.take("Condition") else { return Ok(Vec::new()) };
        let Json::Object(operators) = self.open("Condition", text)? else {
            return Err(self.expected("Condition", "an object of operators"));
        };
        let mut conditions = Vec::new();
        for (operator, text) in operators {
            let element = format!("Condition.{operator}");
            let Json::Object(keys) = self.open(&element, text)? else {
                return Err(self.expected(&element, "an object of condition keys"));
            };
            for (key, text) in keys {
                let values = self.scalars(&format!("{element}.{key}"), text)?;
                conditions.push(Condition { operator: operator.clone(), key, values });
            }
        }
        Ok(conditions)
    }

    fn unknown(&mut self) -> Result<BTreeMap<String, String>, MalformedPolicy> {
        let place = &self.place;
        let canonical = |(key, text): (String, &str)| match json::canonical(text) {
            Ok(value) => Ok((key, value)),
            Err(error) => Err(place.fault(Some(&key), error)),
        };
        std::mem::take(&mut self.entries).into_iter().map(canonical).collect()
    }

    /// A scalar or a list of scalars (D§1.1). Numbers and booleans count as the strings that they are spelled as.
    fn scalars(&self, element: &str, text: &'a str) -> Result<Vec<String>, MalformedPolicy> {
        match self.open(element, text)? {
            Json::List(items) => items.into_iter().map(|item| self.scalar(element, item)).collect(),
            _ => Ok(vec![self.scalar(element, text)?]),
        }
    }

    fn scalar(&self, element: &str, text: &'a str) -> Result<String, MalformedPolicy> {
        match self.open(element, text)? {
            Json::Text(text) => Ok(text),
            Json::Literal(literal) => Ok(literal.to_owned()),
            _ => Err(self.expected(element, "a string or a list of strings")),
        }
    }
}
