//! What others did to a policy while we wrote it.
//!
//! The API has no compare-and-set (D§1.5): a write of theirs that AWS performs between our reading and our write is undone by ours,
//! and no answer says so. A reading that is under way beside the write shows such a change, if AWS answers it in between. It is told
//! and not mended: reads may also show the past (D§1.4), and who put back what an old answer shows would undo somebody's removal.

use sharedkey_engine::meanwhile::Meanwhile;
use sharedkey_policy::{NormalContext, NormalStatement, Partition, PolicyDocument, Statement, foreign_lost, normal};

/// One write, as it was seen from all sides.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    /// What we merged into.
    pub(super) live: &'a PolicyDocument,
    /// What we wrote.
    pub(super) sent: &'a PolicyDocument,
    /// What was read while we wrote.
    pub(super) beside: Option<&'a PolicyDocument>,
    /// What was read after we wrote.
    pub(super) after: &'a PolicyDocument,
}

impl Seen<'_> {
    /// What others did; `ours` are the Sids of our own statements.
    pub(super) fn meanwhile(self, ours: &dyn Fn(&str) -> bool, partition: Partition) -> Meanwhile {
        let context = NormalContext::new(partition);
        let missing = |from: &PolicyDocument, of: &PolicyDocument| {
            foreign_lost(of, from, &ours, &context).into_iter().cloned().collect()
        };
        let mut meanwhile = Meanwhile { gone: missing(self.after, self.sent), ..Meanwhile::default() };
        if let Some(between) = self.between(ours, &context) {
            meanwhile.lost = missing(self.live, between);
            meanwhile.revived = missing(between, self.live);
        }
        meanwhile
    }

    /// The reading beside the write, if it shows a state that our write replaced: without our change, although what stands there
    /// after is what we wrote.
    fn between(&self, is_ours: &dyn Fn(&str) -> bool, context: &NormalContext) -> Option<&PolicyDocument> {
        let ours = |document| statements(document, context, |statement| statement.sid().is_some_and(is_ours));
        let all = |document| statements(document, context, |_| true);
        let beside = self.beside?;
        let before = ours(beside) == ours(self.live) && ours(beside) != ours(self.sent);
        (before && all(self.after) == all(self.sent)).then_some(beside)
    }
}

fn statements(
    document: &PolicyDocument,
    context: &NormalContext,
    which: impl Fn(&Statement) -> bool,
) -> Vec<NormalStatement> {
    let chosen = document.statements().iter().filter(|statement| which(statement));
    let mut statements: Vec<NormalStatement> = chosen.map(|statement| normal(statement, context)).collect();
    statements.sort();
    statements
}

#[cfg(test)]
mod tests {
    use sharedkey_engine::names::OwnerId;

    use super::*;

    const OURS: (&str, &str) =
        ("SharedKey/prod/team/orders/partner=kms:Encrypt", "SharedKey/prod/team/orders/partner=kms:Decrypt");

    /// Statements by `Sid=Action`.
    fn document(statements: &[&str]) -> PolicyDocument {
        let statements: Vec<String> = statements
            .iter()
            .map(|statement| {
                let (sid, action) = statement.split_once('=').unwrap();
                format!(r#"{{"Sid":"{sid}","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::111122223333:root"}},"Action":"{action}","Resource":"*"}}"#)
            })
            .collect();
        PolicyDocument::parse(&format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))).unwrap()
    }

    /// We found statements of others with ours as it was, and wrote them with ours as it is; this was read beside and after.
    fn seen(beside: &[&str], after: &[&str]) -> [Vec<String>; 3] {
        let (live, sent) =
            (document(&["A=kms:Sign", "B=kms:Sign", OURS.0]), document(&["A=kms:Sign", "B=kms:Sign", OURS.1]));
        let (beside, after) = (document(beside), document(after));
        let seen = Seen { live: &live, sent: &sent, beside: Some(&beside), after: &after };
        let owner: OwnerId = "prod".parse().unwrap();
        let Meanwhile { lost, revived, gone } = seen.meanwhile(&|sid| owner.wrote(sid), Partition::Aws);
        let sids =
            |statements: Vec<Statement>| statements.iter().filter_map(Statement::sid).map(str::to_owned).collect();
        [lost, revived, gone].map(sids)
    }

    const NOTHING: [Vec<String>; 3] = [Vec::new(), Vec::new(), Vec::new()];
    const SENT: [&str; 3] = ["B=kms:Sign", "A=kms:Sign", OURS.1];

    #[test]
    fn while_nobody_else_writes_nothing_is_told() {
        assert_eq!(seen(&["A=kms:Sign", "B=kms:Sign", OURS.0], &SENT), NOTHING);
        assert_eq!(seen(&SENT, &SENT), NOTHING);
    }

    #[test]
    fn what_others_changed_right_before_our_write_is_told() {
        let [lost, revived, gone] = seen(&["A=kms:Sign", "C=kms:Sign", OURS.0], &SENT);
        assert_eq!((lost, revived, gone), (vec!["C".to_owned()], vec!["B".to_owned()], vec![]));
        let [lost, revived, _] = seen(&["A=kms:Verify", "B=kms:Sign", OURS.0], &SENT);
        assert_eq!((lost, revived), (vec!["A".to_owned()], vec!["A".to_owned()]));
    }

    #[test]
    fn what_others_changed_after_our_write_is_no_loss_of_ours() {
        // Seen beside already: it holds what we wrote.
        assert_eq!(seen(&["A=kms:Sign", "C=kms:Sign", OURS.1], &SENT), NOTHING);
        // Written over ours by somebody who had read before.
        let theirs = ["A=kms:Sign", "B=kms:Sign", "C=kms:Sign", OURS.0];
        assert_eq!(seen(&theirs, &theirs), NOTHING);
        assert_eq!(seen(&SENT, &["A=kms:Sign", OURS.1]), [vec![], vec![], vec!["B".to_owned()]]);
    }
}
