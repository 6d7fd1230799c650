//! Adapters: two conversions and a router each. Nothing of OAuth is decided here; who the peer is behind proxies, [`TrustedProxies`] says.

#[cfg(feature = "axum")]
pub mod axum;
mod proxy;

pub use proxy::{ProxyError, TrustedProxies};
