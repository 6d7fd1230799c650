//! What is known of the connection that a request came over, and where axum leaves it in the request's extensions.

use std::net::{IpAddr, SocketAddr};

use ::axum::extract::{ConnectInfo, OriginalUri};
use ::http::request::Parts;
use ::http::{Extensions, Uri};

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

pub(in crate::adapter) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    let plain = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    plain.or_else(|| extensions.get::<ConnectInfo<Connection>>().map(|info| info.0.peer.ip()))
}

pub(in crate::adapter) fn certificate(extensions: &Extensions) -> Option<Certificate> {
    extensions.get::<ConnectInfo<Connection>>()?.0.certificate.clone()
}

/// The URI as the client sent it: a router that is nested sees a part of it.
pub(in crate::adapter) fn whole_uri(parts: &Parts) -> &Uri {
    parts.extensions.get().map_or(&parts.uri, |OriginalUri(uri)| uri)
}
