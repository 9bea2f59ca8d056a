//! Kubernetes Secrets of tenants: read and written where their namespace grants it, and nowhere else.

use std::fmt;

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams, Preconditions},
    core::Status,
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
        let place = format!("{verb} Secret {name:?} in namespace {namespace:?}");
        let kube::Error::Api(status) = error else {
            return Failed::Unavailable(format!("{place}: {}", code(error, name)));
        };
        let denial = Denial::of(status, name);
        match (status.code, denial) {
            (_, Some(Denial::NotGranted)) => {
                let Args { operator_namespace, service_account, .. } = args;
                let message = format!(
                    "the operator may not {place}; grant it: kubectl -n {namespace} create rolebinding {SECRETS_ROLE} \
                     --clusterrole={SECRETS_ROLE} --serviceaccount={operator_namespace}:{service_account}"
                );
                refused(Reason::SecretAccessNotGranted, message)
            }
            (_, Some(denial)) => Failed::Refused(Trouble {
                reason: Reason::TargetDenied,
                message: format!("{denial} does not let the operator {place}{UNTOLD}"),
                class: denial.class(),
            }),
            // Its text may repeat what was sent; the fields that are wrong say enough.
            (400 | 422, None) => {
                let causes = status.details.iter().flat_map(|details| &details.causes);
                let fields: Vec<&str> = causes.map(|cause| cause.field.as_str()).collect();
                let fields = fields.join(", ");
                let message =
                    format!("Kubernetes refuses Secret {name:?} with what it would hold: see its fields {fields}");
                refused(Reason::TargetInvalid, message)
            }
            _ => Failed::Unavailable(format!("{place}: {}", code(error, name))),
        }
    }
}

/// Who does not let a call through although the API server could serve it.
#[derive(Debug, PartialEq, Eq)]
enum Denial<'a> {
    /// Nobody has granted it.
    NotGranted,
    /// A guard that the API server names, by its kind and name.
    By(&'static str, &'a str),
    /// A webhook that has to be asked and does not answer.
    Unasked(&'a str),
    /// Somebody whom the API server does not name.
    BySomebody,
}

/// How the API server begins to tell of a guard, and what ends the guard's name. What follows is the guard's own text, which may quote
/// the object, and with it the value.
const GUARDS: [(&str, char, &str); 5] = [
    ("ValidatingAdmissionPolicy '", '\'', "ValidatingAdmissionPolicy"),
    ("admission webhook \"", '"', "the admission webhook"),
    ("exceeded quota: ", ',', "ResourceQuota"),
    ("failed quota: ", ':', "ResourceQuota"),
    ("status unknown for quota: ", ',', "ResourceQuota"),
];

const UNTOLD: &str = "; ask whoever administers that, or remove target (the words of the denial are not told, for they may quote the value)";

impl<'a> Denial<'a> {
    fn of(status: &'a Status, secret: &str) -> Option<Self> {
        let text = status.message.as_str();
        if let Some(rest) = text.strip_prefix("Internal error occurred: failed calling webhook \"") {
            return Some(named(rest, '"').map_or(Self::BySomebody, Self::Unasked));
        }
        let text = text.strip_prefix(&format!("secrets {secret:?} is forbidden: ")).unwrap_or(text);
        let guard = GUARDS.iter().find_map(|(begin, end, kind)| {
            let rest = text.strip_prefix(begin)?;
            Some(named(rest, *end).map_or(Self::BySomebody, |name| Self::By(kind, name)))
        });
        match (guard, status.code) {
            (Some(guard), 400..500) => Some(guard),
            // The words of every authorizer.
            (_, 403) if text.starts_with("User \"") => Some(Self::NotGranted),
            (_, 403) => Some(Self::BySomebody),
            _ => None,
        }
    }

    fn class(&self) -> Class {
        if matches!(self, Self::Unasked(_)) { Class::Transient } else { Class::UserActionNeeded }
    }
}

/// The name at the beginning of a text, if it is one that Kubernetes gives.
fn named(text: &str, end: char) -> Option<&str> {
    let (name, _) = text.split_once(end)?;
    let may = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    (name.len() <= 253 && name.bytes().all(may)).then_some(name)
}

impl fmt::Display for Denial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGranted => f.write_str("the API server"),
            Self::By(kind, name) => write!(f, "{kind} {name:?}"),
            Self::Unasked(name) => write!(f, "the admission webhook {name:?}, which does not answer,"),
            Self::BySomebody => f.write_str("an admission plugin of the cluster"),
        }
    }
}

fn refused(reason: Reason, message: String) -> Failed {
    Failed::Refused(Trouble { reason, message, class: Class::UserActionNeeded })
}

/// What may be said of an error about a Secret: other texts of the client can hold what it could not understand.
pub(super) fn code(error: &kube::Error, secret: &str) -> String {
    let kube::Error::Api(status) = error else { return "no answer of the API server".to_owned() };
    let denial = Denial::of(status, secret).map(|denial| format!(", denied by {denial}")).unwrap_or_default();
    format!("{} {}{denial}", status.code, status.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, message: &str) -> Status {
        Status { code, message: message.to_owned(), ..Status::default() }
    }

    #[test]
    fn a_denial_is_told_by_whose_it_is_and_without_its_words() {
        let policy = Denial::By("ValidatingAdmissionPolicy", "no-copies.team");
        for (code, message, expected) in [
            (403, r#"User "system:x" cannot create resource "secrets" in API group """#, Some(Denial::NotGranted)),
            (403, "ValidatingAdmissionPolicy 'no-copies.team' with binding 'b' denied request: hidden", Some(policy)),
            (
                403,
                "exceeded quota: few, requested: secrets=1, used: secrets=2, limited: secrets=2",
                Some(Denial::By("ResourceQuota", "few")),
            ),
            (403, "failed quota: few: must specify count/secrets", Some(Denial::By("ResourceQuota", "few"))),
            (
                403,
                "unable to create new content in namespace team because it is being terminated",
                Some(Denial::BySomebody),
            ),
            (422, "data[.dockerconfigjson]: Invalid value: \"exceeded quota: hidden, \"", None),
            (409, "the object has been modified", None),
        ] {
            let status = status(code, &format!("secrets \"copy\" is forbidden: {message}"));
            let denial = Denial::of(&status, "copy");
            assert_eq!(denial, expected, "{message}");
            assert!(denial.is_none_or(|denial| !denial.to_string().contains("hidden")));
        }
        for (code, message, expected) in [
            (
                400,
                r#"admission webhook "guard.team.example" denied the request: hidden"#,
                Some("the admission webhook \"guard.team.example\""),
            ),
            (400, r#"admission webhook "HIDDEN" denied the request"#, Some("an admission plugin of the cluster")),
            (
                500,
                r#"Internal error occurred: failed calling webhook "guard.team.example": hidden"#,
                Some("the admission webhook \"guard.team.example\", which does not answer,"),
            ),
            (500, "Internal error occurred: hidden", None),
            (400, "hidden", None),
        ] {
            let told = Denial::of(&status(code, message), "copy").map(|denial| denial.to_string());
            assert_eq!(told.as_deref(), expected, "{message}");
        }
    }
}
