//! [`AuthorizationServer::protect`]: the guard of the server's own default audience, in one call.

use super::AuthorizationServer;
use crate::error::{Reason, Refusal};
use crate::http::bearer::{Scheme, presented_by};
use crate::http::{Request, Response};
use crate::resource::{Challenge, Implied, KeyCheck, Requirement, Target};
use crate::token::Access;

impl AuthorizationServer {
    /// Accepts a request with a live access token for the server's default audience, with all of these
    /// scopes. A [`Guard`](crate::Guard) does the same for any resource, and says where its metadata are. For
    /// a token that is bound to a key, the proof must be for the issuer's origin and the
    /// [`path`](Request::path) of the request.
    ///
    /// # Errors
    /// The response to send: 401 without an error code if no token was sent, 401 `invalid_token`, 401 for an
    /// invalid DPoP proof, 403 `insufficient_scope` with every scope that is needed, 400 for two tokens, 503
    /// if the store could not say.
    pub async fn protect(&self, request: &Request, scopes: &[&str]) -> Result<Access, Response> {
        let needed = Requirement::scopes(scopes);
        let passed = self.pass(request, &needed).await;
        passed.map_err(|refusal| {
            let keys = self.key_check();
            let algorithms = keys.algorithms().join(" ");
            let dpop = (!algorithms.is_empty()).then_some(algorithms.as_str());
            let challenge =
                Challenge { realm: "api", metadata: None, dpop, takes_bearer: keys.takes_bearer() };
            let scheme = Scheme::of(request);
            let response = challenge.answer(refusal.reason(), &needed, scheme);
            match (scheme, self.dpop_nonce()) {
                (Scheme::Dpop, Some(nonce)) => response.with("dpop-nonce", nonce),
                (Scheme::Bearer, _) | (_, None) => response,
            }
        })
    }

    /// The nonce for the next proof for the server's default audience, like
    /// [`Guard::dpop_nonce`](crate::Guard::dpop_nonce) for a resource. All endpoints of a server have the same
    /// nonces.
    #[must_use]
    pub fn dpop_nonce(&self) -> Option<String> {
        self.key_check().nonce(&self.rules().issuer, self.now())
    }

    async fn pass(&self, request: &Request, needed: &Requirement) -> Result<Access, Refusal> {
        needed.check_itself()?;
        let keys = self.key_check();
        let presented = presented_by(request, keys.schemes())?;
        let access = self.check(presented.token).await?;
        if access.audience().is_some() {
            return Err(Reason::TokenAudienceWrong.into());
        }
        let rules = self.rules();
        let base = origin_of(&rules.issuer);
        let at = Target { server: &rules.issuer, base, alias: None, has_paths: true };
        let now = self.now();
        let proven = keys.check(request, presented, &access, at, now)?;
        needed.check(&access, &Implied::default(), now)?;
        if let Some(proven) = &proven {
            self.check_proof_algorithm(&access, proven.algorithm).await?;
            keys.use_up(proven, now, rules.policy.store_deadline).await?;
        }
        Ok(access)
    }

    fn key_check(&self) -> KeyCheck {
        let rules = self.rules();
        KeyCheck::new(self.proofs(), rules.requires_bound_tokens, rules.certificates.binds)
    }
}

/// The scheme, host and port of a URL.
fn origin_of(url: &str) -> &str {
    let host = url.strip_prefix("https://").or(url.strip_prefix("http://")).unwrap_or(url);
    let path = host.find('/').map_or(0, |slash| host.len() - slash);
    &url[..url.len() - path]
}
