//! A small world for tests: a secret of account 111122223333 under its own key, read by a role and a user of account 444455556666.
//! Each test changes one thing in it.

mod aws;

use std::collections::BTreeMap;

use sharedkey_api::{ExternalSecretStatus, Mode};
use sharedkey_policy::{EntityArn, PolicyDocument, SecretArn, SecretName};

use self::aws::Aws;
pub(crate) use self::aws::perform;
use super::{
    compare::{SecretComparison, compare, versions_due},
    desired::{DesiredReader, DesiredSecret, EncryptionKey},
    observed::{Described, ObservedSecret, SecretKey, SourceReading, TargetReading},
    plan::{self, SecretPlan},
    summarise::{SecretCourse, summarise},
    value::ValueFingerprint,
};
use crate::{
    compare::{Cause, Finding, testing as shared},
    desired::Delegation,
    ledger::{CONTENDED_WITHIN, Record, Resource},
    names::{Names, ObjectName},
    observed::{Entity, EntityState},
    plan::Clock,
    problem::Failure,
    summarise::{Context, Summary},
};

pub(crate) const KEY: &str = shared::KEY;
/// Another key of the same account.
pub(crate) const OTHER_KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/00000000-12ab-34cd-56ef-1234567890ab";
/// An alias of another account.
pub(crate) const OTHER_ALIAS: &str = "arn:aws:kms:eu-west-1:777788889999:alias/orders";
pub(crate) const REPLICA_KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/99999999-12ab-34cd-56ef-1234567890ab";
pub(crate) const APP: &str = shared::APP;
pub(crate) const ANNA: &str = shared::ANNA;
/// What others have in the secret's resource policy.
pub(crate) const FOREIGN: &str = r#"{"Sid":"Auditors","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/Auditor"},"Action":"secretsmanager:DescribeSecret","Resource":"*"}"#;

/// The spec, AWS, Kubernetes, the ledger and the status of one object.
pub(crate) struct World {
    pub(crate) desired: DesiredSecret,
    pub(crate) aws: Aws,
    pub(crate) source: SourceReading,
    pub(crate) record: Record,
    pub(crate) status: Option<ExternalSecretStatus>,
    /// Seconds since the epoch.
    pub(crate) now: i64,
}

pub(crate) fn fingerprint(digit: char) -> ValueFingerprint {
    digit.to_string().repeat(64).parse().unwrap()
}

pub(crate) fn key(arn: &str) -> EncryptionKey {
    EncryptionKey {
        arn: arn.parse().unwrap(),
        reach: Some(shared::account("home", "111122223333")),
        shared_key: Some("orders".into()),
    }
}

/// A key that AWS names by an alias, which the operator may not look up.
pub(crate) fn unread(alias: &str) -> SecretKey {
    SecretKey::Unread { text: alias.into(), failure: shared::refused("777788889999", "kms:DescribeKey", alias) }
}

pub(crate) fn reader(name: &str, of: &crate::desired::Account, principals: &[&str]) -> DesiredReader {
    DesiredReader {
        name: name.into(),
        account: of.id.clone(),
        reach: Some(of.clone()),
        principals: principals.iter().map(|text| shared::arn(text)).collect(),
        opened: vec!["*".into()],
        delegation: Delegation::InlinePolicy,
    }
}

