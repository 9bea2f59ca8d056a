//! What may be written to the resource policy of a secret, given the document as it is right now. What is not ours is kept as it came.

use std::collections::BTreeMap;

use sharedkey_api::conditions::Reason;
use sharedkey_policy::{Edit, NormalContext, PolicyDocument, SecretArn, is_unique_id, merge, orphans};

use crate::{names::OwnerId, write::Refusal};

/// Characters of a resource policy (D§5.6).
const MAX_RESOURCE_POLICY: usize = 20_480;

/// Where a write goes, and who writes.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The secret.
    pub secret: &'a SecretArn,
    /// Whose statements may be touched.
    pub owner: &'a OwnerId,
    /// Unique ids of principals that exist.
    pub unique_ids: &'a BTreeMap<String, String>,
}

/// The document to send, or none when nothing has to change. A document without statements is to be deleted: AWS keeps none that says
/// nothing.
pub fn prepare(live: &PolicyDocument, edit: &Edit, scope: &Scope<'_>) -> Result<Option<PolicyDocument>, Refusal> {
    let context = NormalContext { partition: scope.secret.partition(), unique_ids: scope.unique_ids.clone() };
    let merged = merge(live, edit, &context);
    if !merged.changed {
        return Ok(None);
    }
    // A deleted principal in a statement of ours would make AWS refuse the document (D§1.4). It fails closed.
    let document = merged.document.filter_map_statements(|statement| {
        let ours = statement.sid().is_some_and(|sid| scope.owner.wrote(sid));
        if ours { statement.without_principals(is_unique_id) } else { Some(statement) }
    });
    refuse_foreign_orphans(&document, scope)?;
    refuse_oversize(&document, scope)?;
    Ok(Some(document))
}

fn refuse_foreign_orphans(document: &PolicyDocument, scope: &Scope<'_>) -> Result<(), Refusal> {
    let found: Vec<String> = orphans(document).iter().map(ToString::to_string).collect();
    if found.is_empty() {
        return Ok(());
    }
    Err(Refusal {
        reason: Reason::ForeignOrphan,
        message: format!(
            "nothing was written to the resource policy of {}: of the statements of others, {}; AWS refuses every write while that stands \
             there, so remove it",
            scope.secret,
            found.join(", and ")
        ),
    })
}

fn refuse_oversize(document: &PolicyDocument, scope: &Scope<'_>) -> Result<(), Refusal> {
    let size = document.to_json().chars().count();
    if size <= MAX_RESOURCE_POLICY {
        return Ok(());
    }
    Err(Refusal {
        reason: Reason::PolicyTooLarge,
        message: format!(
            "nothing was written to the resource policy of {}: it would have {size} characters, and AWS takes at most \
             {MAX_RESOURCE_POLICY}; name fewer principals",
            scope.secret
        ),
    })
}

#[cfg(test)]
mod tests {
    use sharedkey_policy::Statement;

    use super::*;
    use crate::names::{Names, ObjectName};

    const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/db-aB3dE9";
    const FOREIGN: &str = r#"{"Sid":"theirs","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/Ops"},"Action":"secretsmanager:*","Resource":"*"}"#;

    fn document(statements: &[&str]) -> PolicyDocument {
        PolicyDocument::parse(&format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))).unwrap()
    }

    fn ours(principals: &str) -> String {
        let object = ObjectName { namespace: "team".into(), name: "db".into() };
        let sid = Names::of_secret("prod".parse().unwrap(), object).secret_sid("partner");
        format!(
            r#"{{"Sid":"{sid}","Effect":"Allow","Principal":{{"AWS":[{principals}]}},"Action":"secretsmanager:GetSecretValue","Resource":"*"}}"#
        )
    }

    fn statement(text: &str) -> Statement {
        document(&[text]).statements()[0].clone()
    }

    fn prepared(live: &PolicyDocument, edit: &Edit) -> Result<Option<PolicyDocument>, Refusal> {
        let (secret, owner) = (SECRET.parse().unwrap(), "prod".parse().unwrap());
        prepare(live, edit, &Scope { secret: &secret, owner: &owner, unique_ids: &BTreeMap::new() })
    }

    #[test]
    fn ours_goes_in_and_out_beside_what_others_have_stated() {
        let ours = statement(&ours(r#""arn:aws:iam::444455556666:role/App""#));
        let put = Edit { put: vec![ours.clone()], ..Edit::default() };
        let with = prepared(&document(&[FOREIGN]), &put).unwrap().unwrap();
        assert_eq!(with.statements().iter().map(Statement::to_json).collect::<Vec<_>>(), [FOREIGN, ours.to_json()]);
        assert_eq!(prepared(&with, &put), Ok(None));
        let remove = Edit { put: Vec::new(), remove: [ours.sid().unwrap().parse().unwrap()].into() };
        assert_eq!(prepared(&with, &remove).unwrap().unwrap(), document(&[FOREIGN]));
    }

    #[test]
    fn nothing_is_left_where_only_ours_stood() {
        let ours = statement(&ours(r#""arn:aws:iam::444455556666:role/App""#));
        let remove = Edit { put: Vec::new(), remove: [ours.sid().unwrap().parse().unwrap()].into() };
        let left = prepared(&document(&[ours.to_json()]), &remove).unwrap().unwrap();
        assert_eq!(left.statements().len(), 0);
    }

    #[test]
    fn what_aws_would_refuse_is_not_sent() {
        let orphan = FOREIGN.replace("arn:aws:iam::111122223333:role/Ops", "AROAEXAMPLE0000000001");
        let put = Edit { put: vec![statement(&ours(r#""arn:aws:iam::444455556666:role/App""#))], ..Edit::default() };
        assert_eq!(prepared(&document(&[&orphan]), &put).unwrap_err().reason, Reason::ForeignOrphan);
        let many: Vec<String> = (0..600).map(|n| format!(r#""arn:aws:iam::444455556666:role/R{n}""#)).collect();
        let large = Edit { put: vec![statement(&ours(&many.join(",")))], ..Edit::default() };
        assert_eq!(prepared(&document(&[]), &large).unwrap_err().reason, Reason::PolicyTooLarge);
    }
}
