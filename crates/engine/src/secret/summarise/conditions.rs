use sharedkey_api::{
    Drift, DriftKind, DriftLayer, Mode,
    conditions::{ConditionType, Reason},
};

use super::SecretCourse;
use crate::{
    compare::Finding,
    desired::Delegation,
    problem::{Failure, Trouble},
    secret::{
        desired::DesiredReader,
        observed::{SecretKey, SecretState, SourceReading},
    },
    summarise::{
        fact::Fact,
        outline::{Outline, is_key_reason},
    },
};

/// Calls that write the value. A new secret is made together with it.
const VALUE_CALLS: [&str; 2] = ["secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"];

/// Every reading that failed.
fn unread<'a>(course: &SecretCourse<'a>) -> impl Iterator<Item = &'a Failure> + use<'a> {
    let observed = course.observed;
    let versions = observed.versions.iter().filter_map(|reading| reading.as_ref().err());
    let secret = [observed.secret.as_ref().err(), observed.policy.as_ref().err()];
    let keys = observed.keys.values().flat_map(|key| [key.metadata.as_ref().err(), key.policy.as_ref().err()]);
    let entities = observed.entities.values().filter_map(|reading| reading.as_ref().err());
    let managed = observed.managed.values().filter_map(|reading| reading.as_ref().err());
    secret.into_iter().chain(keys).flatten().chain(aliases(course)).chain(versions).chain(entities).chain(managed)
}

/// Why it is not known which keys encrypt the secret, its copies and its versions. Of one that is somebody else's nothing is told.
fn aliases<'a>(course: &SecretCourse<'a>) -> impl Iterator<Item = &'a Failure> + use<'a> {
    let described = course.told().into_iter();
    let keys = described.flat_map(|described| {
        std::iter::once(&described.key).chain(described.replicas.values().map(|replica| &replica.key))
    });
    let versions = course.observed.versions.iter().flatten().flatten();
    keys.chain(versions.flat_map(|version| &version.keys)).filter_map(SecretKey::failure)
}

pub(super) fn outline<'a>(course: &SecretCourse<'a>) -> Outline<'a> {
    let comparison = course.comparison;
    Outline {
        mode: course.desired.mode,
        findings: &comparison.findings,
        blockers: course.blockers,
        failures: course.failures,
        unread: unread(course).collect(),
        troubles: [comparison.source_trouble.as_ref(), target_trouble(course)].into_iter().flatten().collect(),
        under_way: replicating(course),
        in_place: in_place(course),
        was_read: "the secret and its readers were read; the mode is Observe, so nothing is written",
    }
}

/// Copying takes AWS a while.
fn replicating(course: &SecretCourse<'_>) -> Option<String> {
    let described = course.observed.described()?;
    let region = course
        .desired
        .replicas
        .keys()
        .find(|region| described.replicas.get(*region).is_some_and(|replica| replica.status == "InProgress"))?;
    Some(format!("AWS replicates the secret to Region {region}"))
}

/// All conditions of a reconcile that looked at AWS.
pub(super) fn facts(course: &SecretCourse<'_>, outline: &Outline<'_>, drift: &[Drift]) -> Vec<Fact> {
    let parts = vec![
        key_available(course),
        secret_applied(course, outline),
        value_synced(course, outline),
        delegation_applied(course, outline),
        access_verified(course, outline),
        target_synced(course, outline),
    ];
    outline.all(parts, drift)
}

fn key_available(course: &SecretCourse<'_>) -> Fact {
    let type_ = ConditionType::KeyAvailable;
    let of_key = |reason: Reason| reason == Reason::SharedKeyNotReady;
    if let Some(blocker) = course.blockers.iter().find(|blocker| is_key_reason(blocker) || of_key(blocker.reason)) {
        return Fact::no(type_, blocker.reason, &blocker.message);
    }
    for key in course.desired.keys() {
        let key = match key {
            Ok(key) => key,
            Err(refusal) => return Fact::no(type_, refusal.reason, &refusal.message),
        };
        match course.observed.keys.get(&key.arn).map(|key| &key.metadata) {
            Some(Err(failure)) => return Fact::unread(type_, failure),
            None => {
                let message = format!(
                    "{} was not looked at: no AwsAccount that this namespace may use for it reaches account {}",
                    key.arn,
                    key.arn.account()
                );
                return Fact::yes(type_, Reason::NotManaged, message);
            }
            Some(Ok(_)) => {}
        }
    }
    Fact::yes(type_, Reason::Succeeded, "the key exists and can be used")
}

fn secret_applied(course: &SecretCourse<'_>, outline: &Outline<'_>) -> Fact {
    let type_ = ConditionType::SecretApplied;
    match (&course.observed.secret, &course.observed.policy) {
        (Err(failure), _) | (_, Err(failure)) => return Fact::unread(type_, failure),
        _ => {}
    }
    let known = course.told();
    if let Some(failure) = known.and_then(|described| described.key.failure()) {
        return Fact::unread(type_, failure);
    }
    let of_secret = |failure: &&Failure| {
        failure.action.starts_with("secretsmanager:") && !VALUE_CALLS.contains(&failure.action.as_str())
    };
    if let Some(failure) = course.failures.iter().find(of_secret) {
        return Fact::failed(type_, failure);
    }
    if let Some(fact) = waits_for_source(course, type_) {
        return fact;
    }
    let open: Vec<&Finding> = course
        .comparison
        .findings
        .iter()
        .filter(|finding| finding.kind.layer() == DriftLayer::Secret && finding.kind != DriftKind::ValueChanged)
        .collect();
    outline.applied(type_, &open, "the secret is as the spec asks", true)
}

