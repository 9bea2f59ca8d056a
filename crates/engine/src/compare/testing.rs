//! A small world for tests: a key of account 111122223333, shared with a role and a user of account 444455556666, with everything
//! in place. Each test changes one thing in it.

pub(crate) mod aws;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use sharedkey_api::{DeletionPolicy, Mode, SharedKeyStatus};
use sharedkey_policy::{
    AliasArn, EntityArn, KeyArn, NormalContext, Partition, PolicyDocument, Region, Statement, document_fingerprint,
    fingerprint,
};

use super::{Case, Cause, Comparison, Finding, compare};
use crate::{
    desired::{Account, Conditions, Delegation, Desired, DesiredConsumer, DesiredKey, KeySource, Trust},
    ledger::{CONTENDED_WITHIN, Record, Resource, State, Target},
    meanwhile::Meanwhile,
    names::{Names, ObjectName},
    observed::{AliasTarget, Entity, EntityState, KeyMetadata, KeyObservation, KeyPolicy, ManagedPolicy, Observed},
    plan::{self, Plan},
    problem::{Class, Failure},
    summarise::{self, Context, Course, Summary},
};

pub(crate) const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
pub(crate) const APP: &str = "arn:aws:iam::444455556666:role/App";
pub(crate) const APP_ID: &str = "AROAAPP0000000000001";
pub(crate) const ANNA: &str = "arn:aws:iam::444455556666:user/Anna";
pub(crate) const ANNA_ID: &str = "AIDAANNA000000000001";
pub(crate) const BOB: &str = "arn:aws:iam::444455556666:role/Bob";
pub(crate) const SID: &str = "SharedKey/prod/team/orders/partner";
pub(crate) const POLICY: &str = "sharedkey@prod@team@orders@partner";

/// What others have in the key policy. The second is spelled as nobody here would spell it.
pub(crate) const FOREIGN: [&str; 2] = [
    r#"{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}"#,
    r#"{"Resource":"*","Principal":{"AWS":["arn:aws:iam::111122223333:role/Auditor","777788889999"]},"Action":["KMS:describekey"],"Effect":"allow","Condition":{"Bool":{"aws:SecureTransport":true}}}"#,
];
pub(crate) const OURS: &str = r#"{"Sid":"SharedKey/prod/team/orders/partner","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::444455556666:role/App","arn:aws:iam::444455556666:user/Anna"]},"Action":["kms:Decrypt","kms:DescribeKey","kms:Encrypt","kms:GenerateDataKey*","kms:ReEncrypt*"],"Resource":"*"}"#;
pub(crate) const DELEGATION: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"SharedKeyUse","Effect":"Allow","Action":["kms:Decrypt","kms:DescribeKey","kms:Encrypt","kms:GenerateDataKey*","kms:ReEncrypt*"],"Resource":"arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}]}"#;

/// The spec, AWS, the ledger and the status of one object.
pub(crate) struct World {
    pub(crate) desired: Desired,
    /// AWS. `policies` of a role or user hold what others gave it; ours are added whenever the world is looked at.
    pub(crate) observed: Observed,
    pub(crate) record: Record,
    pub(crate) status: Option<SharedKeyStatus>,
    /// What others wrote beside the next writes.
    pub(crate) meanwhile: Meanwhile,
    /// Seconds since the epoch.
    pub(crate) now: i64,
}

pub(crate) fn arn(text: &str) -> EntityArn {
    text.parse().unwrap()
}

