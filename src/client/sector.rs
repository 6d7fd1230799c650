//! The sector of a client with pairwise identifiers (OpenID Connect Core section 8.1).

use std::sync::Arc;

use fluent_uri::Uri;
use serde::{Deserialize, Serialize};

use super::{Client, ClientError, ClientMetadata};
use crate::base::redirect_uri::RedirectUri;

/// How a client identifies users (`subject_type`, OpenID Connect Registration section 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SubjectIdentifierType {
    /// By the host's own identifier, which is the same for every client.
    #[default]
    Public,
    /// By an identifier for its sector only, so clients of different sectors cannot find out that they share
    /// a user.
    Pairwise,
}

impl SubjectIdentifierType {
    /// The name in metadata.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Pairwise => "pairwise",
        }
    }
}

impl Client {
    /// Whether it has pairwise identifiers. This never changes, because a change would give every user a new
    /// identifier.
    #[must_use]
    pub fn is_pairwise(&self) -> bool {
        self.metadata.subject_type == Some(SubjectIdentifierType::Pairwise)
    }

    /// The sector that its pairwise identifiers are for: the host of `sector_identifier_uri`, or that of all
    /// redirect URIs. `None` for a client with public identifiers.
    #[must_use]
    pub fn sector(&self) -> Option<&str> {
        self.sector.as_deref()
    }
}

impl ClientMetadata {
    /// The sector of a client with pairwise identifiers.
    pub(super) fn sector(&self, redirect_uris: &[RedirectUri]) -> Option<Arc<str>> {
        let is_pairwise = self.subject_type == Some(SubjectIdentifierType::Pairwise);
        let sector = || sector_of(self.sector_identifier_uri.as_deref(), redirect_uris);
        is_pairwise.then(sector).flatten().map(Arc::from)
    }

    /// The OpenID Connect members that cannot be registered for a client of this sector.
    pub(super) fn openid_mistakes(&self, sector: Option<&str>) -> impl Iterator<Item = ClientError> + use<> {
        let is_bad = |uri: &Option<Box<str>>| uri.as_deref().is_some_and(|uri| https_host(uri).is_none());
        let is_pairwise = self.subject_type == Some(SubjectIdentifierType::Pairwise);
        let lacks_sector = is_pairwise && sector.is_none();
        let found = [
            is_bad(&self.sector_identifier_uri).then_some(ClientError::SectorIdentifierUri),
            lacks_sector.then_some(ClientError::SectorMissing),
            is_bad(&self.initiate_login_uri).then_some(ClientError::InitiateLoginUri),
        ];
        found.into_iter().flatten()
    }
}

/// The sector of these URIs. Redirect URIs form a sector if they are all https with the same host: a user's
/// own device has no host name.
pub(crate) fn sector_of(
    sector_identifier_uri: Option<&str>,
    redirect_uris: &[RedirectUri],
) -> Option<String> {
    if let Some(uri) = sector_identifier_uri {
        return https_host(uri);
    }
    let mut hosts = redirect_uris.iter().map(|uri| https_host(uri.as_str()).filter(|_| !uri.is_local()));
    let first = hosts.next()??;
    hosts.all(|host| host.as_ref() == Some(&first)).then_some(first)
}

/// The host of an https URL without a user name and a fragment, in lower case.
pub(crate) fn https_host(uri: &str) -> Option<String> {
    let uri = Uri::parse(uri).ok()?;
    let authority = uri.authority()?;
    let is_https = uri.scheme().as_str().eq_ignore_ascii_case("https");
    let is_plain = authority.userinfo().is_none() && uri.fragment().is_none() && !authority.host().is_empty();
    (is_https && is_plain).then(|| authority.host().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sector(sector_identifier_uri: Option<&str>, uris: &[&str]) -> Option<String> {
        let uris: Vec<RedirectUri> = uris.iter().map(|uri| RedirectUri::register(uri).unwrap()).collect();
        sector_of(sector_identifier_uri, &uris)
    }

    #[test]
    fn a_sector_is_one_host() {
        let some = |host: &str| Some(host.to_owned());
        assert_eq!(sector(None, &["https://App.example/cb"]), some("app.example"));
        assert_eq!(
            sector(None, &["https://app.example/a", "https://app.example:8443/b"]),
            some("app.example")
        );
        assert_eq!(sector(None, &["https://a.example/", "https://b.example/"]), None);
        assert_eq!(sector(None, &["http://127.0.0.1/cb"]), None, "every program on the device has that one");
        assert_eq!(sector(None, &["https://localhost/cb"]), None, "this one, too");
        assert_eq!(sector(None, &["https://a.example/", "com.example.app:/cb"]), None);
        assert_eq!(sector(None, &[]), None);
        let named = Some("https://Sector.example/list.json");
        assert_eq!(sector(named, &["https://a.example/", "https://b.example/"]), some("sector.example"));
        for bad in ["http://sector.example/", "https:///x", "https://u@sector.example/", "https://a/#f", "x"]
        {
            assert_eq!(sector(Some(bad), &["https://a.example/"]), None, "{bad}");
        }
    }
}
