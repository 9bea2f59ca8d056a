//! Conditions: decided where the caller, the key and the action decide them, stated where only a request does (D§2.4).

use super::question::Question;
use crate::actions::has_encryption_context;
use crate::arn::{EntityArn, EntityKind, SecretArn};
use crate::document::Condition;
use crate::glob::{arn_match, glob_match};

/// What the conditions of a statement come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All hold.
    Holds,
    /// This one does not, so the statement does not apply.
    Fails(String),
    /// These are decided by the request alone; the others hold.
    Depends(Vec<String>),
}

impl Outcome {
    pub(super) fn fails(&self) -> bool {
        matches!(self, Self::Fails(_))
    }
}

/// Judges all conditions of a statement, of which every one must hold.
pub(super) fn judge(conditions: &[Condition], question: Question<'_>) -> Outcome {
    let mut open = Vec::new();
    for condition in conditions {
        match holds(condition, question) {
            Some(true) => {}
            Some(false) => return Outcome::Fails(text(condition)),
            None => open.push(text(condition)),
        }
    }
    if open.is_empty() { Outcome::Holds } else { Outcome::Depends(open) }
}

/// A condition in words.
pub(super) fn text(condition: &Condition) -> String {
    format!("{} {} [{}]", condition.operator, condition.key, condition.values.join(", "))
}

/// What is known about a condition key before there is a request.
enum Fact {
    Is(String),
    Absent,
    Open,
}

fn fact(key: &str, question: Question<'_>) -> Fact {
    let key = key.to_ascii_lowercase();
    let kind = question.entity.map(EntityArn::kind);
    match key.as_str() {
        "aws:principalarn" => Fact::Is(question.arn.clone()),
        "aws:principalaccount" | "kms:calleraccount" => Fact::Is(question.account.to_string()),
        "aws:principalisawsservice" => Fact::Is("false".to_owned()),
        "aws:principaltype" => Fact::Is(match kind {
            Some(EntityKind::Role) => "AssumedRole".to_owned(),
            Some(EntityKind::User) => "User".to_owned(),
            None => "Account".to_owned(),
        }),
        "aws:username" => match question.entity {
            Some(entity) if entity.kind() == EntityKind::User => Fact::Is(entity.name().to_owned()),
            _ => Fact::Absent,
        },
        "aws:resourceaccount" => Fact::Is(question.subject.account().to_string()),
        "aws:requestedregion" => Fact::Is(question.subject.region().to_string()),
        _ if is_encryption_context(&key) && !has_encryption_context(question.action) => Fact::Absent,
        _ => question.subject.within().map_or(Fact::Open, |secret| fact_within(secret, &key)),
    }
}

/// What Secrets Manager sends when it uses a key for a secret (D§5.2, D§5.3).
fn fact_within(secret: &SecretArn, key: &str) -> Fact {
    match key {
        // The suffix is the same in all partitions, although endpoints differ (D§2.4).
        "kms:viaservice" => Fact::Is(format!("secretsmanager.{}.amazonaws.com", secret.region())),
        "aws:viaawsservice" => Fact::Is("true".to_owned()),
        "kms:encryptioncontext:secretarn" => Fact::Is(secret.to_string()),
        "kms:encryptioncontext:secretversionid" | "kms:encryptioncontextkeys" => Fact::Open,
        _ if is_encryption_context(key) => Fact::Absent,
        _ => Fact::Open,
    }
}

/// `DescribeKey` and its like have no encryption context, so a condition on one fails them (D§2.4).
fn is_encryption_context(key: &str) -> bool {
    key == "kms:encryptioncontextkeys" || key.starts_with("kms:encryptioncontext:")
}

/// None where only a request decides, and for operators that are not known.
fn holds(condition: &Condition, question: Question<'_>) -> Option<bool> {
    let operator = Operator::parse(&condition.operator)?;
    match (fact(&condition.key, question), operator.test) {
        (Fact::Open, _) => None,
        (Fact::Absent, Test::Null) => null(condition, true),
        (Fact::Is(_), Test::Null) => null(condition, false),
        (Fact::Absent, _) => Some(operator.holds_when_absent()),
        (Fact::Is(fact), test) => {
            let matches = any_matches(&condition.values, &fact, test)?;
            Some(matches != operator.negated)
        }
    }
}

