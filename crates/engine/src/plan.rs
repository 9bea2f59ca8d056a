//! What to do about a comparison: an ordered list of steps as plain data, or the reasons why nothing is done.

pub(crate) mod delegation;
pub(crate) mod narrow;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sharedkey_api::{Mode, conditions::Reason};
use sharedkey_policy::{
    Edit, EntityArn, KeyArn, NormalContext, PolicyArn, PolicyDocument, Region, SecretArn, SecretName, Sid, Statement,
    fingerprint,
};

use self::{delegation::Delegating, narrow::Narrowing};
use crate::{
    compare::{Cause, Comparison, Finding, WantedStatement},
    delegate::Delegate,
    desired::{Account, Desired},
    history::Entry,
    ledger::{Record, Resource, State, Target},
    names::OwnerId,
    observed::Observed,
    revoke, write,
};

/// What to do, in order.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The steps. Key policy first: on the way in either order is safe, on the way out the owner's half must go first (D§10.4).
    pub steps: Vec<Step>,
    /// What of the key policy's step takes access away: made alone when AWS refuses the whole step because of what it gives.
    pub retreat: Option<Step>,
    /// What keeps the object from being shared. Then only what revokes is done.
    pub blockers: Vec<Blocker>,
    /// What stands in AWS as it has to and the ledger does not know so: written before a crash, by an operator whose ledger is lost, or
    /// under an older ledger. It is recorded, and nothing is written.
    pub adopts: Vec<Target>,
}

/// One write, and what the ledger has to know about it.
#[derive(Clone, Debug)]
pub struct Step {
    /// The way in.
    pub account: Account,
    /// The write.
    pub action: Action,
    /// Recorded as intended before, as applied after.
    pub records: Vec<Target>,
    /// Forgotten after.
    pub forgets: Vec<Resource>,
}

