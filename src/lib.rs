//! An OAuth 2.0, OAuth 2.1 and OpenID Connect authorization server that you add to your own program.
//!
//! It holds the rules and nothing else: the host provides HTTP, users, sessions, a login page and a database.
//! One value, [`AuthorizationServer`], answers the requests of clients; your own pages ask it what to show,
//! and tell it what the user chose. A [`Guard`] protects an API with the tokens that the server issues.
//!
//! # A complete server
//!
//! A user signs in and consents on your page, a client redeems the code, and an API checks the access token:
//!
//! ```
//! use chrono::Utc;
//! use grantor::{AuthMethod, AuthorizationServer, Client, GrantType, Login, Request, SignedIn};
//! use grantor::{MemoryRegistry, MemoryStore};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let app = Client::builder("app")
//!     .redirect_uri("https://app.example/callback")
//!     .grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken])
//!     .auth_method(AuthMethod::None) // a public client: PKCE, and refresh tokens that rotate
//!     .build()?;
//! let server = AuthorizationServer::builder("https://login.example")
//!     .clients(MemoryRegistry::new([app]))
//!     .store(MemoryStore::new())
//!     .scopes(["read"])
//!     .authorization_endpoint("/authorize") // your own handler
//!     .build()?;
//!
//! // Your `/authorize`: alice is signed in, and consents.
//! let request = Request::get(
//!     "response_type=code&client_id=app&scope=read&code_challenge_method=S256\
//!      &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
//! );
//! let Ok(ask) = server.authorize(&request).await else { return Err("the client is known".into()) };
//! let response = match ask.signed_in(Login::new("alice", Utc::now())).await {
//!     SignedIn::Consent(consent) => consent.approve().await, // after your consent page
//!     SignedIn::Reauthenticate(login) => login.cannot().await, // or your login page, once more
//!     SignedIn::Answered(response) => response,
//! };
//!
//! // The client redeems the code.
//! let location = response.header("location").unwrap_or_default();
//! let code = location.split(['=', '&']).nth(1).unwrap_or_default();
//! let request = Request::post_form(format!(
//!     "grant_type=authorization_code&client_id=app&code={code}\
//!      &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
//! ));
//! let response = server.token(&request).await;
//! assert_eq!(response.status, 200);
//!
//! // An API of yours checks the access token.
//! let json: serde_json::Value = serde_json::from_slice(&response.body)?;
//! let access = server.check(json["access_token"].as_str().unwrap_or_default()).await?;
//! assert_eq!((access.user(), access.scope().as_str()), (Some("alice"), "read"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With the feature `axum`, [`adapter`] routes all of this. `cargo run -p grantor --example quickstart`
//! starts such a server.
//!
//! # What a host uses
//!
//! | type | what it is |
//! | --- | --- |
//! | [`AuthorizationServer`], [`AuthorizationServerBuilder`] | the server, and its configuration |
//! | [`Client`], [`ClientBuilder`], [`ClientMetadata`] | an application, how it is built, and what it registers (RFC 7591) |
//! | [`ClientId`], [`ClientState`], [`Registered`] | its id; whether it is enabled; a new client with its secret |
//! | [`AuthMethod`], [`ApplicationType`], [`GrantType`], [`ResponseType`], [`ResponseMode`] | how it authenticates, and what it may ask for |
//! | [`Authorization`], [`SignedIn`], [`LoginRequired`], [`ShowLogin`] | an authorization request, and the steps of your page |
//! | [`Login`], [`LoginReason`], [`AuthenticationRequest`], [`Prompt`] | who signed in, and what the request demands of the login |
//! | [`Consent`], [`ErrorPage`] | what the user is asked to grant; an error that is shown on a page instead of a redirect |
//! | [`DeviceRequest`], [`DeviceConsent`], [`UserCode`], [`BrowserSession`] | the page for devices (RFC 8628) |
//! | [`Logout`], [`LogoutStep`], [`LogoutQuestion`], [`LogoutEnd`], [`EndedSession`], [`SignedOut`], [`Sessions`], [`SessionId`] | signing out of a session, and telling its clients (OpenID Connect) |
//! | [`Unasked`] | the result of an approval without a page: a response, or the consent for your page |
//! | [`Scope`], [`Subject`], [`GrantId`], [`SecretText`] | values: a set of scopes, a user or a client, the id of a grant, a secret as text |
//! | [`Resource`], [`ResourceId`] | an API that tokens are for (RFC 8707) |
//! | [`AuthorizationDetail`], [`AuthorizationDetails`], [`DetailType`] | rich authorization requests (RFC 9396) |
//! | [`Policy`], [`Profile`], [`OmittedScope`], [`ForeignToken`], [`RefreshTokens`] | lifetimes and limits; which OAuth (2.0, 2.1, MCP, FAPI); choices |
//! | [`Registration`], [`MetadataDocuments`] | how clients register themselves (RFC 7591), or are identified by a metadata document |
//! | [`AccessTokens`], [`Algorithm`] | whether access tokens are opaque or signed, and how |
//! | [`ResponseAlgorithm`] | the algorithm of an `id_token` or a UserInfo response |
//! | [`Guard`], [`Requirement`], [`Access`] | what protects an API, what a request needs, and what its token permits |
//! | [`Confirmation`], [`Thumbprint`], [`BothKeys`] | the key that a token is bound to (RFC 7800) |
//! | [`Request`], [`Response`] | HTTP as plain structs, for any framework |
//! | [`MemoryStore`], [`MemoryRegistry`], [`FileRegistry`] | grants and clients in memory, clients in a file |
//! | `SqliteStore`, `PostgresStore`, `RedisStore` | everything in a database (features of these names), for [`backend`](AuthorizationServerBuilder::backend) |
//!
//! # What a host implements
//!
//! | trait | what it does | related types |
//! | --- | --- | --- |
//! | [`ClientRegistry`], [`Registrar`] | finds clients; stores new ones | [`Replacement`] |
//! | [`TokenStore`], [`ReplayGuard`], [`Backend`] | keeps grants; remembers single-use identifiers; both, and the clients | [`store`] |
//! | [`openid::ClaimsSource`], [`openid::LogoutQueue`] | claims about users; a durable queue for logout notices | [`openid`] |
//! | [`client::SlowHash`], [`client::SealedSecrets`] | checks secrets that people chose; seals secrets for MACs | [`client`] |
//! | [`registration::RegistrationPolicy`], [`outbound::Outbound`], [`resource::TokenVerifier`] | who may register; requests to other servers; checks tokens at a guard | [`registration`], [`outbound`], [`resource`] |
//! | [`ResourceOwner`] | whether an account is still active, and the password grant | [`AccountStatus`] |
//! | [`ExtensionGrant`], [`ExchangePolicy`] | grant types of your own; who may exchange which token (RFC 8693) | [`flow::token`] |
//! | [`TokenSigner`], [`AccessTokenClaims`] | signs; adds claims to access tokens | [`Unsigned`], [`signing`] |
//! | [`Audit`] | receives every event | [`Event`], [`EventKind`], [`Endpoint`] |
//! | [`Clock`], [`Entropy`] | time and randomness, for tests | [`SystemClock`], [`SystemEntropy`] |
//!
//! The traits are `async` through [`macro@async_trait`]. Signatures also use types of chrono 0.4 and
//! serde_json 1: both are public dependencies.
//!
//! # Errors
//!
//! | type | when |
//! | --- | --- |
//! | [`Refusal`], [`Reason`], [`ErrorCode`] | a request is refused: a private reason, and the public error derived from it |
//! | [`HostError`] | a call that you made failed, such as to list grants |
//! | [`BackendError`] | a part that you provide failed, such as a store |
//! | [`ValueError`] | a text is not a valid value of its type |
//! | [`server::ConfigErrors`], [`client::ClientErrors`], [`resource::GuardErrors`] | all mistakes in a configuration at once |
//!
//! # The manual
//!
//! | topic | chapter |
//! | --- | --- |
//! | settings, lifetimes, limits, what is on by default | [`manual::defaults`] |
//! | login, sign-in, consent, session, CSRF, frames, `form-action` | `manual::pages` (feature `axum`) |
//! | the page for devices, user codes (RFC 8628) | `manual::devices` (feature `axum`) |
//! | sign-in through another provider, passkeys, session crates | `manual::upstream` (feature `axum`) |
//! | a single-page app, CORS | [`manual::spa`] |
//! | logout, single sign-out | [`manual::logout`] |
//! | OpenID Connect, `id_token`, UserInfo, claims | `manual::openid` (feature `openid`) |
//! | a reverse proxy, TLS, client certificates, limits, several nodes, key rotation, a key that leaked, deployment | `manual::production` (features `axum` and `jwt`) |
//! | logs, metrics, tracing, health checks, alerts | `manual::observability` (features `metrics` and `tracing`) |
//! | requests a second, CPU time, latency, by store and beside other servers | [`manual::figures`] |
//! | WebAssembly, `wasm32-unknown-unknown`, edge workers | [`manual::wasm`] |
//! | testing your own program | `manual::testing` (features `testing` and `openid`) |
//! | DPoP, mutual TLS, tokens bound to a key | [`manual::sender_constrained`] |
//! | FAPI 2.0, banks, open banking, message signing | [`manual::fapi`] |
//! | SQLite, PostgreSQL, versions, tables and migrations, a database of your own, backups | [`manual::storage`] |
//! | Redis, Redis Cluster, fail-over | [`manual::storage_redis`] |
//! | a resource server, bearer tokens, introspection or JWT, 401 and 403, scopes of an API | [`manual::protecting`] |
//! | attacks, RFC 9700, replay, mix-up, open redirectors | [`manual::threats`] |
//! | moving from another authorization server, importing clients | [`manual::migration`] |
//! | how do I …: signed tokens, a locked-out user, new client secrets, token exchange, several issuers, a path | `manual::recipes` (features `axum` and `jwt`) |
//! | mistakes that do not compile | [`manual::misuse`] |
//! | the words of this crate | [`manual::words`] |
//!
//! Development pages are in `dev_pages` (feature of the same name), signed tokens and keys in `keys` and
//! `jose` (feature `jwt`), assertions in `assertions` (feature `jwt`), OpenID Connect in [`openid`], several
//! issuers in [`tenants`], the guard in [`resource`], and the pure core, which does no I/O, in [`flow`],
//! [`grant`] and [`issuance`].

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod adapter;
#[cfg(feature = "jwt")]
pub mod assertions;
pub mod audit;
pub mod base;
pub mod client;
#[cfg(feature = "dev_pages")]
pub mod dev_pages;
pub mod documents;
pub mod error;
pub mod flow;
pub mod grant;
pub mod http;
pub mod issuance;
#[cfg(feature = "jwt")]
pub mod jose;
#[cfg(feature = "jwt")]
pub mod keys;
pub mod manual;
pub mod openid;
pub mod outbound;
pub mod registration;
pub mod resource;
pub mod server;
pub mod signing;
pub mod store;
pub mod tenants;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
pub mod trust;

