//! The origin of a URL: its scheme, host and port (RFC 6454).

use fluent_uri::Uri;

/// The beginning of a checked URL up to its path, as it is written.
pub(crate) fn written(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + "://".len());
    let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |at| host + at);
    &url[..end]
}

/// The origin of an http or https URL without user information, as browsers write it: lower case, no default
/// port (RFC 6454 section 6.1).
pub(crate) fn normalized(url: &str) -> Option<String> {
    let uri = Uri::parse(url).ok()?;
    let authority = uri.authority().filter(|a| !a.host().is_empty() && a.userinfo().is_none())?;
    let scheme = uri.scheme().as_str().to_ascii_lowercase();
    let default = match scheme.as_str() {
        "https" => "443",
        "http" => "80",
        _ => return None,
    };
    let port = authority.port().map(|port| port.as_str()).filter(|port| !port.is_empty() && *port != default);
    let port = port.map_or(String::new(), |port| format!(":{port}"));
    Some(format!("{scheme}://{}{port}", authority.host().to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_origin_ends_before_the_path() {
        for (url, origin) in [
            ("https://as.example", "https://as.example"),
            ("https://as.example/a/b?c", "https://as.example"),
            ("https://as.example:8443?c=/", "https://as.example:8443"),
            ("http://[::1]:9400#c", "http://[::1]:9400"),
        ] {
            assert_eq!(written(url), origin, "{url}");
        }
    }

    #[test]
    fn a_normalized_origin_is_that_of_browsers() {
        for (url, origin) in [
            ("https://app.example", Some("https://app.example")),
            ("HTTPS://App.Example:443/a?b#c", Some("https://app.example")),
            ("http://127.0.0.1:9480/mcp", Some("http://127.0.0.1:9480")),
            ("http://[::1]:80", Some("http://[::1]")),
            ("https://app.example:80", Some("https://app.example:80")),
            ("https://app.example:", Some("https://app.example")),
            ("https://user@app.example", None),
            ("https:///a", None),
            ("https://", None),
            ("com.example.app:/a", None),
            ("ftp://app.example", None),
            ("app.example", None),
            ("null", None),
            ("", None),
        ] {
            assert_eq!(normalized(url).as_deref(), origin, "{url}");
        }
    }
}