impl World {
    /// The spec asks for it, and nothing of ours is in AWS yet.
    pub(crate) fn fresh() -> Self {
        let home = shared::account("home", "111122223333");
        let secret = SecretName::new("eu-west-1".parse().unwrap(), home.id.clone(), "team/db").unwrap();
        let object = ObjectName { namespace: "team".into(), name: "db".into() };
        Self {
            desired: DesiredSecret {
                names: Names::of_secret("prod".parse().unwrap(), object),
                account: home,
                writer: Some("arn:aws:iam::111122223333:role/Operator".into()),
                secret,
                description: Some("Login of the orders database".into()),
                tags: BTreeMap::from([("team".to_owned(), "orders".to_owned())]),
                adopt: false,
                restore: false,
                key: Ok(key(KEY)),
                has_source: true,
                readers: vec![reader("partner", &shared::account("partner", "444455556666"), &[APP, ANNA])],
                refused: BTreeMap::new(),
                replicas: BTreeMap::new(),
                target: None,
                mode: Mode::Enforce,
                take_over: false,
                waits: Vec::new(),
                quotas: BTreeMap::new(),
            },
            aws: Aws::new(),
            source: SourceReading::Value(fingerprint('a')),
            record: Record::default(),
            status: None,
            now: 1_800_000_000,
        }
    }

    /// Everything is in place: the secret, its value, all halves, and the ledger that knows them.
    pub(crate) fn settled() -> Self {
        let mut world = Self::fresh();
        world.settle();
        world
    }

    /// Beside it, a copy in another Region and a Kubernetes Secret with the value.
    pub(crate) fn complete() -> Self {
        let mut world = Self::fresh();
        world.desired.replicas.insert("us-east-1".parse().unwrap(), Ok(key(REPLICA_KEY)));
        world.desired.target = Some("db-copy".into());
        world.aws.target = TargetReading::Missing;
        world.settle();
        world
    }

    pub(crate) fn partner(&mut self) -> &mut DesiredReader {
        &mut self.desired.readers[0]
    }

    /// The secret as AWS has it.
    pub(crate) fn secret(&mut self) -> &mut Described {
        self.aws.secret.as_mut().unwrap()
    }

    pub(crate) fn arn(&self) -> SecretArn {
        self.aws.secret.as_ref().unwrap().arn.clone()
    }

    pub(crate) fn entity(&mut self, text: &str) -> &mut EntityState {
        match self.aws.entities.get_mut(&shared::arn(text)) {
            Some(Ok(Entity::Present(state))) => state,
            other => panic!("{text} is {other:?}"),
        }
    }

    pub(crate) fn policy_text(&self) -> String {
        self.aws.policy.as_ref().map(PolicyDocument::to_json).unwrap_or_default()
    }

    /// Replaces a piece of the resource policy's text, and fails where there is no such piece.
    pub(crate) fn edit_policy(&mut self, from: &str, to: &str) {
        let text = self.policy_text();
        assert!(text.contains(from), "{from} is not in {text}");
        self.aws.policy = Some(shared::parse(&text.replace(from, to)));
    }

    /// Puts a statement of somebody else beside what stands in the resource policy.
    pub(crate) fn add_foreign(&mut self, statement: &str) {
        let before = self.aws.policy.take().unwrap_or_else(PolicyDocument::empty);
        self.aws.policy = Some(before.with_added(vec![shared::statement(statement)]));
    }

    /// Deletes a role or user. AWS shows its id in its place from then on (D§1.4).
    pub(crate) fn delete(&mut self, text: &str) {
        let entity: EntityArn = shared::arn(text);
        if let Some(id) = crate::observed::entity(&self.aws.entities, &entity).map(|state| state.unique_id.clone()) {
            let shown = self
                .aws
                .policy
                .as_ref()
                .map(|policy| policy.to_json().replace(&format!("{text:?}"), &format!("{id:?}")));
            self.aws.policy = shown.map(|shown| shared::parse(&shown));
        }
        self.aws.entities.insert(entity, Ok(Entity::Absent { elsewhere: None }));
    }

    pub(crate) fn recreate(&mut self, text: &str, unique_id: &str) {
        self.delete(text);
        self.aws.exists(text, unique_id);
    }

    /// What an observation shows.
    pub(crate) fn seen(&self) -> ObservedSecret {
        let described = self.aws.secret.as_ref();
        let due = described.is_some_and(|described| versions_due(&self.desired, described, &self.record));
        let mut observed = ObservedSecret { source: self.source.clone(), ..self.aws.observe(&self.desired, due) };
        observed.entities.retain(|entity, _| self.is_read(entity));
        observed
    }

