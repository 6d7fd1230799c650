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
//! 5. `flow/gate.rs` is the one gate before every token;
//! 6. [`grant`] decides, as a pure state machine;
//! 7. [`store`] proves the write, and only then does the answer open.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod adapter;
#[cfg(feature = "jwt")]
pub mod assertions;
pub mod audit;
pub mod client;
pub mod details;
pub mod documents;
pub mod error;
pub mod flow;
pub mod form;
pub mod grant;
pub mod http;
#[cfg(feature = "jwt")]
pub mod jose;
#[cfg(feature = "jwt")]
pub mod keys;
pub mod manual;
mod metadata;
mod mint;
pub mod outbound;
pub mod pkce;
pub mod policy;
pub mod redirect;
pub mod registration;
pub mod resource;
mod scope;
mod secret;
pub mod server;
mod signing;
pub mod store;
mod system;
mod target;
pub mod tenants;

pub use async_trait::async_trait;

pub use audit::{Audit, Endpoint, Event, What};
pub use client::ResponseType;
pub use client::{
    ApplicationType, AuthMethod, Client, ClientBuilder, ClientId, ClientMetadata, ClientRegistry,
};
pub use client::{ClientState, FileRegistry, GrantType, MemoryRegistry, Registered, Registrar, Replacement};
pub use details::{AuthorizationDetail, AuthorizationDetails};
pub use documents::MetadataDocuments;
pub use error::{ErrorCode, Fault, Reason, Refusal};
pub use flow::{ResponseMode, Standing};
pub use grant::{Claimant, Grant, GrantId, Login, Subject, UserCode};
pub use http::{Request, Response};
pub use metadata::Endpoints;
pub use mint::Mint;
pub use policy::{Policy, Profile, Rules};
pub use registration::Registration;
pub use resource::Access;
pub use scope::{MAX_SCOPE_TOKENS, Scope};
pub use secret::{Digest, SECRET_BYTES, Secret, SecretText};
pub use server::{Authorization, AuthorizationServer, Consent, Detour, ErrorPage, ResourceOwner};
pub use server::{DeviceConsent, DeviceRequest};
pub use signing::{AccessTokenClaims, AccessTokens, Claims, SubjectType, TokenSigner};
pub use store::{MemoryStore, ReplayGuard, StoreError, TokenStore};
pub use system::{Clock, Entropy, SystemClock, SystemEntropy};
pub use target::{MAX_RESOURCES, Resource, ResourceId, Targets};

/// The README's examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
