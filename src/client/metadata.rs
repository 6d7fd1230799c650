//! [`ClientMetadata`]: the registered data of a client, under the names of RFC 7591.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ApplicationType, AuthMethod, GrantType, Profile, ResponseType};
use super::{ResponseMode, SubjectIdentifierType};
use crate::base::{AccessTokens, Algorithm, ResponseAlgorithm, Scope};

/// The maximum length of a URI, in bytes.
pub(crate) const MAX_URI: usize = 2048;

/// Client metadata (RFC 7591 section 2), for configuration files and for storage.
///
/// An unknown member is an error and not ignored: a misspelt restriction must not look effective.
///
/// ```
/// let metadata: grantor::ClientMetadata = serde_json::from_str(
///     r#"{ "redirect_uris": ["https://app.example/cb"], "scope": "read write" }"#,
/// )?;
/// let client = grantor::Client::builder("app").metadata(metadata).secret("s").build()?;
/// assert_eq!(client.redirect_uris()[0].as_str(), "https://app.example/cb");
/// assert!(serde_json::from_str::<grantor::ClientMetadata>(r#"{ "redirect_uri": [] }"#).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
// Boxed, without spare capacity: a server may keep many clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ClientMetadata {
    /// The name that people see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<Box<str>>,
    /// Where responses may be sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<String>,
    /// By default `authorization_code`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_types: Option<Box<[GrantType]>>,
    /// By default those that the grant types need.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_types: Option<Box<[ResponseType]>>,
    /// The response modes that requests may name; by default all that fit the response type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_modes: Option<Box<[ResponseMode]>>,
    /// Every scope that the client may request; by default all that the server knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// The types of authorization details that the client may ask for (RFC 9396 section 10); by default all
    /// that the server knows if a user is asked, and none otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_details_types: Option<Box<[String]>>,
    /// By default `client_secret_basic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_method: Option<AuthMethod>,
    /// The one algorithm of the client's assertions; by default any that goes with its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg: Option<Box<str>>,
    /// The client's public keys as a JWK set (RFC 7517 section 5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Box<Value>>,
    /// Where the client publishes its public keys, instead of `jwks`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<Box<str>>,
    /// The distinguished name of the client's certificate, as RFC 4514 writes it (RFC 8705 section 2.1.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_subject_dn: Option<Box<str>>,
    /// A DNS name in the client's certificate, instead of the distinguished name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_dns: Option<Box<str>>,
    /// A URI in the client's certificate, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_uri: Option<Box<str>>,
    /// An IP address in the client's certificate, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_ip: Option<Box<str>>,
    /// An e-mail address in the client's certificate, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_email: Option<Box<str>>,
    /// Its access tokens are bound to the client certificate of the token request (RFC 8705 section 3.4), and
    /// so are the refresh tokens of a public client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_certificate_bound_access_tokens: Option<bool>,
    /// Whether the client uses `mtls_endpoint_aliases` (FAPI 2.0 Security Profile section 5.2.2.1). It
    /// changes nothing here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_mtls_endpoint_aliases: Option<bool>,
    /// The algorithm of its `id_token`s and logout tokens (OpenID Connect Registration section 2); by default
    /// `RS256`. `HS256` needs a [sealed secret](super::ClientBuilder::sealed_secret).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token_signed_response_alg: Option<ResponseAlgorithm>,
    /// The algorithm of its UserInfo responses, which may also be `HS256`; by default they are unsigned JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo_signed_response_alg: Option<ResponseAlgorithm>,
    /// How it identifies users; by default `public`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_type: Option<SubjectIdentifierType>,
    /// The list of the sector's redirect URIs; its host is the sector if the redirect URIs have several
    /// hosts. A host that registers a client itself vouches for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sector_identifier_uri: Option<Box<str>>,
    /// Where others can make it start a sign-in (OpenID Connect Core section 4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initiate_login_uri: Option<Box<str>>,
    /// The maximum age of a sign-in, in seconds, if a request with the scope `openid` has no `max_age`
    /// (OpenID Connect Registration section 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<u32>,
    /// Whether its `id_token`s must have `auth_time`. They always do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_auth_time: Option<bool>,
    /// The preferred authentication context classes, in order, if a request with the scope `openid` has no
    /// `acr_values`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_acr_values: Option<Box<[String]>>,
    /// Where the browser may be sent after a logout (OpenID Connect RP-Initiated Logout section 3.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<String>,
    /// Where the client is notified directly of the end of a session (OpenID Connect Back-Channel Logout
    /// section 2.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<Box<str>>,
    /// It needs a `sid` in the logout token. Logout tokens have one in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_session_required: Option<bool>,
    /// What the client's frame loads at the end of a session (OpenID Connect Front-Channel Logout section 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontchannel_logout_uri: Option<Box<str>>,
    /// It needs `iss` and `sid` there. The URL has both in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontchannel_logout_session_required: Option<bool>,
    /// By default `web`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_type: Option<ApplicationType>,
    /// The application's home page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<Box<str>>,
    /// The URL of its logo; grantor never fetches it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<Box<str>>,
    /// How to contact its developers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contacts: Option<Box<[String]>>,
    /// Its terms of service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<Box<str>>,
    /// Its privacy policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<Box<str>>,
    /// Identifies the software that this client is an installation of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_id: Option<Box<str>>,
    /// The version of that software.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_version: Option<Box<str>>,
    /// Its authorization requests have to be pushed (RFC 9126 section 6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_pushed_authorization_requests: Option<bool>,
    /// The one algorithm of its request objects (RFC 9101); by default any that goes with its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_object_signing_alg: Option<Box<str>>,
    /// Its authorization requests have to be signed request objects (RFC 9101 section 10.5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_signed_request_object: Option<bool>,
    /// The algorithm of its signed authorization responses (JARM section 3); by default `RS256`. It cannot be
    /// `HS256`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_signed_response_alg: Option<Algorithm>,
    /// The algorithm of signed introspection responses (RFC 9701 section 6): a client that sets it gets only
    /// signed ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introspection_signed_response_alg: Option<Algorithm>,
    /// Its access tokens are bound to a key that it proves by DPoP (RFC 9449 section 5.2); without a proof it
    /// gets none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dpop_bound_access_tokens: Option<bool>,
    /// Grantor's own: the FAPI profile that applies to this client on a server with another profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Grantor's own: the format of its access tokens, unless their resource says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_tokens: Option<AccessTokens>,
    /// Grantor's own: its `id_token`s also have the claims of the scopes, which by default are only in the
    /// UserInfo response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token_claims_from_scope: Option<bool>,
    /// Grantor's own: its logout tokens have the `typ` `JWT` if this is `true`, for a client that refuses
    /// `logout+jwt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logout_token_type_jwt: Option<bool>,
    /// Grantor's own: a confidential client may do without PKCE if this is `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_pkce: Option<bool>,
    /// Grantor's own: a registered `http://localhost` URI matches any port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub localhost_any_port: Option<bool>,
    /// Grantor's own: private-use schemes without a dot that its redirect URIs may have, such as `cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_schemes: Option<Box<[String]>>,
    /// Grantor's own: the pushed requests of a confidential client may name an https redirect URI that is not
    /// registered (RFC 9126 section 2.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unregistered_redirect_uris: Option<bool>,
    /// Grantor's own: a confidential client's refresh tokens also rotate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotate_refresh_tokens: Option<bool>,
}

