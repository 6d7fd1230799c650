//! [`ErrorCode`]: the error codes of the specifications.

use std::fmt;

use super::Reason;

/// The public error: an error code of the specifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// RFC 6749 section 4.1.2.1
    AccessDenied,
    /// OpenID Connect Core section 3.1.2.6
    AccountSelectionRequired,
    /// RFC 8628 section 3.5
    AuthorizationPending,
    /// OpenID Connect Core section 3.1.2.6
    ConsentRequired,
    /// RFC 8628 section 3.5
    ExpiredToken,
    /// RFC 6750 section 3.1
    InsufficientScope,
    /// RFC 9470 section 3
    InsufficientUserAuthentication,
    /// OpenID Connect Core section 3.1.2.6
    InteractionRequired,
    /// RFC 9396 section 5
    InvalidAuthorizationDetails,
    /// RFC 6749 section 5.2
    InvalidClient,
    /// RFC 7591 section 3.2.2
    InvalidClientMetadata,
    /// RFC 9449 section 5
    InvalidDpopProof,
    /// RFC 6749 section 5.2
    InvalidGrant,
    /// RFC 7591 section 3.2.2
    InvalidRedirectUri,
    /// RFC 6749 section 5.2
    InvalidRequest,
    /// RFC 9101 section 7
    InvalidRequestObject,
    /// OpenID Connect Core section 3.1.2.6, RFC 9126 section 2.3
    InvalidRequestUri,
    /// RFC 6749 section 5.2
    InvalidScope,
    /// RFC 7591 section 3.2.2
    InvalidSoftwareStatement,
    /// RFC 8707 section 2
    InvalidTarget,
    /// RFC 6750 section 3.1
    InvalidToken,
    /// OpenID Connect Core section 3.1.2.6
    LoginRequired,
    /// OpenID Connect Core section 3.1.2.6
    RegistrationNotSupported,
    /// OpenID Connect Core section 3.1.2.6
    RequestNotSupported,
    /// OpenID Connect Core section 3.1.2.6
    RequestUriNotSupported,
    /// RFC 6749 section 4.1.2.1
    ServerError,
    /// RFC 8628 section 3.5
    SlowDown,
    /// RFC 6749 section 4.1.2.1
    TemporarilyUnavailable,
    /// RFC 7591 section 3.2.2
    UnapprovedSoftwareStatement,
    /// RFC 6749 section 5.2
    UnauthorizedClient,
    /// RFC 9470 section 5
    UnmetAuthenticationRequirements,
    /// RFC 6749 section 5.2
    UnsupportedGrantType,
    /// RFC 6749 section 4.1.2.1
    UnsupportedResponseType,
    /// RFC 7009 section 2.2.1
    UnsupportedTokenType,
    /// RFC 9449 section 8
    UseDpopNonce,
}

impl ErrorCode {
    /// The code as it is sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::AccountSelectionRequired => "account_selection_required",
            Self::AuthorizationPending => "authorization_pending",
            Self::ConsentRequired => "consent_required",
            Self::ExpiredToken => "expired_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InsufficientUserAuthentication => "insufficient_user_authentication",
            Self::InteractionRequired => "interaction_required",
            Self::InvalidAuthorizationDetails => "invalid_authorization_details",
            Self::InvalidClient => "invalid_client",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidRequestObject => "invalid_request_object",
            Self::InvalidRequestUri => "invalid_request_uri",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidSoftwareStatement => "invalid_software_statement",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidToken => "invalid_token",
            Self::LoginRequired => "login_required",
            Self::RegistrationNotSupported => "registration_not_supported",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::ServerError => "server_error",
            Self::SlowDown => "slow_down",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnapprovedSoftwareStatement => "unapproved_software_statement",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::UseDpopNonce => "use_dpop_nonce",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Reason> for ErrorCode {
    fn from(reason: Reason) -> Self {
        reason.code()
    }
}
