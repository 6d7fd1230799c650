//! What axum leaves in a request's extensions about its connection.

use std::net::{IpAddr, SocketAddr};

use ::axum::extract::{ConnectInfo, OriginalUri};
use ::http::request::Parts;
use ::http::{Extensions, Uri};

use crate::adapter::axum::Connection;
use crate::http::Certificate;

pub(super) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    let plain = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    plain.or_else(|| extensions.get::<ConnectInfo<Connection>>().map(|info| info.0.peer.ip()))
}

pub(super) fn certificate(extensions: &Extensions) -> Option<Certificate> {
    extensions.get::<ConnectInfo<Connection>>()?.0.certificate.clone()
}

/// The URI as the client sent it: a router that is nested sees a part of it.
pub(super) fn whole_uri(parts: &Parts) -> &Uri {
    parts.extensions.get().map_or(&parts.uri, |OriginalUri(uri)| uri)
}
