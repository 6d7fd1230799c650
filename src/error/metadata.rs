//! [`MetadataFlaw`]: what is wrong with one member of client metadata.

use super::{ErrorCode, Reason};

/// What is wrong with one member of client metadata (RFC 7591 section 3.2.2). Malformed informational members
/// are dropped and not refused, so they have no flaw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MetadataFlaw {
    /// `client_name` is not a string.
    NameType,
    /// `client_name` is too long.
    NameTooLong,
    /// `client_name` has control characters, or characters that hide or reorder others.
    NameCharacters,
    /// `redirect_uris` is not an array of strings.
    RedirectUrisType,
    /// `grant_types` is not an array of strings.
    GrantTypesType,
    /// `response_types` is not an array of strings.
    ResponseTypesType,
    /// `response_modes` is not an array of strings.
    ResponseModesType,
    /// `response_modes` has no mode of this server that fits one of the client's response types.
    ResponseModes,
    /// `scope` is not a string.
    ScopeType,
    /// `scope` has characters that scopes cannot have, or too many tokens.
    ScopeMalformed,
    /// `token_endpoint_auth_method` is not a string.
    AuthMethodType,
    /// `token_endpoint_auth_methods_supported` is not an array of strings.
    AuthMethodsType,
    /// `token_endpoint_auth_signing_alg` is not a string.
    AuthSigningAlgType,
    /// `jwks` is not an object, or `jwks_uri` is not a string.
    KeysType,
    /// A member that names the client's certificate is not a string.
    CertificateSubjectType,
    /// `application_type` is neither `web` nor `native`.
    ApplicationType,
    /// `authorization_details_types` is not an array of strings.
    DetailTypesType,
    /// `require_pushed_authorization_requests` is not a boolean.
    RequirePushedType,
    /// `default_max_age` is not a number of seconds.
    DefaultMaxAgeType,
    /// `require_auth_time` is not a boolean.
    RequireAuthTimeType,
    /// `default_acr_values` is not an array of strings.
    DefaultAcrValuesType,
    /// `require_signed_request_object` is not a boolean.
    RequireSignedType,
    /// `dpop_bound_access_tokens` is not a boolean.
    DpopBoundType,
    /// `tls_client_certificate_bound_access_tokens` is not a boolean.
    BoundTokensType,
    /// `tls_client_certificate_bound_access_tokens`, but this server receives no client certificates.
    BoundTokensUnsupported,
    /// `use_mtls_endpoint_aliases` is not a boolean.
    UseAliasesType,
    /// `software_statement` is not a string.
    StatementType,
    /// `software_statement` is too long.
    StatementTooLong,
    /// `client_id` is not a string.
    ClientIdType,
    /// `client_secret` is not a string.
    ClientSecretType,
}

impl MetadataFlaw {
    #[rustfmt::skip]
    pub(super) const fn public(self) -> (ErrorCode, &'static str) {
        let text = match self {
            Self::NameType          => "client_name must be a string",
            Self::NameTooLong       => "client_name must have at most 128 characters",
            Self::NameCharacters    => "client_name has characters that cannot be shown",
            Self::RedirectUrisType  => return (ErrorCode::InvalidRedirectUri, "redirect_uris must be an array of strings"),
            Self::GrantTypesType    => "grant_types must be an array of strings",
            Self::ResponseTypesType => "response_types must be an array of strings",
            Self::ResponseModesType => "response_modes must be an array of strings",
            Self::ResponseModes     => "response_modes has no mode that is listed in the server metadata and fits the response_types",
            Self::ScopeType         => "scope must be a string",
            Self::ScopeMalformed    => "scope must be at most 128 tokens between spaces, of the characters that RFC 6749 allows",
            Self::AuthMethodType    => "token_endpoint_auth_method must be a string",
            Self::AuthMethodsType   => "token_endpoint_auth_methods_supported must be an array of strings",
            Self::AuthSigningAlgType => "token_endpoint_auth_signing_alg must be a string",
            Self::KeysType          => "jwks must be an object, and jwks_uri a string",
            Self::CertificateSubjectType => "the members that begin with tls_client_auth_ must be strings",
            Self::ApplicationType   => "application_type must be web or native",
            Self::DetailTypesType   => "authorization_details_types must be an array of strings",
            Self::RequirePushedType => "require_pushed_authorization_requests must be true or false",
            Self::DefaultMaxAgeType => "default_max_age must be a number of seconds",
            Self::RequireAuthTimeType => "require_auth_time must be true or false",
            Self::DefaultAcrValuesType => "default_acr_values must be an array of strings",
            Self::RequireSignedType => "require_signed_request_object must be true or false",
            Self::DpopBoundType     => "dpop_bound_access_tokens must be true or false",
            Self::BoundTokensType   => "tls_client_certificate_bound_access_tokens must be true or false",
            Self::BoundTokensUnsupported => "tls_client_certificate_bound_access_tokens is not supported",
            Self::UseAliasesType    => "use_mtls_endpoint_aliases must be true or false",
            Self::StatementType     => "software_statement must be a string",
            Self::StatementTooLong  => "software_statement must have at most 16 KiB",
            Self::ClientIdType      => "client_id must be a string",
            Self::ClientSecretType  => "client_secret must be a string",
        };
        (ErrorCode::InvalidClientMetadata, text)
    }
}

impl From<MetadataFlaw> for Reason {
    fn from(flaw: MetadataFlaw) -> Self {
        Self::RegistrationMember(flaw)
    }
}
