//! Who is looked at because somebody else changed.

use std::{collections::BTreeSet, sync::Arc};

use kube::{ResourceExt as _, runtime::reflector::ObjectRef};
use sharedkey_api::{AwsAccount, ExternalSecret, SharedKey};
use sharedkey_engine::accounts;

use crate::{
    context::Context,
    patch,
    served::{Named, Served},
};

/// Whether any rule of the account is for the namespace. To the objects of all others it is as if it did not exist: they neither
/// keep it nor make it be looked at.
pub(crate) fn is_open_to(account: &AwsAccount, namespace: &str, context: &Context) -> bool {
    let labels = context.namespace_labels(namespace);
    accounts::opens(&account.spec, &accounts::Namespace { name: namespace, labels: &labels })
}

/// Wakes the accounts that an object names and may use: they have a user more or less.
pub(crate) fn accounts_of<K: Served>(object: &K, context: &Context) {
    let namespace = object.namespace().unwrap_or_default();
    let named = object.account_names().into_iter().filter_map(|name| context.accounts.get(&ObjectRef::new(name)));
    for account in named.filter(|account| is_open_to(account, &namespace, context)) {
        // Only the first user is urgent: it keeps the account. That it has one more or less is told soon.
        if patch::has_finalizer(&*account) {
            // The receiver lives as long as the controller.
            let _ = context.recount_accounts.send(ObjectRef::from_obj(&*account));
        } else {
            context.accounts.wake(&account);
        }
    }
}

/// Wakes every object that names an account, or another `AwsAccount` of the same one: the guardrails of all of them hold.
pub(crate) fn users_of(account: &AwsAccount, context: &Context) {
    let accounts = context.accounts.all();
    let same = accounts.iter().filter(|other| other.spec.account_id == account.spec.account_id);
    let names: BTreeSet<String> = same.map(|other| other.name_any()).chain([account.name_any()]).collect();
    for named in names.into_iter().map(Named::Account) {
        context.keys.wake_naming(&named);
        context.secrets.wake_naming(&named);
    }
}

/// Wakes every object of a namespace.
pub(crate) fn inhabitants_of(namespace: &str, context: &Context) {
    let named = Named::Namespace(namespace.to_owned());
    context.keys.wake_naming(&named);
    context.secrets.wake_naming(&named);
}

/// Wakes the secrets that a key encrypts: what they may say of it changed, in its spec or in its status.
pub(crate) fn secrets_of(key: &SharedKey, context: &Context) {
    context.secrets.wake_naming(&Named::Key(key.id().name));
}

/// Wakes the keys that may be waiting for a secret to let go of them. One that has moved to another key does not say which it left.
pub(crate) fn leaving_keys_of(secret: &ExternalSecret, context: &Context) {
    context.keys.wake_naming(&Named::Leaving(secret.namespace().unwrap_or_default()));
}

/// The `SharedKey`s that an `ExternalSecret` names, for itself or for replicas, as far as there are any.
pub(crate) fn keys_of(secret: &ExternalSecret, context: &Context) -> Vec<Arc<SharedKey>> {
    let namespace = secret.namespace().unwrap_or_default();
    let names: BTreeSet<&str> = secret.key_names().into_iter().collect();
    names.into_iter().filter_map(|name| context.keys.get(&ObjectRef::new(name).within(&namespace))).collect()
}