/// A write. Each is idempotent.
#[derive(Clone, Debug)]
pub enum Action {
    /// Merges into the key policy as it then is.
    PutKeyPolicy {
        /// The key.
        key: KeyArn,
        /// Whose statements may be touched.
        owner: OwnerId,
        /// What changes.
        edit: Edit,
        /// Unique ids of the principals that are known to exist.
        unique_ids: BTreeMap<String, String>,
        /// Whether deleted principals are taken out of the statements of others too.
        prune: bool,
    },
    /// Brings back what others had stated in a key policy before one of our writes.
    PutBackKeyPolicy {
        /// The key.
        key: KeyArn,
        /// Whose statements stay as they are.
        owner: OwnerId,
        /// What was kept.
        entry: Entry,
    },
    /// Creates or replaces an inline policy.
    PutInlinePolicy {
        /// The role or user.
        entity: EntityArn,
        /// The policy's name.
        name: String,
        /// Its document.
        document: PolicyDocument,
    },
    /// Deletes an inline policy.
    DeleteInlinePolicy {
        /// The role or user.
        entity: EntityArn,
        /// The policy's name.
        name: String,
    },
    /// Creates a managed policy, or makes its default version this document.
    PutManagedPolicy {
        /// The policy.
        policy: PolicyArn,
        /// Its document.
        document: PolicyDocument,
        /// Tags of a policy that is created.
        tags: BTreeMap<String, String>,
        /// Description of a policy that is created.
        description: String,
    },
    /// Attaches a managed policy.
    AttachPolicy {
        /// The policy.
        policy: PolicyArn,
        /// The role or user.
        entity: EntityArn,
    },
    /// Detaches a managed policy.
    DetachPolicy {
        /// The policy.
        policy: PolicyArn,
        /// The role or user.
        entity: EntityArn,
    },
    /// Detaches a managed policy everywhere and deletes it with all its versions.
    DeleteManagedPolicy {
        /// The policy.
        policy: PolicyArn,
    },
    /// Makes a secret. The value is not part of a plan: whoever applies it has it.
    CreateSecret {
        /// The secret.
        secret: SecretName,
        /// `ClientRequestToken`, which becomes the id of the first version (D§5.6). None: it is made without a value.
        token: Option<String>,
        /// Its description.
        description: Option<String>,
        /// The key that encrypts it.
        key: KeyArn,
        /// Its tags, those that name its object included.
        tags: BTreeMap<String, String>,
    },
    /// Takes back that a secret is deleted (D§5.7).
    RestoreSecret {
        /// The secret.
        secret: SecretArn,
    },
    /// Changes what a secret is. A value is never part of it: the call would make a version (D§5.6).
    UpdateSecret {
        /// The secret.
        secret: SecretArn,
        /// Its new description.
        description: Option<String>,
        /// The key that is to encrypt it, and its versions in use (D§5.4).
        key: Option<KeyArn>,
    },
    /// Makes a new version of a secret and the current one.
    PutSecretValue {
        /// The secret.
        secret: SecretArn,
        /// `ClientRequestToken`, which becomes the id of the version (D§5.6).
        token: String,
    },
    /// Sets tags of a secret.
    TagSecret {
        /// The secret.
        secret: SecretArn,
        /// The tags.
        tags: BTreeMap<String, String>,
        /// Whether they make a secret ours that is not known to be so yet. If it has become somebody else's meanwhile, they are not set.
        claims: bool,
    },
    /// Removes the tags that say whose it is from a secret that stays. One that does not carry them all is somebody else's by now, and
    /// stays as it is.
    UntagSecret {
        /// The secret by its name, for its ARN may never have been learnt.
        secret: SecretName,
        /// Its ARN, where it was learnt; another secret of the name is left alone.
        arn: Option<SecretArn>,
        /// The tags that say whose it is.
        tags: BTreeMap<String, String>,
    },
    /// Merges into the resource policy of a secret as it then is. Where nothing is left in it, it is deleted.
    PutResourcePolicy {
        /// The secret.
        secret: SecretArn,
        /// Whose statements may be touched.
        owner: OwnerId,
        /// What changes.
        edit: Edit,
        /// Unique ids of the principals that are known to exist.
        unique_ids: BTreeMap<String, String>,
    },
    /// Copies a secret to other Regions, each with a key of its own.
    ReplicateSecret {
        /// The secret.
        secret: SecretArn,
        /// The Regions and their keys.
        replicas: BTreeMap<Region, KeyArn>,
    },
    /// Deletes copies of a secret, if it carries the tags.
    RemoveReplicas {
        /// The secret.
        secret: SecretArn,
        /// Where they are.
        regions: BTreeSet<Region>,
        /// The tags that say whose it is.
        tags: BTreeMap<String, String>,
        /// Whether they are made anew under another key, and not only taken away.
        anew: bool,
    },
    /// Schedules a secret for deletion (D§5.7). One that does not carry the tags is somebody else's by now, and stays.
    DeleteSecret {
        /// The secret by its name, for its ARN may never have been learnt.
        secret: SecretName,
        /// Its ARN, where it was learnt; another secret of the name stays.
        arn: Option<SecretArn>,
        /// The tags that say whose it is.
        tags: BTreeMap<String, String>,
        /// Where its copies are. One that has any cannot be deleted (D§5.7), so they go first.
        replicas: BTreeSet<Region>,
        /// Days for which it can be restored.
        window_days: i32,
    },
}

