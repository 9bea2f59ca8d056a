//! One account's credentials: obtained once for all that wait, checked before their first use, renewed in time.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use futures::{FutureExt, future::BoxFuture};
use sharedkey_engine::problem::{Class, Failure, Reading};
use tokio::{
    sync::{Mutex, OnceCell},
    time::Instant,
};

use crate::{
    access::{Access, Method},
    secret,
    shared::Shared,
    sts::Sts,
    text,
};

/// Name of a web identity's session, for the reason for which `AssumeRole` has one (D§6.4).
const WEB_IDENTITY_SESSION: &str = "sharedkey-operator";
/// A failure is told to everybody who asks within this time, so that a closed account costs one call, not one for each
/// object that uses it.
const FAILURE_STAYS: Duration = Duration::from_secs(2);
/// When renewal fails and the old session still lasts.
const RENEW_AGAIN: Duration = Duration::from_mins(1);

/// The credentials of one `AwsAccount`.
pub(crate) struct Session {
    access: Access,
    /// The session that assumes the role. Fixed: when its access changes, this session is replaced as well.
    via: Option<Arc<Session>>,
    shared: Arc<Shared>,
    ambient: OnceCell<Option<SharedCredentialsProvider>>,
    state: RwLock<State>,
    /// Held by the one who obtains credentials; the others wait for what comes of it.
    obtaining: Mutex<()>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    failed: Option<(Instant, Failure)>,
}

#[derive(Clone)]
struct Held {
    credentials: Credentials,
    lifetime: Option<Lifetime>,
}

#[derive(Clone, Copy)]
struct Lifetime {
    renew: Instant,
    end: Instant,
}

impl Held {
    fn new(credentials: Credentials, now: Instant, wall: SystemTime) -> Self {
        let lasts = credentials.expiry().map(|expiry| expiry.duration_since(wall).unwrap_or_default());
        // At 80 % (D§6.1), so that a failed renewal has time for another.
        let lifetime = lasts.map(|lasts| Lifetime { renew: now + lasts.mul_f32(0.8), end: now + lasts });
        Self { credentials, lifetime }
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.lifetime.is_none_or(|lifetime| now < lifetime.renew)
    }

    fn is_valid(&self, now: Instant) -> bool {
        self.lifetime.is_none_or(|lifetime| now < lifetime.end)
    }
}

impl Session {
    pub(crate) fn new(access: Access, via: Option<Arc<Self>>, shared: Arc<Shared>) -> Self {
        Self { access, via, shared, ambient: OnceCell::new(), state: RwLock::default(), obtaining: Mutex::new(()) }
    }

