//! A secret itself: made, changed, given a value, copied and deleted, one call at a time (D§5).
//!
//! It is looked at first. What is as it should be is not written, and what was replaced is known, so that an old answer can be told from
//! drift later.

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_engine::{
    ledger::Resource,
    problem::{Class, Failure, Reading},
    secret::observed::Lag,
};
use sharedkey_policy::{KeyArn, Region, SecretArn, SecretName};
use tokio::time::Instant;

use super::{Outcome, may_have_happened};
use crate::{
    Aws,
    reach::Reach,
    recent::{Part, Subject},
    secretsmanager::{CURRENT, Facts, NewSecret, SecretsManager},
    value::SecretValue,
};

/// A secret that exists, and the way to it.
pub(super) struct Site<'a> {
    pub(super) manager: SecretsManager<'a>,
    pub(super) secret: &'a SecretName,
    /// Its ARN, so that another secret of the name is never written.
    pub(super) id: String,
}

impl<'a> Site<'a> {
    pub(super) fn new(reach: &'a Reach, secret: &'a SecretArn) -> Self {
        let manager = SecretsManager::new(reach, secret.region());
        Self { manager, secret: secret.secret(), id: secret.to_string() }
    }

    /// What it is now; none if it is gone.
    pub(super) async fn look(&self) -> Reading<Option<Facts>> {
        self.manager.describe(&self.id).await
    }
}

/// The secret that is to be made, as the step states it.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) secret: &'a SecretName,
    pub(super) token: Option<&'a str>,
    pub(super) description: Option<&'a str>,
    pub(super) key: &'a KeyArn,
    pub(super) tags: &'a BTreeMap<String, String>,
}

/// The secret that is to go or to be let go, as the step states it.
#[derive(Clone, Copy)]
pub(super) struct Unwanted<'a> {
    pub(super) secret: &'a SecretName,
    pub(super) arn: Option<&'a SecretArn>,
    pub(super) tags: &'a BTreeMap<String, String>,
}

impl Aws {
    /// Makes a secret, with its value at once where it has one. If the answer is lost, the same call may be made again.
    pub(super) async fn create_secret(
        &self,
        reach: &Reach,
        wanted: Wanted<'_>,
        value: Option<&SecretValue>,
    ) -> Reading<Outcome> {
        let Wanted { secret, token, description, key, tags } = wanted;
        let value =
            token.map(|token| Ok((token, value.ok_or_else(|| no_value("CreateSecret", secret))?))).transpose()?;
        let manager = SecretsManager::new(reach, secret.region());
        let answer = manager.create(NewSecret { name: secret.name(), description, key, tags }, value).await;
        let subject = Subject::Secret(secret.clone(), Part::Existence);
        self.wrote(subject, None, Some("present".into()), &answer);
        if answer.as_ref().is_err_and(may_have_happened) {
            // Each attempt of the SDK is signed anew, and the last one may have left only now.
            self.note_unanswered([Resource::Secret { secret: secret.clone() }], Instant::now());
        }
        match answer {
            Ok(_) => Ok(Outcome::written()),
            // Somebody was quicker, or our own call was performed and its answer lost: the next look tells.
            Err(failure) if failure.code == "ResourceExistsException" => Err(propagating(failure)),
            Err(failure) => Err(failure),
        }
    }

    /// Gives a secret another description or key. The key is set even where it is the secret's already: versions may have been left on
    /// another one (D§5.4).
    pub(super) async fn update_secret(
        &self,
        site: Site<'_>,
        description: Option<&str>,
        key: Option<&KeyArn>,
    ) -> Reading<Outcome> {
        let mut after = self.before_write(&site, "UpdateSecret").await?;
        let before = after.clone();
        after.description = description.map(str::to_owned).or(after.description);
        after.key = key.map(ToString::to_string).or(after.key);
        if key.is_none() && self.is_so(&site, &before, &after) {
            return Ok(Outcome::unchanged());
        }
        let answer = site.manager.update(&site.id, description, key).await;
        self.wrote_secret(&site, &before, &after, answer)
    }

