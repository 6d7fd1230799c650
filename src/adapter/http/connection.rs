//! What frameworks leave in a request's extensions about its connection. Without the features of any, nothing.

use std::net::IpAddr;

use ::http::request::Parts;
use ::http::{Extensions, Uri};

pub(super) fn peer(_: &Extensions) -> Option<IpAddr> {
    None
}

/// The URI as the client sent it.
pub(super) fn whole_uri(parts: &Parts) -> &Uri {
    &parts.uri
}
