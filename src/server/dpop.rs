//! Proofs of possession at the server's own endpoints (RFC 9449 sections 5 and 10.1), and the nonces of its answers.

use std::sync::Arc;

use super::setup::Options;
use super::{AuthorizationServer, AuthorizationServerBuilder};
use crate::audit::Endpoint;
use crate::error::{ProofFlaw, Reason, Refusal};
use crate::http::{Request, Response};
use crate::store::ReplayGuard;
use crate::trust::{Dpop, PROOF_FIELD, Place, Proven};

impl<C, S> AuthorizationServerBuilder<C, S> {
    /// Takes DPoP proofs: tokens that are asked for with one are bound to its key. Needs a [`replay_guard`](Self::replay_guard), for
    /// each proof works once. See the [manual](crate::manual::sender_constrained).
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.options.dpop = Some(dpop);
        self
    }

    /// Issues no access token that is not bound to a key. A single client can require it of itself:
    /// [`ClientMetadata::dpop_bound_access_tokens`](crate::ClientMetadata::dpop_bound_access_tokens).
    pub fn require_bound_tokens(mut self) -> Self {
        self.options.requires_bound_tokens = true;
        self
    }
}

impl Options {
    /// Whether it says so itself, or its profile does.
    pub(super) fn binds_every_token(&self) -> bool {
        self.requires_bound_tokens || self.profile.switches().bound_tokens
    }
}

impl AuthorizationServer {
    /// What a request proves; everything is checked but that the proof is used for the first time.
    pub(super) fn check_proof(
        &self,
        request: &Request,
        endpoint: Endpoint,
    ) -> Result<Option<Proven>, Reason> {
        let Some(dpop) = &self.inner.dpop else { return Ok(None) };
        if !has_proof(request) {
            return Ok(None);
        }
        let now = self.now();
        let at = |base: &str| {
            dpop.check(request, &Place { server: &self.rules().issuer, base, path: "", token: None }, now)
        };
        let checked = match at(&self.url_of(endpoint).ok_or(Reason::NotConfigured)?) {
            // The endpoint may have a second URL, for connections with a certificate.
            Err(ProofFlaw::UrlWrong) => match self.mtls_alias_of(endpoint) {
                Some(alias) => at(&alias),
                None => Err(ProofFlaw::UrlWrong),
            },
            checked => checked,
        };
        Ok(checked?)
    }

    /// Marks a proof as used.
    pub(super) async fn use_proof(&self, proven: Option<&Proven>) -> Result<(), Refusal> {
        let Some(Proven { once, until, .. }) = proven else { return Ok(()) };
        match self.is_first_use(once, *until).await? {
            true => Ok(()),
            false => Err(Reason::from(ProofFlaw::Replayed).into()),
        }
    }

    /// An answer with the nonce for the next proof, if the request has a proof and proofs need one (RFC 9449 section 8.2).
    pub(super) fn with_nonce(&self, request: &Request, response: Response) -> Response {
        let dpop = self.inner.dpop.as_ref().filter(|_| has_proof(request));
        match dpop.and_then(|dpop| dpop.nonce(&self.rules().issuer, self.now())) {
            Some(nonce) => response.with("dpop-nonce", nonce),
            None => response,
        }
    }

    /// How proofs are taken, and who remembers them: for a resource in this process.
    pub(crate) fn proofs(&self) -> Option<(Dpop, Arc<dyn ReplayGuard>)> {
        Some((self.inner.dpop.clone()?, self.inner.one_time.guard()?))
    }
}

fn has_proof(request: &Request) -> bool {
    request.headers.all(PROOF_FIELD).next().is_some()
}
