//! AWS in memory, as far as plans write to it.

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_policy::{EntityArn, KeyArn, PolicyArn, PolicyDocument, SecretArn, SecretName, Statement};

use super::{ANNA, APP, KEY, OTHER_KEY, REPLICA_KEY, World};
use crate::{
    compare::testing as shared,
    desired::Delegation,
    ledger::{Resource, WrittenTarget},
    observed::{Entity, EntityState, KeyMetadata, KeyPolicy, ManagedPolicy},
    plan::Action,
    problem::Reading,
    secret::{
        desired::DesiredSecret,
        observed::{
            Described, ObservedKey, ObservedSecret, ReplicaState, ResourcePolicy, SecretKey, SecretState,
            SourceReading, TargetReading, Version,
        },
        plan::SecretPlan,
        write::{self, Scope},
    },
};

/// What exists.
#[derive(Clone)]
pub(crate) struct Aws {
    pub(crate) secret: Option<Described>,
    pub(crate) policy: Option<PolicyDocument>,
    /// The key of each version.
    pub(crate) versions: BTreeMap<String, KeyArn>,
    pub(crate) keys: BTreeMap<KeyArn, ObservedKey>,
    pub(crate) entities: BTreeMap<EntityArn, Reading<Entity>>,
    pub(crate) managed: BTreeMap<PolicyArn, Reading<ManagedPolicy>>,
    pub(crate) target: TargetReading,
    /// Whether `UpdateSecret` moves versions that exist (D§5.4).
    pub(crate) may_encrypt: bool,
    /// Secrets that were made so far.
    made: usize,
}

impl Aws {
    pub(crate) fn new() -> Self {
        let mut aws = Self {
            secret: None,
            policy: None,
            versions: BTreeMap::new(),
            keys: [KEY, OTHER_KEY, REPLICA_KEY].map(|arn| (arn.parse().unwrap(), key())).into(),
            entities: BTreeMap::new(),
            managed: BTreeMap::new(),
            target: TargetReading::NotStated,
            may_encrypt: true,
            made: 0,
        };
        for (entity, id) in [(APP, shared::APP_ID), (ANNA, shared::ANNA_ID)] {
            aws.exists(entity, id);
        }
        aws
    }

    /// Lets a role or user exist that may decrypt with every key.
    pub(crate) fn exists(&mut self, text: &str, unique_id: &str) {
        let decrypt =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}]}"#;
        let mut state = EntityState { unique_id: unique_id.into(), ..EntityState::default() };
        state.policies.policies.push(sharedkey_policy::AttachedDocument {
            name: "policy of the SharedKey".into(),
            document: shared::parse(decrypt),
        });
        self.entities.insert(shared::arn(text), Ok(Entity::Present(state)));
    }

    /// A secret that somebody else has made under the name.
    pub(crate) fn made_by_others(&mut self, desired: &DesiredSecret) {
        self.create(desired, None, Some("Theirs"), OTHER_KEY.parse().unwrap(), BTreeMap::new());
        self.put("EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE".into());
    }

    fn create(
        &mut self,
        desired: &DesiredSecret,
        token: Option<&String>,
        description: Option<&str>,
        key: KeyArn,
        tags: BTreeMap<String, String>,
    ) {
        self.made += 1;
        self.versions.clear();
        self.policy = None;
        self.secret = Some(Described {
            arn: format!("{}-{:06}", desired.secret, self.made).parse().unwrap(),
            description: description.map(str::to_owned),
            key: SecretKey::Key(key),
            deletion: None,
            owning_service: None,
            primary_region: None,
            tags,
            stages: BTreeMap::new(),
            replicas: BTreeMap::new(),
            lagging: BTreeSet::new(),
        });
        if let Some(token) = token {
            self.put(token.clone());
        }
    }

    /// A new version. A token that is a version already makes none; the label moves to it.
    pub(crate) fn put(&mut self, version: String) {
        let secret = self.secret.as_mut().unwrap();
        let SecretKey::Key(key) = secret.key.clone() else { panic!("{:?}", secret.key) };
        let before = secret.current().map(str::to_owned);
        if before.as_ref() == Some(&version) {
            return;
        }
        secret.stages = before.into_iter().map(|before| (before, stages("AWSPREVIOUS"))).collect();
        secret.stages.insert(version.clone(), stages("AWSCURRENT"));
        self.versions.entry(version).or_insert(key);
    }

    pub(super) fn observe(&self, desired: &DesiredSecret, lists_versions: bool) -> ObservedSecret {
        let mut entities = self.entities.clone();
        let mut managed = self.managed.clone();
        for delegate in desired.delegates(None) {
            if delegate.delegation == Delegation::ManagedPolicy {
                let policy = delegate.managed_policy(&desired.names, desired.partition());
                managed.entry(policy).or_insert(Ok(ManagedPolicy::Absent { lagging: false }));
            }
        }
        shared::aws::add_our_policies(&mut entities, &managed);
        let secret = self.secret.clone();
        ObservedSecret {
            secret: Ok(
                secret.map_or(SecretState::Absent { lagging: false }, |secret| SecretState::Present(Box::new(secret)))
            ),
            policy: Ok(self.policy.clone().map(|document| ResourcePolicy { document: Ok(document), lagging: false })),
            versions: if lists_versions { Some(Ok(self.listed())) } else { None },
            keys: self.keys.clone(),
            entities,
            managed,
            source: SourceReading::NotStated,
            target: self.target.clone(),
        }
    }

    fn listed(&self) -> Vec<Version> {
        let stages = self.secret.iter().flat_map(|secret| &secret.stages);
        let key = |id: &String| SecretKey::Key(self.versions[id].clone());
        stages.map(|(id, stages)| Version { id: id.clone(), stages: stages.clone(), keys: vec![key(id)] }).collect()
    }
}

