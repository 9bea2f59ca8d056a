//! Whom AWS means when it refuses a policy for its principals, of which it names none (D§1.5).

use std::collections::BTreeMap;

use sharedkey_engine::{
    problem::{Class, Failure},
    write,
};
use sharedkey_policy::Edit;

/// The refusal with the principals that it may be about. If all of them exist, AWS has not seen one yet.
pub(super) fn explained(failure: Failure, edit: &Edit, unique_ids: &BTreeMap<String, String>) -> Failure {
    let known = |principal: &String| unique_ids.values().any(|exists| exists == principal);
    let (exist, suspects): (Vec<_>, Vec<_>) = write::principals(edit).into_iter().partition(known);
    if !exist.is_empty() && write::all_exist(edit, unique_ids) {
        return Failure { class: Class::Propagating, ..failure };
    }
    let message = format!("{}; one of: {}", failure.message, suspects.join(", "));
    Failure { class: Class::UserActionNeeded, message, ..failure }
}
