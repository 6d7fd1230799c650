//! The connection data that axum puts into the extensions.

use std::net::{IpAddr, SocketAddr};

use ::axum::extract::ConnectInfo;
use ::http::Extensions;

use super::Connection;
use crate::http::Certificate;

pub(in crate::adapter) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    let plain = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    plain.or_else(|| extensions.get::<ConnectInfo<Connection>>().map(|info| info.0.peer.ip()))
}

pub(in crate::adapter) fn certificate(extensions: &Extensions) -> Option<Certificate> {
    extensions.get::<ConnectInfo<Connection>>()?.0.certificate.clone()
}
