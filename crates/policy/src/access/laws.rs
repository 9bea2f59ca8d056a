//! What must hold for every policy: an Allow never takes away, a Deny never gives.

use proptest::prelude::*;

use super::*;
use crate::document::{Effect, PolicyDocument, Statement};
use crate::testing::{Spelling, meanings, rewritten_pairs, spell};

const KEY: &str = "arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd";
const CALLERS: [&str; 3] = [
    "arn:aws-cn:iam::444455556666:role/team/ExampleRole",
    "arn:aws-cn:iam::444455556666:user/ExampleUser",
    "arn:aws-cn:iam::111122223333:role/Own",
];

fn ask(statements: &[Statement], caller: &str) -> Verdict {
    before(statements, caller, |access| access.verdict("kms:Decrypt"))
}

/// Somebody before these statements, whose own account lets him do everything.
fn before<T>(statements: &[Statement], caller: &str, ask: impl FnOnce(&Access<'_>) -> T) -> T {
    let everything = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let document = PolicyDocument::parse(everything).unwrap();
    let policies =
        IdentityPolicies { policies: vec![AttachedDocument { name: "P".to_owned(), document }], boundary: None };
    let arn = caller.parse().unwrap();
    let unique_id = caller.ends_with("ExampleRole").then_some("AROAEXAMPLE000000001");
    let key_policy = PolicyDocument::from_statements(statements.to_vec());
    ask(&Access::new(&key_policy, &policies, &KEY.parse().unwrap(), &Caller { arn: &arn, unique_id }, OF_ALL))
}

fn is_allowed(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Allowed { .. })
}

fn statements() -> impl Strategy<Value = Vec<Statement>> {
    meanings().prop_map(|meanings| {
        PolicyDocument::parse(&spell(&meanings, &mut Spelling::plain())).unwrap().statements().to_vec()
    })
}

proptest! {
    #[test]
    fn an_allow_never_takes_away_and_a_deny_never_gives(before in statements(), added in statements()) {
        for caller in CALLERS {
            let was_allowed = is_allowed(&ask(&before, caller));
            for statement in &added {
                let after = ask(&[before.as_slice(), std::slice::from_ref(statement)].concat(), caller);
                match statement.effect() {
                    Effect::Allow => prop_assert!(is_allowed(&after) || !was_allowed),
                    Effect::Deny => prop_assert!(was_allowed || !is_allowed(&after)),
                }
            }
        }
    }

    #[test]
    fn what_is_decided_once_for_many_actions_is_what_each_would_be_told(statements in statements()) {
        let actions = ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey", "kms:CreateGrant", "kms:PutKeyPolicy"];
        for caller in CALLERS {
            before(&statements, caller, |access| {
                let mut told: Vec<(&str, Verdict)> = Vec::new();
                for (verdict, sharing) in access.verdicts(actions) {
                    told.extend(sharing.into_iter().map(|action| (action, verdict.clone())));
                }
                told.sort_by_key(|(told, _)| actions.iter().position(|action| action == told));
                prop_assert_eq!(told, actions.map(|action| (action, access.verdict(action))).to_vec());
                Ok(())
            })?;
        }
    }

    #[test]
    fn what_kms_does_to_a_document_changes_no_verdict((before, after, _) in rewritten_pairs()) {
        let statements = |text: &str| PolicyDocument::parse(text).unwrap().statements().to_vec();
        for caller in CALLERS {
            let (before, after) = (ask(&statements(&before), caller), ask(&statements(&after), caller));
            prop_assert_eq!(is_allowed(&before), is_allowed(&after));
        }
    }
}