// Only re-exports: its parts are on several floors.
pub mod dpop {
    //! Access tokens that only the holder of a key can use (RFC 9449): see the
    //! [manual](crate::manual::sender_constrained).
    pub use crate::error::ProofFlaw;
    #[cfg(feature = "jwt")]
    pub use crate::trust::DpopProofs;
    pub use crate::trust::{Dpop, MAX_PROOF_BYTES, Proof, ProofVerifier};
}

// What a host uses.
pub use base::{
    AccessTokens, Algorithm, AuthorizationDetail, AuthorizationDetails, ClientId, GrantId, Login,
    ResponseAlgorithm,
};
pub use base::{
    BothKeys, Confirmation, ResourceId, Scope, SecretText, SessionId, Subject, Thumbprint, UserCode,
};
pub use client::{
    ApplicationType, AuthMethod, Client, ClientBuilder, ClientMetadata, ClientState, GrantType,
};
pub use client::{FileRegistry, MemoryRegistry, Profile, Registered, ResponseMode, ResponseType};
pub use documents::MetadataDocuments;
pub use flow::authorize::{AuthenticationRequest, LoginReason, Prompt};
pub use grant::BrowserSession;
pub use http::{Request, Response};
pub use issuance::{ForeignToken, OmittedScope, Policy, RefreshTokens, Resource};
pub use registration::Registration;
pub use resource::{Guard, Requirement};
pub use server::{Authorization, AuthorizationServer, AuthorizationServerBuilder, Consent, DeviceConsent};
pub use server::{DeviceRequest, EndedSession, ErrorPage, LoginRequired, Logout, LogoutEnd, LogoutQuestion};
pub use server::{LogoutStep, Sessions, ShowLogin, SignedIn, SignedOut, Unasked};
pub use store::MemoryStore;
#[cfg(feature = "postgres")]
pub use store::PostgresStore;
#[cfg(feature = "redis")]
pub use store::RedisStore;
#[cfg(feature = "sqlite")]
pub use store::SqliteStore;
pub use token::Access;

// What a host implements, and the types for it.
pub use async_trait::async_trait;
pub use audit::{Audit, Endpoint, Event, EventKind};
pub use base::{Clock, Entropy, SystemClock, SystemEntropy};
pub use client::{ClientRegistry, Registrar, Replacement};
pub use issuance::{AccountStatus, DetailType};
pub use server::{Backend, ExchangePolicy, ExtensionGrant, ResourceOwner};
pub use signing::{AccessTokenClaims, TokenSigner, Unsigned};
pub use store::{ReplayGuard, TokenStore};

// Errors.
pub use base::ValueError;
pub use error::{BackendError, ErrorCode, Reason, Refusal};
pub use server::HostError;
