//! [`Entitlement`] and [`Denial`]: the host's answer to a request of its own grant type.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::ExtensionTerms;
use super::new_grant::Entitled;
use crate::base::time::end_of_time;
use crate::base::{ResourceId, ResourceIndicators, Scope, after};
use crate::client::{Client, GrantType};
use crate::error::{ExtensionRefusal, Fault, Reason, Refusal};
use crate::flow::AccountStatus;
use crate::grant::{Authentication, Subject};
use crate::issuance::Limits;
use crate::openid::can_be_subject;
use crate::store::{BackendError, ReplayKey};

/// The subject of the tokens, and the most that they may permit.
///
/// All of it is a ceiling. The tokens have the scope that is in the entitlement, in the client's registration
/// and in the request. There are no tokens for a resource that the server does not know, or for a user whose
/// [account is blocked](crate::ResourceOwner::account_status).
///
/// ```
/// use grantor::Scope;
/// use grantor::flow::token::Entitlement;
/// let entitlement = Entitlement::user("alice", Scope::parse("read")?);
/// # Ok::<(), grantor::ValueError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Entitlement {
    holder: Holder,
    scope: Scope,
    resources: Option<Vec<ResourceId>>,
    authentication: Option<Authentication>,
    lifetime: Option<Duration>,
    wants_refresh: bool,
    once: Option<(ReplayKey, DateTime<Utc>)>,
}

#[derive(Clone, Debug)]
enum Holder {
    User(Arc<str>),
    Client,
}

impl Entitlement {
    /// A user, by the host's own stable identifier. The tokens act for this user. An empty identifier is a
    /// mistake of the host: the response is 500.
    pub fn user(user: impl Into<Arc<str>>, scope: Scope) -> Self {
        Self::of(Holder::User(user.into()), scope)
    }

    /// The client itself, which must be authenticated; it never gets a refresh token.
    pub fn client(scope: Scope) -> Self {
        Self::of(Holder::Client, scope)
    }

    fn of(holder: Holder, scope: Scope) -> Self {
        let (resources, authentication, lifetime, once) = (None, None, None, None);
        Self { holder, scope, resources, authentication, lifetime, wants_refresh: false, once }
    }

    /// Limits the tokens to these resources, which the server has to know; by default any. If there is only
    /// one, a request need not name it.
    pub fn resources(self, resources: impl IntoIterator<Item = ResourceId>) -> Self {
        Self { resources: Some(resources.into_iter().collect()), ..self }
    }

    /// How and when the user authenticated (`auth_time`, `acr`).
    pub fn authenticated(self, auth_time: DateTime<Utc>, acr: Option<String>) -> Self {
        let acr = acr.map(String::into_boxed_str);
        Self { authentication: Some(Authentication { auth_time, acr }), ..self }
    }

    /// Limits the lifetime of the grant; by default that of the server's policy applies. Less than a second
    /// means that the entitlement is over, and the response is `invalid_grant`.
    pub fn lifetime(self, longest: Duration) -> Self {
        Self { lifetime: Some(longest), ..self }
    }

    /// Adds a refresh token, if the [terms](ExtensionTerms::refresh_tokens) allow it; by default there is
    /// none.
    pub fn with_refresh_token(self) -> Self {
        Self { wants_refresh: true, ..self }
    }

    /// The presented credential is single-use: `id` is unique in `space`, for example the number of a voucher
    /// in its series.
    ///
    /// The server marks it as used last, right before the tokens are written: a refused request uses up
    /// nothing, and of several concurrent ones one wins. From `until` on, the host itself must refuse it: the
    /// server does not remember it for longer.
    pub fn single_use(self, space: &str, id: &str, until: DateTime<Utc>) -> Self {
        Self { once: Some((ReplayKey::new(space, id), until)), ..self }
    }

    /// The ceiling for the scope.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Narrows the ceiling to this scope.
    pub fn within(self, scope: &Scope) -> Self {
        Self { scope: self.scope.intersection(scope), ..self }
    }

    /// Narrows the ceiling to these resources.
    pub fn within_resources(self, resources: &[ResourceId]) -> Self {
        let resources = match self.resources {
            Some(own) => own.into_iter().filter(|own| resources.contains(own)).collect(),
            None => resources.to_vec(),
        };
        Self { resources: Some(resources), ..self }
    }

