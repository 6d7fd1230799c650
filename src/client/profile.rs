//! [`Profile`]: which generation of OAuth a server speaks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{GrantType, ResponseType};
use crate::base::Algorithm;

/// Which generation of OAuth the server speaks. The two profiles of FAPI can also be of one client:
/// [`ClientMetadata::profile`](super::ClientMetadata::profile).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Profile {
    /// No implicit and no password grant, for anybody (OAuth 2.1, RFC 9700 section 2).
    #[default]
    #[serde(rename = "oauth21")]
    OAuth21,
    /// Both exist for the clients that list them (RFC 6749).
    #[serde(rename = "rfc6749")]
    Rfc6749,
    /// OAuth 2.1 as the clients of the Model Context Protocol speak it, which are not registered by hand (revision
    /// 2026-07-28).
    ///
    /// They are known by their metadata documents
    /// ([`client_id_metadata_documents`](crate::server::AuthorizationServerBuilder::client_id_metadata_documents)), which have to name the client;
    /// with a [`registrar`](crate::server::AuthorizationServerBuilder::registrar) they also register themselves, on the terms of
    /// [`Registration::open`](crate::Registration::open) unless you give others, and an unused one is removed after 30 days.
    /// The metadata are also at `openid-configuration`, where some clients look.
    ///
    /// A registered `http://localhost` stands for every port of it, and the editors' own redirect schemes are allowed
    /// ([`redirect_schemes`](crate::Registration::redirect_schemes)). Whether a `resource` is in both requests or in one of them,
    /// whether it ends with a slash, and the case of its scheme and host make no difference. A client that registers itself may
    /// ask for every scope that the terms allow: the SDKs register with the scope of the first challenge and ask users for
    /// further ones later (RFC 7591 section 2 lets a server replace what was named, and the answer says so). A scope that is not
    /// known here, such as `offline_access`, is passed over, and the answer's `scope` says what was granted (RFC 6749 section 3.3).
    #[serde(rename = "mcp")]
    Mcp,
    /// The FAPI 2.0 Security Profile, for banks, health services and other hosts where a stolen token must be useless: see the
    /// [manual](crate::manual::fapi).
    ///
    /// Clients prove keys of their own, every authorization request is pushed, every token is bound to a key, refresh tokens do not
    /// rotate, and nothing is signed by RS256. What does not fit is refused when the server is built, and a client that does not fit
    /// ([`Client::check_profile`](super::Client::check_profile)) is not served.
    #[serde(rename = "fapi2")]
    Fapi2Security,
    /// The same with FAPI 2.0 Message Signing: requests, responses and introspection answers are signed, or those of them that
    /// [`message_signing`](crate::server::AuthorizationServerBuilder::message_signing) names.
    #[serde(rename = "fapi2-message-signing")]
    Fapi2MessageSigning,
}

/// Which messages are signed under [`Profile::Fapi2MessageSigning`]; by default all three kinds.
///
/// ```
/// let mut signed = grantor::client::MessageSigning::default();
/// signed.introspection = false;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageSigning {
    /// Authorization requests, as request objects with `aud`, `nbf` and `exp` (FAPI 2.0 Message Signing section 5.3).
    pub requests: bool,
    /// Authorization responses, by JARM (section 5.4).
    pub responses: bool,
    /// Introspection answers, by RFC 9701 (section 5.5).
    pub introspection: bool,
}

impl MessageSigning {
    /// Of a client whose profile signs none.
    pub(crate) const NONE: Self = Self { requests: false, responses: false, introspection: false };
}