impl Action {
    /// Whether the write only takes access away. Such a write goes on when another one could not be made.
    pub fn revokes(&self) -> bool {
        match self {
            Self::PutKeyPolicy { edit, .. } | Self::PutResourcePolicy { edit, .. } => edit.put.is_empty(),
            Self::DeleteInlinePolicy { .. }
            | Self::DetachPolicy { .. }
            | Self::DeleteManagedPolicy { .. }
            | Self::UntagSecret { .. }
            | Self::RemoveReplicas { anew: false, .. }
            | Self::DeleteSecret { .. } => true,
            Self::PutBackKeyPolicy { .. }
            | Self::PutInlinePolicy { .. }
            | Self::PutManagedPolicy { .. }
            | Self::AttachPolicy { .. }
            | Self::CreateSecret { .. }
            | Self::RestoreSecret { .. }
            | Self::UpdateSecret { .. }
            | Self::PutSecretValue { .. }
            | Self::TagSecret { .. }
            | Self::RemoveReplicas { anew: true, .. }
            | Self::ReplicateSecret { .. } => false,
        }
    }

    /// Whether the owner of a key or secret lets others in by it: it writes the policy that does, or claims the secret before.
    pub fn is_owners_half(&self) -> bool {
        match self {
            Self::PutKeyPolicy { edit, .. } | Self::PutResourcePolicy { edit, .. } => !edit.put.is_empty(),
            Self::TagSecret { claims, .. } => *claims,
            _ => false,
        }
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PutKeyPolicy { key, edit, .. } => write!(f, "write the key policy of {key}{}", Sids(edit)),
            Self::PutBackKeyPolicy { key, entry, .. } => {
                write!(f, "put back what others stated in the key policy of {key} before {}", entry.replaced_at)
            }
            Self::PutInlinePolicy { entity, name, .. } => write!(f, "put inline policy {name:?} on {entity}"),
            Self::DeleteInlinePolicy { entity, name } => write!(f, "delete inline policy {name:?} from {entity}"),
            Self::PutManagedPolicy { policy, .. } => write!(f, "put managed policy {policy}"),
            Self::AttachPolicy { policy, entity } => write!(f, "attach {policy} to {entity}"),
            Self::DetachPolicy { policy, entity } => write!(f, "detach {policy} from {entity}"),
            Self::DeleteManagedPolicy { policy } => write!(f, "delete managed policy {policy}"),
            Self::CreateSecret { secret, key, .. } => write!(f, "create secret {secret} under {key}"),
            Self::RestoreSecret { secret } => write!(f, "restore secret {secret}"),
            Self::UpdateSecret { secret, description, key } => {
                let description = description.as_ref().map(|_| "description".to_owned());
                let key = key.as_ref().map(|key| format!("key {key}"));
                let what: Vec<String> = description.into_iter().chain(key).collect();
                write!(f, "update secret {secret}: {}", what.join(", "))
            }
            Self::PutSecretValue { secret, token } => write!(f, "put version {token} of secret {secret}"),
            Self::TagSecret { secret, tags, .. } => {
                write!(f, "tag secret {secret}: {}", tags.keys().cloned().collect::<Vec<_>>().join(", "))
            }
            Self::UntagSecret { secret, tags, .. } => {
                write!(f, "untag secret {secret}: {}", tags.keys().cloned().collect::<Vec<_>>().join(", "))
            }
            Self::PutResourcePolicy { secret, edit, .. } => {
                write!(f, "write the resource policy of {secret}{}", Sids(edit))
            }
            Self::ReplicateSecret { secret, replicas } => {
                write!(f, "replicate {secret} to {}", list(replicas.keys()))
            }
            Self::RemoveReplicas { secret, regions, .. } => {
                write!(f, "remove the replicas of {secret} in {}", list(regions))
            }
            Self::DeleteSecret { secret, replicas, window_days, .. } => {
                write!(f, "delete secret {secret}")?;
                if !replicas.is_empty() {
                    write!(f, " after its replicas in {}", list(replicas))?;
                }
                write!(f, ", to be restored within {window_days} days")
            }
        }
    }
}

fn list<'a>(regions: impl IntoIterator<Item = &'a Region>) -> String {
    regions.into_iter().map(Region::as_str).collect::<Vec<_>>().join(", ")
}

/// The statements of an edit, by their Sids.
struct Sids<'a>(&'a Edit);

