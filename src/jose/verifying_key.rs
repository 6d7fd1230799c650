//! [`VerifyingKey`]: a public key, parsed once.

use std::fmt;

use super::crypto::PublicKey;
use super::{Algorithm, Jwk, JwsError, KeyError};
use crate::base::Digest;

/// A public key that is ready to verify with. Parse it once and keep it: parsing can cost as much as
/// verifying.
#[derive(Clone)]
pub struct VerifyingKey {
    jwk: Jwk,
    digest: Digest,
    /// One for each algorithm: an RSA key that names none supports two.
    parsed: Vec<(Algorithm, PublicKey)>,
}

impl VerifyingKey {
    /// Parses a key.
    ///
    /// # Errors
    /// The parameters are not a valid key, for example a point that is not on the curve.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        let algorithms = Algorithm::ALL.iter().copied().filter(|algorithm| jwk.supports(*algorithm));
        let parsed = algorithms.map(|algorithm| Ok((algorithm, PublicKey::new(jwk.material(), algorithm)?)));
        let parsed = parsed.collect::<Result<_, KeyError>>()?;
        let json = serde_json::to_vec(jwk).map_err(|_| KeyError::Malformed)?;
        Ok(Self { jwk: jwk.clone(), digest: Digest::of("grantor:public-key:v1", &json), parsed })
    }

    /// A digest of the whole key, including its `kid` and its algorithm.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &Jwk {
        &self.jwk
    }

    /// Checks a signature by this algorithm over `message`.
    ///
    /// # Errors
    /// [`JwsError::UnknownKey`] if the key is not for this algorithm, [`JwsError::BadSignature`] if the
    /// signature was not made by it.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), JwsError> {
        let mut parsed = self.parsed.iter();
        let (_, key) = parsed.find(|(own, _)| *own == algorithm).ok_or(JwsError::UnknownKey)?;
        count_verification();
        key.verifies(message, signature).then_some(()).ok_or(JwsError::BadSignature)
    }
}

#[cfg(not(test))]
const fn count_verification() {}

#[cfg(test)]
fn count_verification() {
    VERIFICATIONS.set(VERIFICATIONS.get() + 1);
}

#[cfg(test)]
thread_local! {
    /// How many signatures this thread has verified.
    pub(crate) static VERIFICATIONS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerifyingKey").field(&self.jwk).finish()
    }
}