/// `Null: true` asks that the key is absent.
fn null(condition: &Condition, absent: bool) -> Option<bool> {
    match condition.values.as_slice() {
        [value] => value.to_ascii_lowercase().parse::<bool>().ok().map(|wanted| wanted == absent),
        _ => None,
    }
}

/// Whether one of the values matches. A policy variable stands for what only the request knows.
fn any_matches(values: &[String], fact: &str, test: Test) -> Option<bool> {
    let is_variable = |value: &&String| value.contains("${");
    if values.iter().filter(|value| !is_variable(value)).any(|value| test.matches(value, fact)) {
        return Some(true);
    }
    if values.iter().any(|value| is_variable(&value)) { None } else { Some(false) }
}

/// A condition operator, taken apart.
struct Operator {
    test: Test,
    negated: bool,
    if_exists: bool,
    quantifier: Option<Quantifier>,
}

/// How a condition on several values of a key is meant. For one value both mean the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    ForAll,
    ForAny,
}

#[derive(Clone, Copy)]
enum Test {
    Equals,
    EqualsIgnoreCase,
    Like,
    Arn,
    Bool,
    Null,
}

impl Operator {
    fn parse(operator: &str) -> Option<Self> {
        let lower = operator.to_ascii_lowercase();
        let (quantifier, rest) = match lower.split_once(':') {
            None => (None, lower.as_str()),
            Some(("forallvalues", rest)) => (Some(Quantifier::ForAll), rest),
            Some(("foranyvalue", rest)) => (Some(Quantifier::ForAny), rest),
            Some(_) => return None,
        };
        let (name, if_exists) = rest.strip_suffix("ifexists").map_or((rest, false), |name| (name, true));
        let (test, negated) = match name {
            "stringequals" => (Test::Equals, false),
            "stringnotequals" => (Test::Equals, true),
            "stringequalsignorecase" => (Test::EqualsIgnoreCase, false),
            "stringnotequalsignorecase" => (Test::EqualsIgnoreCase, true),
            "stringlike" => (Test::Like, false),
            "stringnotlike" => (Test::Like, true),
            // The two ARN operators mean the same: both know wildcards.
            "arnequals" | "arnlike" => (Test::Arn, false),
            "arnnotequals" | "arnnotlike" => (Test::Arn, true),
            "bool" => (Test::Bool, false),
            "null" => (Test::Null, false),
            _ => return None,
        };
        Some(Self { test, negated, if_exists, quantifier })
    }

    /// An absent key fails what asks for a value and satisfies what forbids one. `ForAllValues` is content with nothing.
    fn holds_when_absent(&self) -> bool {
        match self.quantifier {
            Some(Quantifier::ForAll) => true,
            Some(Quantifier::ForAny) => self.if_exists,
            None => self.if_exists || self.negated,
        }
    }
}

