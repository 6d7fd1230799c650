//! The driver: the only async code in the core. It provides facts to the flows and proves their writes.

mod applications;
mod authorize;
mod authorize_answer;
mod bounded;
mod builder;
mod calls;
mod check;
mod client_auth;
mod client_changes;
mod client_macs;
mod client_secrets;
mod config_error;
mod cursor;
mod device;
mod dpop;
mod endpoint;
mod error_page;
mod exchange;
mod extension;
mod guard;
mod host_error;
mod introspect;
mod jwks;
mod limit;
mod lineage;
mod logout;
mod manage;
mod mutual_tls;
#[cfg(feature = "openid")]
mod openid;
mod process;
mod profile;
mod protect;
mod provider;
mod pushed;
mod ready;
mod registration;
mod remembered_consent;
mod repeats;
mod request_objects;
mod resource_owner;
mod revoke;
mod revoke_all;
mod setup;
mod signed;
mod signed_answers;
mod single_use;
mod sweep;
mod sweep_clients;
mod token;
mod turns;
mod undelivered;
mod userinfo;
mod validate;

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

pub use applications::Application;
pub use authorize::{Authorization, Consent, LoginRequired, ShowLogin, SignedIn};
pub use builder::{
    AuthorizationServerBuilder, Backend, Clients, HasClients, HasStore, NoClients, NoStore, Store,
};
pub use config_error::{ConfigError, ConfigErrors};
pub use cursor::Cursor;
pub use device::{DeviceConsent, DeviceRequest};
pub use endpoint::Endpoints;
pub use error_page::ErrorPage;
pub use exchange::ExchangePolicy;
pub use extension::ExtensionGrant;
use extension::Extensions;
pub use host_error::HostError;
pub use limit::{Attempt, RateLimiter, Throttled};
pub use logout::{EndedSession, Logout, LogoutEnd, LogoutQuestion, LogoutStep, Sessions, SignedOut};
pub use manage::Grants;
pub use remembered_consent::Unasked;
pub use resource_owner::ResourceOwner;

use crate::audit::{Audit, Endpoint, Event, EventKind};
use crate::base::{Clock, Entropy, Secret};
use crate::client::auth::Evidence;
use crate::client::{ClientId, ClientRegistry, ClientSignatures, Registrar, SealedSecrets, SlowHash};
use crate::documents::Documents;
use crate::error::{Reason, Refusal};
use crate::grant::{Grant, GrantId, Subject};
use crate::http::{Request, Response};
use crate::issuance::Rules;
use crate::openid::ClaimsSource;
use crate::registration::Registration;
use crate::resource::Guard;
use crate::signing::{AccessTokenClaims, TokenSigner};
use crate::store::TokenStore;
use crate::trust::Dpop;
use logout::SessionChannels;
use mutual_tls::MutualTls;
use process::ProcessState;
use single_use::SingleUse;

/// An authorization server: rules, and the host's parts behind traits. Cheap to clone, without type
/// parameters, so it drops into any framework's state.
///
/// Dropping any of its futures at any await loses nothing: everything that matters is one conditional write,
/// and a client that lost its response may ask again.
///
/// ```
/// use grantor::http::Request;
/// use grantor::{AuthorizationServer, Client, GrantType, MemoryRegistry, MemoryStore};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let robot = Client::builder("robot").secret("sesame").grant_types([GrantType::ClientCredentials]).build()?;
/// let server = AuthorizationServer::builder("https://as.example")
///     .clients(MemoryRegistry::new([robot]))
///     .store(MemoryStore::new())
///     .scopes(["read"])
///     .build()?;
/// let request = Request::post_form("grant_type=client_credentials&scope=read")
///     .header("authorization", "Basic cm9ib3Q6c2VzYW1l");
/// let response = server.token(&request).await;
/// assert_eq!(response.status, 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AuthorizationServer {
    inner: Arc<Inner>,
}

struct Inner {
    rules: Rules,
    endpoints: Endpoints,
    /// The path of the issuer, without a slash at its end.
    issuer_path: Box<str>,
    clients: Arc<dyn ClientRegistry>,
    registrar: Option<Arc<dyn Registrar>>,
    documents: Option<Box<Documents>>,
    store: Arc<dyn TokenStore>,
    owner: Option<Arc<dyn ResourceOwner>>,
    exchange: Option<Arc<dyn ExchangePolicy>>,
    extensions: Extensions,
    one_time: SingleUse,
    slow_hash: Option<Arc<dyn SlowHash>>,
    client_signatures: Option<Arc<dyn ClientSignatures>>,
    sealed_secrets: Option<Arc<dyn SealedSecrets>>,
    mutual_tls: Option<Box<MutualTls>>,
    signer: Option<Arc<dyn TokenSigner>>,
    access_token_claims: Option<Arc<dyn AccessTokenClaims>>,
    dpop: Option<Box<Dpop>>,
    claims: Option<Arc<dyn ClaimsSource>>,
    session_channels: Option<Box<SessionChannels>>,
    /// The guard of the UserInfo endpoint, once it has been used.
    userinfo: OnceLock<Option<Guard>>,
    audit: Option<Arc<dyn Audit>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// The key that authenticates cursors.
    cursor_key: Secret,
    registration: Option<Box<Registration>>,
    process: OnceLock<Box<ProcessState>>,
}

