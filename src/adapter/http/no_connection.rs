//! Without a framework that provides connection data: the host may put them into the extensions.

use std::net::IpAddr;

use ::http::Extensions;

use crate::http::Certificate;

pub(in crate::adapter) fn peer(_: &Extensions) -> Option<IpAddr> {
    None
}

pub(in crate::adapter) fn certificate(_: &Extensions) -> Option<Certificate> {
    None
}
