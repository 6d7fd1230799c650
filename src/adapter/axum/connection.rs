//! The connection of a request, and where axum puts it in the request's extensions.

use std::net::{IpAddr, SocketAddr};

use ::axum::extract::{ConnectInfo, OriginalUri};
use ::http::request::Parts;
use ::http::{Extensions, Uri};

use crate::http::Certificate;

/// The connection of a request: its peer, and its client certificate. A [`TlsListener`](super::TlsListener)
/// passes it to `into_make_service_with_connect_info::<Connection>()`; your own listener can do the same.
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

pub(in crate::adapter) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    let plain = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    plain.or_else(|| extensions.get::<ConnectInfo<Connection>>().map(|info| info.0.peer.ip()))
}

pub(in crate::adapter) fn certificate(extensions: &Extensions) -> Option<Certificate> {
    extensions.get::<ConnectInfo<Connection>>()?.0.certificate.clone()
}

/// The URI as the client sent it: a nested router sees only a part of it.
pub(in crate::adapter) fn whole_uri(parts: &Parts) -> &Uri {
    parts.extensions.get().map_or(&parts.uri, |OriginalUri(uri)| uri)
}
