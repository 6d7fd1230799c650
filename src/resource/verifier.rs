//! [`TokenVerifier`]: says what an access token permits.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Access;
use crate::base::{Algorithm, ResourceId};
use crate::error::Refusal;

/// Says what an access token permits: by asking the server in this process, by verifying signatures, or by
/// asking a remote server.
#[async_trait]
pub trait TokenVerifier: Send + Sync {
    /// What a token allows at this resource. The token is untrusted text.
    ///
    /// A wrong `Ok` lets attackers in. The verifier checks the signature or the record, the issuer, the
    /// *audience* and the expiry; the guard checks scope, authentication and the proof of the token's key. A
    /// verifier that drops the token's key ([`Access::confirmation`]) lets a thief use the token.
    ///
    /// # Errors
    /// [`Reason::TokenInactive`](crate::Reason::TokenInactive) or another reason of a token for one that is
    /// not valid; [`IssuerUnavailable`](crate::Reason::IssuerUnavailable),
    /// [`StoreUnavailable`](crate::Reason::StoreUnavailable) or [`StoreBroken`](crate::Reason::StoreBroken)
    /// if it could not be checked. Never mix the two up.
    async fn verify(&self, token: &str, resource: &ResourceId, now: DateTime<Utc>)
    -> Result<Access, Refusal>;

    /// Like [`verify`](Self::verify), if the answer is available without waiting. `None`, the default, makes
    /// the guard use `verify`.
    fn try_verify(
        &self,
        token: &str,
        resource: &ResourceId,
        now: DateTime<Utc>,
    ) -> Option<Result<Access, Refusal>> {
        let _ = (token, resource, now);
        None
    }

    /// Whether the client of an access from this verifier may sign its DPoP proofs with this algorithm: a
    /// profile such as FAPI 2.0 (section 5.4.1) allows fewer than the guard accepts. By default it may. This
    /// is checked before the proof is marked as used.
    ///
    /// # Errors
    /// [`ProofFlaw::AlgorithmRefused`](crate::dpop::ProofFlaw::AlgorithmRefused) as a reason, or one of those
    /// for a failed check.
    async fn check_proof_algorithm(&self, access: &Access, algorithm: Algorithm) -> Result<(), Refusal> {
        let _ = (access, algorithm);
        Ok(())
    }

    /// The issuer of its tokens; the metadata name it as an authorization server.
    fn issuer(&self) -> Option<&str> {
        None
    }
}

#[async_trait]
impl<T: TokenVerifier + ?Sized> TokenVerifier for Arc<T> {
    async fn verify(
        &self,
        token: &str,
        resource: &ResourceId,
        now: DateTime<Utc>,
    ) -> Result<Access, Refusal> {
        (**self).verify(token, resource, now).await
    }

    fn try_verify(
        &self,
        token: &str,
        resource: &ResourceId,
        now: DateTime<Utc>,
    ) -> Option<Result<Access, Refusal>> {
        (**self).try_verify(token, resource, now)
    }

    async fn check_proof_algorithm(&self, access: &Access, algorithm: Algorithm) -> Result<(), Refusal> {
        (**self).check_proof_algorithm(access, algorithm).await
    }

    fn issuer(&self) -> Option<&str> {
        (**self).issuer()
    }
}
