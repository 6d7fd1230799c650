//! Redirect URIs: validated when they are registered, compared as strings when they are used
//! (RFC 9700 section 4.1.3, RFC 8252 section 7.3).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use fluent_uri::Uri;
use serde::{Deserialize, Serialize};

/// The longest redirect URI, in bytes.
pub const MAX_REDIRECT_URI: usize = 2048;

/// An absolute URI that a client registered, or one that differs from it only in a loopback port.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RedirectUri(Arc<str>);

impl RedirectUri {
    /// Checks a URI for registration.
    ///
    /// # Errors
    /// What is wrong with it, for the developer.
    pub fn register(text: &str) -> Result<Self, RedirectUriError> {
        Self::register_with::<&str>(text, &[])
    }

    /// Like [`register`](Self::register), and also allows these private-use schemes without a dot, such as
    /// `cursor`, in lower case.
    ///
    /// # Errors
    /// What is wrong with it, for the developer.
    pub fn register_with<S: AsRef<str>>(text: &str, schemes: &[S]) -> Result<Self, RedirectUriError> {
        let uri = Self::stored_with(text, schemes)?;
        let query = text.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
        match names.any(|name| RESPONSE_PARAMETERS.contains(&&*name)) {
            true => Err(RedirectUriError::ResponseParameter),
            false => Ok(uri),
        }
    }

    /// A copy that shares nothing.
    pub(crate) fn apart(&self) -> Self {
        Self(Arc::from(&*self.0))
    }

    /// Checks a URI that was registered before, maybe by a version that let its query have parameters of the
    /// response.
    pub(crate) fn stored_with<S: AsRef<str>>(text: &str, schemes: &[S]) -> Result<Self, RedirectUriError> {
        use RedirectUriError as E;
        if text.len() > MAX_REDIRECT_URI {
            return Err(E::TooLong);
        }
        let uri = Uri::parse(text).map_err(|_| E::NotAUri)?;
        if text.contains('#') {
            return Err(E::Fragment);
        }
        let host = uri.authority().map(|a| a.host()).unwrap_or_default();
        if uri.authority().is_some_and(|a| a.userinfo().is_some()) {
            return Err(E::UserInfo);
        }
        if host.contains('*') {
            return Err(E::Wildcard);
        }
        if !has_port_that_exists(&uri) {
            return Err(E::Port);
        }
        match uri.scheme().as_str().to_ascii_lowercase().as_str() {
            "https" if host.is_empty() => Err(E::NoHost),
            "https" => Ok(Self(text.into())),
            "http" if LOOPBACK_HOSTS.contains(&host) => Ok(Self(text.into())),
            "http" => Err(E::PlainHttp),
            private if private.contains('.') => Ok(Self(text.into())),
            named if schemes.iter().any(|scheme| scheme.as_ref() == named) => Ok(Self(text.into())),
            _ => Err(E::Scheme),
        }
    }

    /// The requested URI, if it matches this registered one: the same string, or the same except for the port
    /// of a loopback address. `localhost` counts as one only if the client says so.
    #[must_use]
    pub fn covers(&self, asked: &str, localhost_any_port: bool) -> Option<RedirectUri> {
        if *self.0 == *asked {
            return Some(self.clone());
        }
        let hosts = LOOPBACK_HOSTS.iter().filter(|h| localhost_any_port || **h != "localhost");
        for host in hosts {
            let registered = without_port(&self.0, host);
            if registered.is_some() && registered == without_port(asked, host) {
                return Some(Self(asked.into()));
            }
        }
        None
    }

    /// The URI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host and the port, or the scheme of a private-use URI: what a consent page shows. Only the scheme
    /// of a private-use URI decides which program receives it, so a part that looks like a host is not shown.
    #[must_use]
    pub fn host(&self) -> &str {
        let (scheme, authority) = self.parts();
        match is_http(scheme) {
            true => authority,
            false => scheme,
        }
    }

