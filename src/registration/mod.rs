//! [`Registration`]: the terms on which clients register themselves (RFC 7591) and manage their registration
//! (RFC 7592).
//!
//! Everything that such a client says about itself is only a claim. The server registers what the profile,
//! the terms and the host's policy allow, and the response lists it (RFC 7591 section 3.2.1), so a client can
//! see what was dropped.
//!
//! | what a client asks for | what it gets by default |
//! | --- | --- |
//! | `grant_types` | `authorization_code` and `refresh_token`; others are dropped, and a client without any left is refused |
//! | `scope` | the requested scopes that the server knows, others are dropped; all of them if it names none, and always under [`Profile::Mcp`] |
//! | `redirect_uris` | the first 16 that are allowed: https, http on a loopback address, private-use schemes with a dot and those of [`Registration::redirect_schemes`]; under FAPI only https, and http on `127.0.0.1` or `[::1]`; others are dropped, and a client without any left is refused |
//! | `token_endpoint_auth_method`, `token_endpoint_auth_methods_supported` | the first of them that the server has: `none`, `client_secret_basic`, `client_secret_post`; `private_key_jwt` if it verifies what clients sign; `self_signed_tls_client_auth` if it reads certificates, and `tls_client_auth` if their chains are verified, too. A client that names only other methods is refused |
//! | `client_uri`, `logo_uri`, `tos_uri`, `policy_uri`, `contacts`, `software_id`, `software_version` | what is well-formed; the rest is dropped |
//! | `require_pushed_authorization_requests` | what it asks for |
//! | `id_token_signed_response_alg`, `userinfo_signed_response_alg`, `subject_type`, `sector_identifier_uri`, `default_max_age`, `require_auth_time`, `default_acr_values`, `initiate_login_uri` | what it asks for, `HS256` only for a client with a secret; what the provider does not support is refused; without OpenID Connect they are ignored |
//! | `response_modes` | those that the server has, which are the only ones then; others are dropped, and a client without any left is refused |
//! | `dpop_bound_access_tokens` | what it asks for; `true` is refused if the server does not accept DPoP proofs |
//! | `jwks`, `jwks_uri` | both at once are refused; one alone is used for `private_key_jwt` and `self_signed_tls_client_auth`, and if clients can sign their requests; otherwise it is ignored |
//! | `request_object_signing_alg`, `require_signed_request_object`, `authorization_signed_response_alg`, `introspection_signed_response_alg` | what it asks for; what the server does not support is refused. A server that accepts only signed requests refuses a client that uses the authorization endpoint and has no keys |
//! | `tls_client_certificate_bound_access_tokens` | what it asks for; `true` is refused if the server does not bind tokens to certificates |
//! | a software statement | refused, until the host trusts an issuer |
//! | what the profile of the server forbids its clients ([`Client::check_profile`](crate::Client::check_profile)) | refused |
//! | any other member, localised names (`client_name#de`) and grantor's own ones included | ignored |

mod logout;
mod member;
mod openid;
mod policy;
mod statement;
#[cfg(feature = "jwt")]
mod trusted_issuers;
mod values;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use member::Member;
pub(crate) use openid::lists_all;
pub use policy::{Allowance, Applicant, RegistrationPolicy, Review};
pub use statement::{StatementError, StatementVerifier};
#[cfg(feature = "jwt")]
pub use trusted_issuers::TrustedIssuers;
pub(crate) use wire::{MetadataBody, RequestedMetadata, is_served};

use crate::base::{Digest, SecretText};
use crate::client::{GrantType, Profile};
use crate::outbound::Outbound;
use crate::trust::Few;

