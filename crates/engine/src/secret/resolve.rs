//! From the spec, the accounts that admins opened and the `SharedKey`s of the namespace to what is wanted, or to an error that a person
//! has to fix.

mod key;

use std::collections::{BTreeMap, BTreeSet};

use sharedkey_api::{self as api, ExternalSecretSpec, SharedKeySpec, SharedKeyStatus, conditions::Reason};
use sharedkey_policy::{EntityArn, Region, SecretName};

use self::key::Keys;
use super::{
    desired::{DesiredReader, DesiredSecret},
    writer,
};
use crate::{
    accounts::{Accounts, Namespace, Wanted, allows, opened_principals},
    desired::Account,
    ledger::Record,
    names::{Names, ObjectName, OwnerId},
    resolve::{
        Refusal, parse, refuse,
        scope::{self, Scope},
    },
};

/// Everything that decides about an object before AWS is asked.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The object.
    pub object: &'a ObjectName,
    /// Its spec.
    pub spec: &'a ExternalSecretSpec,
    /// Its annotations.
    pub annotations: &'a BTreeMap<String, String>,
    /// Labels of its namespace.
    pub namespace_labels: &'a BTreeMap<String, String>,
    /// All accounts.
    pub accounts: &'a Accounts,
    /// What the object has written so far.
    pub record: &'a Record,
    /// Accounts that an administrator has deleted: they open nothing new.
    pub leaving: &'a BTreeSet<String>,
    /// The operator.
    pub owner_id: &'a OwnerId,
    /// The `SharedKey`s of the object's namespace by name.
    pub shared_keys: &'a BTreeMap<String, Referenced<'a>>,
    /// Whom AWS takes the operator for in the secret's account: the ARN of `status.identity` of its `AwsAccount`.
    pub identity: Option<&'a str>,
}

/// A `SharedKey` that an object may name.
#[derive(Clone, Copy, Debug)]
pub struct Referenced<'a> {
    /// Its spec.
    pub spec: &'a SharedKeySpec,
    /// Its status.
    pub status: Option<&'a SharedKeyStatus>,
    /// What it has written.
    pub record: &'a Record,
    /// Whether somebody has deleted it.
    pub deleting: bool,
}

/// Resolves an object. One that is refused in part after it has given something is resolved without the keys and readers that are
/// refused, so that what left its spec is taken back all the same.
pub fn resolve(input: &Input<'_>) -> Result<DesiredSecret, Refusal> {
    let scope = Scope {
        namespace: Namespace { name: &input.object.namespace, labels: input.namespace_labels },
        accounts: input.accounts,
        record: input.record,
        leaving: input.leaving,
        owned: "secret",
    };
    let resolver = Resolver { input, scope };
    let spec = input.spec;
    let region: Region = parse("region", &spec.region)?;
    let (account, account_spec) = resolver.scope.account("accountRef", &spec.account_ref.name, region.partition())?;
    let secret = resolver.secret(&account, account_spec, region)?;
    let keys = Keys { input, scope: &resolver.scope, account: &account, spec: account_spec };
    let mut waits = Vec::new();
    let key = resolver.later(keys.resolve("", &spec.key, secret.region(), &mut waits))?;
    let mut replicas = BTreeMap::new();
    for (index, replica) in spec.replicas.iter().enumerate() {
        let field = format!("replicas[{index}].");
        let region: Region = parse(&format!("{field}region"), &replica.region)?;
        if region.partition() != secret.partition() {
            return refuse(
                Reason::PartitionMismatch,
                format!(
                    "{field}region: {region} is not in partition {}; no secret is replicated into another one",
                    secret.partition()
                ),
            );
        }
        let key = resolver.later(keys.resolve(&field, &replica.key, &region, &mut waits))?;
        replicas.insert(region, key);
    }
    let (mut readers, mut refused) = (Vec::new(), BTreeMap::new());
    for (index, reader) in spec.readers.iter().enumerate() {
        let field = format!("readers[{index}] ({})", reader.name);
        match resolver.later(resolver.reader(&field, reader, &account, &secret))? {
            Ok(reader) => readers.push(reader),
            Err(refusal) => drop(refused.insert(reader.name.clone(), refusal)),
        }
    }
    let names = Names::of_secret(input.owner_id.clone(), input.object.clone());
    scope::distinct("readers", "reader", readers.iter().map(|reader| taken(&names, reader)))?;
    let used = readers.iter().filter_map(|reader| reader.reach.as_ref()).chain([&account]);
    Ok(DesiredSecret {
        mode: resolver.scope.mode(spec.mode, secret.partition(), used),
        names,
        account,
        writer: input.identity.and_then(writer::principal),
        secret,
        description: spec.description.clone(),
        tags: spec.tags.clone(),
        adopt: spec.adopt == api::Adopt::IfExists,
        restore: spec.restore_deleted,
        key,
        has_source: spec.source.is_some(),
        readers,
        refused,
        replicas,
        target: spec.target.as_ref().map(|target| target.name.clone()),
        take_over: input.annotations.get(api::TAKE_OVER).is_some_and(|value| value == "true"),
        waits,
        quotas: BTreeMap::new(),
    })
}

