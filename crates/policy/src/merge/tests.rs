use proptest::prelude::*;

use super::*;
use crate::testing::{Spelling, context, document, meanings, ours, rewritten_pairs, spell, statement};

const OURS: [&str; 3] = ["SharedKey/prod/a/b/c", "SharedKey/prod/a/b/d", "SharedKey/prod/a/b/d/grants"];

fn is_ours(sid: &str) -> bool {
    sid.starts_with("SharedKey/")
}

fn all_of_ours() -> BTreeSet<Sid> {
    OURS.iter().map(|sid| sid.parse().unwrap()).collect()
}

fn foreign(document: &PolicyDocument) -> Vec<&Statement> {
    document.statements().iter().filter(|statement| !statement.sid().is_some_and(is_ours)).collect()
}

fn sids(document: &PolicyDocument) -> Vec<&str> {
    document.statements().iter().map(|statement| statement.sid().unwrap_or("-")).collect()
}

fn put(statements: &[&str]) -> Edit {
    Edit { put: statements.iter().map(|text| statement(text)).collect(), remove: BTreeSet::new() }
}

#[test]
fn an_equal_statement_is_left_as_it_is() {
    let live = document(r#"[{"Sid":"o","Effect":"allow","Action":["KMS:decrypt"],"Resource":["*"]}]"#);
    let merged =
        merge(&live, &put(&[r#"{"Sid":"o","Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}"#]), &context());
    assert_eq!(merged, Merge { document: live, changed: false });
}

#[test]
fn a_changed_statement_is_replaced_in_place_and_its_duplicates_go() {
    let live = document(
        r#"[{"Effect":"Deny"},{"Sid":"o","Effect":"Deny"},{"Sid":"f","Effect":"Deny"},{"Sid":"o","Effect":"Allow"}]"#,
    );
    let merged =
        merge(&live, &put(&[r#"{"Sid":"o","Effect":"Allow"}"#, r#"{"Sid":"n","Effect":"Allow"}"#]), &context());
    assert_eq!(sids(&merged.document), ["-", "o", "f", "n"]);
    assert!(merged.changed && merged.document.statements()[1].to_json() == r#"{"Sid":"o","Effect":"Allow"}"#);
}

#[test]
fn duplicates_of_an_equal_statement_go_too() {
    let live = document(r#"[{"Sid":"o","Effect":"Allow"},{"Sid":"o","Effect":"allow"}]"#);
    let merged = merge(&live, &put(&[r#"{"Sid":"o","Effect":"Allow"}"#]), &context());
    assert_eq!((sids(&merged.document), merged.changed), (vec!["o"], true));
}

#[test]
fn what_stands_beside_the_statements_is_kept() {
    let live = PolicyDocument::parse(r#"{"Version":"2008-10-17","Id":"key-default-1","Statement":{"Effect":"Deny"}}"#)
        .unwrap();
    let merged = merge(&live, &put(&[r#"{"Sid":"o","Effect":"Allow"}"#]), &context());
    assert_eq!(
        merged.document.to_json(),
        r#"{"Version":"2008-10-17","Id":"key-default-1","Statement":[{"Effect":"Deny"},{"Sid":"o","Effect":"Allow"}]}"#
    );
}

#[test]
fn a_put_without_a_sid_never_replaces_a_statement_without_a_sid() {
    let live = document(r#"[{"Effect":"Deny","Action":"kms:Decrypt"}]"#);
    let merged = merge(&live, &put(&[r#"{"Effect":"Allow"}"#]), &context());
    assert_eq!(merged.document.statements().len(), 2);
    assert!(!merge(&merged.document, &put(&[r#"{"Effect":"Allow"}"#]), &context()).changed);
}

#[test]
fn a_lost_foreign_statement_is_found_even_among_equal_ones() {
    let before = document(r#"[{"Effect":"Deny"},{"Effect":"deny"},{"Sid":"SharedKey/x","Effect":"Allow"}]"#);
    let after = document(r#"[{"Effect":"Deny"}]"#);
    let lost = foreign_lost(&before, &after, &is_ours, &context());
    assert_eq!(lost, [&before.statements()[1]]);
}

prop_compose! {
    fn edits()(
        a in prop::option::of(ours(OURS[0])),
        b in prop::option::of(ours(OURS[1])),
        c in prop::option::of(ours(OURS[2])),
        removed in prop::collection::btree_set(prop::sample::select(OURS.to_vec()), 0..3),
    ) -> Edit {
        let remove = removed.into_iter().map(|sid| sid.parse().unwrap()).collect();
        Edit { put: [a, b, c].into_iter().flatten().collect(), remove }
    }
}

prop_compose! {
    /// A live document: foreign statements, and ours in any state, some twice.
    fn lives()(foreign in meanings(), ours in prop::collection::vec(prop_oneof![ours(OURS[0]), ours(OURS[1])], 0..4), at in any::<prop::sample::Index>())
        -> PolicyDocument
    {
        let foreign = PolicyDocument::parse(&spell(&foreign, &mut Spelling::plain())).unwrap();
        let mut statements = foreign.statements().to_vec();
        for statement in ours {
            let index = at.index(statements.len() + 1);
            statements.insert(index, statement);
        }
        PolicyDocument::from_statements(statements)
    }
}

proptest! {
    #[test]
    fn foreign_statements_survive_every_merge(live in lives(), edit in edits()) {
        let merged = merge(&live, &edit, &context());
        prop_assert_eq!(foreign(&live), foreign(&merged.document));
        prop_assert!(foreign_lost(&live, &merged.document, &is_ours, &context()).is_empty());
    }

    #[test]
    fn merge_is_idempotent(live in lives(), edit in edits()) {
        let once = merge(&live, &edit, &context());
        let twice = merge(&once.document, &edit, &context());
        prop_assert_eq!(&twice.document, &once.document);
        prop_assert!(!twice.changed);
        prop_assert_eq!(once.changed, once.document != live);
    }

    #[test]
    fn merge_makes_the_edit_true(live in lives(), edit in edits()) {
        let merged = merge(&live, &edit, &context()).document;
        for wanted in &edit.put {
            let there: Vec<&Statement> = merged.with_sid(wanted.sid().unwrap()).collect();
            prop_assert_eq!(there.len(), 1);
            prop_assert_eq!(normal(there[0], &context()), normal(wanted, &context()));
        }
        for sid in &edit.remove {
            let is_put = edit.put.iter().any(|wanted| wanted.sid() == Some(sid.as_str()));
            prop_assert!(is_put || merged.with_sid(sid.as_str()).next().is_none());
        }
    }

    #[test]
    fn merge_commutes_with_foreign_statements(live in lives(), edit in edits(), added in meanings()) {
        let added = PolicyDocument::parse(&spell(&added, &mut Spelling::plain())).unwrap();
        let with_added = |document: &PolicyDocument| {
            let statements = added.statements().iter().chain(document.statements()).cloned();
            PolicyDocument::from_statements(statements.collect())
        };
        let merged_then_added = with_added(&merge(&live, &edit, &context()).document);
        let added_then_merged = merge(&with_added(&live), &edit, &context()).document;
        prop_assert_eq!(merged_then_added, added_then_merged);
    }

    #[test]
    fn removal_undoes_merge(foreign in meanings(), edit in edits()) {
        let live = PolicyDocument::parse(&spell(&foreign, &mut Spelling::plain())).unwrap();
        let merged = merge(&live, &edit, &context()).document;
        let undone = merge(&merged, &Edit { put: Vec::new(), remove: all_of_ours() }, &context());
        prop_assert_eq!(undone.document.to_json(), live.to_json());
    }

    #[test]
    fn what_kms_gives_back_needs_no_write((before, after, context) in rewritten_pairs()) {
        let wanted = PolicyDocument::parse(&before).unwrap();
        let with_one_sid = |sid: &str| wanted.with_sid(sid).count() == 1;
        let mine = wanted.statements().iter().filter(|statement| statement.sid().is_some_and(with_one_sid));
        let edit = Edit { put: mine.cloned().collect(), remove: BTreeSet::new() };
        let live = PolicyDocument::parse(&after).unwrap();
        prop_assert_eq!(merge(&live, &edit, &context), Merge { document: live, changed: false });
    }
}