/// The terms of registration over HTTP. Give them to
/// [`AuthorizationServerBuilder::registration`](crate::server::AuthorizationServerBuilder::registration), which switches the
/// endpoint on.
///
/// ```
/// use std::time::Duration;
/// use grantor::registration::Registration;
/// let terms = Registration::open()
///     .scopes(["read", "write"])
///     .unused_after(Duration::from_secs(30 * 24 * 60 * 60));
/// ```
#[must_use]
pub struct Registration {
    /// Digests of the initial access tokens; if empty, registration is open.
    pub(crate) tokens: Vec<Digest>,
    pub(crate) policy: Option<Arc<dyn RegistrationPolicy>>,
    pub(crate) statements: Option<Arc<dyn StatementVerifier>>,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) grant_types: Vec<GrantType>,
    pub(crate) localhost_any_port: bool,
    pub(crate) is_pkce_optional: bool,
    /// `None` is the profile's default.
    pub(crate) redirect_schemes: Option<Vec<String>>,
    pub(crate) is_managed: bool,
    pub(crate) secret_lifetime: Option<Duration>,
    pub(crate) unused: Unused,
    pub(crate) per_minute: u32,
    pub(crate) per_day: u32,
    pub(crate) sectors: Option<Arc<dyn Outbound>>,
}

impl Registration {
    /// Anyone may register a client (RFC 7591 section 3, "open registration").
    pub fn open() -> Self {
        Self {
            tokens: Vec::new(),
            policy: None,
            statements: None,
            scopes: None,
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            localhost_any_port: false,
            is_pkce_optional: false,
            redirect_schemes: None,
            is_managed: true,
            secret_lifetime: None,
            unused: Unused::ByProfile,
            per_minute: 20,
            per_day: 10_000,
            sectors: None,
        }
    }

    /// Requires this initial access token, which may be used as often as the limit allows. Use at least 128
    /// random bits: only a fast digest of it is kept.
    pub fn with_initial_access_token(token: impl Into<String>) -> Self {
        Self::open().initial_access_token(token)
    }

    /// The host decides about each registration and each change.
    pub fn by_policy(policy: impl RegistrationPolicy + 'static) -> Self {
        Self { policy: Some(Arc::new(policy)), ..Self::open() }
    }

    /// Adds another initial access token.
    pub fn initial_access_token(mut self, token: impl Into<String>) -> Self {
        self.tokens.push(initial_token_digest(&SecretText::new(token)));
        self
    }

    /// Every scope that these clients may have; by default all that the server knows. Set it if some are only
    /// for your own applications.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// Every grant type that these clients may have; by default `authorization_code` and `refresh_token`.
    /// With `client_credentials`, anyone who may register gets tokens without any user.
    pub fn grant_types(mut self, types: impl IntoIterator<Item = GrantType>) -> Self {
        self.grant_types = types.into_iter().collect();
        self
    }

    /// Lets a registered `http://localhost` URI match any port, as one with `127.0.0.1` does: some native
    /// clients register a fixed URI and listen on any port.
    pub fn localhost_any_port(mut self) -> Self {
        self.localhost_any_port = true;
        self
    }

    /// Lets confidential clients do without PKCE, which many OpenID Connect clients do not know. Against the
    /// injection of a code they then have only their `nonce`, and only if they check it (RFC 9700 section
    /// 2.1.1).
    pub fn pkce_optional(mut self) -> Self {
        self.is_pkce_optional = true;
        self
    }

    /// Private-use schemes without a dot that redirect URIs may have, such as `cursor`; by default none, and
    /// under [`Profile::Mcp`] `cursor`, `vscode`, `vscode-insiders` and `windsurf`. Any program on a user's
    /// device can claim such a scheme: PKCE protects the code, and the consent page must warn
    /// ([`Consent::redirect_is_local`](crate::Consent::redirect_is_local)).
    pub fn redirect_schemes<S: Into<String>>(mut self, schemes: impl IntoIterator<Item = S>) -> Self {
        self.redirect_schemes = Some(schemes.into_iter().map(Into::into).collect());
        self
    }

    /// Issues no registration access tokens: registrations cannot be changed by their clients.
    pub fn without_management(mut self) -> Self {
        self.is_managed = false;
        self
    }

