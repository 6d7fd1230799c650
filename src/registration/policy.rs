//! The host's policy for registrations.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::base::{Scope, SecretText};
use crate::client::{Client, ClientMetadata, GrantType};
use crate::store::BackendError;

/// Decides who may register what.
///
/// Everything in the [`Applicant`] except `peer` and `current` is untrusted, unless `is_attested`. A wrong
/// `Allow` lets a program with any name ask your users for consent; it never gets more than the terms allow.
#[async_trait]
pub trait RegistrationPolicy: Send + Sync {
    /// Called before a client is registered, and before it changes itself.
    ///
    /// # Errors
    /// The decision cannot be made: 503 or 500 ([`BackendError`]), and nothing is registered.
    async fn review(&self, applicant: &Applicant<'_>) -> Result<Review, BackendError>;
}

#[async_trait]
impl<T: RegistrationPolicy + ?Sized> RegistrationPolicy for Arc<T> {
    async fn review(&self, applicant: &Applicant<'_>) -> Result<Review, BackendError> {
        (**self).review(applicant).await
    }
}

/// Who wants to register, and what.
#[derive(Debug)]
#[non_exhaustive]
pub struct Applicant<'a> {
    /// What the client requests, well-formed but not yet limited by the terms.
    pub metadata: &'a ClientMetadata,
    /// The initial access token, if one was presented; compare it in constant time. `None` for a change.
    pub token: Option<&'a SecretText>,
    /// See [`Request::peer`](crate::Request::peer).
    pub peer: Option<IpAddr>,
    /// Whether a software statement of a trusted issuer vouches for it.
    pub is_attested: bool,
    /// The current client, for a change with its registration access token (RFC 7592).
    pub current: Option<&'a Client>,
}

/// The host's decision.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Review {
    /// Allowed, within these limits and those of the terms.
    Allow(Allowance),
    /// Refused: 403.
    Refuse,
    /// The initial access token is missing or wrong: 401.
    RefuseToken,
}

/// Limits of one client, in addition to those of the terms.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Allowance {
    pub(crate) scope: Option<Scope>,
    pub(crate) grant_types: Option<Vec<GrantType>>,
    pub(crate) expires: Option<DateTime<Utc>>,
    pub(crate) owner: Option<String>,
}

impl Allowance {
    /// Everything that the terms allow.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Limits the client to this scope.
    #[must_use]
    pub fn scope(self, scope: Scope) -> Self {
        Self { scope: Some(scope), ..self }
    }

    /// Limits the client to these grant types.
    #[must_use]
    pub fn grant_types(self, types: impl IntoIterator<Item = GrantType>) -> Self {
        Self { grant_types: Some(types.into_iter().collect()), ..self }
    }

    /// Who owns the client, as the host names them; see
    /// [`ClientBuilder::owner`](crate::ClientBuilder::owner). A change keeps the owner.
    #[must_use]
    pub fn owner(self, owner: impl Into<String>) -> Self {
        Self { owner: Some(owner.into()), ..self }
    }

    /// Sets when the registration expires; after that, the client is no longer served. A change for which
    /// this is not called keeps the time.
    #[must_use]
    pub fn expires(self, at: DateTime<Utc>) -> Self {
        Self { expires: Some(at), ..self }
    }
}
