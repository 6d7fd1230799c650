//! [`Profile`]: which version of OAuth a server implements.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{GrantType, ResponseType};
use crate::base::Algorithm;

/// Which version or profile of OAuth the server implements. A FAPI profile can also be set for a single
/// client: [`ClientMetadata::profile`](super::ClientMetadata::profile).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Profile {
    /// No implicit and no password grant for any client (OAuth 2.1, RFC 9700 section 2).
    #[default]
    #[serde(rename = "oauth21")]
    OAuth21,
    /// Implicit and password grants for the clients that list them (RFC 6749).
    #[serde(rename = "rfc6749")]
    Rfc6749,
    /// OAuth 2.1 for clients of the Model Context Protocol, which are not registered manually (revision
    /// 2026-07-28).
    ///
    /// They are identified by their metadata documents
    /// ([`client_id_metadata_documents`](crate::server::AuthorizationServerBuilder::client_id_metadata_documents)),
    /// which must have a `client_name`; with a
    /// [`registrar`](crate::server::AuthorizationServerBuilder::registrar) they also register themselves, on
    /// the terms of [`Registration::open`](crate::Registration::open) unless you give others, and an unused
    /// one is removed after 30 days. The metadata are also at `openid-configuration`, where some clients
    /// look.
    ///
    /// A registered `http://localhost` URI matches any port, and the editors' own redirect schemes are
    /// allowed ([`redirect_schemes`](crate::Registration::redirect_schemes)). A `resource` may be in both
    /// requests or only in one, with or without a trailing slash, and with its scheme and host in any case;
    /// so may the `audience` of a token exchange and the `locations` of authorization details. A
    /// self-registered client may request every scope that the terms allow, because the SDKs register with
    /// the scope of the first challenge and request more later (RFC 7591 section 2 lets a server replace
    /// values, and the response says so). An unknown scope, such as `offline_access`, is ignored, and the
    /// response's `scope` says what was granted (RFC 6749 section 3.3).
    #[serde(rename = "mcp")]
    Mcp,
    /// The FAPI 2.0 Security Profile, for banks, health services and other hosts that must withstand stolen
    /// tokens: see the [manual](crate::manual::fapi).
    ///
    /// Clients authenticate by their own keys, every authorization request is pushed, every token is bound to
    /// a key, refresh tokens do not rotate, and nothing is signed with RS256. A conflicting configuration is
    /// refused when the server is built, and a client that does not meet the profile
    /// ([`Client::check_profile`](super::Client::check_profile)) is not served.
    #[serde(rename = "fapi2")]
    Fapi2Security,
    /// [`Fapi2Security`](Self::Fapi2Security) with FAPI 2.0 Message Signing: requests, responses and
    /// introspection responses are signed, or only those that
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
    /// Authorization requests, as request objects with `aud`, `nbf` and `exp` (FAPI 2.0 Message Signing
    /// section 5.3).
    pub requests: bool,
    /// Authorization responses, by JARM (section 5.4).
    pub responses: bool,
    /// Introspection responses, by RFC 9701 (section 5.5).
    pub introspection: bool,
}

impl MessageSigning {
    /// For a profile that signs no messages.
    pub(crate) const NONE: Self = Self { requests: false, responses: false, introspection: false };
}

impl Default for MessageSigning {
    fn default() -> Self {
        Self { requests: true, responses: true, introspection: true }
    }
}

/// The switches of a profile. Every rule reads its switch by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Switches {
    /// The implicit grant is supported (RFC 6749 section 4.2).
    pub(crate) implicit: bool,
    /// The password grant is supported (RFC 6749 section 4.3).
    pub(crate) password: bool,
    /// A token request may name a resource if the authorization request named none.
    pub(crate) late_resource: bool,
    /// A trailing slash of a `resource`, and the case of its scheme and host, make no difference: URL
    /// libraries add a slash to a bare origin, and users type hosts in any case.
    pub(crate) resource_spelling: bool,
    /// An unknown scope is ignored instead of refused.
    pub(crate) unknown_scopes: bool,
    /// A registered `http://localhost` URI matches any port, unless the client says otherwise.
    pub(crate) localhost_any_port: bool,
    /// A self-registered client gets every scope that the terms allow, regardless of what it requests.
    pub(crate) register_every_scope: bool,
    /// A server with a registrar enables dynamic registration by default.
    pub(crate) open_registration: bool,
    /// A metadata document must have a `client_name`.
    pub(crate) client_name: bool,
    /// The private-use redirect schemes without a dot that self-registered clients may have, unless the terms
    /// name others.
    pub(crate) redirect_schemes: &'static [&'static str],
    /// How long a self-registered client stays without a grant, unless the terms say otherwise.
    pub(crate) unused_after: Option<Duration>,
    /// The metadata are also at the OpenID Connect path.
    pub(crate) openid_alias: bool,
    /// Every access token is bound to a key.
    pub(crate) bound_tokens: bool,
    /// Every authorization request is pushed, and names its redirect URI.
    pub(crate) pushed_requests: bool,
    /// Every client authenticates by its own key, and has no setting that weakens a flow.
    pub(crate) strong_clients: bool,
    /// The signature algorithms of clients and the server.
    pub(crate) algorithms: &'static [Algorithm],
    /// No time in a proof may be more than a minute ahead, even if the proof has a nonce.
    pub(crate) close_clocks: bool,
    /// A token counts only in the `Authorization` header.
    pub(crate) tokens_in_header: bool,
    /// The maximum lifetime of a code.
    pub(crate) longest_code: Option<Duration>,
    /// Messages are signed: the kinds that [`MessageSigning`] names.
    pub(crate) signed_messages: bool,
}

impl Switches {
    /// Whether this algorithm is allowed, by its name in metadata.
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
    close_clocks: false,
    tokens_in_header: false,
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
    close_clocks: true,
    tokens_in_header: true,
    longest_code: Some(Duration::from_secs(60)),
    ..OAUTH_21
};

const FAPI_2_MESSAGE_SIGNING: Switches = Switches { signed_messages: true, ..FAPI_2_SECURITY };

impl Profile {
    /// The switches of this profile.
    pub(crate) const fn switches(self) -> &'static Switches {
        match self {
            Self::OAuth21 => &OAUTH_21,
            Self::Rfc6749 => &RFC_6749,
            Self::Mcp => &MCP,
            Self::Fapi2Security => &FAPI_2_SECURITY,
            Self::Fapi2MessageSigning => &FAPI_2_MESSAGE_SIGNING,
        }
    }

    /// Whether every profile allows this algorithm.
    pub(crate) fn all_take(algorithm: Algorithm) -> bool {
        FAPI_2_SECURITY.algorithms.contains(&algorithm)
    }

    /// Whether it can apply to a single client on a server with another profile.
    pub(crate) const fn is_of_clients(self) -> bool {
        self.switches().strong_clients
    }

    /// The profile that applies to a client: the stricter of the server's and its own.
    #[must_use]
    pub(crate) const fn with_own(self, own: Option<Self>) -> Self {
        match (self, own) {
            (Self::Fapi2MessageSigning, _) | (_, None) => self,
            (_, Some(own)) => own,
        }
    }

    /// Whether any client can have this grant type. An extension must also be configured on the server.
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
