//! What this server signs, such as access tokens (RFC 9068), and the signer.
//!
//! The core handles claims, and has no cryptography. A [`TokenSigner`] turns an [`Unsigned`] into a token,
//! and verifies its own access tokens; the feature `jwt` has one with automatic key rotation.

pub use crate::base::{AccessTokens, Algorithm, ResponseAlgorithm, SubjectType};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::{Actor, AuthorizationDetails, ClientId, Confirmation, Scope, Subject};
use crate::error::BackendError;

/// The claims of a signed access token (RFC 9068 section 2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Claims {
    /// The issuer.
    pub iss: String,
    /// The user, or the client itself.
    pub sub: String,
    /// `user` or `client`: grantor's own, so that a client never passes as a user with the same id.
    pub sub_type: SubjectType,
    /// The resource that the token is for.
    pub aud: String,
    /// The client.
    pub client_id: String,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it expires.
    pub exp: i64,
    /// The token's id, for revocation and introspection.
    pub jti: String,
    /// The scope of the token.
    #[serde(default, skip_serializing_if = "Scope::is_empty")]
    pub scope: Scope,
    /// When the user signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// The authentication context class that the sign-in reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// Who acts for the subject (RFC 8693 section 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
    /// Its authorization details (RFC 9396 section 9.1).
    #[serde(default, skip_serializing_if = "AuthorizationDetails::is_empty")]
    pub authorization_details: AuthorizationDetails,
    /// The key that it is bound to (RFC 7800 section 3.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// The host's own claims.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Claims {
    /// The subject of the token.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self.sub_type {
            SubjectType::User => Subject::user(self.sub.as_str()),
            SubjectType::Client => Subject::Client(ClientId::new(self.sub.as_str())),
        }
    }

    pub(crate) const fn subject_kind(&self) -> &'static str {
        match self.sub_type {
            SubjectType::User => "user",
            SubjectType::Client => "client",
        }
    }

    /// When it expires.
    #[must_use]
    pub fn expires(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.exp, 0).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    /// The claims that a host cannot set by [`AccessTokenClaims`].
    pub const RESERVED: &'static [&'static str] = &[
        "iss",
        "sub",
        "sub_type",
        "aud",
        "client_id",
        "iat",
        "exp",
        "nbf",
        "jti",
        "scope",
        "auth_time",
        "acr",
        "amr",
        "cnf",
        "act",
        "authorization_details",
    ];

    /// The most bytes of all claims of an access token, as JSON. Signed with any key and in base64url, the
    /// token is then at most 8 KiB long, which is the most that introspection, revocation and common HTTP
    /// servers accept.
    pub const MAX_BYTES: usize = 5000;

    /// Whether they are short enough.
    pub(crate) fn fit(&self) -> bool {
        self.are_plainly_short() || serde_json::to_vec(self).is_ok_and(|json| json.len() <= Self::MAX_BYTES)
    }

    /// Whether a look at the lengths is enough, as for most tokens. JSON writes one byte as six at most.
    fn are_plainly_short(&self) -> bool {
        let Self { iss, sub, aud, client_id, jti, scope, acr, .. } = self;
        let texts = iss.len() + sub.len() + aud.len() + client_id.len() + jti.len();
        let texts = texts + scope.as_str().len() + acr.as_deref().map_or(0, str::len);
        let is_plain = self.extra.is_empty() && self.authorization_details.is_empty() && self.act.is_none();
        is_plain && texts * 6 <= Self::MAX_BYTES / 2
    }

    /// Adds the host's own claims. Reserved names are dropped and returned.
    pub(crate) fn add(&mut self, extra: Map<String, Value>) -> DroppedClaims {
        let mut dropped = DroppedClaims::of("AccessTokenClaims");
        for (name, value) in extra {
            match Self::RESERVED.contains(&name.as_str()) {
                true => dropped.names.push(name),
                false => drop(self.extra.insert(name, value)),
            }
        }
        dropped
    }
}

/// The names of claims that the host gave and that only the protocol sets.
#[derive(Debug, thiserror::Error)]
#[error("{part}: the host may not set {}", .names.join(", "))]
pub(crate) struct DroppedClaims {
    /// The trait of the host's part.
    part: &'static str,
    pub(crate) names: Vec<String>,
}

impl DroppedClaims {
    /// None yet.
    pub(crate) fn of(part: &'static str) -> Self {
        Self { part, names: Vec::new() }
    }
}

/// The host's own claims for signed access tokens.
///
/// The returned claims are signed as they are, and every resource server can read them: no secrets. A name in
/// [`Claims::RESERVED`] is dropped, and audited. If all claims together have more than
/// [`Claims::MAX_BYTES`], no token is issued: the response is 500 with
/// [`Reason::AccessTokenTooLong`](crate::Reason::AccessTokenTooLong), and the code or refresh token stays
/// valid.
pub trait AccessTokenClaims: Send + Sync {
    /// The claims to add to this token.
    fn claims(&self, token: &Claims) -> Map<String, Value>;
}

