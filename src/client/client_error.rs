//! [`ClientError`]: what can be wrong with the registered data of a client.

use super::certificate::CertificateSubjectError;
use super::keys::ClientKeysError;
use super::{LogoutUriError, ProfileMismatch, ResponseType};
use crate::base::redirect_uri::RedirectUriError;
use crate::error::Mistakes;

/// One mistake in client metadata (`invalid_client_metadata` of RFC 7591).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// RFC 6749 appendix A.1.
    #[error("client_id must be printable ASCII and not empty")]
    Id,
    /// RFC 6749 section 3.3.
    #[error("scope is malformed")]
    Scope,
    /// One of them cannot be registered.
    #[error("redirect_uri {uri:?}: {why}")]
    RedirectUri {
        /// The rejected URI.
        uri: String,
        /// What is wrong with it.
        why: RedirectUriError,
    },
    /// Not a private-use scheme in lower case, or one that browsers treat specially.
    #[error("redirect_schemes: {0:?} cannot be a private-use scheme")]
    RedirectScheme(String),
    /// A logout URI cannot be registered.
    #[error(transparent)]
    Logout(LogoutUriError),
    /// Codes and implicit tokens need a redirect URI.
    #[error(
        "redirect_uris is empty, but a grant type needs one: authorization_code is the default; a client \
         that only introspects has no grant types (`.grant_types([])`)"
    )]
    RedirectUriMissing,
    /// RFC 7591 section 2.1.
    #[error("response_types has {:?}, but grant_types lacks a grant type that it needs", .0.as_str())]
    ResponseTypeWithoutGrant(ResponseType),
    /// A public client cannot keep a secret.
    #[error("a client with token_endpoint_auth_method none cannot have a secret")]
    PublicWithSecret,
    /// The client could never authenticate.
    #[error("the client has no secret; a public one needs token_endpoint_auth_method none")]
    SecretMissing,
    /// A MAC needs the secret itself; a digest is not enough.
    #[error("client_secret_jwt and HS256 need a secret that the server can open: call sealed_secret")]
    SecretNotSealed,
    /// OpenID Connect Core section 10.1: every user of a native client can read its secret.
    #[error("a public or native client cannot use client_secret_jwt or HS256")]
    PublicWithMac,
    /// The client could never authenticate.
    #[error("the client has no keys: its authentication method needs jwks or jwks_uri")]
    KeysMissing,
    /// The client could never authenticate.
    #[error(
        "tls_client_auth needs one of tls_client_auth_subject_dn, _san_dns, _san_uri, _san_ip and _san_email"
    )]
    CertificateSubjectMissing,
    /// A token in a fragment cannot be bound to a certificate.
    #[error("tls_client_certificate_bound_access_tokens and the implicit grant are mutually exclusive")]
    ImplicitUnbound,
    /// Its profile forbids it.
    #[error(transparent)]
    Profile(ProfileMismatch),
    /// The name of its certificate cannot be used.
    #[error(transparent)]
    CertificateSubject(CertificateSubjectError),
    /// A client has one authentication method.
    #[error("a client that authenticates by its own key cannot have a secret")]
    KeysAndSecret,
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(ClientKeysError),
    /// Not an asymmetric algorithm that this crate knows.
    #[error(
        "token_endpoint_auth_signing_alg must be EdDSA, Ed25519, ES256, PS256 or RS256, and HS256 for client_secret_jwt"
    )]
    SigningAlgorithm,
    /// OpenID Connect Registration section 5.
    #[error("sector_identifier_uri must be an https URL without a user name or a fragment")]
    SectorIdentifierUri,
    /// OpenID Connect Core section 8.1.
    #[error("subject_type pairwise needs redirect_uris of one https host, or a sector_identifier_uri")]
    SectorMissing,
    /// OpenID Connect Core section 4.
    #[error("initiate_login_uri must be an https URL without a user name or a fragment")]
    InitiateLoginUri,
    /// Not an asymmetric algorithm that this crate knows.
    #[error("request_object_signing_alg must be EdDSA, Ed25519, ES256, PS256 or RS256")]
    RequestObjectAlgorithm,
    /// Its request objects could never be verified.
    #[error("require_signed_request_object needs jwks or jwks_uri")]
    RequestObjectKeys,
    /// RFC 6749 section 4.4.
    #[error("a public or native client cannot use client_credentials")]
    PublicClientCredentials,
    /// RFC 9700 section 2.1.1.
    #[error("a public or native client cannot do without PKCE")]
    PublicWithoutPkce,
    /// RFC 9126 section 2.4.
    #[error("a public or native client cannot have unregistered_redirect_uris")]
    PublicWithoutRedirectUris,
    /// RFC 9700 section 4.14.2.
    #[error("the refresh tokens of a public or native client must rotate")]
    PublicWithoutRotation,
}

/// All mistakes in client metadata.
pub type ClientErrors = Mistakes<ClientError>;
