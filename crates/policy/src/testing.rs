//! Documents for tests: literal ones, and generated ones with a second spelling of the same content.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::document::{PolicyDocument, Statement};
use crate::json::quote;
use crate::normal::NormalContext;
use crate::partition::Partition;

/// Reads one statement.
pub(crate) fn statement(text: &str) -> Statement {
    document(text).statements()[0].clone()
}

/// Reads a document with these statements: a list or one on its own.
pub(crate) fn document(statements: &str) -> PolicyDocument {
    PolicyDocument::parse(&format!(r#"{{"Version":"2012-10-17","Statement":{statements}}}"#)).unwrap()
}

const ROLE: &str = "arn:aws-cn:iam::444455556666:role/team/ExampleRole";
const ROLE_ID: &str = "AROAEXAMPLE000000001";

/// A context that knows the unique id of one role.
pub(crate) fn context() -> NormalContext {
    NormalContext { partition: Partition::AwsCn, unique_ids: BTreeMap::from([(ROLE_ID.to_owned(), ROLE.to_owned())]) }
}

/// What a statement says, apart from how it is spelled.
#[derive(Debug, Clone)]
pub(crate) struct Meaning {
    sid: Option<String>,
    deny: bool,
    principals: Option<Vec<&'static str>>,
    actions: Vec<&'static str>,
    condition: Option<(&'static str, &'static str, Vec<&'static str>)>,
}

/// Statements with Sids from a small set, so that they clash now and then.
pub(crate) fn meanings() -> impl Strategy<Value = Vec<Meaning>> {
    let sid =
        prop::option::of(select(vec!["Foreign a", "Foreign b", "Enable IAM User Permissions"]).prop_map(str::to_owned));
    vec(meaning(sid), 0..5)
}

/// A statement of ours with this Sid.
pub(crate) fn ours(sid: &str) -> impl Strategy<Value = Statement> + use<> {
    meaning(Just(Some(sid.to_owned()))).prop_map(|meaning| statement(&meaning.spell(&mut Spelling::plain())))
}

fn meaning(sid: impl Strategy<Value = Option<String>>) -> impl Strategy<Value = Meaning> {
    let principals = [
        "*",
        ROLE,
        "arn:aws-cn:iam::444455556666:root",
        "arn:aws-cn:iam::111122223333:root",
        "arn:aws-cn:iam::444455556666:user/ExampleUser",
        "AROADELETED000000001",
    ];
    let actions = ["kms:*", "kms:Decrypt", "kms:ReEncrypt*", "kms:DescribeKey", "kms:GenerateDataKey*"];
    let condition = (
        select(vec!["StringEquals", "ForAnyValue:StringLike", "Bool"]),
        select(vec!["kms:ViaService", "aws:PrincipalOrgID", "kms:GrantIsForAWSResource"]),
        vec(select(vec!["true", "7", "o-example", "s3.cn-north-1.amazonaws.com"]), 1..3),
    );
    (
        sid,
        any::<bool>(),
        prop::option::of(vec(select(principals.to_vec()), 1..5)),
        vec(select(actions.to_vec()), 1..4),
        prop::option::of(condition),
    )
        .prop_map(|(sid, deny, principals, actions, condition)| Meaning {
            sid,
            deny,
            principals,
            actions,
            condition,
        })
}

/// Choices among spellings; once they are used up, the plain one.
pub(crate) struct Spelling(Vec<Index>);

impl Spelling {
    pub(crate) fn plain() -> Self {
        Self(Vec::new())
    }

    fn choose(&mut self, among: usize) -> usize {
        self.0.pop().map_or(0, |index| index.index(among))
    }

    fn pick(&mut self, spellings: &[String]) -> String {
        spellings[self.choose(spellings.len())].clone()
    }

    /// A set as JSON: any order, duplicates, a bare value for a list of one.
    fn set(&mut self, values: Vec<String>) -> String {
        let mut values = values;
        for left in (1..values.len()).rev() {
            let other = left - self.choose(left + 1);
            values.swap(left, other);
        }
        if self.choose(2) == 1 {
            values.push(values[0].clone());
        }
        if values.len() == 1 && self.choose(2) == 1 { values.remove(0) } else { format!("[{}]", values.join(" , ")) }
    }
}

/// What must be equal for two statements to be equal.
type Essence<'a> = (
    Option<&'a str>,
    bool,
    Option<BTreeSet<&'static str>>,
    BTreeSet<&'static str>,
    Option<(&'static str, &'static str, BTreeSet<&'static str>)>,
);

impl Meaning {
    pub(crate) fn essence(&self) -> Essence<'_> {
        let set = |values: &[&'static str]| values.iter().copied().collect::<BTreeSet<_>>();
        let condition = self.condition.as_ref().map(|(operator, key, values)| (*operator, *key, set(values)));
        (self.sid.as_deref(), self.deny, self.principals.as_deref().map(set), set(&self.actions), condition)
    }

    /// The same with one element of another statement.
    pub(crate) fn with_element_of(&self, other: &Self, element: usize) -> Self {
        let mut mixed = self.clone();
        match element {
            0 => mixed.sid.clone_from(&other.sid),
            1 => mixed.deny = other.deny,
            2 => mixed.principals.clone_from(&other.principals),
            3 => mixed.actions.clone_from(&other.actions),
            _ => mixed.condition.clone_from(&other.condition),
        }
        mixed
    }

    pub(crate) fn spell(&self, spelling: &mut Spelling) -> String {
        let effect = if self.deny { "Deny" } else { "Allow" };
        let mut elements =
            vec![format!("\"Effect\":{}", spelling.pick(&[quote(effect), quote(&effect.to_lowercase())]))];
        elements.extend(self.sid.iter().map(|sid| format!("\"Sid\" : {}", quote(sid))));
        if let Some(principals) = &self.principals {
            elements.push(format!("\"Principal\":{}", spell_principals(principals, spelling)));
        }
        let spell_action = |action: &&str| spelling.pick(&[quote(action), quote(&action.to_uppercase())]);
        let actions = self.actions.iter().map(spell_action).collect();
        elements.push(format!("\"Action\":{}", spelling.set(actions)));
        elements.push(format!("\"Resource\":{}", spelling.set(vec![quote("*")])));
        match &self.condition {
            Some((operator, key, values)) => {
                let spell =
                    |name: &str, spelling: &mut Spelling| spelling.pick(&[quote(name), quote(&name.to_lowercase())]);
                let (operator, key) = (spell(operator, spelling), spell(key, spelling));
                let bare = |value: &&str| {
                    let literal = value.parse::<bool>().is_ok() || value.parse::<u64>().is_ok();
                    if literal { spelling.pick(&[quote(value), (*value).to_owned()]) } else { quote(value) }
                };
                let values = values.iter().map(bare).collect();
                elements.push(format!("\"Condition\":{{{operator}:{{{key}:{}}}}}", spelling.set(values)));
            }
            None if spelling.choose(2) == 1 => elements.push("\"Condition\" : { }".to_owned()),
            None => {}
        }
        let first = spelling.choose(elements.len());
        elements.rotate_left(first);
        format!("{{\n  {}\n}}", elements.join(",\n  "))
    }
}

fn spell_principals(principals: &[&str], spelling: &mut Spelling) -> String {
    if principals == ["*"] && spelling.choose(2) == 1 {
        return quote("*");
    }
    let spell = |principal: &&str| match *principal {
        ROLE => spelling.pick(&[quote(ROLE), quote(ROLE_ID)]),
        root if root.ends_with(":root") => {
            let account = root.split(':').nth(4).unwrap();
            spelling.pick(&[quote(root), quote(account)])
        }
        other => quote(other),
    };
    let values = principals.iter().map(spell).collect();
    format!("{{\"AWS\" : {}}}", spelling.set(values))
}

/// Spells a whole document.
pub(crate) fn spell(meanings: &[Meaning], spelling: &mut Spelling) -> String {
    let mut statements: Vec<String> = meanings.iter().map(|meaning| meaning.spell(spelling)).collect();
    if !statements.is_empty() {
        let first = spelling.choose(statements.len());
        statements.rotate_left(first);
    }
    let list = format!("[{}]", statements.join(", "));
    let statements = if statements.len() == 1 { spelling.pick(&[list, statements[0].clone()]) } else { list };
    format!("{{ \"Version\" : \"2012-10-17\", \"Statement\" : {statements} }}")
}

/// A document, another spelling that KMS may give back for it, and what makes them comparable.
pub(crate) fn rewritten_pairs() -> impl Strategy<Value = (String, String, NormalContext)> {
    (meanings(), vec(any::<Index>(), 0..120)).prop_map(|(meanings, choices)| {
        (spell(&meanings, &mut Spelling::plain()), spell(&meanings, &mut Spelling(choices)), context())
    })
}
