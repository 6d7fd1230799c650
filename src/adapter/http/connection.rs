//! The connection data that frameworks put into a request's extensions. Without their features there is none.

#[path = "no_connection.rs"]
mod no_connection;

use ::http::Uri;
use ::http::request::Parts;

pub(super) use no_connection::{certificate, peer};

/// The URI as the client sent it.
pub(super) fn whole_uri(parts: &Parts) -> &Uri {
    &parts.uri
}
