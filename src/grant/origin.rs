//! [`Origin`]: whose a grant is, and how it came about.

use std::sync::Arc;

use super::bridge::Bridge;
use super::code::SpentCode;
use super::device::SpentDeviceCode;
use super::{Actor, Authentication};
use crate::base::{AuthorizationDetails, Confirmation, Parties, TokenName};
use crate::openid::OpenId;

/// The parts of a grant that hardly ever change once it has issued tokens, so its versions share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The client asked for itself, and nothing else is known. All such grants of a client share this.
    Own(Arc<Parties>),
    /// Anything else.
    Other(Arc<Circumstances>),
}

/// What is known about the origin of a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Circumstances {
    pub(super) parties: Parties,
    /// How the user signed in.
    pub(super) authentication: Option<Authentication>,
    /// Who acts for the subject, if the grant is the result of a token exchange.
    pub(super) actor: Option<Actor>,
    /// The token that was exchanged; the grant ends with it. Boxed, because it is rare.
    pub(super) parent: Option<Box<TokenName>>,
    /// The approved authorization details.
    pub(super) details: AuthorizationDetails,
    /// The data of OpenID Connect; `None` in a grant of plain OAuth.
    pub(super) openid: Option<Box<OpenId>>,
    /// The key that the grant, its code and its refresh tokens are bound to. Boxed, because most grants have
    /// none.
    pub(super) confirmation: Option<Box<Confirmation>>,
    /// The code that it began with, while its tokens are live.
    pub(super) spent: Option<Arc<Spent>>,
}

/// A redeemed code or device code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spent {
    Code(SpentCode),
    Device(SpentDeviceCode),
}

impl Circumstances {
    /// Nothing but whose the grant is.
    pub(super) fn of(parties: Parties) -> Self {
        Self {
            parties,
            authentication: None,
            actor: None,
            parent: None,
            details: AuthorizationDetails::default(),
            openid: None,
            confirmation: None,
            spent: None,
        }
    }

    fn is_bare(&self) -> bool {
        let Self { parties: _, authentication, actor, parent, details, openid, confirmation, spent } = self;
        let is_bare = authentication.is_none() && actor.is_none() && parent.is_none();
        is_bare && details.is_empty() && openid.is_none() && confirmation.is_none() && spent.is_none()
    }
}

impl Origin {
    pub(super) fn parties(&self) -> &Parties {
        match self {
            Self::Own(parties) => parties,
            Self::Other(circumstances) => &circumstances.parties,
        }
    }

    /// What is known besides its parties, if anything.
    pub(super) fn circumstances(&self) -> Option<&Circumstances> {
        match self {
            Self::Own(_) => None,
            Self::Other(circumstances) => Some(circumstances),
        }
    }

    pub(super) fn spent(&self) -> Option<&Spent> {
        self.circumstances()?.spent.as_deref()
    }

    pub(super) fn spent_code(&self) -> Option<&SpentCode> {
        match self.spent()? {
            Spent::Code(spent) => Some(spent),
            Spent::Device(_) => None,
        }
    }

    pub(super) fn spent_device_code(&self) -> Option<&SpentDeviceCode> {
        match self.spent()? {
            Spent::Device(spent) => Some(spent),
            Spent::Code(_) => None,
        }
    }

    /// The stored response to the code, if any.
    pub(super) fn first_answer(&self) -> Option<&Bridge> {
        match self.spent()? {
            Spent::Code(SpentCode { bridge, .. }) | Spent::Device(SpentDeviceCode { bridge, .. }) => {
                bridge.as_ref()
            }
        }
    }

    /// Erases the response to the code: one of its tokens was used, so it arrived, and must not be repeated.
    pub(super) fn forget_first_answer(&mut self) {
        if self.first_answer().is_none() {
            return;
        }
        *self = self.with(|origin| match origin.spent.as_mut().map(Arc::make_mut) {
            Some(Spent::Code(SpentCode { bridge, .. }) | Spent::Device(SpentDeviceCode { bridge, .. })) => {
                *bridge = None
            }
            None => {}
        });
    }

    /// The same, with a change.
    pub(super) fn with(&self, change: impl FnOnce(&mut Circumstances)) -> Self {
        let mut circumstances = match self {
            Self::Own(parties) => Circumstances::of(Parties::clone(parties)),
            Self::Other(circumstances) => Circumstances::clone(circumstances),
        };
        change(&mut circumstances);
        circumstances.into()
    }
}

impl From<Circumstances> for Origin {
    fn from(circumstances: Circumstances) -> Self {
        match circumstances.is_bare() && circumstances.parties.is_own() {
            true => Self::Own(Arc::new(circumstances.parties)),
            false => Self::Other(Arc::new(circumstances)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Subject;
    use crate::client::ClientId;
    use crate::grant::{Grant, GrantId};

    fn parties(subject: Subject) -> Parties {
        Parties { client: ClientId::new("app"), subject }
    }

    #[test]
    fn only_a_clients_own_grant_is_of_its_own() {
        let own = Origin::from(Circumstances::of(Parties::own(ClientId::new("app"))));
        assert!(matches!(own, Origin::Own(_)));
        for other in [Subject::user("app"), Subject::Client(ClientId::new("another"))] {
            let origin = Origin::from(Circumstances::of(parties(other.clone())));
            assert!(origin.circumstances().is_some());
            assert_eq!(origin.parties(), &parties(other));
        }
    }

    #[test]
    fn a_change_that_is_taken_back_leaves_no_trace() {
        let own = Origin::Own(Arc::new(Parties::own(ClientId::new("app"))));
        let named =
            own.with(|origin| origin.parent = Some(Box::new(TokenName::Unrecorded(GrantId::new([1; 16])))));
        assert_ne!(named, own);
        assert_eq!(named.parties(), own.parties());
        assert_eq!(named.with(|origin| origin.parent = None), own);
    }

    #[test]
    fn a_grant_is_small() {
        assert!(size_of::<Grant>() <= 152, "{}", size_of::<Grant>());
    }
}
