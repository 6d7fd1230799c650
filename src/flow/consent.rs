//! What a user is asked to grant, and what they decide: shared by the consent in a browser and for a device.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::base::{AuthorizationDetails, Digest, ResourceIndicators, Scope};
use crate::client::Client;
use crate::error::Reason;
use crate::issuance::Rules;

/// What is requested and, after the user's choice, what is left of it.
#[derive(Debug)]
pub(crate) struct Terms {
    client: Arc<Client>,
    scope: Scope,
    resources: ResourceIndicators,
    details: AuthorizationDetails,
    /// Whether any access was requested; some requests only ask who the user is.
    asks: bool,
}

impl Terms {
    pub(crate) fn new(
        client: Arc<Client>,
        scope: Scope,
        resources: ResourceIndicators,
        details: AuthorizationDetails,
    ) -> Self {
        let asks = !scope.is_empty() || !details.is_empty();
        Self { client, scope, resources, details, asks }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(crate) fn resources(&self) -> &ResourceIndicators {
        &self.resources
    }

    pub(crate) fn details(&self) -> &AuthorizationDetails {
        &self.details
    }

    /// A digest of what the user is shown, `more` included. It covers all metadata of the client, because a
    /// page can show any of them.
    pub(crate) fn fingerprint(&self, more: impl Serialize) -> String {
        let client = &self.client;
        let shown = (client.id(), client.metadata(), (&self.scope, &self.resources, &self.details), more);
        // JSON separates the parts unambiguously, and serialising them cannot fail.
        let shown = serde_json::to_vec(&shown).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(Digest::of("grantor:consent:v2", &shown).expose())
    }

    /// Keeps the scope that is also in `part`; a scope that was not requested is not granted.
    pub(crate) fn narrow_scope(&mut self, part: &Scope) {
        self.scope = self.scope.intersection(part);
    }

    /// Replaces the details by those that the user grants: fewer, narrower, or enriched by a choice (RFC 9396
    /// section 7.1).
    ///
    /// # Errors
    /// A detail has a type that was not requested, or is not valid for its type. Nothing changes.
    pub(crate) fn set_details(&mut self, details: AuthorizationDetails, rules: &Rules) -> Result<(), Reason> {
        rules.detail_types.check(&details, &self.client, true)?;
        let was_asked = |kind| self.details.as_slice().iter().any(|asked| asked.kind() == kind);
        if !details.as_slice().iter().all(|detail| was_asked(detail.kind())) {
            return Err(Reason::DetailsExceeded);
        }
        self.details = details;
        Ok(())
    }

    /// Whether access was requested, but nothing is left that a token could have: to approve nothing is to
    /// deny.
    pub(crate) fn is_nothing(&self, rules: &Rules) -> bool {
        self.asks && self.details.is_empty() && !rules.is_usable(&self.resources, &self.scope)
    }
}