/// A secret that does not exist is made with its value, or not yet.
fn waits_for_source(course: &SecretCourse<'_>, type_: ConditionType) -> Option<Fact> {
    let absent = matches!(course.observed.secret, Ok(SecretState::Absent { lagging: false }));
    let trouble = course.comparison.source_trouble.as_ref().filter(|_| absent && course.blockers.is_empty())?;
    (course.desired.mode == Mode::Enforce).then(|| of(type_, trouble))
}

/// Nothing is compared of a secret that is somebody else's, and nothing of it is in place.
fn of_others(course: &SecretCourse<'_>, outline: &Outline<'_>, type_: ConditionType) -> Option<Fact> {
    let blocker = outline.obstacle().filter(|_| course.comparison.is_others)?;
    Some(Fact::no(type_, blocker.reason, &blocker.message))
}

fn of(type_: ConditionType, trouble: &Trouble) -> Fact {
    Fact::of_class(type_, trouble.class, trouble.reason, &trouble.message)
}

fn value_synced(course: &SecretCourse<'_>, outline: &Outline<'_>) -> Fact {
    let type_ = ConditionType::ValueSynced;
    if course.observed.source == SourceReading::NotStated {
        return Fact::yes(type_, Reason::NotManaged, "the spec has no source: the value is somebody else's");
    }
    if let Some(trouble) = &course.comparison.source_trouble {
        return of(type_, trouble);
    }
    if let Err(failure) = &course.observed.secret {
        return Fact::unread(type_, failure);
    }
    if let Some(fact) = of_others(course, outline, type_) {
        return fact;
    }
    let of_value = |failure: &&Failure| VALUE_CALLS.contains(&failure.action.as_str());
    if let Some(failure) = course.failures.iter().find(of_value) {
        return Fact::failed(type_, failure);
    }
    let kinds = [DriftKind::ValueChanged, DriftKind::SecretMissing];
    let open: Vec<&Finding> =
        course.comparison.findings.iter().filter(|finding| kinds.contains(&finding.kind)).collect();
    outline.applied(type_, &open, "the current version has the value of the source", false)
}

fn delegation_applied(course: &SecretCourse<'_>, outline: &Outline<'_>) -> Fact {
    let type_ = ConditionType::DelegationApplied;
    if course.desired.readers.iter().all(|reader| reader.delegation == Delegation::None) {
        return Fact::yes(type_, Reason::NotManaged, "no reader asks for a policy on its side");
    }
    let readings = course.observed.entities.values().filter_map(|reading| reading.as_ref().err());
    let policies = course.observed.managed.values().filter_map(|reading| reading.as_ref().err());
    if let Some(failure) = readings.chain(policies).next() {
        return Fact::unread(type_, failure);
    }
    match (&course.comparison.arn, outline.obstacle()) {
        (None, Some(blocker)) if outline.mode == Mode::Enforce => {
            Fact::unknown(type_, blocker.reason, &blocker.message)
        }
        // A policy on the readers' side names the secret by the ARN that it gets when it is made.
        (None, _) => Fact::no(type_, Reason::Progressing, "the secret does not exist yet"),
        _ => outline.delegation("every policy is on the readers' side"),
    }
}

fn access_verified(course: &SecretCourse<'_>, outline: &Outline<'_>) -> Fact {
    let pairs = course.desired.readers.iter().zip(&course.comparison.verdicts);
    let managed = pairs.filter(|(reader, _)| !reader.is_handoff()).flat_map(|(_, verdict)| &verdict.principals);
    let managed: Vec<_> = managed.map(|verdict| &verdict.principal).collect();
    let has_handoff = course.desired.readers.iter().any(DesiredReader::is_handoff);
    let well = "every principal can read the secret, computed from the resource policy, its own policies and the key";
    outline.access(&managed, has_handoff, "cannot read the secret", well)
}

fn target_trouble<'a>(course: &SecretCourse<'a>) -> Option<&'a Trouble> {
    let comparison: &'a _ = course.comparison;
    comparison.target_trouble.as_ref().or(course.target)
}

fn target_synced(course: &SecretCourse<'_>, outline: &Outline<'_>) -> Fact {
    let type_ = ConditionType::TargetSynced;
    if course.desired.target.is_none() {
        return Fact::yes(type_, Reason::NotManaged, "the spec has no target");
    }
    if let Some(trouble) = target_trouble(course) {
        return of(type_, trouble);
    }
    match &course.observed.secret {
        Err(failure) => return Fact::unread(type_, failure),
        Ok(SecretState::Absent { .. }) => {
            return match outline.obstacle() {
                Some(blocker) => Fact::no(type_, blocker.reason, &blocker.message),
                None => Fact::no(type_, Reason::Progressing, "the secret does not exist yet"),
            };
        }
        Ok(SecretState::Present(_)) => {}
    }
    if let Some(fact) = of_others(course, outline, type_) {
        return fact;
    }
    let open = course.comparison.findings.iter().filter(|finding| finding.kind.layer() == DriftLayer::Target);
    let open: Vec<&Finding> = open.collect();
    outline.applied(type_, &open, "the target has the value of the current version", false)
}

fn in_place(course: &SecretCourse<'_>) -> &'static str {
    if course.desired.readers.iter().any(DesiredReader::is_handoff) {
        "the secret is in place; what others have to attach stands in status.readers[].handoffPolicy"
    } else {
        "the secret is in place, and everybody can read it who is to read it"
    }
}