    /// Whether it leads to a program on the user's own device, which any other program there can impersonate:
    /// a private-use scheme, or a loopback host, also with https.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let (scheme, authority) = self.parts();
        !is_http(scheme) || is_this_machine(without_port_digits(authority))
    }

    /// The scheme, and the host with its port.
    fn parts(&self) -> (&str, &str) {
        let (scheme, rest) = self.0.split_once(':').unwrap_or((&self.0, ""));
        let authority = rest.strip_prefix("//").unwrap_or_default();
        let end = authority.find(['/', '?']).unwrap_or(authority.len());
        (scheme, &authority[..end])
    }

    /// The scheme, if it is a private-use one without a dot.
    pub(crate) fn named_scheme(&self) -> Option<String> {
        let (scheme, _) = self.parts();
        (!is_http(scheme) && !scheme.contains('.')).then(|| scheme.to_ascii_lowercase())
    }
}

/// What an answer may add to the query, where no parameter occurs twice (RFC 6749 section 3.1).
const RESPONSE_PARAMETERS: [&str; 13] = [
    "access_token",
    "code",
    "error",
    "error_description",
    "error_uri",
    "expires_in",
    "id_token",
    "iss",
    "response",
    "scope",
    "session_state",
    "state",
    "token_type",
];

/// Whether a host may allow this private-use scheme without a dot: lower case, and not one that a browser
/// executes, reads or passes to another program.
pub(crate) fn may_be_named(scheme: &str) -> bool {
    let mut bytes = scheme.bytes();
    let begins = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
    let goes_on = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'+' | b'-'));
    begins && goes_on && !TAKEN_SCHEMES.contains(&scheme) && !scheme.ends_with("-extension")
}

