//! Whether a token of the request can have what the user is asked for: nobody should approve what no token
//! says.

use super::gate::Gate;
use super::rules::any_audience;
use crate::base::{AuthorizationDetail, AuthorizationDetails, ResourceId, ResourceIndicators, Scope};
use crate::error::Reason;

impl Gate<'_> {
    /// Whether a token for this audience may have no scope. The response cannot express an empty scope (RFC
    /// 6749 section 5.1), so a client that requested one would believe that it was granted.
    pub(super) fn needs_no_scope(
        &self,
        audience: Option<&ResourceId>,
        details: &AuthorizationDetails,
    ) -> bool {
        let has_no_scopes = self.rules.own_scope(audience).is_some_and(Scope::is_empty);
        !self.asks_for_scope() && (has_no_scopes || !details.is_empty())
    }

    /// Checks that a token for one of these resources, or for the default audience, can have some of the
    /// scope.
    pub(super) fn check_scope_at(&self, resources: &ResourceIndicators, scope: &Scope) -> Result<(), Reason> {
        let fits = |audience: Option<&ResourceId>| {
            self.rules.has_scope_for(audience, scope) || self.needs_no_scope(audience, &self.asked.details)
        };
        match scope.is_empty() || any_audience(resources, fits) {
            true => Ok(()),
            false => Err(Reason::ScopeExceeded),
        }
    }

    /// Checks that a token for one of these resources, or for the default audience, can carry each requested
    /// detail: the user must not approve what no token says.
    pub(super) fn check_details_at(&self, resources: &ResourceIndicators) -> Result<(), Reason> {
        let fits = |detail: &AuthorizationDetail| {
            any_audience(resources, |audience| self.rules.takes(audience, self.client)(detail))
        };
        match self.asked.details.as_slice().iter().all(fits) {
            true => Ok(()),
            false => Err(Reason::DetailsOfNoResource),
        }
    }
}
