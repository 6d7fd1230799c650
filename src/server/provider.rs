//! What a builder is told of OpenID Connect.

use std::sync::Arc;

use crate::base::Algorithm;
use crate::openid::{ClaimsSource, OpenIdRules};
use crate::policy::Policy;

/// What a builder is told of OpenID Connect; without a source of claims, it is off.
#[derive(Default)]
pub(super) struct ProviderSettings {
    pub(super) claims: Option<Arc<dyn ClaimsSource>>,
    pub(super) acr_values: Vec<String>,
    pub(super) display_values: Vec<String>,
}

impl ProviderSettings {
    /// The rules of a provider whose signer has keys for these algorithms.
    pub(super) fn rules(&self, algorithms: Vec<Algorithm>, policy: &Policy) -> Option<OpenIdRules> {
        self.claims.as_ref()?;
        Some(OpenIdRules {
            algorithms,
            id_token_lifetime: policy.id_token_lifetime,
            acr_values: self.acr_values.clone(),
            display_values: self.display_values.clone(),
        })
    }
}
