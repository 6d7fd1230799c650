//! [`DpopProofs`]: reads DPoP proofs, which contain their key in the header (RFC 9449 section 4.2).

use std::fmt;
use std::sync::Arc;

use super::Recent;
use super::proof::{Proof, ProofVerifier};
use crate::base::Thumbprint;
use crate::error::ProofFlaw as Flaw;
use crate::jose::{Algorithm, Jws, JwsError, VerifyingKey};

/// The `typ` of a proof.
const PROOF: &str = "dpop+jwt";

/// The number of cached parsed keys, so a client's key is parsed once.
const KEPT: usize = 1024;

/// Reads DPoP proofs and checks their signatures: by default with every supported algorithm, all of them
/// asymmetric.
///
/// The key must be public, of the type of the algorithm, and RSA of at least 2048 bits. Its optional `use`
/// and `key_ops` must be for signatures, and its optional `alg` that of the proof; unknown members are
/// ignored. The last 1,024 keys that signed a proof are cached in parsed form.
pub struct DpopProofs {
    algorithms: Vec<Algorithm>,
    parsed: Recent<(Thumbprint, Algorithm), Arc<VerifyingKey>>,
}

impl DpopProofs {
    /// Accepts every supported algorithm.
    #[must_use]
    pub fn new() -> Self {
        Self { algorithms: Algorithm::ALL.to_vec(), parsed: Recent::new(KEPT) }
    }

    /// Accepts only these algorithms.
    #[must_use]
    pub fn algorithms(self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        Self { algorithms: algorithms.into_iter().collect(), ..self }
    }
}

impl Default for DpopProofs {
    fn default() -> Self {
        Self::new()
    }
}

impl ProofVerifier for DpopProofs {
    fn verify(&self, proof: &str) -> Result<Proof, Flaw> {
        let (jws, jwk) = Jws::parse_with_key(proof).map_err(flaw)?;
        if !jws.has_typ(PROOF) {
            return Err(Flaw::TypeWrong);
        }
        let algorithm = jws.algorithm();
        if !self.algorithms.contains(&algorithm) {
            return Err(Flaw::AlgorithmRefused);
        }
        let jwk = jwk.map_err(|_| Flaw::KeyRefused)?;
        if !jwk.supports(algorithm) {
            return Err(Flaw::KeyRefused);
        }
        let key = Thumbprint::parse(&jwk.thumbprint()).ok_or(Flaw::KeyRefused)?;
        let known = self.parsed.get(&(key, algorithm));
        let is_known = known.is_some();
        let parsed = match known {
            Some(parsed) => parsed,
            None => Arc::new(VerifyingKey::from_jwk(&jwk).map_err(|_| Flaw::KeyRefused)?),
        };
        if !jws.is_signed_by(&parsed) {
            return Err(Flaw::SignatureWrong);
        }
        // Cached only now, because a key in an invalid proof must not evict others.
        if !is_known {
            self.parsed.insert((key, algorithm), parsed);
        }
        Proof::read(key, algorithm, jws.payload())
    }

    fn algorithms(&self) -> Vec<&'static str> {
        self.algorithms.iter().flat_map(|algorithm| algorithm.names()).copied().collect()
    }
}

fn flaw(error: JwsError) -> Flaw {
    match error {
        JwsError::TooLong => Flaw::TooLong,
        JwsError::Algorithm => Flaw::AlgorithmRefused,
        JwsError::NotThreeParts
        | JwsError::NotBase64Url
        | JwsError::NotAnObject
        | JwsError::DuplicateMember
        | JwsError::ForbiddenMember(_)
        | JwsError::Claims => Flaw::Malformed,
        JwsError::UnknownKey => Flaw::KeyRefused,
        JwsError::BadSignature => Flaw::SignatureWrong,
    }
}

impl fmt::Debug for DpopProofs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopProofs").field("algorithms", &self.algorithms).finish_non_exhaustive()
    }
}
