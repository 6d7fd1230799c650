//! [`Guard`]: accepts requests for a protected resource, or answers them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::challenge::Challenge;
use super::key_check::{KeyCheck, Target};
use super::reasons::precedence;
use super::request_check::{Refused, RequestCheck, record_refusal};
use super::requirement::Implied;
use super::{Access, GuardBuilder, Requirement, TokenVerifier};
use crate::audit::Audit;
use crate::base::time::in_time;
use crate::base::{Clock, ResourceId};
use crate::error::{Fault, Reason, Refusal};
use crate::http::{AddedHeaders, Request, Response};
use crate::trust::{PROOF_FIELD, Proven};

/// Protects an API. Cheap to clone, without type parameters.
///
/// ```
/// use grantor::http::Request;
/// use grantor::resource::{Guard, Requirement};
/// # use grantor::{AuthorizationServer, MemoryRegistry, MemoryStore, Resource};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// # let server = AuthorizationServer::builder("https://as.example")
/// #     .clients(MemoryRegistry::default())
/// #     .store(MemoryStore::new())
/// #     .scopes(["read", "admin"])
/// #     .resource(Resource::new("https://api.example"))
/// #     .build()?;
/// let guard = Guard::builder("https://api.example")
///     .local(server)
///     .scope_implies("admin", ["read"])
///     .build()?;
/// let request = Request::get("").header("authorization", "Bearer made-up");
/// let refused = guard.check(&request, &Requirement::scopes(["read"])).await.unwrap_err();
/// assert_eq!(refused.status, 401);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Guard {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) resource: ResourceId,
    pub(super) realm: String,
    /// The path of the resource; empty if it is a single slash.
    pub(super) path: String,
    /// The URL of the document.
    pub(super) metadata_url: String,
    /// If the guard protects an endpoint of a server, the issuer of that server: challenges then omit the
    /// document, and proofs need the nonces of that server.
    pub(super) endpoint_of: Option<String>,
    /// The second URL of such an endpoint.
    pub(super) alias: Option<String>,
    pub(super) metadata: Vec<u8>,
    pub(super) verifiers: Vec<Arc<dyn TokenVerifier>>,
    pub(super) implied: Implied,
    pub(super) audit: Option<Arc<dyn Audit>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) deadline: Duration,
    pub(super) refuses_in_doubt: bool,
    pub(super) keys: KeyCheck,
    /// The algorithms of proofs, separated by spaces.
    pub(super) algorithms: String,
    /// The scheme, host and port of the resource.
    pub(super) origin: String,
}

impl Inner {
    fn nonces_of(&self) -> &str {
        self.endpoint_of.as_deref().unwrap_or(self.resource.as_str())
    }
}

impl Guard {
    /// Starts to configure the guard of a resource. The resource is its https URL: the audience of its
    /// tokens, and the `resource` of its metadata (RFC 9728), compared as a string.
    pub fn builder(resource: impl Into<String>) -> GuardBuilder {
        GuardBuilder::new(resource.into())
    }

    /// The resource that it guards.
    #[must_use]
    pub fn resource(&self) -> &ResourceId {
        &self.inner.resource
    }

    /// Accepts a request that meets the requirement.
    ///
    /// # Errors
    /// The response to send, with the challenge of RFC 6750 section 3: 401 without an error code if no token
    /// was sent, 401 `invalid_token`, 401 `insufficient_user_authentication` (RFC 9470), 403
    /// `insufficient_scope` with every scope that is needed, 400 for two tokens. 503, or 500 for a permanent
    /// fault, if a token could not be checked.
    pub async fn check(&self, request: &Request, needed: &Requirement) -> Result<Access, Response> {
        match self.pass(request, needed).await {
            Ok(access) => Ok(access),
            Err((refusal, access)) => {
                self.record(&refusal, access.as_deref());
                Err(self.answer(refusal.reason(), needed, request))
            }
        }
    }

    /// The nonce for the next proof, if proofs need one ([`Dpop::nonces`](crate::dpop::Dpop::nonces)): send
    /// it as `DPoP-Nonce` in the response to a request with a `DPoP` field, so clients get the next one in
    /// time (RFC 9449 section 8.2). Refusals have it, and a `GuardLayer` (feature `http`) adds it.
    #[must_use]
    pub fn dpop_nonce(&self) -> Option<String> {
        self.inner.keys.nonce(self.inner.nonces_of(), self.inner.clock.now())
    }

    /// The fields to add to the response to an accepted request: the nonce for the next proof, if the request
    /// has one and nonces are required.
    pub fn next_nonce(&self, request: &Request) -> AddedHeaders {
        let nonce = request.headers.all(PROOF_FIELD).next().and_then(|_| self.dpop_nonce());
        AddedHeaders::new(nonce.map(|nonce| ("dpop-nonce", nonce.into())))
    }

