//! What exactly differs between a statement that is wanted and the one that is there.

mod document;
mod text;

use std::collections::BTreeSet;

pub use document::{DocumentDifference, document_difference};

use crate::actions::{expand, spelled};
use crate::document::{Principal, PrincipalKind, Statement};
use crate::normal::{NormalCondition, NormalContext, NormalSet, NormalStatement, normal};

/// The difference between two statements that are not equal in normal form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Allow against Deny.
    pub effect: Option<Change<String>>,
    /// Principals, unique ids resolved.
    pub principals: SetDifference,
    /// Actions, as patterns.
    pub actions: SetDifference,
    /// Resources, as patterns.
    pub resources: SetDifference,
    /// Conditions by operator and key.
    pub conditions: Vec<ConditionDifference>,
    /// Elements that differ as a whole: Sid, an element that is absent or negated on one side, unknown elements.
    pub other: Vec<ElementDifference>,
    /// Only the spelling of wildcard actions differs: both sides cover the same known actions (D§1.4).
    pub equivalent: bool,
}

/// One value for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<T> {
    /// What should be.
    pub expected: T,
    /// What is.
    pub observed: T,
}

/// The difference between two sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetDifference {
    /// Expected and not there.
    pub missing: BTreeSet<String>,
    /// There and not expected.
    pub unexpected: BTreeSet<String>,
}

/// A condition that differs; none means that this side has no such condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionDifference {
    /// The operator as spelled.
    pub operator: String,
    /// The key as spelled.
    pub key: String,
    /// The values that should be.
    pub expected: Option<BTreeSet<String>>,
    /// The values that are.
    pub observed: Option<BTreeSet<String>>,
}

/// An element that differs as a whole; none means that this side has no such element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementDifference {
    /// The element's name.
    pub element: String,
    /// What should be.
    pub expected: Option<String>,
    /// What is.
    pub observed: Option<String>,
}

impl SetDifference {
    /// Whether the sets are equal.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty()
    }
}

/// Compares two statements; none means that they are equal in normal form.
pub fn difference(expected: &Statement, observed: &Statement, context: &NormalContext) -> Option<Difference> {
    let (left, right) = (normal(expected, context), normal(observed, context));
    if left == right {
        return None;
    }
    let mut found = Difference { conditions: conditions(&left, &right, [expected, observed]), ..Difference::default() };
    if left.effect != right.effect {
        found.effect = Some(Change { expected: left.effect.to_string(), observed: right.effect.to_string() });
    }
    found.other("Sid", left.sid.clone(), right.sid.clone());
    found.principals = found.sets("Principal", left.principals.as_ref(), right.principals.as_ref(), principal);
    found.actions = found.sets("Action", left.actions.as_ref(), right.actions.as_ref(), |action| {
        as_written(action, [expected, observed])
    });
    found.resources = found.sets("Resource", left.resources.as_ref(), right.resources.as_ref(), String::clone);
    let unknown: BTreeSet<&String> = left.unknown.keys().chain(right.unknown.keys()).collect();
    for element in unknown {
        found.other(element, left.unknown.get(element).cloned(), right.unknown.get(element).cloned());
    }
    found.equivalent = only_action_spelling_differs(&left, &right);
    Some(found)
}

/// The normal form of an action as AWS spells it or, where that is not known, as one of the statements does.
fn as_written(action: &str, statements: [&Statement; 2]) -> String {
    let patterns = statements.into_iter().filter_map(Statement::actions).flat_map(|selection| &selection.patterns);
    let written = patterns.into_iter().find(|pattern| pattern.eq_ignore_ascii_case(action));
    spelled(written.map_or(action, String::as_str))
}

impl Difference {
    /// Whether nothing is left of it, after somebody took out what does not matter to him.
    pub fn is_empty(&self) -> bool {
        self.effect.is_none() && self.principals.is_empty() && self.is_only_of_principals()
    }

    /// Whether it is nothing but principals that are not there.
    pub fn is_only_missing_principals(&self) -> bool {
        self.effect.is_none() && self.principals.unexpected.is_empty() && self.is_only_of_principals()
    }

    fn is_only_of_principals(&self) -> bool {
        self.actions.is_empty() && self.resources.is_empty() && self.conditions.is_empty() && self.other.is_empty()
    }

    fn other(&mut self, element: &str, expected: Option<String>, observed: Option<String>) {
        if expected != observed {
            self.other.push(ElementDifference { element: element.to_owned(), expected, observed });
        }
    }

