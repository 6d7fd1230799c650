//! The URL of a client metadata document, which is the client's id.

use fluent_uri::Uri;

use super::ClientId;
use crate::base::is_dots;
use crate::error::Reason;
use crate::outbound::address::Host;

/// The maximum length of the URL, in bytes.
const MAX_URL: usize = 1024;

/// An https URL with a path, without user name, fragment or dot segments (section 3 of the draft). It is
/// never normalised: a different spelling is a different client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DocumentUrl<'a> {
    host: &'a str,
}

impl<'a> DocumentUrl<'a> {
    /// Whether an id is the URL of a document. Generated ids never look like this.
    pub(crate) fn is_claimed_by(id: &ClientId) -> bool {
        id.as_str().starts_with("https://")
    }

    /// Reads an id.
    pub(crate) fn parse(id: &'a ClientId) -> Result<Self, Reason> {
        Self::read(id.as_str()).ok_or(Reason::DocumentUrlRefused)
    }

    /// The host, and the port if there is one: the part that a person can judge.
    pub(crate) fn host(self) -> &'a str {
        self.host
    }

    /// Refuses the path `/`: it would make the whole site the client, which its owner hardly intends, and no
    /// MCP client uses it.
    fn read(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("https://").filter(|_| text.len() <= MAX_URL)?;
        let host = &rest[..rest.find('/')?];
        let uri = Uri::parse(text).ok()?;
        let authority = uri.authority().filter(|a| a.userinfo().is_none() && a.as_str() == host)?;
        let has_port = authority.port().is_none_or(|port| port.as_str().parse::<u16>().is_ok_and(|p| p > 0));
        let path = uri.path().as_str();
        let plain = has_port && path.len() > 1 && !path.split('/').any(is_dots) && !uri.has_fragment();
        (plain && Host::parse(authority.host()).is_some()).then_some(Self { host })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_a_document_is_https_with_a_path() {
        for (good, host) in [
            ("https://client.example/id.json", "client.example"),
            ("https://client.example:8443/a/b?c=d", "client.example:8443"),
            ("https://client.example/a//b/...", "client.example"),
            ("https://8.8.8.8/id", "8.8.8.8"),
        ] {
            assert_eq!(DocumentUrl::read(good).map(DocumentUrl::host), Some(host), "{good}");
        }
        let long = format!("https://client.example/{}", "a".repeat(MAX_URL));
        for bad in [
            "http://client.example/id.json",
            "HTTPS://client.example/id.json",
            "https://client.example",
            "https://client.example/",
            "https://client.example?a/b",
            "https:///id.json",
            "https://client.example/./id.json",
            "https://client.example/a/../id.json",
            "https://client.example/a/..",
            "https://client.example/%2e%2E/id.json",
            "https://client.example/.%2e/id.json",
            "https://client.example/id.json#",
            "https://client.example/id.json#fragment",
            "https://@client.example/id.json",
            "https://user@client.example/id.json",
            "https://user:password@client.example/id.json",
            "https://client.example:/id.json",
            "https://client.example:0/id.json",
            "https://client.example:65536/id.json",
            "https://client.example\\@evil.example/id.json",
            "https://client.example/a b",
            "https://client.example/\u{e9}",
            "https://127.1/id.json",
            "https://0x7f.0.0.1/id.json",
            long.as_str(),
        ] {
            assert!(DocumentUrl::read(bad).is_none(), "{bad}");
        }
    }
}
