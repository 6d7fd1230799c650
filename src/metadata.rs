//! Authorization server metadata (RFC 8414), derived from the configuration: an advertised endpoint is one
//! that works.

use serde::Serialize;

use crate::client::{AuthMethod, GrantType, ResponseType};
use crate::flow::ResponseMode;
use crate::policy::{Profile, Rules};

/// Where the endpoints are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoints {
    /// The host's own handler; none on a server without users.
    pub authorization: Option<String>,
    /// By default `/token`.
    pub token: String,
    /// By default `/revoke`.
    pub revocation: String,
    /// By default `/introspect`.
    pub introspection: String,
    /// By default `/device_authorization`; there only on a server that has a page for user codes.
    pub device_authorization: String,
    /// The host's own page for user codes (RFC 8628 section 3.3), if it has one.
    pub device_verification: Option<String>,
    /// By default `/register`; there only on a server with [`Registration`](crate::Registration).
    pub registration: String,
    /// By default `/jwks`; there only on a server that signs.
    pub jwks: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            authorization: None,
            token: "/token".to_owned(),
            revocation: "/revoke".to_owned(),
            introspection: "/introspect".to_owned(),
            device_authorization: "/device_authorization".to_owned(),
            device_verification: None,
            registration: "/register".to_owned(),
            jwks: "/jwks".to_owned(),
        }
    }
}

/// The document's members, in the order of RFC 8414 section 2. Empty ones are omitted.
#[derive(Serialize)]
struct Document<'a> {
    issuer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_endpoint: Option<String>,
    token_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<&'a str>,
    /// Required, so it stands there even if it is empty.
    response_types_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    response_modes_supported: Vec<&'static str>,
    grant_types_supported: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_grant_profiles_supported: Vec<&'a str>,
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    revocation_endpoint: String,
    revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_authorization_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    code_challenge_methods_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_details_types_supported: Vec<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    authorization_response_iss_parameter_supported: bool,
    #[serde(skip_serializing_if = "is_false")]
    client_id_metadata_document_supported: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Which parts of the host a server was built with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    /// Who knows users by their passwords.
    pub(crate) owner: bool,
    /// What signs.
    pub(crate) signer: bool,
    /// Who decides on the exchange of tokens.
    pub(crate) exchange: bool,
    /// The terms on which clients register themselves.
    pub(crate) registration: bool,
    pub(crate) documents: bool,
}

/// The document as JSON.
pub(crate) fn document(rules: &Rules, endpoints: &Endpoints, parts: Parts) -> Vec<u8> {
    let url = |path: &str| format!("{}{path}", rules.issuer.trim_end_matches('/'));
    let has_users = endpoints.authorization.is_some();
    let has_devices = endpoints.device_verification.is_some();
    let works = |grant_type: &GrantType| {
        rules.serves(grant_type)
            && match grant_type {
                GrantType::AuthorizationCode | GrantType::Implicit => has_users,
                GrantType::DeviceCode => has_devices,
                GrantType::Password => parts.owner,
                GrantType::TokenExchange => parts.exchange,
                GrantType::RefreshToken => {
                    has_users
                        || has_devices
                        || (parts.owner && rules.profile.knows(&GrantType::Password))
                        || rules.extensions.iter().any(|own| own.terms.refresh_tokens)
                }
                GrantType::ClientCredentials | GrantType::Extension(_) => true,
            }
    };
    let extensions = rules.extensions.iter();
    let built_in = GrantType::BUILT_IN;
    let grant_types = built_in.iter().chain(extensions.clone().map(|own| &own.grant_type));
    let profiles = extensions.flat_map(|own| own.terms.profiles.iter().copied());
    let response_types = [ResponseType::Code, ResponseType::Token].into_iter();
    let answers = response_types.filter(|r| works(&r.grant_type())).map(ResponseType::as_str);
    let modes = ResponseMode::ALL.map(ResponseMode::as_str);
    let secret = [AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost].map(AuthMethod::as_str);
    let any = [&[AuthMethod::None.as_str()], &secret[..]].concat();
    let document = Document {
        issuer: &rules.issuer,
        authorization_endpoint: endpoints.authorization.as_deref().map(url),
        token_endpoint: url(&endpoints.token),
        registration_endpoint: parts.registration.then(|| url(&endpoints.registration)),
        jwks_uri: parts.signer.then(|| url(&endpoints.jwks)),
        scopes_supported: rules.scope.iter().collect(),
        response_types_supported: answers.collect(),
        response_modes_supported: if has_users { modes.to_vec() } else { Vec::new() },
        grant_types_supported: grant_types.filter(|own| works(own)).map(GrantType::as_str).collect(),
        authorization_grant_profiles_supported: profiles.collect(),
        token_endpoint_auth_methods_supported: any.clone(),
        revocation_endpoint: url(&endpoints.revocation),
        revocation_endpoint_auth_methods_supported: any,
        introspection_endpoint: url(&endpoints.introspection),
        introspection_endpoint_auth_methods_supported: secret.to_vec(),
        device_authorization_endpoint: has_devices.then(|| url(&endpoints.device_authorization)),
        code_challenge_methods_supported: if has_users { vec!["S256"] } else { Vec::new() },
        authorization_details_types_supported: rules.detail_types.names().collect(),
        authorization_response_iss_parameter_supported: has_users,
        client_id_metadata_document_supported: has_users && parts.documents,
    };
    serde_json::to_vec(&document).unwrap_or_default()
}

/// Where the document is: the well-known name goes before the issuer's own path (RFC 8414 section 3.1). Clients that
/// look where OpenID Connect has it find it there under [`Profile::Mcp`], before and behind that path.
pub(crate) fn well_known_paths(issuer_path: &str, profile: Profile) -> Vec<String> {
    let mut paths = vec![format!("/.well-known/oauth-authorization-server{issuer_path}")];
    if profile.is_mcp() {
        paths.push(format!("/.well-known/openid-configuration{issuer_path}"));
        paths.push(format!("{issuer_path}/.well-known/openid-configuration"));
    }
    paths.dedup();
    paths
}