impl<T: AccessTokenClaims + ?Sized> AccessTokenClaims for Arc<T> {
    fn claims(&self, token: &Claims) -> Map<String, Value> {
        (**self).claims(token)
    }
}

/// What is to be signed: data of any type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unsigned {
    /// The `typ` of the header, such as `at+jwt`, so no kind of token can pass as another (RFC 8725 section
    /// 3.11).
    pub typ: &'static str,
    /// The claims: the text of a JSON object.
    pub claims: String,
    /// The algorithm that the recipient expects; `None` is the signer's own choice.
    pub algorithm: Option<Algorithm>,
}

/// The `typ` of access tokens (RFC 9068 section 2.1).
pub(crate) const ACCESS_TOKEN: &str = "at+jwt";

/// Few claims are longer, in bytes.
const USUAL_LENGTH: usize = 512;

impl Unsigned {
    /// Serialises the claims, which have to be a JSON object.
    ///
    /// # Errors
    /// The claims cannot be serialised.
    pub fn new<T: Serialize + ?Sized>(
        typ: &'static str,
        claims: &T,
        algorithm: Option<Algorithm>,
    ) -> Result<Self, BackendError> {
        let mut json = Vec::with_capacity(USUAL_LENGTH);
        serde_json::to_writer(&mut json, claims).map_err(BackendError::permanent)?;
        let claims = String::from_utf8(json).map_err(BackendError::permanent)?;
        Ok(Self { typ, claims, algorithm })
    }
}

/// Signs tokens and responses, and verifies its own access tokens.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `TokenSigner`, so it cannot sign tokens",
    note = "a key or a `Signer` becomes one by `JwtSigner::new(Keys::from_signers(vec![Arc::new(key)])?)?`, with the feature `jwt`"
)]
#[async_trait]
pub trait TokenSigner: Send + Sync {
    /// A JWS of this type (compact serialisation). The claims are this crate's own and are signed as they
    /// are.
    ///
    /// # Errors
    /// The signer cannot be reached, or has no key for the algorithm; the request gets 503 or 500, and
    /// nothing is lost.
    async fn sign(&self, what: &Unsigned, now: DateTime<Utc>) -> Result<String, BackendError>;

    /// The claims of a token that this signer signed; `None` for any other text. The text is untrusted. A
    /// wrong `Some` lets anyone forge tokens. The caller checks expiry and audience.
    ///
    /// # Errors
    /// The keys cannot be had: 503, which says nothing about the token.
    async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Option<Claims>, BackendError>;

    /// The claims, as the text of a JSON object, of any token with this `typ` that this signer signed,
    /// regardless of its age, if it still knows the key; `None` for any other text. The text is untrusted. A
    /// wrong `Some` lets anyone pass for a client's user at a logout. The caller checks all claims.
    ///
    /// By default it verifies none, and every `id_token_hint` is refused.
    ///
    /// # Errors
    /// As for [`verify`](Self::verify).
    async fn recognize(
        &self,
        token: &str,
        typ: &'static str,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, BackendError> {
        let _ = (token, typ, now);
        Ok(None)
    }

    /// The algorithms that can be requested, the default one first. By default none.
    fn algorithms(&self) -> Vec<Algorithm> {
        Vec::new()
    }

    /// The public keys as a JWK set (RFC 7517 section 5).
    ///
    /// # Errors
    /// The keys cannot be had: the endpoint answers 503.
    async fn jwks(&self, now: DateTime<Utc>) -> Result<Vec<u8>, BackendError>;

    /// The longest token lifetime for which the key stays published; `None` is unlimited.
    fn longest_lifetime(&self) -> Option<Duration> {
        None
    }
}

#[async_trait]
impl<T: TokenSigner + ?Sized> TokenSigner for Arc<T> {
    async fn sign(&self, what: &Unsigned, now: DateTime<Utc>) -> Result<String, BackendError> {
        (**self).sign(what, now).await
    }

    fn algorithms(&self) -> Vec<Algorithm> {
        (**self).algorithms()
    }

    async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Option<Claims>, BackendError> {
        (**self).verify(token, now).await
    }

    async fn recognize(
        &self,
        token: &str,
        typ: &'static str,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, BackendError> {
        (**self).recognize(token, typ, now).await
    }

    async fn jwks(&self, now: DateTime<Utc>) -> Result<Vec<u8>, BackendError> {
        (**self).jwks(now).await
    }

    fn longest_lifetime(&self) -> Option<Duration> {
        (**self).longest_lifetime()
    }
}
