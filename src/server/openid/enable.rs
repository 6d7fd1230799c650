//! Switches OpenID Connect on.

use std::sync::Arc;

use crate::audit::Endpoint;
use crate::openid::{ClaimsSource, Hs256, PairwiseKey};
use crate::server::{AuthorizationServerBuilder, Sessions};

impl<C, S> AuthorizationServerBuilder<C, S> {
    /// Makes the server an OpenID Provider for the host's own users; see [`openid`](crate::openid). This adds
    /// the scope `openid`. Needs a [`token_signer`](Self::token_signer) with a key for RS256, which every
    /// client can verify: give [`Keys`](crate::keys::Keys) that algorithm, possibly with others.
    pub fn openid(mut self, claims: impl ClaimsSource + 'static) -> Self {
        self.options.openid.claims = Some(Arc::new(claims));
        self.options.openid.macs = Some(&Hs256);
        self
    }

    /// Enables pairwise identifiers (`subject_type` `pairwise`, OpenID Connect Core section 8.1). They are an
    /// HMAC-SHA-256, under this secret of at least 32 random bytes, of the client's sector and your own
    /// identifier of the user.
    ///
    /// Never change it: with another secret, or without one, each such client sees every user as a new one.
    /// Anyone who knows the secret and your users can link identifiers to users.
    pub fn pairwise_secret(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.options.openid.pairwise = Some(PairwiseKey::of(secret.as_ref()));
        self
    }

    /// The authentication context classes that sign-ins here can reach
    /// ([`Login::with_acr`](crate::Login::with_acr)), for `acr_values_supported` of the metadata.
    pub fn acr_values<T: Into<String>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.options.openid.acr_values = values.into_iter().map(Into::into).collect();
        self
    }

    /// The values of `display` that your pages support, for `display_values_supported` of the metadata.
    pub fn display_values<T: Into<String>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.options.openid.display_values = values.into_iter().map(Into::into).collect();
        self
    }

    /// Connects your sessions with the grants and the clients that belong to them: `id_token`s have a `sid`,
    /// a logout request finds its session, and clients are notified of its end. Needs
    /// [`openid`](Self::openid), and logins that [name their session](crate::Login::with_session).
    pub fn sessions(mut self, sessions: Sessions) -> Self {
        self.options.sessions = Some(sessions);
        self
    }

    /// Where your logout page is, below the issuer, for `end_session_endpoint` of the metadata. It calls
    /// [`logout`](crate::AuthorizationServer::logout). Needs [`sessions`](Self::sessions).
    pub fn logout_endpoint(mut self, path: impl Into<String>) -> Self {
        self.options.endpoints.put(Endpoint::EndSession, path);
        self
    }
}
