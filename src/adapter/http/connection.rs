//! What frameworks leave in a request's extensions about its connection. Without the features of any, nothing.

#[path = "no_connection.rs"]
mod no_connection;

use ::http::Uri;
use ::http::request::Parts;

pub(super) use no_connection::{certificate, peer};

/// The URI as the client sent it.
pub(super) fn whole_uri(parts: &Parts) -> &Uri {
    &parts.uri
}