    /// Credentials that are good for a while.
    pub(crate) fn credentials(&self) -> BoxFuture<'_, Reading<Credentials>> {
        async move {
            if let Some(known) = self.known() {
                return known;
            }
            let _obtaining = self.obtaining.lock().await;
            if let Some(known) = self.known() {
                return known;
            }
            let obtained = self.obtain().await;
            self.keep(obtained)
        }
        .boxed()
    }

    /// Drops credentials that AWS refuses, unless they have been replaced meanwhile.
    pub(crate) fn forget(&self, credentials: &Credentials) {
        let mut state = self.write();
        if state.held.as_ref().is_some_and(|held| held.credentials.access_key_id() == credentials.access_key_id()) {
            state.held = None;
        }
    }

    fn known(&self) -> Option<Reading<Credentials>> {
        let now = Instant::now();
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        match (&state.held, &state.failed) {
            (Some(held), _) if held.is_fresh(now) => Some(Ok(held.credentials.clone())),
            (_, Some((at, failure))) if now.saturating_duration_since(*at) < FAILURE_STAYS => {
                Some(Err(failure.clone()))
            }
            _ => None,
        }
    }

    fn keep(&self, obtained: Reading<Credentials>) -> Reading<Credentials> {
        let now = Instant::now();
        let mut state = self.write();
        let failure = match obtained {
            Ok(credentials) => {
                let held = Held::new(credentials.clone(), now, SystemTime::now());
                *state = State { held: Some(held), failed: None };
                return Ok(credentials);
            }
            Err(failure) => failure,
        };
        match &mut state.held {
            Some(held) if held.is_valid(now) && failure.class == Class::Transient => {
                tracing::warn!(account.id = %self.access.account_id, error = %failure, "credentials could not be renewed yet");
                held.lifetime = held.lifetime.map(|lifetime| Lifetime { renew: now + RENEW_AGAIN, ..lifetime });
                Ok(held.credentials.clone())
            }
            _ => {
                *state = State { held: None, failed: Some((now, failure.clone())) };
                Err(failure)
            }
        }
    }

    /// Obtains credentials and makes sure that they are for the account that was meant.
    async fn obtain(&self) -> Reading<Credentials> {
        let credentials = self.by_method().await?;
        Sts::new(&self.shared, &self.access, Some(credentials.clone())).identity().await?;
        Ok(credentials)
    }

    async fn by_method(&self) -> Reading<Credentials> {
        match &self.access.method {
            Method::Ambient => self.ambient().await,
            Method::Static { access_key_id, secret_access_key, session_token } => Ok(Credentials::new(
                access_key_id,
                secret::reveal(secret_access_key),
                session_token.as_ref().map(|token| secret::reveal(token).to_owned()),
                None,
                "sharedkey",
            )),
            Method::AssumeRole { role_arn, external_id, session_name, .. } => {
                let base = match &self.via {
                    Some(via) => via.credentials().await?,
                    None => self.ambient().await?,
                };
                let sts = Sts::new(&self.shared, &self.access, Some(base));
                sts.assume_role(role_arn, session_name, external_id.as_ref()).await
            }
            Method::WebIdentity { role_arn, audience } => {
                let token = self.shared.tokens.token(audience).await.map_err(|error| {
                    self.access.no_credentials(Class::Transient, "NoToken", text::chain(error.as_ref()))
                })?;
                let sts = Sts::new(&self.shared, &self.access, None);
                sts.assume_role_with_web_identity(role_arn, WEB_IDENTITY_SESSION, &token).await
            }
        }
    }

    async fn ambient(&self) -> Reading<Credentials> {
        let region = self.access.default_region.as_str();
        let provider = self.ambient.get_or_init(|| self.shared.sdk.ambient(region)).await;
        let Some(provider) = provider else { return Err(self.nothing_ambient("the SDK has no credentials provider")) };
        provider.provide_credentials().await.map_err(|error| match error {
            CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
                self.nothing_ambient(&text::chain(&error))
            }
            _ => self.access.no_credentials(Class::Transient, "NoCredentials", text::chain(&error)),
        })
    }

    fn nothing_ambient(&self, why: &str) -> Failure {
        let message = format!("the operator has no AWS identity of its own: {why}");
        self.access.no_credentials(Class::UserActionNeeded, "NoCredentials", message)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the SDK signs with. It never obtains anything: every call is made after [`Session::credentials`], and obtaining here
/// would wait for a place among the calls under way while it holds one.
impl ProvideCredentials for Session {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let held = state.held.as_ref().filter(|held| held.is_valid(Instant::now()));
        let credentials = held.map(|held| held.credentials.clone());
        future::ProvideCredentials::ready(
            credentials.ok_or_else(|| CredentialsError::not_loaded("the session ended before the call was made")),
        )
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("account", &self.access.account_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_renewed_after_four_fifths_of_their_life() {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let hour = Duration::from_hours(1);
        let credentials = Credentials::new("id", "key", None, Some(wall + hour), "test");
        let held = Held::new(credentials, now, wall);
        assert!(held.is_fresh(now + hour * 79 / 100));
        assert!(!held.is_fresh(now + hour * 81 / 100));
        assert!(held.is_valid(now + hour * 99 / 100));
        assert!(!held.is_valid(now + hour));
    }

    #[test]
    fn keys_without_an_end_are_not_renewed() {
        let held = Held::new(Credentials::new("id", "key", None, None, "test"), Instant::now(), SystemTime::now());
        assert!(held.is_fresh(Instant::now() + Duration::from_secs(1_000_000)));
    }
}
