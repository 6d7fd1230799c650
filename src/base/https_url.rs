//! [`HttpsUrl`]: the URL of an issuer, a resource or a key set.

use fluent_uri::Uri;

use super::redirect_uri::{LOOPBACK_HOSTS, has_port_that_exists};

/// An https URL with a host, without user information and fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HttpsUrl<'a> {
    /// The scheme, host and port.
    pub(crate) origin: &'a str,
    pub(crate) path: &'a str,
    has_query: bool,
    has_port_that_exists: bool,
}

/// Why a text is not such a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HttpsUrlError {
    /// Not an absolute URL with a host, or one with user information or with a port that does not exist.
    NotAUrl,
    /// It is not https.
    NotHttps,
    /// A query or a fragment.
    Query,
    /// A router would read a segment of the path as a pattern.
    Path,
    /// Clients would remove a segment of the path before they send it.
    DotSegment,
}

impl<'a> HttpsUrl<'a> {
    /// Reads a URL. With `loopback`, it may be `http://` on a loopback address.
    pub(crate) fn parse(text: &'a str, loopback: bool) -> Result<Self, HttpsUrlError> {
        let uri = Uri::parse(text).map_err(|_| HttpsUrlError::NotAUrl)?;
        let authority = uri.authority().filter(|a| !a.host().is_empty() && a.userinfo().is_none());
        let authority = authority.ok_or(HttpsUrlError::NotAUrl)?;
        if uri.has_fragment() {
            return Err(HttpsUrlError::Query);
        }
        let scheme = uri.scheme().as_str();
        match scheme {
            "https" => {}
            "http" if loopback && LOOPBACK_HOSTS.contains(&authority.host()) => {}
            _ => return Err(HttpsUrlError::NotHttps),
        }
        let origin = &text[..scheme.len() + "://".len() + authority.as_str().len()];
        let has_port_that_exists = has_port_that_exists(&uri);
        Ok(Self { origin, path: uri.path().as_str(), has_query: uri.has_query(), has_port_that_exists })
    }

    /// Reads the URL of an issuer (RFC 8414 section 2) or a resource (RFC 9728 section 1.2): its port exists,
    /// it has no query, and clients and routers read its path as it is.
    pub(crate) fn parse_identifier(text: &'a str, loopback: bool) -> Result<Self, HttpsUrlError> {
        let url = Self::parse(text, loopback)?;
        if !url.has_port_that_exists {
            return Err(HttpsUrlError::NotAUrl);
        }
        if url.has_query {
            return Err(HttpsUrlError::Query);
        }
        if url.path.split('/').any(is_dots) {
            return Err(HttpsUrlError::DotSegment);
        }
        match url.path.split('/').any(|segment| segment.starts_with([':', '*'])) {
            true => Err(HttpsUrlError::Path),
            false => Ok(url),
        }
    }
}

/// A segment that other parsers remove: `.` or `..`, in any encoding (RFC 3986 section 6.2.2.3).
pub(crate) fn is_dots(segment: &str) -> bool {
    let plain = segment.replace("%2e", ".").replace("%2E", ".");
    plain == "." || plain == ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_an_origin_and_a_path() {
        for (text, origin, path) in [
            ("https://as.example", "https://as.example", ""),
            ("https://as.example/", "https://as.example", "/"),
            ("https://as.example:8443/a/b", "https://as.example:8443", "/a/b"),
            ("http://[::1]:9400/a", "http://[::1]:9400", "/a"),
            ("https://as.example/.a/b../...", "https://as.example", "/.a/b../..."),
        ] {
            let expected = HttpsUrl { origin, path, has_query: false, has_port_that_exists: true };
            assert_eq!(HttpsUrl::parse_identifier(text, true), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_identifier() {
        use HttpsUrlError as E;
        for (text, why) in [
            ("as.example", E::NotAUrl),
            ("urn:example:api", E::NotAUrl),
            ("https:///a", E::NotAUrl),
            ("https://user@as.example", E::NotAUrl),
            ("https://as.example:65536", E::NotAUrl),
            ("ftp://as.example", E::NotHttps),
            ("http://127.0.0.1.evil.example", E::NotHttps),
            ("https://as.example?x=1", E::Query),
            ("https://as.example#x", E::Query),
            ("https://as.example/:id", E::Path),
            ("https://as.example/a/*b", E::Path),
            ("https://as.example/a/../b", E::DotSegment),
            ("https://as.example/.", E::DotSegment),
            ("https://as.example/a/%2e%2E/b", E::DotSegment),
            ("https://as.example/.%2e", E::DotSegment),
        ] {
            assert_eq!(HttpsUrl::parse_identifier(text, true), Err(why), "{text}");
        }
        assert_eq!(HttpsUrl::parse("http://127.0.0.1", false), Err(E::NotHttps));
        assert!(HttpsUrl::parse("https://as.example/keys?v=1", false).is_ok_and(|url| url.has_query));
        assert!(HttpsUrl::parse("https://as.example:65536/keys", false).is_ok(), "stored clients have such");
    }
}