impl std::fmt::Display for Sids<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Edit { put, remove } = self.0;
        put.iter().try_for_each(|statement| write!(f, " +{:?}", statement.sid().unwrap_or_default()))?;
        remove.iter().try_for_each(|sid| write!(f, " -\"{sid}\""))
    }
}

/// What a plan knows of time, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Now, since the epoch.
    pub now: i64,
    /// How long a write that was undone counts against another try.
    pub contended_within: i64,
}

/// Something that has to change before the object can be shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// The condition's reason.
    pub reason: Reason,
    /// What is in the way, where, and what to do.
    pub message: String,
}

/// Plans the way from `observed` to `desired`.
///
/// In Observe mode, and while something blocks, nothing is given. While something blocks in Enforce mode, what was removed from the
/// spec is still taken away: consumers, and principals and actions of those that are left.
pub fn plan(desired: &Desired, observed: &Observed, record: &Record, comparison: &Comparison, clock: Clock) -> Plan {
    if desired.mode == Mode::Observe {
        return Plan { blockers: comparison.blockers.clone(), ..Plan::default() };
    }
    let delegates = desired.delegates(comparison.key.as_ref());
    let planner = Planner { record, desired, observed, comparison, delegates, clock };
    let edit = planner.edit();
    let mut blockers = comparison.blockers.clone();
    blockers.extend(planner.refusal(&edit));
    blockers.extend(planner.contention());
    if !blockers.is_empty() {
        let steps = planner.revocations(planner.reduction());
        return Plan { steps, retreat: None, blockers, adopts: planner.adopts() };
    }
    let retreat = planner.retreat(&edit);
    let mut steps = planner.other_keys();
    steps.extend(planner.key_step(edit));
    steps.extend(planner.delegations());
    steps.extend(revoke::policies(comparison.leftovers.iter(), record));
    Plan { steps, retreat, blockers, adopts: planner.adopts() }
}

struct Planner<'a> {
    record: &'a Record,
    desired: &'a Desired,
    observed: &'a Observed,
    comparison: &'a Comparison,
    delegates: Vec<Delegate<'a>>,
    clock: Clock,
}

