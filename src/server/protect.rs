//! [`AuthorizationServer::protect`]: the guard of the server's own default audience, in one call.

use super::AuthorizationServer;
use crate::base::origin;
use crate::error::{Reason, Refusal};
use crate::http::bearer::Presented;
use crate::http::{Request, Response};
use crate::resource::{
    Challenge, Implied, KeyCheck, Refused, RequestCheck, Requirement, Target, record_refusal,
};
use crate::token::Access;

impl AuthorizationServer {
    /// Accepts a request with a live access token for the server's default audience, with all of these
    /// scopes. A [`Guard`](crate::Guard) does the same for any resource, and says where its metadata are. For
    /// a token that is bound to a key, the proof must be for the issuer's origin and the
    /// [`path`](Request::path) of the request. Refusals are audited, like those of a guard with the server's
    /// audit.
    ///
    /// # Errors
    /// The response to send: 401 without an error code if no token was sent, 401 `invalid_token`, 401 for an
    /// invalid DPoP proof, 403 `insufficient_scope` with every scope that is needed, 400 for two tokens, 503
    /// if the store could not say.
    pub async fn protect(&self, request: &Request, scopes: &[&str]) -> Result<Access, Response> {
        let needed = Requirement::scopes(scopes);
        let keys = self.key_check();
        match self.pass(request, &needed, &keys).await {
            Ok(access) => Ok(access),
            Err((refusal, access)) => {
                if let Some(audit) = &self.inner.audit {
                    record_refusal(&**audit, &refusal, access.as_deref());
                }
                let takes_bearer = keys.takes_bearer();
                let algorithms = &keys.algorithms().join(" ");
                let challenge = Challenge { realm: "api", metadata: None, algorithms, takes_bearer };
                Err(challenge.answer(refusal.reason(), &needed, request, self.dpop_nonce()))
            }
        }
    }

    /// The nonce for the next proof for the server's default audience, like
    /// [`Guard::dpop_nonce`](crate::Guard::dpop_nonce) for a resource. All endpoints of a server have the same
    /// nonces.
    #[must_use]
    pub fn dpop_nonce(&self) -> Option<String> {
        self.key_check().nonce(&self.rules().issuer, self.now())
    }

    async fn pass(
        &self,
        request: &Request,
        needed: &Requirement,
        keys: &KeyCheck,
    ) -> Result<Access, Refused> {
        let server = &*self.rules().issuer;
        let at = Target { server, base: origin::written(server), alias: None, has_paths: true };
        let implied = &Implied::default();
        let check = RequestCheck { request, needed, implied, keys, at };
        let presented = check.presented().map_err(|reason| (Refusal::from(reason), None))?;
        let checked = self.check_for_default(presented.token).await;
        let access = checked.map_err(|refusal| (refusal, None))?;
        match self.prove(check, presented, &access).await {
            Ok(()) => Ok(access),
            Err(refusal) => Err((refusal, Some(Box::new(access)))),
        }
    }

    /// What a token for the default audience permits.
    async fn check_for_default(&self, token: &str) -> Result<Access, Refusal> {
        let access = self.check(token).await?;
        match access.audience() {
            None => Ok(access),
            Some(_) => Err(Reason::TokenAudienceWrong.into()),
        }
    }

    async fn prove(
        &self,
        check: RequestCheck<'_>,
        presented: Presented<'_>,
        access: &Access,
    ) -> Result<(), Refusal> {
        let now = self.now();
        let Some(proven) = check.proven(presented, access, now)? else { return Ok(()) };
        self.check_proof_algorithm(access, proven.algorithm).await?;
        check.keys.use_up(&proven, now, self.rules().policy.store_deadline).await
    }

    fn key_check(&self) -> KeyCheck {
        let rules = self.rules();
        KeyCheck::new(self.proofs(), rules.requires_bound_tokens, rules.certificates.binds)
    }
}