fn stages(label: &str) -> BTreeSet<String> {
    BTreeSet::from([label.to_owned()])
}

/// A key that lets its own account, and whoever comes from the partner's.
fn key() -> ObservedKey {
    let policy = shared::document(&[
        r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}"#,
        r#"{"Effect":"Allow","Principal":{"AWS":["444455556666","777788889999"]},"Action":"kms:Decrypt","Resource":"*"}"#,
    ]);
    let metadata = KeyMetadata {
        state: "Enabled".into(),
        aws_managed: false,
        usage: "ENCRYPT_DECRYPT".into(),
        spec: "SYMMETRIC_DEFAULT".into(),
        deletion_date: None,
    };
    ObservedKey { metadata: Ok(Some(metadata)), policy: Ok(Some(KeyPolicy { document: Ok(policy), lagging: false })) }
}

/// Carries out a plan and keeps the ledger, as the shell does. `undone` is what somebody had undone of ours.
pub(super) fn apply(world: &mut World, plan: &SecretPlan, undone: &[Resource]) {
    plan.plan.adopts.iter().for_each(|target| world.record.confirm(target.clone()));
    plan.forgets.iter().for_each(|resource| world.record.forget(resource));
    world.record.versions.clone_from(&plan.versions);
    for target in plan.plan.steps.iter().flat_map(|step| &step.records) {
        world.record.intend(target.clone());
    }
    for step in &plan.plan.steps {
        perform(world, &step.action);
        for target in &step.records {
            world.record.confirm(target.clone());
            if undone.contains(&target.resource) {
                world.record.note_undone(&target.resource, world.now);
            }
        }
        step.forgets.iter().for_each(|resource| world.record.forget(resource));
    }
    if let (Some(_), Some(name)) = (&plan.target, &world.desired.target) {
        let version = world.aws.secret.as_ref().and_then(|secret| secret.current().map(str::to_owned));
        world.aws.target = TargetReading::Found { version, as_asked: true, intact: true };
        let deletion_policy = sharedkey_api::SecretDeletionPolicy::Delete;
        world.record.target = Some(WrittenTarget { name: name.clone(), deletion_policy });
    }
}

