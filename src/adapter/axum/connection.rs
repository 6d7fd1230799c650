//! The connection of a request, and where axum puts it in the request's extensions.

#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
mod connect_info;
/// On targets without sockets, axum has no connection data.
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
#[path = "../http/no_connection.rs"]
mod connect_info;

use std::net::SocketAddr;

use ::axum::extract::OriginalUri;
use ::http::Uri;
use ::http::request::Parts;

use crate::http::Certificate;
pub(in crate::adapter) use connect_info::{certificate, peer};

/// The connection of a request: its peer, and its client certificate. A `TlsListener` (feature
/// `axum-tls`) passes it to `into_make_service_with_connect_info::<Connection>()`; your own listener can do
/// the same.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Connection {
    /// The address of the peer.
    pub peer: SocketAddr,
    /// The certificate, if the client proved one. Trusted: see [`Certificate`].
    pub certificate: Option<Certificate>,
}

impl Connection {
    /// A connection from this address, with this client certificate.
    #[must_use]
    pub fn new(peer: SocketAddr, certificate: Option<Certificate>) -> Self {
        Self { peer, certificate }
    }
}

/// The URI as the client sent it; a nested router sees only a part of it.
pub(in crate::adapter) fn whole_uri(parts: &Parts) -> &Uri {
    parts.extensions.get().map_or(&parts.uri, |OriginalUri(uri)| uri)
}
