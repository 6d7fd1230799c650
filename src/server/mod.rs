//! The driver: the only async code in the core. It provides facts to the flows and proves their writes.

mod authorize;
mod builder;
mod calls;
mod check;
mod clients;
mod device;
mod dpop;
mod endpoint;
mod error_page;
mod grants;
mod guard;
mod host_error;
mod introspect;
mod jwks;
mod limit;
mod logout;
mod mutual_tls;
mod openid;
mod own_pages;
mod process;
mod protect;
mod ready;
mod refuse;
mod revoke;
mod signed;
mod signed_answers;
mod token;

use std::fmt;
use std::sync::{Arc, OnceLock};

pub use authorize::{Authorization, Consent, LoginRequired, ShowLogin, SignedIn, Unasked};
pub use builder::{
    AuthorizationServerBuilder, Backend, Clients, ConfigError, ConfigErrors, HasClients, HasStore, NoClients,
    NoStore, Store,
};
pub use device::{DeviceConsent, DeviceRequest};
pub use endpoint::Endpoints;
pub use error_page::ErrorPage;
pub use grants::{Application, Cursor, Grants};
pub use host_error::HostError;
pub use limit::{Attempt, RateLimiter, Throttled};
pub use logout::{EndedSession, Logout, LogoutEnd, LogoutQuestion, LogoutStep, Sessions, SignedOut};
pub use own_pages::OwnPages;
use refuse::{EventSubject, is_own_failure};
use token::Extensions;
pub use token::{ExchangePolicy, ExtensionGrant, ResourceOwner};

use crate::audit::Audit;
use crate::base::{Clock, Entropy, Secret};
use crate::client::{ClientRegistry, ClientSignatures, Registrar, SealedSecrets, SlowHash};
use crate::documents::Documents;
use crate::issuance::Rules;
use crate::openid::ClaimsSource;
use crate::registration::Registration;
use crate::resource::Guard;
use crate::signing::{AccessTokenClaims, TokenSigner};
use crate::store::{StoreIdentity, TokenStore};
use crate::trust::Dpop;
use logout::SessionChannels;
use mutual_tls::MutualTls;
use process::{ProcessState, SingleUse};

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
    single_use: SingleUse,
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

    /// Which grants its store has, if the store says.
    pub(crate) fn store_identity(&self) -> Option<StoreIdentity> {
        self.inner.store.identity()
    }

    /// Where its endpoints are, relative to the issuer.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.inner.endpoints
    }
}

impl fmt::Debug for AuthorizationServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuer = &self.inner.rules.issuer;
        f.debug_struct("AuthorizationServer").field("issuer", issuer).finish_non_exhaustive()
    }
}