pub(crate) fn document(statements: &[&str]) -> PolicyDocument {
    parse(&format!(r#"{{"Version":"2012-10-17","Id":"key-default-1","Statement":[{}]}}"#, statements.join(",")))
}

pub(crate) fn parse(text: &str) -> PolicyDocument {
    PolicyDocument::parse(text).unwrap()
}

pub(crate) fn statement(text: &str) -> Statement {
    document(&[text]).statements()[0].clone()
}

pub(crate) fn account(name: &str, id: &str) -> Account {
    Account { name: name.into(), id: id.parse().unwrap() }
}

pub(crate) fn consumer(name: &str, of: &Account, principals: &[&str]) -> DesiredConsumer {
    let actions = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"];
    DesiredConsumer {
        name: name.into(),
        account: of.id.clone(),
        reach: Some(of.clone()),
        trust: Trust::Principals,
        principals: principals.iter().map(|text| arn(text)).collect(),
        opened: vec!["*".into()],
        actions: actions.map(String::from).into(),
        conditions: Conditions::default(),
        aws_service_grants: false,
        delegation: Delegation::InlinePolicy,
    }
}

pub(crate) fn refused(account: &str, action: &str, resource: &str) -> Failure {
    Failure {
        class: Class::OperatorUnauthorised,
        account: account.parse().unwrap(),
        action: action.into(),
        resource: resource.into(),
        code: "AccessDenied".into(),
        message: String::new(),
    }
}

pub(crate) fn time(text: &str) -> Time {
    Time(format!("2026-11-24T{text}Z").parse().unwrap())
}

impl World {
    /// The spec asks for it, and nothing of ours is in AWS yet.
    pub(crate) fn fresh() -> Self {
        let partner = account("partner", "444455556666");
        let key: KeyArn = KEY.parse().unwrap();
        let metadata = KeyMetadata {
            state: "Enabled".into(),
            aws_managed: false,
            usage: "ENCRYPT_DECRYPT".into(),
            spec: "SYMMETRIC_DEFAULT".into(),
            deletion_date: None,
        };
        let entities = [(APP, APP_ID), (ANNA, ANNA_ID)].map(|(entity, id)| (arn(entity), Ok(present(id))));
        Self {
            desired: Desired {
                names: Names::new(
                    "prod".parse().unwrap(),
                    ObjectName { namespace: "team".into(), name: "orders".into() },
                ),
                key: DesiredKey {
                    account: account("owner", "111122223333"),
                    region: "eu-west-1".parse::<Region>().unwrap(),
                    source: KeySource::Key(key.clone()),
                },
                consumers: vec![consumer("partner", &partner, &[APP, ANNA])],
                mode: Mode::Enforce,
                deletion_policy: DeletionPolicy::Revoke,
                take_over: false,
                heal_recreated: false,
                prune_foreign_orphans: false,
                quotas: BTreeMap::new(),
                refused: BTreeMap::new(),
            },
            observed: Observed {
                key: KeyObservation {
                    arn: Ok(Some(key)),
                    alias_target: None,
                    metadata: Ok(Some(metadata)),
                    policy: Ok(Some(KeyPolicy { document: Ok(document(&FOREIGN)), lagging: false })),
                },
                entities: entities.into(),
                managed: BTreeMap::new(),
            },
            record: Record::default(),
            status: None,
            meanwhile: Meanwhile::default(),
            now: 1_800_000_000,
        }
    }

    /// Everything is in place: both halves, and the ledger that knows them.
    pub(crate) fn shared() -> Self {
        let mut world = Self::fresh();
        world.put_statements(&[FOREIGN[0], OURS, FOREIGN[1]]);
        let context = NormalContext::new(Partition::Aws);
        let ids = [(APP, APP_ID), (ANNA, ANNA_ID)].map(|(entity, id)| (arn(entity), id.to_owned()));
        world.record.targets.push(Target {
            resource: Resource::Statement { key: world.key(), sid: SID.into() },
            consumer: "partner".into(),
            account_ref: "owner".into(),
            state: State::Applied,
            fingerprint: fingerprint(&statement(OURS), &context),
            principals: ids.into(),
            undone: Vec::new(),
        });
        for entity in [APP, ANNA] {
            world.entity(entity).inline.insert(POLICY.into(), Ok(parse(DELEGATION)));
            world.record.targets.push(Target {
                resource: Resource::InlinePolicy { entity: arn(entity), name: POLICY.into() },
                consumer: "partner".into(),
                account_ref: "partner".into(),
                state: State::Applied,
                fingerprint: document_fingerprint(&parse(DELEGATION), &context),
                principals: BTreeMap::new(),
                undone: Vec::new(),
            });
        }
        world
    }

    /// Everything is in place by one managed policy instead.
    pub(crate) fn managed() -> Self {
        let mut world = Self::fresh();
        world.partner().delegation = Delegation::ManagedPolicy;
        world.settle();
        world
    }

    pub(crate) fn key(&self) -> KeyArn {
        self.observed.key.arn.clone().unwrap().unwrap()
    }

    pub(crate) fn partner(&mut self) -> &mut DesiredConsumer {
        &mut self.desired.consumers[0]
    }

    pub(crate) fn metadata(&mut self) -> &mut KeyMetadata {
        self.observed.key.metadata.as_mut().unwrap().as_mut().unwrap()
    }

    pub(crate) fn key_policy(&mut self) -> &mut KeyPolicy {
        self.observed.key.policy.as_mut().unwrap().as_mut().unwrap()
    }

    pub(crate) fn policy_text(&self) -> String {
        self.observed.document().unwrap().to_json()
    }

    pub(crate) fn put_statements(&mut self, statements: &[&str]) {
        self.key_policy().document = Ok(document(statements));
    }

    /// Replaces a piece of the key policy's text, and fails where there is no such piece.
    pub(crate) fn edit_policy(&mut self, from: &str, to: &str) {
        let text = self.policy_text();
        assert!(text.contains(from), "{from} is not in {text}");
        self.key_policy().document = PolicyDocument::parse(&text.replace(from, to));
    }

    pub(crate) fn entity(&mut self, text: &str) -> &mut EntityState {
        match self.observed.entities.get_mut(&arn(text)) {
            Some(Ok(Entity::Present(state))) => state,
            other => panic!("{text} is {other:?}"),
        }
    }

    /// Lets another role or user exist.
    pub(crate) fn exists(&mut self, text: &str, unique_id: &str) {
        self.observed.entities.insert(arn(text), Ok(present(unique_id)));
    }

    /// Deletes a role or user. KMS shows its id in its place from then on (D§1.4).
    pub(crate) fn delete(&mut self, text: &str) {
        if let Some(id) = self.observed.entity(&arn(text)).map(|state| state.unique_id.clone()) {
            let policy = self.policy_text().replace(&format!("{text:?}"), &format!("{id:?}"));
            self.key_policy().document = Ok(parse(&policy));
        }
        self.observed.entities.insert(arn(text), Ok(Entity::Absent { elsewhere: None }));
    }

    pub(crate) fn recreate(&mut self, text: &str, unique_id: &str) {
        self.delete(text);
        self.exists(text, unique_id);
    }

    /// Names the key by an alias, which was resolved before.
    pub(crate) fn by_alias(&mut self, alias: &str) {
        let DesiredKey { account, region, .. } = &self.desired.key;
        let alias = AliasArn::new(region.clone(), account.id.clone(), alias.parse().unwrap());
        self.desired.key.source = KeySource::Alias { alias, pinned: Some(self.key()) };
        self.observed.key.alias_target = Some(AliasTarget::Key(self.key()));
    }

    /// What an observation shows.
    pub(crate) fn seen(&self) -> Observed {
        let mut observed = self.observed.clone();
        let managed = self.desired.consumers.iter().filter(|consumer| consumer.delegation == Delegation::ManagedPolicy);
        for consumer in managed {
            let policy = consumer.managed_policy(&self.desired.names, Partition::Aws);
            observed.managed.entry(policy).or_insert(Ok(ManagedPolicy::Absent { lagging: false }));
        }
        let managed = observed.managed.clone();
        aws::add_our_policies(&mut observed.entities, &managed);
        observed
    }

    /// What one check finds.
    pub(crate) fn check(&self, check: fn(&Case<'_>) -> Vec<Finding>) -> Vec<Finding> {
        let (observed, compared) = (self.seen(), self.compare());
        let context = NormalContext { partition: Partition::Aws, unique_ids: observed.unique_ids() };
        let strangers = super::principal::of_key(&self.desired, &observed, &self.record);
        let (asked, delegates) = (
            super::asked(&self.desired, compared.key.as_ref(), &compared.left_out, &compared.statements),
            self.desired.delegates(compared.key.as_ref()),
        );
        let side = super::side(&self.desired, &observed, &self.record, &delegates, &asked, &strangers, &context);
        check(&Case {
            desired: &self.desired,
            observed: &observed,
            key: compared.key.as_ref(),
            statements: &compared.statements,
            side: &side,
            left_out: &compared.left_out,
            healing: &strangers.healing,
            context: &context,
            verdicts: &compared.verdicts,
        })
    }

    fn clock(&self) -> plan::Clock {
        plan::Clock { now: self.now, contended_within: CONTENDED_WITHIN }
    }

    pub(crate) fn compare(&self) -> Comparison {
        compare(&self.desired, &self.seen(), &self.record)
    }

    pub(crate) fn plan(&self) -> Plan {
        plan::plan(&self.desired, &self.seen(), &self.record, &self.compare(), self.clock())
    }

    /// Plans and applies once, as the shell does.
    pub(crate) fn settle(&mut self) -> Plan {
        let comparison = self.compare();
        self.forget_who_left();
        let plan = plan::plan(&self.desired, &self.seen(), &self.record, &comparison, self.clock());
        let undone = comparison.findings.iter().filter(|finding| finding.cause == Cause::Drift);
        let undone: Vec<Resource> = undone.filter_map(|finding| finding.resource.clone()).collect();
        aws::apply(self, &plan, &undone);
        plan
    }

    /// Forgets principals that the spec no longer names, as the shell does between comparing and planning.
    pub(crate) fn forget_who_left(&mut self) {
        self.record.keep_principals(|principal| self.desired.asks_for(principal));
    }

    /// One whole reconcile; its status is the next one's previous.
    pub(crate) fn reconcile(&mut self, now: &str) -> Summary {
        let before = self.compare().findings;
        let plan = self.settle();
        self.summarise(now, &plan, &before, &[])
    }

    pub(crate) fn summarise(&mut self, now: &str, plan: &Plan, before: &[Finding], failures: &[Failure]) -> Summary {
        let now = time(now);
        let context = Context { generation: Some(1), now: &now, previous: self.status.as_ref(), request: None };
        let (observed, comparison) = (self.seen(), self.compare());
        let course = Course {
            desired: &self.desired,
            observed: &observed,
            comparison: &comparison,
            blockers: &plan.blockers,
            failures,
            before,
            meanwhile: &std::mem::take(&mut self.meanwhile),
        };
        let summary = summarise::summarise(&context, &course);
        self.status = Some(summary.status.clone());
        summary
    }
}

fn present(unique_id: &str) -> Entity {
    Entity::Present(EntityState { unique_id: unique_id.into(), ..EntityState::default() })
}

/// Findings as a page to read: what a test about them pins.
pub(crate) fn page(findings: &[Finding]) -> String {
    let told = |finding: &Finding| {
        let Finding { kind, cause, account, principals, subject, expected, observed, message, .. } = finding;
        let layer = kind.layer();
        let names: Vec<&str> = principals.iter().map(|arn| arn.rsplit(':').next().unwrap_or(arn)).collect();
        let value = |value: &Option<String>| value.clone().unwrap_or_default();
        format!(
            "{layer} {kind} ({cause:?}) in {account} for [{}], {subject}\n  expected: {}\n  observed: {}\n  {message}",
            names.join(", "),
            value(expected),
            value(observed),
        )
    };
    findings.iter().map(told).collect::<Vec<_>>().join("\n")
}

pub(crate) fn kinds(findings: &[Finding]) -> Vec<(sharedkey_api::DriftKind, Cause)> {
    findings.iter().map(|finding| (finding.kind, finding.cause)).collect()
}
