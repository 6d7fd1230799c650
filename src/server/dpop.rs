//! Proofs of possession at the server's own endpoints (RFC 9449 sections 5 and 10.1), and the nonces of its
//! responses.

use std::sync::Arc;

use super::builder::Options;
use super::{AuthorizationServer, AuthorizationServerBuilder};
use crate::audit::Endpoint;
use crate::base::Algorithm;
use crate::client::Profile;
use crate::error::{ProofFlaw, Reason, Refusal};
use crate::http::{Request, Response};
use crate::store::ReplayGuard;
use crate::token::Access;
use crate::trust::{Dpop, PROOF_FIELD, Place, Proven};

impl<C, S> AuthorizationServerBuilder<C, S> {
    /// Accepts DPoP proofs: tokens that are requested with one are bound to its key. Needs a
    /// [`replay_guard`](Self::replay_guard), because each proof works once. See the
    /// [manual](crate::manual::sender_constrained).
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.options.dpop = Some(dpop);
        self
    }

    /// Requires that every access token is bound to a key. A single client can require it for itself:
    /// [`ClientMetadata::dpop_bound_access_tokens`](crate::ClientMetadata::dpop_bound_access_tokens).
    pub fn require_bound_tokens(mut self) -> Self {
        self.options.requires_bound_tokens = true;
        self
    }
}

impl Options {
    /// Whether the configuration or its profile requires that every token is bound to a key.
    pub(super) fn binds_every_token(&self) -> bool {
        self.requires_bound_tokens || self.profile.switches().bound_tokens
    }
}

impl AuthorizationServer {
    /// The key that a request proves. Checks everything except that the proof was not used before.
    pub(super) fn check_proof(
        &self,
        request: &Request,
        endpoint: Endpoint,
    ) -> Result<Option<Proven>, Reason> {
        let Some(dpop) = self.inner.dpop.as_deref() else { return Ok(None) };
        if !has_proof(request) {
            return Ok(None);
        }
        let base = &self.url_of(endpoint).ok_or(Reason::NotConfigured)?;
        // The URL that a client with a certificate calls.
        let alias = self.mtls_alias_of(endpoint);
        let server = &self.rules().issuer;
        let place = Place { server, base, alias: alias.as_deref(), path: "", token: None };
        Ok(dpop.check(request, &place, self.now())?)
    }

    /// Refuses a proof that is signed with an algorithm that the profile of the token's client forbids.
    pub(super) async fn check_proof_algorithm(
        &self,
        access: &Access,
        algorithm: Algorithm,
    ) -> Result<(), Refusal> {
        if Profile::all_take(algorithm) {
            return Ok(());
        }
        match self.find_any_client(access.client()).await? {
            Some(client) => Ok(self.rules().check_proof_algorithm(Some(algorithm), &client)?),
            // The client has a metadata document, which cannot name a profile.
            None => Ok(()),
        }
    }

    /// Marks a proof as used.
    pub(super) async fn use_proof(&self, proven: Option<&Proven>) -> Result<(), Refusal> {
        let Some(Proven { once, until, .. }) = proven else { return Ok(()) };
        match Box::pin(self.is_first_use(once, *until)).await? {
            true => Ok(()),
            false => Err(Reason::from(ProofFlaw::Replayed).into()),
        }
    }

    /// A response with the nonce for the next proof, if the request has a proof and nonces are required (RFC
    /// 9449 section 8.2).
    pub(super) fn with_nonce(&self, request: &Request, response: Response) -> Response {
        let dpop = self.inner.dpop.as_ref().filter(|_| has_proof(request));
        match dpop.and_then(|dpop| dpop.nonce(&self.rules().issuer, self.now())) {
            Some(nonce) => response.with("dpop-nonce", nonce),
            None => response,
        }
    }

    /// The DPoP settings and the replay guard, for a resource in this process.
    pub(crate) fn proofs(&self) -> Option<(Dpop, Arc<dyn ReplayGuard>)> {
        Some((self.inner.dpop.as_deref()?.clone(), self.inner.single_use.guard()?))
    }
}

fn has_proof(request: &Request) -> bool {
    request.headers.all(PROOF_FIELD).next().is_some()
}
