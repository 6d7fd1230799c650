//! Protects resources: checks the access token of a request (RFC 6750).
//!
//! [`Guard`] protects an API, in the server's process or in another. It asks a [`TokenVerifier`] what a token
//! permits, compares that with a [`Requirement`], and answers refused requests.

mod audience;
mod builder;
mod challenge;
mod cross_origin;
mod discovery;
mod guard;
mod introspection;
#[cfg(feature = "jwt")]
mod jwt;
mod key_check;
mod metadata;
mod reasons;
mod request_check;
mod requirement;
mod token_claims;
mod verifier;

pub use crate::token::Access;
#[cfg(feature = "jwt")]
pub use crate::trust::{FetchedKeys, FileKeys, KeySource, StaticKeys, TrustedKeys};
#[cfg(feature = "jwt")]
pub(crate) use audience::Audience;
pub(crate) use builder::LocalServer;
pub use builder::{GuardBuilder, GuardError, GuardErrors};
pub(crate) use challenge::Challenge;
pub use cross_origin::{CrossOrigin, OriginError};
pub use discovery::Discovery;
pub use guard::Guard;
pub use introspection::{Credentials, Introspection};
#[cfg(feature = "jwt")]
pub use jwt::{DiscoveredKeys, JwtVerifier, Leniency};
pub(crate) use key_check::{KeyCheck, Target};
pub(crate) use request_check::{Refused, RequestCheck, record_refusal};
pub(crate) use requirement::Implied;
pub use requirement::Requirement;
pub use verifier::TokenVerifier;
