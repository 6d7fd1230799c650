//! The challenge for a refused request (RFC 6750 section 3, RFC 9449 section 7.1, RFC 9470 section 3, RFC
//! 9728 section 5.1).

use std::fmt::Write as _;

use super::Requirement;
use super::reasons::public_reason;
use crate::error::{ErrorCode, Reason, Refusal};
use crate::http::bearer::Scheme;
use crate::http::{Request, Response};

/// The common parts of a guard's challenges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Challenge<'a> {
    pub(crate) realm: &'a str,
    /// The URL of the resource's metadata.
    pub(crate) metadata: Option<&'a str>,
    /// The algorithms of proofs, separated by spaces; empty if no proofs are accepted.
    pub(crate) algorithms: &'a str,
    /// Whether unbound tokens are accepted.
    pub(crate) takes_bearer: bool,
}

impl Challenge<'_> {
    /// The response to a refused request, with the nonce for the next proof if the request used `DPoP`.
    pub(crate) fn answer(
        self,
        reason: Reason,
        needed: &Requirement,
        request: &Request,
        nonce: Option<String>,
    ) -> Response {
        let used = Scheme::of(request);
        let response = self.without_nonce(reason, needed, used);
        match nonce.filter(|_| used == Scheme::Dpop) {
            Some(nonce) => response.with("dpop-nonce", nonce),
            None => response,
        }
    }

    /// A challenge for each accepted scheme; the one that was used comes first and has the error. Each
    /// parameter occurs at most once.
    fn without_nonce(self, reason: Reason, needed: &Requirement, used: Scheme) -> Response {
        let reason = public_reason(reason);
        let mut refused = Refusal::from(reason).into_response();
        if is_about_a_proof(reason) {
            refused.status = 401;
        }
        if !matches!(refused.status, 400 | 401 | 403) {
            return refused;
        }
        // RFC 6750 section 3.1: no error code where no token was sent.
        let says_nothing = reason == Reason::TokenMissing;
        let response = if says_nothing { Response::secret_json(401, b"{}".to_vec()) } else { refused };
        let taken = Scheme::ALL.iter().copied().find(|scheme| self.takes(*scheme));
        let used = if self.takes(used) { used } else { taken.unwrap_or(used) };
        let others = Scheme::ALL.iter().filter(|scheme| **scheme != used && self.takes(**scheme));
        let response = response.without("www-authenticate");
        let response = response.with("www-authenticate", self.value(used, Some(reason), needed));
        // If no other scheme can fix the error, no further challenge is sent.
        let others = others.filter(|_| reason.status() == 401 || is_about_a_proof(reason));
        others.fold(response, |response, scheme| {
            response.with("www-authenticate", self.value(*scheme, None, needed))
        })
    }

    fn takes(self, scheme: Scheme) -> bool {
        match scheme {
            Scheme::Bearer => self.takes_bearer || self.algorithms.is_empty(),
            Scheme::Dpop => !self.algorithms.is_empty(),
        }
    }

    fn value(self, scheme: Scheme, reason: Option<Reason>, needed: &Requirement) -> String {
        let mut value = format!("{} realm=\"{}\"", scheme.as_str(), self.realm);
        let mut add = |name: &str, text: &dyn std::fmt::Display| {
            // Writing to a string cannot fail.
            let _ = write!(value, ", {name}=\"{text}\"");
        };
        if scheme == Scheme::Dpop {
            add("algs", &self.algorithms);
        }
        if let Some(reason) = reason.filter(|reason| *reason != Reason::TokenMissing) {
            add("error", &reason.code());
            add("error_description", &reason.description());
        }
        if reason.is_none_or(|reason| reason.status() != 400) && !needed.scope().is_empty() {
            add("scope", needed.scope());
        }
        if reason == Some(Reason::TokenAuthenticationInsufficient) {
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

/// Whether the refusal is about a DPoP proof. At a resource, unlike at the token endpoint, that is a
/// challenge (RFC 9449 section 7.1).
fn is_about_a_proof(reason: Reason) -> bool {
    matches!(reason.code(), ErrorCode::InvalidDpopProof | ErrorCode::UseDpopNonce)
}