pub(crate) fn perform(world: &mut World, action: &Action) {
    let World { aws, desired, .. } = world;
    match action {
        Action::CreateSecret { token, description, key, tags, .. } => {
            assert!(aws.secret.is_none(), "the name is taken");
            aws.create(desired, token.as_ref(), description.as_deref(), key.clone(), tags.clone());
        }
        Action::RestoreSecret { secret } => found(aws, secret).deletion = None,
        Action::UpdateSecret { secret, description, key } => {
            let moves = aws.may_encrypt;
            let live = usable(aws, secret);
            live.description = description.clone().or(live.description.take());
            if let Some(key) = key {
                live.key = SecretKey::Key(key.clone());
                let labelled: Vec<String> = live.stages.keys().cloned().collect();
                for version in labelled.into_iter().filter(|_| moves) {
                    aws.versions.insert(version, key.clone());
                }
            }
        }
        Action::PutSecretValue { secret, token } => {
            usable(aws, secret);
            aws.put(token.clone());
        }
        Action::TagSecret { secret, tags, .. } => usable(aws, secret).tags.extend(tags.clone()),
        Action::UntagSecret { secret, arn, tags } => {
            let Some(live) = aws.secret.as_mut() else { return };
            if is_meant(live, secret, arn.as_ref(), tags) {
                assert_eq!(live.deletion, None, "it takes no write but its restoration (D§5.7)");
                live.tags.retain(|key, _| !tags.contains_key(key));
            }
        }
        Action::PutResourcePolicy { secret, owner, edit, unique_ids } => {
            if edit.put.is_empty() && !is_there(aws, secret) {
                return;
            }
            usable(aws, secret);
            let live = aws.policy.clone().unwrap_or_else(PolicyDocument::empty);
            let sent = write::prepare(&live, edit, &Scope { secret, owner, unique_ids }).unwrap();
            if let Some(sent) = sent {
                accepts(aws, &sent);
                aws.policy = (!sent.statements().is_empty()).then_some(sent);
            }
        }
        Action::ReplicateSecret { secret, replicas } => {
            let live = usable(aws, secret);
            for (region, key) in replicas {
                let state = ReplicaState { key: SecretKey::Key(key.clone()), status: "InSync".into(), message: None };
                assert!(live.replicas.insert(region.clone(), state).is_none(), "there is one in {region}");
            }
        }
        Action::RemoveReplicas { secret, regions, tags, .. } => {
            if is_there(aws, secret) {
                assert!(carries(usable(aws, secret), tags), "it is not known whose it is");
                usable(aws, secret).replicas.retain(|region, _| !regions.contains(region));
            }
        }
        Action::DeleteSecret { secret, arn, tags, replicas, .. } => {
            let Some(live) = aws.secret.as_mut() else { return };
            if is_meant(live, secret, arn.as_ref(), tags) {
                live.replicas.retain(|region, _| !replicas.contains(region));
                assert!(live.replicas.is_empty(), "a secret with replicas cannot be deleted (D§5.7)");
                live.deletion = Some("2026-12-24T00:00:00Z".into());
            }
        }
        other => {
            let written = shared::aws::perform_iam(&mut aws.entities, &mut aws.managed, other);
            assert!(written, "an ExternalSecret does not {other}");
        }
    }
}

/// Whether a secret is the one that is to go.
fn is_meant(live: &Described, secret: &SecretName, arn: Option<&SecretArn>, tags: &BTreeMap<String, String>) -> bool {
    live.arn.secret() == secret && arn.is_none_or(|arn| arn == &live.arn) && carries(live, tags)
}

fn carries(live: &Described, tags: &BTreeMap<String, String>) -> bool {
    tags.iter().all(|(key, value)| live.tags.get(key) == Some(value))
}

fn is_there(aws: &Aws, secret: &SecretArn) -> bool {
    aws.secret.as_ref().is_some_and(|live| &live.arn == secret && live.deletion.is_none())
}

fn found<'a>(aws: &'a mut Aws, secret: &SecretArn) -> &'a mut Described {
    let live = aws.secret.as_mut().expect("there is a secret");
    assert_eq!(&live.arn, secret);
    live
}

/// A secret that is scheduled for deletion takes no write but its restoration (D§5.7).
fn usable<'a>(aws: &'a mut Aws, secret: &SecretArn) -> &'a mut Described {
    let live = found(aws, secret);
    assert_eq!(live.deletion, None);
    live
}

/// AWS refuses a document that names somebody who does not exist.
fn accepts(aws: &Aws, document: &PolicyDocument) {
    for principal in document.statements().iter().flat_map(Statement::aws_principals) {
        let known = principal.parse().map(|arn: EntityArn| aws.entities.get(&arn));
        assert!(!matches!(known, Ok(Some(Ok(Entity::Absent { .. })))), "AWS would refuse {principal}");
    }
}
