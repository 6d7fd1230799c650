//! What is known of the connection that a request came over.

use std::net::SocketAddr;

use crate::http::Certificate;

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