    /// Sets how and when the user authenticated, unless it is set already.
    pub fn or_authenticated(self, auth_time: DateTime<Utc>, acr: Option<String>) -> Self {
        let otherwise = Authentication { auth_time, acr: acr.map(String::into_boxed_str) };
        Self { authentication: self.authentication.or(Some(otherwise)), ..self }
    }

    pub(crate) fn subject(&self, client: &Client) -> Subject {
        match &self.holder {
            Holder::User(user) => Subject::User(Arc::clone(user)),
            Holder::Client => client.subject().clone(),
        }
    }

    pub(super) fn bounds(
        self,
        grant_type: &GrantType,
        terms: &ExtensionTerms,
        account_status: AccountStatus,
        now: DateTime<Utc>,
    ) -> Result<(Entitled, Option<Authentication>), Reason> {
        if matches!(&self.holder, Holder::User(user) if !can_be_subject(user, false)) {
            return Err(Reason::SubjectUnfit);
        }
        if self.lifetime.is_some_and(|longest| longest < Duration::from_secs(1)) {
            return Err(Reason::Extension(ExtensionRefusal::GrantInvalid));
        }
        let limits = Limits {
            scope: self.scope,
            resources: self.resources.map(ResourceIndicators::of).transpose()?,
            until: self.lifetime.map_or_else(end_of_time, |longest| after(now, longest)),
            is_refreshable: self.wants_refresh && terms.refresh_tokens,
        };
        // An identifier that one grant type has used is still unused in another.
        let once = self.once.map(|(key, until)| (key.within(grant_type.as_str()), until));
        Ok((Entitled { limits, account_status, once }, self.authentication))
    }
}

/// Why a host's grant type refuses. The client gets the error; the log has the reason.
#[derive(Debug)]
pub struct Denial(Why);

#[derive(Debug)]
enum Why {
    Refused(Reason),
    Failed(BackendError),
}

impl Denial {
    /// `invalid_request`: a parameter is missing or malformed.
    #[must_use]
    pub fn invalid_request() -> Self {
        Self::because(Reason::Extension(ExtensionRefusal::RequestMalformed))
    }

    /// `invalid_grant`: the presented credential is unknown, expired, used, or for another client.
    #[must_use]
    pub fn invalid_grant() -> Self {
        Self::because(Reason::Extension(ExtensionRefusal::GrantInvalid))
    }

    /// `invalid_grant`, and it counts as one of the wrong secrets that an address may send in a minute
    /// ([`Policy::secret_failures_per_minute`](crate::Policy)): for what could be guessed.
    #[must_use]
    pub fn wrong_secret() -> Self {
        Self::because(Reason::Extension(ExtensionRefusal::SecretWrong))
    }

    /// `invalid_grant`: the user must first consent on a page, with another grant type.
    #[must_use]
    pub fn consent_missing() -> Self {
        Self::because(Reason::Extension(ExtensionRefusal::ConsentMissing))
    }

    /// `unauthorized_client`: not for this client.
    #[must_use]
    pub fn unauthorized_client() -> Self {
        Self::because(Reason::Extension(ExtensionRefusal::ClientRefused))
    }

    /// `invalid_scope`: not this scope.
    #[must_use]
    pub fn invalid_scope() -> Self {
        Self::because(Reason::Extension(ExtensionRefusal::ScopeRefused))
    }

    /// `invalid_target`: not this resource (RFC 8707 section 2).
    #[must_use]
    pub fn invalid_target() -> Self {
        Self::because(Reason::Extension(ExtensionRefusal::TargetRefused))
    }

    pub(crate) fn because(reason: Reason) -> Self {
        Self(Why::Refused(reason))
    }
}

/// The check failed: 503.
impl From<BackendError> for Denial {
    fn from(error: BackendError) -> Self {
        Self(Why::Failed(error))
    }
}

impl From<Denial> for Refusal {
    fn from(Denial(why): Denial) -> Self {
        match why {
            Why::Refused(reason) => reason.into(),
            Why::Failed(error) => Fault::from(error).into(),
        }
    }
}
