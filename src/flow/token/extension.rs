//! The host's own grant types (RFC 6749 section 4.5).
//!
//! ```text
//! Authenticated ─▶ AwaitEntitlement ─▶ AwaitSecrets ─▶ NewGrantDecision
//! ```

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::entitlement::Entitlement;
use super::new_grant::{AwaitSecrets, Bounds};
use crate::base::{ResourceIndicators, Scope};
use crate::client::auth::AuthenticatedClient;
use crate::client::{Client, GrantType, Profile};
use crate::error::{Reason, Refusal};
use crate::flow::{AccountStatus, Facts, RequestedAccess};
pub use crate::http::Parameters;
use crate::http::form::Form;
pub use crate::issuance::ExtensionTerms;
pub(crate) use crate::issuance::KnownExtension;
use crate::issuance::Rules;

/// An unverified request of such a grant type.
#[derive(Debug)]
pub(super) struct Extended {
    known: KnownExtension,
    parameters: Parameters,
}

impl Extended {
    pub(super) fn parse(grant_type: &GrantType, form: &Form<'_>, rules: &Rules) -> Result<Self, Reason> {
        let known = rules.extension(grant_type).ok_or(Reason::GrantTypeUnsupported)?;
        Ok(Self { known: known.clone(), parameters: Parameters::of(form) })
    }

    pub(super) fn grant_type(&self) -> &GrantType {
        &self.known.grant_type
    }
}

/// Waits for the host's entitlement.
#[derive(Debug)]
pub struct AwaitEntitlement {
    client: AuthenticatedClient,
    extended: Extended,
    asked: RequestedAccess,
}

/// The question to the host.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ExtensionAsk<'a> {
    /// The client. It is authenticated, or a public one that the terms allow and that only named itself; the
    /// grant type is registered for it.
    pub client: &'a Client,
    /// The parameters of the request, which are untrusted.
    pub parameters: &'a Parameters,
    /// The requested scope; `None` is all that the client may have. Well-formed, but not yet checked against
    /// any limit.
    pub scope: Option<&'a Scope>,
    /// The requested resources; empty is the server's default audience. They may be unknown.
    pub resources: &'a ResourceIndicators,
    /// The server's issuer identifier, which should be the audience of an assertion.
    pub issuer: &'a str,
    /// The URL of the token endpoint, which may also be the audience of an assertion (RFC 7523 section 3).
    pub token_endpoint: &'a str,
    /// The profile that applies to the client: the stricter of the server's and its own. Accept no signature
    /// that it forbids.
    pub profile: Profile,
    /// See [`Request::peer`](crate::Request::peer).
    pub peer: Option<IpAddr>,
    /// The time by the server's clock.
    pub now: DateTime<Utc>,
}

impl AwaitEntitlement {
    pub(super) fn new(
        client: AuthenticatedClient,
        extended: Extended,
        asked: RequestedAccess,
    ) -> Result<Self, Refusal> {
        if !extended.known.terms.public_clients {
            client.confidential()?;
        }
        Ok(Self { client, extended, asked })
    }

    /// The requesting client.
    #[must_use]
    pub fn client(&self) -> &Arc<Client> {
        self.client.client()
    }

    /// The host's grant type that was requested.
    #[must_use]
    pub fn grant_type(&self) -> &GrantType {
        self.extended.grant_type()
    }

    /// The question to the host, about a request from `peer` to the token endpoint at this URL.
    #[must_use]
    pub fn question<'a>(
        &'a self,
        token_endpoint: &'a str,
        peer: Option<IpAddr>,
        facts: &Facts<'a>,
    ) -> ExtensionAsk<'a> {
        ExtensionAsk {
            client: self.client.client(),
            parameters: &self.extended.parameters,
            scope: self.asked.scope.as_ref(),
            resources: &self.asked.resources,
            issuer: &facts.rules.issuer,
            token_endpoint,
            profile: facts.rules.profile.with_own(self.client.client().profile()),
            peer,
            now: facts.now,
        }
    }

    /// Takes the host's entitlement, and the status of the account of the user in it. The entitlement is a
    /// ceiling, and the gate can still refuse.
    ///
    /// # Errors
    /// It names more resources than a grant can have.
    pub fn with_entitlement(
        self,
        entitlement: Entitlement,
        account_status: AccountStatus,
        facts: &Facts<'_>,
    ) -> Result<AwaitSecrets, Refusal> {
        let Self { client, extended: Extended { known, .. }, asked } = self;
        let KnownExtension { grant_type, terms } = known;
        let subject = Some(entitlement.subject(client.client()));
        let (entitled, authentication) =
            entitlement.bounds(&grant_type, &terms, account_status, facts.now)?;
        let bounds = Bounds::Host(Box::new(entitled));
        Ok(AwaitSecrets { client, subject, authentication, grant_type, asked, bounds })
    }
}
