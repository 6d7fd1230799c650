//! [`Client`]: an application that asks for tokens, in the terms of RFC 7591.

pub(crate) mod auth;
mod builder;
mod certificate;
#[cfg(feature = "mtls")]
mod certificate_keys;
mod client_error;
mod codec;
mod copies;
pub(crate) mod document_url;
mod file;
mod grant_type;
mod identity;
#[cfg(feature = "jwt")]
mod jwts;
mod keys;
mod listing;
mod logout;
mod metadata;
mod name;
mod profile;
mod profile_check;
mod registration;
mod registry;
mod request_objects;
mod response_mode;
mod response_type;
mod sealed;
pub(crate) mod sector;
mod state;
#[cfg(feature = "mtls")]
mod x509;

#[cfg(feature = "argon2")]
pub mod argon2;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use auth::SlowHash;
pub use builder::ClientBuilder;
pub use certificate::{
    CertificateSubject, CertificateSubjectError, ClientCertificates, ExpectedCertificate, ShownCertificate,
};
pub use client_error::{ClientError, ClientErrors};
pub use codec::ClientDecodeError;
pub(crate) use document_url::DocumentUrl;
pub use file::{FileRegistry, FileRegistryError};
pub use grant_type::{ExtensionUri, GrantType, NotAGrantType};
pub(crate) use identity::Identity;
#[cfg(feature = "jwt")]
pub use jwts::ClientJwts;
pub use keys::{ClaimsMissing, ClientKeySet, ClientKeys, ClientKeysError, ClientSignatures, SignedText};
pub use listing::{ClientListing, ClientPage};
pub use logout::LogoutUriError;
pub(crate) use logout::LogoutUris;
pub use metadata::ClientMetadata;
pub(crate) use metadata::MAX_URI;
pub use name::is_readable_name;
pub(crate) use profile::Switches;
pub use profile::{MessageSigning, Profile};
pub use profile_check::ProfileMismatch;
pub use registration::Registered;
pub use registry::{ClientRegistry, MemoryRegistry, Registrar, RegistryError, Replacement};
pub use request_objects::RequestObjects;
pub(crate) use response_mode::Place;
pub use response_mode::ResponseMode;
pub use response_type::{NotAResponseType, ResponseType};
pub(crate) use sealed::MIN_MAC_SECRET;
pub use sealed::{SealedSecretError, SealedSecrets};
pub use sector::SubjectIdentifierType;
pub use state::ClientState;
pub(crate) use state::SelfRegistration;
#[cfg(feature = "mtls")]
pub use x509::X509Certificates;

pub use crate::base::ClientId;
use crate::base::redirect_uri::RedirectUri;
use crate::base::{Digest, Parties, Scope, SecretText, Subject, after};
use crate::error::BackendError;
use crate::outbound::ChosenBy;

/// How a client authenticates (`token_endpoint_auth_method` of RFC 7591 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuthMethod {
    /// Not at all: a public client.
    None,
    /// HTTP Basic (RFC 6749 section 2.3.1).
    ClientSecretBasic,
    /// `client_id` and `client_secret` in the body.
    ClientSecretPost,
    /// A JWT in the body with a MAC by the secret (OpenID Connect Core section 9). The server needs
    /// [`SealedSecrets`].
    ClientSecretJwt,
    /// A signed JWT in the body (RFC 7523, OpenID Connect Core section 9).
    PrivateKeyJwt,
    /// A client certificate from a certificate authority, identified by one name in it (RFC 8705 section
    /// 2.1).
    TlsClientAuth,
    /// A client certificate with a key that the client registered (RFC 8705 section 2.2).
    SelfSignedTlsClientAuth,
}

impl AuthMethod {
    /// The name in metadata.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::ClientSecretJwt => "client_secret_jwt",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::TlsClientAuth => "tls_client_auth",
            Self::SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
        }
    }
}

