//! [`Origin`]: whose a grant is, and how it came about.

use std::sync::Arc;

use super::bridge::Bridge;
use super::code::SpentCode;
use super::device::SpentDeviceCode;
use super::{Actor, Authentication, Subject};
use crate::base::{AuthorizationDetails, Confirmation, Parties, TokenName};
use crate::client::Client;
use crate::openid::OpenId;

/// The parts of a grant that hardly ever change once it has issued tokens, so its versions share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The client asked for itself, and nothing else is known. All such grants of a client share this.
    Own(Arc<Parties>),
    /// Anything else.
    Other(Arc<Told>),
}

/// Whose a grant is, and what is known about how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    parties: Parties,
    circumstances: Circumstances,
}

/// How a grant came about; the default is that of a client's own grant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Circumstances {
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

impl Origin {
    /// The origin of a new grant of this client.
    pub(super) fn of(client: &Client, subject: Subject, circumstances: Circumstances) -> Self {
        match circumstances == Circumstances::default() && subject == *client.subject() {
            true => Self::Own(Arc::clone(client.parties())),
            false => Self::new(Parties { client: client.id().clone(), subject }, circumstances),
        }
    }

    pub(super) fn new(parties: Parties, circumstances: Circumstances) -> Self {
        match circumstances == Circumstances::default() && parties.is_own() {
            true => Self::Own(Arc::new(parties)),
            false => Self::Other(Arc::new(Told { parties, circumstances })),
        }
    }

    pub(super) fn parties(&self) -> &Parties {
        match self {
            Self::Own(parties) => parties,
            Self::Other(told) => &told.parties,
        }
    }

    /// `None` for a client's own grant.
    pub(super) fn circumstances(&self) -> Option<&Circumstances> {
        match self {
            Self::Own(_) => None,
            Self::Other(told) => Some(&told.circumstances),
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
        let mut circumstances = self.circumstances().cloned().unwrap_or_default();
        change(&mut circumstances);
        Self::new(self.parties().clone(), circumstances)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::client::ClientId;
    use crate::grant::{Grant, GrantId};

    #[test]
    fn only_the_own_grants_of_a_client_share_their_origin() {
        let client =
            Client::builder("app").redirect_uri("https://app.example/cb").secret("s").build().unwrap();
        let own = Origin::of(&client, client.subject().clone(), Circumstances::default());
        assert!(matches!(&own, Origin::Own(shared) if Arc::ptr_eq(shared, client.parties())));
        assert_eq!(Origin::new(Parties::own(ClientId::new("app")), Circumstances::default()), own);
        for other in [Subject::user("app"), Subject::Client(ClientId::new("another"))] {
            let origin = Origin::of(&client, other.clone(), Circumstances::default());
            assert!(origin.circumstances().is_some());
            assert_eq!(origin.parties().subject, other);
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