/// The names in AWS that a reader takes.
fn taken<'a>(names: &Names, reader: &'a DesiredReader) -> (&'a str, Vec<String>) {
    (&reader.name, vec![names.secret_sid(&reader.name).to_string(), names.policy_name(&reader.name)])
}

struct Resolver<'a> {
    input: &'a Input<'a>,
    scope: Scope<'a>,
}

impl Resolver<'_> {
    /// A part that is refused refuses the object, until it has given something: that is still looked after, as for a SharedKey.
    fn later<T>(&self, part: Result<T, Refusal>) -> Result<Result<T, Refusal>, Refusal> {
        match part {
            Err(refusal) if self.input.record.targets.is_empty() => Err(refusal),
            part => Ok(part),
        }
    }

    fn secret(&self, account: &Account, spec: &api::AwsAccountSpec, region: Region) -> Result<SecretName, Refusal> {
        let name = &self.input.spec.secret_name;
        let secret = SecretName::new(region, account.id.clone(), name)
            .or_else(|error| refuse(Reason::InvalidSpec, format!("secretName: {error}")))?;
        if !allows(spec, &self.scope.namespace, Wanted::Secret(name)) {
            return refuse(
                Reason::NotAllowed,
                format!(
                    "secretName: no allow rule of AwsAccount {:?} opens {name} to namespace {:?}; ask a cluster administrator to add it to \
                     allow[].secrets",
                    account.name, self.scope.namespace.name
                ),
            );
        }
        Ok(secret)
    }

    fn reader(
        &self,
        field: &str,
        spec: &api::Reader,
        home: &Account,
        secret: &SecretName,
    ) -> Result<DesiredReader, Refusal> {
        let (account_ref, account_id) = (spec.account_ref.as_ref(), spec.account_id.as_deref());
        let (account, reach) =
            self.scope.entry_account(field, account_ref, account_id, &home.id, secret.partition())?;
        let principals = scope::principals(field, &spec.principals, "reader", secret.partition(), &account)?;
        let asked: Vec<String> = principals.iter().map(EntityArn::resource).collect();
        if let Some((way, account_spec)) = &reach {
            self.scope.allowed_principals(field, way, account_spec, &asked)?;
        }
        // Within its own account the secret's policy is enough (D§5.1).
        let reader = DesiredReader {
            name: spec.name.clone(),
            delegation: scope::delegation(spec.delegation, spec.account_id.is_some(), account == home.id),
            account,
            opened: reach.as_ref().map(|(_, spec)| opened_principals(spec, &self.scope.namespace)).unwrap_or_default(),
            reach: reach.map(|(way, _)| way),
            principals,
        };
        self.scope.stays(field, home, &reader.delegate(None))?;
        if reader.account != home.id {
            let rules = self.scope.rules(secret.partition(), &home.id);
            scope::trusted(field, &rules, home, &reader.account, reader.is_handoff())?;
        }
        if reader.is_handoff() {
            self.scope.allowed_handoff(field, secret.partition(), &reader.account, &asked)?;
        }
        scope::protected(field, &reader.principals, reader.delegation)?;
        Ok(reader)
    }
}

#[cfg(test)]
mod tests;
