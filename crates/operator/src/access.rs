//! From an `AwsAccount` and the Secrets that it names to the way into AWS.

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use secrecy::SecretString;
use sharedkey_api::{AssumeRole, AwsAccountSpec, Credentials, SecretKeyRef, conditions::Reason};
use sharedkey_aws::{Access, Endpoints, Method};
use sharedkey_engine::accounts;
use sharedkey_policy::Region;

use crate::args::Args;

/// What the session is called in `CloudTrail` where the admin names nothing (D§6.4).
const SESSION_NAME: &str = "sharedkey-operator";

/// Why an `AwsAccount` gives no way into AWS.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct NoAccess {
    /// The condition's reason.
    pub(crate) reason: Reason,
    /// What to change.
    pub(crate) message: String,
    /// Whether trying again may help by itself.
    pub(crate) transient: bool,
}

impl NoAccess {
    /// A field of the `AwsAccount` that the API server should have refused.
    pub(crate) fn invalid(field: &str) -> Self {
        no_access(Reason::InvalidSpec, format!("{field} is not valid"))
    }
}

fn no_access(reason: Reason, message: impl Into<String>) -> NoAccess {
    NoAccess { reason, message: message.into(), transient: false }
}

/// Reads the way into an account. Secrets are read from the operator's namespace and from no other.
pub(crate) async fn access(client: &Client, args: &Args, spec: &AwsAccountSpec) -> Result<Access, NoAccess> {
    let account_id = accounts::account_id(spec).ok_or_else(|| NoAccess::invalid("accountId"))?;
    let partition = accounts::partition(spec).ok_or_else(|| NoAccess::invalid("partition"))?;
    let stated = spec.default_region.as_deref().map(str::parse::<Region>);
    let default_region = match stated {
        Some(Ok(region)) => region,
        Some(Err(_)) => return Err(NoAccess::invalid("defaultRegion")),
        None => partition.iam_region().parse().map_err(|_| NoAccess::invalid("partition"))?,
    };
    let secrets = Secrets { api: Api::namespaced(client.clone(), &args.operator_namespace), args };
    let method = method(&secrets, &spec.credentials).await?;
    Ok(Access { account_id, partition, default_region, method, endpoints: endpoints(args, spec)? })
}

async fn method(secrets: &Secrets<'_>, credentials: &Credentials) -> Result<Method, NoAccess> {
    match credentials {
        Credentials { assume_role: Some(role), .. } => assume_role(secrets, role).await,
        Credentials { web_identity: Some(web), .. } => {
            Ok(Method::WebIdentity { role_arn: web.role_arn.clone(), audience: web.audience.clone() })
        }
        Credentials { secret_ref: Some(reference), .. } => {
            let secret = secrets.get(&reference.name).await?;
            Ok(Method::Static {
                access_key_id: secrets.text(&secret, &reference.name, "accessKeyId")?,
                secret_access_key: secrets.text(&secret, &reference.name, "secretAccessKey")?.into(),
                session_token: secrets.text(&secret, &reference.name, "sessionToken").ok().map(SecretString::from),
            })
        }
        Credentials { ambient: Some(_), .. } => Ok(Method::Ambient),
        Credentials { .. } => Err(no_access(Reason::InvalidSpec, "credentials names no way into the account")),
    }
}

async fn assume_role(secrets: &Secrets<'_>, role: &AssumeRole) -> Result<Method, NoAccess> {
    let external_id = match &role.external_id_secret_ref {
        None => None,
        Some(SecretKeyRef { name, key }) => {
            let secret = secrets.get(name).await?;
            Some(SecretString::from(secrets.text(&secret, name, key)?))
        }
    };
    Ok(Method::AssumeRole {
        role_arn: role.role_arn.clone(),
        external_id,
        session_name: role.session_name.clone().unwrap_or_else(|| SESSION_NAME.to_owned()),
        via: role.via.as_ref().map(|via| via.name.clone()),
    })
}

/// Endpoints receive signed requests, so they count only where whoever started the operator allowed them.
fn endpoints(args: &Args, spec: &AwsAccountSpec) -> Result<Endpoints, NoAccess> {
    let Some(stated) = &spec.endpoints else { return Ok(Endpoints::default()) };
    let all = [&stated.kms, &stated.iam, &stated.sts, &stated.secrets_manager];
    let refused = |flag: &str, what: &str| {
        no_access(Reason::EndpointOverrideNotAllowed, format!("{what}, and the operator was not started with {flag}"))
    };
    if all.iter().any(|endpoint| endpoint.is_some()) && !args.allow_endpoint_overrides {
        return Err(refused("--allow-endpoint-overrides", "endpoints are overridden"));
    }
    let plain = |endpoint: &&Option<String>| endpoint.as_deref().is_some_and(|url| !url.starts_with("https://"));
    if all.iter().any(plain) && !args.allow_insecure_endpoints {
        return Err(refused("--allow-insecure-endpoints", "an endpoint is not https"));
    }
    Ok(Endpoints {
        kms: stated.kms.clone(),
        iam: stated.iam.clone(),
        sts: stated.sts.clone(),
        secrets_manager: stated.secrets_manager.clone(),
    })
}

struct Secrets<'a> {
    api: Api<Secret>,
    args: &'a Args,
}

impl Secrets<'_> {
    async fn get(&self, name: &str) -> Result<Secret, NoAccess> {
        let namespace = &self.args.operator_namespace;
        match self.api.get_opt(name).await {
            Ok(Some(secret)) => Ok(secret),
            Ok(None) => {
                let message = format!("Secret {name:?} does not exist in namespace {namespace:?}");
                Err(no_access(Reason::InvalidCredentials, message))
            }
            Err(error) => Err(NoAccess {
                reason: Reason::InvalidCredentials,
                message: format!("Secret {name:?} in namespace {namespace:?} cannot be read: {error}"),
                transient: true,
            }),
        }
    }

    fn text(&self, secret: &Secret, name: &str, key: &str) -> Result<String, NoAccess> {
        let bytes = secret.data.as_ref().and_then(|data| data.get(key));
        let text = bytes.and_then(|bytes| String::from_utf8(bytes.0.clone()).ok()).filter(|text| !text.is_empty());
        text.ok_or_else(|| {
            let namespace = &self.args.operator_namespace;
            no_access(
                Reason::InvalidCredentials,
                format!("Secret {name:?} in namespace {namespace:?} has no text under key {key:?}"),
            )
        })
    }
}
