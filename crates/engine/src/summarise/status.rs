//! What the status of every kind has that is compared with AWS.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use sharedkey_api::{Drift, ExternalSecretStatus, LastCorrection, SharedKeyStatus};

/// The status of a kind.
pub trait Status: Clone + Default {
    /// Its conditions.
    fn conditions(&self) -> &[Condition];
    /// Its conditions, to be replaced.
    fn conditions_mut(&mut self) -> &mut Vec<Condition>;
    /// What differs.
    fn drift(&self) -> &[Drift];
    /// What was healed last.
    fn last_correction(&self) -> Option<&LastCorrection>;
    /// The request that was handled last.
    fn last_handled(&self) -> Option<&str>;
    /// Says which generation it speaks about, and which request was handled.
    fn handled(&mut self, generation: Option<i64>, request: Option<String>);
    /// Takes out what is no longer so of an object that is being deleted.
    fn clear(&mut self);
    /// The status within its bounds.
    #[must_use]
    fn bounded(self) -> Self;
}

macro_rules! status {
    ($kind:ty, $($list:ident),+) => {
        impl Status for $kind {
            fn conditions(&self) -> &[Condition] {
                &self.conditions
            }

            fn conditions_mut(&mut self) -> &mut Vec<Condition> {
                &mut self.conditions
            }

            fn drift(&self) -> &[Drift] {
                &self.drift
            }

            fn last_correction(&self) -> Option<&LastCorrection> {
                self.last_correction.as_ref()
            }

            fn last_handled(&self) -> Option<&str> {
                self.last_handled_reconcile_at.as_deref()
            }

            fn handled(&mut self, generation: Option<i64>, request: Option<String>) {
                self.observed_generation = generation;
                self.last_handled_reconcile_at = request;
            }

            fn clear(&mut self) {
                $(self.$list.clear();)+
                self.drift.clear();
                self.drift_count = 0;
            }

            fn bounded(self) -> Self {
                <$kind>::bounded(self)
            }
        }
    };
}

status!(SharedKeyStatus, consumers);
status!(ExternalSecretStatus, readers, replicas);
