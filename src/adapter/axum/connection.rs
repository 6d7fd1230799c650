//! What is known of the connection that a request came over, and where axum leaves it in the request's extensions.

#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
mod connect_info;
/// Where there are no sockets, axum knows no connection.
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
#[path = "../http/no_connection.rs"]
mod connect_info;

use std::net::SocketAddr;

use ::axum::extract::OriginalUri;
use ::http::Uri;
use ::http::request::Parts;

use crate::http::Certificate;
pub(in crate::adapter) use connect_info::{certificate, peer};

/// The connection that a request came over: whose it is, and the client certificate that was proven on it. A
/// [`TlsListener`](super::TlsListener) hands it to `into_make_service_with_connect_info::<Connection>()`; a listener of your own can do
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
    /// A connection from this address, on which this certificate was proven.
    #[must_use]
    pub fn new(peer: SocketAddr, certificate: Option<Certificate>) -> Self {
        Self { peer, certificate }
    }
}

/// The URI as the client sent it: a router that is nested sees a part of it.
pub(in crate::adapter) fn whole_uri(parts: &Parts) -> &Uri {
    parts.extensions.get().map_or(&parts.uri, |OriginalUri(uri)| uri)
}
