//! The destination of a URL, parsed strictly.

use fluent_uri::Uri;

use crate::outbound::OutboundError;
use crate::outbound::address::Host;

/// The scheme, host and port of an allowed URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Destination<'a> {
    pub(super) is_https: bool,
    pub(super) host: Host<'a>,
    pub(super) port: u16,
}

impl<'a> Destination<'a> {
    /// Reads an `https` or `http` URL without user name and fragment.
    pub(super) fn parse(url: &'a str) -> Result<Self, OutboundError> {
        Self::read(url).ok_or(OutboundError::UrlRefused)
    }

    fn read(url: &'a str) -> Option<Self> {
        let uri = Uri::parse(url).ok()?;
        let is_https = match uri.scheme().as_str() {
            scheme if scheme.eq_ignore_ascii_case("https") => true,
            scheme if scheme.eq_ignore_ascii_case("http") => false,
            _ => return None,
        };
        let authority = uri.authority().filter(|a| a.userinfo().is_none())?;
        let port = match authority.port().map(|port| port.as_str()) {
            None | Some("") => {
                if is_https {
                    443
                } else {
                    80
                }
            }
            Some(port) => port.parse().ok().filter(|port| *port != 0)?,
        };
        let host = Host::parse(authority.host())?;
        (!uri.has_fragment()).then_some(Self { is_https, host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_can_be_asked_has_one_reading() {
        for (url, is_https, host, port) in [
            ("https://as.example", true, "as.example", 443),
            ("HTTPS://as.example:8443/a?b", true, "as.example", 8443),
            ("http://as.example/", false, "as.example", 80),
        ] {
            let read = Destination::parse(url);
            assert_eq!(read, Ok(Destination { is_https, host: Host::Name(host), port }), "{url}");
        }
        for url in [
            "",
            "as.example",
            "//as.example",
            "ftp://as.example",
            "file:///etc/passwd",
            "https:as.example",
            "https:///path",
            "https://user@as.example",
            "https://user:password@as.example",
            "https://@as.example",
            "https://as.example#fragment",
            "https://as.example:0",
            "https://as.example:65536",
            "https://as.example\\@evil.example",
            "https://as.example/ a",
            "https://as.example/\n",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://%31%32%37.0.0.1/",
            "https://ⓔxample.com/",
        ] {
            assert_eq!(Destination::parse(url), Err(OutboundError::UrlRefused), "{url}");
        }
    }
}