    /// Adds the nonce for the next proof to a response.
    pub(crate) fn with_nonce(&self, request: &Request, response: Response) -> Response {
        let added = self.next_nonce(request).into_headers();
        added.into_iter().fold(response, |response, (name, value)| response.with(name, value))
    }

    /// Whether this access has the scope, directly or implied by another one.
    #[must_use]
    pub fn permits(&self, access: &Access, scope: &str) -> bool {
        self.inner.implied.grants(access.scope(), scope)
    }

    /// The response to a refused request.
    pub(crate) fn answer(&self, reason: Reason, needed: &Requirement, request: &Request) -> Response {
        let Inner { realm, metadata_url, endpoint_of, keys, algorithms, .. } = &*self.inner;
        let metadata = endpoint_of.is_none().then_some(metadata_url.as_str());
        let challenge = Challenge { realm, metadata, algorithms, takes_bearer: keys.takes_bearer() };
        challenge.answer(self.public_reason(reason), needed, request, self.dpop_nonce())
    }

    /// Like [`check`](Self::check), for callers that audit and respond themselves.
    pub(crate) async fn pass(&self, request: &Request, needed: &Requirement) -> Result<Access, Refused> {
        let Inner { keys, clock, resource, endpoint_of, alias, origin, implied, .. } = &*self.inner;
        // The URL of a server's endpoint comes from its configuration, and not from the path of the request.
        let has_paths = endpoint_of.is_none();
        let base = if has_paths { origin.as_str() } else { resource.as_str() };
        let at = Target { server: self.inner.nonces_of(), base, alias: alias.as_deref(), has_paths };
        let check = RequestCheck { request, needed, implied, keys, at };
        let presented = check.presented().map_err(|reason| (Refusal::from(reason), None))?;
        let now = clock.now();
        let verified = self.verify(presented.token, now).await;
        let (access, verifier) = verified.map_err(|refusal| (refusal, None))?;
        let passed = match check.proven(presented, &access, now) {
            Ok(Some(proven)) => self.use_proof(&proven, verifier, &access, now).await,
            Ok(None) => Ok(()),
            Err(reason) => Err(reason.into()),
        };
        match passed {
            Ok(()) => Ok(access),
            Err(refusal) => Err((refusal, Some(Box::new(access)))),
        }
    }

    /// Marks a proof as used, as the last step: a request that is refused for another reason uses up nothing.
    async fn use_proof(
        &self,
        proven: &Proven,
        verifier: &dyn TokenVerifier,
        access: &Access,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let Inner { keys, deadline, .. } = &*self.inner;
        let allowed = in_time(verifier.check_proof_algorithm(access, proven.algorithm), *deadline).await;
        allowed.unwrap_or_else(|| Err(Fault::Deadline.into()))?;
        keys.use_up(proven, now, *deadline).await
    }

    /// Asks each verifier until one knows the token; returns the access, and the verifier. If none does, an
    /// unavailable verifier outranks a refusal: it might have accepted the token.
    async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<(Access, &dyn TokenVerifier), Refusal> {
        let Inner { resource, verifiers, deadline, .. } = &*self.inner;
        let mut worst: Option<Refusal> = None;
        for verifier in verifiers {
            let answer = match verifier.try_verify(token, resource, now) {
                Some(answer) => answer,
                None => {
                    let answer = in_time(verifier.verify(token, resource, now), *deadline).await;
                    answer.unwrap_or_else(|| Err(Fault::Deadline.into()))
                }
            };
            match answer {
                Ok(access) => return Ok((access, &**verifier)),
                Err(refusal) if worst.as_ref().is_none_or(|worst| outranks(&refusal, worst)) => {
                    worst = Some(refusal);
                }
                Err(_) => {}
            }
        }
        Err(worst.unwrap_or_else(|| Reason::TokenInactive.into()))
    }

    /// The reason that the client may see.
    fn public_reason(&self, reason: Reason) -> Reason {
        let in_doubt = reason.status() >= 500 && reason != Reason::NotConfigured;
        if in_doubt && self.inner.refuses_in_doubt { Reason::TokenInactive } else { reason }
    }

    pub(super) fn record(&self, refusal: &Refusal, access: Option<&Access>) {
        if let Some(audit) = &self.inner.audit {
            record_refusal(&**audit, refusal, access);
        }
    }
}

fn outranks(refusal: &Refusal, other: &Refusal) -> bool {
    precedence(refusal.reason()) > precedence(other.reason())
}

impl AsRef<Self> for Guard {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("resource", &self.inner.resource).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    #[async_trait::async_trait]
    impl TokenVerifier for Nobody {
        async fn verify(&self, _: &str, _: &ResourceId, _: DateTime<Utc>) -> Result<Access, Refusal> {
            Err(Reason::IssuerUnavailable.into())
        }
    }

    #[test]
    fn a_guard_without_an_audit_has_that_of_debug_builds() {
        let guard = Guard::builder("https://api.example").verifier(Nobody).build().unwrap();
        assert_eq!(guard.inner.audit.is_some(), cfg!(debug_assertions));
    }
}
