//! The logout URIs of a client: where the browser goes, and where the client is notified.

use fluent_uri::Uri;

use super::metadata::MAX_URI;
use super::{Client, ClientMetadata, Profile};
use crate::base::origin::normalized;
use crate::base::redirect_uri::{RedirectUri, has_port_that_exists};
use crate::outbound::address::Host;

/// What is wrong with a logout URI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogoutUriError {
    /// It must be a valid redirect URI.
    #[error("post_logout_redirect_uris: {0:?} could not be a redirect URI")]
    PostLogoutRedirect(String),
    /// It must be an https URL without user name or fragment; http is allowed only for this machine.
    #[error("backchannel_logout_uri must be an https URL without a fragment or a user name")]
    BackChannel,
    /// Like a back-channel URI, and with the scheme, host and port of a redirect URI (Front-Channel Logout
    /// section 2).
    #[error("frontchannel_logout_uri must be an https URL with the scheme, host and port of a redirect URI")]
    FrontChannel,
}

/// The maximum number of post-logout redirect URIs.
pub(crate) const MAX_POST_LOGOUT_URIS: usize = 16;

/// The logout URIs in the metadata of a client.
pub(crate) struct LogoutUris<'a>(pub(crate) &'a ClientMetadata);

impl LogoutUris<'_> {
    /// Every mistake in them.
    pub(crate) fn mistakes(&self) -> Vec<LogoutUriError> {
        let schemes = self.0.redirect_schemes.as_deref().unwrap_or_default();
        let after = self.0.post_logout_redirect_uris.iter();
        let wrong = after.clone().filter(|uri| RedirectUri::stored_with(uri, schemes).is_err());
        let mut mistakes: Vec<_> = wrong.cloned().map(LogoutUriError::PostLogoutRedirect).collect();
        mistakes.extend(after.skip(MAX_POST_LOGOUT_URIS).cloned().map(LogoutUriError::PostLogoutRedirect));
        if self.0.backchannel_logout_uri.as_deref().is_some_and(|uri| !is_address(uri)) {
            mistakes.push(LogoutUriError::BackChannel);
        }
        let is_near =
            |uri: &str| self.0.redirect_uris.iter().any(|other| normalized(other) == normalized(uri));
        if self.0.frontchannel_logout_uri.as_deref().is_some_and(|uri| !is_address(uri) || !is_near(uri)) {
            mistakes.push(LogoutUriError::FrontChannel);
        }
        mistakes
    }
}

/// Whether the server can call this URL: https, or http on this machine.
fn is_address(text: &str) -> bool {
    let parsed = Uri::parse(text).ok().filter(|_| text.len() <= MAX_URI);
    parsed.is_some_and(|uri| {
        let is_plain = uri.authority().is_some_and(|a| !a.host().is_empty() && a.userinfo().is_none());
        let host = uri.authority().map(|authority| authority.host()).unwrap_or_default();
        let is_loopback = matches!(host, "127.0.0.1" | "[::1]" | "localhost");
        let is_secure = uri.scheme().as_str() == "https" || (uri.scheme().as_str() == "http" && is_loopback);
        is_plain
            && Host::parse(host).is_some()
            && is_secure
            && uri.fragment().is_none()
            && has_port_that_exists(&uri)
    })
}

impl Client {
    /// The requested post-logout redirect URI, if it is registered: compared like redirect URIs.
    pub(crate) fn post_logout_redirect_uri(&self, asked: &str, profile: Profile) -> Option<RedirectUri> {
        let any_port = self.metadata.localhost_any_port.unwrap_or(profile.switches().localhost_any_port);
        let schemes = self.metadata.redirect_schemes.as_deref().unwrap_or_default();
        let registered = self.metadata.post_logout_redirect_uris.iter();
        let mut registered = registered.filter_map(|uri| RedirectUri::stored_with(uri, schemes).ok());
        registered.find_map(|registered| registered.covers(asked, any_port))
    }
}
