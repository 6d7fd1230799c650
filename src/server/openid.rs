//! Switches OpenID Connect on.

use std::sync::Arc;

use super::AuthorizationServerBuilder;
use crate::openid::ClaimsSource;

impl<C, S> AuthorizationServerBuilder<C, S> {
    /// Makes the server an OpenID Provider on the host's own users; see [`openid`](crate::openid). The scope `openid` is
    /// known then. Needs a [`token_signer`](Self::token_signer) with a key for RS256, which every client can verify: give
    /// [`Keys`](crate::keys::Keys) that algorithm, beside others.
    pub fn openid(mut self, claims: impl ClaimsSource + 'static) -> Self {
        self.options.claims = Some(Arc::new(claims));
        self
    }
}