impl Planner<'_> {
    /// The context in which what we write is fingerprinted: it names principals by their ARNs, never by unique ids.
    fn context(&self) -> NormalContext {
        NormalContext::new(self.desired.key.partition())
    }

    /// Findings that a write of ours mends.
    fn open(&self) -> impl Iterator<Item = &Finding> {
        self.comparison.findings.iter().filter(|finding| finding.cause != Cause::Propagating && finding.is_mendable())
    }

    fn edit(&self) -> Edit {
        let broken: BTreeSet<&str> = self
            .open()
            .filter_map(|finding| match &finding.resource {
                Some(Resource::Statement { sid, .. }) => Some(sid.as_str()),
                _ => None,
            })
            .collect();
        let put = self.comparison.statements.iter().map(|wanted| &wanted.statement);
        let put = put.filter(|statement| statement.sid().is_some_and(|sid| broken.contains(sid))).cloned().collect();
        Edit { put, ..self.removals() }
    }

    /// Statements that nobody asks for any more, and those that have nobody left to name.
    fn removals(&self) -> Edit {
        let wanted = |sid: &str| self.comparison.statements.iter().any(|wanted| wanted.resource.is_statement(sid));
        let leftovers = self.comparison.leftovers.iter().map(|target| &target.resource);
        let leftovers = leftovers.filter(|resource| self.is_in_key_policy(resource));
        let ours = self.open().filter(|finding| finding.cause != Cause::Conflict);
        let resources = leftovers.chain(ours.filter_map(|finding| finding.resource.as_ref()));
        let sids = resources.filter_map(|resource| match resource {
            Resource::Statement { sid, .. } if !wanted(sid) => sid.parse::<Sid>().ok(),
            _ => None,
        });
        Edit { put: Vec::new(), remove: sids.collect() }
    }

    /// The removals, and what the statements that stay no longer have to say.
    fn reduction(&self) -> Edit {
        let edit = self.removals();
        let (Some(key), Some(document)) = (&self.comparison.key, self.observed.document()) else { return edit };
        let context = NormalContext { partition: key.partition(), unique_ids: self.observed.unique_ids() };
        let narrowing = Narrowing { context: &context, owner: key.account(), entities: &self.observed.entities };
        let wanted = self.comparison.statements.iter().filter(|wanted| self.may_narrow(&wanted.resource));
        narrowing.reduce(edit, document, wanted.map(|wanted| &wanted.statement))
    }

    /// Whether a statement differs, is ours, and nobody fights about it.
    fn may_narrow(&self, resource: &Resource) -> bool {
        let Clock { now, contended_within } = self.clock;
        let ours = |finding: &Finding| finding.cause != Cause::Conflict && finding.resource.as_ref() == Some(resource);
        self.open().any(ours) && !self.record.is_contended(resource, now, contended_within)
    }

    /// Whether it stands in the policy of the object's key.
    fn is_in_key_policy(&self, resource: &Resource) -> bool {
        matches!(resource, Resource::Statement { key, .. } if Some(key) == self.comparison.key.as_ref())
    }

    /// Statements that were written for an object of the same name, in the policies of other keys.
    fn other_keys(&self) -> Vec<Step> {
        if self.comparison.key.is_none() {
            return Vec::new();
        }
        let elsewhere = self.comparison.leftovers.iter().filter(|target| !self.is_in_key_policy(&target.resource));
        revoke::key_policies(elsewhere, self.desired.names.owner(), self.desired.prune_foreign_orphans)
    }

    fn contention(&self) -> Option<Blocker> {
        contention(self.open(), self.record, self.clock)
    }

    /// Whether the key policy would be refused: then nothing is written anywhere, rather than one half of it.
    fn refusal(&self, edit: &Edit) -> Option<Blocker> {
        if edit.is_empty() {
            return None;
        }
        let (key, live) = (self.comparison.key.as_ref()?, self.observed.document()?);
        let unique_ids = self.observed.unique_ids();
        let prune = self.desired.prune_foreign_orphans;
        let scope = write::Scope { key, owner: self.desired.names.owner(), unique_ids: &unique_ids, prune };
        let refusal = write::prepare(live, edit, &scope).err()?;
        Some(Blocker { reason: refusal.reason, message: refusal.message })
    }

    /// What can be written of `edit` without giving anybody anything.
    fn retreat(&self, edit: &Edit) -> Option<Step> {
        if edit.put.is_empty() {
            return None;
        }
        self.key_step(self.reduction())
    }

    fn key_step(&self, edit: Edit) -> Option<Step> {
        if edit.is_empty() {
            return None;
        }
        let key = self.comparison.key.as_ref()?;
        let unique_ids = self.observed.unique_ids();
        let written = |wanted: &WantedStatement| {
            let put = edit.put.iter().find(|put| put.sid() == wanted.statement.sid())?;
            Some(self.statement_target(wanted, put))
        };
        let records = self.comparison.statements.iter().filter_map(written).collect();
        let known = self.record.targets.iter().map(|target| target.resource.clone());
        let removed = |resource: &Resource| edit.remove.iter().any(|sid| resource.is_statement(sid.as_str()));
        let forgets = known.filter(|resource| self.is_in_key_policy(resource) && removed(resource));
        Some(Step {
            account: self.desired.key.account.clone(),
            records,
            forgets: forgets.collect(),
            action: Action::PutKeyPolicy {
                key: key.clone(),
                owner: self.desired.names.owner().clone(),
                edit,
                unique_ids,
                prune: self.desired.prune_foreign_orphans,
            },
        })
    }

    fn statement_target(&self, wanted: &WantedStatement, statement: &Statement) -> Target {
        Target {
            resource: wanted.resource.clone(),
            consumer: wanted.consumer.clone(),
            account_ref: self.desired.key.account.name.clone(),
            state: State::Intended,
            fingerprint: fingerprint(statement, &self.context()),
            principals: self.trusted(&wanted.consumer),
            undone: Vec::new(),
        }
    }

    /// The unique ids that a statement for this consumer trusts.
    fn trusted(&self, consumer: &str) -> BTreeMap<EntityArn, String> {
        let consumer = self.desired.consumers.iter().find(|candidate| candidate.name == consumer);
        let id = |arn: &EntityArn| match (self.comparison.left_out.get(arn), self.observed.entity(arn)) {
            // It stays left out: whoever stands behind the ARN now was not trusted.
            (Some(trusted), _) => Some(trusted.as_str()),
            (None, Some(state)) => Some(state.unique_id.as_str()),
            (None, None) => self.record.unique_id(arn),
        };
        let principals = consumer.into_iter().flat_map(|consumer| &consumer.principals);
        principals.filter_map(|arn| Some((arn.clone(), id(arn)?.to_owned()))).collect()
    }

    fn delegations(&self) -> Vec<Step> {
        let broken: BTreeSet<&Resource> = self.open().filter_map(|finding| finding.resource.as_ref()).collect();
        self.delegating().steps(&broken)
    }

    fn delegating(&self) -> Delegating<'_> {
        Delegating {
            names: &self.desired.names,
            delegates: &self.delegates,
            entities: &self.observed.entities,
            managed: &self.observed.managed,
            context: self.context(),
        }
    }

    fn adopts(&self) -> Vec<Target> {
        let mut standing: Vec<Target> = Vec::new();
        if self.comparison.key.is_some() && self.observed.document().is_some() {
            standing.extend(
                self.comparison.statements.iter().map(|wanted| self.statement_target(wanted, &wanted.statement)),
            );
        }
        standing.extend(self.delegating().standing());
        adopted(standing, &self.comparison.findings, self.record)
    }

    fn revocations(&self, edit: Edit) -> Vec<Step> {
        let refused = self.refusal(&edit).is_some();
        let mut steps = self.other_keys();
        if !refused {
            steps.extend(self.key_step(edit));
        }
        steps.extend(revoke::policies(self.comparison.leftovers.iter(), self.record));
        steps
    }
}

