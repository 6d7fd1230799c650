//! [`ExtensionRefusal`]: why a host's own grant type gives nothing.

use super::ErrorCode;

/// Why a grant type that the host brings along gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ExtensionRefusal {
    /// A parameter is missing or malformed.
    RequestMalformed,
    /// What was presented is unknown, expired, or for somebody else.
    GrantInvalid,
    /// What was presented is wrong, and could have been guessed.
    SecretWrong,
    /// What was presented was used.
    Replayed,
    /// The user would have to agree first.
    ConsentMissing,
    /// Not for this client.
    ClientRefused,
    /// Not this scope.
    ScopeRefused,
    /// Not this resource.
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
                (E::InvalidGrant, "what was presented is not valid, not any more, or not for this client")
            }
            Self::ConsentMissing => (E::InvalidGrant, "the user has not agreed to this"),
            Self::ClientRefused => (E::UnauthorizedClient, "the client may not have this grant"),
            Self::ScopeRefused => (E::InvalidScope, "this scope may not be granted"),
            Self::TargetRefused => (E::InvalidTarget, "a token for this resource may not be granted"),
        }
    }
}
