//! The terms of a host's grant type (RFC 6749 section 4.5).

use crate::client::GrantType;

/// The terms of a host's grant type, read once, when the server is built. By default it has none of these
/// rights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct ExtensionTerms {
    pub(crate) public_clients: bool,
    pub(crate) refresh_tokens: bool,
    pub(crate) single_use: bool,
    pub(crate) profiles: Vec<&'static str>,
}

impl ExtensionTerms {
    /// Also allows public clients that registered the grant type. Only the content of the request then keeps
    /// attackers out.
    pub fn public_clients(self) -> Self {
        Self { public_clients: true, ..self }
    }

    /// An [`Entitlement`](crate::flow::token::Entitlement) may ask for a refresh token; it is given to
    /// clients that registered `refresh_token`.
    pub fn refresh_tokens(self) -> Self {
        Self { refresh_tokens: true, ..self }
    }

    /// Entitlements [work once](crate::flow::token::Entitlement::single_use), so the server needs a
    /// [replay guard](crate::server::AuthorizationServerBuilder::replay_guard).
    pub fn single_use(self) -> Self {
        Self { single_use: true, ..self }
    }

    /// A profile of the grant type, for `authorization_grant_profiles_supported` of the metadata
    /// (draft-ietf-oauth-identity-assertion-authz-grant section 7.2).
    pub fn profile(mut self, name: &'static str) -> Self {
        self.profiles.push(name);
        self
    }
}

/// A grant type of the host, after the check of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct KnownExtension {
    pub(crate) grant_type: GrantType,
    pub(crate) terms: ExtensionTerms,
}