    /// Makes the version with this id the current one, with this value.
    ///
    /// Where there is such a version already, AWS takes the call for a repetition and moves no label (D§5.6): somebody has made another
    /// version current since. Then the label is moved back, and no version is burned.
    pub(super) async fn put_secret_value(
        &self,
        site: Site<'_>,
        token: &str,
        value: Option<&SecretValue>,
    ) -> Reading<Outcome> {
        let value = value.ok_or_else(|| no_value("PutSecretValue", site.secret))?;
        let before = self.before_write(&site, "PutSecretValue").await?;
        let after = before.clone().with_current(token);
        if self.is_so(&site, &before, &after) {
            return Ok(Outcome::unchanged());
        }
        let mut answer = site.manager.put_value(&site.id, token, value).await;
        if answer.as_ref().is_ok_and(|labels| !labels.contains(CURRENT)) {
            let moved = site.manager.make_current(&site.id, token, before.current_version()).await;
            answer = moved.map(|()| BTreeSet::new()).map_err(|failure| match failure.code.as_str() {
                // The label has left the version on which we saw it.
                "InvalidParameterException" => propagating(failure),
                _ => failure,
            });
        }
        self.wrote_secret(&site, &before, &after, answer)
    }

    /// Sets tags. Others stay. Tags that claim a secret are set where nobody has claimed it, and one after the other: AWS would give it
    /// to both of two who do so at once.
    pub(super) async fn tag_secret(
        &self,
        site: Site<'_>,
        tags: &BTreeMap<String, String>,
        claims: bool,
    ) -> Reading<Outcome> {
        let lock = self.policy_locks.of(Subject::Secret(site.secret.clone(), Part::Existence));
        let _tagging = lock.lock().await;
        let mut after = self.before_write(&site, "TagResource").await?;
        let before = after.clone();
        let others =
            before.tags.iter().any(|(key, value)| claim(key) && tags.get(key).is_some_and(|ours| ours != value));
        if claims && others {
            return Err(not_ours("TagResource", site.secret, "another ExternalSecret has taken it over"));
        }
        after.tags.extend(tags.clone());
        if self.is_so(&site, &before, &after) {
            return Ok(Outcome::unchanged());
        }
        let answer = site.manager.tag(&site.id, tags).await;
        self.wrote_secret(&site, &before, &after, answer)
    }

    /// Removes the tags that say whose a secret is, if they still say that it is this object's. Others stay. Nobody claims it meanwhile:
    /// AWS removes tags by their keys alone, and the SDK may ask it twice.
    pub(super) async fn untag_secret(&self, reach: &Reach, unwanted: Unwanted<'_>) -> Reading<Outcome> {
        let lock = self.policy_locks.of(Subject::Secret(unwanted.secret.clone(), Part::Existence));
        let _tagging = lock.lock().await;
        let Some((site, before)) = self.sought(reach, unwanted, "UntagResource").await? else {
            return Ok(Outcome::unchanged());
        };
        let mut after = before.clone();
        after.tags.retain(|key, _| !unwanted.tags.contains_key(key));
        let keys: Vec<String> = unwanted.tags.keys().cloned().collect();
        let answer = site.manager.untag(&site.id, &keys).await;
        self.wrote_secret(&site, &before, &after, answer)
    }

    /// Schedules a secret for deletion, if it is still the one that is meant: of this ARN where that is known, and with these tags. Its
    /// copies go first.
    pub(super) async fn delete_secret(
        &self,
        reach: &Reach,
        unwanted: Unwanted<'_>,
        replicas: &BTreeSet<Region>,
        window_days: i32,
    ) -> Reading<Outcome> {
        let Some((site, before)) = self.sought(reach, unwanted, "DeleteSecret").await? else {
            return Ok(Outcome::unchanged());
        };
        let lagging = self.secret_lags(site.secret, &before);
        let is_scheduled = before.deletion_date.is_some() && !lagging.contains(&Lag::Deletion);
        if is_scheduled {
            return Ok(Outcome::unchanged());
        }
        let _ = self.drop_replicas(&site, &before, replicas).await?;
        let mut after = before.clone();
        after.deletion_date = Some(String::new());
        let answer = site.manager.delete(&site.id, window_days).await;
        let answer = answer.map_err(|failure| kept_by_copies(failure, &before, replicas));
        self.wrote_secret(&site, &before, &after, answer)
    }

