//! Inline policies of roles and users: ours by their name, so nobody else's is ever touched (D§4.2).

use sharedkey_engine::problem::Reading;
use sharedkey_policy::{EntityArn, PolicyDocument};
use tokio::time::Instant;

use super::Outcome;
use crate::{
    Aws, fingerprint,
    iam::{Holder, Iam},
    reach::Reach,
    recent::{Policy, State, Subject},
};

impl Aws {
    pub(super) async fn put_inline_policy(
        &self,
        reach: &Reach,
        entity: &EntityArn,
        name: &str,
        document: &PolicyDocument,
    ) -> Reading<Outcome> {
        let iam = Iam::new(reach);
        let subject = Subject::Entity(entity.clone(), Policy::Inline(name.to_owned()));
        let wanted = Some(fingerprint::of(document, entity.partition()));
        let before = inline_state(&iam, entity, name).await?;
        if before == wanted && !self.recent().lags(&subject, Instant::now(), || before.clone()) {
            return Ok(Outcome::unchanged());
        }
        let answer = iam.put_inline(entity, name, &document.to_json()).await;
        self.wrote(subject, before, wanted, &answer);
        answer.map(|()| Outcome::written())
    }

    pub(super) async fn delete_inline_policy(&self, reach: &Reach, entity: &EntityArn, name: &str) -> Reading<Outcome> {
        let iam = Iam::new(reach);
        // Only to know an old answer later: what must go is deleted whether or not it can be read.
        let before = inline_state(&iam, entity, name).await.ok().flatten();
        let answer = iam.delete_inline(entity, name).await;
        self.wrote(Subject::Entity(entity.clone(), Policy::Inline(name.to_owned())), before, None, &answer);
        Ok(answer?.map_or_else(Outcome::unchanged, |()| Outcome::written()))
    }
}

async fn inline_state(iam: &Iam<'_>, entity: &EntityArn, name: &str) -> Reading<State> {
    let document = iam.inline(&Holder::from(entity), name).await?;
    let document = document.map(|text| PolicyDocument::parse_encoded(&text));
    Ok(document.map(|document| fingerprint::of_parsed(&document, entity.partition())))
}
