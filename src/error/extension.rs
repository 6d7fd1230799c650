//! [`ExtensionRefusal`]: why a host's own grant type refuses.

use super::ErrorCode;

/// Why the host's own grant type refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ExtensionRefusal {
    /// A parameter is missing or malformed.
    RequestMalformed,
    /// The presented credential is unknown, expired, or for another client.
    GrantInvalid,
    /// The presented credential is wrong, and can be guessed.
    SecretWrong,
    /// The presented credential was already used.
    Replayed,
    /// The user's consent is missing.
    ConsentMissing,
    /// This client may not use it.
    ClientRefused,
    /// This scope is not allowed.
    ScopeRefused,
    /// This resource is not allowed.
    TargetRefused,
}

impl ExtensionRefusal {
    pub(super) const fn public(self) -> (ErrorCode, &'static str) {
        use ErrorCode as E;
        match self {
            Self::RequestMalformed => {
                (E::InvalidRequest, "a parameter of this grant type is missing or malformed")
            }
            Self::GrantInvalid | Self::SecretWrong | Self::Replayed => {
                (E::InvalidGrant, "the presented credential is invalid, expired, or issued to another client")
            }
            Self::ConsentMissing => (E::InvalidGrant, "the user has not agreed to this"),
            Self::ClientRefused => (E::UnauthorizedClient, "the client may not have this grant"),
            Self::ScopeRefused => (E::InvalidScope, "this scope may not be granted"),
            Self::TargetRefused => (E::InvalidTarget, "a token for this resource may not be granted"),
        }
    }
}
