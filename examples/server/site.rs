//! The URL of this server.

use std::net::IpAddr;

use serde::Serialize;

/// What every page knows about the server it is on.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Site {
    pub(crate) issuer: String,
    /// The URL that the paths of pages and endpoints follow: the issuer, without a slash at its end.
    pub(crate) root: String,
    /// Host and port, for people.
    pub(crate) host: String,
    /// The path of the issuer, which is a prefix of every page's path. Usually empty.
    pub(crate) base: String,
    /// Whether the issuer is https.
    pub(crate) secure: bool,
}

impl Site {
    /// `None` if the issuer is not an `http` or `https` URL.
    pub(crate) fn of(issuer: &str) -> Option<Self> {
        let (scheme, rest) = issuer.split_once("://")?;
        let secure = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let base = path.trim_end_matches('/').to_owned();
        let root = format!("{scheme}://{host}{base}");
        (!host.is_empty()).then(|| Self {
            issuer: issuer.to_owned(),
            root,
            host: host.to_owned(),
            base,
            secure,
        })
    }

    /// The path of one of this server's pages.
    pub(crate) fn path(&self, page: &str) -> String {
        format!("{}{page}", self.base)
    }
}

/// Whether a host (with or without a port) is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_lie_below_the_issuers_path() {
        let plain = Site::of("http://127.0.0.1:9400").map(|site| (site.path("/login"), site.secure));
        assert_eq!(plain, Some(("/login".to_owned(), false)));
        let nested =
            Site::of("https://login.example/tenants/a/").map(|site| (site.path("/login"), site.secure));
        assert_eq!(nested, Some(("/tenants/a/login".to_owned(), true)));
        for (issuer, root) in [
            ("https://login.example", "https://login.example"),
            ("https://login.example/", "https://login.example"),
            ("https://login.example:1/a/", "https://login.example:1/a"),
        ] {
            assert_eq!(Site::of(issuer).map(|site| site.root).as_deref(), Some(root));
        }
        assert!(Site::of("ftp://login.example").is_none() && Site::of("login.example").is_none());
    }

    #[test]
    fn loopback_is_known_in_every_spelling() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1", "127.1.2.3:9400", "[::1]", "[::1]:80"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example", "127.0.0.1.example:80", "[::2]", "192.0.2.1", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
