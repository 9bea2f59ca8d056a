//! Kubernetes Secrets of tenants: read and written where their namespace grants it, and nowhere else.

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams, Preconditions},
};
use sharedkey_api::{SECRETS_ROLE, conditions::Reason};
use sharedkey_engine::problem::{Class, Trouble};
use tracing::{instrument::WithSubscriber as _, subscriber::NoSubscriber};

use crate::{args::Args, reconcile::Error};

/// Why a call did not do what it should.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Somebody has to change something.
    Refused(Trouble),
    /// The API server could not do it now; the text says which Secret, and holds nothing of it.
    Unavailable(String),
}

impl Failed {
    /// What somebody has to change; what the API server could not do now ends the reconcile, as for every other object of it.
    pub(crate) fn trouble(self) -> Result<Trouble, Error> {
        match self {
            Self::Refused(trouble) => Ok(trouble),
            Self::Unavailable(what) => Err(Error::Secret(what)),
        }
    }
}

/// The Secrets of one namespace.
pub(crate) struct Secrets<'a> {
    api: Api<Secret>,
    namespace: String,
    args: &'a Args,
}

impl<'a> Secrets<'a> {
    pub(crate) fn of(client: &Client, args: &'a Args, namespace: String) -> Self {
        Self { api: Api::namespaced(client.clone(), &namespace), namespace, args }
    }

    /// Reads one.
    pub(crate) async fn get(&self, name: &str) -> Result<Option<Secret>, Failed> {
        self.call("get", name, self.api.get_opt(name)).await
    }

    /// Creates one.
    pub(crate) async fn create(&self, name: &str, secret: &Secret) -> Result<Secret, Failed> {
        self.call("create", name, self.api.create(&PostParams::default(), secret)).await
    }

    /// Replaces one, as it was read.
    pub(crate) async fn replace(&self, name: &str, secret: &Secret) -> Result<Secret, Failed> {
        self.call("update", name, self.api.replace(name, &PostParams::default(), secret)).await
    }

    /// Deletes one, unless there is another of its name by now.
    pub(crate) async fn delete(&self, name: &str, read: &Secret) -> Result<(), Failed> {
        let preconditions =
            Preconditions { uid: read.metadata.uid.clone(), resource_version: read.metadata.resource_version.clone() };
        let params = DeleteParams::default().preconditions(preconditions);
        let gone = async {
            match self.api.delete(name, &params).await {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                other => other.map(drop),
            }
        };
        self.call("delete", name, gone).await
    }

    /// Makes a call of which nothing is logged: at the level of tracing, clients print what they send and get.
    ///
    /// Nobody has granted the operator's own namespace to anybody, although the operator reads credentials there.
    async fn call<T>(
        &self,
        verb: &str,
        name: &str,
        call: impl Future<Output = Result<T, kube::Error>> + Send,
    ) -> Result<T, Failed> {
        if self.namespace == self.args.operator_namespace {
            let message = format!("Secrets of the operator's own namespace {:?} go nowhere", self.namespace);
            return Err(refused(Reason::SecretAccessNotGranted, message));
        }
        call.with_subscriber(NoSubscriber::default()).await.map_err(|error| self.failed(verb, name, &error))
    }

    fn failed(&self, verb: &str, name: &str, error: &kube::Error) -> Failed {
        let Self { namespace, args, .. } = self;
        match error {
            kube::Error::Api(status) if status.code == 403 => {
                let Args { operator_namespace, service_account, .. } = args;
                let message = format!(
                    "the operator may not {verb} Secret {name:?} in namespace {namespace:?}; grant it: kubectl -n {namespace} \
                     create rolebinding {SECRETS_ROLE} --clusterrole={SECRETS_ROLE} \
                     --serviceaccount={operator_namespace}:{service_account}"
                );
                refused(Reason::SecretAccessNotGranted, message)
            }
            // Its text may repeat what was sent; the fields that are wrong say enough.
            kube::Error::Api(status) if status.code == 422 => {
                let causes = status.details.iter().flat_map(|details| &details.causes);
                let fields: Vec<&str> = causes.map(|cause| cause.field.as_str()).collect();
                let fields = fields.join(", ");
                let message =
                    format!("Kubernetes refuses Secret {name:?} with what it would hold: see its fields {fields}");
                refused(Reason::TargetInvalid, message)
            }
            error => {
                Failed::Unavailable(format!("{verb} of Secret {name:?} in namespace {namespace:?}: {}", code(error)))
            }
        }
    }
}

fn refused(reason: Reason, message: String) -> Failed {
    Failed::Refused(Trouble { reason, message, class: Class::UserActionNeeded })
}

/// What may be said of an error: other texts of the client can hold what it could not understand.
fn code(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} {}", status.code, status.reason),
        _ => "no answer of the API server".to_owned(),
    }
}