impl AuthorizationServer {
    /// Starts to configure a server. The issuer is its https URL, without query or fragment; clients find
    /// its metadata by it and compare it with every answer.
    pub fn builder(issuer: impl Into<String>) -> AuthorizationServerBuilder<NoClients, NoStore> {
        AuthorizationServerBuilder::new(issuer.into())
    }

    /// The rules of this server.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.inner.rules
    }

    /// Where its endpoints are, relative to the issuer.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.inner.endpoints
    }

    fn audit(&self, what: EventKind, endpoint: Endpoint, about: EventSubject<'_>) {
        if let Some(audit) = &self.inner.audit {
            let EventSubject { client, grant, subject, peer, first_peer, cause } = about;
            audit.record(&Event { what, endpoint, client, grant, subject, peer, first_peer, cause });
        }
    }

    /// The response to a refused request; also audits it.
    fn refuse(&self, refusal: Refusal, endpoint: Endpoint, about: EventSubject<'_>) -> Response {
        let reason = refusal.reason();
        let what =
            if is_own_failure(reason) { EventKind::Failed(reason) } else { EventKind::Refused(reason) };
        self.audit(what, endpoint, about.cause(refusal.cause()));
        refusal.into_response()
    }

    /// Like [`refuse`](Self::refuse), but returns a page for the user.
    fn refuse_page(&self, refusal: Refusal, endpoint: Endpoint, about: EventSubject<'_>) -> ErrorPage {
        let page = ErrorPage::from(&refusal);
        let _ = self.refuse(refusal, endpoint, about);
        page
    }

    /// Like [`refuse`](Self::refuse), for endpoints with client authentication. A request without credentials
    /// gets no `Basic` challenge, on which a browser would ask its user for a password. Only the request
    /// decides, so the response does not reveal which clients exist.
    fn refuse_client(
        &self,
        refusal: Refusal,
        endpoint: Endpoint,
        request: &Request,
        (client, evidence): (&ClientId, Evidence),
    ) -> Response {
        let response = self.refuse(refusal, endpoint, EventSubject::client(client).peer(request.peer));
        match evidence {
            Evidence::Nothing | Evidence::Proof => response.without("www-authenticate"),
            Evidence::Short | Evidence::Long => response,
        }
    }

    /// Like [`refuse_client`](Self::refuse_client), for a request whose form cannot be read.
    fn refuse_unread(&self, refusal: Refusal, endpoint: Endpoint, request: &Request) -> Response {
        let response = self.refuse(refusal, endpoint, EventSubject::default().peer(request.peer));
        match request.headers.all("authorization").next() {
            Some(_) => response,
            None => response.without("www-authenticate"),
        }
    }
}

/// What an event is about.
#[derive(Clone, Copy, Default)]
struct EventSubject<'a> {
    client: Option<&'a ClientId>,
    grant: Option<GrantId>,
    subject: Option<&'a Subject>,
    peer: Option<IpAddr>,
    first_peer: Option<IpAddr>,
    cause: Option<&'a (dyn Error + Send + Sync + 'static)>,
}

impl<'a> EventSubject<'a> {
    fn client(client: &'a ClientId) -> Self {
        Self { client: Some(client), ..Self::default() }
    }

    fn grant(self, grant: GrantId) -> Self {
        Self { grant: Some(grant), ..self }
    }

    fn peer(self, peer: Option<IpAddr>) -> Self {
        Self { peer, ..self }
    }

    fn cause<E: Error + Send + Sync + 'static>(self, cause: Option<&'a E>) -> Self {
        Self { cause: cause.map(|cause| cause as _), ..self }
    }

    /// The grant with its client and its user.
    fn of(grant: &'a Grant) -> Self {
        let (client, subject) = (Some(grant.client()), Some(grant.subject()));
        Self { client, grant: Some(grant.id()), subject, ..Self::default() }
    }
}

/// Whether this server or a part of the host failed. A failure to fetch a client's metadata document is not
/// one: a stranger chose the URL.
fn is_own_failure(reason: Reason) -> bool {
    let of_a_stranger = matches!(
        reason,
        Reason::DocumentUnreachable
            | Reason::DocumentTimeout
            | Reason::DocumentServerFailed
            | Reason::DocumentsBusy
    );
    matches!(reason.status(), 500 | 503) && !of_a_stranger
}

impl fmt::Debug for AuthorizationServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuer = &self.inner.rules.issuer;
        f.debug_struct("AuthorizationServer").field("issuer", issuer).finish_non_exhaustive()
    }
}
