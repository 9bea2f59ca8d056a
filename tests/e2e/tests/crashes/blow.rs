//! What strikes a write, and which one.

use std::time::Duration;

use sharedkey_e2e::IN_ACCOUNTS;
use sharedkey_harness::aws::{Account, Fault};

/// As often as the SDK tries a call by itself.
const ALL_ATTEMPTS: u32 = 3;
/// Longer than anybody waits: the operator is killed before.
pub(crate) const FOR_GOOD: Duration = Duration::from_mins(5);

/// What becomes of the write, as far as the operator gets to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// The operator dies before AWS has performed it, and it never is.
    NotPerformed,
    /// The operator dies after AWS has performed it.
    Performed,
    /// AWS has performed it, and the operator lives on without an answer.
    AnswerLost,
}

impl Blow {
    /// Strikes the write of the operator in an account that comes after `skip` others. An operator that is to die gets no further.
    pub(crate) fn at(self, account: &Account, skip: u32) -> Fault {
        let fault = match self {
            Self::NotPerformed => Fault::hang(FOR_GOOD).then_reset(),
            Self::Performed => Fault::hang(FOR_GOOD).after_call(),
            Self::AnswerLost => Fault::answer_lost().times(ALL_ATTEMPTS),
        };
        fault.account(account).principal(IN_ACCOUNTS).writes().skip(skip)
    }
}
