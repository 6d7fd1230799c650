//! Why a request did not pass, said as RFC 6750 section 3, RFC 9470 section 3 and RFC 9728 section 5.1 say it.

use std::fmt::Write as _;

use super::Requirement;
use crate::error::{ErrorCode, Reason, Refusal};
use crate::http::Response;

/// What every challenge of one guard says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Challenge<'a> {
    pub(super) realm: &'a str,
    /// Where the metadata of the resource are.
    pub(super) metadata: Option<&'a str>,
}

impl Challenge<'_> {
    /// The answer to a request that does not pass. Each parameter stands there at most once.
    pub(super) fn answer(self, reason: Reason, needed: &Requirement) -> Response {
        let reason = bearer_reason(reason);
        let refused = Refusal::from(reason).into_response();
        if !matches!(refused.status, 400 | 401 | 403) {
            return refused;
        }
        // RFC 6750 section 3.1: no error code where no token was sent.
        let says_nothing = reason == Reason::TokenMissing;
        let mut response = if says_nothing { Response::secret_json(401, b"{}".to_vec()) } else { refused };
        let value = self.value(reason, needed);
        response.headers.retain(|(name, _)| *name != "www-authenticate");
        response.with("www-authenticate", value)
    }

    fn value(self, reason: Reason, needed: &Requirement) -> String {
        let mut value = format!("Bearer realm=\"{}\"", self.realm);
        let mut add = |name: &str, text: &dyn std::fmt::Display| {
            // Writing to a string does not fail.
            let _ = write!(value, ", {name}=\"{text}\"");
        };
        if reason != Reason::TokenMissing {
            add("error", &reason.code());
            add("error_description", &reason.description());
        }
        if reason.status() != 400 && !needed.scope().is_empty() {
            add("scope", needed.scope());
        }
        if reason == Reason::TokenAuthenticationInsufficient {
            if !needed.acr_values().is_empty() {
                add("acr_values", &needed.acr_values().join(" "));
            }
            if let Some(seconds) = needed.max_age_seconds() {
                add("max_age", &seconds);
            }
        }
        if let Some(url) = self.metadata {
            add("resource_metadata", &url);
        }
        value
    }
}

/// A verifier of the host's own may refuse for any reason; a resource says only what RFC 6750 knows.
fn bearer_reason(reason: Reason) -> Reason {
    match reason.code() {
        ErrorCode::InvalidToken
        | ErrorCode::InsufficientScope
        | ErrorCode::InsufficientUserAuthentication
        | ErrorCode::ServerError
        | ErrorCode::TemporarilyUnavailable => reason,
        ErrorCode::InvalidRequest if matches!(reason, Reason::TokenMethodsMixed | Reason::TokenMalformed) => {
            reason
        }
        _ => Reason::TokenInactive,
    }
}
