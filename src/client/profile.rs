//! [`Profile`]: which generation of OAuth a server speaks.

use super::{GrantType, ResponseType};

/// Which generation of OAuth the server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// No implicit and no password grant, for anybody (OAuth 2.1, RFC 9700 section 2).
    #[default]
    OAuth21,
    /// Both exist for the clients that list them (RFC 6749).
    Rfc6749,
    /// OAuth 2.1 as the clients of the Model Context Protocol speak it, which nobody registers by hand.
    ///
    /// They are known by their metadata documents, or register themselves: the server needs both. The metadata also stand
    /// at `openid-configuration`, where some of them look. A registered `http://localhost` stands for every port of it. Whether a
    /// `resource` stands in both requests or in one of them, and whether it ends with a slash, makes no difference. Whoever
    /// registers itself may ask for every scope that the terms allow: the SDKs register with the scope of the first challenge
    /// and ask users for further ones later (RFC 7591 section 2 lets a server replace what was named, and the answer says so).
    Mcp,
}

/// What a profile is, switch by switch. Every rule reads its switch by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Switches {
    /// The implicit grant exists (RFC 6749 section 4.2).
    pub(crate) implicit: bool,
    /// The password grant exists (RFC 6749 section 4.3).
    pub(crate) password: bool,
    /// A token request may name a resource where the authorization request named none.
    pub(crate) late_resource: bool,
    /// A slash at the end of a `resource` makes no difference: URL libraries put one behind a bare origin.
    pub(crate) resource_slash: bool,
    /// A registered `http://localhost` covers every port of it, unless the client says otherwise.
    pub(crate) localhost_any_port: bool,
    /// A client that registers itself is registered for every scope that its kind may have, whatever it names.
    pub(crate) register_every_scope: bool,
    /// Nobody registers clients by hand: they register themselves, and are known by their documents.
    pub(crate) unknown_clients: bool,
    /// The metadata are also where OpenID Connect has them.
    pub(crate) openid_alias: bool,
}

const OAUTH_21: Switches = Switches {
    implicit: false,
    password: false,
    late_resource: false,
    resource_slash: false,
    localhost_any_port: false,
    register_every_scope: false,
    unknown_clients: false,
    openid_alias: false,
};

const RFC_6749: Switches = Switches { implicit: true, password: true, ..OAUTH_21 };

const MCP: Switches = Switches {
    late_resource: true,
    resource_slash: true,
    localhost_any_port: true,
    register_every_scope: true,
    unknown_clients: true,
    openid_alias: true,
    ..OAUTH_21
};

impl Profile {
    /// Its row of switches.
    pub(crate) const fn switches(self) -> &'static Switches {
        match self {
            Self::OAuth21 => &OAUTH_21,
            Self::Rfc6749 => &RFC_6749,
            Self::Mcp => &MCP,
        }
    }

    /// Whether any client can have this grant type. An extension, besides, has to be one that the server was given.
    #[must_use]
    pub const fn knows(self, grant_type: &GrantType) -> bool {
        match grant_type {
            GrantType::AuthorizationCode
            | GrantType::DeviceCode
            | GrantType::RefreshToken
            | GrantType::ClientCredentials
            | GrantType::TokenExchange
            | GrantType::Extension(_) => true,
            GrantType::Implicit => self.switches().implicit,
            GrantType::Password => self.switches().password,
        }
    }

    /// Whether any client can have this response type.
    #[must_use]
    pub fn answers(self, response_type: ResponseType) -> bool {
        self.knows(&response_type.grant_type())
    }
}
