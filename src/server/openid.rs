//! Switches OpenID Connect on.

use std::sync::Arc;

use super::AuthorizationServerBuilder;
use crate::openid::ClaimsSource;

impl<C, S> AuthorizationServerBuilder<C, S> {
    /// Makes the server an OpenID Provider on the host's own users; see [`openid`](crate::openid). The scope `openid` is
    /// known then. Needs a [`token_signer`](Self::token_signer) with a key for RS256, which every client can verify: give
    /// [`Keys`](crate::keys::Keys) that algorithm, beside others.
    pub fn openid(mut self, claims: impl ClaimsSource + 'static) -> Self {
        self.options.openid.claims = Some(Arc::new(claims));
        self
    }

    /// The authentication context classes that sign-ins here can reach ([`Login::with_acr`](crate::Login::with_acr)), for
    /// `acr_values_supported` of the metadata.
    pub fn acr_values<T: Into<String>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.options.openid.acr_values = values.into_iter().map(Into::into).collect();
        self
    }

    /// The values of `display` that your pages make a difference for, for `display_values_supported` of the metadata.
    pub fn display_values<T: Into<String>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.options.openid.display_values = values.into_iter().map(Into::into).collect();
        self
    }
}
