//! An OAuth 2.0 and 2.1 authorization server that you add to your own program.
//!
//! It holds the rules of OAuth and nothing else: the host brings HTTP, users, sessions and a database.
//!
//! # The tour
//!
//! A token request crosses these files, in this order:
//!
//! 1. `adapter/axum.rs` copies an HTTP request into a [`Request`];
//! 2. `server/token.rs` drives it: the only async code;
//! 3. [`flow::token`] parses it into a chain of types, each lacking one fact;
//! 4. `client/auth.rs` says who asks;
//! 5. `issuance/gate.rs` is the one gate before every token;
//! 6. [`grant`] decides, as a pure state machine;
//! 7. [`store`] proves the write, and only then does the answer open.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod adapter;
#[cfg(feature = "jwt")]
pub mod assertions;
pub mod audit;
mod base;
pub mod client;
pub mod documents;
pub mod error;
pub mod flow;
pub mod grant;
pub mod http;
mod issuance;
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
mod signing;
pub mod store;
pub mod tenants;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
pub mod trust;

pub use async_trait::async_trait;

// Old names of modules; each goes when its last user has moved.
pub use base::pkce;
pub use base::redirect_uri as redirect;
pub(crate) use base::{fresh_secrets, scope, secret, system};
pub use http::form;
pub(crate) mod target {
    pub(crate) use crate::base::{ResourceId, ResourceIndicators};
    pub(crate) use crate::issuance::{KnownResource, Resource};
}
pub mod policy {
    //! Lifetimes, leeways and profiles.
    pub(crate) use crate::base::after;
    pub use crate::client::Profile;
    pub use crate::issuance::{ForeignToken, OmittedScope, Policy, RefreshTokens, Rules};
    pub(crate) use crate::issuance::{SignedAnswers, is_served};
}
pub mod details {
    //! Authorization details (RFC 9396).
    pub use crate::base::details::{AuthorizationDetail, AuthorizationDetails, MAX_DEPTH, MAX_DETAILS};
    pub(crate) use crate::issuance::DetailTypes;
    pub use crate::issuance::{DetailType, Fields};
}

pub mod dpop {
    //! Access tokens that only the holder of a key can use (RFC 9449): see the [manual](crate::manual::sender_constrained).
    pub use crate::error::ProofFlaw;
    #[cfg(feature = "jwt")]
    pub use crate::trust::DpopProofs;
    pub use crate::trust::{Dpop, MAX_PROOF_BYTES, Proof, ProofVerifier};
}

pub use audit::{Audit, Endpoint, Event, EventKind};
pub use base::{AuthorizationDetail, AuthorizationDetails};
pub use base::{BothKeys, Confirmation, Thumbprint};
pub use base::{MAX_RESOURCES, ResourceId, ResourceIndicators};
pub use base::{MAX_SCOPE_TOKENS, Scope};
pub use client::ResponseType;
pub use client::{
    ApplicationType, AuthMethod, Client, ClientBuilder, ClientId, ClientMetadata, ClientRegistry,
};
pub use client::{ClientState, FileRegistry, GrantType, MemoryRegistry, Registered, Registrar, Replacement};
pub use documents::MetadataDocuments;
pub use error::{ErrorCode, Fault, Reason, Refusal};
pub use flow::authorize::{AuthenticationRequest, LoginReason, Prompt};
pub use flow::{AccountStatus, ResponseMode};
pub use fresh_secrets::FreshSecrets;
pub use grant::{BrowserSession, Grant, GrantId, Login, SessionId, Subject, UserCode};
pub use http::{Request, Response};
pub use issuance::Resource;
pub use policy::{Policy, Profile, Rules};
pub use registration::Registration;
pub use secret::{Digest, SECRET_BYTES, Secret, SecretText};
pub use server::{
    Authorization, AuthorizationServer, AuthorizationServerBuilder, Backend, Consent, ErrorPage,
    ResourceOwner,
};
pub use server::{DeviceConsent, DeviceRequest, Endpoints, LoginRequired, ShowLogin, SignedIn, Unasked};
pub use server::{EndedSession, Logout, LogoutEnd, LogoutQuestion, LogoutStep, Sessions, SignedOut};
pub use signing::{AccessTokenClaims, AccessTokens, Algorithm, Claims, SubjectType, TokenSigner, Unsigned};
pub use store::{BackendError, MemoryStore, ReplayGuard, TokenStore};
pub use system::{Clock, Entropy, SystemClock, SystemEntropy};
pub use token::Access;