/// Where a client runs (`application_type`, OpenID Connect Registration section 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ApplicationType {
    /// On a server, or in a browser.
    #[default]
    Web,
    /// On the user's device, where the user can read any secret (OAuth 2.1 section 8.1).
    Native,
}

/// A registered client. Made by [`Client::builder`], which checks that its parts are consistent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub(crate) identity: Identity,
    pub(crate) metadata: ClientMetadata,
    pub(crate) redirect_uris: Box<[RedirectUri]>,
    pub(crate) auth_method: AuthMethod,
    pub(crate) secrets: Vec<ClientSecret>,
    pub(crate) keys: Option<Arc<ClientKeys>>,
    pub(crate) issued: Option<DateTime<Utc>>,
    pub(crate) revision: u64,
    pub(crate) state: ClientState,
    pub(crate) self_registration: Option<Box<SelfRegistration>>,
    pub(crate) owner: Option<String>,
    /// The sector of a client with pairwise identifiers; computed once, because every token needs it.
    pub(crate) sector: Option<Arc<str>>,
    /// Whether it was made from a metadata document; such a client is never stored.
    pub(crate) of_document: bool,
}

impl Client {
    /// A client with this id.
    pub fn builder(id: impl Into<Arc<str>>) -> ClientBuilder {
        ClientBuilder::new(Some(ClientId::new(id)))
    }

    /// A client whose id and secret the server will generate: see
    /// [`AuthorizationServer::register`](crate::AuthorizationServer::register).
    pub fn application() -> ClientBuilder {
        ClientBuilder::new(None)
    }

    /// `client_id`
    #[must_use]
    pub fn id(&self) -> &ClientId {
        &self.identity.id
    }

    /// The client as the subject of its own tokens.
    pub(crate) fn subject(&self) -> &Subject {
        &self.identity.own.subject
    }

    /// The parties of the grants that it has for itself.
    pub(crate) fn parties(&self) -> &Arc<Parties> {
        &self.identity.own
    }

