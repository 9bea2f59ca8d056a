//! What others did to a policy while we wrote it, and how it is told.

use sharedkey_api::{Collision, CollisionOutcome};
use sharedkey_policy::Statement;

use crate::{plan::Action, summarise::Notice};

/// Statements of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meanwhile {
    /// They were added between our reading and our write, which took them away.
    pub lost: Vec<Statement>,
    /// They were removed between our reading and our write, which brought them back.
    pub revived: Vec<Statement>,
    /// We wrote them as they were, and somebody else took them away right after.
    pub gone: Vec<Statement>,
}

impl Meanwhile {
    /// Whether nobody else has written, as far as can be seen.
    pub fn is_quiet(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what was seen beside another write.
    pub fn extend(&mut self, other: Self) {
        self.lost.extend(other.lost);
        self.revived.extend(other.revived);
        self.gone.extend(other.gone);
    }

    /// An event for each thing that happened while `action` was carried out.
    pub fn notices(&self, action: &Action) -> Vec<Notice> {
        let seen = self.outcomes().into_iter().filter(|(_, statements)| !statements.is_empty());
        seen.map(|(outcome, statements)| {
            let (reason, what) = words(outcome);
            let advice = advice(outcome, action);
            let statements: Vec<&str> = statements.iter().map(Statement::to_json).collect();
            Notice {
                warning: true,
                reason: reason.to_owned(),
                note: format!("{action}: {what}{advice}: {}", statements.join(", ")),
            }
        })
        .collect()
    }

    /// For status: losses first.
    pub fn collisions(&self) -> Vec<Collision> {
        let collision = |outcome, statement: &Statement| Collision {
            outcome,
            sid: statement.sid().map(ToOwned::to_owned),
            statement: statement.to_json().to_owned(),
        };
        let all = self.outcomes().into_iter();
        all.flat_map(|(outcome, statements)| statements.iter().map(move |statement| collision(outcome, statement)))
            .collect()
    }

    fn outcomes(&self) -> [(CollisionOutcome, &[Statement]); 3] {
        [
            (CollisionOutcome::Lost, &self.lost),
            (CollisionOutcome::Revived, &self.revived),
            (CollisionOutcome::Gone, &self.gone),
        ]
    }
}

/// The reason of an event, and what it says.
fn words(outcome: CollisionOutcome) -> (&'static str, &'static str) {
    match outcome {
        CollisionOutcome::Lost => {
            ("ForeignStatementLost", "it took away statements that somebody else added at the same moment")
        }
        CollisionOutcome::Revived => {
            ("ForeignStatementRevived", "it brought back statements that somebody else removed at the same moment")
        }
        CollisionOutcome::Gone => ("ForeignStatementGone", "somebody else took away statements right after it"),
    }
}

/// How it is put right. The history is of keys alone.
fn advice(outcome: CollisionOutcome, action: &Action) -> &'static str {
    match (outcome, action) {
        (CollisionOutcome::Gone, _) => "",
        (CollisionOutcome::Lost, Action::PutResourcePolicy { .. }) => {
            "; whoever stated them has to state them again, if they are to stand"
        }
        (CollisionOutcome::Revived, Action::PutResourcePolicy { .. }) => {
            "; whoever removed them has to remove them again, if they are to go"
        }
        _ => "; what stood there is in the history of the key policy, if they have to be put right",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing::statement;

    #[test]
    fn a_loss_is_told_before_what_is_none() {
        let named = |sid: &str| {
            statement(&format!(
                r#"{{"Sid":"{sid}","Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*"}}"#
            ))
        };
        let mut meanwhile = Meanwhile { gone: vec![named("gone")], ..Meanwhile::default() };
        assert!(!meanwhile.is_quiet() && Meanwhile::default().is_quiet());
        meanwhile.extend(Meanwhile {
            lost: vec![named("lost")],
            revived: vec![named("revived")],
            ..Meanwhile::default()
        });
        let sids: Vec<_> =
            meanwhile.collisions().into_iter().map(|collision| (collision.outcome, collision.sid.unwrap())).collect();
        assert_eq!(
            sids,
            [
                (CollisionOutcome::Lost, "lost".to_owned()),
                (CollisionOutcome::Revived, "revived".to_owned()),
                (CollisionOutcome::Gone, "gone".to_owned()),
            ]
        );
    }
}
