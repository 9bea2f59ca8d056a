//! Managed policies on roles and users.

use sharedkey_engine::problem::Reading;
use sharedkey_policy::{EntityArn, PolicyArn};
use tokio::time::Instant;

use super::{Outcome, propagating};
use crate::{
    Aws,
    iam::{Holder, Iam},
    reach::Reach,
    recent::Subject,
};

impl Aws {
    pub(super) async fn attach_policy(
        &self,
        reach: &Reach,
        policy: &PolicyArn,
        entity: &EntityArn,
    ) -> Reading<Outcome> {
        let answer = Iam::new(reach).attach(entity, policy).await;
        let subject = Subject::Attachment(entity.clone(), policy.clone());
        self.wrote(subject, None, Some(policy.to_string()), &answer);
        let just_written = self.recent().knows(&Subject::Managed(policy.clone()), Instant::now());
        let answer = answer.map_err(|failure| if just_written { propagating(failure) } else { failure });
        answer.map(|()| Outcome::written())
    }

    pub(super) async fn detach_policy(
        &self,
        reach: &Reach,
        policy: &PolicyArn,
        entity: &EntityArn,
    ) -> Reading<Outcome> {
        let answer = Iam::new(reach).detach(&Holder::from(entity), policy).await;
        let subject = Subject::Attachment(entity.clone(), policy.clone());
        self.wrote(subject, Some(policy.to_string()), None, &answer);
        Ok(answer?.map_or_else(Outcome::unchanged, |()| Outcome::written()))
    }
}