    /// Compares two sets, or the two elements as wholes where one is absent or negated: then members say nothing.
    fn sets<T: Ord>(
        &mut self,
        element: &str,
        expected: Option<&NormalSet<T>>,
        observed: Option<&NormalSet<T>>,
        text: impl Fn(&T) -> String,
    ) -> SetDifference {
        match (expected, observed) {
            (Some(left), Some(right)) if left.negated == right.negated => SetDifference {
                missing: left.values.difference(&right.values).map(&text).collect(),
                unexpected: right.values.difference(&left.values).map(&text).collect(),
            },
            _ => {
                let whole = |set: &NormalSet<T>| {
                    let values: Vec<String> = set.values.iter().map(&text).collect();
                    let negation = if set.negated { format!("Not{element} ") } else { String::new() };
                    format!("{negation}[{}]", values.join(", "))
                };
                self.other(element, expected.map(whole), observed.map(whole));
                SetDifference::default()
            }
        }
    }
}

fn principal(principal: &Principal) -> String {
    match principal.kind {
        PrincipalKind::Aws => principal.value.clone(),
        kind => format!("{kind} {}", principal.value),
    }
}

fn conditions(left: &NormalStatement, right: &NormalStatement, spellings: [&Statement; 2]) -> Vec<ConditionDifference> {
    let only = |one: &NormalStatement, other: &NormalStatement| -> Vec<NormalCondition> {
        one.conditions.difference(&other.conditions).cloned().collect()
    };
    let (missing, mut unexpected) = (only(left, right), only(right, left));
    let mut found = Vec::new();
    for NormalCondition { operator, key, values } in missing {
        let same = |other: &NormalCondition| other.operator == operator && other.key == key;
        let observed = unexpected.iter().position(same).map(|index| unexpected.remove(index).values);
        found.push(ConditionDifference { operator, key, expected: Some(values), observed });
    }
    found.extend(unexpected.into_iter().map(|NormalCondition { operator, key, values }| ConditionDifference {
        operator,
        key,
        expected: None,
        observed: Some(values),
    }));
    for difference in &mut found {
        spell_as_in(&spellings, difference);
    }
    found
}

/// Shows operator and key as the statements spell them; the normal form has them in lower case.
fn spell_as_in(statements: &[&Statement], difference: &mut ConditionDifference) {
    let mut all = statements.iter().flat_map(|statement| statement.conditions());
    let (operator, key) = (&difference.operator, &difference.key);
    if let Some(spelled) = all.find(|c| c.operator.eq_ignore_ascii_case(operator) && c.key.eq_ignore_ascii_case(key)) {
        difference.operator.clone_from(&spelled.operator);
        difference.key.clone_from(&spelled.key);
    }
}

fn only_action_spelling_differs(left: &NormalStatement, right: &NormalStatement) -> bool {
    let expanded = |statement: &NormalStatement| NormalStatement {
        actions: statement.actions.as_ref().map(|actions| NormalSet {
            negated: actions.negated,
            values: actions.values.iter().flat_map(|pattern| covered(pattern)).collect(),
        }),
        ..statement.clone()
    };
    expanded(left) == expanded(right)
}