const TAKEN_SCHEMES: [&str; 32] = [
    "about",
    "blob",
    "chrome",
    "cid",
    "content",
    "data",
    "edge",
    "file",
    "filesystem",
    "ftp",
    "ftps",
    "geo",
    "http",
    "https",
    "intent",
    "jar",
    "javascript",
    "livescript",
    "mailto",
    "mocha",
    "opera",
    "resource",
    "search-ms",
    "sms",
    "ssh",
    "tel",
    "telnet",
    "urn",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

/// Whether the authority has no port, or a valid one.
pub(crate) fn has_port_that_exists(uri: &Uri<&str>) -> bool {
    let port = uri.authority().and_then(|authority| authority.port());
    port.is_none_or(|port| port.as_str().is_empty() || port.as_str().parse::<u16>().is_ok())
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http")
}

fn without_port_digits(authority: &str) -> &str {
    let plain = authority.trim_end_matches(|c: char| c.is_ascii_digit());
    plain.strip_suffix(':').unwrap_or(authority)
}

/// Whether a host is the user's own device (RFC 6761 section 6.3). An unusual form, which a browser may take
/// for a loopback address, counts as one: the cost of a mistake is a warning.
fn is_this_machine(host: &str) -> bool {
    if let Some(literal) = host.strip_prefix('[') {
        let address = literal.strip_suffix(']').and_then(|text| text.parse::<Ipv6Addr>().ok());
        return address.is_none_or(|address| is_own(address.to_canonical()));
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.starts_with("0x") || last.bytes().all(|b| b.is_ascii_digit());
    match is_number {
        true => name.parse().map_or(true, is_own),
        false => last == "localhost" || name.contains('%'),
    }
}

fn is_own(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

/// The hosts for which plain http is safe: nothing leaves the machine.
pub(super) const LOOPBACK_HOSTS: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// The part after `http://host[:port]`; `None` if the URI has another host or a malformed port.
fn without_port<'a>(uri: &'a str, host: &str) -> Option<&'a str> {
    let rest = uri.strip_prefix("http://")?.strip_prefix(host)?;
    let Some(rest) = rest.strip_prefix(':') else {
        return Some(rest).filter(|r| starts_path(r));
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (port, path) = rest.split_at(digits);
    let fits = digits <= 5 && port.parse::<u16>().is_ok();
    Some(path).filter(|p| fits && starts_path(p))
}

fn starts_path(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/') || rest.starts_with('?')
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedirectUri({:?})", &*self.0)
    }
}

/// Why a redirect URI cannot be registered (`invalid_redirect_uri` of RFC 7591).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectUriError {
    /// Longer than [`MAX_REDIRECT_URI`].
    #[error("it is longer than {MAX_REDIRECT_URI} bytes")]
    TooLong,
    /// Not an absolute URI by RFC 3986.
    #[error("it is not an absolute URI")]
    NotAUri,
    /// RFC 6749 section 3.1.2.
    #[error("it must not have a fragment")]
    Fragment,
    /// A user name before the host misleads people and parsers.
    #[error("it must not have a user name or password")]
    UserInfo,
    /// Only complete URIs are registered (RFC 9700 section 4.1.3).
    #[error("it must not have a wildcard")]
    Wildcard,
    /// Its query has a parameter that responses have, such as `code`, `state` or `iss`, so it would occur
    /// twice (RFC 6749 section 3.1).
    #[error("its query must not have a parameter of the response, like code, state or iss")]
    ResponseParameter,
    /// `https:` without a host.
    #[error("it has no host")]
    NoHost,
    /// RFC 3986 section 3.2.3 sets no upper limit, but TCP does.
    #[error("its port is larger than 65535")]
    Port,
    /// RFC 9700 section 2.6.
    #[error("plain http is only for 127.0.0.1, [::1] and localhost")]
    PlainHttp,
    /// RFC 8252 section 7.1; this also excludes `javascript:` and the like.
    #[error(
        "a private-use scheme must be a reversed domain name, like com.example.app, or one that the host names"
    )]
    Scheme,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> RedirectUri {
        RedirectUri::register(text).unwrap()
    }

    #[test]
    fn what_may_be_registered() {
        for good in [
            "https://app.example/cb",
            "https://app.example:8443/cb?a=1",
            "https://app.example/code?State=1&xcode=code&a=b?iss=c",
            "http://127.0.0.1/cb",
            "http://[::1]:9000/cb",
            "http://localhost/cb",
            "com.example.app:/cb",
            "com.example.app://host/cb",
        ] {
            assert!(RedirectUri::register(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn what_may_not() {
        use RedirectUriError as E;
        for (bad, why) in [
            ("/cb", E::NotAUri),
            ("", E::NotAUri),
            ("https://app.example/cb#f", E::Fragment),
            ("https://app.example/cb#", E::Fragment),
            ("https://me@app.example/cb", E::UserInfo),
            ("https://*.example/cb", E::Wildcard),
            ("https:///cb", E::NoHost),
            ("http://app.example/cb", E::PlainHttp),
            ("http://127.0.0.1.evil.example/cb", E::PlainHttp),
            ("http://127.0.0.2/cb", E::PlainHttp),
            ("myapp:/cb", E::Scheme),
            ("javascript:alert(1)", E::Scheme),
            ("JaVaScRiPt:alert(1)", E::Scheme),
            ("data:text/html,x", E::Scheme),
            ("https://app.example:99999/cb", E::Port),
            ("https://app.example:65536/cb", E::Port),
            ("http://127.0.0.1:99999/cb", E::Port),
            ("com.example.app://host:99999/cb", E::Port),
            ("https://app.example:000000080000000000000000/cb", E::Port),
            ("https://app.example/c b", E::NotAUri),
            ("https://app.example/\r\nx", E::NotAUri),
            ("https://app.example/cb?a=1&code=1", E::ResponseParameter),
            ("https://app.example/cb?iss", E::ResponseParameter),
            ("https://app.example/cb?%73tate=q", E::ResponseParameter),
            ("http://127.0.0.1/cb?response=x", E::ResponseParameter),
            ("com.example.app:/cb?id_token=x", E::ResponseParameter),
        ] {
            assert_eq!(RedirectUri::register(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn only_a_loopback_port_may_differ() {
        let registered = uri("http://127.0.0.1:1234/cb?a=1");
        for good in ["http://127.0.0.1/cb?a=1", "http://127.0.0.1:0/cb?a=1", "http://127.0.0.1:65535/cb?a=1"]
        {
            assert_eq!(registered.covers(good, false).unwrap().as_str(), good);
        }
        for bad in [
            "http://127.0.0.1:65536/cb?a=1",
            "http://127.0.0.1:1/cb",
            "http://127.0.0.1:1/cb?a=1#x",
            "http://127.0.0.1:1@evil.example/cb?a=1",
            "http://127.0.0.1.evil.example/cb?a=1",
            "http://127.0.0.1:/cb?a=1&",
            "http://[::1]:1/cb?a=1",
            "http://localhost:1/cb?a=1",
            "https://127.0.0.1:1/cb?a=1",
            "HTTP://127.0.0.1:1/cb?a=1",
        ] {
            assert_eq!(registered.covers(bad, true), None, "{bad}");
        }
    }

    #[test]
    fn localhost_is_a_loopback_only_by_request() {
        let registered = uri("http://localhost/callback");
        assert!(registered.covers("http://localhost:5000/callback", true).is_some());
        assert!(registered.covers("http://localhost:5000/callback", false).is_none());
        assert!(registered.covers("http://localhost/callback", false).is_some());
    }

    #[test]
    fn the_host_is_what_a_person_should_read() {
        assert_eq!(uri("https://app.example:8443/cb").host(), "app.example:8443");
        assert_eq!(uri("com.example.app:/cb").host(), "com.example.app");
        assert_eq!(uri("https://app.example?x").host(), "app.example");
        assert_eq!(uri("HTTPS://app.example/cb").host(), "app.example");
    }

    #[test]
    fn ft_16_of_a_private_scheme_the_scheme_is_what_counts() {
        for text in ["com.evil.app://accounts.google.com/cb", "com.evil.app://accounts.google.com"] {
            assert_eq!(uri(text).host(), "com.evil.app", "{text}");
        }
    }

    #[test]
    fn ft_17_a_loopback_host_is_local_by_https_too() {
        for local in [
            "https://localhost/cb",
            "https://LOCALHOST:8443/cb",
            "https://localhost./cb",
            "https://app.localhost/cb",
            "https://127.0.0.1/cb",
            "https://127.9.9.9:1/cb",
            "https://127.1/cb",
            "https://2130706433/cb",
            "https://0x7f.0.0.1/cb",
            "https://0.0.0.0/cb",
            "https://[::1]/cb",
            "https://[::ffff:127.0.0.1]:8443/cb",
            "https://[::]/cb",
            "http://localhost/cb",
            "com.example.app:/cb",
        ] {
            assert!(uri(local).is_local(), "{local}");
        }
        for remote in [
            "https://app.example/cb",
            "HTTPS://app.example/cb",
            "https://localhost.example/cb",
            "https://app.example:8443?x=localhost",
            "https://8.8.8.8/cb",
            "https://[2001:4860:4860::8888]/cb",
        ] {
            assert!(!uri(remote).is_local(), "{remote}");
        }
    }

    #[test]
    fn ft_27_a_host_may_name_schemes_without_a_dot() {
        let named = |text| RedirectUri::register_with(text, &["cursor"]);
        for good in ["cursor://anysphere.cursor-mcp/oauth/callback", "CURSOR://x/cb"] {
            assert!(named(good).is_ok(), "{good}");
            assert_eq!(RedirectUri::register(good), Err(RedirectUriError::Scheme), "{good}");
        }
        for bad in ["vscode://x/cb", "javascript:alert(1)", "cursors://x"] {
            assert_eq!(named(bad), Err(RedirectUriError::Scheme), "{bad}");
        }
        assert_eq!(named("cursor://x/cb#f"), Err(RedirectUriError::Fragment));
        assert_eq!(named("cursor://me@x/cb"), Err(RedirectUriError::UserInfo));
        assert_eq!(named("cursor://accounts.google.com/cb").unwrap().host(), "cursor");
        assert!(["cursor", "vscode-insiders", "a1+b"].iter().all(|scheme| may_be_named(scheme)));
        for scheme in ["", "Cursor", "1a", "a.b", "a:", "https", "javascript", "data", "moz-extension"] {
            assert!(!may_be_named(scheme), "{scheme}");
        }
    }
}
