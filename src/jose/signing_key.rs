//! [`SigningKey`]: a private key in this process.

use std::fmt;

use async_trait::async_trait;
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::pkcs8::Document;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};

use super::jwk::Material;
use super::{Algorithm, Jwk, KeyError, SignError, Signer};

/// A private key, parsed once and kept. Neither `Clone` nor `Serialize`, and `Debug` shows the public half.
pub struct SigningKey {
    jwk: Jwk,
    algorithm: Algorithm,
    pair: Pair,
}

pub(super) enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// Makes a key from the library's random source; its `kid` is its thumbprint. RSA keys have 2048 bits and
    /// take tenths of a second: make them off the async threads.
    ///
    /// # Errors
    /// The library failed.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::generate().map(Pair::Ed25519),
            Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::P256),
            Algorithm::Ps256 | Algorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
        };
        Self::of(algorithm, pair.map_err(|_| KeyError::Library)?)
    }

    /// Reads an unencrypted PKCS#8 key (RFC 5958, DER).
    ///
    /// # Errors
    /// It is no such key, or one for another algorithm.
    pub fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(der).map(Pair::Ed25519),
            Algorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Pair::P256)
            }
            Algorithm::Ps256 | Algorithm::Rs256 => RsaKeyPair::from_pkcs8(der).map(Pair::Rsa),
        };
        Self::of(algorithm, pair.map_err(|_| KeyError::Rejected)?)
    }

    /// A key whose public half is what the pair says, under its thumbprint.
    pub(super) fn of(algorithm: Algorithm, pair: Pair) -> Result<Self, KeyError> {
        let jwk = Jwk::new(pair.public()?, algorithm);
        if !jwk.fits(algorithm) {
            return Err(KeyError::Mismatch);
        }
        Ok(Self { jwk, algorithm, pair })
    }

    /// The same key under another name; by default it is named after its thumbprint.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.jwk = self.jwk.with_kid(kid);
        self
    }

    /// The private key as PKCS#8, for a key store and nothing else.
    ///
    /// # Errors
    /// The library failed.
    pub fn to_pkcs8(&self) -> Result<Pkcs8, KeyError> {
        let der = match &self.pair {
            Pair::Ed25519(pair) => pair.to_pkcs8().map(Der::Document),
            Pair::P256(pair) => pair.to_pkcs8v1().map(Der::Document),
            Pair::Rsa(pair) => pair.as_der().map(Der::Buffer),
        };
        Ok(Pkcs8(der.map_err(|_| KeyError::Library)?))
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let failed = |_| SignError::permanent("the cryptographic library failed");
        match &self.pair {
            Pair::Ed25519(pair) => Ok(pair.try_sign(message).map_err(failed)?.as_ref().to_vec()),
            Pair::P256(pair) => {
                Ok(pair.sign(&SystemRandom::new(), message).map_err(failed)?.as_ref().to_vec())
            }
            Pair::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding =
                    if self.algorithm == Algorithm::Ps256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

impl Pair {
    fn public(&self) -> Result<Material, KeyError> {
        match self {
            Self::Ed25519(pair) => {
                let x = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Library)?;
                Ok(Material::Ed25519 { x })
            }
            Self::P256(pair) => {
                // An uncompressed point: 4, x, y.
                let point = pair.public_key().as_ref();
                let (x, rest) =
                    point.get(1..).and_then(<[u8]>::split_first_chunk).ok_or(KeyError::Library)?;
                Ok(Material::P256 { x: *x, y: rest.try_into().map_err(|_| KeyError::Library)? })
            }
            Self::Rsa(pair) => {
                let key = pair.public_key();
                let n = key.modulus().big_endian_without_leading_zero().to_vec();
                let e = key.exponent().big_endian_without_leading_zero().to_vec();
                Material::rsa(n, e)
            }
        }
    }
}

#[async_trait]
impl Signer for SigningKey {
    fn key(&self) -> &Jwk {
        &self.jwk
    }

    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.signature(message)
    }

    fn sign_now(&self, message: &[u8]) -> Option<Result<Vec<u8>, SignError>> {
        Some(self.signature(message))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("key", &self.jwk).finish_non_exhaustive()
    }
}

/// A private key as PKCS#8, on its way to a key store; its bytes are zeroed when it is dropped.
pub struct Pkcs8(Der);

enum Der {
    Document(Document),
    Buffer(Pkcs8V1Der<'static>),
}

impl Pkcs8 {
    /// The bytes. Do not log them.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        match &self.0 {
            Der::Document(document) => document.as_ref(),
            Der::Buffer(buffer) => buffer.as_ref(),
        }
    }
}

impl fmt::Debug for Pkcs8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pkcs8(..)")
    }
}
