//! What frameworks leave in a request's extensions about its connection. Without the features of any, nothing.

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