impl Default for MessageSigning {
    fn default() -> Self {
        Self { requests: true, responses: true, introspection: true }
    }
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
    /// A slash at the end of a `resource`, and the case of its scheme and host, make no difference: URL libraries put a slash
    /// behind a bare origin, and users type hosts as they like.
    pub(crate) resource_spelling: bool,
    /// A scope that the server does not know is passed over, and is no error.
    pub(crate) unknown_scopes: bool,
    /// A registered `http://localhost` covers every port of it, unless the client says otherwise.
    pub(crate) localhost_any_port: bool,
    /// A client that registers itself is registered for every scope that its kind may have, whatever it names.
    pub(crate) register_every_scope: bool,
    /// A server with a registrar lets clients register themselves, unasked.
    pub(crate) open_registration: bool,
    /// A metadata document has to name its client.
    pub(crate) client_name: bool,
    /// The private-use redirect schemes without a dot that strangers may register, unless the terms name others.
    pub(crate) redirect_schemes: &'static [&'static str],
    /// How long a client that registered itself stays without a grant, unless the terms say otherwise.
    pub(crate) unused_after: Option<Duration>,
    /// The metadata are also where OpenID Connect has them.
    pub(crate) openid_alias: bool,
    /// Every access token is bound to a key.
    pub(crate) bound_tokens: bool,
    /// Every authorization request is pushed, and names its redirect URI.
    pub(crate) pushed_requests: bool,
    /// Every client proves a key of its own, and has no terms that weaken a flow.
    pub(crate) strong_clients: bool,
    /// By which algorithms clients and the server sign.
    pub(crate) algorithms: &'static [Algorithm],
    /// How long a code is valid at most.
    pub(crate) longest_code: Option<Duration>,
    /// Messages are signed as the server says.
    pub(crate) signed_messages: bool,
}

impl Switches {
    /// Whether this algorithm counts, by its name in metadata.
    pub(crate) fn allows(&self, algorithm: &str) -> bool {
        Algorithm::parse(algorithm).is_some_and(|known| self.algorithms.contains(&known))
    }
}

const OAUTH_21: Switches = Switches {
    implicit: false,
    password: false,
    late_resource: false,
    resource_spelling: false,
    unknown_scopes: false,
    localhost_any_port: false,
    register_every_scope: false,
    open_registration: false,
    client_name: false,
    redirect_schemes: &[],
    unused_after: None,
    openid_alias: false,
    bound_tokens: false,
    pushed_requests: false,
    strong_clients: false,
    algorithms: Algorithm::ALL,
    longest_code: None,
    signed_messages: false,
};

const RFC_6749: Switches = Switches { implicit: true, password: true, ..OAUTH_21 };

const MCP: Switches = Switches {
    late_resource: true,
    resource_spelling: true,
    unknown_scopes: true,
    localhost_any_port: true,
    register_every_scope: true,
    open_registration: true,
    client_name: true,
    redirect_schemes: &["cursor", "vscode", "vscode-insiders", "windsurf"],
    unused_after: Some(Duration::from_secs(30 * 24 * 60 * 60)),
    openid_alias: true,
    ..OAUTH_21
};

const FAPI_2_SECURITY: Switches = Switches {
    bound_tokens: true,
    pushed_requests: true,
    strong_clients: true,
    algorithms: &[Algorithm::EdDsa, Algorithm::Es256, Algorithm::Ps256],
    longest_code: Some(Duration::from_secs(60)),
    ..OAUTH_21
};

const FAPI_2_MESSAGE_SIGNING: Switches = Switches { signed_messages: true, ..FAPI_2_SECURITY };

impl Profile {
    /// Its row of switches.
    pub(crate) const fn switches(self) -> &'static Switches {
        match self {
            Self::OAuth21 => &OAUTH_21,
            Self::Rfc6749 => &RFC_6749,
            Self::Mcp => &MCP,
            Self::Fapi2Security => &FAPI_2_SECURITY,
            Self::Fapi2MessageSigning => &FAPI_2_MESSAGE_SIGNING,
        }
    }

    /// Whether a single client can be held to it by a server of another profile.
    pub(crate) const fn is_of_clients(self) -> bool {
        self.switches().strong_clients
    }

    /// The profile that a client of this server is held to: of two, the stricter one.
    #[must_use]
    pub(crate) const fn with_own(self, own: Option<Self>) -> Self {
        match (self, own) {
            (Self::Fapi2MessageSigning, _) | (_, None) => self,
            (_, Some(own)) => own,
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

    /// Whether any client can have this response type; one with an `id_token` needs an OpenID Provider, too.
    #[must_use]
    pub fn answers(self, response_type: ResponseType) -> bool {
        response_type.grant_types().iter().all(|grant_type| self.knows(grant_type))
    }
}
