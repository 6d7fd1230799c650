//! [`KeyCheck`]: whether a request proves the key that its token is bound to (RFC 9449 section 7, RFC 8705
//! section 3).

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Access;
use crate::base::time::in_time;
use crate::base::{Confirmation, after};
use crate::error::{Fault, ProofFlaw, Reason, Refusal};
use crate::http::bearer::{Presented, Scheme};
use crate::http::{Certificate, Request};
use crate::store::ReplayGuard;
use crate::trust::times::KEPT_FOR_NODES;
use crate::trust::{Dpop, PROOF_FIELD, Place, Proven};

/// A resource's settings for bound tokens.
#[derive(Clone, Default)]
pub(crate) struct KeyCheck {
    /// The DPoP settings, and the replay guard.
    dpop: Option<(Dpop, Arc<dyn ReplayGuard>)>,
    /// Whether a token without a key is refused.
    is_required: bool,
    /// Whether the key may be that of a client certificate. Such tokens are presented as bearer tokens.
    takes_certificates: bool,
}

/// The URL of a request.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    /// The issuer or the resource whose nonces are accepted.
    pub(crate) server: &'a str,
    /// The URL, or only its origin.
    pub(crate) base: &'a str,
    /// A second URL of an endpoint of the server, for connections with a certificate.
    pub(crate) alias: Option<&'a str>,
    /// Whether the path comes from the request.
    pub(crate) has_paths: bool,
}

impl KeyCheck {
    pub(crate) fn new(
        dpop: Option<(Dpop, Arc<dyn ReplayGuard>)>,
        is_required: bool,
        takes_certificates: bool,
    ) -> Self {
        Self { dpop, is_required, takes_certificates }
    }

    /// The ways in which a token may be presented.
    pub(crate) fn schemes(&self) -> &'static [Scheme] {
        match self.dpop {
            Some(_) => Scheme::ALL,
            None => &[Scheme::Bearer],
        }
    }

    /// The names of the algorithms of proofs; empty if no proofs are accepted.
    pub(crate) fn algorithms(&self) -> Vec<&'static str> {
        self.dpop.as_ref().map(|(dpop, _)| dpop.algorithms()).unwrap_or_default()
    }

    /// Whether a token can be presented as a bearer token.
    pub(crate) fn takes_bearer(&self) -> bool {
        !self.is_required || self.takes_certificates || self.dpop.is_none()
    }

    /// The nonce for new proofs.
    pub(crate) fn nonce(&self, server: &str, now: DateTime<Utc>) -> Option<String> {
        self.dpop.as_ref().and_then(|(dpop, _)| dpop.nonce(server, now))
    }

    /// All checks except that a proof is used for the first time.
    pub(crate) fn check(
        &self,
        request: &Request,
        presented: Presented<'_>,
        access: &Access,
        at: Target<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<Proven>, Reason> {
        let key = access.confirmation();
        if let Some(print) = key.and_then(Confirmation::x5t_s256) {
            let shown = request.certificate.as_ref().map(Certificate::thumbprint);
            if shown.as_ref() != Some(print) {
                return Err(Reason::TokenBound);
            }
        }
        match (presented.scheme, key.and_then(Confirmation::jkt)) {
            (Scheme::Bearer, None) if self.is_required && key.is_none() => Err(Reason::TokenUnbound),
            (Scheme::Bearer, None) => Ok(None),
            (Scheme::Bearer, Some(_)) => Err(Reason::TokenBound),
            (Scheme::Dpop, None) => Err(Reason::TokenUnbound),
            (Scheme::Dpop, Some(key)) => {
                let (dpop, _) = self.dpop.as_ref().ok_or(Reason::TokenBound)?;
                // Adapters copy the path only if the request has a proof.
                request.headers.all(PROOF_FIELD).next().ok_or(ProofFlaw::Missing)?;
                let path = match at.has_paths {
                    true => request.path.as_deref().ok_or(Reason::NotConfigured)?,
                    false => "",
                };
                let token = Some(presented.token);
                let place = Place { server: at.server, base: at.base, alias: at.alias, path, token };
                let proven = dpop.check(request, &place, now)?.ok_or(ProofFlaw::Missing)?;
                match proven.key == *key {
                    true => Ok(Some(proven)),
                    false => Err(ProofFlaw::TokenOfOtherKey.into()),
                }
            }
        }
    }

    /// Marks a proof as used. If that fails, the request is refused.
    pub(crate) async fn use_up(
        &self,
        proven: &Proven,
        now: DateTime<Utc>,
        deadline: Duration,
    ) -> Result<(), Refusal> {
        let Some((_, guard)) = &self.dpop else { return Ok(()) };
        // The clock of another node may be behind.
        let first =
            in_time(guard.first_use(&proven.once, after(proven.until, KEPT_FOR_NODES), now), deadline).await;
        match first.ok_or(Fault::Deadline)?.map_err(Fault::from)? {
            true => Ok(()),
            false => Err(Reason::from(ProofFlaw::Replayed).into()),
        }
    }
}