impl ClientMetadata {
    /// Whether the client needs a secret that the server can open
    /// ([`sealed_secret`](super::ClientBuilder::sealed_secret)): it authenticates by `client_secret_jwt`, or
    /// its `id_token`s or UserInfo answers are signed by `HS256`.
    #[must_use]
    pub fn needs_sealed_secret(&self) -> bool {
        let answers = [self.id_token_signed_response_alg, self.userinfo_signed_response_alg];
        let is_signed_so = answers.contains(&Some(ResponseAlgorithm::Hs256));
        is_signed_so || self.auth_method() == AuthMethod::ClientSecretJwt
    }

    /// With the terms of `other` that only the host sets, grantor's own members: a client that registers
    /// itself neither sees nor changes them.
    pub(crate) fn with_host_terms_of(self, other: &Self) -> Self {
        Self {
            profile: other.profile,
            access_tokens: other.access_tokens,
            id_token_claims_from_scope: other.id_token_claims_from_scope,
            logout_token_type_jwt: other.logout_token_type_jwt,
            require_pkce: other.require_pkce,
            localhost_any_port: other.localhost_any_port,
            redirect_schemes: other.redirect_schemes.clone(),
            rotate_refresh_tokens: other.rotate_refresh_tokens,
            unregistered_redirect_uris: other.unregistered_redirect_uris,
            ..self
        }
    }

    /// The metadata of a client that changed itself: it keeps what the host set for it, and also gets what
    /// the terms of registration give to every client now.
    pub(crate) fn keeping_host_terms_of(self, current: &Self) -> Self {
        let (any_port, pkce) = (self.localhost_any_port, self.require_pkce);
        let schemes = self.redirect_schemes.clone();
        let mut kept = self.with_host_terms_of(current);
        kept.localhost_any_port = any_port.or(kept.localhost_any_port);
        kept.require_pkce = pkce.or(kept.require_pkce);
        kept.redirect_schemes = schemes.or(kept.redirect_schemes);
        if kept.auth_method() == AuthMethod::None {
            // Only a confidential client can have these.
            (kept.require_pkce, kept.unregistered_redirect_uris) = (None, None);
        }
        kept
    }

    /// `grant_types`, or their default (RFC 7591 section 2).
    pub(super) fn grant_types(&self) -> &[GrantType] {
        const DEFAULT: &[GrantType] = &[GrantType::AuthorizationCode];
        self.grant_types.as_deref().unwrap_or(DEFAULT)
    }

    /// `response_types`, or those that the grant types need.
    pub(super) fn response_types(&self) -> &[ResponseType] {
        self.response_types.as_deref().unwrap_or_else(|| self.needed_response_types())
    }

    /// The response types of plain OAuth that the grant types need.
    pub(super) fn needed_response_types(&self) -> &'static [ResponseType] {
        let has = |grant_type| self.grant_types().contains(&grant_type);
        match (has(GrantType::AuthorizationCode), has(GrantType::Implicit)) {
            (true, true) => &[ResponseType::Code, ResponseType::Token],
            (true, false) => &[ResponseType::Code],
            (false, true) => &[ResponseType::Token],
            (false, false) => &[],
        }
    }

    /// `token_endpoint_auth_method`, or its default (RFC 7591 section 2).
    pub(crate) fn auth_method(&self) -> AuthMethod {
        self.token_endpoint_auth_method.unwrap_or(AuthMethod::ClientSecretBasic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;

    #[test]
    fn a_client_at_rest_is_small() {
        let (metadata, client) = (size_of::<ClientMetadata>(), size_of::<Client>());
        assert!(metadata <= 528 && client <= 672, "{metadata} and {client}, and a server may have many");
    }
}