    /// `client_name`, for people; it is what the developer claims.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.metadata.client_name.as_deref()
    }

    /// Everything that was registered.
    #[must_use]
    pub fn metadata(&self) -> &ClientMetadata {
        &self.metadata
    }

    /// `redirect_uris`
    #[must_use]
    pub fn redirect_uris(&self) -> &[RedirectUri] {
        &self.redirect_uris
    }

    /// `grant_types`
    #[must_use]
    pub fn grant_types(&self) -> &[GrantType] {
        self.metadata.grant_types()
    }

    /// `response_types`
    #[must_use]
    pub fn response_types(&self) -> &[ResponseType] {
        self.metadata.response_types()
    }

    /// `scope`: everything that it may request; `None` is all that the server knows.
    #[must_use]
    pub fn scope(&self) -> Option<&Scope> {
        self.metadata.scope.as_ref()
    }

    /// `token_endpoint_auth_method`
    #[must_use]
    pub fn auth_method(&self) -> AuthMethod {
        self.auth_method
    }

    /// The public keys that it registered.
    #[must_use]
    pub fn keys(&self) -> Option<&ClientKeys> {
        self.keys.as_deref()
    }

    /// When it was registered (`client_id_issued_at`).
    #[must_use]
    pub fn issued(&self) -> Option<DateTime<Utc>> {
        self.issued
    }

    /// How often it was changed; a [`Registrar`] stores a change if this is still what the change expects.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether it is served.
    #[must_use]
    pub fn state(&self) -> ClientState {
        self.state
    }

    /// Changes the state of the client.
    #[must_use]
    pub fn in_state(self, state: ClientState) -> Self {
        Self { state, ..self }
    }

    /// Adds a secret, and lets the others expire after `overlap`.
    pub(crate) fn with_new_secret(
        mut self,
        secret: ClientSecret,
        now: DateTime<Utc>,
        overlap: Duration,
    ) -> Self {
        let ends = after(now, overlap);
        self.secrets.retain_mut(|former| {
            former.expires = Some(former.expires.map_or(ends, |expires| expires.min(ends)));
            former.is_live(now)
        });
        self.secrets.push(secret);
        self
    }

    /// Whether it registered itself (RFC 7591): its name, its logo and everything else that it says about
    /// itself is then unverified, and a consent page should say so.
    #[must_use]
    pub fn is_self_registered(&self) -> bool {
        self.self_registration.is_some()
    }

    /// Whether its metadata come from outside: it registered itself, or has a metadata document.
    pub(crate) fn is_stranger(&self) -> bool {
        self.is_self_registered() || self.of_document
    }

    /// Who chose its URLs.
    pub(crate) fn urls_chosen_by(&self) -> ChosenBy {
        match &self.owner {
            _ if self.is_stranger() => ChosenBy::Client,
            Some(_) => ChosenBy::Developer,
            None => ChosenBy::Host,
        }
    }

    /// The host of its metadata document, if its id is the URL of one
    /// ([`MetadataDocuments`](crate::documents::MetadataDocuments)). It is the only verified fact about such
    /// a client, so a consent page shows it; the name and the logo are unverified.
    #[must_use]
    pub fn document_host(&self) -> Option<&str> {
        self.of_document.then(|| DocumentUrl::parse(self.id()).ok()).flatten().map(DocumentUrl::host)
    }

    /// Whether all its redirect URIs lead to the user's own device. Any program there can then impersonate
    /// this client, regardless of its name and host, so a consent page should warn (RFC 8252 section 8.6).
    #[must_use]
    pub fn is_local_only(&self) -> bool {
        !self.redirect_uris.is_empty() && self.redirect_uris.iter().all(RedirectUri::is_local)
    }

    pub(crate) fn of_document(self) -> Self {
        Self { of_document: true, ..self }
    }

    /// Whether it is served: it is active, and its registration has not expired.
    #[must_use]
    pub fn is_served(&self, now: DateTime<Utc>) -> bool {
        self.is_served_at(|| now)
    }

    /// Most registrations do not expire, so the clock is not read for them.
    pub(crate) fn is_served_at(&self, now: impl FnOnce() -> DateTime<Utc>) -> bool {
        let expires = self.self_registration.as_ref().and_then(|own| own.expires);
        self.state == ClientState::Active && expires.is_none_or(|until| now() < until)
    }

    /// Who owns the client, as the host names them. No request can set it, and no response shows it.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Whether it is confidential (RFC 6749 section 2.1). The user of a native application can read its
    /// secret, so it is public, regardless of what it sends.
    #[must_use]
    pub fn is_confidential(&self) -> bool {
        self.auth_method != AuthMethod::None && self.application_type() != ApplicationType::Native
    }

    /// `application_type`
    #[must_use]
    pub fn application_type(&self) -> ApplicationType {
        self.metadata.application_type.unwrap_or_default()
    }

    /// Whether it may use this grant type.
    #[must_use]
    pub fn allows(&self, grant_type: &GrantType) -> bool {
        self.grant_types().contains(grant_type)
    }

    /// Whether each use of a refresh token replaces it: always for public clients, whose tokens anyone who
    /// finds them can use (RFC 9700 section 4.14.2).
    #[must_use]
    pub fn rotates_refresh(&self) -> bool {
        !self.is_confidential() || self.metadata.rotate_refresh_tokens.unwrap_or(false)
    }

    /// Whether a person chose one of its secrets.
    pub(crate) fn has_chosen_secret(&self) -> bool {
        self.secrets.iter().any(|secret| matches!(secret.hash, SecretHash::Phc(_)))
    }

    /// The secrets that have not expired.
    pub(crate) fn live_secrets(&self, now: DateTime<Utc>) -> Vec<ClientSecret> {
        let live = self.secrets.iter().filter(|secret| secret.is_live(now));
        live.cloned().collect()
    }

    /// The unexpired sealed secrets, the newest one last.
    pub(crate) fn sealed_secrets(&self, now: DateTime<Utc>) -> Vec<Sealed> {
        let live = self.secrets.iter().filter(|secret| secret.is_live(now));
        live.filter_map(|secret| secret.sealed.clone()).collect()
    }

    /// Whether this is one of its unexpired generated secrets.
    pub(crate) fn has_secret(&self, presented: &SecretText, now: DateTime<Utc>) -> bool {
        let presented = presented.digest();
        let live = self.secrets.iter().filter(|secret| secret.is_live(now));
        live.fold(false, |right, secret| match &secret.hash {
            SecretHash::Sha256(digest) => digest.matches(&presented) | right,
            SecretHash::Phc(_) => right,
        })
    }

    pub(crate) fn requires_pkce(&self) -> bool {
        !self.is_confidential() || self.metadata.require_pkce.unwrap_or(true)
    }

    /// `tls_client_certificate_bound_access_tokens`: whether its tokens work only over connections with its
    /// certificate (RFC 8705 section 3).
    #[must_use]
    pub fn binds_to_certificates(&self) -> bool {
        self.metadata.tls_client_certificate_bound_access_tokens == Some(true)
    }

    pub(crate) fn requires_push(&self) -> bool {
        self.metadata.require_pushed_authorization_requests == Some(true)
    }

    pub(crate) fn requires_signed_requests(&self) -> bool {
        self.metadata.require_signed_request_object == Some(true)
    }

    /// An unregistered redirect URI, for a request of the authenticated client (RFC 9126 section 2.4).
    pub(crate) fn unregistered_redirect_uri(&self, asked: &str) -> Option<RedirectUri> {
        let may = self.metadata.unregistered_redirect_uris == Some(true) && self.is_confidential();
        let uri = RedirectUri::register(asked).ok()?;
        (may && asked.starts_with("https://")).then_some(uri)
    }

    /// Whether each of its access tokens must be bound to a DPoP key.
    pub(crate) fn requires_dpop(&self) -> bool {
        self.metadata.dpop_bound_access_tokens == Some(true)
    }

    /// Its own profile, in addition to the server's.
    #[must_use]
    pub fn profile(&self) -> Option<Profile> {
        self.metadata.profile
    }

    /// The registered redirect URI that matches the requested one.
    pub(crate) fn redirect_uri(&self, asked: &str, profile: Profile) -> Option<RedirectUri> {
        let any_port = self.metadata.localhost_any_port.unwrap_or(profile.switches().localhost_any_port);
        let mut covering = self.redirect_uris.iter();
        covering.find_map(|registered| registered.covers(asked, any_port))
    }
}

