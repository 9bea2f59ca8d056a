//! AWS in memory, as far as plans write to it.

use std::collections::BTreeMap;

use sharedkey_policy::{AttachedDocument, EntityArn, PolicyArn, PolicyDocument};

use super::World;
use crate::{
    ledger::Resource,
    observed::{Entity, EntityState, ManagedPolicy, Observed},
    plan::{Action, Plan},
    problem::Reading,
    write::{self, Scope},
};

/// Carries out a plan and keeps the ledger, as the shell does. `undone` is what somebody had undone of ours.
pub(super) fn apply(world: &mut World, plan: &Plan, undone: &[Resource]) {
    plan.adopts.iter().for_each(|target| world.record.confirm(target.clone()));
    for target in plan.steps.iter().flat_map(|step| &step.records) {
        world.record.intend(target.clone());
    }
    for step in &plan.steps {
        perform(&mut world.observed, &step.action);
        for target in &step.records {
            world.record.confirm(target.clone());
            if undone.contains(&target.resource) {
                world.record.note_undone(&target.resource, world.now);
            }
        }
        step.forgets.iter().for_each(|resource| world.record.forget(resource));
    }
}

fn perform(aws: &mut Observed, action: &Action) {
    match action {
        Action::PutKeyPolicy { key, owner, edit, unique_ids, prune } => {
            let live = aws.document().unwrap();
            let sent = write::prepare(live, edit, &Scope { key, owner, unique_ids, prune: *prune }).unwrap();
            if let Some(sent) = sent {
                kms_accepts(aws, &sent);
                let policy = aws.key.policy.as_mut().unwrap().as_mut().unwrap();
                policy.document = Ok(sent);
            }
        }
        Action::PutBackKeyPolicy { .. } => unreachable!("people ask for that, plans do not"),
        other => {
            let written = perform_iam(&mut aws.entities, &mut aws.managed, other);
            assert!(written, "a SharedKey writes no secret: {other}");
        }
    }
}

/// Writes of IAM; false for any other.
pub(crate) fn perform_iam(
    entities: &mut BTreeMap<EntityArn, Reading<Entity>>,
    managed: &mut BTreeMap<PolicyArn, Reading<ManagedPolicy>>,
    action: &Action,
) -> bool {
    match action {
        Action::PutInlinePolicy { entity, name, document } => {
            present(entities, entity)
                .expect("a policy is put on what exists")
                .inline
                .insert(name.clone(), Ok(document.clone()));
        }
        Action::DeleteInlinePolicy { entity, name } => {
            present(entities, entity).and_then(|state| state.inline.remove(name));
        }
        Action::PutManagedPolicy { policy, document, .. } => {
            let present = ManagedPolicy::Present {
                default_version: "v1".into(),
                document: Ok(document.clone()),
                others: BTreeMap::new(),
                lagging: false,
            };
            managed.insert(policy.clone(), Ok(present));
        }
        Action::AttachPolicy { policy, entity } => {
            assert!(matches!(managed[policy], Ok(ManagedPolicy::Present { .. })), "{policy} has to exist");
            present(entities, entity).expect("a policy is attached to what exists").attached.insert(policy.clone());
        }
        Action::DetachPolicy { policy, entity } => {
            present(entities, entity).map(|state| state.attached.remove(policy));
        }
        Action::DeleteManagedPolicy { policy } => {
            for entity in entities.values_mut() {
                if let Ok(Entity::Present(state)) = entity {
                    state.attached.remove(policy);
                }
            }
            managed.insert(policy.clone(), Ok(ManagedPolicy::Absent { lagging: false }));
        }
        _ => return false,
    }
    true
}

/// KMS refuses a document that names somebody who does not exist (D§1.5).
fn kms_accepts(aws: &Observed, document: &PolicyDocument) {
    for statement in document.statements() {
        for principal in statement.aws_principals() {
            let absent = principal.parse().is_ok_and(|arn| aws.is_absent(&arn));
            assert!(!absent, "KMS would refuse {}", statement.to_json());
        }
    }
}

fn present<'a>(entities: &'a mut BTreeMap<EntityArn, Reading<Entity>>, arn: &EntityArn) -> Option<&'a mut EntityState> {
    match entities.get_mut(arn) {
        Some(Ok(Entity::Present(state))) => Some(state),
        _ => None,
    }
}

/// Every policy that stands on a role or user decides about it.
pub(crate) fn add_our_policies(
    entities: &mut BTreeMap<EntityArn, Reading<Entity>>,
    managed: &BTreeMap<PolicyArn, Reading<ManagedPolicy>>,
) {
    for entity in entities.values_mut() {
        let Ok(Entity::Present(state)) = entity else { continue };
        let inline = state.inline.iter().filter_map(|(name, document)| {
            Some(AttachedDocument { name: format!("inline policy {name}"), document: document.as_ref().ok()?.clone() })
        });
        let attached = state.attached.iter().filter_map(|policy| match managed.get(policy) {
            Some(Ok(ManagedPolicy::Present { document: Ok(document), .. })) => {
                Some(AttachedDocument { name: policy.to_string(), document: document.clone() })
            }
            _ => None,
        });
        let ours: Vec<AttachedDocument> = inline.chain(attached).collect();
        state.policies.policies.extend(ours);
    }
}