    /// Roles and users that neither the spec nor the ledger names are not looked at.
    fn is_read(&self, entity: &EntityArn) -> bool {
        let carries = |resource: &Resource| match resource {
            Resource::InlinePolicy { entity: known, .. } | Resource::Attachment { entity: known, .. } => {
                known == entity
            }
            _ => false,
        };
        self.desired.asks_for(entity) || self.record.targets.iter().any(|target| carries(&target.resource))
    }

    pub(crate) fn compare(&self) -> SecretComparison {
        compare(&self.desired, &self.seen(), &self.record)
    }

    pub(crate) fn clock(&self) -> Clock {
        Clock { now: self.now, contended_within: CONTENDED_WITHIN }
    }

    pub(crate) fn plan(&self) -> SecretPlan {
        plan::plan(&self.desired, &self.seen(), &self.record, &self.compare(), self.clock())
    }

    /// Plans and applies until nothing has to exist first, as the shell does. All plans, in order.
    pub(crate) fn settle(&mut self) -> Vec<SecretPlan> {
        let mut plans = Vec::new();
        for _ in 0..3 {
            let plan = self.once();
            let more = plan.more;
            plans.push(plan);
            if !more {
                break;
            }
        }
        plans
    }

    fn once(&mut self) -> SecretPlan {
        let comparison = self.compare();
        self.record.keep_principals(|principal| self.desired.asks_for(principal));
        let plan = plan::plan(&self.desired, &self.seen(), &self.record, &comparison, self.clock());
        let undone = comparison.findings.iter().filter(|finding| finding.cause == Cause::Drift);
        let undone: Vec<Resource> = undone.filter_map(|finding| finding.resource.clone()).collect();
        aws::apply(self, &plan, &undone);
        plan
    }

    /// One whole reconcile; its status is the next one's previous.
    pub(crate) fn reconcile(&mut self, now: &str) -> Summary<ExternalSecretStatus> {
        let before = self.compare().findings;
        let plans = self.settle();
        self.summarise(now, plans.last().unwrap(), &before, &[])
    }

    pub(crate) fn summarise(
        &mut self,
        now: &str,
        plan: &SecretPlan,
        before: &[Finding],
        failures: &[Failure],
    ) -> Summary<ExternalSecretStatus> {
        let now = shared::time(now);
        let context = Context { generation: Some(1), now: &now, previous: self.status.as_ref(), request: None };
        let (observed, comparison) = (self.seen(), self.compare());
        let course = SecretCourse {
            desired: &self.desired,
            observed: &observed,
            comparison: &comparison,
            blockers: &plan.plan.blockers,
            failures,
            target: None,
            before,
        };
        let summary = summarise(&context, &course);
        self.status = Some(summary.status.clone());
        summary
    }
}

/// A plan as a page to read, with what the ledger has to know of each step.
pub(crate) fn page(plan: &SecretPlan) -> String {
    let mut lines = Vec::new();
    for step in &plan.plan.steps {
        lines.push(format!("{}: {}", step.account.name, step.action));
        lines.extend(step.records.iter().map(|target| format!("  records {}", target.resource)));
        lines.extend(step.forgets.iter().map(|resource| format!("  forgets {resource}")));
    }
    lines.extend(plan.plan.adopts.iter().map(|target| format!("adopts {}", target.resource)));
    lines.extend(plan.plan.blockers.iter().map(|blocker| format!("blocked, {}: {}", blocker.reason, blocker.message)));
    lines.extend(plan.forgets.iter().map(|resource| format!("forgets {resource}")));
    lines.extend(plan.more.then(|| "and looks again".to_owned()));
    lines.extend(plan.target.as_ref().map(|_| "writes the target".to_owned()));
    lines.join("\n")
}
