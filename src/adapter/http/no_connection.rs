//! What is known of a connection where nothing tells: the host may leave it in the extensions.

use std::net::IpAddr;

use ::http::Extensions;

use crate::http::Certificate;

pub(in crate::adapter) fn peer(_: &Extensions) -> Option<IpAddr> {
    None
}

pub(in crate::adapter) fn certificate(_: &Extensions) -> Option<Certificate> {
    None
}
