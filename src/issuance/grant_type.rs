//! The facts about each grant type: one row each, which the gate reads by name. Whether a profile has the
//! grant type is a switch of [`Profile`](crate::Profile).

use crate::client::GrantType;

/// The facts about one grant type.
#[derive(Debug)]
pub(crate) struct GrantFacts {
    pub(crate) holder: Holder,
    /// What a new grant begins with.
    pub(crate) begins: Begins,
    /// Whether a client that may refresh gets a refresh token with it (RFC 6749 sections 4.2.2 and 4.4.3).
    pub(crate) refreshable: bool,
    /// Whether a token request may name a resource although the authorization request named none, if the
    /// profile allows that.
    pub(crate) late_resource: bool,
}

/// The subject of the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A user, who is asked on a page.
    Asked,
    /// A user, without a page.
    User,
    /// The client itself, which must authenticate.
    Client,
    /// The exchanged token, or the host, determines it.
    Named,
}

/// What a new grant begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begins {
    /// Tokens, each for one audience.
    Tokens,
    /// A code. It may be for several resources; each of its tokens is for one.
    Code,
    /// A device code. The grant has no user yet; the user is checked when the device code is redeemed.
    DeviceCode,
}

const CODE: GrantFacts =
    GrantFacts { holder: Holder::Asked, begins: Begins::Code, refreshable: true, late_resource: true };
const DEVICE_CODE: GrantFacts = GrantFacts { begins: Begins::DeviceCode, ..CODE };
const IMPLICIT: GrantFacts =
    GrantFacts { holder: Holder::Asked, begins: Begins::Tokens, refreshable: false, late_resource: false };
const REFRESH_TOKEN: GrantFacts =
    GrantFacts { holder: Holder::User, begins: Begins::Tokens, refreshable: true, late_resource: true };
const PASSWORD: GrantFacts = GrantFacts { late_resource: false, ..REFRESH_TOKEN };
const CLIENT_CREDENTIALS: GrantFacts = GrantFacts { holder: Holder::Client, ..IMPLICIT };
/// The host decides on the audiences of an exchange, and on the refresh tokens of an extension grant.
const NAMED: GrantFacts = GrantFacts { holder: Holder::Named, ..IMPLICIT };

impl GrantType {
    /// The facts about this grant type.
    pub(crate) const fn facts(&self) -> &'static GrantFacts {
        match self {
            Self::AuthorizationCode => &CODE,
            Self::DeviceCode => &DEVICE_CODE,
            Self::Implicit => &IMPLICIT,
            Self::RefreshToken => &REFRESH_TOKEN,
            Self::Password => &PASSWORD,
            Self::ClientCredentials => &CLIENT_CREDENTIALS,
            Self::TokenExchange | Self::Extension(_) => &NAMED,
        }
    }
}
