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

impl Profile {
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
            GrantType::Implicit | GrantType::Password => matches!(self, Self::Rfc6749),
        }
    }

    /// Whether a registered `http://localhost` stands for every port of it, unless the client says otherwise.
    #[must_use]
    pub const fn frees_localhost_ports(self) -> bool {
        self.is_mcp()
    }

    /// Whether whoever registers itself is registered for every scope that its kind may have, whatever it names.
    #[must_use]
    pub const fn registers_every_scope(self) -> bool {
        self.is_mcp()
    }

    pub(crate) const fn is_mcp(self) -> bool {
        matches!(self, Self::Mcp)
    }

    /// Whether any client can have this response type.
    #[must_use]
    pub fn answers(self, response_type: ResponseType) -> bool {
        self.knows(&response_type.grant_type())
    }
}
