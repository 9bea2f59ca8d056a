//! Who is named in a document (D§1.2, D§7).

use super::{Lint, Subject, is_unique_id};
use crate::actions::{is_cross_account, is_known};
use crate::arn::{is_account_id, principal_parts};
use crate::document::{Effect, Statement, StatementName};

pub(super) fn invalid(subject: &Subject<'_>) -> Vec<Lint> {
    let partition = subject.key.partition().to_string();
    let judge = |statement: StatementName, principal: &str| {
        let principal = principal.to_owned();
        match principal_parts(&principal) {
            _ if principal == "*" || is_account_id(&principal) || is_unique_id(&principal) => None,
            Some((found, ..)) if found != partition => Some(Lint::PartitionMismatch { statement, principal }),
            Some((_, account, resource)) if is_account_id(account) && is_principal_resource(resource) => None,
            _ => Some(Lint::InvalidPrincipal { statement, principal }),
        }
    };
    let named = subject.document.named();
    named
        .flat_map(|(name, statement)| {
            statement.aws_principals().filter_map(move |principal| judge(name.clone(), principal)).collect::<Vec<_>>()
        })
        .collect()
}

/// The resources of IAM and STS that are principals of a key policy (D§1.2).
fn is_principal_resource(resource: &str) -> bool {
    let kind = resource.split_once('/').map_or(resource, |(kind, _)| kind);
    matches!(kind, "root" | "role" | "user" | "assumed-role" | "federated-user") && !resource.contains(['*', '?'])
}

pub(super) fn everyone(subject: &Subject<'_>) -> Vec<Lint> {
    let is_open = |statement: &Statement| {
        let everyone = statement.aws_principals().any(|principal| principal == "*");
        let negated = statement.principals().is_some_and(|principals| principals.negated);
        statement.effect() == Effect::Allow && everyone != negated && statement.conditions().is_empty()
    };
    let found = subject.document.named().filter(|(_, statement)| is_open(statement));
    found.map(|(statement, _)| Lint::Everyone { statement }).collect()
}

pub(super) fn ineffective_across_accounts(subject: &Subject<'_>) -> Vec<Lint> {
    let owner = subject.key.account().as_str();
    let is_foreign = |principal: &&str| match principal_parts(principal) {
        Some((_, account, _)) => account != owner,
        None => is_account_id(principal) && *principal != owner,
    };
    let mut found = Vec::new();
    for (name, statement) in subject.document.named().filter(|(_, statement)| statement.effect() == Effect::Allow) {
        let Some(principals) = statement.principals().filter(|principals| !principals.negated) else { continue };
        let Some(principal) = principals.aws().find(is_foreign) else { continue };
        let actions =
            statement.actions().filter(|actions| !actions.negated).map_or(&[][..], |actions| &actions.patterns);
        let inert = actions.iter().filter(|action| is_known(action) && !is_cross_account(action));
        found.extend(inert.map(|action| Lint::IneffectiveCrossAccountAction {
            statement: name.clone(),
            action: action.clone(),
            principal: principal.to_owned(),
        }));
    }
    found
}
