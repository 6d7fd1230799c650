//! The connection data that frameworks put into a request's extensions; nothing without their features.

use std::net::IpAddr;

use ::http::request::Parts;
use ::http::{Extensions, Uri};

use crate::http::Certificate;

pub(super) fn peer(_: &Extensions) -> Option<IpAddr> {
    None
}

pub(super) fn certificate(_: &Extensions) -> Option<Certificate> {
    None
}

/// The URI as the client sent it.
pub(super) fn whole_uri(parts: &Parts) -> &Uri {
    &parts.uri
}
