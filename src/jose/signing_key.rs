//! [`SigningKey`]: a private key in this process.

use std::fmt;

use async_trait::async_trait;

use super::crypto::{Der, Pair};
use super::{Algorithm, Jwk, KeyError, SignError, Signer};

/// A private key, parsed once. Neither `Clone` nor `Serialize`, and `Debug` shows only the public half.
pub struct SigningKey {
    jwk: Jwk,
    algorithm: Algorithm,
    pair: Pair,
}

impl SigningKey {
    /// Generates a key with the library's random source; its `kid` is its thumbprint. RSA keys have 2048 bits
    /// and take tenths of a second: generate them off the async threads.
    ///
    /// # Errors
    /// The library failed.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        Self::of(algorithm, Pair::generate(algorithm)?)
    }

    /// Reads an unencrypted PKCS#8 key (RFC 5958, DER).
    ///
    /// # Errors
    /// It is not such a key, or is for another algorithm.
    pub fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        Self::of(algorithm, Pair::from_pkcs8(algorithm, der)?)
    }

    /// A key from a key pair, with its thumbprint as the `kid`.
    pub(super) fn of(algorithm: Algorithm, pair: Pair) -> Result<Self, KeyError> {
        let jwk = Jwk::new(pair.public()?, algorithm);
        if !jwk.fits(algorithm) {
            return Err(KeyError::Mismatch);
        }
        Ok(Self { jwk, algorithm, pair })
    }

    /// Sets the `kid`; by default it is the thumbprint.
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
        self.pair.to_pkcs8().map(Pkcs8)
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.pair.sign(self.algorithm, message)
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

/// A private key as PKCS#8, for a key store; its bytes are zeroed when it is dropped.
pub struct Pkcs8(Der);

impl Pkcs8 {
    /// The bytes. Do not log them.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        self.0.reveal()
    }
}

impl fmt::Debug for Pkcs8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pkcs8(..)")
    }
}
