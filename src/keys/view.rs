//! [`KeyView`]: the keys at one point in time.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::ring::{KeyRing, KeyState};
use crate::jose::{Algorithm, Jwk, JwkSet, JwkSetError, Signer, VerifyingKey};

/// The current signers and the published keys, already parsed.
pub struct KeyView {
    signers: Vec<(Algorithm, Arc<dyn Signer>)>,
    jwks: JwkSet,
    verifying: Vec<VerifyingKey>,
    json: String,
    states: Vec<KeyState>,
}

/// What is wrong with keys that the host provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// No signer, or no algorithm.
    #[error("there is no key to sign with")]
    Empty,
    /// A signer's key is not for its algorithm.
    #[error("a signer's key is not for its algorithm")]
    Mismatch,
    /// A key without a `kid`, or two with the same one.
    #[error("every key needs a kid of its own")]
    Kid,
    /// More keys than a set may hold.
    #[error(transparent)]
    Set(#[from] JwkSetError),
    /// The stages of the schedule are inconsistent.
    #[error(transparent)]
    Schedule(#[from] super::KeyScheduleError),
}

impl KeyView {
    pub(super) fn of_ring(
        ring: &KeyRing,
        now: DateTime<Utc>,
        algorithms: &[Algorithm],
    ) -> Result<Self, JwkSetError> {
        let signing = |algorithm: &Algorithm| {
            let key = Arc::clone(ring.signing(*algorithm, now)?);
            Some((*algorithm, key as Arc<dyn Signer>))
        };
        let signers = algorithms.iter().filter_map(signing).collect();
        let jwks = JwkSet::new(ring.published(now).cloned())?;
        Ok(Self::new(signers, jwks, ring.states(now).collect()))
    }

    /// The first signer of an algorithm signs. The keys of all signers are published, and `published` in
    /// addition.
    pub(super) fn of_signers(brought: Vec<Arc<dyn Signer>>, published: Vec<Jwk>) -> Result<Self, KeysError> {
        if brought.is_empty() {
            return Err(KeysError::Empty);
        }
        if brought.iter().any(|signer| !signer.key().supports(signer.algorithm())) {
            return Err(KeysError::Mismatch);
        }
        let jwks = JwkSet::new(brought.iter().map(|signer| signer.key().clone()).chain(published))?;
        let kids: Option<Vec<&str>> = jwks.keys().iter().map(Jwk::kid).collect();
        let mut kids = kids.ok_or(KeysError::Kid)?;
        kids.sort_unstable();
        if kids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(KeysError::Kid);
        }
        let first = |algorithm| {
            let signer = brought.iter().find(|signer| signer.algorithm() == algorithm)?;
            Some((algorithm, Arc::clone(signer)))
        };
        Ok(Self::new(Algorithm::ALL.iter().copied().filter_map(first).collect(), jwks, Vec::new()))
    }

    fn new(signers: Vec<(Algorithm, Arc<dyn Signer>)>, jwks: JwkSet, states: Vec<KeyState>) -> Self {
        let json = serde_json::to_string(&jwks).unwrap_or_else(|_| r#"{"keys":[]}"#.to_owned());
        Self { signers, verifying: jwks.verifying_keys(), jwks, json, states }
    }

    /// The signer for this algorithm.
    #[must_use]
    pub fn signer(&self, algorithm: Algorithm) -> Option<&Arc<dyn Signer>> {
        self.signers.iter().find(|(own, _)| *own == algorithm).map(|(_, signer)| signer)
    }

    /// The algorithms that have a signer.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.signers.iter().map(|(algorithm, _)| *algorithm)
    }

    /// The public keys that verifiers need.
    #[must_use]
    pub fn jwks(&self) -> &JwkSet {
        &self.jwks
    }

    /// The published keys, ready to verify with.
    #[must_use]
    pub fn verifying_keys(&self) -> &[VerifyingKey] {
        &self.verifying
    }

    /// The published keys as JSON, for the JWKS endpoint.
    #[must_use]
    pub fn jwks_json(&self) -> &str {
        &self.json
    }

    /// Each key of a ring and its stage; empty for keys that the host provides.
    #[must_use]
    pub fn states(&self) -> &[KeyState] {
        &self.states
    }

    /// Whether each of these algorithms has a signer.
    pub(super) fn can_sign(&self, algorithms: &[Algorithm]) -> bool {
        algorithms.iter().all(|algorithm| self.signer(*algorithm).is_some())
    }
}

impl fmt::Debug for KeyView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signers: Vec<_> = self.signers.iter().map(|(algorithm, s)| (algorithm, s.key().kid())).collect();
        f.debug_struct("KeyView").field("signers", &signers).field("jwks", &self.jwks).finish_non_exhaustive()
    }
}
