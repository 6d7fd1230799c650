//! How a guard treats the reasons of its verifiers: which of several takes precedence, and which one the
//! client sees.

use crate::error::{ErrorCode, Reason};

/// The reasons that say more, or less, about a token than the default.
const SAYS: [(Reason, u8); 7] = [
    (Reason::TokenAudienceWrong, 3),
    (Reason::TokenBound, 3),
    (Reason::TokenExpired, 3),
    (Reason::TokenTooEarly, 3),
    (Reason::TokenIssuerWrong, 2),
    (Reason::TokenInactive, 0),
    (Reason::TokenUnreadable, 0),
];

/// How much a refusal says about the token. A fault has the highest precedence, because the token may be
/// valid.
pub(super) fn precedence(reason: Reason) -> u8 {
    if reason.status() >= 500 {
        return 4;
    }
    SAYS.iter().find(|(own, _)| *own == reason).map_or(1, |(_, says)| *says)
}

/// The host's own verifier may refuse for any reason; a resource returns only the errors of RFC 6750, RFC
/// 9449 and RFC 9470.
pub(super) fn public_reason(reason: Reason) -> Reason {
    if is_told(reason) { reason } else { Reason::TokenInactive }
}

fn is_told(reason: Reason) -> bool {
    match reason.code() {
        ErrorCode::InsufficientScope
        | ErrorCode::InsufficientUserAuthentication
        | ErrorCode::InvalidDpopProof
        | ErrorCode::InvalidToken
        | ErrorCode::ServerError
        | ErrorCode::TemporarilyUnavailable
        | ErrorCode::UseDpopNonce => true,
        // Only these are about how the token was sent; the others are about requests to a server.
        ErrorCode::InvalidRequest => [Reason::TokenMethodsMixed, Reason::TokenMalformed].contains(&reason),
        ErrorCode::AccessDenied
        | ErrorCode::AccountSelectionRequired
        | ErrorCode::AuthorizationPending
        | ErrorCode::ConsentRequired
        | ErrorCode::ExpiredToken
        | ErrorCode::InteractionRequired
        | ErrorCode::InvalidAuthorizationDetails
        | ErrorCode::InvalidClient
        | ErrorCode::InvalidClientMetadata
        | ErrorCode::InvalidGrant
        | ErrorCode::InvalidRedirectUri
        | ErrorCode::InvalidRequestObject
        | ErrorCode::InvalidRequestUri
        | ErrorCode::InvalidScope
        | ErrorCode::InvalidSoftwareStatement
        | ErrorCode::InvalidTarget
        | ErrorCode::LoginRequired
        | ErrorCode::RegistrationNotSupported
        | ErrorCode::RequestNotSupported
        | ErrorCode::RequestUriNotSupported
        | ErrorCode::SlowDown
        | ErrorCode::UnapprovedSoftwareStatement
        | ErrorCode::UnauthorizedClient
        | ErrorCode::UnmetAuthenticationRequirements
        | ErrorCode::UnsupportedGrantType
        | ErrorCode::UnsupportedResponseType
        | ErrorCode::UnsupportedTokenType => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Each reason about a token, its precedence, and whether the client sees it.
    const TOKENS: [(Reason, u8, bool); 19] = [
        (Reason::TokenAudienceWrong, 3, true),
        (Reason::TokenBound, 3, true),
        (Reason::TokenExpired, 3, true),
        (Reason::TokenTooEarly, 3, true),
        (Reason::TokenIssuerWrong, 2, true),
        (Reason::TokenAuthenticationInsufficient, 1, true),
        (Reason::TokenForAnotherClient, 1, false),
        (Reason::TokenMalformed, 1, true),
        (Reason::TokenMethodsMixed, 1, true),
        (Reason::TokenMissing, 1, true),
        (Reason::TokenNotRevocable, 1, false),
        (Reason::TokenScopeInsufficient, 1, true),
        (Reason::TokenSignatureWrong, 1, true),
        (Reason::TokenTypeUnsupported, 1, false),
        (Reason::TokenTypeWrong, 1, false),
        (Reason::TokenUnbound, 1, true),
        (Reason::TokenWithoutUser, 1, true),
        (Reason::TokenInactive, 0, true),
        (Reason::TokenUnreadable, 0, true),
    ];

    #[test]
    fn each_reason_about_a_token_has_its_row() {
        for (reason, says, is_told) in TOKENS {
            assert_eq!(precedence(reason), says, "{reason:?}");
            let told = if is_told { reason } else { Reason::TokenInactive };
            assert_eq!(public_reason(reason), told);
        }
        let variants = include_str!("../error/reason.rs").lines().filter_map(|line| line.strip_suffix(','));
        let of_tokens = variants.map(str::trim).filter(|name| name.starts_with("Token"));
        let listed = TOKENS.map(|(reason, ..)| format!("{reason:?}"));
        assert_eq!(of_tokens.map(str::to_owned).collect::<BTreeSet<_>>(), BTreeSet::from(listed));
    }

    #[test]
    fn a_fault_outranks_every_refusal() {
        for reason in [Reason::StoreUnavailable, Reason::StoreBroken, Reason::IssuerUnavailable] {
            assert_eq!((precedence(reason), public_reason(reason)), (4, reason));
        }
    }
}