/// Of what stands in AWS as it has to, what the ledger does not know so.
pub(crate) fn adopted(mut standing: Vec<Target>, findings: &[Finding], record: &Record) -> Vec<Target> {
    let differing: BTreeSet<&Resource> = findings.iter().filter_map(|finding| finding.resource.as_ref()).collect();
    let known: HashMap<&Resource, &Target> = record.targets.iter().map(|target| (&target.resource, target)).collect();
    let is_known = |target: &Target| known.get(&target.resource).is_some_and(|known| known.states(target));
    standing.retain(|target| !differing.contains(&target.resource) && !is_known(target));
    standing
}

/// Writes that somebody undoes each time. Fighting on would only keep both sides busy, and AWS changing.
pub(crate) fn contention<'a>(
    mut open: impl Iterator<Item = &'a Finding>,
    record: &Record,
    clock: Clock,
) -> Option<Blocker> {
    let Clock { now, contended_within } = clock;
    let contended = |resource: &Resource| record.is_contended(resource, now, contended_within);
    let fought = |finding: &&Finding| finding.cause == Cause::Drift && finding.resource.as_ref().is_some_and(contended);
    let finding = open.find(fought)?;
    Some(Blocker {
        reason: Reason::Contended,
        message: format!(
            "somebody undid what the operator wrote three times within {} minutes, so it waits as long before it tries again: {}; find out \
             who else manages it and let one of the two go (mode: Observe here, or ignore it there)",
            contended_within / 60,
            finding.message
        ),
    })
}

#[cfg(test)]
mod contention;
#[cfg(test)]
mod convergence;
#[cfg(test)]
mod tests;
