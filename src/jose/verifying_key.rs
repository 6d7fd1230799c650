//! [`VerifyingKey`]: a public key, parsed once.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents,
};

use super::jwk::Material;
use super::{Algorithm, Jwk, JwsError, KeyError};
use crate::base::Digest;

/// A public key that is ready to verify. Make it once and keep it: to parse a key can cost as much as to
/// verify.
#[derive(Clone)]
pub struct VerifyingKey {
    jwk: Jwk,
    digest: Digest,
    /// One for each algorithm: an RSA key that names none verifies two.
    parsed: Vec<(Algorithm, ParsedPublicKey)>,
}

impl VerifyingKey {
    /// Parses a key.
    ///
    /// # Errors
    /// The numbers are no key, say a point that is not on the curve.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        let algorithms = Algorithm::ALL.iter().copied().filter(|algorithm| jwk.supports(*algorithm));
        let parsed = algorithms.map(|algorithm| Ok((algorithm, parse(jwk.material(), algorithm)?)));
        let parsed = parsed.collect::<Result<_, KeyError>>()?;
        let json = serde_json::to_vec(jwk).map_err(|_| KeyError::Malformed)?;
        Ok(Self { jwk: jwk.clone(), digest: Digest::of("grantor:public-key:v1", &json), parsed })
    }

    /// Over all of the key: another name or another algorithm makes it another one.
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
    /// signature is not its own.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), JwsError> {
        let mut parsed = self.parsed.iter();
        let (_, key) = parsed.find(|(own, _)| *own == algorithm).ok_or(JwsError::UnknownKey)?;
        count_verification();
        key.verify_sig(message, signature).map_err(|_| JwsError::BadSignature)
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
    /// The signatures that this thread has verified.
    pub(crate) static VERIFICATIONS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

fn parse(material: &Material, algorithm: Algorithm) -> Result<ParsedPublicKey, KeyError> {
    let parsed = match (material, algorithm) {
        (Material::Ed25519 { x }, Algorithm::EdDsa) => ParsedPublicKey::new(&ED25519, x),
        (Material::P256 { x, y }, Algorithm::Es256) => {
            // An uncompressed point (SEC 1 section 2.3.3).
            let point = [&[4][..], x, y].concat();
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        }
        (Material::Rsa { n, e }, Algorithm::Ps256) => {
            RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PSS_2048_8192_SHA256)
        }
        (Material::Rsa { n, e }, Algorithm::Rs256) => {
            RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        }
        (Material::Ed25519 { .. } | Material::P256 { .. } | Material::Rsa { .. }, _) => {
            return Err(KeyError::Mismatch);
        }
    };
    parsed.map_err(|_| KeyError::Rejected)
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerifyingKey").field(&self.jwk).finish()
    }
}