impl Test {
    fn matches(self, value: &str, fact: &str) -> bool {
        match self {
            Self::Equals => value == fact,
            Self::EqualsIgnoreCase | Self::Bool => value.eq_ignore_ascii_case(fact),
            Self::Like => glob_match(value, fact),
            Self::Arn => value == "*" || (value.starts_with("arn:") && arn_match(value, fact)),
            Self::Null => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Caller, OF_ALL, Parties, Subject};

    const ROLE: &str = "arn:aws:iam::444455556666:role/team/Reader";

    /// The outcome of one condition for a role of another account that calls `action`.
    fn outcome(operator: &str, key: &str, values: &[&str], action: &str) -> Option<bool> {
        let asked = "arn:aws:kms:eu-west-1:111122223333:key/1".parse().unwrap();
        let arn = ROLE.parse().unwrap();
        let parties =
            Parties::new(&Caller { arn: &arn, unique_id: None }, Subject::Key { key: &asked, within: None }, OF_ALL);
        let values = values.iter().map(|&value| value.to_owned()).collect();
        holds(&Condition { operator: operator.to_owned(), key: key.to_owned(), values }, parties.about(action))
    }

    #[test]
    fn what_the_caller_decides_is_decided() {
        for (operator, key, values, expected) in [
            ("ArnLike", "aws:PrincipalArn", vec!["arn:aws:iam::444455556666:role/*"], Some(true)),
            ("ArnEquals", "aws:principalARN", vec!["arn:aws:iam::*:role/team/R*"], Some(true)),
            ("ArnLike", "aws:PrincipalArn", vec!["arn:aws:iam::*"], Some(true)),
            ("ArnLike", "aws:PrincipalArn", vec!["arn:aws-cn:iam::444455556666:role/*"], Some(false)),
            ("ArnNotLike", "aws:PrincipalArn", vec![ROLE], Some(false)),
            ("StringEquals", "aws:PrincipalArn", vec!["arn:aws:iam::444455556666:role/*"], Some(false)),
            ("StringLike", "aws:PrincipalArn", vec!["*Reader"], Some(true)),
            ("StringNotLike", "aws:PrincipalArn", vec!["*Reader", "x"], Some(false)),
            ("StringEquals", "kms:CallerAccount", vec!["111122223333", "444455556666"], Some(true)),
            ("StringNotEquals", "aws:PrincipalAccount", vec!["111122223333"], Some(true)),
            ("stringequalsignorecase", "aws:PrincipalType", vec!["assumedrole"], Some(true)),
            ("ForAnyValue:StringEquals", "aws:PrincipalAccount", vec!["444455556666"], Some(true)),
            ("ForAllValues:StringEquals", "aws:PrincipalAccount", vec!["111122223333"], Some(false)),
            ("Bool", "aws:PrincipalIsAWSService", vec!["False"], Some(true)),
            ("Null", "aws:PrincipalArn", vec!["false"], Some(true)),
            ("Null", "aws:username", vec!["true"], Some(true)),
            ("StringEquals", "aws:username", vec!["Reader"], Some(false)),
            ("StringEqualsIfExists", "aws:username", vec!["Reader"], Some(true)),
            ("StringNotEquals", "aws:username", vec!["Reader"], Some(true)),
            ("ForAnyValue:StringNotEquals", "aws:username", vec!["Reader"], Some(false)),
            ("StringEquals", "aws:RequestedRegion", vec!["us-east-1"], Some(false)),
            ("StringEquals", "aws:ResourceAccount", vec!["111122223333"], Some(true)),
        ] {
            assert_eq!(outcome(operator, key, &values, "kms:Decrypt"), expected, "{operator} {key} {values:?}");
        }
    }

    #[test]
    fn what_only_a_request_decides_stays_open() {
        for (operator, key, value) in [
            ("StringEquals", "kms:ViaService", "s3.eu-west-1.amazonaws.com"),
            ("StringEqualsIfExists", "kms:ViaService", "s3.eu-west-1.amazonaws.com"),
            ("StringEquals", "aws:PrincipalOrgID", "o-example"),
            ("StringEquals", "kms:EncryptionContext:App", "x"),
            ("Bool", "kms:GrantIsForAWSResource", "true"),
            ("IpAddress", "aws:SourceIp", "192.0.2.0/24"),
            ("NotYetKnown", "aws:PrincipalArn", ROLE),
            ("ForSome:StringEquals", "aws:PrincipalArn", ROLE),
            ("StringEquals", "aws:PrincipalArn", "arn:aws:iam::444455556666:role/${aws:PrincipalTag/team}"),
        ] {
            assert_eq!(outcome(operator, key, &[value], "kms:Decrypt"), None, "{operator} {key}");
        }
    }

    #[test]
    fn an_encryption_context_fails_actions_that_have_none() {
        let on = |operator: &str, action: &str| outcome(operator, "kms:EncryptionContext:App", &["x"], action);
        assert_eq!(on("StringEquals", "kms:DescribeKey"), Some(false));
        assert_eq!(on("StringEqualsIfExists", "kms:DescribeKey"), Some(true));
        assert_eq!(on("StringEquals", "kms:GenerateDataKey"), None);
        assert_eq!(
            outcome("ForAllValues:StringEquals", "kms:EncryptionContextKeys", &["App"], "kms:DescribeKey"),
            Some(true)
        );
    }

    #[test]
    fn a_value_that_matches_makes_a_variable_irrelevant() {
        let values = ["${aws:PrincipalTag/arn}", ROLE];
        assert_eq!(outcome("StringEquals", "aws:PrincipalArn", &values, "kms:Decrypt"), Some(true));
        assert_eq!(outcome("StringNotEquals", "aws:PrincipalArn", &values, "kms:Decrypt"), Some(false));
    }
}