/// One of a client's secrets; several may be valid at once, so a secret can be replaced without downtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSecret {
    pub(crate) hash: SecretHash,
    /// The secret itself, sealed by the host, if it is used for MACs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sealed: Option<Sealed>,
    /// `client_secret_expires_at`; `None` is never.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "chrono::serde::ts_seconds_option")]
    pub(crate) expires: Option<DateTime<Utc>>,
}

impl ClientSecret {
    /// A secret, stored as a digest and, if there is a host to seal it, in sealed form, too.
    pub(crate) fn new(secret: &SecretText, host: Option<&dyn SealedSecrets>) -> Result<Self, BackendError> {
        let sealed = host.map(|host| host.seal(secret).map(Sealed)).transpose()?;
        Ok(Self { hash: SecretHash::Sha256(secret.digest()), sealed, expires: None })
    }

    pub(crate) fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.expires.is_none_or(|until| now < until)
    }
}

/// The stored form of a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SecretHash {
    /// For a generated secret: it has 256 bits, so it needs no slow hash.
    Sha256(Digest),
    /// For a secret that a person chose: a PHC string, such as Argon2's.
    Phc(String),
}

/// A secret that the host sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Sealed(pub(crate) String);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(..)")
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256(_) => "Sha256(..)",
            Self::Phc(_) => "Phc(..)",
        })
    }
}
