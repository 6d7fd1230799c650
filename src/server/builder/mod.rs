//! [`AuthorizationServerBuilder`]: how a host configures a server.

mod config_error;
mod profile;
mod setup;
mod validate;

use std::fmt;
use std::sync::Arc;

use super::{AuthorizationServer, ExchangePolicy, ResourceOwner};
use crate::audit::{Audit, Endpoint};
use crate::base::{Clock, Entropy, Secret};
use crate::client::{
    ClientId, ClientRegistry, ClientSignatures, Profile, Registrar, SealedSecrets, SlowHash,
};
use crate::documents::MetadataDocuments;
use crate::issuance::{DetailType, Policy, Resource};
use crate::registration::Registration;
use crate::signing::{AccessTokenClaims, AccessTokens, TokenSigner};
use crate::store::{ReplayGuard, TokenStore};
pub use config_error::{ConfigError, ConfigErrors};
pub(super) use setup::Options;

/// Configures an [`AuthorizationServer`].
///
/// Two parts have no default: the registry of clients ([`clients`](Self::clients)) and the store of grants
/// ([`store`](Self::store)). Give both, or one [`backend`](Self::backend) that is both, in any order; without
/// them [`build`](Self::build) does not compile:
///
/// ```compile_fail,E0277
/// use grantor::{AuthorizationServer, MemoryStore};
///
/// AuthorizationServer::builder("https://as.example").store(MemoryStore::new()).build(); // call `.clients(…)`
/// ```
///
/// ```compile_fail,E0277
/// use grantor::{AuthorizationServer, MemoryRegistry};
///
/// AuthorizationServer::builder("https://as.example").clients(MemoryRegistry::default()).build(); // call `.store(…)`
/// ```
///
/// Each type parameter says whether its part was given. A function that takes a builder with both parts can
/// leave out the type parameters.
#[must_use]
pub struct AuthorizationServerBuilder<C = Clients, S = Store> {
    pub(super) options: Options,
    clients: C,
    store: S,
}

/// Marks a builder with a registry of clients.
pub struct Clients(Arc<dyn ClientRegistry>);

/// A builder without a registry of clients.
#[derive(Debug)]
pub struct NoClients(());

/// Marks a builder with a store of grants.
pub struct Store(Arc<dyn TokenStore>);

/// A builder without a store of grants.
#[derive(Debug)]
pub struct NoStore(());

/// Holds for a builder that has its registry of clients. Nothing else can implement it.
#[diagnostic::on_unimplemented(
    message = "the server has no registry of clients",
    label = "call `.clients(…)` or `.backend(…)` before `.build()`"
)]
pub trait HasClients: sealed::HasClients {}

/// Holds for a builder that has its store of grants. Nothing else can implement it.
#[diagnostic::on_unimplemented(
    message = "the server has no store of grants",
    label = "call `.store(…)` or `.backend(…)` before `.build()`"
)]
pub trait HasStore: sealed::HasStore {}

impl HasClients for Clients {}
impl HasStore for Store {}

mod sealed {
    use std::sync::Arc;

    use crate::client::ClientRegistry;
    use crate::store::TokenStore;

    pub trait HasClients {
        fn registry(self) -> Arc<dyn ClientRegistry>;
    }

    pub trait HasStore {
        fn grants(self) -> Arc<dyn TokenStore>;
    }

    impl HasClients for super::Clients {
        fn registry(self) -> Arc<dyn ClientRegistry> {
            self.0
        }
    }

    impl HasStore for super::Store {
        fn grants(self) -> Arc<dyn TokenStore> {
            self.0
        }
    }
}

/// One place for everything that a server keeps: clients, grants and single-use identifiers. Each durable
/// store of this crate is one, and so is any type that implements the four traits.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not keep clients, grants and single-use identifiers together",
    note = "if it still has to be opened or connected, like `SqliteStore::open(…)`, add `.await?`; if it keeps only grants, call `store`"
)]
pub trait Backend: Registrar + TokenStore + ReplayGuard {}

impl<T: Registrar + TokenStore + ReplayGuard + ?Sized> Backend for T {}