    /// The lifetime of client secrets; by default unlimited (`client_secret_expires_at` 0). A client whose
    /// secret has expired gets a new one with its next `PUT`.
    pub fn secret_lifetime(mut self, lifetime: Duration) -> Self {
        self.secret_lifetime = Some(lifetime);
        self
    }

    /// How long after its registration a client without any grant is removed by
    /// [`sweep_clients`](crate::AuthorizationServer::sweep_clients): it was never used, or its grants have
    /// ended and were purged. By default such clients stay; under [`Profile::Mcp`] they are removed after 30
    /// days. This does not slow requests down, and the host's own clients are never removed.
    pub fn unused_after(mut self, idle: Duration) -> Self {
        self.unused = Unused::After(idle);
        self
    }

    /// Keeps unused clients, under [`Profile::Mcp`] too.
    pub fn keep_unused(mut self) -> Self {
        self.unused = Unused::Kept;
        self
    }

    /// The number of registrations a minute from one address, refused ones included; by default 20, and 0 is
    /// no limit. It needs [`Request::peer`](crate::Request::peer). A request with an initial access token is
    /// counted by address and token. Each client can change its registration as often (`PUT`), the clients at
    /// one address together ten times as often.
    pub fn per_minute(mut self, limit: u32) -> Self {
        self.per_minute = limit;
        self
    }

    /// How many clients may register per day at this node without an initial access token, a tenth of them
    /// from one address; by default 10,000, and 0 is no limit. Together with
    /// [`unused_after`](Self::unused_after) it bounds the number of such clients in the registry. Registered
    /// clients are not affected.
    pub fn per_day(mut self, limit: u32) -> Self {
        self.per_day = limit;
        self
    }

    /// Checks software statements (RFC 7591 section 2.3). Without it every statement is refused.
    pub fn software_statements(mut self, verifier: impl StatementVerifier + 'static) -> Self {
        self.statements = Some(Arc::new(verifier));
        self
    }

    /// Fetches the `sector_identifier_uri` of a client at registration and at each change, and accepts the
    /// client if the list there has all its redirect URIs (OpenID Connect Registration section 5). The URL is
    /// untrusted: see [`Outbound`]. At most 16 lists are fetched at once, 4 of them from one host; beyond
    /// that the response is 503. Without this, all redirect URIs of a client with pairwise identifiers must
    /// have the same host.
    pub fn sector_identifiers(mut self, outbound: impl Outbound + 'static) -> Self {
        self.sectors = Some(Arc::new(Few::of(outbound)));
        self
    }

    /// The private-use schemes without a dot that redirect URIs may have.
    pub(crate) fn schemes(&self, profile: Profile) -> Vec<&str> {
        match &self.redirect_schemes {
            Some(named) => named.iter().map(String::as_str).collect(),
            None => profile.switches().redirect_schemes.to_vec(),
        }
    }

    /// After how long a client without any grant is removed.
    pub(crate) fn unused_for(&self, profile: Profile) -> Option<Duration> {
        match self.unused {
            Unused::ByProfile => profile.switches().unused_after,
            Unused::After(idle) => Some(idle),
            Unused::Kept => None,
        }
    }

    /// Whether this initial access token is accepted. Compares every digest, so that the time is constant.
    pub(crate) fn admits(&self, token: &SecretText) -> bool {
        let presented = initial_token_digest(token);
        self.tokens.iter().fold(false, |right, kept| kept.matches(&presented) | right)
    }
}

/// What happens to unused clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unused {
    /// The profile's default.
    ByProfile,
    /// They are removed after this time.
    After(Duration),
    Kept,
}

fn initial_token_digest(token: &SecretText) -> Digest {
    Digest::of("grantor:initial-access-token:v1", token.reveal().as_bytes())
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("tokens", &self.tokens.len()).finish_non_exhaustive()
    }
}