/// The known actions that a pattern covers. What is not of KMS, or not known, stands for itself.
fn covered(pattern: &str) -> Vec<String> {
    let known = if pattern.starts_with("kms:") { expand(pattern) } else { Vec::new() };
    if known.is_empty() { vec![pattern.to_owned()] } else { known.into_iter().map(str::to_owned).collect() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::document::PolicyDocument;
    use crate::testing::{Spelling, context, meanings, rewritten_pairs, spell, statement};

    const EXPECTED: &str = r#"{"Sid":"s","Effect":"Allow","Principal":{"AWS":["arn:aws-cn:iam::444455556666:role/A","444455556666"]},
        "Action":["kms:Decrypt","kms:DescribeKey"],"Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"s3"}}}"#;

    fn compare(observed: &str) -> Option<Difference> {
        difference(&statement(EXPECTED), &statement(observed), &context())
    }

    #[test]
    fn a_difference_reads_as_one_line() {
        let cases = [
            EXPECTED.replace(r#""kms:Decrypt","#, ""),
            EXPECTED.replace("Allow", "Deny"),
            EXPECTED.replace("role/A", "role/B").replace("DescribeKey", "encrypt"),
            EXPECTED.replace(r#":"s3""#, r#":["s3","ec2"]"#),
            EXPECTED.replace(
                r#""Condition":{"StringEquals":{"kms:ViaService":"s3"}}"#,
                r#""Condition":{"Bool":{"k":true}}"#,
            ),
            EXPECTED.replace(r#""Principal""#, r#""NotPrincipal""#),
            EXPECTED.replace(r#""Resource":"*","#, r#""Future":{"a":1},"#),
            EXPECTED.replace(r#""Sid":"s""#, r#""Sid":"t""#),
        ];
        let lines: Vec<String> = cases.iter().map(|case| compare(case).unwrap().to_string()).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        actions: missing kms:Decrypt
        effect: expected Allow, observed Deny
        principals: missing arn:aws-cn:iam::444455556666:role/A, unexpected arn:aws-cn:iam::444455556666:role/B; actions: missing kms:DescribeKey, unexpected kms:Encrypt
        condition StringEquals kms:ViaService: expected [s3], observed [ec2, s3]
        condition StringEquals kms:ViaService: expected [s3], observed absent; condition Bool k: expected absent, observed [true]
        Principal: expected [arn:aws-cn:iam::444455556666:role/A, arn:aws-cn:iam::444455556666:root], observed NotPrincipal [arn:aws-cn:iam::444455556666:role/A, arn:aws-cn:iam::444455556666:root]
        Resource: expected [*], observed absent; Future: expected absent, observed {"a":1}
        Sid: expected s, observed t
        "#);
    }

    #[test]
    fn each_side_shows_only_what_differs() {
        let found = compare(&EXPECTED.replace("role/A", "role/B").replace(r#","kms:DescribeKey""#, "")).unwrap();
        insta::assert_snapshot!(format!("{}\n{}", found.expected_text(), found.observed_text()), @"
        principals: arn:aws-cn:iam::444455556666:role/A, without arn:aws-cn:iam::444455556666:role/B; actions: kms:DescribeKey
        principals: arn:aws-cn:iam::444455556666:role/B, without arn:aws-cn:iam::444455556666:role/A; actions: without kms:DescribeKey
        ");
    }

    #[test]
    fn actions_of_other_services_are_shown_as_they_are_written() {
        let reads = |actions: &str| statement(&EXPECTED.replace(r#""kms:Decrypt""#, actions));
        let expected = reads(r#""secretsmanager:GetSecretValue","secretsmanager:DescribeSecret""#);
        let observed = reads(r#""SecretsManager:describesecret""#);
        let found = difference(&expected, &observed, &context()).unwrap();
        assert_eq!(found.to_string(), "actions: missing secretsmanager:GetSecretValue");
    }

    #[test]
    fn wildcards_that_cover_the_same_actions_are_equivalent() {
        let spelled = |actions: &str| statement(&EXPECTED.replace(r#""kms:Decrypt""#, actions));
        let wildcard = spelled(r#""kms:ReEncrypt*""#);
        let found = difference(&wildcard, &spelled(r#""kms:ReEncryptTo","kms:ReEncryptFrom""#), &context()).unwrap();
        assert!(found.equivalent && !found.actions.is_empty());
        for others in
            [r#""kms:ReEncryptTo""#, r#""kms:ReEncryptTo","kms:ReEncryptFrom","kms:Encrypt""#, r#""kms:NotYetKnown*""#]
        {
            assert!(!difference(&wildcard, &spelled(others), &context()).unwrap().equivalent, "{others}");
        }
    }

    proptest! {
        #[test]
        fn a_difference_is_found_exactly_where_normal_forms_differ(one in meanings(), other in meanings()) {
            let read = |meanings: &[_]| PolicyDocument::parse(&spell(meanings, &mut Spelling::plain())).unwrap();
            let context = context();
            for (left, right) in read(&one).statements().iter().zip(read(&other).statements()) {
                let found = difference(left, right, &context);
                prop_assert_eq!(found.is_none(), normal(left, &context) == normal(right, &context));
                if let Some(found) = found {
                    prop_assert!(!found.to_string().is_empty());
                    prop_assert_ne!(found.expected_text(), found.observed_text());
                }
            }
        }

        #[test]
        fn what_kms_gives_back_is_no_difference((before, after, context) in rewritten_pairs()) {
            let (before, after) = (PolicyDocument::parse(&before).unwrap(), PolicyDocument::parse(&after).unwrap());
            for statement in before.statements() {
                prop_assert!(after.statements().iter().any(|other| difference(statement, other, &context).is_none()));
            }
        }
    }
}
