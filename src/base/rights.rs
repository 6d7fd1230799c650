//! [`AccessRights`]: everything that a grant or a token permits, as one value.

use super::{AuthorizationDetails, Confirmation, ResourceIndicators, Scope};

/// Everything that a grant or a token permits. Everything that is issued carries this whole value. So a new
/// kind of right is a field here and a rule in `issuance/rights.rs`, and no other place can forget it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AccessRights {
    pub(crate) scope: Scope,
    /// The authorization details (RFC 9396).
    pub(crate) details: AuthorizationDetails,
    /// The resources that its tokens may be for; empty is the server's default audience.
    pub(crate) resources: ResourceIndicators,
    /// The key that it is bound to.
    pub(crate) confirmation: Option<Confirmation>,
}

/// The rights by reference: a grant stores their parts separately, where they take the least memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RightsRef<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) details: &'a AuthorizationDetails,
    pub(crate) resources: &'a ResourceIndicators,
    pub(crate) confirmation: Option<&'a Confirmation>,
}

impl AccessRights {
    pub(crate) fn as_ref(&self) -> RightsRef<'_> {
        let Self { scope, details, resources, confirmation } = self;
        RightsRef { scope, details, resources, confirmation: confirmation.as_ref() }
    }
}
