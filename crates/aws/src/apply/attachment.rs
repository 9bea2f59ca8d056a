//! Managed policies on roles and users.

use sharedkey_engine::problem::{Class, Failure, Reading};
use sharedkey_policy::{EntityArn, PolicyArn};
use tokio::time::Instant;

use super::Outcome;
use crate::{
    Aws,
    iam::{Holder, Iam},
    reach::Reach,
    recent::{Policy, Subject},
};

impl Aws {
    pub(super) async fn attach_policy(
        &self,
        reach: &Reach,
        policy: &PolicyArn,
        entity: &EntityArn,
    ) -> Reading<Outcome> {
        let answer = Iam::new(reach).attach(entity, policy).await;
        let subject = Subject::Entity(entity.clone(), Policy::Attached(policy.clone()));
        self.wrote(subject, None, Some(policy.to_string()), &answer);
        answer.map(|()| Outcome::written()).map_err(|failure| self.not_visible_yet(policy, failure))
    }

    /// A policy that we created a moment ago is not visible everywhere yet (D§6.3).
    fn not_visible_yet(&self, policy: &PolicyArn, failure: Failure) -> Failure {
        let just_written = || self.recent().knows(&Subject::Managed(policy.clone()), Instant::now());
        if failure.code == "NoSuchEntity" && just_written() {
            return Failure { class: Class::Propagating, ..failure };
        }
        failure
    }

    pub(super) async fn detach_policy(
        &self,
        reach: &Reach,
        policy: &PolicyArn,
        entity: &EntityArn,
    ) -> Reading<Outcome> {
        let answer = Iam::new(reach).detach(&Holder::from(entity), policy).await;
        let subject = Subject::Entity(entity.clone(), Policy::Attached(policy.clone()));
        self.wrote(subject, Some(policy.to_string()), None, &answer);
        Ok(answer?.map_or_else(Outcome::unchanged, |()| Outcome::written()))
    }
}
