//! Adapters: two conversions and a router each. Nothing of OAuth is decided here; who the peer is behind proxies, [`TrustedProxies`] says.
//!
//! [`Request`](crate::Request) and [`Response`](crate::Response) fit any framework. `http` is for everything that speaks the types of the crate `http` (hyper, poem, salvo, lambda_http); `axum` is built on it. What an
//! extractor that guards an API requires, [`Required`] says for every framework.

mod authorized;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "http")]
pub mod http;
mod proxy;

pub use authorized::{AnyToken, Authorized, Required};
pub use proxy::{ProxyError, TrustedProxies};
