//! One question to a policy, and the shape of every answer.

use std::ops::Deref;
use std::sync::Arc;

use super::Caller;
use super::condition::{self, Outcome};
use super::subject::Subject;
use crate::arn::{AccountId, EntityArn, EntityKind, KeyArn, root_arn};
use crate::document::{Effect, Statement};
use crate::partition::Partition;

/// May this caller do this with this key or secret?
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) parties: &'a Parties<'a>,
    pub(crate) action: &'a str,
}

/// Who asks about what. Its texts are written once, because the same caller asks about many actions.
pub(crate) struct Parties<'a> {
    /// The caller's ARN; for the account itself its root ARN.
    pub(crate) arn: String,
    /// The root ARN of the caller's account.
    pub(crate) root: String,
    /// The role or user; none for the account itself.
    pub(crate) entity: Option<&'a EntityArn>,
    pub(crate) partition: Partition,
    pub(crate) account: &'a AccountId,
    pub(crate) unique_id: Option<&'a str>,
    /// How the ARN of each session of a role begins. It has no path (D§1.2).
    pub(crate) sessions: Option<String>,
    pub(crate) subject: Subject<'a>,
    pub(crate) subject_arn: String,
    pub(crate) tells: Tells<'a>,
}

/// Which statements and policies an answer may tell of: by Sid, by the name of an [`AttachedDocument`](super::AttachedDocument). What
/// the others say counts all the same.
pub type Tells<'a> = &'a dyn Fn(&str) -> bool;

/// Nothing is kept from whoever is told.
pub(crate) const OF_ALL: Tells<'static> = &|_| true;

impl<'a> Deref for Question<'a> {
    type Target = Parties<'a>;

    fn deref(&self) -> &Parties<'a> {
        self.parties
    }
}

impl<'a> Parties<'a> {
    pub(crate) fn new(caller: &Caller<'a>, subject: Subject<'a>, tells: Tells<'a>) -> Self {
        let entity = caller.arn;
        let (partition, account) = (entity.partition(), entity.account());
        let sessions = (entity.kind() == EntityKind::Role)
            .then(|| format!("arn:{partition}:sts::{account}:assumed-role/{}/", entity.name()));
        Self {
            arn: entity.to_string(),
            root: root_arn(partition, account),
            entity: Some(entity),
            partition,
            account,
            unique_id: caller.unique_id,
            sessions,
            subject,
            subject_arn: subject.arn(),
            tells,
        }
    }

    /// The owner account itself, as its root user.
    pub(crate) fn of_owner(key: &'a KeyArn) -> Self {
        let (partition, account) = (key.partition(), key.account());
        let root = root_arn(partition, account);
        Self {
            arn: root.clone(),
            root,
            entity: None,
            partition,
            account,
            unique_id: None,
            sessions: None,
            subject: Subject::Key { key, within: None },
            subject_arn: key.to_string(),
            tells: OF_ALL,
        }
    }

    /// The question about an action.
    pub(crate) fn about(&'a self, action: &'a str) -> Question<'a> {
        Question { parties: self, action }
    }

    pub(crate) fn is_cross_account(&self) -> bool {
        (self.partition, self.account) != (self.subject.partition(), self.subject.account())
    }

    pub(crate) fn is_role(&self) -> bool {
        self.entity.is_some_and(|entity| entity.kind() == EntityKind::Role)
    }
}

/// What one document or one half says.
#[derive(Default)]
pub(crate) struct Answer {
    /// The first Deny that applies for certain.
    pub(crate) denied: Option<Deny>,
    /// Denies that only a request decides, as conditions: `… does not deny it`.
    pub(crate) caveats: Vec<String>,
    /// All that allows.
    pub(crate) allows: Vec<Allow>,
}

pub(crate) struct Deny {
    pub(crate) by: Arc<str>,
    pub(crate) conditions: Vec<String>,
}

pub(crate) struct Allow {
    /// The statement, and how it means the caller.
    pub(crate) by: Arc<str>,
    pub(crate) reach: Reach,
    /// Conditions that only a request decides.
    pub(crate) conditions: Vec<String>,
}

/// How a statement means the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// By its own ARN or unique id, or because the statement is attached to it.
    Named,
    /// By its account: the account's IAM policies decide further (D§1.2).
    Account,
    /// By `*` or by not being excluded.
    Everyone,
}

/// What stands for the conditions of a statement that is not told of.
const UNTOLD: &str = "the conditions of a statement that is not shown here";

/// A statement that is about the subject and means the caller. Its texts are written once, for all that the caller asks.
pub(crate) struct Meant<'a> {
    pub(super) statement: &'a Statement,
    reach: Reach,
    name: Arc<str>,
    /// The name, and how it means the caller.
    way: Arc<str>,
    /// Whether an answer may tell of it.
    told: bool,
}

impl<'a> Meant<'a> {
    pub(super) fn new(statement: &'a Statement, name: String, reach: Reach, told: bool) -> Self {
        let name: Arc<str> = name.into();
        let way = match reach {
            Reach::Named => Arc::clone(&name),
            Reach::Account => format!("{name} (by account)").into(),
            Reach::Everyone => format!("{name} (by \"*\")").into(),
        };
        Self { statement, reach, name, way, told }
    }
}

impl Answer {
    /// Takes in a statement that is about the question, under conditions that came to `outcome`.
    pub(super) fn add(&mut self, Meant { statement, reach, name, way, told }: &Meant<'_>, outcome: Outcome) {
        let open = match outcome {
            Outcome::Holds => Vec::new(),
            Outcome::Depends(_) if !told => vec![UNTOLD.to_owned()],
            Outcome::Depends(open) => open,
            Outcome::Fails(_) => return,
        };
        match statement.effect() {
            Effect::Allow => self.allows.push(Allow { by: Arc::clone(way), reach: *reach, conditions: open }),
            Effect::Deny if !open.is_empty() => {
                self.caveats.push(format!("{name} does not deny it: {}", open.join(" and ")));
            }
            Effect::Deny => {
                let conditions = statement.conditions().iter().map(condition::text).collect();
                self.denied.get_or_insert(Deny { by: Arc::clone(name), conditions });
            }
        }
    }

    /// What must hold for the answer to be yes: one way to be allowed, and no Deny.
    pub(crate) fn conditions(&self) -> Vec<String> {
        let mut conditions = alternatives(self.allows.iter().map(|allow| allow.conditions.as_slice()));
        conditions.extend(self.caveats.iter().cloned());
        conditions
    }
}

/// The conditions of several ways of which one is enough. A way without conditions makes the others irrelevant.
pub(crate) fn alternatives<'a>(ways: impl Iterator<Item = &'a [String]> + Clone) -> Vec<String> {
    let mut distinct: Vec<&[String]> = Vec::new();
    for way in ways {
        if way.is_empty() {
            return Vec::new();
        }
        if !distinct.contains(&way) {
            distinct.push(way);
        }
    }
    match distinct[..] {
        [] => Vec::new(),
        [only] => only.to_vec(),
        _ => vec![distinct.iter().map(|way| way.join(" and ")).collect::<Vec<_>>().join(", or ")],
    }
}
