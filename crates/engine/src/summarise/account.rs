//! What the status of an `AwsAccount` says.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use sharedkey_api::{
    AwsAccountStatus, Identity, Quotas,
    conditions::{ConditionType, Reason},
};

use super::fact::{Fact, Since, build};
use crate::problem::{Class, Trouble};

/// What a look at an account found.
#[derive(Clone, Copy, Debug)]
pub struct AccountCourse<'a> {
    /// Generation of the spec that was looked at.
    pub generation: Option<i64>,
    /// Now.
    pub now: &'a Time,
    /// The status before.
    pub previous: Option<&'a AwsAccountStatus>,
    /// Objects that use the account.
    pub users: usize,
    /// Whether somebody has deleted it.
    pub deleting: bool,
    /// Whether it could be reached.
    pub reached: Result<&'a Reached, &'a Trouble>,
}

/// An account that was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Whom AWS takes us for.
    pub identity: Identity,
    /// Its quotas, if we may read them.
    pub quotas: Option<Quotas>,
}

/// Summarises a look at an account. What was known of it before stays while it cannot be reached.
pub fn account(course: &AccountCourse<'_>) -> AwsAccountStatus {
    let previous = course.previous.cloned().unwrap_or_default();
    let since = Since { before: &previous.conditions, now: course.now, generation: course.generation };
    let (identity, quotas) = match course.reached {
        Ok(reached) => (Some(reached.identity.clone()), reached.quotas.or(previous.quotas)),
        Err(_) => (previous.identity.clone(), previous.quotas),
    };
    AwsAccountStatus {
        observed_generation: course.generation,
        conditions: build(facts(course), &since, Vec::new()),
        identity,
        users: i64::try_from(course.users).ok(),
        quotas,
    }
}

fn facts(course: &AccountCourse<'_>) -> Vec<Fact> {
    use ConditionType::{Ready, Reconciling, Stalled};
    if course.deleting {
        let message = format!("being deleted, and still used by {} objects; it goes when they are gone", course.users);
        return vec![Fact::no(Ready, Reason::Deleting, &message), Fact::yes(Reconciling, Reason::Deleting, &message)];
    }
    match course.reached {
        Ok(reached) => vec![Fact::yes(Ready, Reason::Succeeded, format!("reached as {}", reached.identity.arn))],
        Err(Trouble { reason, message, class: Class::Transient | Class::Propagating }) => {
            vec![Fact::unknown(Ready, *reason, message), Fact::yes(Reconciling, *reason, message)]
        }
        Err(Trouble { reason, message, .. }) => {
            vec![Fact::no(Ready, *reason, message), Fact::yes(Stalled, *reason, message)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached() -> Reached {
        let arn = "arn:aws:sts::111122223333:assumed-role/sharedkey-operator/sharedkey-operator".to_owned();
        let identity =
            Identity { account: "111122223333".into(), arn, user_id: "AROAEXAMPLE:sharedkey-operator".into() };
        Reached { identity, quotas: None }
    }

    fn trouble(class: Class) -> Trouble {
        Trouble { reason: Reason::OperatorUnauthorised, message: "sts:AssumeRole failed".into(), class }
    }

    fn told(deleting: bool, reached: Result<&Reached, &Trouble>) -> Vec<String> {
        let now = Time("2026-11-24T00:00:00Z".parse().unwrap());
        let course = AccountCourse { generation: Some(1), now: &now, previous: None, users: 2, deleting, reached };
        let conditions = account(&course).conditions;
        conditions.iter().map(|one| format!("{}={} {}", one.type_, one.status, one.reason)).collect()
    }

    #[test]
    fn an_account_is_ready_when_it_was_reached_and_says_who_has_to_act_when_not() {
        assert_eq!(told(false, Ok(&reached())), ["Ready=True Succeeded"]);
        assert_eq!(
            told(false, Err(&trouble(Class::Transient))),
            ["Ready=Unknown OperatorUnauthorised", "Reconciling=True OperatorUnauthorised"]
        );
        assert_eq!(
            told(false, Err(&trouble(Class::OperatorUnauthorised))),
            ["Ready=False OperatorUnauthorised", "Stalled=True OperatorUnauthorised"]
        );
        assert_eq!(told(true, Ok(&reached())), ["Ready=False Deleting", "Reconciling=True Deleting"]);
    }

    #[test]
    fn what_was_known_stays_while_the_account_cannot_be_reached() {
        let now = Time("2026-11-24T00:00:00Z".parse().unwrap());
        let course = AccountCourse {
            generation: Some(1),
            now: &now,
            previous: None,
            users: 0,
            deleting: false,
            reached: Ok(&reached()),
        };
        let before = account(&course);
        let trouble = trouble(Class::Transient);
        let after = account(&AccountCourse { previous: Some(&before), reached: Err(&trouble), ..course });
        assert_eq!(after.identity, before.identity);
    }
}