impl AuthorizationServerBuilder<NoClients, NoStore> {
    pub(super) fn new(issuer: String) -> Self {
        Self { options: Options::new(issuer), clients: NoClients(()), store: NoStore(()) }
    }
}

impl<C, S> AuthorizationServerBuilder<C, S> {
    /// Where clients are looked up. Required.
    pub fn clients(self, clients: impl ClientRegistry + 'static) -> AuthorizationServerBuilder<Clients, S> {
        let Self { options, store, .. } = self;
        AuthorizationServerBuilder { options, clients: Clients(Arc::new(clients)), store }
    }

    /// Where grants are kept. Required.
    pub fn store(self, store: impl TokenStore + 'static) -> AuthorizationServerBuilder<C, Store> {
        let Self { options, clients, .. } = self;
        AuthorizationServerBuilder { options, clients, store: Store(Arc::new(store)) }
    }

    /// One durable store for everything: in place of [`clients`](Self::clients),
    /// [`registrar`](Self::registrar), [`store`](Self::store) and [`replay_guard`](Self::replay_guard), each
    /// of which can still replace its part afterwards. Spawn
    /// [`keep_sweeping`](crate::AuthorizationServer::keep_sweeping), or a store on SQL grows forever.
    ///
    /// ```no_run
    /// # #[cfg(feature = "sqlite")]
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use grantor::AuthorizationServer;
    /// use grantor::store::SqliteStore;
    ///
    /// let backend = SqliteStore::open("grants.db").await?;
    /// let server = AuthorizationServer::builder("https://login.example").backend(backend).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn backend(self, backend: impl Backend + 'static) -> AuthorizationServerBuilder<Clients, Store> {
        let backend = Arc::new(backend);
        let Self { mut options, .. } = self;
        options.registrar = Some(backend.clone());
        options.replay_guard = Some(backend.clone());
        AuthorizationServerBuilder { options, clients: Clients(backend.clone()), store: Store(backend) }
    }

    /// Every scope that the server knows, one in each entry; a request for another one is refused.
    pub fn scopes<T: Into<String>>(mut self, scopes: impl IntoIterator<Item = T>) -> Self {
        self.options.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// The version of OAuth, or a profile of it; by default [`Profile::OAuth21`].
    pub fn profile(mut self, profile: Profile) -> Self {
        self.options.profile = profile;
        self
    }

    /// Accepts requests with `prompt=create`: you have a sign-up page, and show it for
    /// [`LoginReason::SignUp`](crate::LoginReason::SignUp). Without it, such a request is refused.
    pub fn sign_up_page(mut self) -> Self {
        self.options.signs_up = true;
        self
    }

    /// Lifetimes and limits; by default those of [`Policy::default`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.options.policy = policy;
        self
    }

    /// Adds a resource that requests may name (RFC 8707). Without any, `resource` is ignored.
    pub fn resource(mut self, resource: Resource) -> Self {
        self.options.resources.push(resource);
        self
    }

    /// Adds a type of authorization details that requests may name (RFC 9396); see
    /// [`base::details`](crate::base::details). Without any, `authorization_details` is refused.
    pub fn authorization_details_type(
        mut self,
        name: impl Into<String>,
        of: impl DetailType + 'static,
    ) -> Self {
        self.options.detail_types.push((name.into(), Arc::new(of)));
        self
    }

    /// The audience (`aud`) of access tokens if a request names no resource; by default the only registered
    /// resource, or the issuer if there is none or more than one.
    ///
    /// Opaque tokens that name no resource do not store it: their audience is that of the server when they
    /// are used. So set it before you add the first resource to a server in use; otherwise outstanding tokens
    /// become valid at that resource.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.options.audience = Some(audience.into());
        self
    }

    /// The path of your own `/authorize` handler below the issuer: for the issuer `https://x.example/auth`,
    /// `/authorize` is `https://x.example/auth/authorize`. With it, the server has users: codes are issued,
    /// and the endpoint is advertised.
    pub fn authorization_endpoint(mut self, path: impl Into<String>) -> Self {
        self.options.endpoints.put(Endpoint::Authorization, path);
        self
    }

    /// The path of your own page for user codes below the issuer (RFC 8628 section 3.3). This enables the
    /// device authorization endpoint and advertises it. See [`AuthorizationServer::device`].
    pub fn device_verification(mut self, path: impl Into<String>) -> Self {
        self.options.endpoints.put(Endpoint::DeviceVerification, path);
        self
    }

    /// The path of the device authorization endpoint below the issuer; by default `/device_authorization`.
    pub fn device_authorization_endpoint(mut self, path: impl Into<String>) -> Self {
        self.options.endpoints.put(Endpoint::DeviceAuthorization, path);
        self
    }

    /// Refuses authorization requests that were not pushed (RFC 9126 section 5). A single client can require
    /// it of itself:
    /// [`ClientMetadata::require_pushed_authorization_requests`](crate::ClientMetadata::require_pushed_authorization_requests).
    pub fn require_pushed_authorization_requests(mut self) -> Self {
        self.options.requires_push = true;
        self
    }

    /// The path of the pushed authorization request endpoint below the issuer (RFC 9126); by default `/par`.
    /// It exists if there is an [`authorization_endpoint`](Self::authorization_endpoint).
    pub fn pushed_authorization_request_endpoint(mut self, path: impl Into<String>) -> Self {
        self.options.endpoints.put(Endpoint::PushedAuthorizationRequest, path);
        self
    }

    /// The path of the token endpoint below the issuer; by default `/token`.
    pub fn token_endpoint(mut self, path: impl Into<String>) -> Self {
        self.options.endpoints.put(Endpoint::Token, path);
        self
    }

    /// The path of the revocation endpoint below the issuer; by default `/revoke`.
    pub fn revocation_endpoint(mut self, path: impl Into<String>) -> Self {
        self.options.endpoints.put(Endpoint::Revocation, path);
        self
    }

    /// The path of the introspection endpoint below the issuer; by default `/introspect`.
    pub fn introspection_endpoint(mut self, path: impl Into<String>) -> Self {
        self.options.endpoints.put(Endpoint::Introspection, path);
        self
    }

    /// Enables dynamic client registration over HTTP (RFC 7591), within these terms. Needs a
    /// [`registrar`](Self::registrar) that writes where [`clients`](Self::clients) reads.
    pub fn registration(mut self, terms: Registration) -> Self {
        self.options.registration = Some(terms);
        self
    }

    /// Accepts clients that are not registered, by the https URL of their metadata document. Takes an
    /// [`Outbound`](crate::outbound::Outbound), which fetches the documents, or your own terms.
    pub fn client_id_metadata_documents(mut self, terms: impl Into<MetadataDocuments>) -> Self {
        self.options.documents = Some(terms.into());
        self
    }

    /// The path of the registration endpoint below the issuer; by default `/register`.
    pub fn registration_endpoint(mut self, path: impl Into<String>) -> Self {
        self.options.endpoints.put(Endpoint::Registration, path);
        self
    }

    /// Clients that may introspect every access token, such as your resource servers; others see only their
    /// own.
    pub fn introspect_all<T: AsRef<str>>(mut self, clients: impl IntoIterator<Item = T>) -> Self {
        self.options.introspect_all = clients.into_iter().map(|id| ClientId::new(id.as_ref())).collect();
        self
    }

    /// Lets the issuer be `http://` on a loopback address, for development.
    pub fn allow_http_loopback(mut self) -> Self {
        self.options.loopback = true;
        self
    }

    /// Access to the user accounts: needed for the password grant, and asked whether an account is still
    /// active.
    pub fn resource_owner(mut self, owner: impl ResourceOwner + 'static) -> Self {
        self.options.owner = Some(Arc::new(owner));
        self
    }

    /// Where new clients are written, for [`AuthorizationServer::register`].
    pub fn registrar(mut self, registrar: impl Registrar + 'static) -> Self {
        self.options.registrar = Some(Arc::new(registrar));
        self
    }

    /// Checks client secrets that people chose.
    pub fn slow_hash(mut self, hash: impl SlowHash + 'static) -> Self {
        self.options.slow_hash = Some(Arc::new(hash));
        self
    }

    /// Verifies what clients sign: with it, clients may authenticate by `private_key_jwt`. Needs a
    /// [`replay_guard`](Self::replay_guard), because each assertion works once.
    pub fn client_signatures(mut self, signatures: impl ClientSignatures + 'static) -> Self {
        self.options.client_signatures = Some(Arc::new(signatures));
        self
    }

    /// Opens sealed client secrets: with it, clients whose secrets the host sealed
    /// ([`ClientBuilder::sealed_secret`](crate::ClientBuilder::sealed_secret)) may authenticate by
    /// `client_secret_jwt`, which needs [`client_signatures`](Self::client_signatures); no client can
    /// register itself for that. An OpenID Provider then signs with `HS256` for the clients that ask for it,
    /// including self-registered ones.
    pub fn sealed_secrets(mut self, host: impl SealedSecrets + 'static) -> Self {
        self.options.sealed_secrets = Some(Arc::new(host));
        self
    }

    /// Also accepts client assertions whose audience is the URL of the token endpoint, as older clients send
    /// them (RFC 7523 section 3). A malicious server that can make a client use this URL as its token
    /// endpoint can use such an assertion here, so switch it on only if a client needs it.
    pub fn legacy_assertion_audience(mut self) -> Self {
        self.options.legacy_audience = true;
        self
    }

    /// The format of access tokens, unless a resource or a client says otherwise; by default opaque.
    pub fn access_tokens(mut self, format: AccessTokens) -> Self {
        self.options.access_tokens = format;
        self
    }

    /// Signs access tokens and everything else that the server signs. With it, the server publishes its
    /// public keys at `/jwks`.
    pub fn token_signer(mut self, signer: impl TokenSigner + 'static) -> Self {
        self.options.signer = Some(Arc::new(signer));
        self
    }

    /// The host's own claims for signed access tokens.
    pub fn access_token_claims(mut self, claims: impl AccessTokenClaims + 'static) -> Self {
        self.options.access_token_claims = Some(Arc::new(claims));
        self
    }

    /// The path of the public keys below the issuer; by default `/jwks`.
    pub fn jwks_endpoint(mut self, path: impl Into<String>) -> Self {
        self.options.endpoints.put(Endpoint::Jwks, path);
        self
    }

    /// The path of the UserInfo endpoint below the issuer; by default `/userinfo`. It exists with OpenID
    /// Connect.
    pub fn userinfo_endpoint(mut self, path: impl Into<String>) -> Self {
        self.options.endpoints.put(Endpoint::UserInfo, path);
        self
    }

    /// Receives every event.
    pub fn audit(mut self, audit: impl Audit + 'static) -> Self {
        self.options.audit = Some(Arc::new(audit));
        self
    }

    /// A clock instead of the system's, for tests and replays.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.options.clock = Arc::new(clock);
        self
    }

    /// A source of randomness instead of the system's, for tests and replays.
    pub fn entropy(mut self, entropy: impl Entropy + 'static) -> Self {
        self.options.entropy = Arc::new(entropy);
        self
    }

    /// Decides who may exchange which access token for which (RFC 8693). Without it, token exchange is not
    /// supported.
    pub fn token_exchange(mut self, policy: impl ExchangePolicy + 'static) -> Self {
        self.options.exchange = Some(Arc::new(policy));
        self
    }

    /// The key that authenticates the cursors of [`grants`](AuthorizationServer::grants). Give all nodes the
    /// same key; without one, each process generates its own at startup, and a cursor is valid only on the
    /// node that issued it. Anyone who knows the key can begin a listing anywhere.
    pub fn cursor_key(mut self, key: Secret) -> Self {
        self.options.cursor_key = Some(key);
        self
    }

    /// Checks the whole configuration.
    ///
    /// # Errors
    /// Every mistake, not only the first.
    pub fn build(self) -> Result<AuthorizationServer, ConfigErrors>
    where
        C: HasClients,
        S: HasStore,
    {
        self.options.build(self.clients.registry(), self.store.grants())
    }
}

impl<C, S> fmt::Debug for AuthorizationServerBuilder<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuer = &self.options.issuer;
        f.debug_struct("AuthorizationServerBuilder").field("issuer", issuer).finish_non_exhaustive()
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clients")
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}
