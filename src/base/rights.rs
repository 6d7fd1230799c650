//! [`AccessRights`]: everything that a grant or a token permits, as one value.

use super::{AuthorizationDetails, Confirmation, ResourceIndicators, Scope};

/// Everything that a grant or a token permits. What is issued carries this value whole, so that a new dimension is a member
/// here and a rule in `issuance/rights.rs`, and is not forgotten on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AccessRights {
    pub(crate) scope: Scope,
    /// What a scope cannot say (RFC 9396).
    pub(crate) details: AuthorizationDetails,
    /// The resources that its tokens may be for; none is the server's default audience.
    pub(crate) resources: ResourceIndicators,
    /// The key whose holder alone may use it.
    pub(crate) confirmation: Option<Confirmation>,
}

/// The same in parts: a grant keeps them where they take the least room.
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