    /// Looks for a secret that is to go: by its ARN where that is known, and else by its name. None where it is gone, or its tags do not
    /// say that it is the one: two objects may know the ARN of one that both were to take over.
    async fn sought<'a>(
        &self,
        reach: &'a Reach,
        Unwanted { secret, arn, tags }: Unwanted<'a>,
        operation: &str,
    ) -> Reading<Option<(Site<'a>, Facts)>> {
        let manager = SecretsManager::new(reach, secret.region());
        let id = arn.map_or_else(|| secret.name().to_owned(), ToString::to_string);
        let Some(facts) = manager.describe(&id).await? else {
            let made = Subject::Secret(secret.clone(), Part::Existence);
            return if self.recent().lags(&made, Instant::now(), || None) {
                Err(not_seen(operation, secret))
            } else {
                Ok(None)
            };
        };
        // From here on by its ARN: meanwhile the name may be another one's.
        let site = Site { id: facts.arn.clone(), manager, secret };
        let carries = self.carries(&site, &facts, tags, operation)?;
        Ok(carries.then_some((site, facts)))
    }

    /// Whether a secret carries tags, as far as that can be known.
    pub(super) fn carries(
        &self,
        site: &Site<'_>,
        facts: &Facts,
        tags: &BTreeMap<String, String>,
        operation: &str,
    ) -> Reading<bool> {
        let carries = tags.iter().all(|(key, value)| facts.tags.get(key) == Some(value));
        if !carries && self.secret_lags(site.secret, facts).contains(&Lag::Tags) {
            return Err(not_seen(operation, site.secret));
        }
        Ok(carries)
    }

    /// Takes back that a secret is deleted.
    pub(super) async fn restore_secret(&self, site: Site<'_>) -> Reading<Outcome> {
        let mut after = self.before_write(&site, "RestoreSecret").await?;
        let before = after.clone();
        after.deletion_date = None;
        if self.is_so(&site, &before, &after) {
            return Ok(Outcome::unchanged());
        }
        let answer = site.manager.restore(&site.id).await;
        self.wrote_secret(&site, &before, &after, answer)
    }

    /// What a secret is before it is written.
    pub(super) async fn before_write(&self, site: &Site<'_>, operation: &str) -> Reading<Facts> {
        site.look().await?.ok_or_else(|| not_seen(operation, site.secret))
    }

    /// Whether a secret is as it has to be, as far as a reading can be believed.
    pub(super) fn is_so(&self, site: &Site<'_>, before: &Facts, after: &Facts) -> bool {
        let wanted = before.parts(after).iter().all(|part| before.state(part) == after.state(part));
        wanted && self.secret_lags(site.secret, before).is_empty()
    }

    pub(super) fn wrote_secret<T>(
        &self,
        site: &Site<'_>,
        before: &Facts,
        after: &Facts,
        answer: Reading<T>,
    ) -> Reading<Outcome> {
        for part in before.parts(after) {
            let (replaced, written) = (before.state(&part), after.state(&part));
            if replaced != written {
                let subject = Subject::Secret(site.secret.clone(), Part::Described(part));
                self.wrote(subject, replaced, written, &answer);
            }
        }
        match answer {
            Ok(_) => Ok(Outcome::written()),
            // It went meanwhile, or it was just made and is not seen everywhere yet: the next look tells.
            Err(failure) if failure.code == "ResourceNotFoundException" => Err(propagating(failure)),
            Err(failure) => Err(failure),
        }
    }
}

/// Whether a tag says whose a secret is.
fn claim(key: &str) -> bool {
    key.starts_with("sharedkey.dev/")
}

/// AWS deletes no secret that has copies (D§5.7). Our own went before, and only others are named.
fn kept_by_copies(failure: Failure, before: &Facts, ours: &BTreeSet<Region>) -> Failure {
    let refused = ["InvalidParameterException", "InvalidRequestException"].contains(&failure.code.as_str());
    let is_ours = |region: &str| ours.iter().any(|ours| ours.as_str() == region);
    let others: Vec<&str> = before.replicas.keys().map(String::as_str).filter(|region| !is_ours(region)).collect();
    if !refused || others.is_empty() {
        return failure;
    }
    let message = format!(
        "remove its copies in {}, which this object did not make, or set deletionPolicy: Retain",
        others.join(", ")
    );
    Failure { message, ..failure }
}

fn propagating(failure: Failure) -> Failure {
    Failure { class: Class::Propagating, ..failure }
}

/// A secret that is to be written and is not there: somebody deleted it, or it was just made and is not seen everywhere yet.
fn not_seen(operation: &str, secret: &SecretName) -> Failure {
    failure(Class::Propagating, operation, secret, "ResourceNotFoundException", "there is no such secret, or not yet")
}

/// A secret that is not this object's, or no longer: the next look tells.
pub(super) fn not_ours(operation: &str, secret: &SecretName, message: &str) -> Failure {
    failure(Class::Propagating, operation, secret, "SecretOwnedElsewhere", message)
}

fn no_value(operation: &str, secret: &SecretName) -> Failure {
    failure(Class::Transient, operation, secret, "NoValue", "the value to write is not at hand; nothing was written")
}

pub(super) fn failure(class: Class, operation: &str, secret: &SecretName, code: &str, message: &str) -> Failure {
    Failure {
        class,
        account: secret.account().clone(),
        action: format!("secretsmanager:{operation}"),
        resource: secret.to_string(),
        code: code.to_owned(),
        message: message.to_owned(),
    }
}
