//! The cryptographic library of a WebAssembly module, which needs no C compiler: EdDSA and ES256 in pure
//! Rust. RSA keys, and so PS256 and RS256, are [unsupported](KeyError::Unsupported).

use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, SecretDocument};
use hmac::{Hmac, KeyInit as _, Mac as _};
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use sha2::Sha256;

use super::jwk::Material;
use super::{Algorithm, KeyError, SignError};
use crate::base::{Entropy as _, SystemEntropy};

/// A private key.
pub(super) enum Pair {
    Ed25519(ed25519_dalek::SigningKey),
    P256(p256::ecdsa::SigningKey),
}

impl Pair {
    pub(super) fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        SystemEntropy.fill(&mut bytes);
        match algorithm {
            Algorithm::EdDsa => Ok(Self::Ed25519(bytes.into())),
            // Fails for one random number in 2^32, which is not below the order of the curve.
            Algorithm::Es256 => {
                p256::ecdsa::SigningKey::from_slice(&bytes).map(Self::P256).map_err(|_| KeyError::Library)
            }
            Algorithm::Ps256 | Algorithm::Rs256 => Err(KeyError::Unsupported),
        }
    }

    pub(super) fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        match algorithm {
            Algorithm::EdDsa => ed25519_dalek::SigningKey::from_pkcs8_der(der).ok().map(Self::Ed25519),
            Algorithm::Es256 => p256::SecretKey::from_pkcs8_der(der).ok().map(|key| Self::P256(key.into())),
            Algorithm::Ps256 | Algorithm::Rs256 => return Err(KeyError::Unsupported),
        }
        .ok_or(KeyError::Rejected)
    }

    pub(super) fn from_pkcs1(_: &[u8]) -> Result<Self, KeyError> {
        Err(KeyError::Unsupported)
    }

    /// A P-256 key in the format of RFC 5915 (SEC 1).
    pub(super) fn from_sec1(der: &[u8]) -> Result<Self, KeyError> {
        let key = p256::SecretKey::from_sec1_der(der).map_err(|_| KeyError::Rejected)?;
        Ok(Self::P256(key.into()))
    }

    pub(super) fn from_seed(seed: &[u8], x: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = ed25519_dalek::SigningKey::try_from(seed).map_err(|_| KeyError::Rejected)?;
        Self::Ed25519(pair).of(&Material::Ed25519 { x: *x })
    }

    pub(super) fn from_p256(d: &[u8], x: &[u8; 32], y: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = p256::ecdsa::SigningKey::from_slice(d).map_err(|_| KeyError::Rejected)?;
        Self::P256(pair).of(&Material::P256 { x: *x, y: *y })
    }

    pub(super) fn from_rsa(_: &[u8], _: &[u8], _: [&[u8]; 6]) -> Result<Self, KeyError> {
        Err(KeyError::Unsupported)
    }

    /// Returns the pair if its public key is `public`.
    fn of(self, public: &Material) -> Result<Self, KeyError> {
        if self.public()? == *public { Ok(self) } else { Err(KeyError::Rejected) }
    }

    pub(super) fn to_pkcs8(&self) -> Result<Der, KeyError> {
        let der = match self {
            Self::Ed25519(pair) => pair.to_pkcs8_der(),
            Self::P256(pair) => p256::SecretKey::from(pair.as_nonzero_scalar()).to_pkcs8_der(),
        };
        der.map(Der).map_err(|_| KeyError::Library)
    }

    pub(super) fn public(&self) -> Result<Material, KeyError> {
        match self {
            Self::Ed25519(pair) => Ok(Material::Ed25519 { x: pair.verifying_key().to_bytes() }),
            Self::P256(pair) => {
                let point = pair.verifying_key().to_sec1_point(false);
                let (x, y) = point.x().zip(point.y()).ok_or(KeyError::Library)?;
                Ok(Material::P256 { x: (*x).into(), y: (*y).into() })
            }
        }
    }

    /// Signs with the only algorithm of the key. Both are deterministic: ES256 by RFC 6979.
    pub(super) fn sign(&self, _: Algorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let failed = |_| SignError::permanent("the cryptographic library failed");
        match self {
            Self::Ed25519(pair) => Ok(pair.try_sign(message).map_err(failed)?.to_bytes().to_vec()),
            Self::P256(pair) => {
                let signature: p256::ecdsa::Signature = pair.try_sign(message).map_err(failed)?;
                Ok(signature.to_bytes().to_vec())
            }
        }
    }
}

/// A private key as PKCS#8; its bytes are zeroed when it is dropped.
pub(super) struct Der(SecretDocument);

impl Der {
    pub(super) fn reveal(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A public key for one algorithm.
#[derive(Clone)]
pub(super) enum PublicKey {
    Ed25519(ed25519_dalek::VerifyingKey),
    P256(p256::ecdsa::VerifyingKey),
}

impl PublicKey {
    pub(super) fn new(material: &Material, algorithm: Algorithm) -> Result<Self, KeyError> {
        match (material, algorithm) {
            (Material::Ed25519 { x }, Algorithm::EdDsa) => {
                ed25519_dalek::VerifyingKey::from_bytes(x).ok().map(Self::Ed25519)
            }
            (Material::P256 { x, y }, Algorithm::Es256) => {
                // An uncompressed point (SEC 1 section 2.3.3).
                let point = [&[4][..], x, y].concat();
                p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok().map(Self::P256)
            }
            (Material::Rsa { .. }, Algorithm::Ps256 | Algorithm::Rs256) => return Err(KeyError::Unsupported),
            (Material::Ed25519 { .. } | Material::P256 { .. } | Material::Rsa { .. }, _) => {
                return Err(KeyError::Mismatch);
            }
        }
        .ok_or(KeyError::Rejected)
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Self::P256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        }
    }
}

/// HMAC-SHA-256 with one key.
pub(crate) struct HmacSha256(Hmac<Sha256>);

impl HmacSha256 {
    pub(crate) fn new(key: &[u8]) -> Self {
        #[expect(clippy::expect_used, reason = "RFC 2104 takes a key of any length")]
        Self(Hmac::new_from_slice(key).expect("a key of any length"))
    }

    pub(crate) fn mac(&self, message: &[u8]) -> [u8; 32] {
        self.0.clone().chain_update(message).finalize().into_bytes().into()
    }
}
