//! The builder's OpenID Connect settings, and the `sub` of users for clients.

#[cfg(feature = "openid")]
mod enable;
mod userinfo;

use std::sync::Arc;

use super::{AuthorizationServer, ConfigError};
use crate::base::Algorithm;
use crate::base::query::with_parameters;
use crate::client::{Client, DocumentUrl};
use crate::error::Refusal;
use crate::grant::Grant;
use crate::issuance::Policy;
use crate::openid::{ClaimsSource, ClientMacs, OpenIdRules, PairwiseKey};

/// The builder's OpenID Connect settings; without a claims source it is off.
#[derive(Default)]
pub(super) struct ProviderSettings {
    pub(super) claims: Option<Arc<dyn ClaimsSource>>,
    /// Signs with client secrets (`HS256`).
    pub(super) macs: Option<&'static dyn ClientMacs>,
    pub(super) acr_values: Vec<String>,
    pub(super) display_values: Vec<String>,
    /// `Some(None)` if the secret is too short.
    pub(super) pairwise: Option<Option<PairwiseKey>>,
}

impl ProviderSettings {
    /// The rules of a provider; `None` without a claims source. `algorithms` are those of the signer's keys,
    /// and `opens_secrets` says whether the host opens client secrets.
    pub(super) fn rules(
        &self,
        algorithms: Vec<Algorithm>,
        opens_secrets: bool,
        policy: &Policy,
    ) -> Option<OpenIdRules> {
        self.claims.as_ref()?;
        Some(OpenIdRules {
            algorithms,
            macs: self.macs.filter(|_| opens_secrets),
            id_token_lifetime: policy.id_token_lifetime,
            acr_values: self.acr_values.clone(),
            display_values: self.display_values.clone(),
            pairwise: self.pairwise.clone().flatten(),
            sessions: None,
        })
    }

    pub(super) fn mistakes(&self, has_sessions: bool, has_logout: bool) -> Vec<ConfigError> {
        let is_off = self.claims.is_none();
        let mistakes = [
            (matches!(self.pairwise, Some(None)), ConfigError::PairwiseSecret),
            (is_off && self.pairwise.is_some(), ConfigError::OpenIdMissing("pairwise_secret")),
            (is_off && has_sessions, ConfigError::OpenIdMissing("sessions")),
            (has_logout && !has_sessions, ConfigError::SessionsMissing),
        ];
        mistakes.into_iter().filter_map(|(is_wrong, mistake)| is_wrong.then_some(mistake)).collect()
    }
}

impl AuthorizationServer {
    /// The `sub` of a grant's user for its client, if it is not the host's own identifier. The outer `None`
    /// means that the client is gone.
    pub(super) async fn sub_of(
        &self,
        grant: &Grant,
        known: &Arc<Client>,
    ) -> Result<Option<Option<Arc<str>>>, Refusal> {
        let pairwise = self.rules().openid.as_ref().is_some_and(|openid| openid.pairwise.is_some());
        let found;
        let client = match grant.client() == known.id() {
            true => known,
            false if !pairwise => return Ok(Some(None)),
            false => match self.find_any_client(grant.client()).await? {
                Some(client) => {
                    found = client;
                    &found
                }
                // A client with a metadata document never has pairwise identifiers.
                None if DocumentUrl::is_claimed_by(grant.client()) => return Ok(Some(None)),
                None => return Ok(None),
            },
        };
        Ok(Some(self.rules().sub_of(grant.subject(), client)?))
    }

    /// The URL at which this client starts a sign-in here (OpenID Connect Core section 4); `None` for a
    /// client without `initiate_login_uri`. The login hint and the target page come from the host, and the
    /// client must validate them.
    #[must_use]
    pub fn initiate_login(
        &self,
        client: &Client,
        login_hint: Option<&str>,
        target_link_uri: Option<&str>,
    ) -> Option<String> {
        let uri = client.metadata().initiate_login_uri.as_deref()?;
        let issuer = Some(&*self.rules().issuer);
        let named = [("iss", issuer), ("login_hint", login_hint), ("target_link_uri", target_link_uri)];
        Some(with_parameters(uri, named.into_iter().filter_map(|(name, value)| Some((name, value?)))))
    }
}
